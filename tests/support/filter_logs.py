"""Functions that tests of the filters' kernels share: reading lines as ingest does, cutting them in
pieces."""

import datetime as dt
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from jobs.operators.formats import LINES, Source
from jobs.operators.formats.format import LineFormat

LAB = Path(__file__).parents[2] / "sample_data" / "lab"
MAIL_LOGS = ("mail.rfc3164.log", "mail.iso8601.log", "mail.rfc5424.log")
NEWEST = dt.datetime(2026, 11, 24, 15, 0, tzinfo=dt.UTC)


def lab(name: str) -> list[str]:
    """The lines of a log of the laboratory."""
    return (LAB / name).read_text("utf-8").splitlines()


def truth(listener: str) -> list[dict[str, Any]]:
    """Return the test client's submissions through one listener, one row each."""
    rows = [json.loads(line) for line in lab("postfix/truth.jsonl")]
    return [row | {"mid": row["message_id"][1:-1]} for row in rows if row["listener"] == listener]


def source(**kwargs: Any) -> Source:
    given: dict[str, Any] = {
        "operator_id": "lab",
        "source_id": "f1",
        "stream_id": "a",
        "newest_at": NEWEST,
    } | kwargs
    return Source(**given)


def frame_of(lines: Iterable[str], start: int = 0) -> pl.DataFrame:
    """Lines as ingest gives them: each with the byte that it starts at."""
    offsets = [start]
    lines = list(lines)
    for line in lines:
        offsets.append(offsets[-1] + len(line.encode("utf-8", "surrogatepass")) + 1)
    return pl.DataFrame({"offset": offsets[:-1], "line": lines}, schema=LINES)


def parse(kernel: LineFormat, lines: Iterable[str], start: int = 0, **kwargs: Any) -> pl.DataFrame:
    frame = frame_of(lines, start)
    parsed = kernel.parse(frame.lazy(), source(**kwargs)).collect()
    assert parsed["offset"].to_list() == frame["offset"].to_list()
    return parsed


def placed(parsed: pl.DataFrame, stream_id: str = "a") -> pl.LazyFrame:
    return parsed.lazy().with_columns(
        operator_id=pl.lit("lab"), source_id=pl.lit("f1"), stream_id=pl.lit(stream_id)
    )


def verdicts_of(kernel: LineFormat, parsed: pl.DataFrame, stream_id: str = "a") -> list[dict[str, Any]]:
    """The verdicts of parsed lines, in the order of their lines."""
    found = kernel.verdicts(kernel.assemble(placed(parsed, stream_id))).collect()
    return list(found.sort("offset").to_dicts())


def read(kernel: LineFormat, lines: Iterable[str], **kwargs: Any) -> list[dict[str, Any]]:
    return verdicts_of(kernel, parse(kernel, lines, **kwargs))


def one(kernel: LineFormat, *lines: str, **kwargs: Any) -> dict[str, Any]:
    """The one verdict that these lines tell."""
    (row,) = read(kernel, lines, **kwargs)
    return row


def codes(kernel: LineFormat, lines: Iterable[str], **kwargs: Any) -> list[tuple[str, str | None]]:
    return [
        (line, reason)
        for line, reason in parse(kernel, lines, **kwargs).select("line_code", "reason_code").rows()
    ]


def assert_closed(kernel: LineFormat, lines: list[str], cuts: list[int], seed: int, overlap: int = 0) -> None:
    """Assert that bronze rows are the same however lines are cut into pieces, in any order of the pieces."""
    whole = kernel.assemble(placed(parse(kernel, lines))).collect()
    assert dict(whole.schema) == kernel.bronze
    assert whole["assembly_key"].null_count() == whole["first_at"].null_count() == 0
    offsets = [*frame_of(lines)["offset"].to_list(), 0]
    bounds = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    pieces = []
    for begin, end in zip(bounds, bounds[1:], strict=False):
        begin = max(begin - overlap, 0)
        if begin < end:
            pieces.append(parse(kernel, lines[begin:end], offsets[begin]))
    random.Random(seed).shuffle(pieces)
    parts = [kernel.assemble(placed(piece)) for piece in pieces]
    bronze = pl.concat(parts).collect() if parts else whole
    for number in range(1, len(parts)):
        # Bronze of some pieces, assembled before the rest is there.
        parts[number] = kernel.assemble(pl.concat([parts[number - 1], parts[number]]))
    again = kernel.assemble(pl.concat(parts)).collect() if parts else whole
    key = ["stream_id", "offset"]
    assert_frame_equal(again.sort(key), whole.sort(key))
    told = kernel.verdicts(whole.lazy()).collect().sort("offset", "engine_code")
    shuffled = again.sample(fraction=1, shuffle=True, seed=seed).lazy()
    assert_frame_equal(kernel.verdicts(shuffled).collect().sort("offset", "engine_code"), told)
    # As silver reads it: the rows of a key are in one task of several.
    kept = [kernel.assemble(task.lazy()) for task in tasks_of(whole, seed)]
    assert_frame_equal(pl.concat(kept).collect().sort(key) if kept else whole, whole.sort(key))
    rows = [kernel.verdicts(kernel.assemble(task.lazy())) for task in tasks_of(bronze, seed)]
    assert_frame_equal(pl.concat(rows).collect().sort("offset", "engine_code") if rows else told, told)


def tasks_of(bronze: pl.DataFrame, seed: int) -> list[pl.DataFrame]:
    """Bronze rows spread over three tasks by their assembly key."""
    task = pl.col("assembly_key").hash(seed) % 3
    return bronze.with_columns(task=task).partition_by("task", include_key=False)
