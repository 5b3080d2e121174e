"""Names of frames that silver's steps leave for each other, beside rows of bronze and silver tables."""

from __future__ import annotations

from enum import StrEnum


class Frame(StrEnum):
    """What a frame holds. A row of most belongs to a bucket, and narrow rows meet in a cut."""

    EXTENT = "extent"  # from when to when each file has rows
    ORDER = "order"  # the order of files
    LOGS = "logs"  # files that may hold copies of others
    TURNS = "turns"  # files that may hold copies of themselves
    COPIES = "copies"  # the copies that were found
    ENDS = "ends"  # the ends of links between hops
    CANDIDATES = "candidates"  # the possible parents of a later hop
    PARENTS = "parents"  # the parent of a later hop, where the hop's bucket is
    CHILDREN = "children"  # the same, where the parent's bucket is
    LINKS = "links"  # the first hop of a later hop
    IDS = "ids"  # the message-ids that files have
    ASKED = "asked"  # the message-ids that verdicts without a queue id name
    ROUTES = "routes"  # the buckets that such verdicts go to
    LATER = "later"  # transmissions of later hops, on their way to the first
    BY_ID = "by_id"  # verdicts without a queue id, on their way to their message
    TRIPLES = "triples"  # the network, sender and recipient of each message
    TEMPORARY = "temporary"  # messages that were refused for now
    FOLLOWED = "followed"  # those of them that something followed up
