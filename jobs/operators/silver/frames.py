"""Names of frames that silver's steps leave for each other."""

from enum import StrEnum

TRANSMISSION, VERDICT, KNOWLEDGE = "silver.transmission", "silver.verdict", "silver.operator_knowledge"
MESSAGE, COPY = "silver.message", "silver.copy_daily"
# Tables of rows that are assembled from bronze rows.
ASSEMBLED = (TRANSMISSION, VERDICT, "silver.complaint", "silver.authentication_report", KNOWLEDGE)
# All tables of silver, in the order in which they are committed.
SILVER = (*ASSEMBLED, COPY, MESSAGE)


class Frame(StrEnum):
    """The contents of a frame. Frames of bronze rows are named by bronze_name() and held_name(); frames of
    rows that belong to another bucket than the one that assembled them are named by their table."""

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
    LATER = "later"  # transmissions of later hops, where the first hop is
    BY_ID = "by_id"  # verdicts without a queue id, where their message is
    LATER_LEAVES = "later_leaves"  # the same transmissions on their way there
    BY_ID_LEAVES = "by_id_leaves"  # the same verdicts on their way there
    TRIPLES = "triples"  # the network, sender and recipient of each message
    TEMPORARY = "temporary"  # messages that were refused for now
    FOLLOWED = "followed"  # those of them that something followed up


# What moves by way of a cut: its name on the way, and where it belongs.
MOVING = {Frame.LATER_LEAVES: Frame.LATER, Frame.BY_ID_LEAVES: Frame.BY_ID}


def bronze_name(format_name: str) -> str:
    """The bronze table of a format, and the frames with its rows by bucket."""
    return f"bronze.{format_name}"


def held_name(format_name: str) -> str:
    """The frames with a format's bronze rows that have no key yet."""
    return f"held.{format_name}"
