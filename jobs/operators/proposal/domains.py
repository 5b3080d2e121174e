"""Find the operator's own domains among the domains of recipients in a mail log.

A domain is own by one of two signs:

- Its mail ends here: it is delivered to a mailbox or to a private address. Mail that another internal host
  sends to a private address may be outbound through a filter; such deliveries count only if the log has no
  more domains of recipients than domains of senders.
- Strangers may send to it: clients at public addresses that did not log in. A server accepts their mail for
  its own domains only, whether it delivers it, forwards it or refuses it for another reason than relaying.
  Customers of a smarthost have public addresses too, but they are in few networks and write to many domains,
  while strangers are in many networks and write to few domains. So this sign counts only if the log has at
  least STRANGERS networks (/16, or /32 of IPv6) of such clients for each domain that accepted their mail, and
  only for domains that clients in FEWEST_NETWORKS networks wrote to.

A discard (transport `discard`, `:blackhole:`) and an error (transport `error`) are no delivery.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from jobs.operators.protect.addresses import HOST_ITSELF
from jobs.operators.protect.location import match_networks
from jobs.operators.sniff.silver import NETWORKS

# The least share of recipients of a listed domain, and the most domains listed.
LEAST_SHARE, MOST_DOMAINS = 0.001, 200
# Networks of strangers for each domain that accepts their mail, and those that one domain needs.
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
# Entries that strangers do not use.
KNOWN_ENTRIES = ["submission", "pickup", "reinjection"]


@dataclass
class Domains:
    """Domains of recipients, each with its number of recipients, in descending order.

    Attributes:
        local: their mail ends here.
        relayed: strangers may send to them.
        others: all others.
    """

    local: dict[str, int] = field(default_factory=dict)
    relayed: dict[str, int] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)

    @property
    def own(self) -> dict[str, int]:
        return most_first(self.local | self.relayed)

    def add_domains(self, more: Domains) -> None:
        """Add the domains of another log of the same operator."""
        for name in ("local", "relayed", "others"):
            sums = getattr(self, name)
            for domain, count in getattr(more, name).items():
                sums[domain] = sums.get(domain, 0) + count
        # A domain that is own in one log is own in all; each domain is in one group.
        for domain in self.local:
            self.local[domain] += self.relayed.pop(domain, 0) + self.others.pop(domain, 0)
        for domain in self.relayed:
            self.relayed[domain] += self.others.pop(domain, 0)


def find_domains(mails: pl.DataFrame) -> Domains:
    """The domains of the recipients of transmissions of mail."""
    rows = classify_mails(mails)
    often = frequent_domains(count_recipients(rows))
    local = set(frequent_domains(count_recipients(rows.filter("is_local"))))
    relayed = set(relayed_domains(rows)) - local

    def select_domains(some: Callable[[str], bool]) -> dict[str, int]:
        return dict([pair for pair in often.items() if some(pair[0])][:MOST_DOMAINS])

    return Domains(
        select_domains(local.__contains__),
        select_domains(relayed.__contains__),
        select_domains(lambda domain: domain not in local | relayed),
    )


def classify_mails(mails: pl.DataFrame) -> pl.DataFrame:
    """The rows with a recipient's domain, without bounces, with the columns domain, origin, network,
    is_accepted, is_denied, is_stranger and is_local."""
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
    is_inside = match_networks(rows["address"], inside).fill_null(False)
    rows = rows.with_columns(
        is_stranger=~match_networks(rows["client_ip"], inside).fill_null(True)
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


def relayed_domains(rows: pl.DataFrame) -> list[str]:
    """The domains that strangers may send to."""
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
    # A server denies relaying by the recipient's domain, for every client.
    is_own = (pl.col("denied") == 0) | (pl.col("accepted") > pl.col("denied"))
    return domains.filter(is_own & (pl.col("networks") >= FEWEST_NETWORKS))["domain"].to_list()


def count_recipients(rows: pl.DataFrame) -> dict[str, int]:
    """The number of recipients by domain; handing a message to a filter does not count."""
    found = rows.group_by("domain").agg((~pl.col("is_handoff")).sum())
    return most_first(dict(found.iter_rows()))


def frequent_domains(counts: dict[str, int]) -> dict[str, int]:
    """The domains with at least LEAST_SHARE of all recipients."""
    least = LEAST_SHARE * sum(counts.values())
    return {domain: count for domain, count in counts.items() if count >= least}


def most_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
