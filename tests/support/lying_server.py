"""A web server on this machine that answers as a test wants: honest, or with any bytes at all."""

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import sha256
from typing import Any

# So many bytes are sent at most, however endless an answer is.
MOST = 400 << 20


@dataclass(frozen=True)
class Request:
    """A request: path, query and headers, whose names are in small letters."""

    path: str
    query: str
    headers: dict[str, str]

    @property
    def first(self) -> int | None:
        """The first byte of the part that is asked for."""
        wanted = self.headers.get("range", "")
        return int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else None


# Blocks of an answer, with its head; afterwards the connection ends.
Lie = Callable[[Request], Iterable[bytes]]


def answer(status: str, body: bytes = b"", **headers: str | int | None) -> bytes:
    """An answer with its head. headers: their names with _ in place of -; None leaves one out."""
    named: dict[str, str | int | None] = {"Content-Length": len(body), "Date": formatdate(usegmt=True)}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [
        f"HTTP/1.1 {status}",
        *(f"{name}: {value}" for name, value in named.items() if value is not None),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class LyingServer:
    """Files of a server that lies.

    Attributes:
        files: honestly served, with ranges and an ETag unless switched off.
        lies: by path.
        requests: those that came.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    lies: dict[str, Lie] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    content_type: str = "text/plain"
    has_ranges: bool = True
    has_tags: bool = True
    modified: float | None = None
    is_stopping: bool = False
    url: str = ""

    def respond(self, request: Request) -> tuple[Iterable[bytes], bool]:
        """Blocks of the answer, and whether the connection goes on."""
        if request.path in self.lies:
            return self.lies[request.path](request), False
        if request.path.endswith("/"):
            names = [path.removeprefix(request.path) for path in self.files if path.startswith(request.path)]
            names = sorted({name.partition("/")[0] + "/" * ("/" in name) for name in names})
            page = "".join(f'<a href="{name}">{name}</a>\n' for name in names)
            return [answer("200 OK", f"<html><a href='?C=N;O=D'>Name</a>{page}</html>".encode())], True
        if request.path not in self.files:
            return [answer("404 Not Found", b"<html><a href='x'>gone</a></html>")], True
        return [self.serve(request, self.files[request.path])], True

    def serve(self, request: Request, data: bytes) -> bytes:
        """The honest answer of a server that holds these bytes."""
        tag = f'"{sha256(data).hexdigest()[:16]}"' if self.has_tags else None
        modified = None if self.modified is None else formatdate(self.modified, usegmt=True)
        headers = {"ETag": tag, "Last_Modified": modified, "Content_Type": self.content_type}
        asked = request.headers
        if (tag and asked.get("if-none-match") == tag) or (
            modified and "if-none-match" not in asked and asked.get("if-modified-since") == modified
        ):
            return answer("304 Not Modified", Content_Length=None, **headers)
        first = request.first if self.has_ranges else None
        if first is None:
            return answer("200 OK", data, **headers)
        if first >= len(data):
            return answer("416 Range Not Satisfiable", Content_Range=f"bytes */{len(data)}")
        end = request.headers["range"].rpartition("-")[2]
        last = min(int(end), len(data) - 1) if end else len(data) - 1
        place = f"bytes {first}-{last}/{len(data)}"
        return answer("206 Partial Content", data[first : last + 1], Content_Range=place, **headers)


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.connection.settimeout(30)
        with contextlib.suppress(OSError):
            while self.handle_request():
                pass

    def handle_request(self) -> bool:
        server: LyingServer = self.server.lying  # type: ignore[attr-defined]
        line = self.rfile.readline().decode()
        if not line or server.is_stopping:
            return False
        headers = {}
        while (each := self.rfile.readline().decode().strip()) and len(headers) < 100:
            name, _, value = each.partition(": ")
            headers[name.lower()] = value
        path, _, query = line.split()[1].partition("?")
        request = Request(path, query, headers)
        server.requests.append(request)
        blocks, goes_on = server.respond(request)
        sent = 0
        for block in blocks:
            if server.is_stopping or sent > MOST:
                return False
            self.wfile.write(block)
            sent += len(block)
        return goes_on


@contextlib.contextmanager
def lying_server(wrap: Callable[[Any], Any] = lambda socket: socket) -> Iterator[LyingServer]:
    """A server that ends with the block.

    Args:
        wrap: makes its socket one of TLS.
    """

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

    lying = LyingServer()
    with Threads(("127.0.0.1", 0), Handler) as server:
        server.lying = lying  # type: ignore[attr-defined]
        lying.url = f"http://127.0.0.1:{server.server_address[1]}"
        server.socket = wrap(server.socket)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield lying
        finally:
            lying.is_stopping = True
            server.shutdown()
