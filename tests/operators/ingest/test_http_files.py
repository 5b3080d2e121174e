"""Logs over HTTP: landing holds the bytes that were served, whatever a server says or leaves out."""

import datetime as dt
import gzip
import hashlib
import itertools
import json
import re
import ssl
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest
import urllib3
import zstandard

from jobs.base.core.errors import Away
from jobs.base.settings.access import Access
from jobs.base.settings.operator import Operator, SourceSettings
from jobs.operators.ingest import http_files
from jobs.operators.ingest.http_files import HttpFiles
from jobs.operators.ingest.manifest import Stream, read_manifest
from jobs.operators.ingest.pull import Pulled, pull_operator
from tests.conftest import ROOT
from tests.support.landed import data_of
from tests.support.lying_server import LyingServer, Request, answer, lying_server
from tests.support.remote_logs import mail_lines

NOW = dt.datetime(2026, 11, 24, 15, 0, tzinfo=dt.UTC)
PAGE = b"<!DOCTYPE html><html><body><h1>We are back soon</h1><a href='status'>Status</a></body></html>\n" * 9
SHOP = (
    "2026-11-24T10:00:00+00:00 mx1 postfix/qmgr[7]: 4AFFE: from=<\"<a href='x'>\"@shop.example>,"
    " size=1, nrcpt=1 (queue active)\n"
)


@pytest.mark.parametrize(("seconds", "is_settled"), [(59, False), (60, True)])
def test_a_time_of_writing_names_a_state_that_is_a_minute_old(seconds: int, is_settled: bool) -> None:
    written = format_datetime(NOW - dt.timedelta(seconds=seconds), usegmt=True)
    headers = {"Last-Modified": written, "Date": format_datetime(NOW, usegmt=True)}
    found = http_files.version_of_answer(urllib3.HTTPResponse(headers=headers))
    assert found == (written if is_settled else None)


@pytest.fixture
def server() -> Iterator[LyingServer]:
    with lying_server() as found:
        yield found


class Lake:
    """A lake with one operator, whose source is what a URL matches."""

    def __init__(self, folder: Path, server: LyingServer) -> None:
        self.root, self.server = folder / "lake", server

    def pull(self, pattern: str = "/mail.log", format: str = "postfix", **settings: Any) -> Pulled:
        self.server.requests.clear()
        source = SourceSettings(id="mx1", url=self.server.url + pattern, format=format, **settings)
        operator = Operator(id="a", name="A", country="CHE", holding="a", currency="CHF", source=[source])
        return pull_operator(operator, str(self.root), NOW)

    @property
    def streams(self) -> list[Stream]:
        return read_manifest(fsspec.filesystem("file"), f"{self.root}/landing/a/mx1")

    def landed(self) -> list[bytes]:
        found = [b"".join(data_of(piece.path) for piece in stream.pieces) for stream in self.streams]
        for stream, data in zip(self.streams, found, strict=True):
            assert (stream.bytes, stream.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        return found

    def files(self) -> str:
        """All texts that the lake holds beside the log."""
        return "".join(path.read_text() for path in self.root.rglob("*.json"))


@pytest.fixture
def lake(tmp_path: Path, server: LyingServer) -> Lake:
    return Lake(tmp_path, server)


def lines(first: int, count: int) -> bytes:
    return mail_lines(first, count).encode()


# More than is read again of a log that grew.
LONG = lines(0, 9000)


def told(pulled: Pulled) -> str:
    (problem,) = pulled.problems
    assert not problem.rstrip().endswith((":", ": .")), problem
    return str(problem)


# --- a file is what its bytes are ----------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["text/html", "text/html; charset=utf-8", "application/x-gzip", ""])
@pytest.mark.parametrize("pattern", ["/log/mail.log", "/log/mail.log*"])
def test_a_link_in_a_log_line_is_no_list_of_files(
    lake: Lake, server: LyingServer, content_type: str, pattern: str
) -> None:
    server.content_type = content_type
    server.files["/log/mail.log"] = data = lines(0, 50) + SHOP.encode() + lines(50, 50)
    assert lake.pull(pattern) == Pulled(1, len(data))
    assert {each.path for each in server.requests} <= {"/log/", "/log/mail.log"}
    server.files["/log/mail.log"] += lines(100, 10)
    assert lake.pull(pattern) == Pulled(1, len(lines(100, 10)))
    assert lake.landed() == [server.files["/log/mail.log"]]


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("postfix", {}),
        ("auto", {}),
        ("dmarc", {}),
        ("kannel", {"access_log_format": "%t~%l~%p~%P"}),
    ],
)
@pytest.mark.parametrize("page", [PAGE, b'{"error": "try again"}\n'])
def test_a_page_in_place_of_a_log_is_refused_until_the_log_is_there(
    lake: Lake, server: LyingServer, format: str, options: dict[str, Any], page: bytes
) -> None:
    """The page comes with the status of success, which servers send that are being mended."""
    server.files["/mail.log"] = page
    for _ in range(2):
        pulled = lake.pull(format=format, options=options)
        assert isinstance(pulled.problems[0], Away) and "of no known format" in told(pulled)
        assert lake.landed() == []
    if format in ("postfix", "auto"):
        server.files["/mail.log"] = lines(0, 3)
        assert lake.pull(format=format) == Pulled(1, len(lines(0, 3)))


def test_a_log_of_which_other_programs_write_most_is_no_page(lake: Lake, server: LyingServer) -> None:
    server.files["/mail.log"] = data = (
        b"Nov 24 10:00:00 mx1 systemd[1]: Started Session 7 of User root.\n" * 900
    )
    pulled = lake.pull()
    assert (pulled.pieces, pulled.problems, lake.landed()) == (1, [], [data])


def test_a_list_of_files_holds_files_of_its_own_folder_alone(lake: Lake, server: LyingServer) -> None:
    links = [
        *("mail.log", "/log/mail.log.1", f"{server.url}/log/mail%2Elog.2", "mail.log?C=M", "../mail.log"),
        *(
            "http://192.0.2.1/log/mail.log",
            "file:///etc/mail.log",
            "//192.0.2.1/log/mail.log",
            "sub/mail.log",
        ),
        *("javascript:mail.log", "http://[mail.log", "mail.log#top", "/log/", ""),
    ]
    page = "".join(f"<A class=x HREF='{each}'>x</a>" for each in links).encode()
    server.lies["/log/"] = lambda _: [answer("200 OK", page)]
    fs = HttpFiles(f"{server.url}/log/*", Access())
    assert list(fs.glob(fs.pattern)) == [
        f"{server.url}/log/{name}" for name in ("mail%2Elog.2", "mail.log", "mail.log.1")
    ]
    assert list(fs.glob(f"{server.url}/log/mail.log.[2-9]")) == [f"{server.url}/log/mail%2Elog.2"]


def test_wildcards_of_folders_list_folders(server: LyingServer) -> None:
    for name in ("/log/mx1/mail.log", "/log/mx2/mail.log.1", "/log/mx2/old/mail.log", "/log/web/access.log"):
        server.files[name] = b""
    fs = HttpFiles(server.url, Access())

    def found(pattern: str) -> list[str]:
        return [name.removeprefix(f"{server.url}/log/") for name in fs.glob(server.url + pattern)]

    assert found("/log/mx*/mail.log*") == ["mx1/mail.log", "mx2/mail.log.1"]
    assert found("/log/**/mail.log") == ["mx1/mail.log", "mx2/old/mail.log"]
    assert found("/log/web/access.log") == ["web/access.log"]
    with pytest.raises(ValueError, match="names a folder"):
        found("/log/")


# --- what is asked for ----------------------------------------------------------------------------------


@pytest.mark.parametrize("modified", [None, 1_700_000_000.0])
def test_what_did_not_change_is_one_request_and_what_grew_sends_what_is_new(
    lake: Lake, server: LyingServer, modified: float | None
) -> None:
    server.has_tags, server.modified = modified is None, modified
    server.files |= {f"/log/mail.log.{number}": lines(number * 100, 20) for number in range(2, 20)}
    server.files["/log/mail.log"] = LONG
    server.files["/log/mail.log.1.gz"] = gzip.compress(lines(100_000, 4))
    assert lake.pull("/log/mail.log*").pieces == 20
    assert lake.pull("/log/mail.log*") == Pulled()
    assert Counter(each.path for each in server.requests) == Counter(["/log/", *server.files])
    server.files["/log/mail.log"] += (more := lines(20_000, 7))
    server.modified = modified and modified + 60
    assert lake.pull("/log/mail.log*") == Pulled(1, len(more))
    asked = [each for each in server.requests if each.path == "/log/mail.log"]
    assert [each.first for each in asked] == [0, 0, len(LONG) - http_files.COMPARED]
    # Its name is another one, and its bytes are known.
    server.files["/log/mail.log.20"] = server.files.pop("/log/mail.log") + (last := lines(30_000, 1))
    assert lake.pull("/log/mail.log*") == Pulled(1, len(last))
    assert sum(map(len, lake.landed())) == sum(
        len(gzip.decompress(data) if name.endswith(".gz") else data) for name, data in server.files.items()
    )
    assert all(each.headers["accept-encoding"] == "identity" for each in server.requests)


def test_a_time_that_a_change_may_share_is_no_version(lake: Lake, server: LyingServer) -> None:
    """Two versions of the file are written within the second that the server names."""
    server.has_tags, server.modified = False, dt.datetime.now(dt.UTC).timestamp()
    server.files["/mail.log"] = lines(0, 5)
    lake.pull()
    server.files["/mail.log"] += lines(5, 5)
    assert lake.pull() == Pulled(1, len(lines(5, 5)))


def test_a_server_that_gives_no_parts_and_takes_no_conditions(lake: Lake, server: LyingServer) -> None:
    server.has_ranges = server.has_tags = False
    server.files["/mail.log"] = LONG
    assert lake.pull() == Pulled(1, len(LONG))
    assert lake.pull() == Pulled()
    server.files["/mail.log"] += lines(20_000, 3)
    assert lake.pull() == Pulled(1, len(lines(20_000, 3)))
    assert lake.landed() == [server.files["/mail.log"]]


@pytest.mark.long
def test_ten_thousand_files_that_did_not_change_are_a_request_each(lake: Lake, server: LyingServer) -> None:
    server.files |= {f"/log/mail.log.{number}": lines(number % 10, 1) for number in range(10_000)}
    assert lake.pull("/log/*").pieces == 10
    server.requests.clear()
    assert pull_elsewhere(lake, 1, "/log/*") == [(0, [])]
    assert len(server.requests) <= 10_001


def test_a_last_line_waits_a_day_over_http_too(lake: Lake, server: LyingServer) -> None:
    server.files["/mail.log"] = lines(0, 2)[:-1]
    assert lake.pull().bytes == len(lines(0, 1))
    assert lake.pull().bytes == 0
    server.files["/mail.log"] = lines(0, 2)
    assert lake.pull().bytes == len(lines(0, 2)) - len(lines(0, 1))
    assert lake.landed() == [lines(0, 2)]


# --- lies -----------------------------------------------------------------------------------------------


def test_a_length_that_is_too_short_loses_no_line_for_good(lake: Lake, server: LyingServer) -> None:
    data = lines(0, 40)
    server.lies["/mail.log"] = lambda _: [answer("200 OK", data, Content_Length=len(data) // 2)]
    lake.pull()
    (landed,) = lake.landed()
    assert data.startswith(landed) and landed.endswith(b"\n")
    del server.lies["/mail.log"]
    server.files["/mail.log"] = data
    assert (lake.pull().problems, lake.landed()) == ([], [data])


def cut_chunk(data: bytes) -> bytes:
    head = answer("200 OK", Content_Length=None, Transfer_Encoding="chunked")
    return head + b"%x\r\n%s\r\n%x\r\n" % (len(data), data, 5000) + b"2026-11"


CUTS: dict[str, Callable[[bytes], bytes]] = {
    "length too long": lambda data: answer("200 OK", data, Content_Length=len(data) + 5000),
    "chunk": cut_chunk,
    "chunk size": lambda data: cut_chunk(data).rpartition(b"1388")[0],
    "no chunk size": lambda data: cut_chunk(data).replace(b"1388\r\n2026-11", b"nonsense\r\n"),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("size", [40, 9000])
def test_an_answer_that_is_cut_leaves_what_came_and_says_so(
    lake: Lake, server: LyingServer, cut: str, size: int
) -> None:
    data = lines(0, size)
    for _ in range(2):
        server.lies["/mail.log"] = lambda _: [CUTS[cut](data)]
        pulled = lake.pull()
        assert isinstance(pulled.problems[0], Away) and "mail.log" in told(pulled)
        assert lake.landed() == [data]
    del server.lies["/mail.log"]
    server.files["/mail.log"] = data + lines(size, 5)
    assert lake.pull() == Pulled(1, len(lines(size, 5)))
    assert lake.landed() == [data + lines(size, 5)]


@pytest.mark.parametrize("begins_alike", [False, True])
def test_other_bytes_under_one_etag(lake: Lake, server: LyingServer, begins_alike: bool) -> None:
    """The server lets ranges of one log join on to those of another."""
    other = (LONG[: 2 * http_files.COMPARED] if begins_alike else b"") + lines(50_000, 9000)
    server.lies["/mail.log"] = lambda request: [
        server.serve(Request("", "", {**request.headers, "if-none-match": ""}), held[0]).replace(
            b"ETag: ", b'ETag: "same"\r\nX-Real: '
        )
    ]
    held = [LONG]
    lake.pull()
    held[0] = other
    assert lake.pull().problems == []
    assert lake.landed() == [LONG, other]


WRONG_PARTS: dict[str, Callable[[bytes, int], Iterable[bytes]]] = {
    "from the start": lambda data, first: [
        answer("206 Partial", data, Content_Range=f"bytes 0-{len(data) - 1}/{len(data)}")
    ],
    "other place": lambda data, first: [
        answer("206 Partial", data[7:], Content_Range=f"bytes 7-{len(data) - 1}/{len(data)}")
    ],
    "no place": lambda data, first: [answer("206 Partial", data[first:])],
    "nonsense": lambda data, first: [answer("206 Partial", data[first:], Content_Range="bytes 9-3/*")],
    "other bytes": lambda data, first: [
        answer(
            "206 Partial",
            lines(70_000, 9000)[: len(data) - first],
            Content_Range=f"bytes {first}-{len(data) - 1}/{len(data)}",
        )
    ],
    "a page": lambda data, first: [
        answer("206 Partial", PAGE, Content_Range=f"bytes {first}-{len(data) - 1}/{len(data)}")
    ],
    "an error": lambda data, first: [answer("500 Internal Server Error", PAGE)],
    "nothing": lambda data, first: [],
}


@pytest.mark.parametrize("wrong", WRONG_PARTS)
def test_a_part_that_is_not_the_one_asked_for_is_not_taken(
    lake: Lake, server: LyingServer, wrong: str
) -> None:
    server.files["/mail.log"] = LONG
    lake.pull()
    grown = LONG + lines(20_000, 9)

    def lie(request: Request) -> Iterable[bytes]:
        return WRONG_PARTS[wrong](grown, request.first) if request.first else [server.serve(request, grown)]

    server.lies["/mail.log"] = lie
    pulled = lake.pull()
    assert lake.landed() == ([LONG] if wrong == "nothing" else [grown]), pulled
    del server.lies["/mail.log"]
    server.files["/mail.log"] = grown + lines(30_000, 1)
    assert lake.pull().problems == []
    assert lake.landed() == [grown + lines(30_000, 1)]


def test_a_compressed_log_that_is_cut_keeps_what_came(lake: Lake, server: LyingServer) -> None:
    packed = gzip.compress(LONG)
    server.files["/mail.log.1.gz"] = packed[: len(packed) // 2]
    assert "is damaged" in told(lake.pull("/mail.log.1.gz"))
    (landed,) = lake.landed()
    assert LONG.startswith(landed) and landed.endswith(b"\n")
    server.files["/mail.log.1.gz"] = packed
    assert (lake.pull("/mail.log.1.gz").problems, lake.landed()) == ([], [LONG])


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 abc\r\n\r\n", b"\0" * 99, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500]
)
def test_what_is_no_answer_has_a_reason(lake: Lake, server: LyingServer, head: bytes) -> None:
    server.lies["/mail.log"] = lambda _: [head]
    pulled = lake.pull()
    assert isinstance(pulled.problems[0], Away) and "the connection to 127.0.0.1 failed: " in told(pulled)
    assert lake.streams == []


def test_a_server_that_falls_silent_is_left(
    lake: Lake, server: LyingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_files, "SILENT", 0.2)
    data = lines(0, 40)

    def lie(request: Request) -> Iterator[bytes]:
        yield answer("200 OK", data, Content_Length=2 * len(data))
        while not server.is_stopping:
            yield b""

    server.lies["/mail.log"] = lie
    assert "sent nothing for 0.2 seconds" in told(lake.pull())
    assert lake.landed() == [data]


def test_an_answer_may_take_as_long_as_it_does(
    lake: Lake, server: LyingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No time bounds the whole of it: by the client's clock it takes hours."""
    clock = itertools.count(0, 300)
    monkeypatch.setattr(http_files, "monotonic", lambda: float(next(clock)))
    server.files["/mail.log"] = data = lines(0, 150_000)
    with monkeypatch.context() as patch:
        patch.setattr(http_files, "SLOWEST", 1)
        assert lake.pull() == Pulled(1, len(data))
    assert next(clock) > 3600
    # But not one of a byte now and then.
    server.lies["/mail.log"] = lambda _: [
        answer("200 OK", Content_Length=99_999),
        *(bytes([each]) for each in lines(0, 3)),
    ]
    monkeypatch.setattr(http_files, "BLOCK", 1)
    assert "sent less than 65,536 bytes in 600 seconds" in told(lake.pull())


# --- answers that are no files --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "passes"),
    [("403 Forbidden", False), ("404 Not Found", False), ("500 Oops", True), ("204 X", True)],
)
def test_one_file_of_five_that_fails_keeps_no_other_out(
    lake: Lake, server: LyingServer, status: str, passes: bool
) -> None:
    server.files |= {f"/log/mail.log.{number}": lines(number * 10, 3) for number in range(1, 6)}
    server.lies["/log/mail.log.3"] = lambda _: [answer(status, b"<html><a href='x'>no</a></html>")]
    pulled = lake.pull("/log/mail.log*")
    assert (pulled.pieces, isinstance(pulled.problems[0], Away)) == (4, passes)
    assert "mail.log.3 cannot be read: the server answers " + status[:3] in told(pulled)
    del server.lies["/log/mail.log.3"]
    assert lake.pull("/log/mail.log*") == Pulled(1, len(lines(30, 3)))


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "http://192.0.2.1/mail.log",
        "https://127.0.0.1/mail.log",
        "//192.0.2.1/x",
        "ftp:/x",
    ],
)
def test_no_other_host_or_scheme_is_asked(lake: Lake, server: LyingServer, target: str) -> None:
    server.lies["/mail.log"] = lambda _: [answer("302 Found", Location=target)]
    pulled = lake.pull()
    assert "another host or scheme, which is not followed" in told(pulled)
    assert not isinstance(pulled.problems[0], Away)
    assert (lake.streams, len(server.requests)) == ([], 1)


def test_a_redirect_within_the_host_is_followed_and_not_for_ever(lake: Lake, server: LyingServer) -> None:
    server.files["/new/mail.log"] = lines(0, 3)
    server.lies["/mail.log"] = lambda _: [answer("301 Moved", Location="/new/mail.log")]
    assert lake.pull() == Pulled(1, len(lines(0, 3)))
    server.lies["/mail.log"] = lambda _: [answer("302 Found", Location="http://[")]
    assert "sends on to what is no URL" in told(lake.pull())
    server.lies["/mail.log"] = lambda _: [answer("302 Found", Location="/mail.log")]
    assert "sends on more than 5 times" in told(lake.pull())


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the waits of the client, made without waiting."""
    found: list[float] = []
    now = [1000.0]

    def sleep(seconds: float) -> None:
        found.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(http_files, "sleep", sleep)
    monkeypatch.setattr(http_files, "monotonic", lambda: now[0])
    return found


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_server_that_asks_to_wait_is_waited_for(
    lake: Lake, server: LyingServer, slept: list[float], status: str, form: str
) -> None:
    server.files["/mail.log"] = lines(0, 3)
    wait = (
        "7"
        if form == "seconds"
        else format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=8), usegmt=True)
    )

    def lie(request: Request) -> Iterable[bytes]:
        if len(server.requests) == 1:
            return [answer(status, PAGE, Retry_After=wait)]
        return [server.serve(request, server.files["/mail.log"])]

    server.lies["/mail.log"] = lie
    assert lake.pull() == Pulled(1, len(lines(0, 3)))
    assert len(slept) == 1 and 5 < slept[0] <= 8


@pytest.mark.parametrize("wait", ["999999999999999", "121", "100"])
def test_a_server_that_asks_to_wait_for_long_is_asked_no_more(
    lake: Lake, server: LyingServer, slept: list[float], wait: str
) -> None:
    server.files |= {f"/log/mail.log.{number}": lines(number, 1) for number in range(100)}
    for name in server.files:
        server.lies[name] = lambda _: [answer("429 Too Many Requests", Retry_After=wait)]
    pulled = lake.pull("/log/*")
    assert len(pulled.problems) == 100 and all(isinstance(each, Away) for each in pulled.problems)
    assert "429 Too Many Requests and asks to wait" in pulled.problems[0]
    # Those that were under way at the same time.
    assert len(server.requests) < 12
    assert sum(slept) <= 4 * http_files.MOST_WAIT


@pytest.mark.parametrize("wait", ["soon", "-1", None])
def test_without_a_time_to_wait_for_the_next_pull_tries_again(
    lake: Lake, server: LyingServer, slept: list[float], wait: str | None
) -> None:
    server.lies["/mail.log"] = lambda _: [answer("503 Service Unavailable", Retry_After=wait)]
    pulled = lake.pull()
    assert isinstance(pulled.problems[0], Away) and "503" in told(pulled)
    assert (slept, len(server.requests)) == ([], 1)


def test_a_file_that_was_there_and_is_gone_is_away(lake: Lake, server: LyingServer) -> None:
    server.files["/mail.log"] = lines(0, 3)
    lake.pull()
    del server.files["/mail.log"]
    assert isinstance(lake.pull().problems[0], Away)
    assert isinstance(lake.pull("/log/mail.log*").problems[0], Away)


def test_a_certificate_that_is_not_valid_is_a_setting_to_mend(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=mx1.example"
    subprocess.run(
        ["openssl", *words.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with lying_server(lambda socket: context.wrap_socket(socket, server_side=True)) as server:
        server.url = server.url.replace("http:", "https:")
        server.files["/mail.log"] = lines(0, 3)
        pulled = Lake(tmp_path, server).pull()
    assert "the certificate of 127.0.0.1 is not valid: self-signed certificate" in told(pulled)
    assert not isinstance(pulled.problems[0], Away)


# --- secrets --------------------------------------------------------------------------------------------


def test_what_a_connection_holds_is_sent_and_shown_nowhere(
    lake: Lake, server: LyingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/log/mail.log"] = lines(0, 3)
    extra = {"headers": {"X-Key": "header-7"}, "query": "sig=query-7"}
    named = {"host": "http://127.0.0.1/", "login": "ann", "password": "word-7", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LOGS", json.dumps(named))
    pulled = lake.pull("/log/*", access={"connection": "logs"})
    assert pulled == Pulled(1, len(lines(0, 3)))
    for each in server.requests:
        assert (each.headers["authorization"], each.headers["x-key"]) == (
            "Basic YW5uOndvcmQtNw==",
            "header-7",
        )
        assert each.query == "sig=query-7"
    monkeypatch.setenv("AIRFLOW_CONN_LOGS", json.dumps({"password": "word-7"}))
    lake.pull("/log/*", access={"connection": "logs"})
    assert {each.headers["authorization"] for each in server.requests} == {"Bearer word-7"}
    assert not re.search("(query|word|header)-7", lake.files())
    # The secrets of one host are not for another.
    monkeypatch.setenv("AIRFLOW_CONN_LOGS", json.dumps({"host": "mx1.example", "password": "word-7"}))
    assert "its connection is to mx1.example" in told(lake.pull("/log/*", access={"connection": "logs"}))
    assert server.requests == []


def test_a_query_is_sent_and_shown_nowhere(lake: Lake, server: LyingServer) -> None:
    server.files["/get"] = lines(0, 3)[:-1]
    pulled = lake.pull("/get?token=word-7")
    assert {each.query for each in server.requests} == {"token=word-7"}
    found = [pulled]
    for lie in (
        answer("403 No"),
        answer("503 No", Retry_After=999),
        answer("302 No", Location="ftp://x/?a=word-7"),
    ):
        server.lies["/get"] = lambda _, lie=lie: [lie]  # type: ignore[misc]
        found.append(lake.pull("/get?token=word-7"))
    server.lies["/get"] = lambda _: [b"word-7"]
    found += [lake.pull("/get?token=word-7"), lake.pull("/none*?token=word-7")]
    assert all(each.problems for each in found[1:])
    assert "word-7" not in repr(found) + lake.files()
    assert [piece.file_name for stream in lake.streams for piece in stream.pieces] == ["get"]


@pytest.mark.parametrize(
    "url", ["https://ann:word-7@mx1.example/mail.log", "http://word-7@mx1.example/mail.log"]
)
def test_a_password_in_a_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="access = { connection") as error:
        SourceSettings(id="mx1", url=url)
    assert "word-7" not in str(error.value).split("[type=")[0]


# --- memory ---------------------------------------------------------------------------------------------

# For the 120 MB of a process that pulls nothing, and a line of 64 MiB, which is landed in parts beyond that.
MOST_MEMORY = 512 << 20


def pull_elsewhere(lake: Lake, rounds: int, *paths: str) -> list[tuple[int, list[str]]]:
    """Bytes and problems of some pulls of these sources in a process of its own, whose memory is bounded."""
    urls = [lake.server.url + path for path in paths]
    words = [sys.executable, "-m", "tests.support.measured_pulls", str(rounds), str(lake.root), *urls]
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT)
    peak, *pulls = json.loads(done.stdout)
    assert peak < MOST_MEMORY
    return [(landed, problems) for landed, problems in pulls]


@pytest.mark.long
def test_bombs_take_little_memory(lake: Lake, server: LyingServer) -> None:
    """Zeros are no log; behind a log's first lines they are a line that is landed in parts."""

    def fill(packer: Any, start: bytes = b"") -> bytes:
        zeros = (packer.compress(bytes(1 << 20)) for _ in range(200))
        return packer.compress(start) + b"".join(zeros) + packer.flush()

    server.files["/zeros.gz"] = fill(zlib.compressobj(1, wbits=31))
    server.files["/zeros.zst"] = fill(zstandard.ZstdCompressor(1).compressobj())
    server.files["/mail.log"] = fill(zlib.compressobj(1, wbits=31), lines(0, 2000))
    ((landed, problems),) = pull_elsewhere(lake, 1, *server.files)
    assert landed == len(lines(0, 2000)) + (200 << 20)
    assert len(problems) == 2 and all("of no known format" in each for each in problems)


@pytest.mark.long
@pytest.mark.parametrize("count", [pytest.param(300, marks=pytest.mark.long), 30], ids=["180 MB", "18 MB"])
def test_an_endless_part_is_bounded_and_the_log_before_it_whole(
    lake: Lake, server: LyingServer, count: int
) -> None:
    blocks = [lines(9000 * number, 9000) for number in range(count)]
    size = sum(map(len, blocks))

    def lie(request: Request) -> Iterator[bytes]:
        if request.first is None:
            yield answer("200 OK", Content_Length=size)
            yield from blocks
        elif request.first == 0:
            yield server.serve(request, blocks[0]).replace(b"/%d" % len(blocks[0]), b"/%d" % (size + 1000))
        else:
            place = f"bytes {request.first}-{size + 999}/{size + 1000}"
            yield answer("206 Partial", Content_Length=None, Content_Range=place)
            yield b"".join(blocks)[request.first :]
            yield from itertools.repeat(b"x" * (1 << 20))

    server.lies["/mail.log"] = lie
    first, (landed, (problem,)) = pull_elsewhere(lake, 2, "/mail.log")
    assert (first, landed) == ((size, []), 0)
    assert "sent more than the" in problem
    assert lake.landed() == [b"".join(blocks)]
