"""A cost figure as it is explained: what it is, what it is computed from, how sure it is.

Figures of published models, of an operator's month and of the study's estimates share this one shape, so that
they are shown and compared in the same way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from jobs.base.stats.sampling import Samples
from jobs.base.stats.sensitivity import Sensitivity
from jobs.base.tables.contracts import reference_table


@dataclass(frozen=True)
class FormulaStep:
    """One formula on the way to a figure.

    Attributes:
        numbers: with central values put in.
        result: what that gives.
    """

    name: str
    formula: str
    numbers: str
    result: str


@dataclass(frozen=True)
class Input:
    """A parameter with its 5, 50 and 95% points and where they come from."""

    code: str
    description: str
    unit: str
    low: float
    central: float
    high: float
    source: str
    source_kind: str
    confidence: str


@dataclass(frozen=True)
class Scope:
    """The scope of a figure.

    Attributes:
        kind: published, month, or the study's table.
        subject: the area, or the operator.
        part: which part of it, as channel and countermeasure or strategy.
        quantity: what else figures must have in common to be added.
        countries: of a study's area.
    """

    kind: str
    subject: str
    period_code: str
    part: tuple[str, ...]
    quantity: tuple[str, ...] = ()
    countries: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Simulation:
    """Formula of a figure and its parameters, so that several figures can be simulated together.

    Attributes:
        table: the parameters, as sampling.sample_parameters takes them.
        own_parameters: those of them that no other figure shares.
        owner: whose they are.
    """

    table: pl.DataFrame
    total: Callable[[Samples], np.ndarray]
    own_parameters: frozenset[str]
    owner: str


@dataclass(frozen=True)
class Estimate:
    """An estimated total with its 95% interval; none where one respondent shows no variance."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class TotalPart:
    """A part of an estimated total.

    Attributes:
        error: its standard error; None where it has none of its own.
    """

    name: str
    value: float
    error: float | None = None


@dataclass(frozen=True)
class Explained:
    """A figure with all that it came from.

    Attributes:
        points: its 5, 50 and 95% points; none where no formula is known, and then no simulation either.
        printed: what its author published.
        verdict: a code of the list `reproduction`, of a published figure.
        compared: what the comparison with what was printed, or with what the lake holds, says.
        others: figures of the same model.
        estimate: of a figure of the study, in place of points.
        divided: an estimate by its parts, each way of dividing it with a title.
        assumptions: its assumptions, in sentences.
        bound_code: whether it is a lower or an upper bound, a code of the list `bound`.
        is_modelled: a model's figure of this study's spam, which is added to nothing.
    """

    name: str
    title: str
    estimand_code: str
    unit: str
    currency_code: str | None
    scope: Scope
    facts: list[tuple[str, str]]
    compared: str
    central: float | None = None
    points: tuple[float, float, float] | None = None
    simulation: Simulation | None = None
    printed: float | None = None
    verdict: str | None = None
    bound_code: str = "estimate"
    steps: list[FormulaStep] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    measured: list[tuple[str, str]] = field(default_factory=list)
    versions: list[tuple[str, str]] = field(default_factory=list)
    sensitivities: list[Sensitivity] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    estimate: Estimate | None = None
    divided: list[tuple[str, list[TotalPart]]] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    is_modelled: bool = False


def input_of(row: Mapping[str, Any], code: str) -> Input:
    """A row of ref.cost_parameter or ref.cost_model_parameter as an input."""
    return Input(
        code, row["description"], row["unit_text"], row["low"], row["central"], row["high"], row["source"],
        row["source_kind"], row["confidence"],
    )  # fmt: skip


@cache
def source_addresses() -> dict[str, str]:
    """List where each source that the cost tables name was read: address, page and day, or why there is
    none."""
    return {
        row["source"]: f"{row['source_url']} ({row['source_page']}, read {row['read_date']})"
        if row["source_url"]
        else str(row["note"])
        for row in reference_table("ref.cost_source").rows(named=True)
    }


def name_with_address(source: str) -> str:
    """A source with its address; as it is where it stands in no cost table."""
    where = source_addresses().get(source)
    return f"{source}. {where}" if where else source


@dataclass(frozen=True)
class ListedFigure:
    """A published figure as a list has it.

    Attributes:
        verdict: a code of the list `reproduction`.
    """

    name: str
    area: str
    period_code: str
    computed: float | None
    printed: float | None
    unit: str
    currency_code: str | None
    verdict: str
