"""Senders and recipients, beyond their country: kind of sender, network, domain.

Everything here is a claim or a record of how ranges were given out. A number's home network is the one that
its range was given to, whatever portability did since; a registered domain is what someone registered, not
who sent.
"""

from functools import lru_cache
from pathlib import Path

import polars as pl

from jobs.base.core.codes import choose_case
from jobs.base.tables.matching import map_texts
from jobs.operators.protect.domains import registered_domains
from jobs.operators.protect.numbering import LONGEST_NUMBER, SHORTEST_NUMBER
from jobs.operators.protect.range_tables import NumberRanges, read_number_ranges

# A relay is logged as name[address]:port; a literal address has no name.
RELAY_NAME = r"^([^\[\]\s:]+)\["


def sender_kinds(senders: pl.Series) -> pl.Series:
    """The kind of each sender (list `sender_kind`); null for others, such as the null sender."""
    sender = pl.col("sender")
    digits = sender.str.strip_prefix("+").str.replace(r"^00", "")
    kind = choose_case(
        (sender.str.contains("@"), "address"),
        (digits.str.contains(rf"^[0-9]{{{SHORTEST_NUMBER},{LONGEST_NUMBER}}}$"), "number"),
        (
            digits.str.contains(r"^[0-9]+$"),
            pl.when(digits.str.len_bytes() < SHORTEST_NUMBER).then(pl.lit("short_code")),
        ),
        (sender.str.contains(r"\p{L}"), "name"),
    )
    return senders.cast(pl.String).to_frame("sender").select(kind.alias(senders.name)).to_series()


@lru_cache(maxsize=2)
def _number_ranges(path: Path, changed: int) -> NumberRanges:
    return read_number_ranges(path)


def networks_of_numbers(numbers: pl.Series, file: str | None) -> pl.Series:
    """The network, as MCC-MNC, that each number's range was given to; null without a table of ranges."""
    if file is None:
        return pl.Series(numbers.name, [None], dtype=pl.String).new_from_index(0, len(numbers))
    path = Path(file)
    ranges = _number_ranges(path, path.stat().st_mtime_ns if path.is_file() else 0)

    def find_network(number: str) -> str | None:
        digits = number.strip().removeprefix("+").removeprefix("00")
        is_number = digits.isascii() and digits.isdigit() and SHORTEST_NUMBER <= len(digits) <= LONGEST_NUMBER
        return ranges.network_of(digits) if is_number else None

    return map_texts(numbers, find_network)


def destination_operators(
    frame: pl.DataFrame, own_id: str, links: dict[str, str], file: str | None
) -> pl.Series:
    """The operator that each row was for, if the log records it; columns as
    jobs/operators/protect/pseudonyms.py has them.

    It is the operator itself for its own recipients; for numbers the network of the range, or the peer that
    the link leads to; for mail the registered domain of the server that took it, unless that is a relay of
    the operator's own choice, which says nothing of the mailbox.
    """
    is_mail = pl.col("channel_code") == "EMAIL"
    networks = networks_of_numbers(frame["recipient"].set(frame["channel_code"] == "EMAIL", None), file)
    relays = frame.select(
        pl.when(is_mail & pl.col("outbound_link_id").is_null()).then(
            pl.col("outbound_link").str.extract(RELAY_NAME)
        )
    ).to_series()
    peers = [name for name, kind in links.items() if kind == "peer"]
    operator_id = (
        pl.when("is_own_recipient")
        .then(pl.lit(own_id))
        .when(is_mail)
        .then(registered_domains(relays))
        .otherwise(
            pl.coalesce(networks, pl.when(pl.col("outbound_link_id").is_in(peers)).then("outbound_link_id"))
        )
    )
    return frame.select(operator_id.alias("destination_operator_id")).to_series()
