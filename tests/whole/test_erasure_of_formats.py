"""A subscriber in every field of every format that may name one, erased by number and address."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from jobs.base.settings import config
from jobs.base.store.lake import Lake
from jobs.operators.ingest.source_options import load_with_options
from tests.operators.erase.test_erasure import decoded
from tests.support.canary_logs import OWN, source_of, write_log
from tests.support.in_process import command_line_of
from tests.support.samples import CANARIES
from tests.support.samples.forms import ADDRESS, NUMBER, Canaries, Form, number
from tests.support.study import run_again
from tests.support.whole_runs import operator_toml, source_toml

WHO = 500
PERSON, PHONE = f"canary{WHO}@shop.example", number(WHO)
FOUND = (PERSON, PHONE, f"0{PHONE[2:]}")
# Forms that name the subscriber, as far as a search for the address or the number finds them.
NAMES: tuple[Form, ...] = (*NUMBER, ADDRESS[0])


def entries_of(log: Canaries) -> Iterator[str]:
    """An entry of nobody's, and for each slot that takes numbers or addresses one of the subscriber's."""
    n = 100
    yield log.entry(n)
    for slot, forms in log.slots.items():
        for form in forms:
            text = form(WHO)
            if any(name in text.lower() for name in FOUND):
                n += 1
                yield log.entry(n, **{slot: text})
                n += 1
                yield log.entry(n)


def make_lake(folder: Path) -> config.Observatory:
    sources = [
        source_toml(
            source_of(log), write_log(log, folder, entries_of(log)), log.within or log.kernel, log.options
        )
        for log in CANARIES
    ]
    (folder / "observatory.toml").write_text(
        '[lake]\nroot = "lake"\n[engine]\nname = "inline"\n[limits]\nquarantined_pct = 100\n'
        + operator_toml("op", "Op", "GBR", "op", "GBP", OWN.replace("35799", "447700"), *sources)
    )
    return load_with_options(folder / "observatory.toml")


def named_in(folder: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        for text in decoded(path.read_bytes()) if path.is_file() else ():
            hits = {each for each in FOUND if each in text.lower()}
            if hits:
                found.setdefault(str(path.relative_to(folder)), set()).update(hits)
    return found


@pytest.mark.long
def test_no_field_of_any_format_keeps_an_erased_subscriber(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = make_lake(tmp_path)
    run_again(settings)
    lake = Lake(settings.lake.root)
    before = lake.read("bronze.file").select("source_id", "line_count", "quarantined_count", "record_count")
    assert {path.split("/")[0] for path in named_in(Path(lake.root))} == {"landing", "bronze"}
    observatory = command_line_of(monkeypatch, capsys, width=200)
    words = ("--number", f"+{PHONE}", "--address", PERSON, "--yes")
    told = observatory("erase", *words, "--config", tmp_path / "observatory.toml")
    assert told.code == 0, told.err
    assert named_in(Path(lake.root)) == {}
    after = lake.read("bronze.file").select("source_id", "line_count", "quarantined_count", "record_count")
    sums = [frame.group_by("source_id").sum().sort("source_id") for frame in (before, after)]
    assert sums[0]["line_count"].to_list() == sums[1]["line_count"].to_list()
    # Everybody else is still there: of each log at least as many rows as it had entries of nobody's.
    for log in CANARIES:
        rows = lake.read(log.table, where=pl.col("source_id") == source_of(log))
        others = sum(1 for _ in entries_of(log)) // 2
        assert rows.height >= others, log.name
    # The command finds nobody any more.
    told = observatory("erase", *words, "--config", tmp_path / "observatory.toml")
    assert told.code == 2 and "nowhere in the lake" in " ".join(told.err.split())
