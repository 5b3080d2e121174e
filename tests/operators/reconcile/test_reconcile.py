"""`observatory reconcile`: both programs' counts of a log, and a rule for each difference."""

import gzip
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from rich.cells import cell_len

from jobs.operators.reconcile import eximstats, pflogsumm
from jobs.operators.reconcile.bridge import Bridge, BridgeStep
from jobs.operators.reconcile.command import Reconciled, reconcile_logs
from jobs.operators.reconcile.compared_logs import read_logs
from jobs.operators.sniff.files import logs_of
from jobs.operators.sniff.recognition import separate_files
from jobs.operators.sniff.survey import survey_log
from tests.conftest import ROOT
from tests.support.in_process import Told, command_line_of
from tests.support.wrapped_logs import docker

LAB = ROOT / "sample_data" / "lab"
STUDY = ROOT / "sample_data" / "study"
MAIL = LAB / "postfix" / "mail.rfc3164.log"
# What pflogsumm 1.1.5 prints of the lab's log.
PRINTED = (ROOT / "tests" / "data" / "pflogsumm-1.1.5.txt").read_text(encoding="utf-8")
EXIMSTATS = (LAB / "exim" / "eximstats-default.txt").read_text(encoding="utf-8")
FIGURES = {
    "received": 79,
    "delivered": 182,
    "forwarded": 0,
    "deferred": 5,
    "deferral": 10,
    "bounced": 4,
    "rejected": 29,
    "reject_warning": 5,
    "held": 1,
    "discarded": 5,
}
Command = Callable[..., Told]


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:

    return command_line_of(monkeypatch, capsys)


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has neither program."""
    monkeypatch.setattr("shutil.which", lambda name: None)


def by_kind(found: Reconciled) -> dict[str, Bridge]:
    return {bridge.kind: bridge for bridge in found.bridges}


def steps(bridge: Bridge) -> dict[str, int]:
    return {step.rule: step.count for step in bridge.steps}


@pytest.fixture(scope="module")
def lab() -> Reconciled:
    """The lab's log, beside what pflogsumm printed of it."""
    return reconcile_logs([str(MAIL)], PRINTED)


# --- the other programs' figures -------------------------------------------------------------------------


def test_pflogsumms_totals_are_read() -> None:
    assert pflogsumm.read_figures(PRINTED).counts == FIGURES


def test_pflogsumm_itself_says_the_same_where_it_is_installed() -> None:
    """Elsewhere what it printed once stands for it."""
    printed = pflogsumm.run_program([MAIL.read_bytes()]) if pflogsumm.read_version() else PRINTED
    assert pflogsumm.read_figures(printed).counts == FIGURES


def test_large_totals_are_rounded() -> None:
    text = "Grand Totals\n\n   1234k  received\n     12m  delivered\n    600k  deferred  (700k deferrals)\n"
    found = pflogsumm.read_figures(text)
    assert found.counts == {
        "received": 1234 << 10,
        "delivered": 12 << 20,
        "deferred": 600 << 10,
        "deferral": 700 << 10,
    }
    assert found.rounding["received"] == 1023
    near = Bridge("received", "messages", 1234 << 10, 0, (1234 << 10) + 900, (), 1023)
    assert near.unexplained == 0
    far = Bridge("received", "messages", 1234 << 10, 0, (1234 << 10) + 1100, (), 1023)
    assert far.unexplained == 1100


def test_eximstats_totals_are_read() -> None:
    wanted = {"received": 20, "delivered": 24, "rejected": 16, "temp_rejected": 1}
    assert eximstats.read_figures(EXIMSTATS).counts == wanted


@pytest.mark.parametrize("program", [pflogsumm, eximstats])
def test_what_has_no_totals_is_refused(program: object) -> None:
    with pytest.raises(Exception, match="printed no totals that could be read"):
        program.read_figures("something else\n")  # type: ignore[attr-defined]


def test_each_kind_of_line_is_counted_as_pflogsumm_counts_it() -> None:
    stamp = "Nov 24 14:16:28 mx1 "
    lines = {
        f"{stamp}postfix/smtpd[7]: 4jYl: client=x[192.0.2.1]": "received",
        f"{stamp}postfix/submission/smtpd[7]: 4jYl: client=x[192.0.2.1], sasl_method=PLAIN": "received",
        f"{stamp}postfix/own/smtpd[7]: 4jYl: client=x[192.0.2.1]": None,
        f"{stamp}postfix/pickup[7]: 4jYl: uid=0 from=<root>": "received",
        f"{stamp}postfix/smtpd[7]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 5.1.1 no": "rejected",
        f"{stamp}postfix/smtpd[7]: NOQUEUE: milter-reject: RCPT from x[192.0.2.1]: 550 no": None,
        f"{stamp}postfix/cleanup[7]: 4jYl: milter-reject: END-OF-MESSAGE from x: 5.7.1 no": "rejected",
        f"{stamp}postfix/smtpd[7]: NOQUEUE: reject_warning: RCPT from x[192.0.2.1]: 550 no": "reject_warning",
        f"{stamp}postfix/smtpd[7]: 4jYl: hold: RCPT from x[192.0.2.1]: no": "held",
        f"{stamp}postfix/cleanup[7]: 4jYl: discard: header Subject: x from x; from=<a>": "discarded",
        f"{stamp}postfix/smtp[7]: 4jYl: to=<a@b>, relay=x, delay=1, dsn=2.0.0, status=sent (ok)": "delivered",
        f"{stamp}postfix/local[7]: 4jY: to=<a@b>, relay=x, delay=1, status=sent (forwarded as )": "forwarded",
        f"{stamp}postfix/smtp[7]: 4jYl: to=<a@b>, relay=x, delay=1, status=deferred (no)": "deferral",
        f"{stamp}postfix/smtp[7]: 4jYl: to=<a@b>, relay=x, delay=1, status=bounced (no)": "bounced",
        f"{stamp}postfix/smtpd[7]: warning: 192.0.2.1: no": None,
        "<22>1 2026-11-24T14:16:28Z mx1 postfix/smtpd 7 - - 4jYl: client=x[192.0.2.1]": None,
        "2026-11-24T14:16:28.1+00:00 mx1 postfix/smtpd[7]: 4jYl: client=x[192.0.2.1]": "received",
    }
    frame = pl.DataFrame({"offset": range(len(lines)), "line": list(lines)})
    assert dict(zip(lines, pflogsumm.label_lines(frame)["kind"], strict=True)) == lines


# --- from one count to the other -------------------------------------------------------------------------


@pytest.mark.long
def test_every_difference_of_the_labs_log_has_its_rule(lab: Reconciled) -> None:
    found = by_kind(lab)
    assert {kind: bridge.theirs for kind, bridge in found.items()} == FIGURES
    # Its definition is copied line by line.
    assert {kind: bridge.lines for kind, bridge in found.items()} == FIGURES
    assert [bridge.kind for bridge in lab.bridges if bridge.unexplained] == []
    assert steps(found["delivered"]) == {
        "hops fold: to a filter and back is one message": -42,
        "the recipient counts as discarded": -8,
        "an alias that a later hop expands is not counted again": -6,
        "all lines on one recipient count once: retries, aliases": -4,
        "the server's own bounces and notices count as no message": -4,
    }
    assert steps(found["reject_warning"]) == {"reject_warning refuses nothing": -5}
    assert found["received"].ours == 133 and found["rejected"].ours == 41


@pytest.mark.long
@pytest.mark.parametrize(
    "log",
    [MAIL, LAB / "exim" / "mainlog", STUDY / "lagoon-mail" / "mail.log*", STUDY / "himal-mail" / "mail.log*"],
)
def test_this_projects_counts_are_those_of_sniff(log: Path) -> None:
    """Counts of this project are those of sniff, and so of a run (tests/whole/test_sniff_equals_run.py)."""
    until = time.monotonic() + 600
    logs, _ = logs_of([str(log)], until)
    ((one, recognised),) = separate_files(logs[0])[0]
    *_, last = survey_log(one, recognised, until)
    assert last.units is not None
    outcomes = {key[3]: 0 for key in last.units.units}
    for (_, unit, stage, outcome), count in last.units.units.items():
        outcomes[outcome] += round(count) if unit == "recipient" else 0
        outcomes[f"{outcome} early"] = outcomes.get(f"{outcome} early", 0) + (
            round(count) if unit in ("recipient", "attempt") and stage != "delivery" else 0
        )
    found = by_kind(reconcile_logs([str(log)]))
    assert found["received"].ours == last.units.count_units("message")
    assert found["delivered"].ours == outcomes.get("delivered", 0) + outcomes.get("tagged", 0)
    early = outcomes.get("rejected early", 0), outcomes.get("deferred early", 0)
    if "temp_rejected" in found:
        assert (found["rejected"].ours, found["temp_rejected"].ours) == (
            early[0] + outcomes["discarded"],
            early[1],
        )
    else:
        assert found["rejected"].ours == sum(early)
        assert found["bounced"].ours == outcomes["bounced"]
    assert [bridge.kind for bridge in found.values() if bridge.unexplained] == []


def text_of(folder: str) -> list[str]:
    files = sorted((STUDY / folder).glob("mail.log*"))
    parts = [
        gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes() for file in files
    ]
    return b"".join(parts).decode("utf-8", "replace").splitlines(keepends=True)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_log_with_holes_is_explained_as_well(seed: int, tmp_path: Path) -> None:
    """Lines go missing where a log is cut or a disk was full: no rule takes their being there for granted."""
    choose = random.Random(seed)
    lines = text_of("lagoon-mail") if seed % 2 else MAIL.read_text().splitlines(keepends=True)
    file = tmp_path / "mail.log"
    file.write_text("".join(line for line in lines if choose.random() < choose.choice([0.5, 0.7, 0.9])))
    found = reconcile_logs([str(file)])
    assert [bridge.kind for bridge in found.bridges if bridge.unexplained] == []
    assert all(bridge.theirs in (None, bridge.lines) for bridge in found.bridges)


@pytest.mark.long
def test_a_copy_of_the_log_counts_once_here(tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_bytes(MAIL.read_bytes())
    (tmp_path / "syslog").write_bytes(b"Nov 24 14:16:12 mx1 kernel: up\n" + MAIL.read_bytes())
    found = reconcile_logs([str(tmp_path / "mail.log"), str(tmp_path / "syslog")])
    delivered = by_kind(found)["delivered"]
    assert (delivered.lines, delivered.ours) == (2 * 182, 118)
    assert steps(delivered)["lines that another file holds, too, count once"] == -182
    assert [bridge.kind for bridge in found.bridges if bridge.unexplained] == []


def test_the_other_program_reads_the_log_in_what_carries_it(tmp_path: Path) -> None:
    lines = MAIL.read_text("utf-8").splitlines()[:300]
    path = tmp_path / "mail.json"
    path.write_bytes(b"".join(map(docker, lines)))
    found = read_logs([str(path)], ("postfix",))
    assert b"".join(found.read_blocks()).decode().splitlines() == lines


def test_a_form_that_pflogsumm_does_not_read() -> None:
    found = by_kind(reconcile_logs([str(LAB / "postfix" / "mail.rfc5424.log")]))
    assert steps(found["delivered"]) == {"lines in a form that pflogsumm does not read": 118}
    assert not any(bridge.unexplained for bridge in found.values())


@pytest.mark.long
def test_what_the_filters_log_names_is_told(lab: Reconciled) -> None:
    beside = reconcile_logs([str(MAIL), str(LAB / "postfix" / "rspamd.log")], PRINTED)
    refused = by_kind(beside)["rejected"]
    assert refused.ours == by_kind(lab)["rejected"].ours + 2
    assert steps(refused)["recipients that the filter's log names, and the server's does not"] == 2
    assert not any(bridge.unexplained for bridge in beside.bridges)


def test_exims_log_beside_eximstats() -> None:
    found = by_kind(reconcile_logs([str(LAB / "exim" / "mainlog")], EXIMSTATS))
    assert {kind: (bridge.theirs, bridge.lines) for kind, bridge in found.items()} == {
        "received": (20, 20),
        "delivered": (24, 24),
        "rejected": (16, 16),
        "temp_rejected": (1, 1),
    }
    assert not any(bridge.unexplained for bridge in found.values())
    assert steps(found["rejected"]) == {
        "another host refused the server's own connection: eximstats takes it for a reject": -2,
        "refusals of one session, sender and recipient are one attempt": -1,
    }
    assert steps(found["received"])["refused after DATA: the server logs no arrival of them"] == 6


@pytest.mark.long
def test_recipients_that_exims_rcpt_acl_discards_have_their_rule() -> None:
    """Exim writes a line on the recipient, and an arrival and a delivery of a message without recipients."""
    log = LAB / "servers" / "logs" / "exim.mainlog"
    assert log.read_text("utf-8").count("=> blackhole (RCPT ACL discarded recipients)") == 3
    found = by_kind(reconcile_logs([str(log)]))
    assert {kind: bridge.unexplained for kind, bridge in found.items() if bridge.unexplained} == {}
    early = "discarded by the RCPT ACL: the line on the recipient counts, not the message's"
    assert [steps(found[kind]).get(early) for kind in ("received", "delivered", "rejected")] == [-3, -3, -3]
    assert steps(found["rejected"]) == {
        early: -3,
        "discarded by an ACL, in a line that eximstats does not count": 3,
        "discarded on delivery, which for eximstats is delivered": 3,
    }


@pytest.mark.long
def test_a_difference_without_a_rule_is_unexplained() -> None:
    wrong = PRINTED.replace("    182   delivered", "    189   delivered")
    found = by_kind(reconcile_logs([str(MAIL)], wrong))
    assert {kind: bridge.unexplained for kind, bridge in found.items() if bridge.unexplained} == {
        "delivered": -7
    }
    none = Bridge("held", "recipients", None, 4, 1, (BridgeStep("a rule", -2),))
    assert none.unexplained == -1


# --- the command -----------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_command_on_80_columns(observatory: Command) -> None:
    told = observatory("reconcile", MAIL)
    assert (told.code, told.err) == (0, "")
    assert max(map(cell_len, told.out.splitlines())) <= 80
    words = " ".join(told.out.split())
    assert "delivered 182 118 recipients, delivered or tagged" in words
    assert "delivered: from 182 to 118 -42 hops fold: to a filter and back is one message" in words
    assert told.out.splitlines()[-1 if pflogsumm.read_version() else -3] == "unexplained: 0"


@pytest.mark.long
@pytest.mark.usefixtures("absent")
def test_without_the_program_its_package_is_named(observatory: Command) -> None:
    told = observatory("reconcile", MAIL)
    assert told.code == 0
    words = " ".join(told.out.split())
    assert "pflogsumm is not installed: its Debian package is pflogsumm." in words
    assert "delivered 182 118" in words
    told = observatory("reconcile", LAB / "exim" / "mainlog")
    assert "eximstats is not installed: its Debian package is exim4-base." in " ".join(told.out.split())


@pytest.mark.long
def test_json_has_every_count_and_step(observatory: Command) -> None:
    found = json.loads(observatory("reconcile", MAIL, "--json").out)
    assert found["program"] == "pflogsumm"
    (delivered,) = [each for each in found["counts"] if each["kind"] == "delivered"]
    assert (delivered["lines"], delivered["ours"], delivered["unexplained"]) == (182, 118, 0)
    assert sum(step["count"] for step in delivered["steps"]) == 118 - 182


def test_what_is_no_mail_log_is_refused(observatory: Command, tmp_path: Path) -> None:
    told = observatory("reconcile", LAB / "kannel" / "bearerbox-access.log")
    assert told.code == 2 and "no log of exim or postfix among these files" in told.err
    told = observatory("reconcile", tmp_path / "mail.log")
    assert told.code == 2 and "mail.log" in told.err


@pytest.mark.long
def test_the_documented_example_is_what_it_prints(observatory: Command) -> None:
    page = (ROOT / "docs" / "operator-reference.md").read_text(encoding="utf-8")
    _, _, example = page.partition("```\ndelivered: from ")
    lines = ["delivered: from " + example.partition("```")[0]]
    told = observatory("reconcile", MAIL).out
    assert "".join(lines) in "\n".join(line.rstrip() for line in told.splitlines())
