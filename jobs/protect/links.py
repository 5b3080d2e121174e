"""Links of an operator: which one a row came in or went out by, its kind, and handoffs to a filter."""

import ipaddress

import polars as pl

from jobs.protect import location
from jobs.protect.addresses import is_own_address
from jobs.protect.operators import OperatorSpace

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
    by_name = pl.lit(None, dtype=pl.String)
    for known, _ in space.links:
        by_name = (
            pl.when(is_named(pl.col(link), known).fill_null(False)).then(pl.lit(known)).otherwise(by_name)
        )
    if name is not None:
        by_name = by_name.fill_null(
            pl.when(pl.col(name).is_in([known for known, _ in space.links])).then(name)
        )
    addresses = [pl.col(link).str.extract(LINK_ADDRESS).alias("of_link")]
    if address is not None:
        addresses.append(pl.col(address).alias("of_client"))
    networks = {known: link_network(known) for known, _ in space.links}
    names = {network: known for known, network in networks.items() if network is not None}
    if not names:
        return frame.select("channel_code", by_name.alias("by_name"))["by_name"]
    found = frame.select(by_name.alias("by_name"), *addresses)
    by_range = [
        location.narrowest_network(found[each.meta.output_name()], tuple(names)) for each in addresses
    ]
    told = [found["by_name"], *(each.replace_strict(names, default=None) for each in by_range)]
    return pl.select(pl.coalesce(told)).to_series()


def is_named(link: pl.Expr, known: str) -> pl.Expr:
    return (link == known) | link.str.starts_with(known + "[") | link.str.contains(f"[{known}]", literal=True)


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
    """Whether each delivery was to a filter: as the kernel found, or to an address of the operator's own that
    answered with a queue id, as a filter on another host does."""
    known = raw["is_handoff"]
    rows = (raw["next_queue_id"].is_not_null() & ~known.fill_null(False)).arg_true()
    if not len(rows):
        return known

    def find_own(links: pl.Series) -> pl.DataFrame:
        return pl.DataFrame({"is_own": is_own_address(links.str.extract(LINK_ADDRESS), space)})

    is_own = location.for_distinct(raw["outbound_link"].gather(rows), find_own)["is_own"]
    return known.scatter(rows.filter(is_own.fill_null(False)), True)
