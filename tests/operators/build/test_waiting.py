"""A source with too many quarantined lines: what is new of it waits, all else goes on, nothing is lost."""

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.store.lake import Lake
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.keep.retention import plan_retention
from tests.support.examples import examples
from tests.support.in_process import Run, command_line_of
from tests.support.whole_runs import operator_toml, source_toml

TABLES = ("silver.message", "silver.transmission", "gold.spam_volume_daily")


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line_of(monkeypatch, capsys, width=200)


def mail(host: str, *numbers: int, day: int = 24) -> str:
    """The lines of one delivered message each."""
    return "".join(
        f"2026-11-{day}T10:{number:02}:00+00:00 {host} postfix/{line}\n"
        for number in numbers
        for line in (
            f"smtpd[5]: 4jYlH071Srz1f{number:02}: client=far.example[192.0.2.7]",
            f"qmgr[7]: 4jYlH071Srz1f{number:02}: from=<a@far.example>, size=900, nrcpt=1 (queue active)",
            f"lmtp[9]: 4jYlH071Srz1f{number:02}: to=<b@isp.example>, relay=local, delay=1, dsn=2.0.0,"
            " status=sent (ok)",
            f"qmgr[7]: 4jYlH071Srz1f{number:02}: removed",
        )
    )


ODD = "2026-13-24T10:00:00+00:00 mx2 postfix/qmgr[7]: 4jYlH071Srz1fP: removed\n"


def settings(folder: Path, more: str = "") -> Path:
    file = folder / "observatory.toml"
    sources = [source_toml(name, f"{name}.log", "postfix") for name in ("mx1", "mx2")]
    operator = operator_toml("a", "A", "CHE", "a", "CHF", 'domains = ["isp.example"]\n', *sources)
    file.write_text(f'[lake]\nroot = "lake"\nread_at = 2026-11-26T00:00:00Z\n{more}{operator}')
    return file


def rows(folder: Path, table: str) -> list[tuple[object, ...]]:
    frame = Lake(str(folder / "lake")).read(table)
    # Written when it was computed.
    frame = frame.drop("computed_at", strict=False)
    return sorted(frame.rows(), key=repr)


def test_a_strangers_one_malformed_report_holds_nothing_back(observatory: Run, tmp_path: Path) -> None:
    file = settings(tmp_path)
    (tmp_path / "mx1.log").write_text(mail("mx1", 1))
    (tmp_path / "mx2.log").write_text(mail("mx2", 2) + ODD)
    assert observatory("run", "--config", file).code == 0
    assert len(rows(tmp_path, "silver.message")) == 2


def test_what_is_new_of_a_source_over_the_limit_waits_and_the_others_go_on(
    observatory: Run, tmp_path: Path
) -> None:
    file = settings(tmp_path)
    (tmp_path / "mx1.log").write_text(mail("mx1", 1))
    (tmp_path / "mx2.log").write_text(mail("mx2", 2))
    assert observatory("run", "--config", file).code == 0
    (tmp_path / "mx1.log").write_text(mail("mx1", 1, 3))
    (tmp_path / "mx2.log").write_text(mail("mx2", 2, 4) + ODD * 10)
    told = observatory("run", "--config", file)
    assert told.code == 1
    assert (
        "bronze.file: rule quarantine_within_limit is broken on 1 row; what is new of a/mx2 waits."
        in told.err
    )
    # mx2's earlier message stays, its new one waits, and gold goes on.
    assert len(rows(tmp_path, "silver.message")) == 3
    volume = Lake(str(tmp_path / "lake")).read("gold.spam_volume_daily")
    assert volume.filter(definition_code="OPERATOR", unit_code="recipient")["units"].sum() == 3
    status = observatory("status", "--config", file)
    assert "a/mx2  bronze.file: rule quarantine_within_limit" in status.out
    # Each run says so again, and computes nothing.
    again = observatory("run", "--config", file)
    assert again.code == 1 and "Nothing new" not in again.err
    # Once the limit is raised it counts.
    settings(tmp_path, "[limits]\nquarantined_pct = 80\n")
    assert observatory("run", "--config", file).code == 0
    assert len(rows(tmp_path, "silver.message")) == 4
    assert "quarantine_within_limit" not in observatory("status", "--config", file).out


def test_a_source_that_was_read_again_for_the_worse_leaves_silver_as_it_was(
    observatory: Run, tmp_path: Path
) -> None:
    """Bronze no longer has what silver has of it: the operator waits, as its days cannot be computed."""
    file = settings(tmp_path)
    (tmp_path / "mx1.log").write_text(mail("mx1", 1))
    (tmp_path / "mx2.log").write_text(mail("mx2", *range(2, 9)) + ODD)
    assert observatory("run", "--config", file).code == 0
    before = rows(tmp_path, "silver.message")
    text = file.read_text()
    file.write_text(text.replace('mx2.log"\nformat = "postfix"', 'mx2.log"\nformat = "kannel"'))
    assert file.read_text() != text
    told = observatory("run", "--requarantine", "--config", file)
    assert told.code == 1 and "the table stays as it was" in told.err
    assert rows(tmp_path, "silver.message") == before


def test_a_source_that_waits_keeps_no_older_days_than_others_do(observatory: Run, tmp_path: Path) -> None:
    """Retention goes on: what waits until its days are closed goes with them."""
    file = settings(tmp_path, "[retention]\nlanding = 1\nbronze = 1\n")
    file.write_text(file.read_text().replace('root = "lake"', 'root = "lake"\nopen_days = 1'))
    (tmp_path / "mx1.log").write_text(mail("mx1", 1, day=10))
    (tmp_path / "mx2.log").write_text(mail("mx2", 2, day=10) + ODD * 10)
    assert observatory("run", "--config", file).code == 1
    (tmp_path / "mx1.log").write_text(mail("mx1", 1, day=10) + mail("mx1", 3, day=25))
    assert observatory("run", "--config", file).code == 1
    lake = Lake(str(tmp_path / "lake"))
    made = plan_retention(lake, load_with_options(file), ["a"], dt.date(2027, 1, 24))
    gone = {each.table_name for each in made.removals}
    assert {"landing/mx1", "landing/mx2", "bronze.postfix"} <= gone


GOOD, BAD = "good", "bad"


@pytest.mark.long
@examples(8)
@given(
    st.lists(
        st.tuples(st.sampled_from(["mx1", "mx2"]), st.sampled_from([GOOD, BAD]), st.integers(23, 25)),
        min_size=2,
        max_size=7,
    ),
)
def test_what_waited_and_then_counts_gives_the_same_tables(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]]
) -> None:
    """Lines that waited through any runs, and then count because the limit is raised, give what one run over
    all of them gives."""
    split, once = (tmp_path_factory.mktemp(name) for name in ("split", "once"))
    with pytest.MonkeyPatch.context() as patch:
        run = plain(patch)
        for folder in (split, once):
            for name in ("mx1", "mx2"):
                (folder / f"{name}.log").write_text(mail(name, 0))
        file = settings(split)
        codes = set()
        for number, (name, kind, day) in enumerate(steps, 1):
            text = mail(name, number, day=day) + (ODD * 10 if kind == BAD else "")
            for folder in (split, once):
                with (folder / f"{name}.log").open("a") as log:
                    log.write(text)
            codes.add(run("run", "--config", file))
        assert codes <= {0, 1}
        settings(split, "[limits]\nquarantined_pct = 100\n")
        assert run("run", "--config", file) == 0
        assert run("run", "--config", settings(once, "[limits]\nquarantined_pct = 100\n")) == 0
    for table in TABLES:
        assert rows(split, table) == rows(once, table)
    assert len(rows(split, "silver.message")) == len(steps) + 2


def plain(patch: pytest.MonkeyPatch) -> Run:
    """The exit code of a command."""
    import sys

    from jobs.cli import main as command_line

    def run(*arguments: object) -> int:
        patch.setattr(sys, "argv", ["observatory", *map(str, arguments)])
        try:
            command_line.main()
        except SystemExit as leave:
            return int(leave.code or 0)
        return 0

    return run  # type: ignore[return-value]
