"""Counting messages under every definition of spam at once, in one pass."""

from functools import reduce

import polars as pl

from jobs.base.figures.counting_rules import CONTENT_SEEN
from jobs.base.tables.attributes import ATTRIBUTES
from jobs.base.tables.validity import is_day_within
from jobs.operators.gold.shared.measures import UNITS, grain_units
from jobs.operators.gold.shared.predicates import Definition, read_definitions

# The columns of silver.message that any gold table reads, or a definition names.
READ = (
    *("operator_id", "period_date", "recipient_hash", "recipient_domain", "channel_code", "direction_code"),
    *("grain_code", "stage_code", "outcome_code", "is_message_row", "segment_count", "first_at", "last_at"),
    *("sender_hash", "sender_kind_code", "sender_network_code", "sender_domain", "client_network"),
    *("origin_claimed_code", "origin_verified_code", "is_origin_verified", "origin_observed_code"),
    *("destination_code", "destination_operator_id", "source_asn", "location_database", "location_date"),
    *("inbound_link_id", "inbound_link_code", "transit_code", "outbound_link_code"),
    *("countermeasure_code", "strategy_code", "is_antispam", "is_marked", "engine_code"),
    *("filter_us", "message_bytes"),
    *("spam_type_code", "is_type_strong", "spam_type_codes", "engine_types"),
    *ATTRIBUTES,
    *("signature_kind_code", "signature_hash", "signature_sketch", "is_text_short"),
    *("attestation_code", "origid_hash", "cell_hash", "key_id"),
)
VOLUME_CELL = ["operator_id", "period_date", "channel_code", "direction_code", "stage_code", "outcome_code"]


# Recipients whose content the operator had: only these can an audit label. Other units have none.
CONTENT = grain_units("recipient") * pl.col("stage_code").is_in(CONTENT_SEEN).fill_null(False)
COUNTS = {f"units_{unit}": value for unit, value in UNITS.items()} | {"units_content": CONTENT}
CONTENT_NAMES = {
    "units": "content_units",
    "spam_certain": "content_certain",
    "spam_possible": "content_possible",
}
# The state of a message under a definition: two bits of a mask. SILENT: the definition does not cover the
# channel or the day.
NO, POSSIBLE, SILENT, CERTAIN = 0, 1, 2, 3
# Definitions in one mask: the sign's bit stays free.
PER_MASK = 31


def mark_messages(message: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    """The messages with their states under all definitions (mask_0, ...) and how much of each unit they are
    (units_recipient, ...). A frame that has them is returned as it is."""
    if "mask_0" in message.columns:
        return message
    states = [definition_state(rows) for rows in read_definitions(definition).values()]
    masks = [
        pack_states(states[start : start + PER_MASK]).alias(f"mask_{start // PER_MASK}")
        for start in range(0, max(1, len(states)), PER_MASK)
    ]
    counts = [value.cast(pl.Int64).alias(name) for name, value in COUNTS.items()]
    return message.with_columns(*masks, *counts)


def definition_state(rows: list[Definition]) -> pl.Expr:
    """The state of a message under the definition's row that holds on its day."""
    state = pl.lit(SILENT, dtype=pl.Int64)
    for row in rows:
        says = pl.when(row.spam).then(CERTAIN).when(row.spam.is_null()).then(POSSIBLE).otherwise(NO)
        holds = is_day_within(row.valid_from, row.valid_to)
        if row.channels is not None:
            holds &= pl.col("channel_code").is_in(row.channels)
        state = pl.when(holds).then(says).otherwise(state)
    return state.cast(pl.Int64)


def pack_states(states: list[pl.Expr]) -> pl.Expr:
    """The states side by side in one whole number, the first in its lowest bits."""
    parts = (state * 4**place for place, state in enumerate(states))
    return reduce(pl.Expr.or_, parts, pl.lit(0, dtype=pl.Int64))


def mask_columns(message: pl.DataFrame) -> list[str]:
    return [name for name in message.columns if name.startswith("mask_")]


def unpack_state(place: int) -> pl.Expr:
    """The state under the definition at a place, from its two bits of the mask."""
    return pl.col(f"mask_{place // PER_MASK}") // 4 ** (place % PER_MASK) % 4


def states_by_mask(message: pl.DataFrame, definition: pl.DataFrame) -> pl.DataFrame:
    """List the definitions that cover each mask of marked messages: place (of the definition),
    definition_code, state."""
    masks = message.select(mask_columns(message)).unique()
    parts = [
        masks.with_columns(
            place=pl.lit(place, dtype=pl.Int32), definition_code=pl.lit(code), state=unpack_state(place)
        )
        for place, code in enumerate(read_definitions(definition))
    ]
    nothing = masks.clear().with_columns(
        place=pl.lit(0, dtype=pl.Int32), definition_code=pl.lit(""), state=pl.lit(0, dtype=pl.Int64)
    )
    return pl.concat([nothing, *parts]).filter(pl.col("state") != SILENT)


def count_units(
    message: pl.DataFrame, definition: pl.DataFrame, by: list[str], has_content: bool = False
) -> pl.DataFrame:
    """Rows `by` those columns and unit_code and definition_code, with units, spam_certain and spam_possible.

    All definitions together put one mask on each message, so that one pass groups by the mask whatever
    their number. Only the few groups are multiplied by the definitions. A definition has no row for the
    channels and days that it does not cover.

    Args:
        has_content: also with those of them whose content the operator had, for recipients.
    """
    message = mark_messages(message, definition)
    masks = mask_columns(message)
    counts = [name for name in COUNTS if has_content or name != "units_content"]
    groups = (
        message.group_by(*by, *masks)
        .agg(pl.col(counts).sum())
        .group_by(by)
        .agg(pl.col(*masks, *counts))
        .with_row_index("group")
    )
    stated = states_by_mask(message, definition)
    cells = groups.select("group", *masks, *counts).explode(*masks, *counts).join(stated, on=masks)
    is_certain, is_possible = pl.col("state") == CERTAIN, pl.col("state") != NO
    sums = cells.group_by("group", "place", "definition_code").agg(
        value.sum().alias(f"{count}.{name}")
        for count in counts
        for name, value in {
            "units": pl.col(count),
            "spam_certain": pl.col(count).filter(is_certain),
            "spam_possible": pl.col(count).filter(is_possible),
        }.items()
    )
    parts = []
    for unit in UNITS:
        values = {name: pl.col(f"units_{unit}.{name}") for name in CONTENT_NAMES}
        if has_content:
            nothing = pl.lit(0, dtype=pl.Int64)
            values |= {
                own: pl.col(f"units_content.{name}") if unit == "recipient" else nothing
                for name, own in CONTENT_NAMES.items()
            }
        rows = sums.filter(pl.col(f"units_{unit}.units") > 0)
        parts.append(rows.select("group", pl.lit(unit).alias("unit_code"), "definition_code", **values))
    return groups.select("group", *by).join(pl.concat(parts), on="group").drop("group")


def fill_unknown(*columns: str) -> list[pl.Expr]:
    """The columns, with _U in place of nulls: the log does not record the value."""
    return [pl.col(name).fill_null("_U") for name in columns]
