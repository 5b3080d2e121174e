"""Mirror statistics: from two operators' packages to the study's row, and the rules that hold it.

What counts on which side is in tests/golden/study.mirror/.
"""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from expectations import native
from jobs.base.core.errors import ValidationHeld
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import conform_frame, read_contract, reference_table, rows_frame
from jobs.operators.packages.packaging import package_of, write_package
from jobs.study.estimates import mirror
from jobs.study.estimates.steps import study_stage
from jobs.study.packages.loading import land_packages
from jobs.study.packages.package_checks import judge_file
from jobs.study.questionnaire.respondents import Respondent
from sample_data.membership import FOLDER
from tests.support.submission_lake import AT, Rows, put_gold

DELIVERED = ("delivery", "delivered", "UNK")
# Kenya's operator sent 90 to Uganda by a hub. Three by a peer, and four to Rwanda, are too few to tell.
KENYA: Rows = [
    ("2026-11-03", "outbound", *DELIVERED, "KEN", 50, 5, 5, "UGA", "hub"),
    ("2026-11-30", "outbound", *DELIVERED, "KEN", 40, 4, 6, "UGA", "hub"),
    ("2026-11-30", "outbound", *DELIVERED, "KEN", 3, 0, 0, "UGA", "peer"),
    ("2026-11-30", "outbound", *DELIVERED, "KEN", 4, 0, 0, "RWA", "hub"),
    ("2026-11-30", "outbound", *DELIVERED, "KEN", 60, 0, 0, "TZA", "hub"),
    ("2026-11-30", "outbound", *DELIVERED, "KEN", 5, 0, 0, "_U", "_U"),
]
# Uganda's got half of that by a hub, and half as much again by a SIM farm.
UGANDA: Rows = [
    ("2026-11-04", "inbound", *DELIVERED, "KEN", 45, 20, 25, "UGA", "hub"),
    ("2026-11-04", "inbound", "content", "rejected", "PHISH.mail", "KEN", 22, 22, 22, "UGA", "sim-farm"),
    ("2026-11-04", "inbound", *DELIVERED, "_U", 8, 0, 0, "UGA", "hub"),
]
LABELS = ("origin_region_code", "destination_region_code", "link_code")
FIGURES = (
    "sent_units",
    "received_units",
    "discrepancy_units",
    "sent_unplaced_units",
    "received_unplaced_units",
)


def settings_of(root: Path) -> Observatory:
    operators = [
        {"id": f"{code.lower()}-sms", "name": code, "country": code, "holding": code, "currency": "USD"}
        for code in ("KEN", "UGA")
    ]
    study = {"require_signature": False}
    return Observatory.model_validate({"lake": {"root": str(root)}, "study": study, "operator": operators})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake of a study that took both operators' packages."""
    folder = tmp_path_factory.mktemp("mirror")
    respondents, found = {}, []
    for operator, seen in zip(settings_of(folder).operator, (KENYA, UGANDA), strict=True):
        own = folder / operator.id
        put_gold(own, operator.id, "SMS", seen=seen)
        package = write_package(package_of(settings_of(own), operator, "2026-11", None), own, None)
        known = Respondent(
            operator.id, operator.name, "O", operator.country, operator.holding, (operator.id,), "en", "S1"
        )
        respondents[operator.id] = known
        found.append((package, own))
    study = Lake(str(folder / "study"))
    judged = [judge_file(package, settings_of(own), respondents, AT) for package, own in found]
    land_packages(study, judged, "test")
    assert [each.wrong for each in judged] == [[], []]
    return study


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's files, with both operators in the frame: each has as many subscriptions as all others of
    its country together."""
    made = tmp_path_factory.mktemp("files")
    for file in FOLDER.glob("*.csv.gz"):
        shutil.copy(file, made)
    (name,) = made.glob("operator_frame.csv.gz")
    frame = pl.read_csv(name, infer_schema=False)
    own = (
        frame.filter(pl.col("country_code").is_in(["KEN", "UGA"]), pl.col("channel_code") == "SMS")
        .group_by("country_code")
        .agg(pl.col("subscriptions").cast(pl.Int64).sum().cast(pl.String), pl.exclude("subscriptions").last())
        .with_columns(pl.format("{}-sms", pl.col("country_code").str.to_lowercase()).alias("respondent_id"))
        .with_columns(pl.col("respondent_id").alias("holding_id"))
    )
    name.unlink()
    pl.concat([frame, own.select(frame.columns)]).write_csv(made / "operator_frame.csv")
    return made


@pytest.fixture
def only_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other tables of the study have tests of their own and take minutes."""
    monkeypatch.setattr(study_stage, "TABLES", ("study.mirror",))


@pytest.mark.long
@pytest.mark.usefixtures("only_mirror")
def test_two_packages_become_rows_of_the_pair(lake: Lake, folder: Path) -> None:
    settings = settings_of(Path(lake.root))
    study_stage.estimate_tables(lake, settings, folder, "test", report_step=lambda text: None)
    shown = lake.read("study.mirror").filter(definition_code="OPERATOR").sort(LABELS)
    # What was too few is with Uganda's largest link and with what has no place; counts are multiples of five.
    assert shown.select(*LABELS, *FIGURES, "is_within_unplaced").rows() == [
        ("AFR", "AFR", "_T", 90, 65, 25, 10, 10, False),
        ("AFR", "AFR", "hub", 90, 45, 45, 10, 10, False),
        ("AFR", "AFR", "sim-farm", 0, 20, -20, 10, 10, False),
    ]
    assert shown.select("sent_spam_certain", "received_spam_possible").row(0) == (10, 45)
    assert set(shown["measure_code"]) == {"attempted"}
    # What is told is what readers of the last finished run see.
    assert lake.versions()["study.mirror"] == lake.version("study.mirror")


def count_twice(table: str, have: dict[str, pl.DataFrame]) -> pl.DataFrame:
    route, frame = (have[name] for name in read_contract(table).reads[:2])
    country = reference_table("ref.country")
    return conform_frame(mirror.transform(pl.concat([route, route]), frame, country), table)


@pytest.mark.long
@pytest.mark.usefixtures("only_mirror")
def test_a_mirror_that_tells_more_than_was_given_is_not_written(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lake.version("study.mirror") if lake.exists("study.mirror") else None

    monkeypatch.setattr(study_stage, "compute_table", count_twice)
    with pytest.raises(ValidationHeld, match="counted_within_given"):
        study_stage.estimate_tables(
            lake, settings_of(Path(lake.root)), folder, "held", report_step=lambda text: None
        )
    assert (lake.version("study.mirror") if lake.exists("study.mirror") else None) == before


def row(link: str, sent: int, received: int, **values: Any) -> dict[str, Any]:
    """A row of study.mirror that keeps its contract."""
    return {
        "period_code": "2026-11", "channel_code": "SMS", "measure_code": "attempted",
        "definition_code": "OPERATOR", "origin_region_code": "AFR", "destination_region_code": "AFR",
        "link_code": link, "country_pair_count": 1,
        "sent_units": sent, "sent_spam_certain": 0, "sent_spam_possible": 0,
        "received_units": received, "received_spam_certain": 0, "received_spam_possible": 0,
        "discrepancy_units": sent - received, "sent_unplaced_units": 0, "received_unplaced_units": 0,
        "sent_holding_count": 3, "received_holding_count": 3, "sent_respondent_count": 3,
        "received_respondent_count": 3,
    } | values  # fmt: skip


GIVEN = [
    {"period_code": "2026-11", "channel_code": "SMS", "direction_code": direction, "unit_code": unit,
     "definition_code": "OPERATOR", "country_code": country, "units": units}
    for direction, unit, country, units in [
        ("outbound", "recipient", "KEN", 10), ("outbound", "attempt", "KEN", 900),
        ("inbound", "recipient", "UGA", 5), ("inbound", "attempt", "UGA", 3),
    ]
]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        ([row("_T", 10, 8), row("hub", 7, 8), row("peer", 3, 0)], set()),
        ([row("_T", 10, 8), row("hub", 7, 8)], {"sent_links_add_up"}),
        ([row("hub", 7, 8)], {"sent_links_add_up", "received_links_add_up"}),
        ([row("_T", 10, 8, received_spam_certain=1), row("hub", 10, 8)], {"received_links_add_up"}),
        # Nine hundred attempts of Kenya's own clients never left it.
        ([row("_T", 11, 8), row("hub", 11, 8)], {"counted_within_given"}),
        ([row("_T", 10, 9), row("hub", 10, 9)], {"counted_within_given"}),
        ([row("_T", 9, 8, sent_unplaced_units=2), row("hub", 9, 8)], {"counted_within_given"}),
        (
            [row(of, 6, 0, origin_region_code=end) for end in ("AFR", "ARB") for of in ("_T", "hub")],
            {"counted_within_given"},
        ),
    ],
)
def test_each_rule_between_tables_holds_what_breaks_it(rows: list[dict[str, Any]], broken: set[str]) -> None:
    have = {
        "study.mirror": rows_frame(rows, "study.mirror"),
        "study.submission": rows_frame(GIVEN, "study.submission"),
    }
    found: set[str] = set()
    for rule in (each for each in native.cross_rules_of(have) if each.table == "study.mirror"):
        results = native.check_between(have, rule)
        found |= {result.rule for result in results if not result.is_held}
    assert found == broken
