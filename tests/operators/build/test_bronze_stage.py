"""Pull and ingest into a lake: filters in mail logs, reports, and what is read again after a mend."""

import datetime as dt
import os
import zipfile
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.engine.embedded import Inline
from jobs.base.settings import config, node
from jobs.base.settings.operator import Operator, SourceSettings
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import read_contract
from jobs.operators.build import bronze_stage, quarantined_batches
from jobs.operators.build.batches import Ingest
from jobs.operators.build.settings_tables import read_reference
from jobs.operators.ingest.pull import Pulled, pull_operator
from jobs.operators.protect.operators import Protection
from tests.conftest import ROOT
from tests.support.buckets import assembled_in_buckets
from tests.support.delta import read_delta
from tests.support.held_log import held_log

LAB = ROOT / "sample_data" / "lab"
REPORTS = ROOT / "tests" / "data" / "reports"
NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
KANNEL = (LAB / "kannel" / "bearerbox-access.log").read_bytes()
DAY = 86_400


class Site:
    """One operator whose sources are folders, and its lake."""

    def __init__(self, root: Path, **formats: str) -> None:
        self.root, self.lake = root, Lake(str(root / "lake"))
        self.sources = {
            name: SourceSettings(id=name, url=f"{root}/{name}/*", format=format)
            for name, format in formats.items()
        }
        for name in formats:
            (root / name).mkdir()

    def write(self, source: str, name: str, data: bytes) -> None:
        file = self.root / source / name
        file.write_bytes(data)
        # Reports and stamps without a year are older than their files.
        os.utime(file, (NOW.timestamp(), NOW.timestamp()))

    @property
    def settings(self) -> config.Observatory:
        operator = Operator(
            id="a", name="A", country="CHE", holding="a", currency="CHF", source=list(self.sources.values())
        )
        return config.Observatory(lake=node.LakeSettings(root=self.lake.root), operator=[operator])

    def pull(self) -> Pulled:
        return pull_operator(self.settings.operator[0], self.lake.root, NOW)

    def ingest(self, ingest_id: str) -> list[str]:
        return list(bronze_stage.ingest_pending(self.work(), ingest_id).batches)

    def requarantine(self) -> list[str]:
        return list(quarantined_batches.read_quarantined(self.work()).batches)

    def work(self) -> Ingest:
        return Ingest(self.lake, self.settings, list(self.settings.operator), Inline())

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Rows of a table as sorted tuples."""
        frame = read_delta(Path(self.lake.root) / table.replace(".", "/"))
        frame = frame.select(columns or read_contract(table).columns) if frame.width else frame
        return sorted(frame.rows(), key=str)

    def sizes(self, table: str) -> dict[str, int]:
        """Rows of each source."""
        found: dict[str, int] = {}
        for (source,) in self.rows(table, "source_id"):
            found[source] = found.get(source, 0) + 1
        return found

    def ledger(self) -> dict[str, tuple[Any, ...]]:
        """The format of each source, with its lines, records, ignored and quarantined ones, all its files
        together."""
        counts = ("line_count", "record_count", "ignored_count", "quarantined_count")
        found: dict[str, tuple[Any, ...]] = {}
        for source, name, *numbers in self.rows("bronze.file", "source_id", "format_code", *counts):
            before = found.get(source, (name, 0, 0, 0, 0))
            assert before[0] == name
            found[source] = (name, *(old + new for old, new in zip(before[1:], numbers, strict=True)))
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A mail server, its spamd, two mailboxes of reports, and an SMS log whose format is named wrongly."""
    site = Site(
        tmp_path_factory.mktemp("bronze"),
        mail="postfix",
        spamd="spamassassin",
        rua="dmarc",
        fbl="feedback",
        sms="postfix",
    )
    site.write("mail", "mail.log", (LAB / "postfix" / "mail.iso8601.log").read_bytes())
    site.write("spamd", "spamd.log", (LAB / "exim" / "spamd.log").read_bytes())
    report = (REPORTS / "rfc7489.xml").read_bytes()
    site.write("rua", "report.xml", report)
    with zipfile.ZipFile(site.root / "packed.zip", "w") as archive:
        archive.write(REPORTS / "rfc9990.xml", "r.xml")
        archive.write(REPORTS / "bomb_entities.xml", "b.xml")
    site.write("rua", "packed.zip", (site.root / "packed.zip").read_bytes())
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "r@receiver.example", "rua@isp.example", "Report domain: a"
    mail.set_content("unused")
    mail.add_attachment(report, maintype="application", subtype="xml", filename="r.xml")
    site.write("rua", "mailed.eml", mail.as_bytes())
    for name in ("abuse.eml", "no_arf_part.eml"):
        site.write("fbl", name, (REPORTS / name).read_bytes())
    site.write("sms", "access.log", KANNEL)
    pulled = site.pull()
    assert (pulled.pieces, pulled.problems) == (8, [])
    assert site.ingest("1") == ["1"]
    return site


def test_lines_of_filters_and_reports_come_into_bronze(site: Site) -> None:
    spamd_rows = site.sizes("bronze.spamassassin")
    assert spamd_rows["mail"] == 42
    # Its own log and its lines in the mail log came in one batch: neither takes the other's place.
    assert spamd_rows["spamd"] >= 40
    assert site.sizes("bronze.amavis") == {"mail": 21}
    assert site.sizes("bronze.opendkim") == {"mail": 68}
    assert site.sizes("bronze.feedback") == {"fbl": 1}
    reports = site.rows("bronze.dmarc", "report_id", "stream_id")
    assert len({report for report, _ in reports}) == 2
    assert len({stream for _, stream in reports}) == 3
    ledger = site.ledger()
    assert ledger["rua"] == ("dmarc", 4, 3, 0, 1)
    assert ledger["fbl"] == ("feedback", 2, 1, 0, 1)
    assert ledger["mail"][4] == 0
    for _, lines, *parts in ledger.values():
        assert lines == sum(parts)
    refused = site.rows("bronze.quarantine", "source_id", "format_code", "reason_code")
    assert [row for row in refused if row[0] != "sms"] == [
        ("fbl", "feedback", "no_report"),
        ("rua", "dmarc", "unsafe_xml"),
    ]


def test_what_is_landed_and_read_is_neither_again(site: Site) -> None:
    assert site.pull() == Pulled()
    assert site.ingest("2") == []
    assert not list((site.root / "lake" / "_staging").glob("*"))


TABLES = ("postfix", "spamassassin", "amavis", "opendkim", "dmarc", "feedback")


def test_a_source_whose_format_was_wrong_is_read_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = KANNEL.count(b"\n")
    assert site.ledger()["sms"][0] == "postfix"
    assert site.ledger()["sms"][4] > lines / 2
    before = {table: site.rows(f"bronze.{table}") for table in TABLES}
    quarantine = [row for row in site.rows("bronze.quarantine") if "sms" not in row]
    ledger = site.ledger()
    site.sources["sms"] = site.sources["sms"].model_copy(update={"format": "kannel"})

    # Killed before the ledger is written, it is finished by the next run, whichever that is.
    write = Lake.replace

    def killed(self: Lake, frame: Any, table: str, where: str, note: dict[str, Any]) -> int:
        if table == "bronze.file":
            raise KeyboardInterrupt
        return write(self, frame, table, where, note)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            site.requarantine()
    assert site.ledger() == ledger
    assert site.ingest("3") == ["1"]

    counted = sum(b" Log " not in line for line in KANNEL.splitlines())
    assert site.ledger() == ledger | {"sms": ("kannel", lines, counted, lines - counted, 0)}
    assert set(site.sizes("bronze.kannel")) == {"sms"}
    assert {table: site.rows(f"bronze.{table}") for table in TABLES} == before
    assert site.rows("bronze.quarantine") == quarantine
    assert site.rows("bronze.file", "ingest_id") == [("1",)] * 8
    # What comes next of the same log is read by the right format.
    more = KANNEL.splitlines(keepends=True)[1]
    site.write("sms", "access.log", KANNEL + more)
    assert site.pull() == Pulled(1, len(more))
    assert site.ingest("4") == ["4"]
    assert site.ledger()["sms"] == ("kannel", lines + 1, counted + 1, lines - counted, 0)


def test_reading_again_takes_away_what_a_source_told_before(site: Site) -> None:
    assert {"rua", "fbl"} == {row[0] for row in site.rows("bronze.quarantine", "source_id")}
    mail, reports = site.rows("bronze.postfix"), site.rows("bronze.dmarc")
    # What was landed as documents is not read as lines, whatever its source is called now.
    site.sources["rua"] = site.sources["rua"].model_copy(update={"format": "postfix"})
    site.sources["fbl"] = site.sources["fbl"].model_copy(update={"format": "dmarc"})
    assert site.requarantine() == ["1"]
    assert site.ledger()["rua"] == ("dmarc", 4, 3, 0, 1)
    # The format of DMARC's reports leaves complaints alone; the mail without a report stays refused.
    assert site.ledger()["fbl"] == ("dmarc", 2, 0, 1, 1)
    assert site.rows("bronze.feedback") == []
    assert (site.rows("bronze.postfix"), site.rows("bronze.dmarc")) == (mail, reports)


def test_what_is_gone_is_not_taken_out_of_the_lake(site: Site) -> None:
    ledger, rows = site.ledger(), site.rows("bronze.quarantine")
    manifest = site.root / "lake" / "landing" / "a" / "rua" / "manifest.json"
    manifest.rename(manifest.with_name("away"))
    with pytest.raises(
        ObservatoryError, match=r"batch 1 cannot be read again: 3 of its pieces, such as a/rua/"
    ):
        site.requarantine()
    manifest.with_name("away").rename(manifest)
    assert site.ingest("5") == []
    # A source that the settings no longer have keeps its rows.
    del site.sources["rua"]
    assert site.requarantine() == ["1"]
    assert (site.ledger(), site.rows("bronze.quarantine")) == (ledger, rows)


@pytest.mark.long
def test_what_is_held_before_a_pull_and_named_after_it_is_one_message(tmp_path: Path) -> None:
    """The mail log is pulled wherever it is, five times, once just between two lines that belong together."""
    lines = held_log()
    log = "".join(f"{line}\n" for line in lines).encode()
    held = next(number for number, line in enumerate(lines) if "NOQUEUE: hold" in line and "mx1" in line)
    cuts = sorted({held + 1, held + 2, 40, 90, len(lines) - 1, len(lines)})
    found = []
    for name, ends in (("whole", [len(lines)]), ("grown", cuts)):
        (tmp_path / name).mkdir()
        site = Site(tmp_path / name, mail="postfix")
        for end in ends:
            site.write("mail", "mail.log", b"\n".join(log.split(b"\n")[:end]) + b"\n")
            assert site.pull().problems == []
            assert site.ingest(f"batch{end}") == [f"batch{end}"]
        operator = read_reference(site.settings, "ref.operator")
        bronze = site.lake.read("bronze.postfix")
        (rows,) = assembled_in_buckets(
            "silver.transmission", {"postfix": bronze}, Protection.read_operators(operator), 1
        )
        found.append((bronze.filter(row_code="held").height, sorted(map(str, rows.rows()))))
    (few, whole), (many, grown) = found
    assert many > few
    assert grown == whole
    assert sum("quarantined" in row for row in whole) == 13
