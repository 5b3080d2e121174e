"""Signs of bypass: which units could show one, and which do. A sign belongs to a route, never to a type of
content.

Every sign needs the link that a unit came by, so that without links in the settings nothing is examined. A
call without attestation is a sign whether or not anyone signs calls there.

A SIM box is found by thresholds of its own for messages and for calls. For messages cells count where the log
has them, and are not held against a number elsewhere. Calls are examined only of numbers whose cells the log
has: a call centre or a clinic on a trunk, too, calls many that hardly ever call back, and only the radio cell
separates a SIM from it.

A number's behaviour needs all of its messages of a day, so that a narrow pass over pairs of numbers comes
first (jobs/operators/gold/bypass_indicator_daily.py has the steps).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.figures.channels import CALLS
from jobs.base.tables.validity import is_day_within

NUMBER = ["operator_id", "period_date", "channel_code"]
APPLICATIONS = ["name", "short_code"]
# Direct marketing of a party or a charity, too, is what an application sends.
MARKETING = ["cause", "one_of", "primary"]
SIMBOX = ["simbox_recipients", "simbox_reply_share", "simbox_received_share", "simbox_cells"]
# The thresholds, for units of messages and for calls.
PARAMETERS = {"recipient": ["grey_recipients", *SIMBOX], "call": SIMBOX}
# The columns that count_contacts() reads.
CONTACT_COLUMNS = [*NUMBER, "sender_kind_code", "sender_hash", "recipient_hash", "cell_hash"]
CONTACT_KEY = [*NUMBER, "number_hash", "other_hash", "cell_hash"]
CONTACT_RULES = {"sent": "sum", "received": "sum"}
Thresholds = Mapping[str, pl.Expr]


def count_contacts(message: pl.DataFrame) -> pl.DataFrame:
    """Count by number and day how much it sent to each other number and received from it (other_hash);
    further rows for the cells that the number sent from (cell_hash; no counts)."""
    by_number = message.filter(
        (pl.col("sender_kind_code") == "number") & pl.col("sender_hash").is_not_null()
    ).select(CONTACT_COLUMNS)
    directed = (
        by_number.filter((pl.col("channel_code") != "EMAIL") & (pl.col("recipient_hash") != "_U"))
        .group_by(*NUMBER, "sender_hash", "recipient_hash")
        .agg(count=pl.len().cast(pl.Int64))
    )
    none, nobody = pl.lit(0, pl.Int64), pl.lit(None, pl.String)
    sides = pl.concat(
        [
            contact_side(directed, "sender_hash", "recipient_hash", pl.col("count"), none),
            contact_side(directed, "recipient_hash", "sender_hash", none, pl.col("count")),
        ]
    )
    cells = by_number.filter(pl.col("cell_hash").is_not_null()).select(
        *NUMBER, number_hash="sender_hash", other_hash=nobody, cell_hash="cell_hash", sent=none, received=none
    )
    return pl.concat([sides.group_by(CONTACT_KEY).agg(pl.col("sent", "received").sum()), cells.unique()])


def contact_bucket(count: int) -> pl.Expr:
    """The number of the bucket, of so many, that a row of count_contacts() belongs to: numbers_behaviour()
    may take each bucket alone."""
    return pl.struct(*NUMBER, "number_hash").hash(seed=0) % count


def contact_side(
    directed: pl.DataFrame, me: str, other: str, sent: pl.Expr, received: pl.Expr
) -> pl.DataFrame:
    """The contacts as one of the two numbers sees them."""
    return directed.select(
        *NUMBER,
        number_hash=pl.col(me),
        other_hash=pl.col(other),
        cell_hash=pl.lit(None, pl.String),
        sent=sent,
        received=received,
    )


def numbers_behaviour(contact: pl.DataFrame, bypass_parameter: pl.DataFrame) -> pl.DataFrame:
    """A row per number and day: how many others it reached, how many of them answered, how much it sent and
    received, and from how many cells (null where the log has none).

    Args:
        contact: all rows of each number. Numbers that reach fewer than any threshold and have no cells show
            no sign that needs their behaviour, and are left out.
    """
    at_most = choose_thresholds(bypass_parameter)
    # The least passes over what calls have no threshold of.
    least = pl.min_horizontal(at_most["grey_recipients"], at_most["simbox_recipients"])
    return sum_behaviour(contact).filter(pl.col("cells").is_not_null() | (pl.col("recipients") >= least))


def sum_behaviour(contact: pl.DataFrame) -> pl.DataFrame:
    """The behaviour of every number and day, whatever it shows."""
    is_reached, is_cell = pl.col("sent") > 0, pl.col("cell_hash").is_not_null()
    return contact.group_by(*NUMBER, sender_hash="number_hash").agg(
        recipients=is_reached.sum().cast(pl.Int64),
        answering=(is_reached & (pl.col("received") > 0)).sum().cast(pl.Int64),
        sent=pl.col("sent").sum(),
        received=pl.col("received").sum(),
        cells=pl.when(is_cell.any()).then(is_cell.sum().cast(pl.Int64)),
    )


def find_signs(
    message: pl.DataFrame, operator: pl.DataFrame, bypass_parameter: pl.DataFrame, behaviour: pl.DataFrame
) -> pl.DataFrame:
    """One row for each sign that a row of silver.message could show: its columns, bypass_code and is_flagged.

    Args:
        behaviour: from numbers_behaviour(), at least for the numbers that sent these messages.
    """
    at_most = choose_thresholds(bypass_parameter)
    linked = message.filter((pl.col("channel_code") != "EMAIL") & pl.col("inbound_link_id").is_not_null())
    seen = linked.join(operator_links(operator), on=["operator_id", "inbound_link_id"], how="left").join(
        behaviour, on=[*NUMBER, "sender_hash"], how="left"
    )
    # Links for messages between persons.
    can_be_grey = (pl.col("link_traffic_code") == "p2p") & ~pl.col("channel_code").is_in(CALLS)
    is_number = pl.col("sender_kind_code") == "number"
    has_home = (pl.col("network_codes").list.len() > 0) & pl.col("sender_network_code").is_not_null()
    is_at_home = pl.col("network_codes").list.contains(pl.col("sender_network_code"))
    is_from_abroad = pl.col("link_scope_code") == "international"
    return pl.concat(
        [
            examine_sign(seen, "GREY_ROUTE", can_be_grey, is_grey(at_most)),
            examine_sign(seen, "HOME_MISMATCH", has_home, ~is_at_home),
            examine_sign(seen, "SIMBOX", is_number & can_be_simbox(), is_simbox(at_most)),
            examine_sign(seen, "SPOOFED_CLI", is_number & is_from_abroad, is_spoofed()),
        ]
    ).select(*message.columns, "bypass_code", "is_flagged")


def examine_sign(seen: pl.DataFrame, code: str, is_examined: pl.Expr, is_flagged: pl.Expr) -> pl.DataFrame:
    """The rows that could show a sign, and whether they do: an unknown value shows none."""
    return seen.filter(is_examined).with_columns(
        bypass_code=pl.lit(code), is_flagged=is_flagged.fill_null(False)
    )


def operator_links(operator: pl.DataFrame) -> pl.DataFrame:
    """Each operator's links, with its country."""
    links = operator.select("operator_id", own_country="country_code", link="links").explode("link")
    link = pl.col("link").struct
    return links.filter(link.field("link_id").is_not_null()).select(
        "operator_id",
        "own_country",
        link.field("link_id").alias("inbound_link_id"),
        link.field("link_scope_code"),
        link.field("link_traffic_code"),
        link.field("network_codes"),
    )


def is_grey(at_most: Thresholds) -> pl.Expr:
    """An application sent it: by its sender, by content (commercial, or direct marketing of any kind), or by
    how many it reaches in a day."""
    advertises = pl.col("spam_type_code").str.starts_with("AD.") & pl.col("is_type_strong")
    signs_of_it = [
        pl.col("sender_kind_code").is_in(APPLICATIONS),
        advertises,
        pl.col("commercial_code").is_in(MARKETING),
        pl.col("recipients") >= at_most["grey_recipients"],
    ]
    return pl.any_horizontal(each.fill_null(False) for each in signs_of_it)


def can_be_simbox() -> pl.Expr:
    """A SIM box sends as subscribers do: over national links that are not for applications. Calls are
    examined only where the number's cells are known."""
    has_cells = ~pl.col("channel_code").is_in(CALLS) | pl.col("cells").is_not_null()
    abroad = (pl.col("link_scope_code") == "international").fill_null(False)
    applications = (pl.col("link_traffic_code") == "a2p").fill_null(False)
    return ~abroad & ~applications & has_cells


def is_simbox(at_most: Thresholds) -> pl.Expr:
    """Match numbers that reach many, that hardly anyone reaches, and that use few cells, where known."""
    return (
        (pl.col("recipients") >= at_most["simbox_recipients"])
        & (pl.col("answering") <= pl.col("recipients") * at_most["simbox_reply_share"])
        & (pl.col("received") <= pl.col("sent") * at_most["simbox_received_share"])
        & (pl.col("cells") <= at_most["simbox_cells"]).fill_null(True)
    )


def is_spoofed() -> pl.Expr:
    """A national number that no one vouches for: attestation C or none, whether or not anyone signs calls
    there. Subscribers abroad come by roaming links, if by any."""
    unvouched = (pl.col("attestation_code") == "C").fill_null(True)
    national = pl.col("origin_claimed_code") == pl.col("own_country")
    return national & unvouched & (pl.col("inbound_link_code") != "roaming")


def choose_thresholds(bypass_parameter: pl.DataFrame) -> dict[str, pl.Expr]:
    """Each threshold as it holds for the channel and on the day of the row; null where a channel has none.

    Raises ObservatoryError if one is missing or is no number.
    """
    rows = bypass_parameter.to_dicts()
    is_call = pl.col("channel_code").is_in(CALLS)
    of_messages, of_calls = (
        {code: choose_threshold(rows, code, unit) for code in codes} for unit, codes in PARAMETERS.items()
    )
    nothing = pl.lit(None, pl.Float64)
    return {
        code: pl.when(is_call).then(of_calls.get(code, nothing)).otherwise(of_messages[code])
        for code in of_messages
    }


def choose_threshold(rows: Sequence[Mapping[str, Any]], code: str, unit: str) -> pl.Expr:
    """One threshold as it holds on the day of the row."""
    mine = [row for row in rows if (row["parameter_code"], row["unit_code"]) == (code, unit)]
    if not mine:
        raise ObservatoryError(f"ref.bypass_parameter: no row {code} for {unit}")
    value = pl.lit(None, pl.Float64)
    for row in sorted(mine, key=lambda row: row["valid_from"]):
        try:
            number = float(row["value"])
        except (TypeError, ValueError):
            raise ObservatoryError(
                f"ref.bypass_parameter, row {code}: '{row['value']}' is no number"
            ) from None
        value = pl.when(is_day_within(row["valid_from"], row["valid_to"])).then(number).otherwise(value)
    return value
