"""The kind of network that a message or call crossed between its origin and this network."""

import polars as pl

# Links whose other end carries the traffic of third parties.
CARRIERS = ["hub", "aggregator", "roaming", "sim-farm"]


def transit_code() -> pl.Expr:
    """The kind of network in between; on-net where there is none; null where the log does not record it.

    A link to a carrier shows it: the inbound one before the outbound one. A call that a gateway signed
    (attestation C, RFC 8588) came in by that gateway, whichever link brought it on; origid identifies the
    gateway, and gold.bypass_indicator_daily counts gateways. Attestations A and B come from the network where
    the call began, which is no transit. The Received fields of a mail, which name its hops, are in no log
    that is read here. What comes in from the operator's own network for its own recipient stays in it: its
    route is on-net, and so is its transit.
    """
    inbound, outbound = (
        pl.when(pl.col(link).is_in(CARRIERS)).then(link)
        for link in ("inbound_link_code", "outbound_link_code")
    )
    gateway = pl.when(pl.col("attestation_code") == "C").then(pl.lit("hub"))
    stays = (pl.col("inbound_link_code") == "on-net") & pl.col("is_own_recipient")
    return pl.coalesce(inbound, gateway, outbound, pl.when(stays).then(pl.lit("on-net")))
