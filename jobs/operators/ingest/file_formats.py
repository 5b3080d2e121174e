"""The format of a file that is pulled, and files that are no log of it: archives and unknown ones."""

import datetime as dt
import re
from dataclasses import dataclass, field

from jobs.base.settings.operator import SourceSettings
from jobs.operators.formats.registry import (
    DOCUMENTS,
    FORMATS,
    KERNELS,
    LOOKED_AT,
    SURE_ENOUGH,
    find_host_log,
    hosts_of,
    is_mostly_stamped,
    recognise_format,
)
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.formats.shared.sample_shares import ANY_SOURCE
from jobs.operators.formats.shared.wrapped import unwrap_sample

# HTML, XML and JSON; a number between the brackets is syslog's.
PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<[!?a-zA-Z]|\{)")
# So many files of a source that do not look like its format are held against all others.
MOST_UNLIKE = 10
# Archives, and compressions that nobody here unpacks, by what they begin with.
ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x1f\x9d": "compress",
    b"\x04\x22\x4d\x18": "lz4",
}


class LeftOut(ValueError):
    """A file that is no log of its source; its text says what it is and what to do."""


class Archive(LeftOut):
    """The file holds files, by its kind, in a source of logs."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"is an archive ({kind}), which holds files and is no log: it is left out. Unpack it where the"
            " source finds what is in it. A log may be compressed by gzip, bzip2, xz or zstd."
        )


class UnknownFormat(ValueError):
    """No format recognises the file."""


class OtherLog(LeftOut):
    """The file is the log of a server, and the source names a filter that writes into it."""

    def __init__(self, host: str, kind: str) -> None:
        super().__init__(
            f"is a log of {host}, and the source names {kind}: it is left out. Set"
            f' format = "{host}", which reads the lines of {kind} in it, too.'
        )


def format_of(source: SourceSettings, head: bytes) -> str:
    """The format that the source names, or the one that recognises the file."""
    if source.format != "auto":
        return source.format
    name, _ = recognise_format(head)
    archive = archive_of(head)
    if archive and name not in DOCUMENTS:
        raise Archive(archive)
    if name is None:
        raise UnknownFormat
    return name


def check_named(kind: str, block: bytes) -> None:
    """Raise OtherLog where the source names a filter whose kernel would quarantine more than one line in
    twenty of a server's log, of which these are the first."""
    host = find_host_log(kind, block)
    if host == kind:
        return
    # Filters that ignore the server's lines may be named for its log: then they count no mail.
    lines = frame_lines(block[:LOOKED_AT], 0).select("offset", "line").lazy()
    code = FORMATS[kind].parse(lines, ANY_SOURCE).select("line_code").collect().to_series()
    if (code == "quarantined").sum() * 20 > len(code):
        raise OtherLog(host, kind)


def check_served(head: bytes, has_options: bool) -> None:
    """Raise UnknownFormat where what a server sent is no log: a page that it shows while it is mended, or one
    of a proxy or a login. Its lines need not be the named format's: other programs write into a log, too.

    Args:
        has_options: of the format, which may name a form that nothing recognises, but no page.
    """
    if (
        (PAGE.match(head) or not has_options)
        and not is_mostly_stamped(head)
        and not recognise_format(head)[0]
    ):
        raise UnknownFormat


def archive_of(head: bytes) -> str | None:
    """The kind of archive, or of compression that cannot be read, that a file begins as."""
    if head[257:262] == b"ustar":
        return "tar"
    return next((kind for start, kind in ARCHIVES.items() if head.startswith(start)), None)


@dataclass
class Notes:
    """Notes on the files of a source that are new in a pull.

    Attributes:
        unlike: the number of files that do not look like the format that the source names.
        is_noted: whether a note says so.
    """

    source: SourceSettings
    texts: list[str] = field(default_factory=list)
    unlike: int = 0
    is_noted: bool = False

    def note_mismatch(self, name: str, kind: str, head: bytes, is_served: bool = False) -> None:
        """Note a file that does not look like the format that its source names. Of one that a web server sent
        raise UnknownFormat where it is no log at all.

        Its own format is asked first, and all others for the first such files alone: they take a tenth of a
        second.
        """
        head = unwrap_sample(head)
        if archive_of(head):
            return
        # What a log looks like that is read through a profile is for the profile to say.
        if KERNELS[kind].profiles:
            if is_served:
                check_served(head, has_options=True)
            return
        if KERNELS[kind].sniff(head) >= SURE_ENOUGH:
            return
        if is_served:
            check_served(head, bool(self.source.options))
        self.unlike += 1
        if self.unlike <= MOST_UNLIKE:
            found = format_notes(name, kind, head, bool(self.source.options))
            self.texts += found
            self.is_noted |= bool(found)
        elif self.unlike == MOST_UNLIKE + 1 and self.is_noted:
            self.texts.append(f"more of its files do not look like {kind}; they are not named")


def format_notes(name: str, kind: str, head: bytes, has_options: bool) -> list[str]:
    """A note on a file that does not look like the format that its source names.

    Args:
        has_options: of the format, which may name a form that nothing recognises.
    """
    found, _ = recognise_format(head)
    is_within = found in hosts_of(KERNELS[kind]) or (found is not None and kind in hosts_of(KERNELS[found]))
    if is_within or found == kind:
        return []
    if found is not None:
        return [f'{name} looks like {found}, and the source names {kind}. If it is, set format = "{found}"']
    is_odd = KERNELS[kind].sniff(head) == 0 and not has_options
    return [f"{name} does not look like {kind}, nor like any other known format"] if is_odd else []


def newest_line(kind: str, tail: bytes, newest_at: dt.datetime) -> dt.datetime:
    """A time that no line is newer than, from ids in the last lines and the file's own time.

    An id tells when its message came, and lines may tell of it for as long as a message lives.
    """
    kernel = FORMATS[kind]
    by_id = kernel.newest_from_ids(unwrap_sample(tail)) if kernel.newest_from_ids else None
    if by_id is None:
        return newest_at
    return max(by_id, min(newest_at, by_id + dt.timedelta(days=kernel.lookback_days)))
