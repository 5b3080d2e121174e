"""Whole runs over the same mail in two files: the figures of one, whatever came first, and what is told."""

import datetime as dt
import sys
from pathlib import Path

import polars as pl
import pytest

from jobs.base.settings import config
from jobs.base.store.lake import Lake
from jobs.cli import main as command_line
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.build.run import Run
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs.runner import run_stages
from jobs.operators.silver.copies import TABLE
from jobs.operators.silver.frames import SILVER
from tests.support.filter_logs import lab
from tests.support.whole_runs import CYPRIOT_MOBILE, MAIL_NETWORK, operator_toml, rows_in, source_toml

pytestmark = pytest.mark.long

HEAD = '[lake]\nroot = "lake"\n\n[limits]\nquarantined_pct = 60\n'
MAIL = lab("postfix/mail.iso8601.log")[:700]
BSD = lab("postfix/mail.rfc3164.log")[:700]
SMS = lab("kannel/bearerbox-access.log")
CUT = len(SMS) // 2
# The system's lines between those of the mail server.
SYSLOG = [text for line in BSD for text in (line, f"{line[:15]} mx1 systemd[1]: Started a session.")]
OF_PLACE = ("source_id", "stream_id", "offset")


def write(folder: Path, files: dict[str, list[str]]) -> None:
    for name, lines in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(line + "\n" for line in lines))


def settings_of(folder: Path, *mail: str, sms: str = "sms/*.log") -> config.Observatory:
    """An operator with the mail logs of these sources, and one with SMS logs."""
    folder.mkdir(exist_ok=True)
    sources = [source_toml(name, f"{name}.log", "postfix") for name in mail]
    gateways = [source_toml(f"sms{number or ''}", url, "kannel") for number, url in enumerate(sms.split())]
    text = "\n".join(
        [
            HEAD,
            operator_toml("mail", "Mail", "CHE", "lab", "CHF", MAIL_NETWORK, *sources),
            operator_toml("sms", "SMS", "CYP", "sms", "EUR", CYPRIOT_MOBILE, *gateways),
        ]
    )
    (folder / "observatory.toml").write_text(text)
    return load_with_options(folder / "observatory.toml", lake_root=str(folder / "lake"))


def pulled_and_run(settings: config.Observatory) -> Run:
    now = dt.datetime.now(dt.UTC)
    for operator in settings.operator:
        assert pull_operator(operator, settings.lake.root, now).problems == []
    lake = Lake(settings.lake.root)
    name = dt.datetime.now(dt.UTC).isoformat()
    work = Run(lake, settings, list(settings.operator), name, report_step=lambda text: None)
    run_stages(work)
    return work


def figures(settings: config.Observatory) -> dict[str, list[str]]:
    """All rows of gold."""
    return rows_in(Lake(settings.lake.root), GOLD)


def everything(settings: config.Observatory) -> dict[str, list[str]]:
    """All rows of silver and gold, with their places."""
    return rows_in(Lake(settings.lake.root), (*SILVER, *GOLD))


WHOLE = {"sms/access.log": SMS}
COPIES = {"sms/access.log": SMS[: CUT + 20], "sms/access-2.log": SMS[CUT - 20 :]}


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> config.Observatory:
    """Return the settings of a run on each log in one file."""
    folder = tmp_path_factory.mktemp("single")
    settings = settings_of(folder, "mail")
    write(folder, {"mail.log": MAIL, **WHOLE})
    pulled_and_run(settings)
    return settings


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> config.Observatory:
    """Return the settings of a run on mail in two renderings of two sources, and SMS in files that
    overlap."""
    folder = tmp_path_factory.mktemp("double")
    settings = settings_of(folder, "mail", "syslog")
    write(folder, {"mail.log": MAIL, "syslog.log": SYSLOG, **COPIES})
    pulled_and_run(settings)
    return settings


def test_the_figures_are_those_of_one_file(single: config.Observatory, double: config.Observatory) -> None:
    wanted = figures(single)
    assert any(wanted.values())
    assert figures(double) == wanted


def test_what_comes_later_gives_what_is_there_from_the_start(
    double: config.Observatory, tmp_path: Path
) -> None:
    """The mail log grows, and so does its copy; a file of SMS that overlaps comes last."""
    settings = settings_of(tmp_path, "mail", "syslog")
    batches = [
        {"mail.log": MAIL[:400], "syslog.log": SYSLOG[:100], "sms/access-2.log": COPIES["sms/access-2.log"]},
        {"mail.log": MAIL, "syslog.log": SYSLOG[:900]},
        {"syslog.log": SYSLOG, **COPIES},
    ]
    for files in batches:
        write(tmp_path, files)
        pulled_and_run(settings)
    assert everything(settings) == everything(double)


def test_the_copies_are_counted_by_pair_of_sources(double: config.Observatory) -> None:
    rows = Lake(double.lake.root).read(TABLE)
    pairs = rows.group_by("operator_id", "kept_source_id", "source_id").agg(pl.col("copied_line_count").sum())
    found = {row[:3]: row[3] for row in pairs.rows()}
    assert found.keys() == {("mail", "mail", "syslog"), ("sms", "sms", "sms")}
    ledger = Lake(double.lake.root).read("bronze.file")
    records = ledger.filter(source_id="syslog")["record_count"].sum()
    assert 0.95 * records < found["mail", "mail", "syslog"] <= records
    assert 30 < found["sms", "sms", "sms"] <= 40
    assert rows["alike_line_count"].sum() == 0


def status_of(
    settings: config.Observatory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setenv("COLUMNS", "200")
    file = Path(settings.lake.root).parent / "observatory.toml"
    monkeypatch.setattr(sys, "argv", ["observatory", "status", "--config", str(file)])
    with pytest.raises(SystemExit):
        command_line.main()
    return capsys.readouterr().out


def test_status_names_the_pairs_and_what_to_do(
    double: config.Observatory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = status_of(double, monkeypatch, capsys)
    print(text)
    assert "Lines that another file holds too, which count once" in text
    assert "move this source's id to former_sources" in text
    assert "0 broken" in text


def test_two_servers_may_write_the_same_and_status_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kannel's lines name no host: of two sources all count, and who sees it can say that it is one log."""
    settings = settings_of(tmp_path, "mail", sms="sms/access.log sms/other.log")
    write(tmp_path, {"mail.log": MAIL[:50], "sms/access.log": SMS, "sms/other.log": SMS[5:]})
    pulled_and_run(settings)
    lake = Lake(settings.lake.root)
    (row,) = lake.read(TABLE).to_dicts()
    assert (row["copied_line_count"], row["kept_source_id"], row["source_id"]) == (0, "sms", "sms1")
    received = lake.read("silver.transmission").filter(operator_id="sms")["source_id"].value_counts()
    assert received["count"].to_list() == pytest.approx([received["count"][0]] * 2, abs=5)
    text = status_of(settings, monkeypatch, capsys)
    print(text)
    assert "may be two servers'" in text
