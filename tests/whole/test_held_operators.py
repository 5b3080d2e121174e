"""Sources and operators whose logs break a rule are held back by name; the others go on to gold."""

from pathlib import Path

import polars as pl
import pytest

from jobs.base.store.lake import Lake
from tests.operators.formats.test_dmarc import sample
from tests.support.filter_logs import lab
from tests.support.in_process import command_line_of
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, rows_in, source_toml

GOLD = ("gold.spam_volume_daily", "gold.spam_type_daily")
CLEAN = ("alp", "bay")
HELD = ("odd-1", "odd-2")
MAIL = "".join(line + "\n" for line in lab("postfix/mail.iso8601.log")[:200])


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Two operators with a mail log, and two whose folder of 25 DMARC reports has two that are none."""
    operators = []
    for name in (*CLEAN, *HELD):
        (tmp_path / f"{name}.log").write_text(MAIL)
        sources = [source_toml("mx", f"{name}.log", "postfix")]
        if name in HELD:
            folder = tmp_path / name
            folder.mkdir()
            report = sample("rfc7489.xml")
            for number in range(25):
                body = b"<html>no report %d</html>\n" % number
                if number > 1:
                    body = report.replace(b"</report_id>", b"-%d</report_id>" % number)
                (folder / f"{number}.xml").write_bytes(body)
            sources.append(source_toml("rua", f"{name}/*.xml", "dmarc"))
        operators.append(operator_toml(name, name, "CHE", name, "CHF", MAIL_NETWORK, *sources))
    file = tmp_path / "observatory.toml"
    file.write_text("\n".join(['[lake]\nroot = "lake"\n', *operators]))
    return file


@pytest.mark.long
def test_two_odd_documents_hold_back_their_source_alone(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    observatory = command_line_of(monkeypatch, capsys, width=200)
    lake = Lake(str(settings.parent / "lake"))
    text = settings.read_text()
    limited = text.replace("\n[[operator]]", "\n[limits]\nquarantined_lines = 2\n\n[[operator]]", 1)
    settings.write_text(limited)
    done = observatory("run", "--config", settings)
    assert done.code == 1
    assert "what is new of odd-1/rua, odd-2/rua waits" in done.err
    for name in HELD:
        assert f"operator_id={name}, source_id=rua" in done.err
    # The mail of all operators counts.
    for table in ("silver.message", "gold.spam_volume_daily"):
        assert set(lake.read(table)["operator_id"]) == {*CLEAN, *HELD}
    units = lake.read("gold.spam_volume_daily").group_by("operator_id").agg(pl.col("units").sum())["units"]
    assert units.n_unique() == 1 and units[0] > 0
    assert lake.read("silver.authentication_report").is_empty()
    status = observatory("status", "--config", settings)
    assert all(f"{name}/rua" in status.out for name in HELD)
    before = rows_in(lake, GOLD)
    # So few odd documents are no share, unless the settings say so: now they count.
    settings.write_text(text)
    assert observatory("run", "--config", settings).code == 0
    assert set(lake.read("silver.authentication_report")["operator_id"]) == set(HELD)

    # Over the limit again: nothing of it is new, and what silver has of it stays.
    settings.write_text(limited)
    reports = lake.read("silver.authentication_report").height
    assert observatory("run", "--since", "2026-11-01", "--config", settings).code == 0
    assert lake.read("silver.authentication_report").height == reports
    assert rows_in(lake, GOLD) == before


def test_a_held_rule_hides_no_source_that_could_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mail.log").write_text(MAIL.replace("2026-11-24", "2026-13-24", 100))
    sources = [source_toml("mx", "mail.log", "postfix"), source_toml("filter", "rspamd.log", "rspamd")]
    file = tmp_path / "observatory.toml"
    operator = operator_toml("alp", "Alp", "CHE", "alp", "CHF", MAIL_NETWORK, *sources)
    file.write_text(f'[lake]\nroot = "lake"\n{operator}')
    done = command_line_of(monkeypatch, capsys, width=200)("run", "--config", file)
    assert done.code == 1
    assert "operator_id=alp, source_id=mx" in done.err
    assert f"operator 'alp', source 'filter': no file matches {tmp_path / 'rspamd.log'}" in done.err


@pytest.mark.long
def test_what_was_written_is_shown_beside_a_held_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd.log").write_text(MAIL.replace("2026-11-24", "2026-13-24", 100))
    (tmp_path / "alp.log").write_text(MAIL)
    file = tmp_path / "observatory.toml"
    operators = [
        operator_toml(name, name, "CHE", name, "CHF", domains, source_toml("mx", f"{name}.log", "postfix"))
        for name, domains in (("alp", MAIL_NETWORK), ("odd", ""))
    ]
    file.write_text("\n".join(['[lake]\nroot = "lake"\n', *operators]))
    observatory = command_line_of(monkeypatch, capsys, width=200)
    assert observatory("pull", "--config", file).code == 0
    stages = ("run", "--stage", "bronze", "--stage", "silver", "--config", file)
    done = observatory(*stages)
    assert done.code == 1
    assert "silver.message" in done.out and "Nothing new" not in done.out
    # A note reaches the person, too, and nothing is called up to date.
    file.write_text(file.read_text().replace("example.test", "example.org"))
    done = observatory(*stages)
    assert (done.code, "Nothing new" in done.out) == (1, False)
    assert "operator 'alp': domains changed since its days were computed" in done.err
