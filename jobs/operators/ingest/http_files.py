"""Logs of web servers: one request asks whether a file changed, and one sends what is new of it.

A server may be wrong, or another's by now. A file is what its bytes are: the type that a server states counts
for nothing, and a page is taken for a list of files only where its URL ends in `/`. Bytes are asked for as
they are, and a part of a file counts only where it joins on to what landing has. Nothing is asked of another
host or by another scheme. Memory holds some blocks of an answer; time is bounded between two of them, so that
a long log may take as long as it does.
"""

import base64
import contextlib
import datetime as dt
import email.utils
import fnmatch
import http
import logging
import re
import shutil
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from time import monotonic, sleep
from typing import IO, Any
from urllib.parse import unquote, urljoin, urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, IncompleteRead, ProtocolError, ReadTimeoutError

from jobs.base.core.disk import error_causes
from jobs.base.core.errors import ObservatoryError, SourceLost
from jobs.base.core.numbers import format_count
from jobs.base.places.connections import CONNECT, SILENT, HostConnection, read_connection
from jobs.base.settings.access import Access
from jobs.operators.ingest.manifest import Seen
from jobs.operators.ingest.remote import COMPARED, Copy, Joined

# Requests at a time.
CONCURRENCY = 4
BLOCK = 256 << 10
# Redirects within a host that are followed, and tries where a server asks to wait.
HOPS, TRIES = 5, 4
# Seconds that a pull waits in all where a server asks for it.
MOST_WAIT = 120
# An answer of which less than the bytes come in the seconds is given up.
SLOWEST, WATCHED = 64 << 10, 600
# Bytes of a list of files, folders that one wildcard lists, and how deep `**` goes.
LONGEST_LIST, MOST_FOLDERS, DEEPEST = 16 << 20, 1000, 8
# A time of writing names one state of a file only where it is older than the answer by so much (RFC 9110,
# 8.8.2.2): what is written in the same second would not be seen.
SETTLED = dt.timedelta(seconds=60)
# The start of a file: where gzip keeps the time of writing.
START = 8
MOVED = (301, 302, 303, 307, 308)
BUSY = (429, 503)
GONE = (404, 410)
# Of all that say that the request is wrong, these may pass: timeout, too early, too many.
PASSES = (408, 425, 429)
RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
MAGIC = re.compile(r"[*\[]")


class AnswerRefused(ObservatoryError, OSError):
    """An answer that a server will give again: a setting or a right is to be mended.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class ServerAway(OSError):
    """A server that does not answer, or not as it should: the next pull tries again."""


class HttpFiles:
    """The files of one web server. Their names are URLs without a query.

    Attributes:
        shown: of each file that was looked at its size, its version, when it was written as its gzip header
            or the server says, and when it was modified as the server says.
        failed: why a file cannot be read.
    """

    protocol = ("http", "https")

    def __init__(self, url: str, access: Access) -> None:
        parts = urlsplit(url)
        named = read_connection(access.connection) if access.connection else HostConnection()
        place = (named.host or "").rpartition("://")[2].rstrip("/") or None
        replace(named, host=place).choose_host(parts.hostname, parts.port)
        self.query = "&".join(filter(None, (parts.query, str(named.extra.get("query") or ""))))
        self.origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.pattern = self.origin + (parts.path or "/")
        self.headers = {"User-Agent": "spam-observatory", "Accept-Encoding": "identity"}
        self.headers |= {str(key): str(each) for key, each in dict(named.extra.get("headers") or {}).items()}
        if named.password and named.login:
            pair = base64.b64encode(f"{named.login}:{named.password}".encode()).decode()
            self.headers["Authorization"] = f"Basic {pair}"
        elif named.password:
            self.headers["Authorization"] = f"Bearer {named.password}"
        # Of headers that are none it would print what they hold.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        timeout = urllib3.Timeout(connect=CONNECT, read=SILENT)
        self.pool = urllib3.connection_from_url(self.origin, maxsize=CONCURRENCY, timeout=timeout)
        self.shown: dict[str, dict[str, Any]] = {}
        self.failed: dict[str, OSError] = {}
        self.copies: dict[str, Any] = {}
        self.coming: Callable[[str], IO[bytes]] = self.fetch
        self.turn = threading.Lock()
        self.resume_at = 0.0
        self.may_wait = float(MOST_WAIT)
        self.closed: ServerAway | None = None
        self.is_ended = False

    # --- requests -----------------------------------------------------------------------------------------

    def ask(self, name: str, headers: Mapping[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        """The answer to a request, with its body still to be read. Raises AnswerRefused, ServerAway."""
        where = name
        for _ in range(HOPS + 1):
            response = self.send(where, headers or {})
            if response.status not in MOVED:
                return response
            response.close()
            try:
                where = urljoin(where, response.headers.get("Location") or "")
                other = urlsplit(where)
            except ValueError:
                raise AnswerRefused("the server sends on to what is no URL") from None
            if not self.is_own(where):
                raise AnswerRefused(
                    f"the server sends on to {other.scheme}://{other.hostname or ''}, another host or scheme,"
                    " which is not followed. Name that place in the url, if the logs are there"
                )
        raise AnswerRefused(f"the server sends on more than {HOPS} times")

    def is_own(self, url: str) -> bool:
        """Return whether a URL is of this server, by the same scheme."""
        here, there = urlsplit(self.origin), urlsplit(url)
        usual = {"http": 80, "https": 443}
        with contextlib.suppress(ValueError):
            return (there.scheme, there.hostname, there.port or usual.get(there.scheme)) == (
                here.scheme,
                here.hostname,
                here.port or usual[here.scheme],
            )
        return False

    def send(self, where: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        parts = urlsplit(where)
        query = parts.query or self.query
        target = (parts.path or "/") + (f"?{query}" if query else "")
        is_again = False
        for number in range(TRIES):
            self.wait_turn()
            try:
                response = self.pool.urlopen(
                    "GET",
                    target,
                    headers={**self.headers, **headers},
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    decode_content=False,
                )
            except HTTPError as error:
                # A connection that was kept may have ended since.
                if isinstance(error, ProtocolError) and not is_again:
                    is_again = True
                    continue
                raise self.explain(error) from None
            seconds = retry_after(response) if response.status in BUSY else None
            if seconds is None:
                break
            finish(response)
            self.postpone(seconds, response.status, is_last=number == TRIES - 1)
        return response

    def wait_turn(self) -> None:
        """Wait as long as the server asked for."""
        if self.closed:
            raise self.closed
        with self.turn:
            left = self.resume_at - monotonic()
        if left > 0:
            sleep(left)

    def postpone(self, seconds: float, status: int, is_last: bool) -> None:
        """Let all requests wait. Where that is longer than a pull may wait, this server is asked no more."""
        with self.turn:
            now = monotonic()
            more = now + seconds - max(self.resume_at, now)
            if is_last or more > self.may_wait:
                self.closed = ServerAway(
                    f"the server answers {describe_status(status)} and asks to wait {format_count(seconds)}"
                    f" seconds; a pull waits {MOST_WAIT} in all"
                )
                raise self.closed
            if more > 0:
                self.may_wait -= more
                self.resume_at = now + seconds

    def explain(self, error: Exception) -> OSError:
        """An error of the client in words. Its own text may have the URL's query, or nothing at all."""
        host = urlsplit(self.origin).hostname
        causes = list(error_causes(error))
        if wrong := next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None):
            return AnswerRefused(
                f"the certificate of {host} is not valid: {wrong.verify_message}. Correct the url or the"
                " certificate; SSL_CERT_FILE names a file of authorities in place of this machine's"
            )
        if isinstance(error, ConnectTimeoutError):
            return ServerAway(f"{host} did not answer within {CONNECT} seconds")
        if isinstance(error, ReadTimeoutError):
            return ServerAway(f"{host} sent nothing for {SILENT} seconds")
        if isinstance(error, IncompleteRead):
            return ServerAway("the answer ended before its end")
        system = next((each for each in causes if isinstance(each, OSError) and each.strerror), None)
        return ServerAway(
            f"the connection to {host} failed: {system.strerror if system else type(error).__name__}"
        )

    # --- listing ------------------------------------------------------------------------------------------

    def glob(self, pattern: str, detail: bool = False) -> dict[str, dict[str, Any]]:
        """The files that a pattern matches. A URL without a wildcard is a file, which is not asked for."""
        path = pattern.removeprefix(self.origin)
        if not MAGIC.search(path):
            if path.endswith("/"):
                raise ValueError("it names a folder: write a wildcard after it for the files in it, as in /*")
            return {pattern: {"name": pattern, "type": "file", "size": None}}
        before = path[: MAGIC.search(path).start()].rpartition("/")[0]  # type: ignore[union-attr]
        steps = path[len(before) + 1 :].split("/")
        names = set(self.expand(f"{self.origin}{before}/", steps, [0], 0))
        return {name: {"name": name, "type": "file", "size": None} for name in sorted(names)}

    def expand(self, folder: str, steps: list[str], listed: list[int], depth: int) -> Iterator[str]:
        """The files below a folder that steps of a pattern lead to.

        Args:
            listed: how many folders were listed.
        """
        listed[0] += 1
        if listed[0] > MOST_FOLDERS:
            raise ValueError(f"its wildcards match more than {MOST_FOLDERS:,} folders: name fewer")
        files, folders = self.list_folder(folder)
        step, rest = steps[0], steps[1:]
        if step == "**":
            if rest:
                yield from self.expand(folder, rest, listed, depth)
            if depth < DEEPEST:
                for each in folders:
                    yield from self.expand(f"{folder}{each}/", steps, listed, depth + 1)
        elif rest:
            for each in filter(lambda name: is_matched(name, step), folders):
                yield from self.expand(f"{folder}{each}/", rest, listed, depth)
        else:
            yield from (f"{folder}{name}" for name in files if is_matched(name, step))

    def list_folder(self, folder: str) -> tuple[list[str], list[str]]:
        """The names of files and of folders in a folder, by the server's list of it. Raises
        FileNotFoundError."""
        response = self.ask(folder)
        if response.status in GONE:
            finish(response)
            raise FileNotFoundError(f"the server answers {describe_status(response.status)}")
        with self.guard_answer(response):
            if response.status != 200:
                raise refuse_status(response.status)
            data = read_some(response, LONGEST_LIST + 1)
        if len(data) > LONGEST_LIST:
            raise ServerAway(f"its list of files has more than {LONGEST_LIST:,} bytes")
        found = Links()
        found.feed(data.decode("utf-8", "replace"))
        names = dict.fromkeys(name for link in found.links if (name := self.name_in(folder, link)))
        return [name for name in names if name[-1] != "/"], [name[:-1] for name in names if name[-1] == "/"]

    def name_in(self, folder: str, link: str) -> str | None:
        """The name of a file or folder, which ends in `/`, that a link of a list leads to; None elsewhere."""
        with contextlib.suppress(ValueError):
            url = urljoin(folder, link.strip())
            parts = urlsplit(url)
            start = urlsplit(folder).path
            name = parts.path[len(start) :]
            if (
                self.is_own(url)
                and not parts.query
                and parts.path.startswith(start)
                and name.removesuffix("/")
                and "/" not in name[:-1]
            ):
                return name
        return None

    # --- what a server says of a file ---------------------------------------------------------------------

    def look_at(self, names: Iterable[str], seen: Mapping[str, Seen] | None = None) -> None:
        """Look at files, and fill `shown` and `failed`.

        Args:
            seen: how an earlier pull found them.
        """
        before = seen or {}
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            for _ in pool.map(lambda name: self.look(name, before.get(name)), names):
                pass

    def look(self, name: str, seen: Seen | None) -> None:
        try:
            self.shown[name] = self.ask_state(name, seen)
        except OSError as error:
            self.failed[name] = error

    def ask_state(self, name: str, seen: Seen | None) -> dict[str, Any]:
        """The server's description of a file: that it is as it was seen, or its size and times."""
        response = self.ask(name, {"Range": f"bytes=0-{START - 1}", **(unless_same(seen) if seen else {})})
        with self.guard_answer(response):
            if response.status == 304 and seen:
                return {"type": "file", "size": seen.size, "ETag": seen.version, "written": seen.at}
            if response.status == 416:
                # Nothing is at the start of an empty file.
                return {"type": "file", "size": None, **times_of(response, b"")}
            if response.status not in (200, 206):
                raise refuse_status(response.status)
            place = range_of(response) if response.status == 206 else None
            whole = response.headers.get("Content-Length") or "" if response.status == 200 else ""
            start = read_some(response, START) if place is None or place[0] == 0 else b""
        return {
            "type": "file",
            "size": place[2] if place else int(whole) if whole.isdecimal() else None,
            "has_ranges": place is not None and place[0] == 0,
            **times_of(response, start),
        }

    @contextlib.contextmanager
    def guard_answer(self, response: urllib3.BaseHTTPResponse) -> Iterator[None]:
        """Hold an answer while its start is read; then its connection serves the next request, or ends."""
        try:
            yield
        except HTTPError as error:
            response.close()
            raise self.explain(error) from None
        except BaseException:
            response.close()
            raise
        finish(response)

    # --- content ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def fetch_ahead(
        self, names: Iterable[str], folder: str | None, candidates: Callable[[bytes], Iterable[Joined]]
    ) -> Iterator[None]:
        """Meanwhile take() gives the content of these files, in this order, of which some come already."""
        left = iter(names)
        coming: dict[str, Future[IO[bytes]]] = {}
        with ThreadPoolExecutor(CONCURRENCY) as pool:

            def submit_next() -> None:
                if (name := next(left, None)) is not None:
                    coming[name] = pool.submit(self.fetch, name, folder, candidates)

            def take(name: str) -> IO[bytes]:
                submit_next()
                return coming.pop(name).result()

            for _ in range(CONCURRENCY - 1):
                submit_next()
            self.coming = take
            try:
                yield
            finally:
                self.coming, self.is_ended = self.fetch, True
                pool.shutdown(cancel_futures=True)
                for each in coming.values():
                    if not each.cancelled() and each.exception() is None:
                        each.result().close()

    def take(self, name: str) -> IO[bytes]:
        """The content of a file, in a copy that ends with it."""
        return self.coming(name)

    def open(self, name: str, mode: str = "rb") -> IO[bytes]:
        """The content of a file, which is sent once however often it is opened."""
        if name not in self.copies:
            copy = tempfile.NamedTemporaryFile()  # noqa: SIM115 - it is there as long as this object is.
            with self.fetch(name) as content:
                shutil.copyfileobj(content, copy)
            copy.flush()
            self.copies[name] = copy
        return open(self.copies[name].name, mode)

    def fetch(
        self,
        name: str,
        folder: str | None = None,
        candidates: Callable[[bytes], Iterable[Joined]] | None = None,
    ) -> IO[bytes]:
        """A copy of a file, in a folder.

        Of a file that continues a stream what is new is sent, and bytes before it, which must be those that
        landing has.

        Args:
            candidates: streams of landing that begin as a file does.
        """
        shown = self.shown.get(name, {})
        if candidates and shown.get("has_ranges") and shown["size"] >= 4 * COMPARED:
            head = self.fetch_start(name)
            for joined in candidates(head) if head else ():
                if joined.stream.bytes <= shown["size"] and (
                    copy := self.fetch_rest(name, head, joined, folder)
                ):
                    return copy
        response = self.ask(name)
        if response.status != 200:
            response.close()
            raise refuse_status(response.status)
        self.shown[name] = self.describe(response, response.length_remaining)
        return self.copy_body(response, folder)

    def fetch_start(self, name: str) -> bytes:
        """The first 64 KiB of a file; nothing where the server does not give them alone."""
        response = self.ask(name, {"Range": f"bytes=0-{COMPARED - 1}"})
        with self.guard_answer(response):
            place = range_of(response) if response.status == 206 else None
            return read_some(response, COMPARED) if place and place[:2] == (0, COMPARED - 1) else b""

    def fetch_rest(self, name: str, head: bytes, joined: Joined, folder: str | None) -> IO[bytes] | None:
        """A copy of a file that continues a stream; None where it does not, or the server does not say it."""
        first = joined.stream.bytes - COMPARED
        response = self.ask(name, {"Range": f"bytes={first}-"})
        place = range_of(response) if response.status == 206 else None
        is_asked = place is not None and place[0] == first and place[1] == place[2] - 1
        with contextlib.suppress(HTTPError):
            if place and is_asked and read_some(response, COMPARED) == joined.tail():
                self.shown[name] = self.describe(response, place[2])
                return self.copy_body(response, folder, head, joined, place[2])
        response.close()
        return None

    def describe(self, response: urllib3.BaseHTTPResponse, size: int | None) -> dict[str, Any]:
        """The description of a file whose content is this answer. Without a length it has no version: an
        answer that ended early would be taken for the whole."""
        version = version_of_answer(response) if size is not None or response.chunked else None
        found = times_of(response, b"")
        return {"type": "file", "size": size, "ETag": version, **found}

    def copy_body(
        self,
        response: urllib3.BaseHTTPResponse,
        folder: str | None,
        head: bytes = b"",
        joined: Joined | None = None,
        size: int | None = None,
    ) -> IO[bytes]:
        """A copy of an answer's body.

        Args:
            head, joined, size: the file's start, the stream that it continues, and its bytes, where what goes
                on from the compared end of the stream is asked for.
        """
        room = shutil.disk_usage(folder or tempfile.gettempdir()).free // 2
        out: Any = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - who asked for it closes it.
        lost: SourceLost | None = None
        try:
            if joined:
                out.write(head)
                out.seek(joined.stream.bytes)
            try:
                self.copy_blocks(response, out, room, size)
            except HTTPError as error:
                lost = SourceLost(str(self.explain(error)))
            except SourceLost as error:
                lost = error
        except BaseException:
            out.close()
            raise
        finally:
            response.close() if lost else finish(response)
        if joined or lost:
            copy: Any = Copy(out, lost)
            if joined:
                copy.take_landed(joined.stream.bytes, joined.again)
            return copy
        out.seek(0)
        return out

    def copy_blocks(
        self, response: urllib3.BaseHTTPResponse, out: IO[bytes], room: int, size: int | None
    ) -> None:
        """Write an answer's body to a file. Raises SourceLost where it is not the announced one."""
        begun, watched = out.tell(), (monotonic(), 0)
        while block := response.read1(BLOCK):
            if self.is_ended:
                raise SourceLost("the pull ended")
            if size is not None and out.tell() + len(block) > size:
                out.write(block[: size - out.tell()])
                raise SourceLost(f"the server sent more than the {size:,} bytes that it named")
            out.write(block)
            have, now = out.tell() - begun, monotonic()
            if have > room:
                raise ServerAway(
                    f"it has more than {room:,} bytes, half of the room that there is for a copy"
                )
            if now - watched[0] > WATCHED:
                if have - watched[1] < SLOWEST:
                    raise SourceLost(f"the server sent less than {SLOWEST:,} bytes in {WATCHED} seconds")
                watched = now, have
        if size is not None and out.tell() < size:
            raise SourceLost("the answer ended before its end")


class Links(HTMLParser):
    """The links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]


def is_matched(name: str, step: str) -> bool:
    """Return whether a name, written as in a URL or as it is, matches a part of a pattern."""
    return fnmatch.fnmatchcase(unquote(name), step) or fnmatch.fnmatchcase(name, step)


def read_some(response: urllib3.BaseHTTPResponse, size: int) -> bytes:
    """The next bytes of an answer, fewer where it ends before."""
    data = bytearray()
    while len(data) < size and (block := response.read1(min(size - len(data), BLOCK))):
        data += block
    return bytes(data)


def finish(response: urllib3.BaseHTTPResponse) -> None:
    """Let the connection serve again where little of the answer is left, or end it."""
    try:
        if len(read_some(response, START + COMPARED)) < START + COMPARED:
            response.release_conn()
            return
    except HTTPError:
        pass
    response.close()


def range_of(response: urllib3.BaseHTTPResponse) -> tuple[int, int, int] | None:
    """First and last byte of a part of a file, and the file's size; None where the server does not say it."""
    found = RANGE.fullmatch(response.headers.get("Content-Range") or "")
    first, last, size = (int(each) for each in found.groups()) if found else (0, 0, 0)
    return (first, last, size) if first <= last < size else None


def retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    """The seconds that a server asks to wait; None where it does not say it."""
    text = (response.headers.get("Retry-After") or "").strip()
    if text.isdecimal():
        return float(text[:9])
    at = parse_time(text)
    return max((at - dt.datetime.now(dt.UTC)).total_seconds(), 0.0) if at else None


def parse_time(text: str | None) -> dt.datetime | None:
    """A time of HTTP, UTC; None where it is none."""
    try:
        at = email.utils.parsedate_to_datetime(text or "")
        return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def times_of(response: urllib3.BaseHTTPResponse, start: bytes) -> dict[str, dt.datetime | None]:
    """The times at which a file was written: by its gzip header or else the server, and by the server."""
    modified = parse_time(response.headers.get("Last-Modified"))
    seconds = struct.unpack("<I", start[4:])[0] if start[:2] == b"\x1f\x8b" and len(start) == START else 0
    return {
        "written": dt.datetime.fromtimestamp(seconds, dt.UTC) if seconds else modified,
        "modified": modified,
    }


def version_of_answer(response: urllib3.BaseHTTPResponse) -> str | None:
    """The name of a file's state, by which it is asked for again."""
    tag, written = response.headers.get("ETag"), response.headers.get("Last-Modified")
    if tag and len(tag) <= 1000 and parse_time(tag) is None:
        return tag
    at, now = parse_time(written), parse_time(response.headers.get("Date"))
    return written if at and now and now - at >= SETTLED else None


def unless_same(seen: Seen) -> dict[str, str]:
    """The condition of a request for a file that is not as it was seen."""
    return {"If-None-Match" if parse_time(seen.version) is None else "If-Modified-Since": seen.version}


def refuse_status(status: int) -> OSError:
    text = f"the server answers {describe_status(status)}"
    if status in (401, 403, 407):
        text += (
            ". Give this program's user the right to read it, or name its password by access = { connection }"
        )
        return AnswerRefused(text, status)
    if 400 <= status < 500 and status not in PASSES:
        return AnswerRefused(text, status)
    return ServerAway(text)


def describe_status(status: int) -> str:
    """A status with its usual name; a server's own words are not repeated."""
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
