"""Text to paste into the settings: a source for a log that is known, else a profile to start from."""

import csv
import json
import re
from collections import Counter
from typing import TypedDict

import polars as pl

from jobs.base.core.patterns import escape_unseen, mask_lines
from jobs.base.core.time_zones import example_zones, format_offset
from jobs.operators.formats.registry import PROFILES
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.sniff.files import strip_compression
from jobs.operators.sniff.survey import LogSurvey

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SHOWN = 3


def source_block(answer: LogSurvey) -> str:
    """A [[operator.source]] table of observatory.toml."""
    zone = answer.zone
    lines = [
        "[[operator.source]]",
        f"id = {quote_toml(source_id(answer.log.url))}",
        f"url = {quote_toml(answer.log.url)}",
        f"format = {quote_toml(answer.format or 'auto')}",
    ]
    if answer.options:
        options = ", ".join(f"{name} = {quote_toml(str(value))}" for name, value in answer.options.items())
        comment = "  # assumed: check it" if answer.recognised[0].assumed else ""
        lines.append(f"options = {{ {options} }}{comment}")
    if answer.documents is None and zone is not None and not zone.is_explicit:
        if zone.by == "ids" and zone.name:
            lines.append(f"time_zone = {quote_toml(zone.name)}{zone_hint(zone.fitting, zone.name)}")
        elif zone.name:
            lines.append(f"time_zone = {quote_toml(zone.name)}  # a guess: check it")
        else:
            hint = f"perhaps {format_offset(zone.offsets[0])}" if zone.offsets else "the log does not say"
            lines.append(f'time_zone = "UTC"  # {hint}; set a place, as "Europe/Paris"')
    return "\n".join(lines) + "\n"


def zone_hint(fitting: tuple[str, ...], name: str) -> str:
    """A comment where the offset alone is known and several places have it."""
    if name == "UTC" or fitting == (name,):
        return ""
    if name.startswith("Etc/"):
        return f"  # name its place for summer time, such as {example_zones(fitting)}" if fitting else ""
    return f"  # or another that fits: {len(fitting):,} do"


def source_id(url: str) -> str:
    """Small letters, digits and hyphens of a file's name, else of its folder's: /var/log/mail.log* → mail."""
    for name in reversed(url.split("/")):
        stem = re.sub(r"\.(?:log|txt|csv|json|jsonl|xml)\b.*$", "", strip_compression(name).lower())
        if stem := re.sub(r"[^a-z0-9]+", "-", stem).strip("-"):
            return stem
    return "source"


def quote_toml(text: str) -> str:
    """A basic string of TOML, which has JSON's escapes and forbids DEL as well."""
    return json.dumps(text).replace("\x7f", "\\u007f")


# --- formats that are not known ------------------------------------------------------------------------


def propose_profile(sample: bytes) -> str:
    """The mapping profile to start from."""
    return PROFILES.draft(sample)


class FileShape(TypedDict, total=False):
    """The shape of a file of no known format.

    Attributes:
        has_line_ends: of one that is not blank.
    """

    lines: int
    delimiter: str | None
    columns: int | None
    is_json: bool
    first_lines: list[str]
    has_line_ends: bool


def describe_shape(sample: bytes) -> FileShape:
    """The shape of a file of no known format: its delimiter, its columns, its first lines masked."""
    cut = sample[: sample.rfind(b"\n") + 1] or sample
    lines = frame_lines(cut, 0).filter(pl.col("line").str.strip_chars() != "")
    texts = lines["line"].head(200)
    if not len(texts):
        return {"lines": 0, "delimiter": None, "columns": None, "is_json": False, "first_lines": []}
    starts = texts.str.strip_chars_start()
    is_json = bool(starts.str.starts_with("{").all())
    # The commas of objects part no columns.
    found = None if is_json else find_delimiter(texts.to_list())
    first = [escape_unseen(text) for text in mask_lines(texts.head(SHOWN)).to_list()]
    return {
        "lines": lines.height,
        "delimiter": found[0] if found else None,
        "columns": found[1] if found else None,
        "is_json": is_json,
        "first_lines": first,
        "has_line_ends": b"\n" in sample,
    }


def find_delimiter(texts: list[str]) -> tuple[str, int] | None:
    """The sign that cuts most lines into equally many columns, three at least; and how many."""
    best: tuple[float, int, str] = (0.0, 0, "")
    for sign in DELIMITERS:
        widths = [count_columns(text, sign) for text in texts]
        (width, lines), *_ = Counter(widths).most_common(1)
        share = lines / len(texts)
        if width >= 3 and share >= 0.8:
            best = max(best, (share, width, sign))
    return (best[2], best[1]) if best[2] else None


def count_columns(text: str, sign: str) -> int:
    """Columns of a line. One that csv refuses, such as a field without end, has none."""
    try:
        return len(next(csv.reader([text], delimiter=sign), []))
    except csv.Error:
        return 0
