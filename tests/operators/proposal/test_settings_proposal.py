"""The first five minutes: `report LOG…` and `init LOG…` on the lab's logs."""

import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.store.lake import Lake
from jobs.operators.formats.kannel.own_layouts import LAYOUTS
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.proposal.domains import find_domains
from jobs.operators.proposal.settings_proposal import (
    add_known,
    country_of_domains,
    country_of_zone,
    propose_from_logs,
)
from jobs.operators.proposal.settings_text import proposed_answers, settings_text
from tests.conftest import ROOT
from tests.support.in_process import Told, command_line_of

LAB = ROOT / "sample_data" / "lab"
MAIL, FILTER = LAB / "postfix" / "mail.rfc3164.log", LAB / "postfix" / "rspamd.log"
EXIM, SMS = LAB / "exim" / "mainlog", LAB / "kannel" / "bearerbox-access.log"
OWN_FORMAT = "%l~%t~%i~%A~%p~%P~%L~%b"


Observatory = Callable[..., Told]


@pytest.fixture
def observatory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Observatory:
    """Run the command line in a new folder, on a terminal's width, without a key."""
    monkeypatch.delenv("OBSERVATORY_PSEUDONYM_KEY")
    monkeypatch.delenv("OBSERVATORY_PSEUDONYM_KEY_FILE", raising=False)
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "temporary"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))

    return command_line_of(monkeypatch, capsys)


@pytest.mark.long
def test_a_log_of_nothing_that_came_in_has_a_page(tmp_path: Path, observatory: Observatory) -> None:
    """Outbound and transit alone: no month has anything to correct, and the page has no figures."""
    log = tmp_path / "smsbox-access.log"
    log.write_bytes((LAB / "kannel" / "smsbox-access.log").read_bytes())
    drawn = observatory("report", log)
    assert drawn.code == 0, drawn.err
    assert (tmp_path / "report" / "index.html").is_file()


# --- what logs propose ----------------------------------------------------------------------------------


@pytest.mark.long
def test_own_domains_formats_and_zones_come_from_the_logs() -> None:
    found = propose_from_logs([str(MAIL), str(FILTER), str(EXIM)])
    assert [(each.id, each.format) for each in found.sources] == [
        ("mail-rfc3164", "postfix"),
        ("rspamd", "rspamd"),
        ("mainlog", "exim"),
    ]
    assert (list(found.domains.local), list(found.domains.relayed)) == (["example.test"], [])
    # Loopback is every operator's own, whatever the settings say.
    assert {"10.0.0.0/8", "fc00::/7"} <= set(found.networks)
    # The filter beside the mail server has the same clock.
    assert [each.zone_by for each in found.sources] == [
        "by 632 ids with a UTC time",
        "as in mail-rfc3164",
        "by 20 ids with a UTC time",
    ]
    assert (found.problems, found.unknown, found.is_sampled) == ([], [], False)


def test_numbers_propose_their_country_and_links_are_named() -> None:
    found = propose_from_logs([str(SMS)])
    assert (found.country, found.currency, found.number_prefixes) == ("CYP", "EUR", ["+357"])
    assert {"SMPP-INTL", "OPERATOR-A"} <= set(found.links)
    assert found.sources[0].zone_by is None


@pytest.mark.parametrize(
    ("relay", "domains"),
    [
        ("virtual", ["a.example"]),
        (None, ["a.example"]),
        ("store[10.0.0.5]:25", ["a.example"]),
        ("127.0.0.1[127.0.0.1]:24", ["a.example"]),
        # The next hop on this host, and a server elsewhere.
        ("127.0.0.1[127.0.0.1]:10025", []),
        ("mx.b.example[192.0.2.7]:25", []),
    ],
)
def test_a_domain_is_own_where_its_mail_ends(relay: str | None, domains: list[str]) -> None:
    count = 3
    mails = pl.DataFrame(
        {
            "recipient": ["Ann@A.example", "root@localhost", "bob"],
            "sender": ["x@y.example"] * count,
            "client_ip": ["10.0.0.7"] * count,
            "outcome_code": ["delivered"] * count,
            "is_handoff": [None, False, False],
            "outbound_link": [relay] * count,
            "grain_code": ["recipient"] * count,
        },
        schema_overrides={"outbound_link": pl.String, "is_handoff": pl.Boolean},
    ).with_columns(
        entry_code=pl.lit("smtp"), is_authenticated=pl.lit(False), reply_text=pl.lit(None, pl.String)
    )
    assert list(find_domains(mails).own) == domains
    assert find_domains(mails.with_columns(is_handoff=True)).own == {}
    assert find_domains(mails.with_columns(outcome_code=pl.lit("bounced"))).own == {}


def test_countries_by_domains_and_zones() -> None:
    assert country_of_domains({"a.example": 9, "b.co.uk": 5, "c.ch": 4}) == (
        "GBR",
        "the ending .uk of own domains",
    )
    assert country_of_domains({"a.com": 9}) is None
    assert country_of_zone("Pacific/Fiji") == "FJI"
    assert country_of_zone("UTC") is None and country_of_zone(None) is None


def kannel_log(folder: Path, own: str) -> Path:
    """The lab's log of bearerbox in another format."""
    values = {
        "t": "2026-11-24 13:46:59", "l": "Receive SMS", "i": "SMPP-INTL", "n": "", "A": "foo", "F": "",
        "p": "+35799123000", "P": "+7726", "c": "0", "d": "-1", "L": "2", "b": "hi", "U": "0", "u": "",
    }  # fmt: skip
    line = re.sub("%(.)", lambda code: values[code[1]], own)
    file = folder / "sms.log"
    file.write_text(f"{line}\n" * 20, encoding="utf-8")
    return file


def test_formats_of_kannel_that_are_in_use_are_found(tmp_path: Path) -> None:
    own = "%t|%l|%i|%n|%A|%F|%p|%P|%c|%d|%L|%b|%U|%u"
    found = propose_from_logs([str(kannel_log(tmp_path, own))])
    (source,) = found.sources
    assert (source.format, source.options) == ("kannel", {"access_log_format": own})
    settings = tmp_path / "observatory.toml"
    settings.write_text(settings_text(found, proposed_answers(found)), encoding="utf-8")
    assert load_with_options(settings).operator[0].source[0].options["access_log_format"] == own


@pytest.mark.long
def test_smsbox_alone_counts_what_it_accepted() -> None:
    smsbox = str(LAB / "kannel" / "smsbox-access.log")
    assert [each.options for each in propose_from_logs([smsbox]).sources] == [{"bearerbox": False}]
    assert [each.options for each in propose_from_logs([smsbox, str(SMS)]).sources] == [{}, {}]


def test_a_format_of_kannel_that_a_person_names_is_checked(tmp_path: Path) -> None:
    found = propose_from_logs([str(kannel_log(tmp_path, OWN_FORMAT))])
    assert found.sources == []
    ((log, recognised),) = found.unknown
    head = recognised[0].head
    assert LAYOUTS.is_log(head) and LAYOUTS.guess_options(head) is None
    for wrong, told in {"%l|%t|%p|%P|%b": "does not fit", "%l %q": "%q", "%l": "%p is missing"}.items():
        with pytest.raises(ObservatoryError, match=re.escape(told)):
            LAYOUTS.check_layout(head, wrong)
    recognised[0].scores, recognised[0].options = [("kannel", 1.0)], LAYOUTS.check_layout(head, OWN_FORMAT)
    add_known(found, log, recognised)
    assert (found.unknown, found.sources[0].options) == ([], {"access_log_format": OWN_FORMAT})
    assert found.country == "CYP"


# --- report ---------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_report_of_logs_needs_no_settings_and_leaves_only_the_page(
    observatory: Observatory, tmp_path: Path
) -> None:
    told = observatory("report", MAIL, FILTER)
    assert told.code == 0, told.err
    page = tmp_path / "report" / "index.html"
    assert f"Report: {page}" in told.out
    words = " ".join(told.out.split())
    assert "own domains example.test: mail to them is delivered here" in words
    assert "own networks loopback and private addresses" in words
    assert "(OPERATOR definition, inbound and internal)" in words
    # As the sample study counts the same mail with an operator's own settings.
    assert re.search(r"EMAIL +│ recipient │ +151 │ +37 │ +44 │ 24.5–29.1% │", told.out)
    assert "Own logs" in page.read_text(encoding="utf-8")
    # Workers of this process keep a folder until it ends.
    assert [each for each in (tmp_path / "temporary").iterdir() if not each.name.startswith("pymp-")] == []
    assert max(map(len, told.out.replace(str(tmp_path), "").splitlines())) <= 80
    assert [line.split()[0] for line in told.err.splitlines()] == ["pull:", "bronze", "silver", "gold"]
    assert "OBSERVATORY_PSEUDONYM_KEY_FILE" not in os.environ
    # Once more, into the same folder; but into no folder of other files.
    assert observatory("report", MAIL, "--output", "report").code == 0
    (tmp_path / "report" / "SHA256SUMS").unlink()
    told = observatory("report", MAIL)
    assert (told.code, "holds other files" in told.err) == (2, True)


@pytest.mark.long
def test_a_report_keeps_its_private_lake_if_asked(observatory: Observatory, tmp_path: Path) -> None:
    told = observatory("report", EXIM, "--keep", "--country", "che", "--output", "page")
    assert told.code == 0, told.err
    (folder,) = (tmp_path / "temporary").iterdir()
    assert f"Lake, settings and key: {folder}" in told.out
    assert "Switzerland, as named; costs in CHF" in " ".join(told.out.split())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "pseudonym.key").stat().st_mode) == 0o600
    assert "gold.spam_volume_daily" in Lake(str(folder / "lake")).versions()
    shown = observatory("show", "gold.spam_volume_daily", "--config", folder / "observatory.toml")
    assert shown.code == 0


@pytest.mark.long
def test_a_report_names_what_it_could_not_use(observatory: Observatory, tmp_path: Path) -> None:
    (tmp_path / "other.log").write_text("nothing that is known\n" * 20, encoding="utf-8")
    told = observatory("report", EXIM, "other.log", "nowhere.log")
    assert told.code == 2
    assert (tmp_path / "report" / "index.html").is_file()
    assert "other.log: of no known format. `observatory sniff FILE`" in told.err
    assert "nowhere.log: no such file" in told.err
    told = observatory("report", "other.log", "--output", "none")
    assert (told.code, (tmp_path / "none").exists()) == (2, False)
    assert observatory("report", EXIM, "--country", "XXX").code == 2
    assert observatory("report", "--keep").code == 2


# --- init -----------------------------------------------------------------------------------------------


@pytest.mark.long
def test_init_writes_settings_that_a_run_takes_at_once(observatory: Observatory, tmp_path: Path) -> None:
    told = observatory("init", "--yes", MAIL, EXIM, SMS)
    assert told.code == 0, told.err
    settings, key = tmp_path / "observatory.toml", tmp_path / "pseudonym.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_text(encoding="ascii").strip()) == 64
    text = settings.read_text(encoding="utf-8")
    # URLs of a machine may be long.
    assert max(len(line) for line in text.splitlines() if not line.startswith("url")) <= 80
    assert 'format = "kannel"' in text and "assumed: check it" in text and '# name = "SMPP-INTL"' in text
    told = observatory("run")
    assert told.code == 0, told.err
    assert told.out.splitlines()[-2:] == [
        "Next: observatory status  # how each source fares",
        "      observatory report  # the page with the figures",
    ]
    rows = Lake(str(tmp_path / "lake")).read("gold.spam_volume_daily")
    assert set(rows["channel_code"]) == {"EMAIL", "SMS"}
    files = Lake(str(tmp_path / "lake")).read("bronze.file")
    assert dict(files.group_by("format_code").len().rows()) == {"postfix": 1, "exim": 1, "kannel": 1}
    # Nothing is overwritten.
    told = observatory("init", "--yes", MAIL)
    assert (told.code, "init never overwrites" in told.err) == (2, True)
    assert settings.read_text(encoding="utf-8") == text
    before = key.read_bytes()
    assert "(it was there)" in observatory("init", "--yes", MAIL, "--output", "other.toml").out
    assert key.read_bytes() == before


@pytest.mark.parametrize(
    ("named", "is_alone"), [("mail.log", True), ("mail.log*", False), ("mail.log.1", False)]
)
def test_a_log_without_its_rotations_is_marked(
    observatory: Observatory, tmp_path: Path, named: str, is_alone: bool
) -> None:
    """Lines written between the last pull and a rotation are in mail.log.1 alone."""
    (tmp_path / named.rstrip("*")).write_bytes(MAIL.read_bytes())
    told = observatory("init", "--yes", tmp_path / named)
    assert told.code == 0, told.err
    text = (tmp_path / "observatory.toml").read_text(encoding="utf-8")
    assert ("# Only this file: end url in * to read its rotations, too\nurl = " in text) is is_alone


def test_every_setting_that_init_comments_out_is_right(observatory: Observatory, tmp_path: Path) -> None:
    assert observatory("init", "--yes", SMS).code == 0
    text = (tmp_path / "observatory.toml").read_text(encoding="utf-8")
    uncommented = re.sub(r"(?m)^# (?=\[|\w+ = )", "", text)
    assert uncommented != text
    (tmp_path / "all.toml").write_text(uncommented, encoding="utf-8")
    settings = load_with_options(tmp_path / "all.toml")
    assert settings.location is not None and settings.operator[0].fixed_cost and settings.operator[0].link


@pytest.mark.long
def test_a_second_settings_file_has_a_lake_and_an_operator_of_its_own(
    observatory: Observatory, tmp_path: Path
) -> None:
    assert observatory("init", "--yes", EXIM).code == 0
    told = observatory("init", "--yes", EXIM, "--output", "second.toml")
    assert told.code == 0, told.err
    words = " ".join(told.out.split())
    assert "Lake: lake-second, beside any other." in words
    assert "Next: observatory run --config second.toml" in words
    assert max(map(len, told.out.splitlines())) <= 80
    first, second = (load_with_options(tmp_path / name) for name in ("observatory.toml", "second.toml"))
    assert (first.lake.root, second.lake.root) == (str(tmp_path / "lake"), str(tmp_path / "lake-second"))
    assert [each.operator[0].id for each in (first, second)] == ["own", "second"]


@pytest.mark.long
def test_every_guess_of_init_is_marked(observatory: Observatory, tmp_path: Path) -> None:
    assert observatory("init", "--yes", MAIL, SMS).code == 0
    lines = (tmp_path / "observatory.toml").read_text(encoding="utf-8").splitlines()
    for name in ("id", "name", "country", "holding", "currency", "domains", "networks"):
        place = next(at for at, line in enumerate(lines) if line.startswith(f"{name} = "))
        assert "assumed" in "".join(lines[place - 1 : place + 1]), name


def test_init_asks_for_domains_and_networks_of_mail(
    observatory: Observatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"Own networks, with commas": ["192.0.2.0/33", "192.0.2.0/24"]}
    monkeypatch.setattr(
        "typer.prompt", lambda text, default, **how: given[text].pop(0) if given.get(text) else default
    )
    told = observatory("init", MAIL)
    assert told.code == 0, told.err
    assert "192.0.2.0/33" in told.out
    # What a prompt has no room for stands above it, no word broken.
    assert "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16" in told.out
    assert max(map(len, told.out.replace(str(tmp_path), "").splitlines())) <= 80
    (operator,) = load_with_options(tmp_path / "observatory.toml").operator
    assert (operator.domains, operator.networks) == (["example.test"], ["192.0.2.0/24"])
    assert "assumed" not in (tmp_path / "observatory.toml").read_text(encoding="utf-8")


@pytest.mark.long
def test_init_asks_what_the_logs_do_not_say(
    observatory: Observatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = kannel_log(tmp_path, OWN_FORMAT)
    answers = iter(
        [
            *("%l", OWN_FORMAT, "Lab Ops", "", "XXX", "Switzerland", "", "usd", "", "many", "1,200", "4477"),
            *("Europe/Pariss", "Asia/Nicosia"),
        ]
    )
    monkeypatch.setattr("typer.prompt", lambda text, default, **how: next(answers) or default)
    told = observatory("init", own, SMS)
    assert told.code == 0, told.err
    assert "did you mean 'CHE'?" in told.out
    assert "did you mean 'Europe/Paris'?" in told.out and "%p is missing" in told.out
    (operator,) = load_with_options(tmp_path / "observatory.toml").operator
    assert (operator.id, operator.country, operator.currency) == ("lab-ops", "CYP", "USD")
    assert (operator.subscribers, operator.number_prefixes) == (1200, ["4477"])
    # With %t bearerbox writes UTC: there is nothing to ask.
    zones = {source.id: source.time_zone for source in operator.source}
    assert zones == {"bearerbox-access": "Asia/Nicosia", "sms": "UTC"}
    assert "assumed" not in (tmp_path / "observatory.toml").read_text(encoding="utf-8")


def test_init_without_a_person_says_how_to_go_on(
    observatory: Observatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(os.devnull, encoding="utf-8") as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        told = observatory("init", EXIM)
    assert (told.code, "--yes accepts the proposals" in told.err) == (2, True)
    assert not (tmp_path / "observatory.toml").exists() and not (tmp_path / "pseudonym.key").exists()
