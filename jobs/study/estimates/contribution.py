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
- Waivers: study.respondent_waiver has them.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from jobs.base.core.periods import last_day
from jobs.base.stats.estimation import seed_of
from jobs.base.tables.contracts import Row
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates import countermeasure_cost, spam_volume
from jobs.study.estimates.investment_account import PriceLevels
from jobs.study.estimates.respondent_figure import ANSWERS, CELL, LOGS, RESPONDENT_CELL
from jobs.study.estimates.respondent_waiver import MONEY as OF_MONEY
from jobs.study.estimates.spam_part import BREAKDOWNS
from jobs.study.estimates.steps.rows import MEASURES, fill_columns, frame_rows, periods_of
from jobs.study.estimates.steps.sample import Reference
from jobs.study.estimates.steps.spending import (
    ALL,
    NO_MONEY,
    POSTS,
    component_factors,
    dollar_prices,
    draw_spending,
    measure_names,
    spending_measures,
    sum_by_respondent,
    sum_by_strategy,
)
from jobs.study.estimates.steps.volume_parts import part_contributions, split_volumes
from jobs.study.estimates.volume_change import matched_contributions

TABLE = "study.contribution"
VOLUME, MONEY = "study.spam_volume", "study.investment"
# The codes of a series of money, in the order of the key of its table.
MONEY_CODES = ("strategy_code", "component_code", "conversion_code")


def transform(
    respondent_figure: pl.DataFrame,
    respondent_part: pl.DataFrame,
    respondent_cost: pl.DataFrame,
    respondent_waiver: pl.DataFrame,
    investment_account: pl.DataFrame,
    definition: pl.DataFrame,
    reference: Reference,
    prices: PriceLevels,
) -> pl.DataFrame:
    """A row for each respondent that an estimate of a series rests on."""
    rows = volume_contributions(respondent_figure, reference, spam_volume.labelled_definitions(definition))
    rows += matched_contributions(respondent_figure, reference)
    rows += spending_contributions(investment_account, reference.operator_frame, prices.dollars)
    if not rows:
        return frame_rows([], TABLE)
    found = pl.DataFrame(rows, infer_schema_length=None)
    volume = found.filter(pl.col("table_name") == VOLUME)
    for breakdown in BREAKDOWNS:
        given = split_volumes(respondent_figure, respondent_part, breakdown)
        if volume.height and given.parts.height:
            parts = part_contributions(given, volume, definition)
            found = pl.concat([found, parts], how="diagonal_relaxed")
    costs = respondent_cost.with_columns(
        table_name=pl.lit(countermeasure_cost.TABLE),
        waived_by=pl.lit(LOGS),
        series=pl.concat_str("strategy_code", "cost_component_code", "conversion_code", separator="/"),
    ).drop("cost_component_code")
    found = pl.concat([found, costs], how="diagonal_relaxed")
    on = ["respondent_id", "period_code", "channel_code", "waived_by"]
    found = found.join(respondent_waiver, on=on, how="left").with_columns(
        pl.col("is_waived").fill_null(False)
    )
    # A study without money has none of its columns.
    return fill_columns(add_owners(found, reference.operator_frame), TABLE)


def volume_contributions(figures: pl.DataFrame, reference: Reference, labelled: frozenset[str]) -> list[Row]:
    """The contributions to study.spam_volume.

    Args:
        figures: rows of study.respondent_figure.
    """
    rows: list[Row] = []
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
    accounts: pl.DataFrame, frame: pl.DataFrame, dollars: dict[str, float]
) -> list[Row]:
    """The contributions to study.investment: amounts, bands at their mean, and posts.

    Args:
        dollars: US for one international dollar, by country.
    """
    rows: list[Row] = []
    by = ["period_code", "channel_code"]
    for own in accounts.sort(*by, "respondent_id", "strategy_code").partition_by(by, maintain_order=True):
        period, channel = str(own["period_code"][0]), str(own["channel_code"][0])
        strategies = [ALL, *sorted(set(own["strategy_code"]))]
        people = sum_by_respondent(own, frame, last_day(period))
        respondents = people["respondent_id"].to_list()
        seed = seed_of("investment", channel, period, "bands")
        found = draw_spending(people, seed, np.ones((1, people.height)))
        price = dollar_prices(np.array([dollars[name] for name in people["country_code"]]))
        share = sum_by_strategy(own, "share", respondents, strategies)
        y = spending_measures(found.mean, share, component_factors(found.parts, price))
        beside = {"table_name": MONEY, "period_code": period, "channel_code": channel, "waived_by": OF_MONEY}
        rows += respondent_rows(y, respondents, measure_names(strategies), beside)
        with_posts = people.filter("has_posts")["respondent_id"].to_list()
        filled = own.filter(pl.col("respondent_id").is_in(with_posts)).with_columns(
            pl.col("posts").cast(pl.Float64)
        )
        counted = sum_by_strategy(filled, "posts", with_posts, strategies)
        rows += respondent_rows(counted, with_posts, [(name, POSTS, NO_MONEY) for name in strategies], beside)
    return rows


def respondent_rows(
    y: np.ndarray, respondents: Sequence[str], series: Sequence[tuple[str, str, str]], beside: Row
) -> list[Row]:
    """Rows of respondents x series."""
    return [
        beside
        | {"respondent_id": respondent, "series": "/".join(codes), "contribution": float(value)}
        | dict(zip(MONEY_CODES, codes, strict=True))
        for respondent, values in zip(respondents, y, strict=True)
        for codes, value in zip(series, values, strict=True)
    ]


def add_owners(contributions: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
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
