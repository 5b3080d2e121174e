"""Messages that a filter gives back: once, whatever address they come back by; what counts twice is named."""

import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from jobs.base.settings import config
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.cli import console
from jobs.cli import main as command_line
from jobs.operators.build.settings_tables import rows_of_operators
from jobs.operators.protect.addresses import is_own_address
from jobs.operators.protect.operators import Protection
from jobs.operators.sniff.files import logs_of
from jobs.operators.sniff.recognition import separate_files
from jobs.operators.sniff.survey import survey_log
from tests.support.whole_runs import operator_toml, source_toml

pytestmark = pytest.mark.long

MESSAGES = 4
MX = "mx1.own.example"


class Hop(NamedTuple):
    """Way of a log's messages to their filter and back.

    Attributes:
        networks: of the operator's settings.
        relay: where they are handed to.
        client: whom they come back by.
        times: how often each counts.
    """

    networks: list[str]
    relay: str
    client: str
    times: int = 1
    by: str = "postfix"


LOOPBACK = "127.0.0.1[127.0.0.1]:10024"
# One operator each.
HOPS = {
    "loopback": Hop([], LOOPBACK, "localhost[127.0.0.1]"),
    "another": Hop([], LOOPBACK, "localhost[127.8.0.1]"),
    "six": Hop([], "localhost[::1]:10024", "localhost[::1]"),
    "mapped": Hop([], LOOPBACK, "localhost[::ffff:127.0.0.1]"),
    "none": Hop([], LOOPBACK, "unknown[0.0.0.0]"),
    "none-six": Hop([], "filter[0.0.0.0]:10024", "unknown[::]"),
    "exim": Hop([], "localhost [127.0.0.1]:10024", "localhost [127.0.0.1]", by="exim"),
    "sendmail": Hop([], "localhost [127.0.0.1]", "localhost [127.0.0.1]", by="sendmail"),
    # The filter comes back by the host's public address, or lies on another host.
    "public": Hop([], LOOPBACK, f"{MX}[192.0.2.40]", 2),
    "public-set": Hop(["192.0.2.40/32"], LOOPBACK, f"{MX}[192.0.2.40]"),
    "beside": Hop([], "scan.own.example[2001:db8:7::5]:10024", "scan.own.example[2001:db8:7::5]", 2),
    "beside-set": Hop(["2001:db8:7::/48"], "scan.own.example[2001:db8:7::5]:10024", "scan[2001:db8:7::5]"),
    "half-set": Hop(["10.0.0.0/8"], "scan.own.example[192.0.2.41]:10024", "scan[10.1.2.3]", 2),
    # XFORWARD names the queue file that the message had before.
    "foreign": Hop(
        [], LOOPBACK, "scan.own.example[203.0.113.7], orig_queue_id={before}, orig_client=x[192.0.2.7]"
    ),
}
NAMES = list(HOPS)


def log_of(hop: Hop) -> str:
    """Messages from outside, each handed to a filter and back, then delivered to two recipients."""
    makers = {"postfix": postfix_lines, "exim": exim_lines, "sendmail": sendmail_lines}
    return "".join(
        line + "\n" for number in range(MESSAGES) for line in makers[hop.by](hop, 10 * number, number)
    )


def postfix_lines(hop: Hop, second: int, number: int) -> list[str]:
    before, after = f"4jYl9Z1ZHVz1f{number:02d}", f"4jYl9Z2ZHVz2f{number:02d}"
    recipients = [f"to{place}@own.example" for place in range(2)]
    answer = f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {after}"
    bodies = [
        f"smtpd[7]: {before}: client=out.far.example[198.51.100.{number}]",
        f"cleanup[8]: {before}: message-id=<{number}@far.example>",
        f"qmgr[9]: {before}: from=<a@far.example>, size=900, nrcpt=2 (queue active)",
        f"smtpd[6]: {after}: client={hop.client.format(before=before)}",
        f"cleanup[8]: {after}: message-id=<{number}@far.example>",
        f"qmgr[9]: {after}: from=<a@far.example>, size=990, nrcpt=2 (queue active)",
        *(
            f"smtp[5]: {before}: to=<{to}>, relay={hop.relay}, delay=1, delays=0/0/0/1, dsn=2.0.0, "
            f"status=sent ({answer})"
            for to in recipients
        ),
        f"qmgr[9]: {before}: removed",
        *(
            f"virtual[4]: {after}: to=<{to}>, relay=virtual, delay=1, delays=0/0/0/1, dsn=2.0.0, "
            "status=sent (delivered to maildir)"
            for to in recipients
        ),
        f"qmgr[9]: {after}: removed",
    ]
    return [
        f"2026-11-24T10:00:{second + 0.5 * at:06.3f}+00:00 mx1 postfix/{body}"
        for at, body in enumerate(bodies)
    ]


def exim_lines(hop: Hop, second: int, number: int) -> list[str]:
    before, after = f"1vN{number}kE-00000000A1B-0abc", f"1vN{number}kF-00000000A1C-0abc"
    to = "to@own.example"
    bodies = [
        f"{before} <= a@far.example H=out.far.example [198.51.100.{number}] P=esmtp S=900 id={number}@far",
        f"{after} <= a@far.example H={hop.client} P=esmtp S=990 id={number}@far",
        f"{before} => {to} R=scan T=remote_smtp H={hop.relay} "
        f'C="250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 OK id={after}"',
        f"{before} Completed",
        f"{after} => to <{to}> R=local T=maildir",
        f"{after} Completed",
    ]
    return [f"2026-11-24 10:00:{second + at:02d} {body}" for at, body in enumerate(bodies)]


def sendmail_lines(hop: Hop, second: int, number: int) -> list[str]:
    before, after = f"7AOA0{number}ab027713", f"7AOA0{number}cd027714"
    to = "<to@own.example>"
    from_ = (
        "from=<a@far.example>, size=900, class=0, nrcpts=1, msgid=<{}@far>, proto=ESMTP, daemon=MTA, relay={}"
    )
    bodies = [
        f"sm-mta[27713]: {before}: " + from_.format(number, f"out.far.example [198.51.100.{number}]"),
        f"sm-mta[27714]: {after}: " + from_.format(number, hop.client),
        f"sm-mta[27715]: {before}: to={to}, delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=120, "
        f"relay={hop.relay}, dsn=2.0.0, stat=Sent (from MTA([127.0.0.1]:10025): "
        f"250 2.0.0 {after} Message accepted for delivery)",
        f"sm-mta[27716]: {after}: to={to}, delay=00:00:01, xdelay=00:00:00, mailer=local, pri=120, "
        "dsn=2.0.0, stat=Sent",
    ]
    return [f"2026-11-24T10:00:{second + at:02d}.000000+00:00 mx1 {body}" for at, body in enumerate(bodies)]


class Site(NamedTuple):
    """A lake with an operator for each of HOPS, and what `run` printed."""

    folder: Path
    printed: str
    recipients: dict[str, int]


def written(folder: Path, hops: dict[str, Hop]) -> Path:
    """The operators' settings and logs."""
    operators = []
    for name, hop in hops.items():
        (folder / f"{name}.log").write_text(log_of(hop))
        networks = f"networks = {json.dumps(hop.networks)}\n" if hop.networks else ""
        source = source_toml("mx1", str(folder / f"{name}.log"), hop.by)
        operators.append(
            operator_toml(name, name, "CHE", name, "CHF", 'domains = ["own.example"]\n', networks, source)
        )
    file = folder / "observatory.toml"
    file.write_text("\n".join([f'[lake]\nroot = "{folder / "lake"}"\nstale_days = 3660\n', *operators]))
    return file


def run_command(*arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["observatory", *arguments])
        patch.setenv("COLUMNS", "1000")
        try:
            command_line.main()
        except SystemExit as end:
            assert not end.code, end.code


def counted(folder: Path) -> dict[str, int]:
    rows = Lake(str(folder / "lake")).read("silver.message").group_by("operator_id").len()
    return dict(rows.sort("operator_id").rows())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("hops")
    file = written(folder, HOPS)
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr(console.err, "print", lambda *texts, **more: printed.extend(map(str, texts)))
        run_command("pull", "--config", str(file))
        run_command("run", "--config", str(file), "--stage", "bronze", "--stage", "silver")
    return Site(folder, "\n".join(printed), counted(folder))


def once(hop: Hop) -> int:
    """Recipients of a log, each counted once."""
    return MESSAGES * (2 if hop.by == "postfix" else 1)


def test_hops_by_the_hosts_own_addresses_count_once_without_a_setting(site: Site) -> None:
    assert site.recipients == {name: hop.times * once(hop) for name, hop in sorted(HOPS.items())}


@pytest.mark.parametrize("name", NAMES)
def test_sniff_counts_what_a_run_counts(site: Site, name: str) -> None:
    """Sniff takes private addresses as own, which nobody set for `half-set`."""
    until = time.monotonic() + 3600
    logs, problems = logs_of([str(site.folder / f"{name}.log")], until)
    ((log, recognised),) = separate_files(logs[0])[0]
    *_, last = survey_log(log, recognised, until)
    assert not problems and last.units is not None
    without = site.recipients[name.removesuffix("-set")] if name.removesuffix("-set") in HOPS else None
    assert last.units.count_units("recipient") == (site.recipients[name] if without is None else without)


def test_what_counts_twice_is_named_with_the_setting_that_mends_it(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [line for line in site.printed.splitlines() if "counted twice" in line]
    recipients = 2 * MESSAGES
    about = f"source 'mx1': {MESSAGES} messages ({recipients} recipients) counted twice"
    assert [line.split(",")[0] for line in told] == [
        f"operator '{name}'" for name in ("beside", "half-set", "public")
    ]
    assert all(about in line for line in told)
    beside, half, public = told
    assert "by an address in 192.0.2.0/24, which is not among the operator's networks" in public
    assert "add the address, or 192.0.2.0/24, to networks of [[operator]] 'public'" in public
    assert "observatory run --since 2026-11-24" in public
    assert "2001:db8:7::/48" in beside
    assert "a filter whose address is not among" in half and "relay=" in half
    # `status` shows the same until it is mended.
    file = site.folder / "observatory.toml"
    run_command("status", "--config", str(file))
    shown = capsys.readouterr().out
    assert all(line in shown for line in told)


def test_the_setting_that_a_warning_names_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hop = HOPS["beside"]
    file = written(tmp_path, {"op": hop})
    stages = ("--stage", "bronze", "--stage", "silver")
    run_command("pull", "--config", str(file))
    run_command("run", "--config", str(file), *stages)
    assert counted(tmp_path) == {"op": 2 * once(hop)}
    assert "counted twice" in capsys.readouterr().err
    written(tmp_path, {"op": hop._replace(networks=["2001:db8:7::/48"])})
    run_command("run", "--config", str(file), *stages, "--since", "2026-11-24")
    assert counted(tmp_path) == {"op": once(hop)}
    run_command("status", "--config", str(file))
    printed = capsys.readouterr()
    assert "counted twice" not in printed.err + printed.out


@pytest.mark.parametrize("networks", [[], ["192.0.2.0/24"]])
def test_the_hosts_own_addresses_are_own_whatever_the_settings_say(networks: list[str]) -> None:
    about = {"id": "op", "name": "Op", "country": "CHE", "holding": "op", "currency": "CHF"}
    settings = config.Observatory.model_validate({"operator": [about | {"networks": networks}]})
    (own,) = Protection.read_operators(rows_frame(rows_of_operators(settings), "ref.operator")).spaces
    is_own = {
        **dict.fromkeys(("127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "0.0.0.0", "::"), True),
        **dict.fromkeys(("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:0.0.0.0"), True),
        **dict.fromkeys(("128.0.0.1", "126.255.255.255", "0.0.0.1", "::2", "::ffff:198.51.100.1"), False),
        **dict.fromkeys(("192.0.2.1", "::ffff:192.0.2.1"), bool(networks)),
        "unknown": None,
    }
    assert is_own_address(pl.Series(list(is_own)), own).to_list() == list(is_own.values())
