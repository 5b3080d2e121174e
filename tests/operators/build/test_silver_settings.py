"""Settings of an operator that silver uses: days are computed again once they changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.base.store.lake import Lake
from tests.support.in_process import Told, command_line_of
from tests.support.whole_runs import operator_toml, source_toml

LINES = (
    "{0}T10:00:01+00:00 mx1 postfix/smtpd[7]: {1}: client=c.example[192.0.2.9]\n"
    "{0}T10:00:02+00:00 mx1 postfix/cleanup[8]: {1}: message-id=<{1}@c.example>\n"
    "{0}T10:00:03+00:00 mx1 postfix/qmgr[9]: {1}: from=<a@c.example>, size=900, nrcpt=1 (queue active)\n"
    "{0}T10:00:04+00:00 mx1 postfix/local[9]: {1}: to=<b@own.example>, relay=local, delay=0.1,"
    " delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to mailbox)\n"
    "{0}T10:00:05+00:00 mx1 postfix/qmgr[9]: {1}: removed\n"
)
Command = Callable[..., Told]


class Site:
    """An operator with one mail log, its settings, and its lake."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.folder, self.command = folder, command
        self.log = folder / "mail.log"
        self.settings()

    def settings(self, domain: str = "other.example", extra: str = "", source: str = "") -> None:
        log = source_toml("mx1", str(self.log), "postfix") + source
        about = operator_toml("a", "A", "CHE", "a", "CHF", f'domains = ["{domain}"]\n{extra}', log)
        text = f'[lake]\nroot = "lake"\nread_at = 2026-11-25T00:00:00Z\n{about}'
        (self.folder / "observatory.toml").write_text(text, encoding="utf-8")

    def add(self, day: str) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(LINES.format(day, f"4jYl9Z1ZHVz1{day[5:7]}{day[8:]}"))
        assert self.command("pull", "--config", self.folder / "observatory.toml").code == 0

    def run(self, *more: str) -> str:
        file = self.folder / "observatory.toml"
        ran = self.command("run", "--stage", "bronze", "--stage", "silver", "--config", file, *more)
        assert ran.code == 0, ran.err
        return " ".join((ran.out + ran.err).split())

    def directions(self) -> dict[str, str]:
        found = Lake(str(self.folder / "lake")).read("silver.message").filter("is_message_row")
        rows = found.select("period_date", "direction_code").sort("period_date").rows()
        return {str(day): code for day, code in rows}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Site:
    monkeypatch.delenv("OBSERVATORY_READ_AT", raising=False)
    return Site(tmp_path, command_line_of(monkeypatch, capsys, 200))


@pytest.mark.long
def test_open_days_are_computed_again_once_silvers_settings_changed(site: Site) -> None:
    for day in ("2026-08-20", "2026-11-20", "2026-11-24"):
        site.add(day)
        site.run()
    others = dict.fromkeys(("2026-08-20", "2026-11-20", "2026-11-24"), "transit")
    assert site.directions() == others
    # What silver does not read changes nothing.
    site.settings(extra="subscribers = 9\n", source="stale_days = 9\n")
    assert "Nothing new" in site.run()
    site.settings("own.example")
    said = site.run()
    assert "operator 'a': domains changed since its days were computed: they are computed again." in said
    own = others | dict.fromkeys(("2026-11-20", "2026-11-24"), "inbound")
    assert site.directions() == own
    # A day that is closed stays, and the run says so.
    closed = (
        "operator 'a': silver of 2026-08-20 is not computed again, because it is closed ([lake] open_days ="
        " 35). To compute it set open_days = 96, and give --since 2026-08-20."
    )
    assert closed in said
    assert "Nothing new" in site.run()
    assert closed in site.run("--since", "2026-08-01")
    assert closed not in site.run("--since", "2026-09-01")
    assert site.directions() == own


def test_an_older_lake_does_not_know_its_settings_and_is_not_computed_again(site: Site) -> None:
    site.add("2026-11-24")
    site.run()
    lake = Lake(str(site.folder / "lake"))
    known = lake.read_notes()["operators"]["a"]
    assert known.pop("settings")["domains"]
    lake.add_notes({"operators": {"a": known}})
    site.settings("own.example")
    assert "Nothing new" in site.run()
    assert lake.read_notes()["operators"]["a"]["settings"]["domains"]


def test_a_setting_that_lines_were_read_by_is_said_once_to_have_changed(site: Site) -> None:
    site.add("2026-11-24")
    assert "changed" not in site.run()
    site.settings(source='time_zone = "Europe/Zurich"\n')
    said = (
        "operator 'a', source 'mx1': time_zone changed. Lines that were read before keep the former setting"
    )
    assert said in site.run()
    assert "changed" not in site.run()


def test_a_changed_zone_alone_computes_no_gold_and_is_not_called_nothing_new(site: Site) -> None:
    site.add("2026-11-24")
    file = site.folder / "observatory.toml"
    assert site.command("run", "--config", file).code == 0
    site.settings(source='time_zone = "Europe/Zurich"\nclock_offset = 60\n')
    ran = site.command("run", "--config", file)
    assert "time_zone and clock_offset changed. Lines that were read before keep" in ran.err
    assert "Nothing new" not in ran.out and "No table changed." in ran.out
    # No figure depends on how a source is read, once it is read.
    assert "gold    nothing new" in ran.err
    assert "Nothing new: every table is up to date." in site.command("run", "--config", file).out
