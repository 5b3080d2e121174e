"""Published cost models, evaluated again: each figure with its interval, held against what was printed.

A figure is a formula over the model's parameters. At their central values it should give the printed
figure: whether it does is found here by rule, not declared. Its 5, 50 and 95% points come from Sobol points
through the parameters' distributions, and so do the indices that say which parameter dominates.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_change, format_significant, to_decimal
from jobs.base.stats.formula import check_names, evaluate_formula, money_degree, names_in
from jobs.base.stats.sampling import Samples, sample_parameters, three_quantiles
from jobs.base.stats.sensitivity import Sensitivity, rank_parameters
from jobs.base.tables.contracts import Row

# No cost, though some are amounts of money.
NO_COST = {"base", "quantity"}
# A match that rests on any other kind of input is not exact.
PUBLISHED = {"published", "constant"}
CURRENCY = re.compile(r"^([A-Z]{3})\b")
SCHEMA = {"parameter_code": pl.String, "low": pl.Float64, "central": pl.Float64, "high": pl.Float64}


@dataclass(frozen=True)
class ModelFigure:
    """One figure of a published model: its row of ref.cost_model, and the parameters that its formula takes,
    rows of ref.cost_model_parameter by their names."""

    row: Mapping[str, Any]
    parameters: Mapping[str, Mapping[str, Any]]

    @property
    def name(self) -> str:
        return f"{self.row['model_code']}/{self.row['output_code']}"

    @property
    def formula(self) -> str | None:
        formula: str | None = self.row["formula"]
        return formula

    @property
    def published_value(self) -> float | None:
        value: float | None = self.row["published_value"]
        return value

    @property
    def is_cost(self) -> bool:
        return bool(self.row["currency_code"]) and self.row["estimand_code"] not in NO_COST

    @property
    def points(self) -> pl.DataFrame:
        """The parameters, as sampling.sample_parameters takes them."""
        columns = (*SCHEMA, "distribution")
        rows = [tuple(each[name] for name in columns) for _, each in sorted(self.parameters.items())]
        return pl.DataFrame(rows, schema=SCHEMA | {"distribution": pl.String}, orient="row")

    def evaluate_samples(self, samples: Samples) -> np.ndarray:
        """The formula's value for each sample."""
        size = len(next(iter(samples.values()))) if samples else 1
        value: np.ndarray = np.broadcast_to(evaluate_formula(self.formula or "", samples), (size,))
        return value


@dataclass(frozen=True)
class EvaluatedFigure:
    """A figure evaluated: at central values, as 5, 50 and 95% points, and what dominates it."""

    central: float
    p05: float
    p50: float
    p95: float
    sensitivities: list[Sensitivity]


def figures_in_force(models: pl.DataFrame, parameters: pl.DataFrame) -> dict[str, ModelFigure]:
    """Every figure in force, by its name `model/output`, in the order of the table.

    Raises ObservatoryError for a row whose formula is not allowed, takes a name that its model does not
    declare, or does not give the money that its unit says.
    """
    declared: dict[str, dict[str, Row]] = {}
    for row in select_in_force(parameters).rows(named=True):
        check_parameter(row)
        declared.setdefault(row["model_code"], {})[row["parameter_code"]] = row
    found: dict[str, ModelFigure] = {}
    for row in select_in_force(models).rows(named=True):
        named = f"{row['model_code']}/{row['output_code']}"
        if named in found:
            raise ObservatoryError(f"ref.cost_model, row {named}: stands twice with an open valid_to")
        try:
            known = declared.get(row["model_code"], {})
            found[named] = ModelFigure(row, parameters_of(row, known))
        except ObservatoryError as error:
            raise ObservatoryError(f"ref.cost_model, row {named}: {error}") from None
    return found


@dataclass(frozen=True)
class PublishedModels:
    """The figures of published models, and the parameters that their formulas take."""

    cost_model: pl.DataFrame
    cost_model_parameter: pl.DataFrame

    @property
    def figures(self) -> list[ModelFigure]:
        """Return the figures in force."""
        return list(figures_in_force(self.cost_model, self.cost_model_parameter).values())


def select_in_force(table: pl.DataFrame) -> pl.DataFrame:
    return table.filter(pl.col("valid_to").is_null())


def parameters_of(row: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> Row:
    """The parameters that the row's formula takes, checked with it."""
    if row["published_value"] == 0:
        raise ObservatoryError("published_value is 0; leave it empty where nothing was printed")
    if currency_of(row["unit_text"]) != row["currency_code"]:
        raise ObservatoryError(f"the unit '{row['unit_text']}' is not in currency {row['currency_code']}")
    if not row["formula"]:
        return {}
    check_names(row["formula"], set(known))
    used = {name: known[name] for name in sorted(names_in(row["formula"]))}
    money = {name: currency_of(each["unit_text"]) for name, each in used.items()}
    currencies = sorted({code for code in money.values() if code} | ({row["currency_code"]} - {None}))
    if len(currencies) > 1:
        raise ObservatoryError(f"formula '{row['formula']}' mixes {' and '.join(currencies)}")
    degree = money_degree(row["formula"], {name: int(code is not None) for name, code in money.items()})
    if degree != int(row["currency_code"] is not None):
        kind = {0: "no money", 1: "money"}.get(degree, f"money to the power {degree}")
        raise ObservatoryError(
            f"formula '{row['formula']}' gives {kind}, and the unit is '{row['unit_text']}'"
        )
    return used


def check_parameter(row: Mapping[str, Any]) -> None:
    """Raise ObservatoryError for a parameter without its points or its unit."""
    for column in ("unit_text", "low", "central", "high", "distribution"):
        if row[column] in (None, ""):
            named = f"{row['model_code']}/{row['parameter_code']}"
            raise ObservatoryError(f"ref.cost_model_parameter, row {named}: has no {column}")


def currency_of(unit: str) -> str | None:
    """The currency that a unit such as `USD per hour` begins with."""
    found = CURRENCY.match(unit or "")
    return found.group(1) if found else None


def evaluate_figure(figure: ModelFigure) -> EvaluatedFigure | None:
    """The figure with its interval; None where no formula was published."""
    if not figure.formula:
        return None
    try:
        central = float(
            figure.evaluate_samples(
                {name: np.array([row["central"]]) for name, row in figure.parameters.items()}
            )[0]
        )
        p05, p50, p95 = three_quantiles(figure.evaluate_samples(sample_parameters(figure.points)))
        parts = rank_parameters(figure.evaluate_samples, figure.points)
    except (ObservatoryError, ValueError) as error:
        raise ObservatoryError(f"ref.cost_model, row {figure.name}: {error}") from None
    return EvaluatedFigure(central, p05, p50, p95, parts)


def central_values(figure: ModelFigure) -> dict[str, float]:
    return {name: float(row["central"]) for name, row in figure.parameters.items()}


# --- does it give the printed figure? -------------------------------------------------------------------


def relative_deviation(figure: ModelFigure, estimate: EvaluatedFigure | None) -> float | None:
    """Return the distance of the formula at central values from the printed figure, as a share of it."""
    if estimate is None or figure.published_value is None:
        return None
    return estimate.central / figure.published_value - 1


def judge_reproduction(figure: ModelFigure, estimate: EvaluatedFigure | None) -> tuple[str, str]:
    """Return whether the formula gives the printed figure, as a code of its list, and the reason.

    No tolerance is chosen by hand: a figure is printed to its last digit, and so are its inputs.
    """
    note = figure.row["note"]
    off = relative_deviation(figure, estimate)
    if estimate is None:
        return "no_formula", add_note("The source gives the total alone", note)
    if off is None or figure.published_value is None:
        return "not_printed", add_note("No source prints this figure", note)
    if figure.published_value in {row["central"] for row in figure.parameters.values()}:
        return "shares_only", add_note("The printed total is itself an input", note)
    miss = f"{format_change(100 * to_decimal(off), 2)} from the printed figure"
    low, high = rounding_range(figure.published_value)
    if low <= estimate.central <= high:
        code, why = judge_match(figure)
        return code, add_note(f"{miss}, {why}", note)
    if estimate.p05 < estimate.p95 and estimate.p05 <= figure.published_value <= estimate.p95:
        return "band", add_note(f"{miss}, inside the 5 to 95% interval", note)
    least, most = range_before_rounding(figure)
    if least <= high and low <= most:
        code, _ = judge_match(figure)
        code = "rounding" if code == "exact" else code
        return code, add_note(
            f"{miss}: the inputs as printed allow {format_significant(least, 6)} to"
            f" {format_significant(most, 6)}",
            note,
        )
    return "missed", add_note(f"{miss}: the formula misses it", note)


def rounding_range(printed: float) -> tuple[float, float]:
    """The values that a source may have rounded to the printed one: half a unit of its last digit to either
    side. Final zeros of whole numbers do not count as digits, except a second one: 7 is 6.5 to 7.5, 20 bn is
    19.5 to 20.5 bn, 12.5 M is 12.45 to 12.55 M."""
    decimal = Decimal(str(printed)).normalize().as_tuple()
    exponent = int(decimal.exponent)
    exponent -= exponent > 0 and len(decimal.digits) == 1
    half = float(Decimal(5).scaleb(exponent - 1))
    return printed - half, printed + half


def range_before_rounding(figure: ModelFigure) -> tuple[float, float]:
    """The least and the greatest value of the formula over what published inputs may have been before they
    were rounded. Formulas rise or fall with each input alone, so the corners of that box suffice."""
    ends = [
        rounding_range(row["central"])
        if row["source_kind"] == "published" and row["low"] == row["high"]
        else (row["central"],)
        for row in figure.parameters.values()
    ]
    corners = np.array(list(product(*ends))).T
    values = figure.evaluate_samples(dict(zip(figure.parameters, corners, strict=True)))
    return float(values.min()), float(values.max())


def add_note(text: str, note: str | None) -> str:
    return f"{text}. {note}" if note else text


def judge_match(figure: ModelFigure) -> tuple[str, str]:
    """The value of a match, by the weakest input, as a code and in words."""
    weak: dict[str, list[str]] = {}
    for name, row in figure.parameters.items():
        if row["source_kind"] not in PUBLISHED:
            weak.setdefault(row["source_kind"], []).append(name)
    if "memory" in weak or figure.row["source_read"] == "memory":
        remembered = " and ".join(weak.get("memory", ["the printed figure"]))
        return "from_memory", f"with {remembered} from memory"
    if "implied" in weak:
        return "circular", f"with {' and '.join(weak['implied'])} solved back from a printed figure"
    if weak:
        return "band", f"with {' and '.join(sum(weak.values(), []))} not published as such"
    # A formula on amounts of one kind only adds, compares or divides them: parts to their total, two years to
    # a growth rate, a year to a day. Such a match checks the arithmetic, not a model.
    published = [row for row in figure.parameters.values() if row["source_kind"] == "published"]
    if len({row["unit_text"] for row in published}) == 1:
        return "identity", "but its inputs are results that the same source prints"
    return "exact", "which is rounding"
