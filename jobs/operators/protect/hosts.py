"""Hosts and domains: the country that a host's last label names, and which are the operator's own."""

from collections.abc import Callable
from functools import cache

import polars as pl

from jobs.operators.protect import location
from jobs.operators.protect.domains import extract_host, find_registered, read_host, written_forms
from jobs.operators.protect.operators import OperatorSpace
from jobs.operators.protect.pseudonym_keys import make_pseudonyms


def field_domain(column: str) -> pl.Expr:
    """The registered domain in a field that should hold a domain; null for anything else."""
    return find_registered(read_host(pl.col(column)))


def hosts_in_addresses(addresses: pl.Series, space: OperatorSpace) -> pl.DataFrame:
    """The hosts in addresses, as hosts_in_texts() returns them; null for numbers and names."""
    # Addresses differ, what stands behind their first @ does not.
    behind = addresses.to_frame("address").select(
        "@" + pl.col("address").str.splitn("@", 2).struct.field("field_1")
    )
    return hosts_in_texts(behind.to_series(), space, extract_host)


def hosts_in_texts(
    texts: pl.Series, space: OperatorSpace, host: Callable[[pl.Expr], pl.Expr] = read_host
) -> pl.DataFrame:
    """Look up the host in each text, its registered domain, the country of its last label, and whether it is
    in the operator's space: host, domain, country_code, is_own. Each distinct text is looked up once."""

    def looked_up(distinct: pl.Series) -> pl.DataFrame:
        codes = countries_by_suffix()
        last = pl.col("host").str.extract(r"\.([a-z]{2})$")
        return (
            distinct.to_frame("text")
            .select(host(pl.col("text")).alias("host"))
            .with_columns(
                domain=find_registered(pl.col("host")),
                country_code=last.replace_strict(
                    list(codes), list(codes.values()), default=None, return_dtype=pl.String
                ),
                is_own=is_own_domain("host", space),
            )
        )

    return location.look_up_distinct(texts, looked_up)


def is_own_domain(column: str, space: OperatorSpace) -> pl.Expr:
    """Return whether a host's whole name is the operator's own domain or below one of its own."""
    column_or_empty = pl.col(column).fill_null("")
    domains = sorted({form for domain in space.domains for form in written_forms(domain)})
    below = [column_or_empty.str.ends_with("." + domain) for domain in domains]
    return pl.any_horizontal(column_or_empty.is_in(domains), *below)


@cache
def countries_by_suffix() -> dict[str, str]:
    """ISO 3166-1 alpha-3 by the country code of a domain."""
    from jobs.base.tables.contracts import REFERENCE

    table = pl.read_csv(REFERENCE / "country.csv", infer_schema=False)
    codes = dict(zip(table["iso2"].str.to_lowercase(), table["iso3"], strict=True))
    return codes | {"uk": codes["gb"]}


def recipient_structs(raw: pl.DataFrame, space: OperatorSpace, key: bytes) -> pl.Series:
    """Return each verdict's recipients as hash, domain and whether they are the operator's own."""
    listed = raw.select(pl.int_range(pl.len()).alias("row"), recipient=pl.col("recipients")).explode(
        "recipient"
    )
    named = hosts_in_addresses(listed["recipient"], space)
    listed = listed.with_columns(
        recipient_hash=make_pseudonyms(listed["recipient"].str.to_lowercase(), key),
        recipient_domain=named["domain"],
        is_own_recipient=named["is_own"],
    )
    grouped = (
        listed.filter(pl.col("recipient").is_not_null())
        .group_by("row", maintain_order=True)
        .agg(pl.struct("recipient_hash", "recipient_domain", "is_own_recipient").alias("recipients"))
    )
    rows = pl.DataFrame({"row": range(raw.height)}, schema={"row": grouped.schema["row"]})
    return rows.join(grouped, on="row", how="left", maintain_order="left")["recipients"]
