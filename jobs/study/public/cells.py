"""Published figures as the gate sees them: which rows may leave at all, and who contributed to each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.periods import last_day
from jobs.base.figures.areas import COUNTRY, HALVES, classify_countries, list_areas
from jobs.base.tables.public_contracts import PublicContract
from jobs.base.tables.sql import parse_expression
from jobs.study.attack.coefficients import World
from jobs.study.disclosure import rules

CONTRIBUTION = "study.contribution"
COUNTRIES = "ref.country"
# The tables that say who there is: operators, subscriptions, countries and their groups.
WORLD = tuple(f"ref.{field.name}" for field in fields(World) if field.name != "prices")
# Prices by country, in both currencies in which spending is published; older releases kept none.
PRICES = "ref.price_level"
DEFINITION = "definition_code"
# The rule of hold_world_halves().
HALF = "half"
# The rule of rows that a decision on an objection leaves out.
DECISION = "decision"
# A figure; and what a country's rows leave or stay together by.
CELL = ["table_name", "period_code", "channel_code", "series", "area_code"]
GROUP = ["table_name", "period_code", "channel_code", "area_code"]
# All areas of a figure.
SERIES = ["table_name", "period_code", "channel_code", "series"]
HELD_SCHEMA = dict.fromkeys((*CELL, "rule"), pl.String)


@dataclass(frozen=True)
class Basis:
    """The inputs of a release's figures. Restricted.

    Attributes:
        release: its name.
        tables: the study tables that public ones come from, study.contribution, WORLD and PRICES.
    """

    release: str
    tables: Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class EarlierRelease:
    """An earlier release, withdrawn ones too: its basis, and the public tables that left."""

    basis: Basis
    public: Mapping[str, pl.DataFrame]


def name_cells(rows: pl.DataFrame, contract: PublicContract) -> pl.DataFrame:
    """Rows of a source or public table with CELL's columns."""
    assert contract.protect is not None
    return rows.with_columns(
        table_name=pl.lit(contract.protect.contributions),
        series=pl.concat_str(*contract.protect.series, separator="/"),
    )


def candidate_rows(contract: PublicContract, basis: Basis, periods: Sequence[str]) -> pl.DataFrame:
    """The rows of the source that the contract lets leave, but those of months, with CELL's columns."""
    assert contract.protect is not None
    is_released = pl.col(contract.protect.released_by).is_in(list(periods))
    rows = basis.tables[contract.source].filter(is_released & ~rules.is_month(pl.col("period_code")))
    return name_cells(rows.filter(parse_expression(contract.rows)), contract).sort(CELL)


def repeat_by_area(basis: Basis, periods: Sequence[str]) -> pl.DataFrame:
    """Contributions of these periods, once in each area that their country is in.

    Raises ObservatoryError for contributions from a country that is in no area: a rule would not see them.
    """
    parts = []
    for period in sorted(set(periods)):
        listed = list_areas(
            classify_countries(basis.tables[COUNTRIES], basis.tables["ref.country_group"], last_day(period))
        )
        of = [(area.code, country) for area in listed for country in area.countries]
        places = pl.DataFrame(of, schema={"area_code": pl.String, "country_code": pl.String}, orient="row")
        own = basis.tables[CONTRIBUTION].filter(pl.col("period_code") == period)
        lost = own.join(places, on="country_code", how="anti")
        if lost.height:
            names = sorted(set(lost["country_code"].fill_null("none").to_list()))
            raise ObservatoryError(
                f"{CONTRIBUTION} has contributions to {period} of countries that {COUNTRIES} does not have:"
                f" {', '.join(names)}. Correct the country in the frame of operators, and run `observatory"
                " study estimate`"
            )
        parts.append(own.join(places, on="country_code"))
    return pl.concat(parts)


def primary_rules(contract: PublicContract) -> dict[str, pl.Expr]:
    """The primary rules, in the order in which a row names the first that holds it back; each with the rows
    that it holds back by itself."""
    assert contract.protect is not None
    # An area whose kind is not known is held back like a country.
    is_country = (pl.col("area_kind_code") == COUNTRY).fill_null(True)
    is_modelled = is_country & pl.col("holdings").is_null()
    is_own_rate = rules.has_own_rate(pl.col("coverage_pct")).fill_null(False)
    return {
        "areas_only": is_country & ~parse_expression(contract.protect.countries).fill_null(False),
        "modelled": is_modelled,
        "threshold": ~is_modelled & ~pl.col(rules.ENOUGH).fill_null(False),
        "p_pct": ~is_modelled & ~pl.col(rules.UNDOMINATED).fill_null(False),
        "own_rate": is_country & ~is_modelled & ~is_own_rate,
        "one_country": ~is_country & (pl.col("frame_country_count").fill_null(0) < 2),
    }


# What each rule says of the rows that it holds back.
RULES = {
    "areas_only": "They are of countries, and such figures leave for areas alone",
    "modelled": "Nobody of the country answered",
    "threshold": "Too few holdings contributed",
    "p_pct": "One holding could learn what another one contributed",
    "own_rate": "Too few of the country answered to estimate the others at their rate",
    "one_country": "The area is one country of the study, whose own rows its administration clears",
    HALF: "A rule holds the other half back, which the row of all countries less this one would reveal",
    "whole": "Fewer than three holdings set them apart from a figure of all respondents",
    "attack": "The attack found a contribution with them",
    DECISION: "They are of countries whose rows a decision leaves out",
}
# The rules that hold a row back by who answered, whatever it answered: anyone knows beforehand that they do.
BY_RESPONDENTS = ("modelled", "threshold", "own_rate")


def hold_country_rows(rule: pl.Expr, is_rare: pl.Expr) -> pl.Expr:
    """Extend what holds one of a country's rows back to all rows of its period and channel. But that a
    quantity leaves for areas alone holds no other back, and a rare definition none of another one.

    What leaves by other definitions reveals nothing of a rare one: a holding's spam under it is between that
    under those within and around it, and what bounds these is farther from them than p%.
    """
    holds = rule.filter(rule != "areas_only").first()
    others = rule.filter((rule != "areas_only") & ~is_rare).first()
    return pl.coalesce(
        rule, pl.when(is_rare).then(holds.over(*GROUP, DEFINITION)).otherwise(others.over(GROUP))
    )


def hold_world_halves(rule: pl.Expr) -> pl.Expr:
    """Extend what holds one half of the world back to the other, which with the world's row reveals it; and
    hold a half back without the other, which nobody answered for or is nowhere in the frame."""
    is_half = pl.col("area_code").is_in(HALVES)
    passing = (is_half & rule.is_null()).sum().over(SERIES)
    return pl.when(is_half & (passing < len(HALVES))).then(rule.fill_null(HALF)).otherwise(rule)


def refuse_rows(
    rows: pl.DataFrame, inside: pl.DataFrame, contract: PublicContract, p_pct: float
) -> pl.DataFrame:
    """The rows that a primary rule holds back, each with the first rule that does: HELD_SCHEMA's columns.

    A country's rows of a period and channel leave together or not at all, but those of a definition that too
    few count by: they stay, and hold no other back.
    """
    assert contract.protect is not None
    least = pl.lit(contract.protect.least_holdings)
    cells = rules.judge_cells(
        inside.filter(pl.col("table_name") == contract.protect.contributions), CELL, least, p_pct
    )
    by = primary_rules(contract)
    first = pl.coalesce(pl.when(is_held).then(pl.lit(name)) for name, is_held in by.items())
    too_few = ~by["areas_only"] & pl.any_horizontal(by[name] for name in BY_RESPONDENTS)
    definition = pl.col(DEFINITION) if DEFINITION in contract.protect.series else pl.lit("")
    rule = pl.col("rule")
    is_country = (pl.col("area_kind_code") == COUNTRY).fill_null(True)
    return (
        rows.join(cells, on=CELL, how="left")
        .with_columns(definition.alias(DEFINITION), rule=first, is_rare=too_few)
        .with_columns(is_rare=pl.col("is_rare").any().over(*GROUP, DEFINITION))
        .with_columns(
            rule=pl.when(is_country).then(hold_country_rows(rule, pl.col("is_rare"))).otherwise(rule)
        )
        .with_columns(rule=hold_world_halves(pl.col("rule")))
        .filter(pl.col("rule").is_not_null())
        .select(list(HELD_SCHEMA))
    )
