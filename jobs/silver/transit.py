"""What a message or call crossed between the network of its origin and this one, as far as a log tells."""

from pyspark.sql import Column
from pyspark.sql import functions as F

# Links whose other end carries the traffic of third parties.
CARRIERS = ["hub", "aggregator", "roaming", "sim-farm"]


def transit() -> Column:
    """The kind of network in between; null where the log does not tell, not only where there is none.

    A link to a carrier shows it: the inbound one before the outbound one. A call that a gateway signed for
    (attestation C, RFC 8588) came in by that gateway, whichever link brought it on; which gateway is its
    origid, and gold.bypass_indicator_daily tells how many there were. Attestations A and B are of the network
    where the call began, which is no transit. The Received fields of a mail, which name its hops, stand in no
    log that is read here.
    """
    kinds = [
        F.when(F.col(link).isin(CARRIERS), F.col(link))
        for link in ("inbound_link_code", "outbound_link_code")
    ]
    gateway = F.when(F.col("attestation_code") == "C", F.lit("hub"))
    return F.coalesce(kinds[0], gateway, kinds[1])
