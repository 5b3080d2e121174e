"""A front before a real object store, which does not go by the conditions of puts, or at which the store or
the program that asks is killed at a request. It runs in a process of its own: delta-rs holds Python's lock
while it waits for an answer."""

import http.client
import json
import os
import re
import signal
import sys
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conftest import ROOT
from tests.support.servers import S3, Server, free_port

CONDITIONS = ("If-None-Match", "If-Match")
NOT_IMPLEMENTED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>NotImplemented</Code>'
    b"<Message>A header you provided implies functionality that is not implemented</Message></Error>"
)


@dataclass(frozen=True)
class Manner:
    """refuses: answers puts with a condition as a store that has none. ignores: leaves the condition out.
    kill_at: a pattern of method and path, of removals with their body; the store is killed when a request of
    it comes, for the first time, or with is_done when it was done and its answer is not given; with
    is_program the program that asks is killed, with its group of processes. mute_at: such a request is done,
    and only its first answer is not given."""

    refuses: bool = False
    ignores: bool = False
    kill_at: str = ""
    mute_at: str = ""
    is_done: bool = False
    is_program: bool = False


class Front(Server):
    """Hands requests on to a store, signed anew."""

    def __init__(self, store: S3, manner: Manner) -> None:
        about = asdict(manner) | {"store": store.port, "pid": store.process.pid, "port": free_port()}
        command = [sys.executable, "-m", "tests.support.stores", json.dumps(about)]
        log = Path(store.log.parent, "front.log")
        super().__init__(command, about["port"], log, os.environ | {"PYTHONPATH": str(ROOT)})


class Handler(BaseHTTPRequestHandler):
    """One connection.

    Attributes:
        about: of Front.
    """

    protocol_version = "HTTP/1.1"
    # The far end would wait for the second packet of an answer.
    disable_nagle_algorithm = True
    about: dict[str, Any]

    def hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.about["refuses"] and any(name in self.headers for name in CONDITIONS):
            self.reply(501, {}, NOT_IMPLEMENTED)
            return
        # What is removed stands in the body alone.
        is_removal = self.command == "POST" and "?delete" in self.path
        self.asked = f"{self.command} {self.path}{body.decode() if is_removal else ''}"
        is_last = self.take_first("kill_at")
        if is_last and not self.about["is_done"]:
            self.kill_one()
        found = self.ask_store(body)
        if is_last and self.about["is_done"]:
            self.kill_one()
            found = None
        if self.take_first("mute_at"):
            found = None
        if found is None:
            # As a store that is gone: the connection ends without an answer.
            self.close_connection = True
        else:
            self.reply(*found)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = hand_on  # noqa: N815

    def kill_one(self) -> None:
        """kill -9 the store, or who asks."""
        if self.about["is_program"]:
            # A connection that has ended may still have the same port, to another one, and belongs to nobody.
            ends = self.client_address, self.connection.getsockname()
            (near,) = (each for each in psutil.net_connections("tcp") if (each.laddr, each.raddr) == ends)
            os.killpg(os.getpgid(near.pid), signal.SIGKILL)
        else:
            os.kill(self.about["pid"], signal.SIGKILL)

    def take_first(self, name: str) -> bool:
        """Return whether this is the first request of a pattern."""
        pattern = self.about[name]
        is_first = bool(pattern and re.search(pattern, self.asked))
        if is_first:
            self.about[name] = ""
        return is_first

    def ask_store(self, body: bytes) -> tuple[int, dict[str, str], bytes] | None:
        left_out = {"host", "authorization", "connection", "content-length", "expect", "x-amz-date"}
        left_out |= {name.lower() for name in CONDITIONS} if self.about["ignores"] else set()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
        url = f"http://127.0.0.1:{self.about['store']}{self.path}"
        signed = AWSRequest(self.command, url, headers, body)
        S3SigV4Auth(Credentials(S3.user, S3.secret), "s3", S3.region).add_auth(signed)
        far = http.client.HTTPConnection("127.0.0.1", self.about["store"])
        try:
            far.request(self.command, self.path, body, dict(signed.headers.items()))
            found = far.getresponse()
            return found.status, dict(found.getheaders()), found.read()
        except OSError:
            return None
        finally:
            far.close()

    def reply(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response_only(status)
        is_head = self.command == "HEAD"
        length = headers.get("Content-Length", "0") if is_head else str(len(data))
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if not is_head:
            self.wfile.write(data)


if __name__ == "__main__":
    Handler.about = json.loads(sys.argv[1])
    ThreadingHTTPServer(("127.0.0.1", Handler.about["port"]), Handler).serve_forever()
