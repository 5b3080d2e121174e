"""Lake after a run that dies; stages, buckets, workers and kills do not change a table."""

import datetime as dt
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.core.disk import DiskFull
from jobs.base.core.errors import ValidationHeld
from jobs.base.engine import embedded, silver_buckets, tasks
from jobs.base.engine.embedded import Embedded, Inline
from jobs.base.settings import config
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import write_files
from jobs.base.tables.contracts import rows_frame
from jobs.operators.build import checks, staged_exchange
from jobs.operators.build.batches import pending_pieces, record_intent
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.build.run import Run
from jobs.operators.gold import spam_type_daily
from jobs.operators.ingest import manifest
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs import runner
from jobs.operators.runs.runner import STAGES, run_stages
from jobs.operators.silver.frames import SILVER
from tests.base.engine.test_engine import files_of_no_version
from tests.conftest import ROOT
from tests.support.mixed import mixed_logs, mixed_settings, pull_mixed
from tests.support.whole_runs import CYPRIOT_MOBILE, MAIL_NETWORK, operator_toml, rows_in, source_toml

LAB = ROOT / "sample_data" / "lab"
SMS = LAB / "kannel" / "bearerbox-access.log"
TABLES = (*SILVER, *GOLD)
MEMORY = 2_000_000_000
MESSAGE = "silver.message"


def sms_settings(folder: Path, more: str = "") -> config.Observatory:
    """Settings of an operator of SMS whose log grows, kept as folder/observatory.toml."""
    folder.mkdir(exist_ok=True)
    text = '[lake]\nroot = "lake"\n[limits]\nquarantined_pct = 40\n' + operator_toml(
        *("lab-sms", "Lab SMS operator", "CYP", "lab", "EUR", CYPRIOT_MOBILE),
        '[[operator.link]]\nname = "SMPP-INTL"\nkind = "hub"\n',
        source_toml("bearerbox", "bearerbox.log", "kannel"),
    )
    (folder / "observatory.toml").write_text(text + more)
    return load_with_options(folder / "observatory.toml")


def halves() -> tuple[bytes, bytes]:
    data = SMS.read_bytes()
    middle = data.index(b"\n", len(data) // 2) + 1
    return data[:middle], data


def pull_all(settings: config.Observatory) -> None:
    for operator in settings.operator:
        assert pull_operator(operator, settings.lake.root, dt.datetime.now(dt.UTC)).problems == []


def work_of(settings: config.Observatory, **more: Any) -> Run:
    now = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S.%f}"
    lake = Lake(settings.lake.root)
    return Run(lake, settings, list(settings.operator), now, report_step=lambda text: None, **more)


def run_all(settings: config.Observatory, stages: Any = STAGES, **more: Any) -> Run:
    work = work_of(settings, **more)
    run_stages(work, stages)
    return work


def run_on(engine: Any, settings: config.Observatory, stages: Any = STAGES, **more: Any) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "engine_of", lambda work, log_bytes: engine)
        return run_all(settings, stages, **more)


def elsewhere(settings: config.Observatory, root: Path) -> config.Observatory:
    """Return the settings with another lake."""
    return settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": str(root)})})


def by_versions(lake: Lake, names: Any = TABLES) -> dict[str, list[str]]:
    """The rows that a reader of the versions sees that meta.run names."""
    versions = lake.versions()
    found = {}
    for table in names:
        frame = lake.read(table, versions[table]) if table in versions else lake.read(table).clear()
        found[table] = sorted(map(repr, frame.rows()))
    return found


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[config.Observatory, Run]:
    """A lake with half of a log, whose other half is landed and not read; and the run that made it."""
    folder = tmp_path_factory.mktemp("grown")
    settings = sms_settings(folder)
    first, whole = halves()
    (folder / "bearerbox.log").write_bytes(first)
    pull_all(settings)
    work = run_all(settings)
    (folder / "bearerbox.log").write_bytes(whole)
    pull_all(settings)
    return settings, work


@pytest.fixture
def lake_copy(grown: tuple[config.Observatory, Run], tmp_path: Path) -> config.Observatory:
    """Settings of a copy of that lake."""
    shutil.copytree(grown[0].lake.root, tmp_path / "lake")
    return elsewhere(grown[0], tmp_path / "lake")


@pytest.fixture(scope="module")
def whole(grown: tuple[config.Observatory, Run], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All tables' rows when nothing disturbs the second run."""
    root = tmp_path_factory.mktemp("whole") / "lake"
    shutil.copytree(grown[0].lake.root, root)
    return rows_in(run_all(elsewhere(grown[0], root)).lake, TABLES)


# --- what a dead run leaves ---------------------------------------------------------------------------------


def leave_orphans(lake: Lake) -> list[Path]:
    """Files of three layers, and of what follows gold, that a run wrote a minute ago and did not commit."""
    at = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    known = {
        "bronze.kannel": {"operator_id": "lab-sms", "event_date": at.date(), "first_at": at},
        MESSAGE: {"operator_id": "lab-sms", "period_date": at.date(), "first_at": at},
        "gold.spam_volume_daily": {"operator_id": "lab-sms", "period_date": at.date(), "units": 1},
        "gold.spam_corrected_monthly": {"operator_id": "lab-sms", "period_code": "2026-11", "units": 1},
    }
    paths = []
    for table, row in known.items():
        for file in write_files(rows_frame([row], table), table, lake.root):
            paths.append(Path(lake.path(table), file.path))
    for path in paths:
        os.utime(path, (time.time() - 60,) * 2)
    return paths


def test_what_a_dead_run_left_is_gone_after_the_next(
    lake_copy: config.Observatory, grown: tuple[config.Observatory, Run], whole: dict[str, Any]
) -> None:
    lake, root = Lake(lake_copy.lake.root), Path(lake_copy.lake.root)
    before, versions = by_versions(lake), lake.versions()
    orphans = leave_orphans(lake)
    (root / "_staging" / "dead").mkdir(parents=True)
    (root / "_staging" / "dead" / "silver.message-1.arrow").write_bytes(b"half")
    (root / "_staging" / "dead" / "lock").touch()
    # It had begun a batch, too.
    fs, area = manifest.open_landing(lake.root)
    pending = set(pending_pieces(lake, lake_copy.operator))
    record_intent(fs, area, "20260101T000000.0", pending)
    assert run_stages(work_of(lake_copy)).batches == ("20260101T000000.0",)
    assert not any(path.exists() for path in orphans)
    assert list((root / "_staging").iterdir()) == [] and list((root / "_intent").iterdir()) == []
    assert files_of_no_version(lake) == []
    assert rows_in(lake, TABLES) == whole
    # Who reads the versions of before still finds them.
    assert {
        table: sorted(map(repr, lake.read(table, versions[table]).rows()))
        for table in versions
        if table in TABLES
    } == {table: rows for table, rows in before.items() if table in versions}


def test_the_staging_and_files_of_a_run_that_is_alive_stay(
    lake_copy: config.Observatory, whole: dict[str, Any]
) -> None:
    lake, folder = Lake(lake_copy.lake.root), Path(lake_copy.lake.root, "_staging", "other")
    folder.mkdir(parents=True)
    orphans = leave_orphans(lake)
    holds = "import fcntl, sys\nfile = open(sys.argv[1], 'wb')\nfcntl.flock(file, 2)\nprint(1, flush=True)\n"
    other = subprocess.Popen(
        [sys.executable, "-c", holds + "sys.stdin.read()", str(folder / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout is not None and other.stdout.readline()
    try:
        run_all(lake_copy)
        assert (folder / "lock").exists() and all(path.exists() for path in orphans)
    finally:
        other.kill()
        other.communicate()
    run_all(lake_copy, ["bronze"])
    assert not folder.exists() and not any(path.exists() for path in orphans)
    assert rows_in(lake, TABLES) == whole


def test_a_run_that_fails_gives_back_its_room(
    lake_copy: config.Observatory, monkeypatch: pytest.MonkeyPatch, whole: dict[str, Any]
) -> None:
    def full(*arguments: Any) -> Any:
        raise DiskFull("gold")

    lake, versions = Lake(lake_copy.lake.root), Lake(lake_copy.lake.root).versions()
    with monkeypatch.context() as patch, pytest.raises(DiskFull):
        patch.setattr("jobs.operators.build.gold_stage.replace_changed", full)
        run_all(lake_copy)
    assert list(Path(lake.root, "_staging").rglob("*.arrow")) == []
    assert {table: version for table, version in lake.versions().items() if table in GOLD} == {
        table: version for table, version in versions.items() if table in GOLD
    }
    run_all(lake_copy)
    assert rows_in(lake, TABLES) == whole
    assert list(Path(lake.root, "_staging").iterdir()) == []


def test_staging_is_its_owners_alone(tmp_path: Path) -> None:
    with tasks.open_staging(str(tmp_path)) as staging:
        assert Path(staging.folder).stat().st_mode & 0o77 == 0
        assert Path(staging.folder).parent.stat().st_mode & 0o77 == 0
        assert tasks.is_locked(Path(staging.folder)) and not staging.others_died
    assert list((tmp_path / "_staging").iterdir()) == []


# --- kills --------------------------------------------------------------------------------------------------


def run_and_die(settings: config.Observatory, step: int, more: dict[str, Any]) -> int:
    """Run in this process, and kill it instead of its commit with this number, counted from 0. A commit is a
    transaction of a table, or the row of meta.run. Returns their number if there are fewer."""
    commits = 0

    def counted(does: Callable[..., Any]) -> Callable[..., Any]:
        def maybe(self: Lake, table: str, *arguments: Any, **named: Any) -> Any:
            nonlocal commits
            if commits == step:
                os.kill(os.getpid(), signal.SIGKILL)
            commits += 1
            return does(self, table, *arguments, **named)

        return maybe

    def appended(self: Lake, frame: pl.DataFrame, table: str) -> int:
        nonlocal commits
        if commits == step:
            os.kill(os.getpid(), signal.SIGKILL)
        commits += 1
        return append(self, frame, table)

    append = Lake.append
    Lake._commit_files = counted(Lake._commit_files)  # type: ignore[method-assign]
    Lake.append = appended  # type: ignore[method-assign]
    run_all(settings, **more)
    return commits


def killed(settings: config.Observatory, step: int, **more: Any) -> bool:
    """Run in a process of its own that is killed at a commit; whether it came to that."""
    executor = embedded.start_executor()
    [process] = executor._processes.values()
    try:
        executor.submit(run_and_die, settings, step, more).result()
    except BrokenProcessPool:
        process.join()
        # 255: the server that the process was forked from saw it go and could not say how.
        assert process.exitcode in (-signal.SIGKILL, 255)
        return True
    finally:
        executor.shutdown()
    return False


@pytest.mark.long
def test_killed_at_a_commit_and_run_again(
    grown: tuple[config.Observatory, Run], tmp_path: Path, whole: dict[str, Any]
) -> None:
    """Between tables and between operators, and before meta.run: whoever reads the versions that it names
    sees each stage's tables all as before or all as after, and the next run makes them whole."""
    old = by_versions(Lake(grown[0].lake.root))
    new: dict[str, list[str]] = {}
    seen = set()
    # Every other commit, the first by lot.
    start = random.SystemRandom().randrange(2)
    print(f"start {start}")
    for step in range(start, 100, 2):
        settings = elsewhere(grown[0], tmp_path / str(step) / "lake")
        shutil.copytree(grown[0].lake.root, settings.lake.root)
        lake = Lake(settings.lake.root)
        if not killed(settings, step):
            break
        found = by_versions(lake)
        run_all(settings)
        assert rows_in(lake, TABLES) == whole, step
        new = new or by_versions(lake)
        for stage, names in (("silver", SILVER), ("gold", GOLD)):
            part = {table: found[table] for table in names}
            before, after = ({table: each[table] for table in names} for each in (old, new))
            assert before != after and part in (before, after), (step, stage)
            seen.add((stage, part == after))
        assert files_of_no_version(lake) == []
        shutil.rmtree(settings.lake.root)
    assert step > 12
    # Only what audits make of gold is named later, so that one kill at most finds gold new.
    assert seen - {("gold", True)} == {("silver", False), ("silver", True), ("gold", False)}


@pytest.mark.long
def test_what_a_killed_run_wrote_under_other_settings_does_not_stay(
    lake_copy: config.Observatory, whole: dict[str, Any]
) -> None:
    """A run under changed settings dies between two tables; the settings are put back, under which nothing
    differs from what meta.run has on record."""
    run_all(lake_copy)
    lake = Lake(lake_copy.lake.root)
    assert rows_in(lake, TABLES) == whole
    [operator] = lake_copy.operator
    changed = lake_copy.model_copy(
        update={"operator": [operator.model_copy(update={"number_prefixes": ["+44"]})]}
    )
    # First the transmissions, second the messages; then meta.run.
    named = lake.versions()
    days = {"since": dt.date(2026, 1, 1)}
    assert killed(changed, 2, **days)
    assert rows_in(lake, SILVER) != {table: whole[table] for table in SILVER}
    assert lake.versions() == named
    run_all(lake_copy, **days)
    assert rows_in(lake, TABLES) == whole
    assert by_versions(lake, SILVER) == {
        table: sorted(map(repr, lake.read(table).rows())) for table in SILVER
    }


def test_a_reader_of_the_named_versions_never_sees_half(
    lake_copy: config.Observatory, monkeypatch: pytest.MonkeyPatch, whole: dict[str, Any]
) -> None:
    """A reader sees stages as a whole after each transaction of a run."""
    lake = Lake(lake_copy.lake.root)
    states: list[tuple[str, dict[str, list[str]]]] = []
    commit = Lake._commit_files

    def watched(self: Lake, table: str, *arguments: Any) -> None:
        commit(self, table, *arguments)
        states.append((table, by_versions(lake)))

    monkeypatch.setattr(Lake, "_commit_files", watched)
    before = by_versions(lake)
    run_all(lake_copy)
    after = by_versions(lake)
    assert len(states) > 10
    for _, state in states:
        for names in (SILVER, GOLD):
            part = {table: state[table] for table in names}
            assert part in ({table: each[table] for table in names} for each in (before, after))
    # While gold's tables were written one by one, all of them were shown as before. What audits make of them
    # is written after.
    while_gold = [state for written, state in states if written in GOLD]
    assert {table: while_gold[-1][table] for table in GOLD} == {table: before[table] for table in GOLD}
    assert before != after and rows_in(lake, TABLES) == whole


# --- stages, buckets, workers -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[config.Observatory, dict[str, list[str]]]:
    """The mix, computed by one process in one run; settings whose landing is there, and all tables' rows."""
    folder = tmp_path_factory.mktemp("mixed")
    mixed_logs(folder)
    settings = mixed_settings(folder)
    pull_mixed(settings)
    landing = folder / "landed"
    shutil.copytree(settings.lake.root, landing)
    return elsewhere(settings, landing), rows_in(run_on(Inline(), settings).lake, TABLES)


def landed(mixed: tuple[config.Observatory, Any], root: Path) -> config.Observatory:
    """Settings of another lake with the same landing."""
    shutil.copytree(mixed[0].lake.root, root)
    return elsewhere(mixed[0], root)


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_stages_that_run_alone_give_what_one_run_gives(
    mixed: tuple[config.Observatory, Any], tmp_path: Path, workers: int
) -> None:
    """Airflow runs them alone: no stage finds what another one left in staging."""
    settings = landed(mixed, tmp_path / "lake")
    for stage in STAGES:
        engine = Inline() if workers == 1 else Embedded(workers, MEMORY)
        work = run_on(engine, settings, [stage])
        assert list((tmp_path / "lake" / "_staging").iterdir()) == []
    assert rows_in(work.lake, TABLES) == mixed[1]
    assert run_stages(work_of(settings)).changed == {}


@pytest.mark.long
@pytest.mark.parametrize("count", [2, 16])
def test_any_number_of_buckets_and_workers_gives_the_same_tables(
    mixed: tuple[config.Observatory, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(silver_buckets, "bucket_count", lambda *arguments: asked.append(arguments) or count)
    monkeypatch.setattr("jobs.base.engine.silver_buckets.BUCKETS_OF_A_CUT", 4)
    monkeypatch.setattr("jobs.operators.build.ranges.SMALLEST_RANGE", 20_000)
    monkeypatch.setattr("jobs.operators.build.ranges.LARGEST_RANGE", 20_000)
    monkeypatch.setattr("jobs.operators.build.gold_steps.narrow_bucket_count", lambda *arguments: count)
    monkeypatch.setattr("jobs.operators.build.gold_steps.FEW", 50)
    # Parts are merged two by two before they are merged as a whole.
    monkeypatch.setattr("jobs.operators.build.gold_steps.PART_EXPANSION", 1 << 40)
    with Embedded(2, MEMORY) as engine:
        work = run_on(engine, landed(mixed, tmp_path / "lake"))
    assert asked and rows_in(work.lake, TABLES) == mixed[1]


@pytest.mark.long
def test_buckets_of_stages_that_run_alone_give_the_same_tables(
    mixed: tuple[config.Observatory, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silver_buckets, "bucket_count", lambda *arguments: 4)
    settings = landed(mixed, tmp_path / "lake")
    for stage in STAGES:
        work = run_on(Inline(), settings, [stage])
    assert rows_in(work.lake, TABLES) == mixed[1]


@pytest.mark.long
def test_a_lake_that_grows_file_by_file_has_the_same_tables(
    mixed: tuple[config.Observatory, Any], tmp_path: Path
) -> None:
    """Operator by operator, each source in a run of its own, odd ones in stages that run alone."""
    settings = landed(mixed, tmp_path / "lake")
    landing = tmp_path / "lake" / "landing"
    shutil.move(landing, tmp_path / "waits")
    sources = sorted(path for path in (tmp_path / "waits").glob("*/*"))
    assert len(sources) > 10
    limits = settings.limits.model_copy(update={"quarantined_pct": 100})
    settings = settings.model_copy(update={"limits": limits})
    for number, source in enumerate(sources):
        target = landing / source.relative_to(tmp_path / "waits")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)
        for stages in [[stage] for stage in STAGES] if number % 2 else [STAGES]:
            work = run_on(Inline(), settings, stages)
    assert rows_in(work.lake, TABLES) == mixed[1]


# --- one operator's trouble ---------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> config.Observatory:
    """Settings of two operators, whose logs are landed."""
    mail = operator_toml(
        *("lab-mail", "Lab mail provider", "CHE", "lab", "CHF", MAIL_NETWORK),
        source_toml("mx1", str(LAB / "postfix" / "mail.iso8601.log"), "postfix"),
        source_toml("filter", str(LAB / "postfix" / "rspamd.log"), "rspamd"),
    )
    settings = sms_settings(tmp_path, mail)
    (tmp_path / "bearerbox.log").write_bytes(SMS.read_bytes())
    pull_all(settings)
    return settings


def operators_in(lake: Lake, names: Any) -> set[str]:
    return {name for table in names for name in lake.read(table, columns=["operator_id"])["operator_id"]}


def test_a_rule_that_one_operator_breaks_in_silver_holds_it_alone(
    two: config.Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(frame: pl.DataFrame, table: str) -> list[checks.Broken]:
        found = checks.check_rows(frame, table)
        mail = frame.filter(operator_id="lab-mail").height
        if table == MESSAGE and mail:
            found.append(checks.Broken(table, "no_mail", "lab-mail", mail, ({"operator_id": "lab-mail"},)))
        return found

    lake = Lake(two.lake.root)
    with monkeypatch.context() as patch, pytest.raises(ValidationHeld) as held:
        patch.setattr(staged_exchange, "check_rows", broken)
        run_on(Inline(), two)
    assert held.value.exit_code == 1
    assert f"{MESSAGE}: rule no_mail is broken" in str(held.value) and "lab-mail" in str(held.value)
    assert operators_in(lake, TABLES) == {"lab-sms"}
    assert files_of_no_version(lake) == []
    counted = lake.read("gold.spam_volume_daily")
    assert counted["units"].sum() > 0
    # What was held is done when it breaks no rule any more; the other operator's days stay as they are.
    found = run_stages(work_of(two))
    assert operators_in(lake, SILVER) == {"lab-sms", "lab-mail"} == operators_in(lake, GOLD)
    assert {name for table in TABLES for name in found.changed.get(table, {})} == {"lab-mail"}
    assert lake.read("gold.spam_volume_daily").filter(operator_id="lab-sms").equals(counted)


@pytest.mark.long
def test_a_rule_that_one_operator_breaks_in_gold_holds_it_alone(
    two: config.Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = spam_type_daily.partial

    def wrong(*inputs: pl.DataFrame) -> pl.DataFrame:
        more = pl.when(operator_id="lab-mail").then(pl.col("spam_possible") + 1).otherwise("spam_certain")
        return partial(*inputs).with_columns(spam_certain=more)

    lake = Lake(two.lake.root)
    with monkeypatch.context() as patch, pytest.raises(ValidationHeld, match="gold.spam_type_daily"):
        patch.setattr(spam_type_daily, "partial", wrong)
        run_on(Inline(), two)
    assert operators_in(lake, SILVER) == {"lab-sms", "lab-mail"}
    assert operators_in(lake, GOLD) == {"lab-sms"}
    assert {row[1] for row in record.read_state(lake, GOLD)} == {"lab-sms"}
    found = run_stages(work_of(two))
    assert operators_in(lake, GOLD) == {"lab-sms", "lab-mail"}
    assert {name for table in TABLES for name in found.changed.get(table, {})} == {"lab-mail"}
