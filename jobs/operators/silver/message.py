"""silver.message: one row per message and recipient, or per attempt refused before a message existed.

Hops through filters are folded into the message that came in, temporary refusals into what followed them,
verdicts joined, attributes derived. Counting rules: docs/counting.md.

The steps, and what they pass to each other, are in jobs/operators/silver/pipeline.py.
"""

import polars as pl

from jobs.base.tables.contracts import read_contract
from jobs.operators.silver.attributing import attribute_columns
from jobs.operators.silver.deciding import (
    decide_direction,
    decide_outcome,
    mark_message_rows,
    name_all_recipients,
)
from jobs.operators.silver.hops import fold_hops, place_files
from jobs.operators.silver.known_attributes import fill_known
from jobs.operators.silver.standing import choose_standing
from jobs.operators.silver.type_evidence import type_names

# Columns of silver.transmission that nothing after the hops needs.
NOT_NEEDED = [
    *("transmission_hash", "entry_code", "previous_queue_key", "next_queue_key", "is_handoff", "client_hash"),
    *("account_hash", "reply_code", "dsn_code", "place_key", "file_key"),
]


def open_rows(
    transmission: pl.DataFrame,
    verdict: pl.DataFrame,
    links: pl.DataFrame,
    later: pl.DataFrame,
    by_id: pl.DataFrame,
    operator_knowledge: pl.DataFrame,
    attribute_rule: pl.DataFrame,
) -> pl.DataFrame:
    """silver.message of a bucket, with temporary refusals that may have been followed up."""
    exact = verdict.filter(pl.col("queue_id").is_not_null())
    spoken = exact if by_id.is_empty() else pl.concat([exact, by_id.select(exact.columns)])
    names = type_names(transmission, spoken)
    folded = fold_hops(place_files(transmission), links, later)
    # What only links and files needed goes before rows become wide.
    narrow_rows = folded.drop(NOT_NEEDED)
    told = narrow_rows.join(
        choose_standing(folded, spoken, names), on="file", how="left", maintain_order="left"
    )
    marked = mark_message_rows(decide_outcome(name_all_recipients(told), names))
    attributed = marked.with_columns(*attribute_columns(attribute_rule), direction_code=decide_direction())
    return fill_known(attributed, operator_knowledge).select(read_contract("silver.message").columns)
