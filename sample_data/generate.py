"""Write the logs of simulated operators in their real formats, and the truth of what was written.

    python -m sample_data.generate --out DIR --seed 7 --days 3 --start 2026-11-20 --megabytes 6

The same arguments give the same bytes. Operators come from a profile (`--profile study` or
`benchmark`) or are named (`--operators himal-mail lagoon-mail`); `--copies N` makes N of each, all
different. DIR gets

    <operator_id>/mail.log, mail.log.1, …          Postfix, one file per local day, newest without number
    <operator_id>/rspamd.log, rspamd.log.1, …      Rspamd's task log
    <operator_id>/bearerbox-access.log, …-20261120 Kannel, older files named by the day they cover
    observatory.toml                               settings for these logs
    truth.json                                     what happened
    networks.csv                                   the address ranges of the world

With --gzip the files are compressed; the time in their header is that of their last line.

truth.json is one object:

    seed, start, days, megabytes   the arguments
    operators   one object per operator: operator_id, name, country_code, currency_code, holding,
                channels, bytes_written and line_count by file, folded (recipients and attempts
                that folded into what followed)
    facts       counts, one object per distinct combination of
                    operator_id          the operator
                    period_date          UTC day of the first event of the message or attempt
                    channel_code         EMAIL, SMS
                    direction_code       inbound, outbound, internal, transit (foreign client and
                                         foreign recipient: a relay that was refused)
                    grain                recipient; message; attempt; segment (SMS only)
                    stage_code           where the outcome was decided: connect (before a RCPT),
                                         envelope (RCPT; number lists and the SMSC's answer for
                                         SMS), content, delivery
                    outcome_code         delivered, tagged, quarantined, discarded, rejected,
                                         bounced, expired, deferred, queued
                    spam_type_code       type that the rules tell: of the symbol for mail that the
                                         filter marked, of the text for every SMS; else UNK
                    countermeasure_code  measure that acted; null where none did, which includes
                                         every bounce, expiry and deferral in delivery
                    is_antispam          of that measure; false where none acted; null where unknown
                    source_country_code  mail: country of the client address by networks.csv; SMS:
                                         country of the calling number; null for senders in letters
                    source_network       mail: /24 or /48 of the client; null for SMS
                    inbound_link         SMSC id that an SMS came in by; null for mail and customers
                    outbound_link        SMSC id, or relay of the last try as logged
                                         (name[ip]:port); null for local delivery and where no
                                         host answered
                    count                how many
    effort      what measures had to look at, by operator_id, period_date, channel_code and the
                stage_code at which a message or attempt ended: units (messages and attempts),
                bytes as the logs tell them, filtered_units and filtered_bytes of those that a
                content filter looked at, filter_us, what the filters say they took
    own_dsns    the same as facts for non-delivery notifications that the operator's own server made; they
                belong to the message that they are about and are not in facts

How facts are counted is said in sample_data/generator/truth.py. In short: a recipient counts once
whatever the hops, tries and aliases; a 4xx that the same network, sender and recipient follows within
24 hours folds into what followed, which keeps its own day; one never followed is deferred; an SMS in
several parts is one message of several segments; `delivered` for an SMS is a positive report, or the
SMSC's acceptance where no report was asked for; without a final report it is queued.
"""

import argparse
import contextlib
import dataclasses
import datetime as dt
import json
import random
import shutil
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from sample_data.generator.logfile import SECOND, LogFile
from sample_data.generator.profiles import OPERATORS, PROFILES, MailOperator, SmsOperator
from sample_data.generator.sessions import Sessions
from sample_data.generator.sms import SmsCentre
from sample_data.generator.truth import Truth, rows, work_rows
from sample_data.generator.world import DAY, NETWORKS, World, arrivals

Operator = MailOperator | SmsOperator
PILOT_ARRIVALS = 1200


@dataclasses.dataclass
class Run:
    """Results of one operator's simulation."""

    operator: Operator
    truth: Truth
    logs: list[LogFile]

    @property
    def size(self) -> int:
        return sum(log.bytes_written for log in self.logs)


def simulate(
    operator: Operator,
    *,
    folder: Path | None,
    seed: int,
    start: dt.datetime,
    days: int,
    count: int,
    is_gzip: bool = False,
    details: TextIO | None = None,
) -> Run:
    """Let `count` sessions or SMS happen to an operator and write its logs; folder None only measures."""
    rng = random.Random(f"{seed} {operator.id}")
    begin = int(start.timestamp()) * SECOND
    world = World(rng, begin, begin + days * DAY - 2 * 60 * SECOND)
    truth = Truth(operator.id, details)
    server: Sessions | SmsCentre
    if isinstance(operator, MailOperator):
        logs = [
            LogFile(folder, "mail.log", operator.stamp, operator.time_zone, is_gzip=is_gzip),
            LogFile(
                folder,
                "rspamd.log",
                "plain",
                operator.filter_time_zone or operator.time_zone,
                is_gzip=is_gzip,
                ahead_s=operator.filter_ahead_s,
            ),
        ]
        server = Sessions(operator, world, logs[0], logs[1], truth)
    else:
        markers = ("Log begins", "Log ends")
        access = LogFile(
            folder,
            "bearerbox-access.log",
            "plain",
            operator.time_zone,
            is_dated=True,
            is_gzip=is_gzip,
            markers=markers,
        )
        logs = [access]
        server = SmsCentre(operator, world, access, truth)

    def tick(at: int) -> None:
        for log in logs:
            log.flush(at)

    plan = arrivals(rng, start, days, count, operator.time_zone, operator.spam_share, operator.swing)
    world.run(plan, server.arrive, tick)
    truth.finish()
    for log in logs:
        log.close()
    return Run(operator, truth, logs)


def arrivals_for(operator: Operator, seed: int, start: dt.datetime, days: int, size: int) -> int:
    """Estimate how many arrivals give a log of about `size` bytes, from a small run over the same days."""
    pilot = simulate(operator, folder=None, seed=seed, start=start, days=days, count=PILOT_ARRIVALS)
    return max(50, round(PILOT_ARRIVALS * size / pilot.size))


def generate(
    out: Path,
    *,
    seed: int = 7,
    start: dt.date = dt.date(2026, 11, 20),
    days: int = 3,
    megabytes: float = 6.0,
    operators: tuple[Operator, ...] = PROFILES["study"],
    is_gzip: bool = False,
    details: TextIO | None = None,
) -> dict[str, Any]:
    """Write logs, settings and truth to a folder; returns the truth. A megabyte is a million bytes."""
    first = dt.datetime.combine(start, dt.time(), dt.UTC)
    weight = sum(operator.weight for operator in operators)
    told: list[dict[str, Any]] = []
    facts: list[dict[str, Any]] = []
    dsns: list[dict[str, Any]] = []
    effort: list[dict[str, Any]] = []
    for operator in operators:
        folder = out / operator.id
        if folder.exists():
            shutil.rmtree(folder)
        share = megabytes * 1_000_000 * operator.weight / weight
        count = arrivals_for(operator, seed, first, days, round(share))
        run = simulate(
            operator,
            folder=folder,
            seed=seed,
            start=first,
            days=days,
            count=count,
            is_gzip=is_gzip,
            details=details,
        )
        facts += rows(run.truth.facts)
        dsns += rows(run.truth.own_dsns)
        effort += work_rows(run.truth.effort)
        told.append(
            {
                "operator_id": operator.id,
                "name": operator.name,
                "country_code": operator.country,
                "currency_code": operator.currency,
                "holding": operator.holding,
                "channels": ["EMAIL" if isinstance(operator, MailOperator) else "SMS"],
                "bytes_written": {log.name: log.bytes_written for log in run.logs},
                "line_count": {log.name: log.line_count for log in run.logs},
                "folded": run.truth.folded,
            }
        )
    truth = {
        "seed": seed,
        "start": start.isoformat(),
        "days": days,
        "megabytes": megabytes,
        "operators": told,
        "facts": facts,
        "effort": effort,
        "own_dsns": dsns,
    }
    write_truth(out / "truth.json", truth)
    (out / "observatory.toml").write_text(
        settings(operators, first + dt.timedelta(days=days)), encoding="utf-8"
    )
    shutil.copyfile(NETWORKS, out / "networks.csv")
    return truth


def write_truth(path: Path, truth: dict[str, Any]) -> None:
    """One line for each operator and fact, so that a change can be read."""
    parts = [f'  "{key}": {json.dumps(truth[key])}' for key in ("seed", "start", "days", "megabytes")]
    for key in ("operators", "facts", "effort", "own_dsns"):
        lines = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in truth[key])
        parts.append(f'  "{key}": [\n{lines}\n  ]')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def settings(operators: tuple[Operator, ...], end: dt.datetime | None = None) -> str:
    """observatory.toml for these operators; paths are relative to the file.

    Args:
        end: of the days of the logs, which are read then, whatever the clock says.
    """
    read_at = f"read_at = {end:%Y-%m-%dT%H:%M:%SZ}\n" if end else ""
    text = [f'[lake]\nroot = "lake"\n{read_at}', '[location]\nranges = "networks.csv"\n']
    for operator in operators:
        text.append(
            "[[operator]]\n"
            f'id = "{operator.id}"\nname = "{operator.name}"\ncountry = "{operator.country}"\n'
            f'holding = "{operator.holding}"\ncurrency = "{operator.currency}"\n'
            f"subscribers = {operator.subscribers}"
        )
        if isinstance(operator, MailOperator):
            text[-1] += (
                f"\ndomains = {json.dumps(operator.domains)}\nnetworks = {json.dumps(operator.networks)}\n"
            )
            links: tuple[tuple[str, str], ...] = ()
            sources: tuple[tuple[str, str, str], ...] = (
                ("mx1", "mail.log", "postfix"),
                ("filter", "rspamd.log", "rspamd"),
            )
        else:
            own = [f"+{prefix}" for prefix in (*operator.own_prefixes, *operator.short_codes)]
            text[-1] += f"\nnumber_prefixes = {json.dumps(own)}\n"
            links = operator.links
            sources = (("smsc", "bearerbox-access.log", "kannel"),)
        text += [f'[[operator.link]]\nname = "{name}"\nkind = "{kind}"\n' for name, kind in links]
        text += [
            f'[[operator.source]]\nid = "{source}"\nurl = "{operator.id}/{name}*"\nformat = "{form}"\n'
            f'time_zone = "{operator.time_zone}"\n'
            for source, name, form in sources
        ]
    return "\n".join(text)


def copies_of(operators: tuple[Operator, ...], copies: int) -> tuple[Operator, ...]:
    """The operators, each `copies` times; the further ones differ in id, name and holding, and by chance."""
    return tuple(
        operator
        if not copy
        else dataclasses.replace(
            operator,
            id=f"{operator.id}-{copy + 1}",
            name=f"{operator.name} {copy + 1}",
            holding=f"{operator.holding}-{copy + 1}",
            weight=operator.weight * (0.5 + 0.37 * (copy * 7 % 5)),
        )
        for copy in range(copies)
        for operator in operators
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sample_data.generate", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder to write to; operators' folders are replaced"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--start", type=dt.date.fromisoformat, default=dt.date(2026, 11, 20), help="first UTC day"
    )
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--megabytes", type=float, default=6.0, help="of all logs together, unpacked")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--profile", choices=sorted(PROFILES), default="study")
    chosen.add_argument(
        "--operators", nargs="+", choices=sorted(OPERATORS), metavar="ID", help=", ".join(sorted(OPERATORS))
    )
    parser.add_argument("--copies", type=int, default=1, help="how many operators of each kind")
    parser.add_argument("--gzip", action="store_true", help="compress the files of each log")
    parser.add_argument(
        "--truth-messages", type=Path, help="also write one JSON line per message and attempt"
    )
    args = parser.parse_args(arguments)
    if args.days < 1 or args.megabytes <= 0 or args.copies < 1:
        parser.error("--days, --megabytes and --copies must be above zero")
    operators = (
        tuple(OPERATORS[name] for name in args.operators) if args.operators else PROFILES[args.profile]
    )
    args.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        details = stack.enter_context(args.truth_messages.open("w")) if args.truth_messages else None
        truth = generate(
            args.out,
            seed=args.seed,
            start=args.start,
            days=args.days,
            megabytes=args.megabytes,
            operators=copies_of(operators, args.copies),
            is_gzip=args.gzip,
            details=details,
        )
    for told in truth["operators"]:
        size = sum(told["bytes_written"].values()) / 1e6
        print(f"{told['operator_id']:<16}{size:9.2f} MB{sum(told['line_count'].values()):12,} lines")
    print(f"written to {args.out} in {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
