"""Published amounts in prices of another year and in another currency.

Prices first, then currency: an amount is brought to the year by the consumer prices of its own currency's
area, then converted at that year's mean market rate (ref.price_index). The other order would take exchange
rates for prices. Consumer prices are no price of filters or posts, but every source's readers have them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import polars as pl

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import formula_number
from jobs.base.costs.figure import Explained, FormulaStep, Simulation
from jobs.base.tables.contracts import reference_table

TABLE = "ref.price_index"


@dataclass(frozen=True)
class PriceBasis:
    """Prices of a year, None of each amount's own; a currency, None for each amount's own.

    Attributes:
        rows: of ref.price_index as index_rows() has them, None for the project's own.
    """

    year: int | None
    currency: str | None
    rows: Mapping[tuple[str, int], Mapping[str, Any]] | None = None

    def factor(self, currency: str, year: int) -> float | None:
        """Return the factor for amounts of a currency and year; None without an index or a rate."""
        known = price_rows() if self.rows is None else self.rows
        wanted = self.year or year
        then, now = known.get((currency, year)), known.get((currency, wanted))
        if wanted == year:
            prices = 1.0
        elif then is None or now is None:
            return None
        else:
            prices = now["consumer_index"] / then["consumer_index"]
        if self.currency in (None, currency):
            return prices
        theirs = known.get((self.currency, wanted))
        if now is None or theirs is None or now["usd_per_unit"] is None or theirs["usd_per_unit"] is None:
            return None
        return prices * float(now["usd_per_unit"] / theirs["usd_per_unit"])

    def unit(self, unit: str, currency: str, year: int) -> str:
        """The unit of an amount after it: `USD per year` as `EUR of 2025 per year`."""
        rest = unit.removeprefix(currency)
        return f"{self.currency or currency} of {self.year or year}{rest}"

    def describe(self) -> str:
        """Describe in a sentence how amounts were restated."""
        prices = (
            f"in prices of {self.year}, by consumer prices of each figure's own currency"
            if self.year
            else "in prices of each figure's own year"
        )
        money = f", then in {self.currency} at the mean market rate of that year" if self.currency else ""
        return f"Amounts {prices}{money} ({TABLE})."


@cache
def price_rows() -> dict[tuple[str, int], Mapping[str, Any]]:
    """The rows of the project's ref.price_index in force, by currency and year."""
    return index_rows(reference_table(TABLE))


def index_rows(price_index: pl.DataFrame) -> dict[tuple[str, int], Mapping[str, Any]]:
    """The rows of ref.price_index in force, by currency and year."""
    rows = price_index.rows(named=True)
    return {(row["currency_code"], row["price_year"]): row for row in rows if row["valid_to"] is None}


def read_basis(year: int | None, currency: str | None) -> PriceBasis | None:
    """The basis that options ask for, None without any. Raises ObservatoryError for a year or a currency
    that the table does not have."""
    if year is None and currency is None:
        return None
    years, currencies = ({key[place] for key in price_rows()} for place in (1, 0))
    if year is not None and year not in years:
        raise ObservatoryError(f"--prices {year}: {TABLE} has years from {min(years)} to {max(years)}")
    if currency is not None and currency not in currencies:
        raise ObservatoryError(
            f"--currency {currency}: no row of {TABLE}{nearest_hint(currency, currencies)}"
        )
    return PriceBasis(year, currency)


def restate_explained(figure: Explained, year: int) -> Explained:
    """A published figure in prices of a year, its own currency kept. Raises ObservatoryError for any other
    figure, and where a year has no index."""
    basis = read_basis(year, None)
    assert basis is not None
    if figure.scope.kind != "published" or figure.currency_code is None:
        raise ObservatoryError(
            f"{figure.name}: --prices {year} restates published amounts of money; a figure of the study takes"
            " market or international"
        )
    factor = basis.factor(figure.currency_code, int(figure.scope.period_code))
    if factor is None:
        raise ObservatoryError(
            f"{figure.name}: {TABLE} has no prices of {figure.currency_code} in {figure.scope.period_code} or"
            f" in {year}"
        )
    step = FormulaStep(
        f"In prices of {year}",
        f"amount*index_{year}/index_{figure.scope.period_code}",
        f"amount*{formula_number(factor)}",
        f"× {formula_number(factor)}",
    )
    before = figure.simulation
    return replace(
        figure,
        scope=replace(figure.scope, period_code=str(year)),
        facts=[
            *figure.facts,
            ("prices", f"{basis.describe()} Verdict and formula are of the amount as printed."),
        ],
        central=None if figure.central is None else factor * figure.central,
        points=None if figure.points is None else scale_points(figure.points, factor),
        printed=None if figure.printed is None else factor * figure.printed,
        simulation=before
        and Simulation(
            before.table, lambda samples: factor * before.total(samples), before.own_parameters, before.owner
        ),
        steps=[*figure.steps, step],
        sensitivities=[
            replace(each, low=factor * each.low, high=factor * each.high) for each in figure.sensitivities
        ],
    )


def scale_points(points: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    low, middle, high = points
    return factor * low, factor * middle, factor * high
