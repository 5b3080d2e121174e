"""Signs of bypass: which units could show one, and which do. A sign is of a route, never a type of content.

Every sign needs to know the link that a unit came by, so that without links in the settings nothing is
examined. That nobody vouches for a call is a sign whether or not anyone signs calls there.

A SIM box is told by thresholds of its own for messages and for calls. Of messages cells count where the log
has them, and are not held against a number elsewhere. Calls are examined only of numbers whose cells the log
has: a call centre or a clinic on a trunk, too, calls many that hardly ever call back, and that a number
answers to a radio cell is what tells a SIM from it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from jobs.channels import CALLS
from jobs.errors import ObservatoryError

NUMBER = ["operator_id", "period_date", "channel_code"]
APPLICATIONS = ["name", "short_code"]
# Direct marketing of a party or a charity, too, is what an application sends.
MARKETING = ["cause", "one_of", "primary"]
SIMBOX = ["simbox_recipients", "simbox_reply_share", "simbox_received_share", "simbox_cells"]
# The thresholds, for units of messages and for calls.
PARAMETERS = {"recipient": ["grey_recipients", *SIMBOX], "call": SIMBOX}


def signs(message: DataFrame, operator: DataFrame, bypass_parameter: DataFrame) -> DataFrame:
    """Rows of silver.message that came by a link of the operator's, with the `signs` that each could show:
    bypass_code and is_flagged."""
    at_most = parameters(bypass_parameter)
    linked = message.filter("channel_code <> 'EMAIL' AND inbound_link_id IS NOT NULL")
    # The operators' links are a handful.
    links = F.broadcast(links_of(operator))
    placed = linked.join(links, on=["operator_id", "inbound_link_id"], how="left")
    # Least passes over what calls have no threshold of.
    behaviour = numbers_behaviour(message).filter(
        F.col("recipients") >= F.least(at_most["grey_recipients"], at_most["simbox_recipients"])
    )
    seen = placed.join(behaviour, on=[*NUMBER, "sender_hash"], how="left").join(
        cells_of_numbers(message), on=[*NUMBER, "sender_hash"], how="left"
    )
    is_number = F.col("sender_kind_code") == "number"
    told = F.array(
        sign("GREY_ROUTE", can_be_grey(), is_grey(at_most)),
        sign("HOME_MISMATCH", has_home(), ~F.array_contains("network_codes", F.col("sender_network_code"))),
        sign("SIMBOX", is_number & can_be_simbox(), is_simbox(at_most)),
        sign("SPOOFED_CLI", is_number & comes_from_abroad(), is_spoofed()),
    )
    return seen.select(*message.columns, F.array_compact(told).alias("signs"))


def sign(code: str, is_examined: Column, is_flagged: Column) -> Column:
    """The sign of a row that could show it, and whether it does: what is not known is not shown."""
    told = F.struct(
        F.lit(code).alias("bypass_code"), F.coalesce(is_flagged, F.lit(False)).alias("is_flagged")
    )
    return F.when(is_examined, told)


def links_of(operator: DataFrame) -> DataFrame:
    """Each operator's links, with its country."""
    return operator.select(
        "operator_id", F.col("country_code").alias("own_country"), F.explode("links").alias("link")
    ).select(
        "operator_id",
        "own_country",
        F.col("link.link_id").alias("inbound_link_id"),
        "link.link_scope_code",
        "link.link_traffic_code",
        "link.network_codes",
    )


def numbers_behaviour(message: DataFrame) -> DataFrame:
    """For each number and day: how many others it reached, how many of them answered, what it sent and got.

    One pass over messages and calls between numbers, however many there are.
    """
    known = message.filter(
        "channel_code <> 'EMAIL' AND sender_kind_code = 'number' AND recipient_hash <> '_U'"
        " AND sender_hash IS NOT NULL"
    )

    def side(me: str, other: str, is_sent: bool) -> Column:
        return F.struct(
            F.col(me).alias("number_hash"), F.col(other).alias("other_hash"), F.lit(is_sent).alias("is_sent")
        )

    both = F.array(side("sender_hash", "recipient_hash", True), side("recipient_hash", "sender_hash", False))
    sides = known.select(*NUMBER, F.explode(both).alias("side")).select(*NUMBER, "side.*")
    pairs = sides.groupBy(*NUMBER, "number_hash", "other_hash").agg(
        F.count_if("is_sent").alias("sent"), F.count_if(~F.col("is_sent")).alias("received")
    )
    return (
        pairs.groupBy(*NUMBER, "number_hash")
        .agg(
            F.count_if(F.col("sent") > 0).alias("recipients"),
            F.count_if((F.col("sent") > 0) & (F.col("received") > 0)).alias("answering"),
            F.sum("sent").alias("sent"),
            F.sum("received").alias("received"),
        )
        .withColumnRenamed("number_hash", "sender_hash")
    )


def cells_of_numbers(message: DataFrame) -> DataFrame:
    """For each number and day that a log has cells for: how many it sent from."""
    return (
        message.filter("cell_hash IS NOT NULL AND sender_kind_code = 'number' AND sender_hash IS NOT NULL")
        .groupBy(*NUMBER, "sender_hash")
        .agg(F.count_distinct("cell_hash").alias("cells"))
    )


def can_be_grey() -> Column:
    """A message over a link that is for messages between persons."""
    return (F.col("link_traffic_code") == "p2p") & ~F.col("channel_code").isin(*CALLS)


def is_grey(at_most: dict[str, Column]) -> Column:
    """It is an application's: by its sender, by content (commercial, or direct marketing of any kind), or by
    how many it reaches in a day."""
    advertises = F.col("spam_type_code").startswith("AD.") & F.col("is_type_strong")
    content = F.coalesce(advertises, F.lit(False)) | F.coalesce(
        F.col("commercial_code").isin(MARKETING), F.lit(False)
    )
    many = F.coalesce(F.col("recipients") >= at_most["grey_recipients"], F.lit(False))
    return F.coalesce(F.col("sender_kind_code").isin(APPLICATIONS), F.lit(False)) | content | many


def has_home() -> Column:
    """The number's home network is known, and so are the networks that may use the link."""
    return (F.size("network_codes") > 0) & F.col("sender_network_code").isNotNull()


def can_be_simbox() -> Column:
    """A SIM box sends as subscribers do: over national links that are not for applications. Calls tell of it
    only where the number's cells are known."""
    has_cells = ~F.col("channel_code").isin(*CALLS) | F.col("cells").isNotNull()
    abroad = F.coalesce(F.col("link_scope_code") == "international", F.lit(False))
    applications = F.coalesce(F.col("link_traffic_code") == "a2p", F.lit(False))
    return ~abroad & ~applications & has_cells


def is_simbox(at_most: dict[str, Column]) -> Column:
    """It reaches many, hardly anyone reaches it, and it stays where it is, where that is known."""
    return (
        (F.col("recipients") >= at_most["simbox_recipients"])
        & (F.col("answering") <= F.col("recipients") * at_most["simbox_reply_share"])
        & (F.col("received") <= F.col("sent") * at_most["simbox_received_share"])
        & F.coalesce(F.col("cells") <= at_most["simbox_cells"], F.lit(True))
    )


def comes_from_abroad() -> Column:
    return F.col("link_scope_code") == "international"


def is_spoofed() -> Column:
    """A national number that no one vouches for: attestation C or none, whether or not anyone signs calls
    there. Subscribers abroad come by roaming links, if by any."""
    unvouched = F.coalesce(F.col("attestation_code") == "C", F.lit(True))
    national = F.col("origin_claimed_code") == F.col("own_country")
    return national & unvouched & (F.col("inbound_link_code") != "roaming")


def parameters(bypass_parameter: DataFrame) -> dict[str, Column]:
    """Each threshold as it holds for the channel and on the day of the row; null where a channel has none.

    Raises ObservatoryError if one is missing or is no number.
    """
    rows = bypass_parameter.collect()
    is_call = F.col("channel_code").isin(*CALLS)
    of_messages, of_calls = (
        {code: threshold(rows, code, unit) for code in codes} for unit, codes in PARAMETERS.items()
    )
    nothing = F.lit(None).cast("double")
    return {
        code: F.when(is_call, of_calls.get(code, nothing)).otherwise(of_messages[code])
        for code in of_messages
    }


def threshold(rows: Sequence[Row], code: str, unit: str) -> Column:
    """One threshold as it holds on the day of the row."""
    mine = [row for row in rows if (row.parameter_code, row.unit_code) == (code, unit)]
    if not mine:
        raise ObservatoryError(f"ref.bypass_parameter: no row {code} for {unit}")
    value = F.lit(None).cast("double")
    for row in sorted(mine, key=lambda row: row.valid_from):
        try:
            number = float(row.value)
        except (TypeError, ValueError):
            raise ObservatoryError(f"ref.bypass_parameter, row {code}: '{row.value}' is no number") from None
        is_valid = F.col("period_date") >= F.lit(row.valid_from)
        if row.valid_to is not None:
            is_valid &= F.col("period_date") < F.lit(row.valid_to)
        value = F.when(is_valid, F.lit(number)).otherwise(value)
    return value
