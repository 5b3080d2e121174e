"""Modules that every worker needs, imported once in the process that workers are forked from.

No query runs here: a thread that Polars started would not be there in the fork.
"""

import fsspec.implementations.local  # noqa: F401
import pyarrow.parquet  # noqa: F401

import jobs.operators.build.bronze_tasks  # noqa: F401
import jobs.operators.build.gold_tasks  # noqa: F401
import jobs.operators.build.silver_inputs  # noqa: F401
import jobs.operators.formats.registry  # noqa: F401
from jobs.base.tables.contracts import stage_tables
from jobs.operators.gold.kernels import kernel_module
from jobs.operators.protect import domains

for table in stage_tables("gold"):
    kernel_module(table)
domains.public_suffixes()
