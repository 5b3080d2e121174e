"""Real servers of logs on this machine's loopback, and a relay before them that counts, and ends what a test
wants ended."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from s3fs import S3FileSystem

WAIT_S = 20


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until a server takes connections; raises where it ended, or takes too long."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on {port}")


class Server:
    """A server as a group of processes, which end together."""

    def __init__(self, command: list[str], port: int, log: Path, env: dict[str, str] | None = None) -> None:
        self.command, self.port, self.log, self.env = command, port, log, env
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=out, env=self.env)
        wait_for(self.port, self.process)

    def kill(self) -> None:
        """kill -9, its connections' processes included, which are in sessions of their own."""
        if self.process.poll() is None:
            for each in (*psutil.Process(self.process.pid).children(recursive=True), self.process):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        self.process.wait(WAIT_S)


class Ssh(Server):
    """OpenSSH's own server, for one user with one key.

    Attributes:
        known_hosts: the file that knows its key.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        program = shutil.which("sshd") or "/usr/sbin/sshd"
        port = free_port()
        for name in ("host", "user"):
            make_key(folder / name)
        self.folder, self.user = folder, getpass.getuser()
        self.key, self.known_hosts = folder / "user", folder / "known_hosts"
        self.know(folder / "host.pub", port)
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\n"
        )
        command = [program, "-D", "-e", "-f", f"{folder}/sshd_config"]
        super().__init__(command, port, folder / "sshd.log")

    def know(self, public: Path, *ports: int) -> None:
        """Write a public key to known_hosts as that of this server, and of relays before it."""
        kind, key, *_ = public.read_text().split()
        lines = [f"[127.0.0.1]:{port} {kind} {key}\n" for port in ports]
        self.known_hosts.write_text("".join(lines))

    def url(self, path: str, port: int | None = None) -> str:
        return f"sftp://{self.user}@127.0.0.1:{port or self.port}{path}"

    def access(self) -> str:
        return f'access = {{ key = "{self.key}", known_hosts = "{self.known_hosts}" }}\n'


def make_key(file: Path) -> None:
    for path in (file, file.with_suffix(".pub")):
        path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)


class Relay:
    """Hands bytes on to a port and counts those that come back; after each block it calls `after` with all
    that came so far."""

    def __init__(self, port: int, after: Callable[[int], None] = lambda count: None) -> None:
        self.target, self.after, self.count = port, after, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target), WAIT_S)
            except OSError:
                if self.listener.fileno() < 0:
                    return
                near.close()
                continue
            for source, target, counts in ((near, far, False), (far, near, True)):
                threading.Thread(target=self.hand_on, args=(source, target, counts), daemon=True).start()

    def hand_on(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        try:
            while block := source.recv(1 << 16):
                target.sendall(block)
                if counts:
                    self.count += len(block)
                    self.after(self.count)
        except OSError:
            pass
        finally:
            for each in (source, target):
                each.close()

    def close(self) -> None:
        self.listener.close()


class S3(Server):
    """Versity's S3 gateway over a folder, with one bucket.

    Attributes:
        copied: the folder of another one that has ended, whose objects it begins with.
    """

    user, secret, region, bucket = "observatory", "a-secret-of-tests", "eu-central-1", "logs"

    def __init__(self, folder: Path, copied: Path | None = None) -> None:
        for name in ("data", "about"):
            if copied is None:
                (folder / name).mkdir(parents=True)
            else:
                shutil.copytree(copied / name, folder / name)
        program = shutil.which("versitygw") or f"{Path(sys.executable).parent}/versitygw"
        port = free_port()
        command = [program, "--port", f"127.0.0.1:{port}", "--access", self.user, "--secret", self.secret]
        command += ["--region", self.region, "--quiet"]
        command += ["posix", "--sidecar", str(folder / "about"), str(folder / "data")]
        super().__init__(command, port, folder / "s3.log")
        self.folder = folder / "data"
        if copied is None:
            self.files().mkdir(self.bucket)

    def files(self) -> S3FileSystem:
        """File system of the store's objects, as an administrator writes them."""
        return S3FileSystem(
            key=self.user,
            secret=self.secret,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            client_kwargs={"region_name": self.region},
            config_kwargs={"s3": {"addressing_style": "path"}},
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    def put(self, name: str, data: bytes) -> None:
        self.files().pipe_file(f"{self.bucket}/{name}", data)

    def credentials(self) -> dict[str, str]:
        """The variables of AWS' usual chain."""
        return {"AWS_ACCESS_KEY_ID": self.user, "AWS_SECRET_ACCESS_KEY": self.secret}

    def access(self, port: int | None = None) -> str:
        url = f"http://127.0.0.1:{port or self.port}"
        return f'access = {{ endpoint = "{url}", region = "{self.region}", path_style = true }}\n'
