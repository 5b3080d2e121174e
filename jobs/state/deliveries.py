"""Packages that were delivered to the study, and what it answered: the last one of each period."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.core import words
from jobs.engine.lake import Lake

TABLE = "meta.delivery"
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
        return f"no answer for {words.with_noun(days, 'day')}" if days else "no answer yet"


def last_deliveries(lake: Lake, operators: Collection[str]) -> list[Delivery]:
    """For each operator and period the package that was sent last."""
    rows = (
        lake.read(TABLE, where=pl.col("operator_id").is_in(list(operators)))
        .sort("operator_id", "period_code", "sent_at")
        .unique(["operator_id", "period_code"], keep="last", maintain_order=True)
    )
    return [delivery_of(row) for row in rows.to_dicts()]


def delivery_of(row: dict[str, Any]) -> Delivery:
    lists = {name: row[name] or [] for name in ("answer_reasons", "answer_notes")}
    times = {name: row[name] and row[name].astimezone(dt.UTC) for name in ("sent_at", "answer_at")}
    return Delivery(**{**row, **lists, **times})


def list_delivery_problems(deliveries: Collection[Delivery], now: dt.datetime, answer_days: int) -> list[str]:
    """A sentence on each refusal, and on each package that waits for an answer for longer than the settings
    say."""
    found = []
    for each in deliveries:
        about = f"operator '{each.operator_id}': the study"
        if each.delivery_code == REFUSED and each.answer_at:
            found += [
                f"{about} refused {each.file_name} on {each.answer_at:%Y-%m-%d}: {reason}"
                for reason in each.answer_reasons
            ]
        elif each.answer_at is None and each.days_without_answer(now) > answer_days:
            found.append(
                f"{about} has not answered {each.file_name}, sent {each.sent_at:%Y-%m-%d}: ask it whether it"
                f" has the file with the SHA-256 {each.delivered_sha256}"
            )
    return found


def list_delivery_steps(deliveries: Collection[Delivery]) -> list[tuple[str, str]]:
    """What to do about packages: the operator, and a command."""
    steps = []
    for each in deliveries:
        chosen = f"--operator {each.operator_id}"
        if each.delivery_code == REFUSED:
            again = f"`observatory submit {chosen} --period {each.period_code}` sends it again"
            mend = f"Mend what the study refused {each.file_name} for, then {again}"
            steps.append((each.operator_id, mend))
        elif each.answer_at is None:
            asks = f"`observatory receipts {chosen}` asks for the study's answer to {each.file_name}"
            steps.append((each.operator_id, asks))
    return steps
