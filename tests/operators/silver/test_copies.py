"""An event that several files hold counts once, in every format: files that overlap, copies without their
beginning, another rendering of the same log. Within a file, and over rotation, twins are real."""

import datetime as dt
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.base.tables.contracts import read_contract
from jobs.operators.formats import Source
from jobs.operators.formats.registry import COMPANIONS, DOCUMENTS, KERNELS
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.ingest.parsing import parse_block, read_documents
from jobs.operators.ingest.piece_ranges import Range
from jobs.operators.silver import copies, repeats
from jobs.operators.silver.assembling import assemble_rows, settle_rows
from jobs.operators.silver.bucketing import bucket_of
from jobs.operators.silver.event_identity import is_line
from jobs.operators.silver.frames import ASSEMBLED
from jobs.operators.silver.pipeline import count_once
from jobs.operators.sniff.silver import PROTECTION, count_silver
from jobs.operators.sniff.tally import OPERATOR
from tests.support.examples import examples
from tests.support.filter_logs import lab
from tests.support.mixed import PROFILE
from tests.support.samples import LOGS as MADE
from tests.support.samples.forms import Log

NEWEST = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
# Where a row stands, and keys that are made of that.
OF_PLACE = ["source_id", "stream_id", "offset", "transmission_hash", "verdict_hash", "complaint_hash"]
OF_PLACE += ["knowledge_hash"]


LOGS = {name: replace(log, options=dict(log.options)) for name, log in MADE.items()}
# In the quick tests; the others are long.
FEW = ("postfix, ISO", "exim", "kannel")
OTHERS = [name for name in LOGS if name not in FEW]


@pytest.fixture(scope="module", autouse=True)
def profile(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("profile") / "profile.toml"
    file.write_text(PROFILE.replace("header = true", "header = false"))
    LOGS["delimited"].options["profile"] = str(file)


def read(log: Log, source: str = "a", stream: str = "1", lines: list[str] | None = None) -> dict[str, Any]:
    """The bronze rows of a file with these lines of a log, as ingest reads them: by format."""
    whole = log.lines if lines is None else lines
    data = "".join(line + "\n" for line in whole).encode("utf-8", "surrogatepass")
    about = Source(OPERATOR, source, stream, NEWEST, options=log.options)
    part = Range("", 0, len(data), "piece", 0, about, format=log.format)
    return parse_block(frame_lines(data, 0), part, log.format, "batch").rows


def names_hosts(log: Log) -> bool:
    """Return whether each line names its host, or its event by ids that no other host gives. (spamd's lines
    do in a mail log, and not in its own file.)"""
    rows = read(log, lines=log.lines[:200])[log.format]
    return KERNELS[log.format].copies.names_hosts or ("host" in rows and not rows["host"].has_nulls())


def together(*files: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    names = dict.fromkeys(name for file in files for name in file)
    return {name: pl.concat(file[name] for file in files if name in file) for name in names}


def times_of(rows: dict[str, pl.DataFrame]) -> tuple[dt.datetime, dt.datetime]:
    """The first and last second of a file; of one without rows a time of its own."""
    found = pl.concat(copies.file_extents(frame, name) for name, frame in rows.items())
    if found.is_empty():
        return (NEWEST, NEWEST)
    return found["first_at"].min(), found["last_at"].max()  # type: ignore[return-value]


def silver(bronze: dict[str, pl.DataFrame]) -> tuple[Counter[str], pl.DataFrame]:
    """Rows of silver of all these bronze rows without their places, and rows of silver.copy_daily."""
    formats, found = count_once(bronze)
    rows: Counter[str] = Counter()
    # A call without an id has its place for one.
    of_place = [*OF_PLACE, *(["queue_key"] if "asterisk" in bronze else [])]
    for table in ASSEMBLED:
        frame = assemble_rows(table, formats, PROTECTION).drop(of_place, strict=False)
        rows.update(f"{table} {sorted(row.items())}" for row in frame.to_dicts())
    return rows, found


def lines_of(log: Log, seed: int, most: int = 120) -> list[str]:
    """A part of a log, with some lines twice."""
    choice = random.Random(seed)
    begin = choice.randrange(max(len(log.lines) - most, 0) + 1)
    some = log.lines[begin:][:most]
    return [line for line in some for _ in range(2 if choice.random() < 0.1 else 1)]


SEEDS = st.integers(0, 1000)
SHARES = st.floats(0, 1)
KINDS = st.sampled_from(["overlap", "head", "tail", "inside"])


def two_files(lines: list[str], kind: str, first: float, last: float) -> tuple[list[str], list[str]]:
    """Two files that both have some of the lines, and together all of them."""
    begin, end = sorted(int(share * len(lines)) for share in (first, last))
    return {
        "overlap": (lines[:end], lines[begin:]),
        "head": (lines, lines[begin:]),
        "tail": (lines[:end], lines),
        "inside": (lines, lines[begin:end]),
    }[kind]


@pytest.mark.long
@pytest.mark.parametrize("name", [*FEW, *(pytest.param(each, marks=pytest.mark.long) for each in OTHERS)])
@examples(3, suppress_health_check=list(HealthCheck))
@given(seed=SEEDS, first=SHARES, last=SHARES, kind=KINDS)
def test_files_that_overlap_tell_what_one_does(
    name: str, seed: int, first: float, last: float, kind: str
) -> None:
    log = LOGS[name]
    lines = lines_of(log, seed)
    one, other = two_files(lines, kind, first, last)
    assume(one and other)
    spans = [times_of(read(log, lines=part)) for part in (one, other)]
    # More than a second, or it may be a rotation.
    assume(max(span[0] for span in spans) < min(span[1] for span in spans))
    whole, _ = silver(read(log, lines=lines))
    for streams in ("12", "21"):
        files = [read(log, "a", *each) for each in zip(streams, (one, other), strict=True)]
        assert silver(together(*files))[0] == whole
    if names_hosts(log):
        files = [read(log, *each) for each in (("b", "1", one), ("a", "1", other))]
        assert silver(together(*files))[0] == whole


# The rejectlog is of two seconds.
@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in LOGS if name != "exim, rejectlog"])
@examples(3, suppress_health_check=list(HealthCheck))
@given(seed=SEEDS, share=SHARES)
def test_a_rotation_keeps_twins(name: str, seed: int, share: float) -> None:
    log = LOGS[name]
    lines = lines_of(log, seed)
    cut = int(share * len(lines))
    if log.format == "opendmarc_history":
        # Whoever rotates it leaves its blocks whole.
        cut = next((at for at in range(cut, len(lines)) if lines[at].startswith("job ")), 0)
    assume(0 < cut < len(lines))
    files = [read(log, "a", *each) for each in (("1", lines[:cut]), ("2", lines[cut:]))]
    # A file of one second is no rotated log.
    assume(all(first < last for first, last in map(times_of, files)))
    found, counts = silver(together(*files))
    assert found == silver(read(log, lines=lines))[0]
    assert counts.is_empty()


@pytest.mark.parametrize(("begins", "logs"), [(9, [0, 1]), (10, []), (11, [])])
def test_files_of_a_rotation_may_share_one_second(begins: int, logs: list[int]) -> None:
    files = dict.fromkeys(copies.OWNER, "a") | {"source_id": "a", "stream_id": ["1", "2"]}
    seconds = pl.DataFrame(files | {"first_at": [0, begins], "last_at": [10, 20]})
    assert copies.overlapping_files(seconds)["log"].to_list() == logs


@pytest.mark.long
@pytest.mark.parametrize("name", LOGS)
def test_what_is_no_copy_counts_in_each_file(name: str) -> None:
    """A day later, nothing is a copy; nor, for all that is known, what two sources have without a host."""
    log = LOGS[name]
    lines = lines_of(log, 0)
    whole, _ = silver(read(log, lines=lines))
    assert whole
    one, other = read(log, "a", lines=lines), read(log, "b", lines=lines)
    later = {
        key: rows.with_columns(pl.selectors.datetime() + dt.timedelta(days=40)) for key, rows in other.items()
    }
    if log.format != "postfix":
        assert silver(together(one, later))[1].is_empty()
    if names_hosts(log):
        return
    found, counts = silver(together(one, other))
    assert found.total() == 2 * whole.total() or log.format == "jasmin"
    assert counts["copied_line_count"].sum() == 0
    (rows,) = one.values()
    assert counts["alike_line_count"].sum() == rows.filter(is_line(rows, log.format)).height
    assert counts.select("kept_source_id", "source_id").unique().rows() == [("a", "b")]


@pytest.mark.parametrize("name", [*FEW, *(pytest.param(each, marks=pytest.mark.long) for each in OTHERS)])
def test_buckets_change_nothing(name: str) -> None:
    """Copies of an event meet in one bucket, however many there are."""
    log = LOGS[name]
    lines = lines_of(log, 3)
    files = [read(log, "a", *each) for each in (("1", lines[: len(lines) * 3 // 4]), ("2", lines))]
    files.append(read(log, "b", lines=lines))
    bronze = {each: settle_rows(each, rows) for each, rows in together(*files).items()}
    extents = pl.concat(copies.file_extents(rows, each) for each, rows in bronze.items())
    logs, turned = copies.logs_of(extents), repeats.find_turns(extents)
    kept, counts = copies.counted_once(bronze, logs, turned)
    assert counts.height
    parts = []
    for number in range(4):
        own = {each: rows.filter(bucket_of(rows, each, 4) == number) for each, rows in bronze.items()}
        parts.append(copies.counted_once(own, logs, turned))
    for each, rows in kept.items():
        in_parts = pl.concat(part[each] for part, _ in parts)
        order = ["source_id", "stream_id", "offset", "first_at", "assembly_key"]
        assert_frame_equal(in_parts.sort(order), rows.sort(order).select(in_parts.columns))
    assert_frame_equal(copies.sum_counts(pl.concat(found for _, found in parts)), counts)


@pytest.mark.long
def test_sniff_counts_as_a_run_does() -> None:
    for name in ("kannel", "postfix, ISO", "exim"):
        log = LOGS[name]
        lines = lines_of(log, 5)
        whole = count_silver(read(log, lines=lines), {}, [])
        assert whole.transmissions
        files = [read(log, "a", *each) for each in (("1", lines), ("2", lines[len(lines) // 3 :]))]
        assert count_silver(together(*files), {}, []) == whole


@pytest.mark.long
def test_two_hosts_stay_apart() -> None:
    for name in ("postfix, RFC 3164", "sendmail"):
        log = LOGS[name]
        lines = lines_of(log, 1)
        others = [line.replace(" mx1 ", " mx2 ").replace(" mail ", " mx2 ") for line in lines]
        assert others != lines
        whole, _ = silver(read(log, lines=lines))
        found, counts = silver(together(read(log, "a", lines=lines), read(log, "b", lines=others)))
        assert (found.total(), counts.height) == (2 * whole.total(), 0)


@pytest.mark.long
@pytest.mark.parametrize("rendering", ["rfc3164", "rfc5424"])
def test_two_renderings_of_a_log_count_once_and_the_finer_stays(rendering: str) -> None:
    """RFC 3164 leaves out fractions of a second, RFC 5424 the daemon after the name of the instance."""
    iso, other = LOGS["postfix, ISO"], Log("postfix", lab(f"postfix/mail.{rendering}.log"))
    whole, _ = silver(read(iso))
    found, counts = silver(together(read(iso, "a"), read(other, "b")))
    assert found == whole
    lines = read(iso, "a")
    assert set(counts["source_id"]) == {"b"}
    # Formats of one line a row.
    for name in ("amavis", "opendkim", "spamassassin"):
        assert counts.filter(format_code=name)["copied_line_count"].sum() == lines[name].height


@pytest.mark.long
def test_twins_are_as_many_as_one_file_has() -> None:
    log = LOGS["kannel"]
    lines = [line for line in log.lines if "Receive SMS" in line][:12]
    twins = [lines[0], lines[0], *lines[1:]]
    whole, _ = silver(read(log, lines=twins))
    assert whole.total() > silver(read(log, lines=lines))[0].total()
    assert (
        silver(together(read(log, stream="1", lines=lines), read(log, stream="2", lines=twins)))[0] == whole
    )


def test_a_report_counts_once_and_its_copies_are_told() -> None:
    """Documents are known by what they say, whatever file they came in."""
    folder = Path(__file__).parents[2] / "data" / "reports"
    names = {"dmarc": "rfc7489.xml", "feedback": "abuse.eml"}
    for format_name, name in names.items():
        files = [
            document_rows(format_name, folder / name, source, stream)
            for source, stream in (("a", "1"), ("a", "2"), ("b", "1"))
        ]
        whole, _ = silver(files[0])
        found, counts = silver(together(*files))
        assert whole
        assert found == whole
        pairs = counts.select("kept_source_id", "source_id", "copied_line_count").rows()
        assert sorted(pairs) == [("a", "a", 1), ("a", "b", 1)]


@examples(10, suppress_health_check=list(HealthCheck))
@given(seed=SEEDS, first=SHARES, last=SHARES, kind=KINDS)
def test_facts_of_files_that_overlap_count_once(
    tmp_path_factory: pytest.TempPathFactory, seed: int, first: float, last: float, kind: str
) -> None:
    """A fact is the same fact in any file, source or twin."""
    facts = [f"2026-11-{20 + n % 5},s{n % 7}@shop.example,r{n}@isp.example,express" for n in range(40)]
    lines = lines_of(Log("knowledge", facts), seed)
    folder = tmp_path_factory.mktemp("facts")

    def facts_of(name: str, rows: list[str], source: str, stream: str) -> dict[str, pl.DataFrame]:
        file = folder / name
        file.write_text("".join(f"{row}\n" for row in ["day,sender,recipient,consent_code", *rows]))
        return document_rows("knowledge", file, source, stream)

    one, other = two_files(lines, kind, first, last)
    whole, counts = silver(facts_of("whole.csv", lines, "a", "1"))
    assert (whole.total(), counts.height) == (len(facts), 0)
    for places in ((("a", "1"), ("a", "2")), (("a", "2"), ("a", "1")), (("b", "1"), ("a", "1"))):
        files = [facts_of(f"{n}.csv", rows, *places[n]) for n, rows in enumerate((one, other))]
        found, counts = silver(together(*files))
        assert found == whole
        assert counts["copied_line_count"].sum() == len({*one} & {*other})


class Folder:
    """A file system of one file."""

    def open(self, path: str, mode: str) -> Any:
        return open(path, mode)


def document_rows(format_name: str, file: Path, source: str, stream: str) -> dict[str, pl.DataFrame]:
    about = Source(OPERATOR, source, stream, NEWEST)
    size = file.stat().st_size
    part = Range(str(file), 0, size, "piece", 0, about, None, file.name, 1 << 20, (), format_name)
    (parsed,) = read_documents(Folder(), [part], format_name, "batch")
    return parsed.rows


def test_each_format_is_here() -> None:
    untested = set(KERNELS) - {log.format for log in LOGS.values()}
    others = {each.name for each in COMPANIONS} | set(DOCUMENTS)
    assert untested <= others, "each has logs in tests/support/samples/"
    assert set(DOCUMENTS) == {"dmarc", "feedback", "knowledge"}
    assert {name.split(".")[1] for name in read_contract(copies.TABLE).reads} == set(KERNELS)
