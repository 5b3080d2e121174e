"""docker/'s images without an engine: what their Dockerfiles say, and their folders laid out on a machine."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
BIN = Path(sys.executable).parent
COMPOSE = DOCKER / "compose.yaml"
# PATH of Debian's Python images.
BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
# Folders of images that a test lays out below a folder of its own.
LAID_OUT = re.compile(
    r"(?<![\w/.])/(?=(?:opt/observatory|opt/pipeline|lake|report|etc/observatory|run/secrets|tmp/spark)(?![\w.-]))"
)


def output(*words: str | Path, **environment: str) -> str:
    """Return the output of a command; fail with its own message."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, cwd=ROOT, env=os.environ | environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compose(*words: str, **environment: str) -> str:
    """Run Docker Compose, with all profiles: the environment's, or that of the docker command."""
    own = BIN / "docker-compose"
    program: list[str | Path] = [own] if own.exists() else ["docker", "compose"]
    return output(*program, "--file", COMPOSE, "--profile", "*", *words, **environment)


def compose_services() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(compose("config", "--format", "json"))["services"]
    return found


@dataclass(frozen=True)
class Image:
    """A stage of a Dockerfile, with the steps of the stages that it begins from.

    Attributes:
        start: the image that it begins from.
        steps: instructions and what follows them.
    """

    start: str
    steps: tuple[tuple[str, str], ...]

    def all(self, instruction: str) -> list[str]:
        return [rest for word, rest in self.steps if word == instruction]

    def last(self, instruction: str) -> str:
        return self.all(instruction)[-1]

    @property
    def environment(self) -> dict[str, str]:
        words = " ".join(self.all("ENV")).split()
        return {
            name: value.replace("$PATH", BASE_PATH) for name, value in (word.split("=", 1) for word in words)
        }

    @property
    def copied(self) -> list[tuple[str | None, str, str]]:
        """The stage that something is copied from, or None of the build context; what; where to."""
        found = []
        for rest in self.all("COPY"):
            *options, source, target = rest.split()
            stage = options[0].removeprefix("--from=") if options else None
            found.append((stage, source, target))
        return found

    @property
    def installs(self) -> list[str]:
        return re.findall(r"pip install[^&]*", " ".join(self.all("RUN")))


def images(dockerfile: Path) -> dict[str, Image]:
    """The stages by name; the last one also as the empty name."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    found: dict[str, Image] = {}
    name = ""
    given: dict[str, str] = {}
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "ARG" and not found:
            argument, _, value = rest.partition("=")
            given[f"${{{argument}}}"] = value
        elif word == "FROM":
            start, _, name = rest.partition(" AS ")
            start = given.get(start, start)
            found[name] = found.get(start, Image(start, ()))
        elif word:
            found[name] = Image(found[name].start, (*found[name].steps, (word, rest)))
    return found | {"": found[name]}


def image_of(service: dict[str, Any]) -> Image:
    """The image that a service of the compose file builds."""
    build = service["build"]
    return images(ROOT / build["dockerfile"])[build.get("target", "")]


@dataclass(frozen=True)
class LaidOut:
    """An image's folders below a folder of this machine, and a Python that sees no clone."""

    folder: Path
    image: Image

    def here(self, text: str) -> str:
        """A text of the image with its folders where they are laid out."""
        return LAID_OUT.sub(f"{self.folder}/", text)

    def environment(self, service: dict[str, Any], **more: str) -> dict[str, str]:
        """Return the environment of a service's container, without any of this machine's."""
        of_service = service.get("environment") or {}
        own = self.image.environment | {name: value.replace("$$", "$") for name, value in of_service.items()}
        return {name: self.here(value) for name, value in own.items()} | {"HOME": str(self.folder)} | more

    def command(self, service: dict[str, Any], *words: str) -> list[str]:
        """The command line of a container; words: in place of the service's own command."""
        entry = service.get("entrypoint") or json.loads(self.image.last("ENTRYPOINT"))
        return [self.here(word) for word in (*entry, *(words or service.get("command") or ()))]

    @property
    def work_folder(self) -> str:
        return self.here(self.image.last("WORKDIR"))


def lay_out(image: Image, folder: Path) -> LaidOut:
    """Lay out what the image copies, its environment of packages, and what compose mounts: the sample study
    as settings, a key as secret."""
    found = LaidOut(folder, image)
    project = Path(found.work_folder)
    for name in ("lake", "report", "etc", "run/secrets"):
        (folder / name).mkdir(parents=True)
    project.mkdir(parents=True)
    (project / "build").mkdir()
    for stage, source, target in image.copied:
        if stage is None:
            shutil.copytree(ROOT / source, project / target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.endswith("/jars"):
            # `make setup-spark` fetched them, as the stage would.
            shutil.copytree(ROOT / "build" / "jars", project / target)
    python_of_packages(folder / "opt" / "pipeline")
    (folder / "etc" / "observatory").symlink_to(ROOT / "sample_data")
    key = folder / "run" / "secrets" / "pseudonym_key"
    key.write_text("0123456789abcdef" * 4)
    key.chmod(0o600)
    return found


def python_of_packages(folder: Path) -> None:
    """An environment with this one's packages and without the project, which a .pth file names: Python reads
    none in a folder that another .pth file names."""
    venv.create(folder, with_pip=False)
    [site] = folder.glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for script in BIN.glob("*spark*"):
        (folder / "bin" / script.name).symlink_to(script)
