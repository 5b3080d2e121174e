"""The kernels of gold's tables: the module of a table's name has them.

A daily table is counted from parts of the messages: partial() is what a part of them adds to it, finish()
what is computed from merged rows of whole operator-days, if that is more than their sum. transform() makes a
table that is computed from whole tables. Their parameters are the tables that the contract
reads; bulk, campaigns and bypass take evidence of other messages, too (jobs/operators/build/gold_tasks.py).
"""

import importlib
from types import ModuleType

import polars as pl

from jobs.base.tables.contracts import conform_frame, read_contract


def kernel_module(table: str) -> ModuleType:
    """The module of a table's name."""
    return importlib.import_module(f"{__package__}.{read_contract(table).name}")


def finish_rows(merged: pl.DataFrame, table: str) -> pl.DataFrame:
    """A table's rows of whole operator-days, from merged parts."""
    finish = getattr(kernel_module(table), "finish", None)
    return conform_frame(finish(merged) if finish else merged, table)
