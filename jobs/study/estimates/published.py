"""Figures that others published: study.cost, costs of spam by published models, evaluated again and compared
with the printed values; and study.published_volume, volumes of spam beside this study's."""

from decimal import Decimal

import polars as pl

from jobs.base.costs.cost_model import (
    ModelFigure,
    PublishedModels,
    evaluate_figure,
    judge_reproduction,
    relative_deviation,
)
from jobs.base.figures.own_figures import WHERE, own_figures
from jobs.base.tables.contracts import Row, rows_frame
from jobs.study.estimates.steps.rows import to_decimal

MONEY, INDEX, PERCENT = Decimal("0.0001"), Decimal("0.0001"), Decimal("0.01")
POINTS = ("p05", "p50", "p95", "central")
# What a row of the table has from the model's own row.
SAME = (
    "model_code", "output_code", "estimand_code", "period_code", "geography_code", "currency_code",
    "unit_text", "cost_bearer", "channels",
)  # fmt: skip


def cost(models: PublishedModels) -> pl.DataFrame:
    """A row for each figure of a published model that is a cost. In parts: a model needs all of its
    parameters, so the key is model_code."""
    return rows_frame([row_of(figure) for figure in models.figures if figure.is_cost], "study.cost")


def published_volume(published_figure: pl.DataFrame, spam_volume: pl.DataFrame) -> pl.DataFrame:
    """A row for each published figure that is in force."""
    own = own_figures(spam_volume).with_columns(
        to_decimal(pl.col(name), 4) for name in ("own_value", "own_low", "own_high")
    )
    return (
        published_figure.filter(pl.col("valid_to").is_null())
        .drop("valid_from", "valid_to", "read_date")
        .join(own, on=[*WHERE, "comparison_code"], how="left")
        # Others published it.
        .with_columns(conf_status_code=pl.lit("F"))
    )


def row_of(figure: ModelFigure) -> Row:
    found = evaluate_figure(figure)
    code, text = judge_reproduction(figure, found)
    off = relative_deviation(figure, found)
    points = dict.fromkeys(POINTS) if found is None else {name: getattr(found, name) for name in POINTS}
    amounts = points | {"printed": figure.published}
    row = {name: figure.row[name] for name in SAME} | {
        # The column of its quantity: a sum over a column cannot mix two.
        figure.row["estimand_code"]: {name: round_figure(value, MONEY) for name, value in amounts.items()},
        "deviation_pct": round_figure(None if off is None else off * 100, PERCENT),
        "reproduction_code": code,
        "reproduction_text": text,
        "conf_status_code": "F",
    }
    if found is None:
        return row
    parts = [
        {
            "parameter_code": part.parameter_code,
            "first_order": round_figure(part.first_order, INDEX),
            "total_order": round_figure(part.total_order, INDEX),
            "amount_low": round_figure(part.low, MONEY),
            "amount_high": round_figure(part.high, MONEY),
        }
        for part in found.sensitivities
    ]
    return row | {"sensitivities": parts}


def round_figure(value: float | None, digits: Decimal) -> Decimal | None:
    """A number as it is stored: the last bits of a double differ between machines."""
    return None if value is None else Decimal(value).quantize(digits)
