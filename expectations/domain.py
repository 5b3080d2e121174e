"""Rules that a contract cannot say: what must hold between tables.

Each rule is a frame of figures side by side and conditions on its rows, run by Great Expectations like
any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from expectations.suites import Asked, Rule, row_rule
from jobs.core.contracts import contract, tables

VOLUME = "gold.spam_volume_daily"
MEASURES = ["units", "spam_certain", "spam_possible"]


@dataclass(frozen=True)
class CrossRule:
    """A rule over several tables: `frame` lays them side by side, `rules` hold in each of its rows."""

    table: str
    tables: tuple[str, ...]
    key: tuple[str, ...]
    frame: Callable[..., pl.DataFrame]
    rules: list[Rule]

    def asked(self, have: Mapping[str, pl.DataFrame]) -> Asked:
        """The rule as it is asked of these tables."""
        beside = self.frame(*(have[table] for table in self.tables))
        return Asked(self.table, beside, self.rules, self.key)


def total(values: pl.Expr | str) -> pl.Expr:
    """The sum of values as SQL has it: null if there is none."""
    column = pl.col(values) if isinstance(values, str) else values
    return pl.when(column.is_not_null().any()).then(column.sum())


def same_totals(detail: pl.DataFrame, volume: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Totals of a detail table and of the volume table, side by side."""
    left = detail.group_by(by).agg(total(name).alias(f"detail_{name}") for name in MEASURES)
    right = volume.group_by(by).agg(total(name).alias(f"volume_{name}") for name in MEASURES)
    return left.join(right, on=by, how="full", coalesce=True)


def totals_equal(table: str) -> CrossRule:
    """That a table which counts the volume by more columns, or by others, adds up to it."""
    by = tuple(name for name in contract(VOLUME).key if name in contract(table).key)
    conditions = [
        row_rule(
            f"{name}_equal_volume",
            f"detail_{name} = volume_{name}",
            f"{name} of {table} add up to those of {VOLUME}",
        )
        for name in MEASURES
    ]
    return CrossRule(
        table=table,
        tables=(table, VOLUME),
        key=by,
        frame=lambda detail, volume: same_totals(detail, volume, by),
        rules=conditions,
    )


def counts_volume(table: str) -> bool:
    """Whether a table counts the volume by day in other parts."""
    about = contract(table)
    return about.period == "period_date" and table != VOLUME and {*MEASURES} <= {*about.columns}


GOLD = [totals_equal(table) for table in tables() if table.startswith("gold.") and counts_volume(table)]


def marked_beside_certain(coverage: pl.DataFrame, types: pl.DataFrame) -> pl.DataFrame:
    """What was marked, and what is spam for certain by the operators' own definition, side by side.

    Of the coverage the row of all: what two filters spoke of is under both.
    """
    left = (
        coverage.filter(pl.col("engine_code") == "_T")
        .group_by(COVERAGE)
        .agg(total("units_marked").alias("marked"), total("units_untyped").alias("untyped"))
    )
    certain = pl.col("spam_certain")
    untyped = pl.when(pl.col("spam_type_code") == "UNK").then(certain).otherwise(0)
    right = (
        types.filter(pl.col("definition_code") == "OPERATOR", certain > 0)
        .group_by(COVERAGE)
        .agg(total(certain).alias("certain"), total(untyped).alias("certain_untyped"))
    )
    return left.join(right, on=COVERAGE, how="full", coalesce=True)


COVERAGE = ("operator_id", "period_date", "channel_code", "unit_code")
GOLD.append(
    CrossRule(
        table="gold.type_coverage_daily",
        tables=("gold.type_coverage_daily", "gold.spam_type_daily"),
        key=COVERAGE,
        frame=marked_beside_certain,
        rules=[
            row_rule(
                "marked_equal_certain",
                "marked = certain AND untyped = certain_untyped",
                "what was marked, and what of it has no type, add up to OPERATOR in gold.spam_type_daily",
            )
        ],
    )
)


HOURLY = ("operator_id", "period_date", "channel_code", "direction_code", "unit_code")


def hours_beside_volume(hours: pl.DataFrame, volume: pl.DataFrame) -> pl.DataFrame:
    """Units of all hours of a day beside those of the volume, which has each once under OPERATOR."""
    left = hours.group_by(HOURLY).agg(total("units").alias("hours"))
    own = volume.filter(pl.col("definition_code") == "OPERATOR", pl.col("unit_code") != "segment")
    right = own.group_by(HOURLY).agg(total("units").alias("volume"))
    return left.join(right.filter(pl.col("volume") > 0), on=HOURLY, how="full", coalesce=True)


GOLD.append(
    CrossRule(
        table="gold.traffic_hourly_daily",
        tables=("gold.traffic_hourly_daily", VOLUME),
        key=HOURLY,
        frame=hours_beside_volume,
        rules=[
            row_rule(
                "units_equal_volume",
                "hours = volume",
                f"units of gold.traffic_hourly_daily add up to those of {VOLUME}",
            )
        ],
    )
)


CELL = ("period_code", "channel_code", "measure_code", "definition_code")
PAIR = (*CELL, "origin_code", "destination_code")
SIDES = ("sent", "received")


def links_beside_total(mirror: pl.DataFrame) -> pl.DataFrame:
    """Of each pair of countries what both sides say by kinds of link, and what they say of all links."""
    is_all = pl.col("link_code") == "_T"
    names = [f"{side}_{name}" for side in SIDES for name in MEASURES]
    return mirror.group_by(PAIR).agg(
        *(total(pl.when(~is_all).then(name)).alias(f"links_{name}") for name in names),
        *(total(pl.when(is_all).then(name)).alias(f"all_{name}") for name in names),
    )


def told_beside_given(mirror: pl.DataFrame, submission: pl.DataFrame) -> pl.DataFrame:
    """For each country and side what it says in study.mirror of all others, and what it gave in all."""
    from jobs.study.mirror import RECEIVED, SENT

    frames = []
    for side, own, direction, measures in (
        ("sent", "origin_code", "outbound", SENT),
        ("received", "destination_code", "inbound", RECEIVED),
    ):
        by = [*CELL, "country_code"]
        # What has no other end stands in each of a country's rows.
        told = total(f"{side}_units") + pl.col(f"{side}_unplaced_units").max()
        of_all = mirror.filter(pl.col("link_code") == "_T").with_columns(pl.col(own).alias("country_code"))
        measure = pl.col("unit_code").replace_strict(measures, default=None, return_dtype=pl.String)
        given = submission.filter(pl.col("direction_code") == direction).with_columns(
            measure.alias("measure_code")
        )
        frames.append(
            of_all.group_by(by)
            .agg(told.alias("told_units"))
            .join(given.group_by(by).agg(total("units").alias("given_units")), on=by, how="left")
            .with_columns(pl.lit(side).alias("side"))
        )
    return pl.concat(frames)


OF_SPENDING = ("period_code", "area_code", "channel_code", "strategy_code", "conversion_code")
OF_STRATEGIES = ("period_code", "area_code", "channel_code", "component_code", "conversion_code")


def parts_beside_whole(by: tuple[str, ...], part: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Of study.investment the sum of the parts and the whole, by estimate and by what was reported."""

    def beside(investment: pl.DataFrame) -> pl.DataFrame:
        is_whole = pl.col(part) == "_T"
        # Posts have no components; they are of strategies as money is.
        is_counted = pl.col("component_code") != "posts" if part == "component_code" else pl.lit(True)
        sums = {
            f"{side}_{name}": total(pl.when(which).then(name)).cast(pl.Float64)
            for side, which in (("parts", ~is_whole), ("whole", is_whole))
            for name in SPENT
        }
        return investment.filter(is_counted).group_by(by).agg(pl.len().alias("row_count"), **sums)

    return beside


SPENT = ("estimate", "reported")
# Each row is rounded to cents; beyond them sums of doubles differ in their last digits.
ADD_UP = " AND ".join(
    f"coalesce(abs(parts_{name} - whole_{name}) <= 0.005 * row_count + 1e-9 * whole_{name},"
    f" parts_{name} IS NULL AND whole_{name} IS NULL)"
    for name in SPENT
)


STUDY = [
    *(
        CrossRule(
            table="study.investment",
            tables=("study.investment",),
            key=by,
            frame=parts_beside_whole(by, part),
            rules=[row_rule(name, ADD_UP, says)],
        )
        for by, part, name, says in (
            (
                OF_SPENDING,
                "component_code",
                "components_add_up",
                "capital and operating cost add up to the whole, but for rounding",
            ),
            (
                OF_STRATEGIES,
                "strategy_code",
                "strategies_add_up",
                "strategies add up to that of all strategies, but for rounding",
            ),
        )
    ),
    CrossRule(
        table="study.mirror",
        tables=("study.mirror",),
        key=PAIR,
        frame=links_beside_total,
        rules=[
            row_rule(
                f"{side}_links_add_up",
                " AND ".join(f"links_{side}_{name} = all_{side}_{name}" for name in MEASURES),
                f"what was {side} by the kinds of link adds up to that of all links",
            )
            for side in SIDES
        ],
    ),
    CrossRule(
        table="study.mirror",
        tables=("study.mirror", "study.submission"),
        key=(*CELL, "country_code", "side"),
        frame=told_beside_given,
        rules=[
            row_rule(
                "told_within_given",
                "told_units <= given_units",
                "no country tells of more units in study.mirror than its operators gave in study.submission",
            )
        ],
    ),
]


def quarantine_share(ledger: pl.DataFrame) -> pl.DataFrame:
    """Per operator, source and format the share of lines that no rule understood, in percent."""
    totals = ledger.group_by("operator_id", "source_id", "format_code").agg(
        total(f"{name}_count").alias(f"{name}_count") for name in ("line", "record", "ignored", "quarantined")
    )
    lines = pl.col("line_count")
    # Files without a line have no share to limit.
    share = pl.when(lines > 0).then(pl.col("quarantined_count") * 100.0 / lines).otherwise(0.0)
    return totals.with_columns(share.alias("quarantined_pct"))


WITHIN_LIMIT = "quarantine_within_limit"


def ledger_rules(limit_pct: float, least: int) -> CrossRule:
    """The ledger accounts for every line, and not too many were beyond understanding.

    least: so many quarantined lines a source has at least before their share is judged.
    """
    return CrossRule(
        table="bronze.file",
        tables=("bronze.file",),
        key=("operator_id", "source_id", "format_code"),
        frame=quarantine_share,
        rules=[
            row_rule(
                "lines_conserved",
                "line_count = record_count + ignored_count + quarantined_count",
                "lines = records + ignored + quarantined",
            ),
            row_rule(
                WITHIN_LIMIT,
                f"quarantined_pct <= {limit_pct} OR quarantined_count < {least}",
                f"at most {limit_pct:g}% of a source's lines are quarantined (limits.quarantined_pct), or"
                f" fewer than {least} (limits.quarantined_lines);"
                " `observatory quarantine` shows what those look like; after a correction"
                " `observatory run --requarantine` reads them again",
            ),
        ],
    )
