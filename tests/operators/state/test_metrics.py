"""Faults of a source have an exit code, a metric of their own, and an alert for that source alone."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from jobs.base.core.periods import last_day, period_before
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.operators.packages.deliveries import TABLE
from jobs.operators.state import health
from tests.conftest import ROOT
from tests.operators.state.test_jumps import gold_lake
from tests.operators.state.test_status import (
    LAST,
    LINES,
    ODD,
    Command,
    observatory,
    statuses,
    with_ledger,
    written,
)
from tests.support.whole_runs import source_toml

__all__ = ["observatory"]
SOURCE = source_toml("mx1", "mail.log", "postfix")
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((ROOT / "docker" / "prometheus_alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}
ABOVE = re.compile(r"(?:(time\(\)) - )?(\w+) > (\d+)")


INBOX = '[submission]\ninbox = "inbox"\n'


def samples_of(file: Path) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(file.read_text()):
        for sample in family.samples:
            yield sample.name, sample.value


def ringing(metrics: Path, now: float = LAST.timestamp()) -> set[str]:
    """The alerts that a file of metrics sets off."""
    found = set()
    for name, rule in ALERTS.items():
        parts = ABOVE.fullmatch(rule["expr"])
        assert parts, rule["expr"]
        is_age, metric, limit = parts.groups()
        values = [value for each, value in samples_of(metrics) if each == metric]
        assert f"# TYPE {metric} gauge" in metrics.read_text(), f"no {metric}"
        if any((now - value if is_age else value) > float(limit) for value in values):
            found.add(name)
    return found


def status(observatory: Command, file: Path) -> tuple[int, set[str]]:
    """The exit code of `status`, and the alerts that its metrics set off."""
    metrics = file.parent / "observatory.prom"
    return observatory("status", "--config", file, "--metrics", metrics).code, ringing(metrics)


def test_quiet_traffic_rings_for_nothing(tmp_path: Path, observatory: Command) -> None:
    gold_lake(tmp_path, 1)
    file = written(tmp_path, LAST + dt.timedelta(hours=1), SOURCE)
    assert status(observatory, file) == (0, set())


def test_a_stale_source(tmp_path: Path, observatory: Command) -> None:
    with_ledger(tmp_path)
    file = written(tmp_path, LAST + dt.timedelta(days=3), SOURCE)
    assert status(observatory, file) == (3, {"ObservatorySourceStale"})


def test_a_jump(tmp_path: Path, observatory: Command) -> None:
    gold_lake(tmp_path, 5)
    file = written(tmp_path, LAST + dt.timedelta(hours=1), SOURCE)
    assert status(observatory, file) == (3, {"ObservatoryJump"})


def test_a_held_validation(tmp_path: Path, observatory: Command) -> None:
    (tmp_path / "mail.log").write_text(LINES + 20 * ODD)
    file = written(tmp_path, LAST, SOURCE)
    assert observatory("run", "--config", file).code == 1
    code, alerts = status(observatory, file)
    assert (code, alerts) == (0, {"ObservatoryHeld"})


def deliver(folder: Path, period: str, **about: Any) -> None:
    """Record a package of a period as one that was sent just now."""
    row = {"operator_id": "a", "period_code": period, "file_name": f"a_{period}.zip", "is_signed": True}
    row |= {"delivered_sha256": period, "package_sha256": period, "inbox_url": "inbox"}
    row |= {"sent_at": dt.datetime.now(dt.UTC), "delivery_code": "sent", **about}
    Lake(str(folder / "lake")).append(rows_frame([row], TABLE), TABLE)


# Quiet traffic goes from 2026-09-16 to 2026-11-24: October is the first month that is whole.
@pytest.mark.long
@pytest.mark.parametrize(
    ("day", "sent", "period", "days"),
    [
        ("2026-11-04", [], "2026-10", 0),
        ("2026-11-05", [], "2026-10", 1),
        ("2026-10-30", [], "2026-10", -5),
        ("2026-11-05", ["2026-10"], "2026-11", -29),
        ("2026-12-10", ["2026-10"], "2026-11", 6),
        # None is forgotten because a later one was sent.
        ("2027-01-20", ["2026-10", "2026-12"], "2026-11", 47),
        # A quarter stands for its months.
        ("2027-01-20", ["2026-Q4"], "2027-01", -15),
    ],
)
def test_an_overdue_package_rings_and_ends_status_with_3(
    tmp_path: Path, observatory: Command, day: str, sent: list[str], period: str, days: int
) -> None:
    gold_lake(tmp_path, 1)
    for each in sent:
        answered = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
        deliver(tmp_path, each, delivery_code="received", answer_at=answered)
    at = dt.datetime.fromisoformat(day).replace(hour=12, tzinfo=dt.UTC)
    file = written(tmp_path, at, SOURCE + "stale_days = 1000\n", more=INBOX)
    assert status(observatory, file) == ((3, {"ObservatoryPackageOverdue"}) if days > 0 else (0, set()))
    lines = (tmp_path / "observatory.prom").read_text().splitlines()
    assert f'observatory_package_days_after_due{{operator="a",period="{period}"}} {days:.1f}' in lines
    assert any(line.startswith("observatory_package_sent_timestamp_seconds{") for line in lines) == bool(sent)
    told = observatory("status", "--config", file)
    said = " ".join(told.out.split())
    assert f"a {period} {last_day(period) + dt.timedelta(days=4)} " in said
    assert (f"observatory submit --operator a --period {period}" in said) == (days >= 0), told.out
    code, rows = statuses(observatory, file)
    text = health.format_check("packages", rows)
    assert (code == 3) == (days > 0) == (f"the package of {period} was due on" in text)


@pytest.mark.parametrize(
    ("length", "period"), [("month", "2027-03"), ("quarter", "2027-Q1"), ("year", "2027")]
)
def test_the_settings_say_how_long_a_period_is_and_when_it_is_due(
    tmp_path: Path, observatory: Command, length: str, period: str
) -> None:
    gold_lake(tmp_path, 1)
    deliver(tmp_path, period_before(period), delivery_code="received", answer_at=LAST)
    more = f'{INBOX}period = "{length}"\ndue_days = 20\n'
    file = written(tmp_path, LAST, SOURCE, more=more)
    _, (row,) = statuses(observatory, file)
    due = row["package_due"]
    assert due["period_code"] == period
    assert due["due_date"] == str(last_day(period) + dt.timedelta(days=20))
    assert due["days_after_due"] == (LAST.date() - last_day(period)).days - 20 < 0


def test_without_an_inbox_nothing_is_due(tmp_path: Path, observatory: Command) -> None:
    gold_lake(tmp_path, 1)
    file = written(tmp_path, LAST + dt.timedelta(days=60), SOURCE + "stale_days = 1000\n")
    assert status(observatory, file) == (0, set())
    _, (row,) = statuses(observatory, file)
    assert (row["package_due"], row["package_problems"]) == (None, [])


def test_a_refused_package(tmp_path: Path, observatory: Command) -> None:
    gold_lake(tmp_path, 1)
    reasons = ["it is not signed", 'its "days"\ndiffer']
    deliver(tmp_path, "2026-10", delivery_code="refused", answer_at=LAST, answer_reasons=reasons)
    file = written(tmp_path, LAST, SOURCE, more=INBOX)
    assert status(observatory, file) == (3, {"ObservatoryPackageRefused"})
    (family,) = (
        each
        for each in text_string_to_metric_families((tmp_path / "observatory.prom").read_text())
        if each.name == "observatory_package_refused"
    )
    assert [each.labels["reason"] for each in family.samples] == reasons
    _, rows = statuses(observatory, file)
    assert health.format_check("packages", rows).splitlines()[1] == (
        "- operator 'a': the study refused a_2026-10.zip on 2026-11-24: it is not signed. Mend what the study"
        " refused a_2026-10.zip for, then `observatory submit --operator a --period 2026-10` sends it again."
    )


def test_a_package_without_an_answer(tmp_path: Path, observatory: Command) -> None:
    gold_lake(tmp_path, 1)
    deliver(tmp_path, "2026-10", sent_at=dt.datetime.now(dt.UTC) - dt.timedelta(days=15, hours=1))
    file = written(tmp_path, LAST, SOURCE, more=INBOX)
    assert status(observatory, file) == (3, {"ObservatoryPackageUnanswered"})


def test_a_source_that_left_the_settings_is_a_doubt(tmp_path: Path, observatory: Command) -> None:
    with_ledger(tmp_path)
    file = written(tmp_path, LAST + dt.timedelta(hours=1), source_toml("mx2", "mail.log", "postfix"))
    code, alerts = status(observatory, file)
    assert (code, "ObservatoryDoubts" in alerts) == (3, True)


def test_metrics_that_nobody_writes_any_more(tmp_path: Path, observatory: Command) -> None:
    gold_lake(tmp_path, 1)
    file = written(tmp_path, LAST + dt.timedelta(hours=1), SOURCE)
    status(observatory, file)
    metrics = tmp_path / "observatory.prom"
    at = dict(samples_of(metrics))["observatory_status_timestamp_seconds"]
    assert ringing(metrics, at + 35 * 3600) == set()
    assert ringing(metrics, at + 37 * 3600) == {"ObservatoryStatusOld"}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_to_do(name: str) -> None:
    assert ALERTS[name]["annotations"].keys() == {"summary", "description"}
    assert ALERTS[name]["labels"]["severity"] in ("warning", "critical")


def test_a_folder_that_is_not_there_is_named_with_what_to_do(tmp_path: Path, observatory: Command) -> None:
    gold_lake(tmp_path, 1)
    file = written(tmp_path, LAST + dt.timedelta(hours=1), SOURCE)
    told = observatory("status", "--config", file, "--metrics", tmp_path / "none" / "observatory.prom")
    said = " ".join(told.err.split())
    assert (told.code, "observatory.prom cannot be written: No such file or directory." in said) == (2, True)
    assert "Its folder has to be there" in said
