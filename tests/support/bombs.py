"""Small files that unpack to more than a machine holds, and programs that run under a memory limit."""

import io
import os
import resource
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

from tests.conftest import ROOT

MEMORY = 2**30
# Threads and arenas of libraries take address space, which the limit counts.
FEW_THREADS = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


def run_limited(program: str, *words: object, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a Python program in a process that gets 1 GB of memory."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        cwd=ROOT, env=os.environ | FEW_THREADS, preexec_fn=limit, capture_output=True, text=True,
        timeout=seconds,
    )  # fmt: skip


def with_parts(content: bytes, parts: dict[str, bytes]) -> bytes:
    """The archive with parts in place of those of the same name, or added."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            if name not in parts:
                new.writestr(name, old.read(name))
        for name, data in parts.items():
            new.writestr(name, data)
    return stream.getvalue()


def part_of(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def compressed_packet(data: bytes) -> bytes:
    """An OpenPGP compressed data packet by ZLIB (RFC 4880, 5.6)."""
    body = b"\2" + zlib.compress(data, 9)
    return b"\xc8\xff" + len(body).to_bytes(4, "big") + body


def openpgp_bomb(folder: Path, size: int) -> Path:
    """An OpenPGP file of a few kilobytes that unpacks to zeros: a literal packet (RFC 4880, 5.9) of `size`
    bytes within three compressed ones."""
    packer = zlib.compressobj(1)
    body = b"b\0\0\0\0\0"
    packed = [packer.compress(b"\xcb\xff" + (len(body) + size).to_bytes(4, "big") + body)]
    packed += [packer.compress(bytes(min(2**20, size - done))) for done in range(0, size, 2**20)]
    inner = b"\2" + b"".join([*packed, packer.flush()])
    data = b"\xc8\xff" + len(inner).to_bytes(4, "big") + inner
    file = folder / "bomb.zip.gpg"
    file.write_bytes(compressed_packet(compressed_packet(data)))
    return file
