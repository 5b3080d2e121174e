"""gold.countermeasure_effort_daily: what each countermeasure examined, acted on, and took."""

import polars as pl

DAY = ["operator_id", "period_date", "channel_code"]
STAGES = ["connect", "envelope", "content", "delivery"]
# The stage at which a measure looks; what was decided there or later, it has seen. The content stage for
# measures that are not listed. Only a content filter logs what it examined: the rest is derived.
LOOKS_AT = {
    "DNSBL": "connect",
    "PROTOCOL_TEST": "connect",
    "RATE_LIMIT": "connect",
    "HELO_RDNS": "envelope",
    "GREYLIST": "envelope",
    "SENDER_BLOCKLIST": "envelope",
    "SENDER_VERIFY": "envelope",
    "RECIPIENT_CHECK": "envelope",
    "NUMBER_BLOCKLIST": "envelope",
    "POLICY_RELAY": "envelope",
    "POLICY_SYNTAX": "envelope",
    "POLICY_SIZE": "envelope",
    "POLICY_AUTH": "envelope",
    "POLICY_CAPACITY": "envelope",
}
FILTER = "CONTENT_FILTER"
# What was decided at a stage or later: units and bytes that reached it.
REACHED = [f"{what}_{stage}" for what in ("reached", "bytes") for stage in STAGES]


def partial(message: pl.DataFrame) -> pl.DataFrame:
    """One row for each countermeasure that acted, and one with none for the rest of the day.

    Counted in messages, attempts and calls: a message to many recipients is examined once.
    """
    once = message.filter(pl.col("is_message_row") | pl.col("grain_code").is_in(["attempt", "call"]))
    key = [*DAY, "countermeasure_code"]
    # First the few groups, then what reached each stage.
    groups = once.group_by(
        *key,
        "stage_code",
        is_quarantined=(pl.col("outcome_code") == "quarantined").fill_null(False),
        # Every unit that a filter gave a verdict on was examined by it, whether or not it acted.
        is_logged=pl.col("engine_code").is_not_null(),
    ).agg(
        pl.col("strategy_code").min(),
        units=pl.len().cast(pl.Int64),
        bytes=pl.col("message_bytes").sum(),
        filter_us=pl.col("filter_us").cast(pl.Int64).sum(),
    )
    rank = pl.col("stage_code").replace_strict(STAGES, range(len(STAGES)), default=None)
    return groups.group_by(key).agg(
        pl.col("strategy_code").min(),
        pl.col("filter_us").sum(),
        units_acted=pl.col("units").sum(),
        quarantined_bytes=pl.col("bytes").filter("is_quarantined").sum(),
        units_logged=pl.col("units").filter("is_logged").sum(),
        bytes_logged=pl.col("bytes").filter("is_logged").sum(),
        **{
            f"reached_{stage}": pl.col("units").filter(rank >= place).sum()
            for place, stage in enumerate(STAGES)
        },
        **{
            f"bytes_{stage}": pl.col("bytes").filter(rank >= place).sum()
            for place, stage in enumerate(STAGES)
        },
    )


def finish(frame: pl.DataFrame) -> pl.DataFrame:
    """A countermeasure has examined all of the day's units that reached its stage."""
    acted = frame.filter(pl.col("countermeasure_code").is_not_null()).select(
        *DAY, "countermeasure_code", "strategy_code", "units_acted", "quarantined_bytes"
    )
    day = frame.group_by(DAY).agg(pl.col("units_logged", "bytes_logged", "filter_us", *REACHED).sum())
    # A filter that never acted still worked: its row stands with nothing acted on.
    filters = day.filter(pl.col("units_logged") > 0).select(*DAY, countermeasure_code=pl.lit(FILTER))
    measures = pl.concat([acted.select(*DAY, "countermeasure_code"), filters]).unique()
    rows = measures.join(acted, on=[*DAY, "countermeasure_code"], how="left").join(day, on=DAY)
    is_logged = (pl.col("countermeasure_code") == FILTER) & (pl.col("units_logged") > 0)
    units_acted = pl.col("units_acted").fill_null(0)
    examined = pl.when(is_logged).then("units_logged").otherwise(sum_by_stage("reached"))
    return rows.select(
        *DAY,
        "countermeasure_code",
        strategy_code=pl.coalesce("strategy_code", pl.when(is_logged).then(pl.lit("filtering"))),
        units_examined=pl.max_horizontal(examined, units_acted),
        units_acted=units_acted,
        is_examined_derived=~is_logged,
        filter_us=pl.when(is_logged).then("filter_us").otherwise(0),
        received_bytes=pl.when(is_logged).then("bytes_logged").otherwise(sum_by_stage("bytes")),
        quarantined_bytes=pl.col("quarantined_bytes").fill_null(0),
    )


def sum_by_stage(what: str) -> pl.Expr:
    """The units that reached the stage at which a measure looks."""
    stage = pl.col("countermeasure_code").replace_strict(LOOKS_AT, default="content")
    return pl.coalesce(pl.when(stage == name).then(f"{what}_{name}") for name in STAGES)
