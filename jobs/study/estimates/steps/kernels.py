"""The kernel of each study table: transform() of the module of its name, or the function of its name in the
module that its contract names. Its parameters are the tables that the contract reads, some of them together
in a dataclass, such as Reference."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

import polars as pl

from jobs.base.tables.contracts import read_contract
from jobs.study import estimates

Kernel = Callable[..., pl.DataFrame]


def find_kernel(table: str) -> Kernel:
    """The function that computes a table."""
    contract = read_contract(table)
    module = importlib.import_module(f"{estimates.__name__}.{contract.kernel or contract.name}")
    found: Kernel = getattr(module, contract.name if contract.kernel else "transform")
    return found


def name_inputs(kernel: Kernel) -> dict[str, tuple[str, ...]]:
    """Return the names of the tables that each parameter takes: of a dataclass those of its fields."""
    kinds = {name: kind for name, kind in get_type_hints(kernel).items() if name != "return"}
    return {
        name: tuple(each.name for each in fields(kind)) if is_dataclass(kind) else (name,)
        for name, kind in kinds.items()
    }


def run_kernel(table: str, have: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The rows that a table's kernel makes of the tables that its contract reads."""
    kernel = find_kernel(table)
    frames = {name.split(".")[1]: have[name] for name in read_contract(table).reads}
    inputs: dict[str, Any] = {}
    for name, taken in name_inputs(kernel).items():
        kind = get_type_hints(kernel)[name]
        is_alone = taken == (name,)
        inputs[name] = frames[name] if is_alone else kind(**{each: frames[each] for each in taken})
    return kernel(**inputs)
