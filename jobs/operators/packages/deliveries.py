"""Packages that were delivered to the study, and what it answered: the last one of each period; and which
package is due next."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from jobs.base.core import numbers
from jobs.base.core.periods import count_days, covers_month, last_day, months_of, period_bounds, period_of
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake
from jobs.base.store.record import utc_now
from jobs.base.tables.contracts import Row

TABLE = "meta.delivery"
VOLUME = "gold.spam_volume_daily"
SENT, RECEIVED, REFUSED = "sent", "received", "refused"


@dataclass(frozen=True)
class Delivery:
    """A row of meta.delivery. docs/operator-reference.md documents the fields, which `receipts --json` and
    `status --json` print."""

    operator_id: str
    period_code: str
    file_name: str
    package_sha256: str
    delivered_sha256: str
    inbox_url: str
    sent_at: dt.datetime
    is_signed: bool
    delivery_code: str
    answer_at: dt.datetime | None
    answer_reasons: list[str]
    answer_notes: list[str]
    signer_fingerprint: str | None

    def days_without_answer(self, now: dt.datetime) -> int:
        return max((now - self.sent_at).days, 0)

    def describe_answer(self, now: dt.datetime) -> str:
        """The study's answer in a few words: received 2026-12-05."""
        if self.answer_at is not None:
            return f"{self.delivery_code} {self.answer_at:%Y-%m-%d}"
        days = self.days_without_answer(now)
        return f"no answer for {numbers.format_noun(days, 'day')}" if days else "no answer yet"


def last_deliveries(lake: Lake, operators: Collection[str]) -> list[Delivery]:
    """Return the last package sent by each operator for each period."""
    rows = (
        lake.read(TABLE, where=pl.col("operator_id").is_in(list(operators)))
        .sort("operator_id", "period_code", "sent_at")
        .unique(["operator_id", "period_code"], keep="last", maintain_order=True)
    )
    return [delivery_of(row) for row in rows.to_dicts()]


def delivery_of(row: Row) -> Delivery:
    lists = {name: row[name] or [] for name in ("answer_reasons", "answer_notes")}
    times = {name: row[name] and row[name].astimezone(dt.UTC) for name in ("sent_at", "answer_at")}
    return Delivery(**{**row, **lists, **times})


@dataclass(frozen=True)
class PackageDue:
    """The package that an operator sends next. docs/operator-reference.md documents the fields, which `status
    --json` prints.

    Attributes:
        days_after_due: negative before the day on which it is due.
    """

    operator_id: str
    period_code: str
    due_date: dt.date
    days_after_due: int
    is_overdue: bool

    def describe_due(self) -> str:
        """The time until it is due, in words: in 3 days."""
        days = numbers.format_noun(abs(self.days_after_due), "day")
        return f"{days} overdue" if self.is_overdue else f"in {days}" if self.days_after_due else "today"


@dataclass(frozen=True)
class PackageProblem:
    """A fault of a package and its remedy: a sentence each, without its full stop."""

    operator_id: str
    text: str
    step: str


@dataclass(frozen=True)
class Packages:
    """An operator's packages: those that were sent, the one that is due next, and what is wrong."""

    sent: list[Delivery]
    due: PackageDue | None
    problems: list[PackageProblem]


def read_packages(lake: Lake, settings: Observatory, operators: Collection[str]) -> dict[str, Packages]:
    """The packages of each operator."""
    sent = last_deliveries(lake, operators)
    due = find_due_packages(lake, settings, operators, sent, settings.lake.read_at or utc_now())
    problems = list_package_problems(sent, due.values(), utc_now(), settings.submission.answer_days)
    return {
        operator: Packages(
            [each for each in sent if each.operator_id == operator],
            due.get(operator),
            [each for each in problems if each.operator_id == operator],
        )
        for operator in operators
    }


def find_due_packages(
    lake: Lake,
    settings: Observatory,
    operators: Collection[str],
    deliveries: Collection[Delivery],
    at: dt.datetime,
) -> dict[str, PackageDue]:
    """The next package of each operator; none where no inbox is set, or the operator has no figures."""
    if settings.submission.inbox is None:
        return {}
    first_days: dict[str, dt.date] = {}
    for file in lake.files(VOLUME, lake.versions().get(VOLUME), lambda of: of["operator_id"] in operators):
        partition = dict(file.partition)
        operator, day = str(partition["operator_id"]), dt.date.fromisoformat(str(partition["period_date"]))
        first_days[operator] = min(day, first_days.get(operator, day))
    sent: dict[str, set[str]] = {}
    for each in deliveries:
        sent.setdefault(each.operator_id, set()).update(months_of(each.period_code))
    found = {}
    for operator, first in sorted(first_days.items()):
        period = next_period(first, sent.get(operator, set()), settings.submission.period, at.date())
        due = last_day(period) + dt.timedelta(days=settings.submission.due_days)
        days = (at.date() - due).days
        found[operator] = PackageDue(operator, period, due, days, days > 0)
    return found


def next_period(first: dt.date, sent: Collection[str], length: str, today: dt.date) -> str:
    """The earliest period of this length that lacks a package: after the first that was sent, or if none was
    the last that has ended.

    A period counts if at least one of its months was recorded from its beginning on, since the study takes no
    other.

    Args:
        first: the operator's first day with figures.
        sent: months.
    """
    if sent:
        period = period_of(last_day(min(sent)), length)
    else:
        running, _ = period_bounds(period_of(today, length))
        period = period_of(running - dt.timedelta(days=1), length)
    while set(months_of(period)) <= set(sent) or not any(
        covers_month((last_day(month) - first).days + 1, count_days(month)) for month in months_of(period)
    ):
        period = period_of(last_day(period) + dt.timedelta(days=1), length)
    return period


def list_package_problems(
    deliveries: Collection[Delivery], due: Collection[PackageDue], now: dt.datetime, answer_days: int
) -> list[PackageProblem]:
    """Each refusal, each package that waits for an answer for longer than the settings say, and each that is
    overdue."""
    found = []
    for each in deliveries:
        sender = f"operator '{each.operator_id}': the study"
        if each.delivery_code == REFUSED and each.answer_at:
            found += [
                PackageProblem(
                    each.operator_id,
                    f"{sender} refused {each.file_name} on {each.answer_at:%Y-%m-%d}: {reason}",
                    mend_step(each),
                )
                for reason in each.answer_reasons
            ]
        elif each.answer_at is None and each.days_without_answer(now) > answer_days:
            text = (
                f"{sender} has not answered {each.file_name}, sent {each.sent_at:%Y-%m-%d}: ask it whether it"
                f" has the file with the SHA-256 {each.delivered_sha256}"
            )
            found.append(PackageProblem(each.operator_id, text, ask_step(each)))
    for late in due:
        if late.is_overdue:
            text = (
                f"operator '{late.operator_id}': the package of {late.period_code} was due on"
                f" {late.due_date}, {numbers.format_noun(late.days_after_due, 'day')} ago"
            )
            found.append(PackageProblem(late.operator_id, text, submit_step(late)))
    return found


def list_package_steps(packages: Packages, today: dt.date) -> list[tuple[str, str]]:
    """The next steps with operators' packages: the operator, and a command."""
    sent = packages.sent
    steps = [(each.operator_id, mend_step(each)) for each in sent if each.delivery_code == REFUSED]
    steps += [(each.operator_id, ask_step(each)) for each in sent if each.answer_at is None]
    # A package can be sent once its period is over.
    due = packages.due
    if due and last_day(due.period_code) < today:
        steps.append((due.operator_id, submit_step(due)))
    return steps


def mend_step(refused: Delivery) -> str:
    again = f"`observatory submit --operator {refused.operator_id} --period {refused.period_code}`"
    return f"Mend what the study refused {refused.file_name} for, then {again} sends it again"


def ask_step(sent: Delivery) -> str:
    command = f"`observatory receipts --operator {sent.operator_id}`"
    return f"{command} asks for the study's answer to {sent.file_name}"


def submit_step(due: PackageDue) -> str:
    command = f"`observatory submit --operator {due.operator_id} --period {due.period_code}`"
    return f"{command} sends the package that {'was' if due.is_overdue else 'is'} due on {due.due_date}"
