"""Rules that a contract cannot say: what must hold between tables.

Each rule is a frame of figures side by side and conditions on its rows, run by Great Expectations like
any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectations.suites import Asked, Rule, row_rule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MEASURES = ["units", "spam_certain", "spam_possible"]


@dataclass(frozen=True)
class CrossRule:
    """A rule over several tables: `frame` lays them side by side, `rules` hold in each of its rows."""

    table: str
    tables: tuple[str, ...]
    key: tuple[str, ...]
    frame: Callable[..., DataFrame]
    rules: list[Rule]

    def asked(self, have: Mapping[str, DataFrame]) -> Asked:
        """The rule as it is asked of these tables."""
        beside = self.frame(*(have[table] for table in self.tables))
        return Asked(self.table, beside, self.rules, self.key)


def same_totals(detail: DataFrame, volume: DataFrame, by: tuple[str, ...]) -> DataFrame:
    """Totals of a detail table and of the volume table, side by side."""
    from pyspark.sql import functions as F

    left = detail.groupBy(*by).agg(*(F.sum(name).alias(f"detail_{name}") for name in MEASURES))
    right = volume.groupBy(*by).agg(*(F.sum(name).alias(f"volume_{name}") for name in MEASURES))
    return left.join(right, on=list(by), how="full")


def totals_equal(table: str, by: tuple[str, ...]) -> CrossRule:
    conditions = [
        row_rule(
            f"{name}_equal_volume",
            f"detail_{name} = volume_{name}",
            f"{name} of {table} add up to those of gold.spam_volume_daily",
        )
        for name in MEASURES
    ]
    return CrossRule(
        table=table,
        tables=(table, "gold.spam_volume_daily"),
        key=by,
        frame=lambda detail, volume: same_totals(detail, volume, by),
        rules=conditions,
    )


VOLUME = (
    "operator_id", "period_date", "channel_code", "direction_code", "stage_code", "outcome_code", "unit_code",
    "definition_code",
)  # fmt: skip
ROUTE = ("operator_id", "period_date", "channel_code", "direction_code", "unit_code", "definition_code")

GOLD = [
    totals_equal("gold.spam_type_daily", VOLUME),
    totals_equal("gold.spam_source_daily", VOLUME),
    totals_equal("gold.spam_sender_domain_daily", ROUTE),
    totals_equal("gold.spam_route_daily", ROUTE),
]


def marked_beside_certain(coverage: DataFrame, types: DataFrame) -> DataFrame:
    """What was marked, and what is spam for certain by the operators' own definition, side by side.

    Of the coverage the row of all: what two filters spoke of is under both.
    """
    from pyspark.sql import functions as F

    by = COVERAGE
    left = (
        coverage.filter("engine_code = '_T'")
        .groupBy(*by)
        .agg(F.sum("units_marked").alias("marked"), F.sum("units_untyped").alias("untyped"))
    )
    certain = F.col("spam_certain")
    right = (
        types.filter("definition_code = 'OPERATOR' AND spam_certain > 0")
        .groupBy(*by)
        .agg(
            F.sum(certain).alias("certain"),
            F.sum(F.when(F.col("spam_type_code") == "UNK", certain).otherwise(0)).alias("certain_untyped"),
        )
    )
    return left.join(right, on=list(by), how="full")


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


CELL = ("period_code", "channel_code", "measure_code", "definition_code")
PAIR = (*CELL, "origin_code", "destination_code")
SIDES = ("sent", "received")


def links_beside_total(mirror: DataFrame) -> DataFrame:
    """Of each pair of countries what both sides say by kinds of link, and what they say of all links."""
    from pyspark.sql import functions as F

    is_all = F.col("link_code") == "_T"
    names = [f"{side}_{name}" for side in SIDES for name in MEASURES]
    return mirror.groupBy(*PAIR).agg(
        *(F.sum(F.when(~is_all, F.col(name))).alias(f"links_{name}") for name in names),
        *(F.sum(F.when(is_all, F.col(name))).alias(f"all_{name}") for name in names),
    )


def told_beside_given(mirror: DataFrame, submission: DataFrame) -> DataFrame:
    """For each country and side what it says in study.mirror of all others, and what it gave in all."""
    from pyspark.sql import functions as F

    from jobs.study.mirror import RECEIVED, SENT

    frames = []
    for side, own, direction, measures in (
        ("sent", "origin_code", "outbound", SENT),
        ("received", "destination_code", "inbound", RECEIVED),
    ):
        by = [*CELL, "country_code"]
        # What has no other end stands in each of a country's rows.
        told = F.sum(f"{side}_units") + F.max(f"{side}_unplaced_units")
        of_all = mirror.filter("link_code = '_T'").withColumn("country_code", F.col(own))
        measure = F.coalesce(*(F.when(F.col("unit_code") == unit, code) for unit, code in measures.items()))
        given = submission.filter(F.col("direction_code") == direction).withColumn("measure_code", measure)
        frames.append(
            of_all.groupBy(*by)
            .agg(told.alias("told_units"))
            .join(given.groupBy(*by).agg(F.sum("units").alias("given_units")), on=by, how="left")
            .withColumn("side", F.lit(side))
        )
    return frames[0].unionByName(frames[1])


OF_SPENDING = ("period_code", "area_code", "channel_code", "strategy_code", "conversion_code")
OF_STRATEGIES = ("period_code", "area_code", "channel_code", "component_code", "conversion_code")


def parts_beside_whole(by: tuple[str, ...], part: str) -> Callable[[DataFrame], DataFrame]:
    """Of study.investment the sum of the parts and the whole, by estimate and by what was reported."""

    def beside(investment: DataFrame) -> DataFrame:
        from pyspark.sql import functions as F

        is_whole = F.col(part) == "_T"
        # Posts have no components; they are of strategies as money is.
        kept = investment.filter("component_code <> 'posts'") if part == "component_code" else investment
        return kept.groupBy(*by).agg(
            *(F.sum(F.when(~is_whole, F.col(name))).alias(f"parts_{name}") for name in SPENT),
            *(F.sum(F.when(is_whole, F.col(name))).alias(f"whole_{name}") for name in SPENT),
            F.count("*").alias("row_count"),
        )

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


def quarantine_share(ledger: DataFrame) -> DataFrame:
    """Per operator, source and format the share of lines that no rule understood, in percent."""
    from pyspark.sql import functions as F

    totals = ledger.groupBy("operator_id", "source_id", "format_code").agg(
        F.sum("line_count").alias("line_count"),
        F.sum("record_count").alias("record_count"),
        F.sum("ignored_count").alias("ignored_count"),
        F.sum("quarantined_count").alias("quarantined_count"),
    )
    share = F.try_divide(F.col("quarantined_count") * 100.0, F.col("line_count"))
    # Files without a line have no share to limit.
    return totals.withColumn("quarantined_pct", F.coalesce(share, F.lit(0.0)))


def ledger_rules(limit_pct: float) -> CrossRule:
    """The ledger accounts for every line, and not too many were beyond understanding."""
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
                "quarantine_within_limit",
                f"quarantined_pct <= {limit_pct}",
                f"at most {limit_pct:g}% of a source's lines are quarantined (limits.quarantined_pct);"
                " the command quarantine shows what those look like",
            ),
        ],
    )
