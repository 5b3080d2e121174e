"""What is wrong with a source has an exit code, a metric of its own, and an alert that rings for it alone."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT
from tests.state.test_jumps import gold_lake
from tests.state.test_status import LAST, LINES, ODD, Command, observatory, with_ledger, written
from tests.support.whole_runs import source_toml

__all__ = ["observatory"]
SOURCE = source_toml("mx1", "mail.log", "postfix")
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((ROOT / "docker" / "prometheus_alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}
ABOVE = re.compile(r"(?:(time\(\)) - )?(\w+) > (\d+)")


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
        assert values, f"no {metric}"
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
