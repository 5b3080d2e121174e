"""A lake that keeps what it needs: old logs, records and pseudonyms go, and no figure changes."""

import datetime as dt
import fcntl
import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.checks import validations
from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.node import Retention
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.store.lease import LOCK
from jobs.operators.audit.sample_drawing import SamplePlan, draw_units
from jobs.operators.build import removed_days
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.build.run import Outcome, Run
from jobs.operators.ingest.manifest import Stream, open_landing, read_manifest
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.removing import remove_pieces
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.keep import renew, retention, vacuum
from jobs.operators.protect.pseudonym_keys import operator_key
from jobs.operators.runs.runner import run_stages
from jobs.operators.silver.frames import SILVER
from jobs.operators.state.sources import source_rows
from tests.operators.ingest.test_clock import message
from tests.operators.state.test_status import kept
from tests.support.in_process import Told, command_line_of
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, rows_in, source_toml

FIRST = dt.date(2026, 10, 1)
KEPT = "[retention]\nlanding = 3\nbronze = 3\nsilver = 10\n"
BRONZE = "bronze.postfix"
# With one open day, and messages of Postfix that live for 6 days, bronze needs 14 days before the newest.
BRONZE_DAYS = 14
NO_TIME = dt.timedelta(0)


def day(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def midnight(number: int) -> dt.datetime:
    """The time at which the log of a day is pulled."""
    return dt.datetime.combine(day(number + 1), dt.time(0, 10), dt.UTC)


# Runs on these days: bronze goes from the third on, silver from the fifth.
VISITS = (0, 1, 20, 21, 52, 53)
LEFT = [day(number) for number in (52, 53)]


@pytest.fixture(scope="module", autouse=True)
def clock() -> Iterator[None]:
    """Pulls have times of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OBSERVATORY_READ_AT", raising=False)
        yield


class Site:
    """One operator whose mail log is rotated at midnight; rotated logs stay where they are."""

    def __init__(self, root: Path, more: str = KEPT) -> None:
        (root / "logs").mkdir(parents=True)
        self.logs, self.file, self.more = root / "logs", root / "observatory.toml", more
        self.set()

    def set(self, subscribers: int | None = None) -> None:
        own = MAIL_NETWORK + (f"subscribers = {subscribers}\n" if subscribers else "")
        text = operator_toml(
            *("a", "A", "CHE", "a", "CHF", own), source_toml("mx1", f"{self.logs}/mail.log*", "postfix")
        )
        self.file.write_text(
            f'[lake]\nroot = "{self.file.parent / "lake"}"\nopen_days = 1\n'
            f"[limits]\nquarantined_pct = 100\n{self.more}{text}"
        )
        self.settings = load_with_options(self.file)
        self.lake = Lake(self.settings.lake.root)

    def live(self, number: int, text: str) -> None:
        """A day: its log is written, pulled and rotated, and all is computed."""
        log, at = self.logs / "mail.log", midnight(number)
        log.write_text(text)
        os.utime(log, (at.timestamp(),) * 2)
        assert self.pull(number) == []
        log.rename(self.logs / f"mail.log-{day(number):%Y%m%d}")
        self.run()
        os.utime(Path(self.lake.root, "_validation", f"{self.run_id}.json"), (at.timestamp(),) * 2)

    def pull(self, number: int) -> list[str]:
        return pull_operator(self.settings.operator[0], self.lake.root, midnight(number)).problems

    def run(self, **how: Any) -> Outcome:
        self.run_id = f"r{len(self.lake.read('meta.run')):05d}"
        operators = list(self.settings.operator)
        return run_stages(
            Run(self.lake, self.settings, operators, self.run_id, report_step=lambda text: None, **how)
        )

    def vacuum(self, number: int, readers: dt.timedelta = NO_TIME) -> retention.RetentionPlan:
        run_id = f"v{number:03d}"
        return vacuum.vacuum_lake(self.lake, self.settings, ["a"], run_id, midnight(number).date(), readers)

    @property
    def streams(self) -> list[Stream]:
        fs, area = open_landing(self.lake.root)
        return read_manifest(fs, f"{area}/a/mx1")

    def days(self, table: str) -> list[dt.date]:
        """The days that a table has files of."""
        return sorted(
            {
                dt.date.fromisoformat(dict(each.partition)[period_of(table)] or "")
                for each in self.lake.files(table)
            }
        )

    def counted(self) -> dict[dt.date, int]:
        """The messages of each day, by gold."""
        gold = self.lake.read("gold.spam_volume_daily").filter(
            unit_code="recipient", definition_code="OPERATOR"
        )
        return dict(gold.group_by("period_date").agg(pl.col("units").sum()).sort("period_date").rows())


def period_of(table: str) -> str:
    return "event_date" if table.startswith("bronze.") else "period_date"


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file of a folder, with its size and time."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def size_of(site: Site, *layers: str) -> int:
    """Bytes of the files of layers, without the tables' logs."""
    return sum(
        size
        for layer in layers
        for name, (size, _) in tree(Path(site.lake.root) / layer).items()
        if "_delta_log" not in name and not name.endswith(".json")
    )


def log_of(number: int) -> str:
    """The log of a day: two messages, and a line that nobody understands."""
    own = 10 + 2 * (number % 20)
    text = message(own, str(day(number))) + message(own + 1, str(day(number)))
    return text + f"{day(number)}T11:00:00+00:00 mx1 postfix/smtpd[7]: {'odd ' * 3}\n" + f"no line {number}\n"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A lake that was vacuumed after each run; what happened is asserted on the way."""
    site = Site(tmp_path_factory.mktemp("lived"))
    for number in VISITS:
        text = log_of(number)
        if number == 21:
            # A late line of a day that is closed counts nowhere; one of an open day counts.
            text += message(7, str(day(1))) + message(8, str(day(20)))
        site.live(number, text)
        expected = site.counted()
        made = site.vacuum(number)
        assert made.waiting == []
        assert site.counted() == expected
        bronze = day(number) - dt.timedelta(days=BRONZE_DAYS)
        assert site.days(BRONZE)[0] >= bronze
        assert site.days("silver.message")[0] >= bronze - dt.timedelta(days=30)
        # The files of rows that went are the history of their tables.
        assert {each.reason for each in site.vacuum(number).removals} <= {"history"}
    return site


@pytest.fixture
def site(lived: Site, tmp_path: Path) -> Iterator[Site]:
    """Yield the lake that was lived in, and put it back afterwards."""
    kept = tmp_path / "kept"
    shutil.copytree(lived.file.parent, kept, symlinks=True)
    yield lived
    shutil.rmtree(lived.file.parent)
    shutil.move(kept, lived.file.parent)
    lived.set()


@pytest.mark.long
def test_old_days_go_and_figures_stay(lived: Site) -> None:
    assert lived.counted() == {day(number): 2 for number in VISITS} | {day(20): 3}
    assert lived.days(BRONZE) == LEFT
    assert lived.days("silver.message") == LEFT
    # Their pieces were pulled on the day after, and kept for three days.
    assert [len(stream.pieces) for stream in lived.streams] == [0] * 4 + [1] * 2
    quarantined = lived.lake.read("bronze.quarantine")
    assert len(quarantined) == len(lived.streams[4:]) == quarantined["piece_id"].n_unique()
    assert lived.lake.read("bronze.file").height == len(VISITS)
    late = lived.lake.read("bronze.file")["late_count"].to_list()
    assert sorted(late)[:-1] == [0] * (len(VISITS) - 1) and max(late) > 0


@pytest.mark.long
def test_every_removal_has_a_row(lived: Site) -> None:
    rows = lived.lake.read("meta.retention").sort("run_id", "removed_from")
    by_age = rows.filter(removal_code="age")
    assert set(by_age["removed_from"]) == {
        "_validation", "landing/mx1", BRONZE, "bronze.quarantine", "silver.message", "silver.transmission",
    }  # fmt: skip
    found = by_age.filter(removed_from=BRONZE)
    assert found.select(
        "run_id", "operator_id", "before_date", "first_removed_date", "last_removed_date"
    ).rows() == [
        ("v020", "a", day(6), day(0), day(1)),
        # The late line.
        ("v021", "a", day(7), day(1), day(1)),
        ("v052", "a", day(38), day(20), day(21)),
    ]
    assert found["file_count"].to_list()[0] == 2 and min(found["removed_bytes"]) > 0
    landed = by_age.filter(removed_from="landing/mx1")
    assert landed["file_count"].sum() == 4
    history = rows.filter(removal_code="history")
    assert set(history["operator_id"]) == {"_T"} and history["before_date"].null_count() == len(history)
    assert len(rows.select("run_id", "operator_id", "removed_from", "removal_code").unique()) == len(rows)
    assert removed_days.read_removed_days(lived.lake, "bronze") == {"a": day(38)}
    assert lived.lake.versions()[BRONZE] == lived.lake.version(BRONZE)


@pytest.mark.long
def test_old_logs_are_known_wherever_they_turn_up(site: Site) -> None:
    before, ledger = site.counted(), site.lake.read("bronze.file").height
    old = (site.logs / f"mail.log-{FIRST:%Y%m%d}").read_bytes()
    (site.logs / "mail.log-20251001.gz").write_bytes(gzip.compress(old))
    (site.logs / "mail.log.save").write_bytes(old)
    assert site.pull(55) == []
    site.run()
    assert (site.counted(), site.lake.read("bronze.file").height) == (before, ledger)
    # With another end it is another log: what is new in it is late, what it repeats too.
    (site.logs / "mail.log.save").write_bytes(old[: len(old) // 2] + message(9, str(FIRST)).encode())
    assert site.pull(55) == []
    site.run()
    assert (site.counted(), site.lake.read("bronze.file").height) == (before, ledger + 1)
    assert (set(site.days("silver.message"))) == set(LEFT)
    # Its rows are of days that are gone, and go with the next vacuum.
    assert day(0) in site.days(BRONZE)
    site.vacuum(55)
    assert site.days(BRONZE) == LEFT


@pytest.mark.long
def test_a_lost_manifest_is_made_again_without_what_went(site: Site) -> None:
    streams = site.streams
    (Path(site.lake.root) / "landing" / "a" / "mx1" / "manifest.json").unlink()
    assert site.pull(53) == []
    assert {each.stream_id: each.sha256 for each in site.streams} == {
        each.stream_id: each.sha256 for each in streams
    }
    assert site.run().changed == {}


@pytest.mark.long
def test_other_settings_leave_settled_days_as_they_were(site: Site) -> None:
    before = rows_in(site.lake, GOLD)
    site.set(subscribers=900)
    work = site.run()
    after = rows_in(site.lake, GOLD)
    # What a day tells does not depend on subscribers; rates of months do.
    assert {table for table in GOLD if before[table] != after[table]} == {"gold.spam_source_monthly"}
    [note] = work.notes
    for word in ("'a'", "4 days", "keep their figures", str(day(0)), str(day(21)), "silver = 10"):
        assert word in note
    assert site.run().notes == ()
    # A day that was asked for is named each time.
    work = site.run(since=FIRST)
    assert rows_in(site.lake, GOLD) == after
    of_silver, of_gold = work.notes
    assert "silver" in of_silver and "bronze = 3" in of_silver and str(day(0)) in of_silver
    assert "of gold" in of_gold
    assert site.days("silver.message") == LEFT


@pytest.mark.long
def test_quarantined_lines_whose_logs_are_gone_are_named(site: Site) -> None:
    ledger = site.lake.read("bronze.file").sort("piece_id")
    work = site.run(requarantine=True)
    [note] = work.notes
    for word in ("'a'", "'mx1'", "4 batches", "landing = 3"):
        assert word in note
    again = site.lake.read("bronze.file").sort("piece_id")
    assert again.drop("ingest_id").equals(ledger.drop("ingest_id"))
    assert site.counted()[FIRST] == 2


@pytest.mark.long
@pytest.mark.parametrize("how", ["anew", "other key", "lost landing"])
def test_renewing_loses_no_figure(site: Site, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gold stays row for row on days whose logs landing no longer holds, and later days are computed as
    before."""
    before, counted = rows_in(site.lake, GOLD), site.counted()
    assert all(before[table] for table in ("gold.spam_volume_daily", "gold.spam_source_monthly"))
    if how == "other key":
        monkeypatch.setenv("OBSERVATORY_PSEUDONYM_KEY", "fedcba9876543210" * 4)
        operator_key.cache_clear()
    if how == "lost landing":
        for path in (*Path(site.lake.root, "landing").rglob("*"), *site.logs.iterdir()):
            if path.is_file():
                path.unlink()
    [told] = renew.describe_settled(site.lake)
    assert "'a': landing lacks records of days before" in told and "stay as they are" in told
    renew.renew_lake(site.lake, site.settings, is_anew=how in ("anew", "lost landing"))
    assert site.lake.read("meta.retention").height
    outcome = site.run()
    assert not outcome.held_operators
    after = rows_in(site.lake, GOLD)
    assert [table for table in GOLD if after[table] != before[table]] == []
    # Days that landing holds were read anew.
    assert (site.days(BRONZE) == LEFT) is (how != "lost landing")
    # What comes later is counted, and a late line of a day that stays is not.
    site.live(54, log_of(54) + message(7, str(day(1))))
    assert site.counted() == counted | {day(54): 2}
    renew.renew_lake(site.lake, site.settings, is_anew=True)
    site.run()
    operator_key.cache_clear()
    assert site.counted() == counted | {day(54): 2}


@pytest.mark.long
def test_a_sample_of_a_month_that_is_gone_is_refused(lived: Site) -> None:
    with pytest.raises(ObservatoryError, match=rf"before {day(22)} are gone .*2026-10"):
        draw_units(lived.lake, SamplePlan("a", "2026-10", 10, 1, 2, (0.0,)))


@pytest.mark.long
def test_status_misses_nothing(site: Site) -> None:
    """A source all of whose pieces went is not lost."""
    fs, area = open_landing(site.lake.root)
    remove_pieces(fs, f"{area}/a/mx1", {piece.piece_id for each in site.streams for piece in each.pieces})
    [row] = source_rows(site.lake, site.settings, site.settings.operator)
    assert row.landed == 0 and row.last_record is not None
    assert "manifest" not in (row.next_step or "") and "No file" not in (row.next_step or "")


# --- killed, unfinished, locked ---------------------------------------------------------------------------

STEPS: dict[str, tuple[Any, str]] = {
    "remember_removal": (removed_days, "remember_removal"),
    "landing": (vacuum, "remove_landed"),
    "validations": (vacuum, "remove_validations"),
    "rows": (vacuum, "remove_rows"),
    "versions": (record, "add_stage"),
    "history": (vacuum, "remove_old_files"),
    "record": (vacuum, "keep_record"),
}


@pytest.fixture(scope="module")
def due(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A lake that was never vacuumed, and has much to remove."""
    site = Site(tmp_path_factory.mktemp("due"))
    for number in (0, 1, 52, 53):
        site.live(number, log_of(number))
    return site


@pytest.fixture
def again(due: Site, tmp_path: Path) -> Iterator[Site]:
    kept = tmp_path / "kept"
    shutil.copytree(due.file.parent, kept)
    yield due
    shutil.rmtree(due.file.parent)
    shutil.move(kept, due.file.parent)


def outcome(site: Site) -> dict[str, Any]:
    """Return all that a vacuum leaves: rows, files, pieces, records."""
    tables = [BRONZE, "bronze.quarantine", *SILVER, *GOLD]
    return {
        **rows_in(site.lake, tables),
        **rows_in(site.lake, ["meta.retention"], but=["removed_at"]),
        "pieces": [(each.stream_id, len(each.pieces), each.removed) for each in site.streams],
        "files": sorted(
            name.rpartition("/")[0]
            for name in tree(Path(site.lake.root))
            if name.endswith((".parquet", ".log.zst"))
            and not name.startswith("meta/")
            and "_delta_log" not in name
        ),
        "validations": sorted(path.name for path in Path(site.lake.root, "_validation").iterdir()),
        "removed": site.lake.read_notes()["removed"],
        "is_named": all(
            site.lake.versions()[table] == site.lake.version(table) for table in (BRONZE, "silver.message")
        ),
    }


@pytest.fixture(scope="module")
def expected(due: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    kept = tmp_path_factory.mktemp("whole") / "kept"
    shutil.copytree(due.file.parent, kept)
    made = due.vacuum(53)
    assert {each.table_name for each in made.removals} >= {"landing/mx1", BRONZE, "silver.message"}
    found = outcome(due)
    shutil.rmtree(due.file.parent)
    shutil.move(kept, due.file.parent)
    return found


@pytest.mark.long
@pytest.mark.parametrize(("when", "by"), [("before", "vacuum"), ("after", "run")])
@pytest.mark.parametrize("step", STEPS)
def test_killed_between_steps_and_done_again(
    again: Site, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch, step: str, when: str, by: str
) -> None:
    module, name = STEPS[step]
    whole = getattr(module, name)

    def dying(*given: Any, **named: Any) -> None:
        if when == "after":
            whole(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(module, name, dying)
        with pytest.raises(KeyboardInterrupt):
            again.vacuum(53)
    if by == "run":
        assert again.run().changed == {}
    else:
        # As it is called: the files of rows that just went stay for a day.
        again.vacuum(53, retention.READERS)
    assert outcome(again) == expected
    assert not (Path(again.lake.root) / vacuum.PLAN).exists()


@pytest.mark.long
def test_what_an_unfinished_batch_needs_stays(again: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    (again.logs / "mail.log").write_text(log_of(54))
    assert again.pull(54) == []
    with monkeypatch.context() as killed:
        killed.setattr("jobs.operators.build.bronze_stage.ledger_rows", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            again.run()
    before = again.days(BRONZE), [len(stream.pieces) for stream in again.streams]
    made = again.vacuum(60)
    assert "batch is unfinished" in "".join(made.waiting)
    assert (again.days(BRONZE), [len(stream.pieces) for stream in again.streams]) == before
    again.run()
    assert again.vacuum(60).waiting == []
    assert again.days(BRONZE)[0] == day(52)
    assert again.counted()[day(54)] == 2


@pytest.mark.long
def test_what_silver_and_gold_have_not_taken_stays(again: Site) -> None:
    def stage(*names: str) -> None:
        run_stages(
            Run(
                again.lake, again.settings, list(again.settings.operator), "s", report_step=lambda text: None
            ),
            names,
        )

    (again.logs / "mail.log").write_text(log_of(54))
    assert again.pull(54) == []
    stage("bronze")
    # The batch of the day is open to silver, and its pieces stay however old they are.
    again.vacuum(100)
    assert again.streams[-1].pieces and again.days(BRONZE)[-1] == day(54)
    stage("silver")
    # Messages that gold has not counted keep the days that it looks at.
    again.set(subscribers=900)
    kept = again.days("silver.message")
    assert day(52) in kept
    again.vacuum(200)
    assert again.days("silver.message") == kept
    stage("gold")
    again.vacuum(200)
    assert again.counted()[day(54)] == 2


def test_results_of_rules_go_once_they_were_checked_again(tmp_path: Path) -> None:
    """Results of a rule that were not checked again stay as they are; bronze is kept for 3 days."""
    site = Site(tmp_path / "site")
    folder = Path(site.lake.root)
    ledger, volume, types = ("bronze.file", "gold.spam_volume_daily", "gold.spam_type_daily")
    for number, operators, tables in (
        (0, ["a"], [ledger, volume]),
        (1, ["a", "b"], [ledger, types]),
        (2, ["a"], [ledger, volume]),
        # Silver ran alone: the figures before it still stand as they were checked.
        (3, ["a"], [ledger]),
        (8, ["a"], [ledger, volume]),
        (9, ["a", "b"], [ledger, volume]),
    ):
        kept(folder, f"r{number}", operators, *((table, "rule", operators) for table in tables))
        os.utime(folder / "_validation" / f"r{number}.json", (midnight(number).timestamp(),) * 2)
    before = validations.latest_results(site.lake, ["a", "b"])
    made = site.vacuum(10)
    found = {path.stem for path in (folder / "_validation").iterdir()}
    # The first three days are old; of the second nobody has checked the types since.
    assert found == {"r1", "r8", "r9"}
    assert validations.latest_results(site.lake, ["a", "b"]) == before
    (row,) = made.removals
    assert (row.table_name, row.files, row.first, row.last) == ("_validation", 3, day(1), day(4))
    assert site.lake.read("meta.retention")["removed_from"].to_list() == ["_validation"]
    assert site.vacuum(10).removals == []


Observatory = Callable[..., Told]


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Observatory:

    return command_line_of(monkeypatch, capsys)


@pytest.mark.long
def test_the_command(again: Site, observatory: Observatory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVATORY_READ_AT", midnight(53).isoformat())
    root = Path(again.lake.root)
    before = tree(root)
    dry = observatory("vacuum", "--config", again.file, "--dry-run")
    assert (dry.code, tree(root)) == (0, before)
    # Another command writes.
    with open(root / LOCK, "a+", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert observatory("vacuum", "--config", again.file).code == 5
    done = observatory("vacuum", "--config", again.file)
    assert done.code == 0
    lines = dry.out.splitlines()
    assert lines[0].strip() == "Would be removed" and max(map(len, lines)) <= 80
    assert done.out.splitlines()[1:] == lines[1:]
    for word in ("landing/mx1", BRONZE, "silver.message", f"{day(0)} … {day(1)}"):
        assert word in dry.out
    # Files leave with the first vacuum a day later: somebody may be reading them.
    assert again.days(BRONZE) == [day(52), day(53)]
    assert any(f"event_date={day(0)}" in name for name in tree(root))
    told = observatory("vacuum", "--config", again.file)
    assert (told.code, "Nothing to remove" in told.out) == (0, True)
    assert "[retention] landing " in told.out and "[lake] open_days " in told.out
    later = retention.plan_retention(again.lake, again.settings, ["a"], midnight(53).date(), NO_TIME)
    assert {each.reason for each in later.removals} == {"history"}
    assert observatory("vacuum", "--config", again.file, "--operator", "b").code == 2


@pytest.mark.parametrize("setting", ["landing = 0", "bronze = -1", 'silver = "long"', "gold = 3"])
def test_settings_that_are_none(tmp_path: Path, setting: str) -> None:
    with pytest.raises(ObservatoryError, match=rf"\[retention\].*{setting.split()[0]}"):
        Site(tmp_path / "x", f"[retention]\n{setting}\n")


def test_defaults_keep_what_the_design_says() -> None:
    found = Retention()
    assert (found.landing, found.bronze, found.silver) == (35, 35, 400)


@pytest.mark.long
def test_an_operator_that_left_the_settings_still_goes(again: Site) -> None:
    text = again.file.read_text().replace('id = "a"', 'id = "b"').replace('name = "A"', 'name = "B"')
    again.file.write_text(text.replace("mail.log*", "other.log*"))
    again.settings = load_with_options(again.file)
    assert retention.operators_of(again.lake) == ["a"]
    again.vacuum(53)
    assert again.days(BRONZE) == [day(52), day(53)]


# --- day after day ----------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_disk_stays_level_and_figures_are_those_of_a_lake_that_keeps_all(tmp_path: Path) -> None:
    """40 days of two messages each, with late lines, and an old log that turns up again."""
    kept, whole = Site(tmp_path / "kept"), Site(tmp_path / "whole")
    sizes: list[int] = []
    for number in range(40):
        text = log_of(number)
        if number % 5 == 4:
            text += message(8, str(day(number - 1))) + message(9, str(day(number - 3)))
        for site in (kept, whole):
            if number == 30:
                old = (site.logs / f"mail.log-{FIRST:%Y%m%d}").read_bytes()
                (site.logs / "mail.log.save").write_bytes(old)
            site.live(number, text)
        kept.vacuum(number)
        assert rows_in(kept.lake, GOLD) == rows_in(whole.lake, GOLD)
        sizes.append(size_of(kept, "landing", "bronze", "silver"))
    assert kept.days(BRONZE)[0] == day(39 - BRONZE_DAYS)
    assert kept.days("silver.message")[0] == day(39 - 30)
    # Silver is the last to reach its length, on the 32nd day.
    assert max(sizes[33:]) < 1.1 * min(sizes[33:])
    assert max(sizes[33:]) < 0.6 * size_of(whole, "landing", "bronze", "silver")
    manifest = Path(kept.lake.root) / "landing" / "a" / "mx1" / "manifest.json"
    assert len(json.loads(manifest.read_text())["streams"]) == 40


@pytest.mark.long
def test_what_leaves_landing_is_told_by_the_bytes_that_it_took(again: Site) -> None:
    before = size_of(again, "landing")
    made = again.vacuum(53)
    told = sum(each.bytes for each in made.removals if each.table_name == "landing/mx1")
    assert told == before - size_of(again, "landing") > 0
