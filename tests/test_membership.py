"""The made-up membership: the same bytes each time, and estimates that know its truth."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import SparkSession

from jobs.lake import Lake
from jobs.study import mirror
from jobs.study.spam_volume import cell_rows
from jobs.study_files import read_reference, read_table
from jobs.study_rows import MEASURES
from jobs.study_run import framed
from jobs.study_sample import Reference
from jobs.submission.counts import ROUTE, VOLUME, disagreements
from jobs.submission.quality import QUALITY
from sample_data.membership import FOLDER, write


def test_the_committed_membership_is_what_its_generator_writes(tmp_path: Path) -> None:
    write(tmp_path)
    names = {file.name for file in FOLDER.iterdir()}
    assert names == {file.name for file in tmp_path.iterdir()}
    for name in names:
        assert pl.read_csv(tmp_path / name).equals(pl.read_csv(FOLDER / name)), name


def given(channel: str) -> pl.DataFrame:
    """What the respondents of a channel gave, as jobs/study/spam_volume.py adds it up."""
    by = ["respondent_id", "period_code", "channel_code", "unit_code", "definition_code"]
    certain, possible, units = (pl.col(name).sum() for name in ("spam_certain", "spam_possible", "units"))
    inbound = pl.col("channel_code") == channel, pl.col("direction_code") == "inbound"
    return (
        read_table(FOLDER, VOLUME)
        .filter(*inbound)
        .group_by(by)
        .agg(
            pl.col(*MEASURES).sum(),
            pl.col("subscriptions").max(),
            content_seen=units,
            flagged=certain,
            undecided=possible - certain,
            passed=units - possible,
        )
        .with_columns(answer_status_code=pl.lit(None, pl.String), certain_before=pl.lit(0))
        .join(read_table(FOLDER, QUALITY), on=by[:3], how="left")
    )


@pytest.mark.parametrize("channel", ["EMAIL", "SMS"])
def test_world_regions_and_groups_are_estimated_around_the_truth(channel: str) -> None:
    """Spam as filters saw it, and with their errors, which of SMS is over a third more; of the quarter."""
    reference = Reference(
        read_table(FOLDER, "ref.operator_frame"),
        read_table(FOLDER, "ref.denominator"),
        read_reference("ref.country"),
        read_reference("ref.country_group"),
    )
    volumes, labelled = given(channel), frozenset({"OPERATOR"})
    rows = cell_rows(volumes, reference, labelled)
    if channel == "EMAIL":
        assert rows == cell_rows(volumes.sort("respondent_id", descending=True), reference, labelled)
    truth = {
        (figure, area): value
        for area, of, figure, value in pl.read_csv(FOLDER / "truth.csv.gz").rows()
        if of == channel
    }
    for quantity in ("spam_certain", "spam_corrected"):
        found = {
            str(row["area_code"]): row
            for row in rows
            if row["period_code"] == "2026-Q4" and row["quantity_code"] == quantity
        }
        wide = [area for area, row in found.items() if row["area_kind_code"] != "country"]
        assert {"WORLD", "AFR", "LDC", "SIDS", "LLDC", "TRANSITION"} <= set(wide) and len(found) == 193 + 11
        for area in wide:
            low, high = (found[area][f"estimate_{end}"] for end in ("low", "high"))
            assert low <= truth[quantity, area] <= high, (quantity, area)
        assert sum(found[name]["estimate"] for name in ("AFR", "AMS", "ARB", "ASP", "CIS", "EUR")) == (
            pytest.approx(found["WORLD"]["estimate"], rel=1e-3)
        )
    if channel == "SMS":
        assert truth["spam_corrected", "WORLD"] > 1.3 * truth["spam_certain", "WORLD"]
    # About a third of those with logs have an audit, some of one month in three.
    world = found["WORLD"]
    assert 0.25 < world["audit_count"] / world["respondent_count"] < 0.45
    assert 0 < world["audit_pct"] < 45


def test_routes_add_up_to_volumes() -> None:
    """As the study holds a package to it."""
    texts = pl.col("channel_code") == "SMS"
    tables = {table: read_table(FOLDER, table).filter(texts) for table in (VOLUME, ROUTE)}
    assert disagreements(tables) == []
    assert set(tables[ROUTE]["respondent_id"]) == set(tables[VOLUME]["respondent_id"])
    assert set(tables[ROUTE]["direction_code"]) == {"inbound", "outbound"}


def test_grey_routes_show_in_the_mirror(spark: SparkSession) -> None:
    """What comes in by bulk senders never left its country by one; hubs have both sides."""
    lake = Lake(spark, "")
    routes, frame = (
        framed(lake, read_table(FOLDER, table), table) for table in (ROUTE, "ref.operator_frame")
    )
    found = mirror.transform(routes, frame).collect()
    assert all(0 < row.sent_coverage_pct <= 100 and 0 < row.received_coverage_pct <= 100 for row in found)
    by_link = {link: [row for row in found if row.link_code == link] for link in ("_T", "hub", "aggregator")}
    assert len(by_link["_T"]) > 500
    assert {row.discrepancy_pct for row in by_link["aggregator"]} == {-100}
    assert len(by_link["aggregator"]) > 20
    both = [row for row in by_link["hub"] if row.sent_units and row.received_units]
    assert len(both) > 0.8 * len(by_link["hub"])
    assert not any(row.discrepancy_units == 0 for row in both)
