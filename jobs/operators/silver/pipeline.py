"""bronze → silver: the steps, and their order. Whatever computes silver goes through them: a run, whose
exchange (jobs/operators/silver/exchange.py) keeps frames in files, and sniff, reconcile, explain and tests,
whose frames stay in memory.

The work is cut into buckets, each small enough for memory; what needs rows of several buckets passes narrow
frames between them, in cuts, and a few wide rows.

    split_bronze     bronze rows by bucket, where they are parsed or read; those without a key of their own
                     are held
    compare_files    narrow rows of all files: which of them may hold copies, and in which order they are
    settle_held      held rows get their keys
    assemble_bucket  each bucket: copies left out; transmissions, verdicts, complaints, reports, facts
    sum_copies       the counts of copies
    narrow_bucket    each bucket: the ends of links between hops, and message-ids; in a run assemble_bucket
                     leaves them
    link_hops, choose_parents, root_hops    in cuts: later hops, and their first hops
    route_verdicts   in cuts: where verdicts without a queue id belong
    forward_rows     rows that another bucket needs move there, by way of its cut
    spread_rows      they arrive
    open_messages    each bucket: silver.message, but for temporary refusals
    follow_refusals  in cuts: refusals that were followed up
    keep_refusals    the others are messages, too

A frame may hold rows of several operators.
"""

from collections.abc import Mapping
from functools import partial

import polars as pl

from jobs.operators.formats.registry import KERNELS
from jobs.operators.protect.operators import Protection
from jobs.operators.silver import file_order, steps
from jobs.operators.silver.exchange import Exchange, Halving, StepParameters
from jobs.operators.silver.frames import (
    KNOWLEDGE,
    MOVING,
    TRANSMISSION,
    VERDICT,
    Frame,
    bronze_name,
    held_name,
)
from jobs.operators.silver.memory import Memory

FILE_FRAMES = (Frame.LOGS, Frame.TURNS, Frame.ORDER)
# For steps that replace no identifier: no operator, no table of addresses.
NOBODY = Protection((), None)
BRONZE = tuple(bronze_name(format_name) for format_name in KERNELS)


def compute_silver(exchange: Exchange) -> None:
    """All tables of silver, from bronze rows that split_bronze() left."""
    prepare_bronze(exchange)
    assemble_tables(exchange)
    make_messages(exchange)


def prepare_bronze(exchange: Exchange) -> None:
    """The order of files and which may hold copies; each bronze row in its bucket."""
    if exchange.has_frame(Frame.EXTENT):
        exchange.call_once(steps.compare_files, [Frame.EXTENT], "files' times")
    for format_name, kernel in KERNELS.items():
        if kernel.settle and exchange.has_frame(held_name(format_name)):
            settle = partial(steps.settle_held, format_name=format_name)
            takes = [held_name(format_name), Frame.ORDER]
            exchange.call_once(settle, takes, f"held rows of {bronze_name(format_name)}")


def assemble_tables(exchange: Exchange) -> None:
    """All tables but silver.message."""
    exchange.call_buckets(
        steps.assemble_bucket, [*BRONZE, *FILE_FRAMES], needs=BRONZE, until=0.55, halving=Halving.BUCKETS
    )
    if exchange.has_frame(Frame.COPIES):
        exchange.call_once(steps.sum_copies, [Frame.COPIES], "copies")


def make_messages(exchange: Exchange) -> None:
    """silver.message, from the other tables."""
    if not exchange.parameters.is_narrowed:
        takes = [TRANSMISSION, VERDICT]
        exchange.call_buckets(steps.narrow_bucket, takes, needs=takes, until=0.55, what="narrow rows")
    exchange.call_cuts(steps.link_hops, [Frame.ENDS], needs=[Frame.ENDS], until=0.57)
    exchange.call_cuts(steps.choose_parents, [Frame.CANDIDATES], needs=[Frame.CANDIDATES], until=0.58)
    exchange.call_cuts(steps.root_hops, [Frame.CHILDREN, Frame.PARENTS], needs=[Frame.CHILDREN], until=0.59)
    exchange.call_cuts(steps.route_verdicts, [Frame.ASKED, Frame.IDS], needs=[Frame.ASKED], until=0.6)
    exchange.call_buckets(
        steps.forward_rows,
        [TRANSMISSION, VERDICT, Frame.LINKS, Frame.ROUTES],
        needs=[Frame.LINKS, Frame.ROUTES],
        until=0.64,
        what="rows that move",
    )
    exchange.call_cuts(steps.spread_rows, [*MOVING], needs=[*MOVING], until=0.65)
    exchange.call_buckets(
        steps.open_messages,
        [TRANSMISSION, VERDICT, Frame.LINKS, Frame.LATER, Frame.BY_ID, KNOWLEDGE],
        needs=[TRANSMISSION],
        until=0.95,
        what="messages",
        halving=Halving.FILES,
    )
    exchange.call_cuts(steps.follow_refusals, [Frame.TRIPLES], needs=[Frame.TRIPLES], until=0.97)
    exchange.call_groups(steps.keep_refusals, Frame.TEMPORARY, [Frame.FOLLOWED], until=0.98, what="refusals")


# --- in memory ----------------------------------------------------------------------------------------------


def read_bronze(formats: Mapping[str, pl.DataFrame], parameters: StepParameters) -> Memory:
    """An exchange in memory with all bronze rows, by format, each in its bucket and with a key."""
    memory = Memory(parameters)
    for format_name, rows in formats.items():
        if not rows.is_empty():
            steps.split_bronze(memory, rows, format_name, parameters.buckets)
    prepare_bronze(memory)
    return memory


def count_once(formats: Mapping[str, pl.DataFrame]) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """All bronze rows of each format, with their keys and without copies; the counts of the copies."""
    found, counts, order = steps.drop_copies(read_bronze(formats, StepParameters(NOBODY)).make_place(0))
    rows = {
        name: file_order.restore_streams(found[name], order) if name in found else frame
        for name, frame in formats.items()
    }
    return rows, counts


def make_messages_in_memory(
    transmission: pl.DataFrame,
    verdict: pl.DataFrame,
    operator_knowledge: pl.DataFrame | None = None,
    attribute_rule: pl.DataFrame | None = None,
) -> Memory:
    """An exchange in memory with silver.message of these rows of silver."""
    memory = Memory(StepParameters(NOBODY, attribute_rule=attribute_rule))
    memory.keep_rows(TRANSMISSION, transmission)
    memory.keep_rows(VERDICT, verdict)
    if operator_knowledge is not None:
        memory.leave_rows(KNOWLEDGE, operator_knowledge)
    make_messages(memory)
    return memory
