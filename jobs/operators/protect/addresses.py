"""IP addresses: pseudonym, network, country and autonomous system, and which are the operator's own."""

import datetime as dt
from pathlib import Path

import polars as pl

from jobs.operators.protect import location
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.protect.pseudonym_keys import make_pseudonyms, pseudonym_key

# Own networks of every operator: the host itself, and the addresses that stand for none.
HOST_ITSELF = ("127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128")


def ranges_database(protection: Protection) -> tuple[str | None, dt.date | None]:
    """Name and date of the address table: as the settings state them, else as the table does."""
    if protection.ranges is None:
        return None, None
    table = location.load_ranges(protection.ranges)
    return protection.ranges_name or table.name or Path(
        protection.ranges
    ).name, protection.ranges_date or table.date


def locate_clients(addresses: pl.Series, space: OperatorSpace, protection: Protection) -> pl.DataFrame:
    """Look up each address's pseudonym, network, country, autonomous system, and whether it is the operator's
    own.

    Each distinct address is looked up once.

    Args:
        space: hash, network, country_code, asn, is_own.
    """

    def looked_up(distinct: pl.Series) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "hash": make_pseudonyms(distinct, pseudonym_key(space)),
                "network": location.find_networks(distinct),
                "is_own": is_own_address(distinct, space),
            }
        ).hstack(locate_addresses(distinct, protection.ranges).select("country_code", "asn"))

    return location.look_up_distinct(addresses.cast(pl.String), looked_up)


def is_own_address(addresses: pl.Series, space: OperatorSpace) -> pl.Series:
    """Return whether each address is in the operator's networks; null for what is no address."""
    return location.match_networks(addresses, [*HOST_ITSELF, *space.networks])


def locate_addresses(addresses: pl.Series, ranges: str | None) -> pl.DataFrame:
    """Country and autonomous system of addresses, from the operator's own table of ranges."""
    if ranges is None:
        unknown = {"country_code": pl.String, "asn": pl.Int64}
        return pl.DataFrame(
            {name: pl.Series([None] * len(addresses), dtype=kind) for name, kind in unknown.items()}
        )
    return location.locate_in_ranges(addresses, location.load_ranges(ranges))
