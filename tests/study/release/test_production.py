"""`release make`: what the officer reads where areas alone reveal a contribution; and two at once in
processes of their own, one of which is stopped or killed while it writes."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.public.cells import HELD_SCHEMA, Basis
from jobs.study.public.gate import Unprotectable
from jobs.study.release import manifest
from jobs.study.release.production import keep_refusal, note_areas, note_short_years, protected_by
from jobs.study.release.recipe import Recipe
from tests.study.release.conftest import READ_AT, P
from tests.support.commands import BIN, ROOT
from tests.support.release import ABOUT
from tests.support.release_study import P_PCT, TODAY, Node, copied
from tests.support.small_study import Operator, Small, basis


@pytest.mark.parametrize("is_left_out", [False, True])
def test_each_choice_is_named_with_its_command(is_left_out: bool, tmp_path: Path) -> None:
    recipe = Recipe(ABOUT, Basis(ABOUT.name, {}), (), (), is_left_out)
    found = pl.DataFrame({"attacker": ["outsider"]})
    told = keep_refusal(tmp_path, recipe, Unprotectable(held_rows=found, findings=found))
    name = f"{ABOUT.period}-{ABOUT.version}-attack.csv"
    assert (tmp_path / "refused" / name).is_file() and str(tmp_path / "refused" / name) in told
    _, *choices = told.split("\n- ")
    assert "load more answers and packages, and run `observatory study estimate`" in choices[0]
    smaller = choices[-1]
    assert "a smaller p" in smaller and "keep it for later releases" in smaller and "docs/tsb.md" in smaller
    again = f"`observatory release make --period {ABOUT.period} --leave-out-areas`"
    assert (again in told) != is_left_out
    assert len(choices) == (2 if is_left_out else 3)


def test_rows_that_a_decision_leaves_out_are_named_with_those_of_rules(tmp_path: Path) -> None:
    operators = [
        Operator(f"{country}-{spam}", country, f"{country}-{spam}", 1000, (3 * spam, spam, spam))
        for country in ("KEN", "NPL", "PER", "GHA")
        for spam in (900, 1000, 1100, 1200, 1300, 1400)
    ]
    study = basis(Small(tuple(operators)), ABOUT.name)
    before, after = (
        protected_by(Recipe(ABOUT, study, (), left_out), tmp_path, float(P_PCT))
        for left_out in ((), ("KEN",))
    )
    is_own = pl.col("area_code") == "KEN"
    named = after.held_rows.filter(is_own)
    assert named.height and set(named["rule"]) == {"decision"}
    volumes = before.public["public.spam_volume"]
    assert named.filter(table_name="study.spam_volume").height >= volumes.filter(is_own).height > 0
    assert not after.public["public.spam_volume"].filter(is_own).height
    assert "decision" not in before.held_rows["rule"]


def test_a_year_below_its_quarter_is_named() -> None:
    """Figures of each respondent may agree, and areas not: others answered the year."""
    tables = {table: pl.DataFrame(schema=public_contract(table).schema) for table in public_tables()}
    key = dict.fromkeys(public_contract("public.spam_volume").key, "x")
    given = {"2026": 25.7e9, "2026-Q4": 25.8e9, "2025": 1e9, "2025-Q4": 0.9e9}
    rows = [key | {"period_code": period, "estimate": value} for period, value in given.items()]
    volumes = pl.DataFrame(rows)
    (told,) = note_short_years(tables | {"public.spam_volume": volumes})
    assert told.startswith("1\u00a0figure of a year below") and "spam_volume 2026/x" in told
    assert note_short_years(tables | {"public.spam_volume": volumes[2:]}) == []


def test_areas_that_the_attack_left_out_are_named() -> None:
    held = {"table_name": "study.spam_volume", "period_code": "2026-Q4", "channel_code": "SMS",
            "series": None, "area_code": "LDC", "rule": "attack"}  # fmt: skip
    rows = [held, held | {"table_name": "study.spam_part"}, held | {"channel_code": "EMAIL"},
            held | {"area_code": "FJI"}, held | {"area_code": "AFR", "series": "x"},
            held | {"area_code": "ASP", "rule": "threshold"}]  # fmt: skip
    assert note_areas(pl.DataFrame(rows, HELD_SCHEMA)) == [
        "Areas left out, with all their rows of the tables named: Least developed countries (EMAIL in"
        " 2026-Q4: spam_volume; SMS in 2026-Q4: spam_part, spam_volume)."
    ]
    assert note_areas(pl.DataFrame(schema=HELD_SCHEMA)) == []


NAME, LONGEST = "2026-Q4/v1.0.0", 120

Start = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def node(estimated: Node, tmp_path: Path) -> Node:
    return copied(estimated, tmp_path / "node")


@pytest.fixture
def start(node: Node) -> Iterator[Start]:
    """Start `observatory release make`."""
    started: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        words = ["release", "make", "--period", "2026-Q4", "--config", str(node.settings)]
        started.append(
            subprocess.Popen(
                [BIN / "observatory", *words],
                env=os.environ | {READ_AT: TODAY, P: P_PCT},
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )  # fmt: skip
        )
        return started[-1]

    yield begin
    for each in started:
        if each.poll() is None:
            each.kill()
        each.communicate()


def stop_while_it_writes(first: subprocess.Popen[str], node: Node) -> None:
    """Stop a process once it has the lake's lock."""
    lock, until = node.folder / "lake" / "lock.json", time.monotonic() + LONGEST
    while "release make" not in lock.read_text():
        assert first.poll() is None, first.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)


def refused(second: subprocess.Popen[str], node: Node) -> None:
    said = " ".join(second.communicate(timeout=LONGEST)[0].split())
    assert second.returncode == 5, said
    assert "the lake is locked: `observatory release make`" in said and "run the same command again" in said


def is_whole(node: Node) -> bool:
    """One release is there, with its record, and nothing else."""
    for root in (node.releases, node.restricted):
        assert [each.name for each in (root / "2026-Q4").iterdir()] == ["v1.0.0"]
    return len(manifest.verify_release(node.releases / NAME)) == 64


@pytest.mark.long
def test_one_makes_the_release_and_the_other_is_refused(start: Start, node: Node) -> None:
    first = start()
    stop_while_it_writes(first, node)
    refused(start(), node)
    first.send_signal(signal.SIGCONT)
    assert first.wait(LONGEST) == 0, first.communicate()[0]
    assert is_whole(node)


@pytest.mark.long
def test_after_one_is_killed_the_other_makes_the_release(start: Start, node: Node) -> None:
    first = start()
    stop_while_it_writes(first, node)
    refused(start(), node)
    first.kill()
    assert first.wait(LONGEST) == -signal.SIGKILL
    second = start()
    said = second.communicate(timeout=LONGEST)[0]
    assert second.returncode == 0, said
    assert is_whole(node)
