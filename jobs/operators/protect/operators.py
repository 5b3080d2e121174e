"""Facts about the operators whose rows a worker protects, and their rows one by one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True)
class OperatorSpace:
    """One operator, as a worker needs it: its country, address space and links (name, kind).

    Attributes:
        national_sources: those whose subscribers write national numbers (numbers in
            jobs/base/settings/operator.py).
        key: for a process that stores nothing, a key in place of the one that derives from the master key.
        key_file, key_id: of a later key its file, and the id that its key must have.
    """

    operator_id: str
    country: str
    domains: tuple[str, ...]
    networks: tuple[str, ...]
    number_prefixes: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    national_sources: tuple[str, ...] = ()
    key: bytes | None = field(default=None, repr=False)
    key_file: str | None = None
    key_id: str | None = None


@dataclass(frozen=True)
class Protection:
    """Everything that protect needs, small enough to travel with each task.

    Attributes:
        ranges, number_ranges: the tables of address and of number ranges, by their URLs.
        ranges_name, ranges_date: name and date of the address table, as the operator states them.
    """

    spaces: tuple[OperatorSpace, ...]
    ranges: str | None
    number_ranges: str | None = None
    ranges_name: str | None = None
    ranges_date: dt.date | None = None

    @classmethod
    def read_operators(cls, operators: pl.DataFrame) -> Protection:
        """The protection of the operators in rows of ref.operator."""
        rows = operators.to_dicts()
        own = tuple(
            OperatorSpace(
                operator_id=row["operator_id"],
                country=row["country_code"],
                domains=tuple(domain.lower() for domain in row["domains"]),
                networks=tuple(row["networks"]),
                number_prefixes=tuple(row["number_prefixes"]),
                links=tuple((link["link_id"], link["link_code"]) for link in row["links"]),
                national_sources=tuple(row["national_sources"] or ()),
            )
            for row in rows
        )
        if not rows:
            return cls(own, None)
        # Every operator has the same tables of ranges.
        tables = ("ranges_url", "number_ranges_url", "ranges_name", "ranges_date")
        return cls(own, *(rows[0][name] for name in tables))


def map_operators(
    frame: pl.DataFrame,
    protection: Protection,
    function: Callable[[pl.DataFrame, OperatorSpace, Protection], pl.DataFrame],
) -> pl.DataFrame:
    """Apply a function to each operator's rows."""
    own = {each.operator_id: each for each in protection.spaces}
    parts = frame.partition_by("operator_id", as_dict=True)
    done = [
        function(part, own[str(operator)], protection)
        for (operator,), part in parts.items()
        if operator in own
    ]
    return pl.concat(done) if done else pl.DataFrame()
