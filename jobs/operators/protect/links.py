"""Links of an operator: which one a row came in or went out by, its kind, and handoffs to a filter."""

import ipaddress
from collections.abc import Mapping

import polars as pl

from jobs.base.tables.matching import map_texts
from jobs.operators.protect import location
from jobs.operators.protect.addresses import is_own_address
from jobs.operators.protect.operators import OperatorSpace

# The address in `name[address]:port`, `address:port` or alone.
LINK_ADDRESS = r"(?:^|\[)((?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)(?:$|\]|:[0-9]+$)"


def link_ids(
    frame: pl.DataFrame, link: str, address: str | None, name: str | None, space: OperatorSpace
) -> pl.Series:
    """The operator's name of the link that each row came in or went out by; null where none fits.

    A link is named by SMSC id, by a relay's name, or by an address or a range of addresses, also that in
    `name[address]:port`. What the log calls the link goes before the client's name, and that before its
    address; of ranges the smallest decides. link, address and name are columns of the frame.
    """
    places = {known: place for place, (known, _) in enumerate(space.links)}
    by_name = map_texts(frame[link], lambda text: find_link(text, places))
    if name is not None:
        of_client = frame[name].cast(pl.String)
        by_name = by_name.fill_null(of_client.set(~of_client.is_in(list(places)), None))
    addresses = [pl.col(link).str.extract(LINK_ADDRESS).alias("of_link")]
    if address is not None:
        addresses.append(pl.col(address).alias("of_client"))
    networks = {known: link_network(known) for known in places}
    names = {network: known for known, network in networks.items() if network is not None}
    if not names:
        return by_name.alias("by_name")
    found = frame.select(*addresses)
    by_range = [
        location.narrowest_network(found[each.meta.output_name()], tuple(names)) for each in addresses
    ]
    candidates = [by_name, *(each.replace_strict(names, default=None) for each in by_range)]
    return pl.select(pl.coalesce(candidates)).to_series()


def find_link(text: str, places: Mapping[str, int]) -> str | None:
    """The link that a log names: as it is, before a bracket, as in `name[address]:port`, or within brackets;
    of several the last one of the settings. A text is taken apart once, however many links there are."""
    parts = [text]
    if "[" in text:
        longest = max(map(len, places), default=0)
        for start in (place for place, sign in enumerate(text) if sign == "["):
            parts.append(text[:start])
            within = text[start + 1 : start + longest + 2]
            parts += [within[:end] for end, sign in enumerate(within) if sign == "]"]
    return max((part for part in parts if part in places), key=places.__getitem__, default=None)


def link_network(link: str) -> str | None:
    """The network that a link is named by, an address being one of its own; None for other names."""
    try:
        return str(ipaddress.ip_network(link))
    except ValueError:
        return None


def link_kind(column: str, kinds: dict[str, str]) -> pl.Expr:
    """The kind of a link of the operator's."""
    if not kinds:
        return pl.lit(None, dtype=pl.String)
    return pl.col(column).replace_strict(
        list(kinds), list(kinds.values()), default=None, return_dtype=pl.String
    )


def find_handoffs(raw: pl.DataFrame, space: OperatorSpace) -> pl.Series:
    """Return whether each delivery was to a filter: as the kernel found, or to an address of the operator's
    own that answered with a queue id, as a filter on another host does."""
    known = raw["is_handoff"]
    rows = (raw["next_queue_id"].is_not_null() & ~known.fill_null(False)).arg_true()
    if not len(rows):
        return known

    def find_own(links: pl.Series) -> pl.DataFrame:
        return pl.DataFrame({"is_own": is_own_address(links.str.extract(LINK_ADDRESS), space)})

    is_own = location.look_up_distinct(raw["outbound_link"].gather(rows), find_own)["is_own"]
    return known.scatter(rows.filter(is_own.fill_null(False)), True)
