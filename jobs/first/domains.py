"""Whose domains the recipients of a mail log are in: the operator's own, or others'.

A domain is own by one of two signs:

- its mail ends here: it is delivered to a mailbox or to a private address. What another host on the inside
  sends to a private address may be on its way out, through a filter: there the log must have no more
  domains of recipients than domains of senders;
- strangers may send to it: clients at public addresses that did not log in. A server takes mail from them for
  its own domains alone, whether it delivers it, forwards it or refuses it for another reason than relaying.
  Customers of a smarthost have public addresses too. They are in few networks and write to domains
  everywhere; strangers come from everywhere to few domains. So this sign counts in a log that has STRANGERS
  times as many networks (/16, or /32 of IPv6) of such clients as domains for which mail of theirs was taken,
  and for a domain that FEWEST_NETWORKS of them wrote to.

A discard (transport `discard`, `:blackhole:`) and an error (transport `error`) are no delivery.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from jobs.protect.addresses import HOST_ITSELF
from jobs.protect.location import in_networks
from jobs.sniff.silver import NETWORKS

# A domain needs such a share of the recipients; more domains than these are not listed.
LEAST_SHARE, MOST_DOMAINS = 0.001, 200
# Networks of strangers for each domain that they may send to; and those that a domain of its own needs.
STRANGERS, FEWEST_NETWORKS = 3, 3
DOMAIN = r"^(?:[a-z0-9_-]+\.)+[a-z0-9-]{2,}$"
NOBODYS = {"localhost.localdomain", "localdomain"}
BRACKETED = r"\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]"
# A server on this host is a filter or the next hop, except for LMTP into a mailbox store.
LOOPBACK, STORE = r"\[(?:127\.[0-9.]+|::1)\]", r"\]:24$"
# As rule C0075 of ref.countermeasure_rule.
RELAYING = (
    r"(?i)relay(?:ing)? (?:access )?(?:denied|not (?:permitted|allowed)|prohibited)"
    r"|not (?:permitted|allowed|authorized) to relay|unable to relay|we do not relay"
    r"|authentication (?:is )?required (?:to|for) relay"
)
NETWORK = r"^(\d+\.\d+)\.|^([0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4})"
# Ways in which no stranger sends.
KNOWN_ENTRIES = ["submission", "pickup", "reinjection"]


@dataclass
class Domains:
    """Domains of recipients, each with how many of them a log has, most first.

    local: their mail ends here. relayed: strangers may send to them. others: all others.
    """

    local: dict[str, int] = field(default_factory=dict)
    relayed: dict[str, int] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)

    @property
    def own(self) -> dict[str, int]:
        return most_first(self.local | self.relayed)

    def add(self, more: Domains) -> None:
        """Add the domains of another log of the same operator."""
        for name in ("local", "relayed", "others"):
            sums = getattr(self, name)
            for domain, count in getattr(more, name).items():
                sums[domain] = sums.get(domain, 0) + count
        # What one log shows to be own is own in all; a domain stands once.
        for domain in self.local:
            self.local[domain] += self.relayed.pop(domain, 0) + self.others.pop(domain, 0)
        for domain in self.relayed:
            self.relayed[domain] += self.others.pop(domain, 0)


def domains_of(mails: pl.DataFrame) -> Domains:
    """The domains of the recipients of transmissions of mail."""
    rows = named(mails)
    often = frequent(counts(rows))
    local = set(frequent(counts(rows.filter("is_local"))))
    relayed = set(addressed(rows)) - local

    def kept(some: Callable[[str], bool]) -> dict[str, int]:
        return dict([pair for pair in often.items() if some(pair[0])][:MOST_DOMAINS])

    return Domains(
        kept(local.__contains__),
        kept(relayed.__contains__),
        kept(lambda domain: domain not in local | relayed),
    )


def named(mails: pl.DataFrame) -> pl.DataFrame:
    """The rows with a recipient in some domain, but for bounces; and domain, origin, network, is_accepted,
    is_denied, is_stranger, is_local."""
    relay = pl.col("outbound_link").fill_null("")
    client = pl.col("client_ip").str
    rows = mails.filter(pl.col("entry_code").ne_missing("dsn")).with_columns(
        domain=pl.col("recipient").str.to_lowercase().str.extract(r"@([^@]+)$").str.strip_suffix("."),
        origin=pl.col("sender").str.to_lowercase().str.extract(r"@([^@]+)$"),
        address=relay.str.extract(BRACKETED),
        network=pl.coalesce(client.extract(NETWORK, 1), client.extract(NETWORK, 2)),
        is_accepted=(pl.col("grain_code") == "recipient").fill_null(False),
        is_denied=pl.col("reply_text").str.contains(RELAYING).fill_null(False),
        is_handoff=pl.col("is_handoff").fill_null(False),
    )
    rows = rows.filter(pl.col("domain").str.contains(DOMAIN) & ~pl.col("domain").is_in(sorted(NOBODYS)))
    inside = [*HOST_ITSELF, *NETWORKS]
    is_delivered = pl.col("outcome_code").is_in(["delivered", "tagged"]) & ~pl.col("is_handoff")
    is_next = relay.str.contains(LOOPBACK) & ~relay.str.contains(STORE)
    is_inside = in_networks(rows["address"], inside).fill_null(False)
    rows = rows.with_columns(
        is_stranger=~in_networks(rows["client_ip"], inside).fill_null(True)
        & ~rows["is_authenticated"].fill_null(False)
        & ~rows["entry_code"].is_in(KNOWN_ENTRIES).fill_null(False),
        is_inward=is_delivered & is_inside & ~is_next,
    )
    of_hosts = rows.filter(pl.col("is_inward") & ~pl.col("is_stranger"))
    is_way_out = of_hosts["domain"].n_unique() > of_hosts["origin"].n_unique()
    return rows.with_columns(
        is_local=(is_delivered & pl.col("address").is_null())
        | (pl.col("is_inward") & (pl.col("is_stranger") | pl.lit(not is_way_out)))
    )


def addressed(rows: pl.DataFrame) -> list[str]:
    """Domains that strangers may send to."""
    strangers = rows.filter("is_stranger")
    is_denied = pl.col("is_denied")
    domains = strangers.group_by("domain").agg(
        denied=is_denied.sum(),
        accepted=(pl.col("is_accepted") & ~is_denied).sum(),
        networks=pl.col("network").filter(~is_denied).n_unique(),
    )
    taken = int((domains["accepted"] > 0).sum())
    if strangers["network"].n_unique() < STRANGERS * taken:
        return []
    # Relaying is denied by the recipient's domain, whoever asks.
    is_own = (pl.col("denied") == 0) | (pl.col("accepted") > pl.col("denied"))
    return domains.filter(is_own & (pl.col("networks") >= FEWEST_NETWORKS))["domain"].to_list()


def counts(rows: pl.DataFrame) -> dict[str, int]:
    """How many recipients each domain has; a handing to a filter is none."""
    found = rows.group_by("domain").agg((~pl.col("is_handoff")).sum())
    return most_first(dict(found.iter_rows()))


def frequent(found: dict[str, int]) -> dict[str, int]:
    """Those with LEAST_SHARE of all recipients."""
    least = LEAST_SHARE * sum(found.values())
    return {domain: count for domain, count in found.items() if count >= least}


def most_first(found: dict[str, int]) -> dict[str, int]:
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))
