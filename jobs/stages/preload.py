"""What every worker needs, imported once in the process that workers are forked from.

No query runs here: a thread that Polars started would not be there in the fork.
"""

import fsspec.implementations.local  # noqa: F401
import pyarrow.parquet  # noqa: F401

import jobs.formats.registry  # noqa: F401
import jobs.stages.bronze_tasks  # noqa: F401
import jobs.stages.gold_tasks  # noqa: F401
import jobs.stages.silver_inputs  # noqa: F401
from jobs.protect import domains

domains.public_suffixes()
