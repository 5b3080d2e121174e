"""Unclaimed traffic: in transit at an operator that has no links to others.

Settings without the operator's domains or numbers make all its traffic transit, which totals leave out. The
rest does not represent the operator, so its share of spam must not be a headline. The operators that a page
is about are those of the settings.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import polars as pl

from jobs.base.figures import words
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.settings.operator import Operator


@dataclass(frozen=True)
class ReportedOperator:
    """An operator of the settings.

    Attributes:
        has_links, has_domains: whether the settings name any.
    """

    id: str
    name: str
    country: str
    holding: str
    currency: str
    has_links: bool = True
    has_domains: bool = True


def reported_operator(operator: Operator) -> ReportedOperator:
    return ReportedOperator(
        id=operator.id,
        name=operator.name,
        country=operator.country,
        holding=operator.holding,
        currency=operator.currency,
        has_links=bool(operator.link),
        has_domains=bool(operator.domains),
    )


MAIL = "EMAIL"
TRANSIT = "transit"


@dataclass(frozen=True)
class Unclaimed:
    """A channel of an operator: its units, those of them in transit, and the codes of the units counted."""

    operator_id: str
    channel_code: str
    transit: int
    units: int
    unit_codes: list[str]


def sum_by_direction(volume: pl.DataFrame) -> pl.DataFrame:
    """Units by operator, channel, direction and unit, from gold.spam_volume_daily."""
    keys = ["operator_id", "channel_code", "direction_code", "unit_code"]
    return volume.filter(pl.col("definition_code") == OPERATOR).group_by(keys).agg(pl.col("units").sum())


def find_unclaimed(directions: pl.DataFrame, operators: Collection[ReportedOperator]) -> list[Unclaimed]:
    """Channels of operators in which most traffic is transit.

    Attempts of mail count only if the operator has no domains; with domains, those in transit are attempts to
    relay.
    """
    without_links = [each.id for each in operators if not each.has_links]
    with_domains = [each.id for each in operators if each.has_domains]
    is_counted = (pl.col("unit_code") != "attempt") | (
        (pl.col("channel_code") == MAIL) & ~pl.col("operator_id").is_in(with_domains)
    )
    rows = (
        directions.filter(pl.col("operator_id").is_in(without_links) & is_counted)
        .group_by("operator_id", "channel_code")
        .agg(
            transit=pl.col("units").filter(pl.col("direction_code") == TRANSIT).sum(),
            units=pl.col("units").sum(),
            unit_codes=pl.col("unit_code").unique().sort(descending=True),
        )
        .filter(2 * pl.col("transit") > pl.col("units"))
        .sort("operator_id", "channel_code")
    )
    return [Unclaimed(*row) for row in rows.rows()]


def unclaimed_channels(found: Iterable[Unclaimed], directions: pl.DataFrame) -> list[str]:
    """The channels in which most units, over all operators, are unclaimed."""
    whole = dict(directions.group_by("channel_code").agg(pl.col("units").sum()).rows())
    transit: dict[str, int] = {}
    for each in found:
        transit[each.channel_code] = transit.get(each.channel_code, 0) + each.transit
    return [channel for channel, count in sorted(transit.items()) if 2 * count > whole[channel]]


def describe_unclaimed(each: Unclaimed, domains: Iterable[str] = ()) -> str:
    """A sentence with what to do.

    Args:
        domains: those of the recipients, as far as logs show them.
    """
    name = words.lower_first(words.code_name("channel", each.channel_code))
    is_mail = each.channel_code == MAIL
    counted = words.join_words([f"{code}s" for code in each.unit_codes])
    what = "domains" if is_mail else "number_prefixes"
    text = (
        f"Of {each.units:,} {name} {counted}, {each.transit:,} are nobody's: neither the client nor the"
        f" recipient is the operator's. Name its {what} in [[operator]] '{each.operator_id}' of the settings;"
        " the next run counts them anew."
    )
    shown = list(domains) if is_mail else []
    return text + (f" Recipients are in {', '.join(shown)}." if shown else "")
