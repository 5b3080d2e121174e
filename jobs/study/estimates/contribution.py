"""study.contribution: what each respondent contributed to each estimate. Restricted: it is never published.

An estimate is a linear function of these numbers, whose coefficients follow from the frame of operators, the
denominators and the list of respondents. Disclosure control works on them, and the attack seeks them.

- Volumes: what the estimate took of a respondent, by its logs or else by its answers. Corrected spam of an
  operator without an audit is imputed, so its contribution is the imputed figure.
- Changes: a matched respondent's volume in either period, which is its contribution to the volume, too.
- Parts of volumes: what packages say of each type, nothing included; and the whole's own contributions, so
  that the attack knows of each respondent that its parts add up to its volume.
- Measured cost: an operator's mean, without anything imputed.
- Money: a respondent's amount; of a budget band its mean, which depends on other respondents' amounts.
- Waiver: a figure from logs is waived if all of its packages waive; packages that do not say leave it to the
  form's general waiver (sp904). An answer is waived if all of its own lines are, money if all lines of money
  are. A form's waivers hold for its period and for all periods within it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from jobs.base.core.periods import last_day, months_of
from jobs.base.figures.areas import rows_on_day
from jobs.base.stats.estimation import seed_of
from jobs.base.tables.contracts import list_codes, polars_schema
from jobs.study.estimates import countermeasure_cost, spam_route, spam_source, spam_type, spam_volume
from jobs.study.estimates.investment_account import SPENDING_INDICATORS, prices_of
from jobs.study.estimates.respondent_figure import ANSWERS, CELL, LOGS, RESPONDENT_CELL
from jobs.study.estimates.steps.parts import part_contributions, split_volumes
from jobs.study.estimates.steps.rows import MEASURES, periods_of, typed_rows
from jobs.study.estimates.steps.sample import Reference
from jobs.study.estimates.steps.spending import (
    ALL,
    NO_MONEY,
    POSTS,
    by_respondent,
    component_factors,
    dollar_prices,
    draw_spending,
    measure_names,
    of_strategies,
    spending_measures,
)
from jobs.study.estimates.volume_change import matched_contributions
from jobs.study.questionnaire.standing import standing_answers

TABLE = "study.contribution"
VOLUME, MONEY = "study.spam_volume", "study.investment"
# The codes of a series of money, in the order of the key of its table.
MONEY_CODES = ("strategy_code", "component_code", "conversion_code")
GENERAL, NO_WAIVER = "sp904", "W0"


def transform(
    respondent_figure: pl.DataFrame,
    submission: pl.DataFrame,
    submission_type: pl.DataFrame,
    submission_source: pl.DataFrame,
    submission_route: pl.DataFrame,
    submission_cost: pl.DataFrame,
    questionnaire_answer: pl.DataFrame,
    investment_account: pl.DataFrame,
    definition: pl.DataFrame,
    indicator_measure: pl.DataFrame,
    operator_frame: pl.DataFrame,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
    price_level: pl.DataFrame,
    exchange_rate: pl.DataFrame,
    investment_assumption: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each respondent that an estimate of a series rests on."""
    # The estimator's denominators change weights, and no contribution.
    reference = Reference(operator_frame, pl.DataFrame(), country, country_group)
    rows = volume_contributions(respondent_figure, reference, spam_volume.labelled_definitions(definition))
    rows += matched_contributions(respondent_figure, reference)
    assumptions = dict(investment_assumption.select("assumption_code", "central").rows())
    rows += spending_contributions(
        investment_account, operator_frame, price_level, int(assumptions["base_year"])
    )
    if not rows:
        return typed_rows([], TABLE)
    found = pl.DataFrame(rows, infer_schema_length=None)
    volume = found.filter(pl.col("table_name") == VOLUME)
    packages = (
        (spam_type, submission_type),
        (spam_source, spam_source.with_region(submission_source, country)),
        (spam_route, spam_route.with_region(submission_route, country)),
    )
    for job, part in packages:
        if volume.height and part.height:
            parted = split_volumes(respondent_figure, submission, part, job.BY, job.MARGINS)
            parts = part_contributions(
                job.TABLE, parted, volume, definition, job.QUANTITIES, job.published_codes
            )
            found = pl.concat([found, parts], how="diagonal_relaxed")
    costs = countermeasure_cost.own_costs(submission_cost, submission, exchange_rate)
    table = {"table_name": countermeasure_cost.TABLE, "waived_by": LOGS}
    for codes, people in costs:
        own = people.with_columns(**{name: pl.lit(code) for name, code in (codes | table).items()})
        found = pl.concat([found, own], how="diagonal_relaxed")
    waived = read_waivers(questionnaire_answer, indicator_measure, sorted(set(found["period_code"])))
    respondent_columns = [
        name
        for name in ("respondent_id", "period_code", "channel_code", "waived_by")
        if name in found.columns
    ]
    found = found.join(waived, on=respondent_columns, how="left").join(
        of_packages(submission, sorted(set(found["period_code"]))), on=respondent_columns, how="left"
    )
    found = found.with_columns(is_waived=pl.coalesce("of_packages", "is_waived", pl.lit(False)))
    # A study without money has none of its columns.
    kinds = polars_schema(TABLE)
    owned = with_owners(found, operator_frame)
    return owned.select(
        (pl.col(name) if name in owned.columns else pl.lit(None).alias(name)).cast(kind)
        for name, kind in kinds.items()
    )


def volume_contributions(
    figures: pl.DataFrame, reference: Reference, labelled: frozenset[str]
) -> list[dict[str, Any]]:
    """The contributions to study.spam_volume. figures: rows of study.respondent_figure."""
    rows: list[dict[str, Any]] = []
    for of_cell in figures.sort(RESPONDENT_CELL).partition_by(CELL, maintain_order=True):
        cell = {name: of_cell[name][0] for name in CELL}
        for period in periods_of(of_cell):
            people, respondents_of, found = spam_volume.cell_basis(
                of_cell, period, reference, labelled, replicates=1
            )
            corrected = {}
            if found:
                corrected = dict(
                    zip(respondents_of[spam_volume.CORRECTED], found.y[0, :, 0].tolist(), strict=True)
                )
            for person in people.to_dicts():
                known = {name: person[name] for name in MEASURES}
                known[spam_volume.CORRECTED] = corrected.get(person["respondent_id"])
                rows += [
                    {"table_name": VOLUME, "period_code": period, "respondent_id": person["respondent_id"]}
                    | cell
                    | {"quantity_code": quantity, "contribution": float(value)}
                    | {"own_subscriptions": person["subscriptions"]}
                    | {"waived_by": LOGS if person["answer_status_code"] is None else ANSWERS}
                    | {"series": "/".join((cell["unit_code"], cell["definition_code"], quantity))}
                    for quantity, value in known.items()
                    if value is not None
                ]
    return rows


def spending_contributions(
    accounts: pl.DataFrame, frame: pl.DataFrame, price_level: pl.DataFrame, base: int
) -> list[dict[str, Any]]:
    """The contributions to study.investment: amounts, bands at their mean, and posts."""
    dollars = {
        name: price.ppp / price.market
        for (name, year), price in prices_of(price_level).items()
        if year == base
    }
    rows: list[dict[str, Any]] = []
    by = ["period_code", "channel_code"]
    for own in accounts.sort(*by, "respondent_id", "strategy_code").partition_by(by, maintain_order=True):
        period, channel = str(own["period_code"][0]), str(own["channel_code"][0])
        strategies = [ALL, *sorted(set(own["strategy_code"]))]
        people = by_respondent(own, frame, last_day(period))
        respondents = people["respondent_id"].to_list()
        seed = seed_of("investment", channel, period, "bands")
        found = draw_spending(people, seed, np.ones((1, people.height)))
        price = dollar_prices(np.array([dollars[name] for name in people["country_code"]]))
        share = of_strategies(own, "share", respondents, strategies)
        y = spending_measures(found.mean, share, component_factors(found.parts, price))
        beside = {"table_name": MONEY, "period_code": period, "channel_code": channel, "waived_by": MONEY}
        rows += of_respondents(y, respondents, measure_names(strategies), beside)
        with_posts = people.filter("has_posts")["respondent_id"].to_list()
        filled = own.filter(pl.col("respondent_id").is_in(with_posts)).with_columns(
            pl.col("posts").cast(pl.Float64)
        )
        counted = of_strategies(filled, "posts", with_posts, strategies)
        rows += of_respondents(counted, with_posts, [(name, POSTS, NO_MONEY) for name in strategies], beside)
    return rows


def of_respondents(
    y: np.ndarray, respondents: Sequence[str], series: Sequence[tuple[str, str, str]], beside: dict[str, Any]
) -> list[dict[str, Any]]:
    """Rows of respondents x series."""
    return [
        beside
        | {"respondent_id": respondent, "series": "/".join(codes), "contribution": float(value)}
        | dict(zip(MONEY_CODES, codes, strict=True))
        for respondent, values in zip(respondents, y, strict=True)
        for codes, value in zip(series, values, strict=True)
    ]


def read_waivers(
    questionnaire_answer: pl.DataFrame, indicator_measure: pl.DataFrame, periods: Sequence[str]
) -> pl.DataFrame:
    """Who waived confidentiality, by respondent, period, channel and kind of contribution."""
    standing = standing_answers(questionnaire_answer).filter(pl.col("value").is_not_null())
    counted = standing.join(
        indicator_measure.select("indicator_code", channel="channel_code"), on="indicator_code"
    )
    parts = [
        standing.filter(pl.col("indicator_code") == GENERAL).with_columns(
            waived_by=pl.lit(LOGS), waiver=pl.col("value"), channel=pl.lit(None, pl.String)
        ),
        standing.filter(pl.col("indicator_code").str.contains(SPENDING_INDICATORS)).with_columns(
            waived_by=pl.lit(MONEY), channel=pl.lit(None, pl.String)
        ),
        counted.with_columns(waived_by=pl.lit(ANSWERS)),
    ]
    columns = ["respondent_id", "form_period", "channel", "waived_by"]
    held = (
        pl.concat(
            part.select("respondent_id", "channel", "waived_by", "waiver", form_period="period_code")
            for part in parts
        )
        .group_by(columns)
        .agg(is_waived=(pl.col("waiver") != NO_WAIVER).all())
        .filter("is_waived")
    )
    forms = sorted(set(held["form_period"]))
    within = [(p, f) for p in periods for f in forms if set(months_of(p)) <= set(months_of(f))]
    of_form = pl.DataFrame(within, schema={"period_code": pl.String, "form_period": pl.String}, orient="row")
    channels = pl.DataFrame({"channel_code": sorted(list_codes("channel"))})
    return (
        held.join(of_form, on="form_period")
        .join(channels, how="cross")
        .filter(pl.col("channel").is_null() | (pl.col("channel") == pl.col("channel_code")))
        .select("respondent_id", "period_code", "channel_code", "waived_by", "is_waived")
        .unique()
    )


def of_packages(submission: pl.DataFrame, periods: Sequence[str]) -> pl.DataFrame:
    """Whether packages waive, by respondent, period and channel: true if all of the period's do, false if one
    says that it waives nothing. No row where they leave it to the form."""
    given = submission.select("respondent_id", "channel_code", "waiver", month="period_code").unique()
    months = sorted(set(given["month"]))
    within = [(p, m) for p in periods for m in months if set(months_of(m)) <= set(months_of(p))]
    parts = pl.DataFrame(within, schema={"period_code": pl.String, "month": pl.String}, orient="row")
    waives = pl.col("waiver") != NO_WAIVER
    return (
        given.join(parts, on="month")
        .group_by("respondent_id", "period_code", "channel_code")
        .agg(
            of_packages=pl.when(~waives.all(ignore_nulls=True))
            .then(False)
            .when(waives.all(ignore_nulls=False))
            .then(True)
        )
        .drop_nulls("of_packages")
        .with_columns(waived_by=pl.lit(LOGS))
    )


def with_owners(contributions: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Contributions with the holding and country of each respondent on the last day of the period."""
    parts = []
    for (period,), rows in contributions.partition_by("period_code", as_dict=True).items():
        owners = (
            rows_on_day(frame, last_day(str(period)))
            .select("respondent_id", "holding_id", "country_code")
            .unique()
        )
        parts.append(
            rows.join(owners.unique("respondent_id", keep="first", maintain_order=True), on="respondent_id")
        )
    return pl.concat(parts)
