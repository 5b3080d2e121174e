"""silver.message: one row per message and recipient, or per attempt refused before a message existed.

Hops through filters are folded into the message that came in, temporary refusals into what followed them,
verdicts joined, attributes derived. Counting rules: docs/counting.md.

The work can be cut into buckets, each small enough for memory. What needs rows of several buckets passes
narrow frames between them, and a few wide rows. The steps, in order, each a function:

1. Over all rows of bronze.<format>
   settled(format, held)         the bronze rows that is_held() finds, few, with their keys      (assembling)
   bucket_of(bronze, format, n)  Series: the bucket of each other or settled row                 (bucketing)
2. In each bucket
   assembled(table, {format: bronze}, door)   rows of silver.transmission, silver.verdict, ...   (assembling)
   home_of(rows, n)              Series: the bucket that each transmission or verdict belongs to. Null: it
                                 stays. Few rows have another one and move there                 (bucketing)
3. In each bucket, with all rows that belong there
   narrow(transmission, verdict, bucket)      Narrow, three frames:
     .ends                       a row per end of a link between hops; can be cut by `link`
     .message_ids                a row per message-id that a file here has; can be cut by `id`
     .asked                      a row per message-id that a verdict without queue id names; cut by `id`
4. Over all buckets, or over cuts
   candidates(ends)              a row per file that may be a later hop, with its parent             (hops)
   roots(candidates)             of all cuts: a row per file that is a later hop; `bucket` is where it lies,
                                 `root_bucket` where the file of the first hop lies. These are the links
   routes(asked, message_ids)    a row per message-id, `bucket` with the verdict, `to_bucket` with the file
5. In each bucket that is the `bucket` of links or routes
   moving(transmission, verdict, links, routes)   Moving, two frames, each row with the `bucket` it goes to:
     .later                      a row per transmission of a later hop
     .by_id                      a row per verdict without queue id
6. In each bucket, with the rows that moved there in 5
   opened(transmission, verdict, links, later, by_id, operator_knowledge, attribute_rule)
                                 silver.message, with temporary refusals that may have been followed up
   triples(message)              a row per message with a client network; can be cut by `triple`
7. Over all buckets, or over cuts
   followed(triples)             a row per temporary refusal that was followed up: few           (refusals)
8. In each bucket
   without_followed(message, followed)        silver.message

A frame may hold rows of several operators. From step 5 on, a bucket may be given the links, routes and
refusals of other buckets too: they match nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from jobs.core.contracts import contract
from jobs.silver.attributing import attributes
from jobs.silver.deciding import decide, direction, mark_message_rows, name_all_recipients
from jobs.silver.hops import candidates, ends, fold, later_rows, placed, roots
from jobs.silver.known_attributes import known
from jobs.silver.refusals import followed, triples, without_followed
from jobs.silver.standing import asked, message_ids, routed, routes, standing
from jobs.silver.type_evidence import type_names

# Columns of silver.transmission that nothing after the hops needs.
NOT_NEEDED = [
    *("transmission_hash", "entry_code", "previous_queue_key", "next_queue_key", "is_handoff", "client_hash"),
    *("account_hash", "reply_code", "dsn_code", "place_key", "file_key"),
]


@dataclass(frozen=True)
class Narrow:
    """What the other buckets need of one bucket: hops.ends(), standing.message_ids() and standing.asked()."""

    ends: pl.DataFrame
    message_ids: pl.DataFrame
    asked: pl.DataFrame


@dataclass(frozen=True)
class Moving:
    """Rows that leave a bucket, with the `bucket` they go to: hops.later_rows() and standing.routed()."""

    later: pl.DataFrame
    by_id: pl.DataFrame


def transform(
    transmission: pl.DataFrame,
    verdict: pl.DataFrame,
    operator_knowledge: pl.DataFrame,
    attribute_rule: pl.DataFrame,
) -> pl.DataFrame:
    """All steps with one bucket."""
    needs = narrow(transmission, verdict, 0)
    links = roots(candidates(needs.ends))
    left = moving(transmission, verdict, links, routes(needs.asked, needs.message_ids))
    message = opened(transmission, verdict, links, left.later, left.by_id, operator_knowledge, attribute_rule)
    return without_followed(message, followed(triples(message)))


def narrow(transmission: pl.DataFrame, verdict: pl.DataFrame, bucket: int) -> Narrow:
    rows = placed(transmission)
    return Narrow(ends(rows, bucket), message_ids(rows, bucket), asked(verdict, bucket))


def moving(
    transmission: pl.DataFrame, verdict: pl.DataFrame, links: pl.DataFrame, found: pl.DataFrame
) -> Moving:
    return Moving(later_rows(placed(transmission), links), routed(verdict, found))


def opened(
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
    folded = fold(placed(transmission), links, later)
    # What only links and files needed goes before rows become wide.
    narrow_rows = folded.drop(NOT_NEEDED)
    told = narrow_rows.join(standing(folded, spoken, names), on="file", how="left", maintain_order="left")
    marked = mark_message_rows(decide(name_all_recipients(told), names))
    attributed = marked.with_columns(*attributes(attribute_rule), direction_code=direction())
    return known(attributed, operator_knowledge).select(contract("silver.message").columns)
