"""The steps from another program's counts of a mail log to this project's, each with its rule.

The other program counts lines. Each line is followed to the unit that it is part of. Of the lines of one unit
one stands for it; the others, and lines of what is no unit, are named by the rule that leaves them out. Units
of which the other counts no line are named by what it does not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from jobs.base.core.codes import choose_case
from jobs.operators.reconcile import reasons
from jobs.operators.reconcile.bridge import Bridge, OtherCounts, list_bridge_steps
from jobs.operators.reconcile.units import Counted

PLACE = ["stream_id", "offset"]
UNIT = ["unit_hash", "unit_recipient"]
OUTCOME = pl.col("outcome_code")
IS_EARLY = pl.col("stage_code").is_in(["connect", "envelope", "content"])
IS_REFUSED, IS_TEMPORARY = OUTCOME == "rejected", OUTCOME == "deferred"
GOT = OUTCOME.is_in(["delivered", "tagged"])
WAITS = (pl.col("stage_code") == "delivery") & IS_TEMPORARY
# Exim's line on a message all of whose recipients an ACL discarded: it names none.
IS_NAMELESS_DISCARD = (
    (pl.col("list") == "deliveries") & (pl.col("verb") == "discarded") & pl.col("recipient").is_null()
)
# The rules that leave out a line, whatever its unit.
LEFT_OUT = (
    (pl.col("row").is_not_null() & pl.col("fate").is_null() & IS_NAMELESS_DISCARD, pl.lit(reasons.AT_RCPT)),
    (pl.col("row").is_null() | pl.col("fate").is_null(), pl.col("missing")),
    (pl.col("fate") == "own", reasons.OWN_NOTICES),
    (pl.col("fate") == "alias", reasons.ALIAS),
)


def bridge_postfix(log: ComparedLog) -> list[Bridge]:
    """All that pflogsumm counts."""
    return [
        log.bridge_received(),
        log.bridge_deliveries("delivered", "recipients, delivered or tagged", GOT),
        log.bridge_uncounted("forwarded", reasons.FORWARDED),
        log.bridge_deliveries("deferral", "recipients that still wait", WAITS),
        log.bridge_deferred(),
        log.bridge_deliveries("bounced", "recipients, bounced", OUTCOME == "bounced"),
        log.bridge_refusals(
            "rejected", "attempts and recipients, refused", IS_EARLY & (IS_REFUSED | IS_TEMPORARY)
        ),
        log.bridge_uncounted("reject_warning", reasons.WARNING),
        log.bridge_refusals("held", "recipients, quarantined", OUTCOME == "quarantined"),
        log.bridge_refusals("discarded", "recipients, discarded", OUTCOME == "discarded"),
    ]


def bridge_exim(log: ComparedLog) -> list[Bridge]:
    """All that eximstats counts."""
    discarded = OUTCOME == "discarded"
    return [
        log.bridge_received(),
        log.bridge_deliveries("delivered", "recipients, delivered or tagged", GOT),
        log.bridge_refusals(
            "rejected", "attempts and recipients, refused or discarded", (IS_EARLY & IS_REFUSED) | discarded
        ),
        log.bridge_refusals(
            "temp_rejected", "attempts and recipients, for now refused", IS_EARLY & IS_TEMPORARY
        ),
    ]


class ComparedLog:
    """One log, counted by both."""

    def __init__(
        self,
        found: Counted,
        lines: pl.DataFrame,
        theirs: OtherCounts | None,
        program: str,
        services: Sequence[str],
    ) -> None:
        """Join units of the logs with lines of the other program.

        Args:
            lines: from the program's label_lines(), with stream_id, of all lines.
            services: the names of services that it knows; none where its log has no such names.
        """
        self.found, self.lines, self.theirs = found, lines, theirs
        self.program, self.services = program, services
        self.units = found.units.rename({"message_hash": "unit_hash", "recipient_hash": "unit_recipient"})

    def make_bridge(
        self, kind: str, counts: str, lines: pl.DataFrame, units: pl.DataFrame, more: Mapping[str, int]
    ) -> Bridge:
        """Return the steps from one of their figures to the count of units.

        Args:
            lines: with their `rule`, null where a line stands for a unit.
            units: those that count.
        """
        less = self.count_by_rule(lines)
        figure = None if self.theirs is None else self.theirs.counts.get(kind, 0)
        rounding = 0 if self.theirs is None else self.theirs.rounding.get(kind, 0)
        steps = list_bridge_steps(less.items(), more.items())
        return Bridge(kind, counts, figure, lines.height, units.height, steps, rounding)

    def unread_reason(self) -> pl.Expr:
        """The reason why the other program does not count the line of an event."""
        knows = pl.col("service").is_in(self.services).fill_null(False) if self.services else pl.lit(True)
        return choose_case(
            (pl.col("is_read").is_null(), reasons.UNKNOWN),
            (~pl.col("is_read"), reasons.FORM),
            (~knows, reasons.SERVICE),
            otherwise=reasons.UNKNOWN,
        )

    def count_by_rule(self, rows: pl.DataFrame) -> dict[str, int]:
        """The number of rows that each rule explains; those without one are a unit, or unexplained."""
        named = rows.filter(pl.col("rule").is_not_null(), pl.col("rule") != reasons.UNKNOWN)
        counts = named.group_by("rule").len().sort("rule").rows()
        return {rule.format(self.program): count for rule, count in counts}

    def find_lines(self, kind: str, *names: str) -> pl.DataFrame:
        """The lines of a kind in their order, with the event that this project has of each, of some lists."""
        events = self.found.events.filter(pl.col("list").is_in(names))
        return (
            self.lines.filter(pl.col("kind") == kind)
            .select(*PLACE, "queue_id", "is_outgoing")
            .join(events, on=PLACE, how="left", maintain_order="left")
            .unique(PLACE, maintain_order=True)
            .join(self.found.copies.with_columns(is_copy=True), on=PLACE, how="left", maintain_order="left")
            .with_columns(
                missing=pl.when("is_copy").then(pl.lit(reasons.COPY)).otherwise(pl.lit(reasons.UNKNOWN))
            )
            .with_row_index("line")
        )

    # --- arrivals ---------------------------------------------------------------------------------------

    def bridge_received(self) -> Bridge:
        lines = self.find_lines("received", "entries")
        sent = self.found.sent
        of_row = sent.group_by("row").agg(
            pl.col("unit_hash").first(),
            pl.col("depth").max(),
            is_own=(pl.col("fate") == "own").any(),
            is_message=pl.col("is_message").any(),
            is_followed=(pl.col("fate") == "followed").any(),
        )
        here = lines.join(of_row, on="row", how="left", maintain_order="left")
        discarded = self.found.events.filter(IS_NAMELESS_DISCARD)["row"]
        stands = pl.col("is_message").fill_null(False) & (pl.col("depth") == 0)
        rule = choose_case(
            (pl.col("row").is_null(), pl.col("missing")),
            (pl.col("is_own").fill_null(False), reasons.OWN_NOTICES),
            (pl.col("depth") > 0, reasons.HOP),
            (stands & (pl.col("line") == pl.col("line").min().over("unit_hash", stands)), None),
            (stands, reasons.ONCE),
            (pl.col("is_followed").fill_null(False), reasons.FOLLOWED),
            (pl.col("row").is_in(discarded.implode()), reasons.AT_RCPT),
            otherwise=reasons.NO_MESSAGE,
        )
        here = here.with_columns(rule=rule)
        units = self.units.filter("is_message_row")
        counted = here.filter(pl.col("rule").is_null())["unit_hash"]
        alone = units.filter(~pl.col("unit_hash").is_in(counted.implode()))
        roots = sent.filter(pl.col("depth") == 0).select("unit_hash", "row").unique("unit_hash")
        entries = self.read_evidence("entries").unique("row", keep="first", maintain_order=True)
        with_line = alone.join(roots, on="unit_hash", how="left").join(entries, on="row", how="left")
        row_codes = self.found.events.select("row", "row_code").unique("row")
        with_line = with_line.drop("row_code", strict=False).join(row_codes, on="row", how="left")
        why = choose_case(
            (pl.col("is_read").is_null() & (pl.col("row_code") != "queue"), reasons.HELD_BEFORE_QUEUE),
            (pl.col("is_read").is_null() & IS_EARLY, reasons.NOT_TAKEN),
            (pl.col("is_read").is_null(), reasons.NOT_BEGUN),
            otherwise=self.unread_reason(),
        )
        return self.make_bridge(
            "received", "messages", here, units, self.count_by_rule(with_line.with_columns(rule=why))
        )

    def read_evidence(self, name: str) -> pl.DataFrame:
        """The events of a list, with what pflogsumm makes of the line of each."""
        events = self.found.events.filter(pl.col("list") == name)
        kinds = self.lines.select(*PLACE, "service", "is_read", "kind").unique(PLACE)
        return events.join(kinds, on=PLACE, how="left", maintain_order="left")

    # --- deliveries -------------------------------------------------------------------------------------

    def list_tries(self, kind: str) -> pl.DataFrame:
        """The delivery lines of a kind, with the transmission that each is a try of."""
        sent = self.found.sent.select(
            "row", "raw_recipient", "fate", "depth", "is_handoff", "unit_outcome", "unit_stage", *UNIT
        ).unique(["row", "raw_recipient"])
        return self.find_lines(kind, "deliveries").join(
            sent,
            left_on=["row", "recipient"],
            right_on=["row", "raw_recipient"],
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )

    def bridge_deliveries(self, kind: str, counts: str, which: pl.Expr) -> Bridge:
        units = self.units.filter(which)
        here = mark_units(self.list_tries(kind), units, *UNIT)
        is_unit = pl.col("is_unit")
        # Of a unit's lines the last hop's last one stands for it.
        rank = pl.struct(pl.col("depth").fill_null(0), "line").rank("ordinal")
        here = here.with_columns(rank=pl.when(is_unit).then(rank))
        stands = is_unit & (pl.col("rank") == pl.col("rank").max().over(UNIT))
        deepest = pl.col("depth").max().over(UNIT)
        counts_as = f"{reasons.LATER if kind == 'deferral' else ''}{reasons.COUNTS_AS}"
        rule = choose_case(
            *LEFT_OUT,
            (stands, None),
            (is_unit & (pl.col("depth") < deepest), reasons.HOP),
            (is_unit, reasons.ONCE),
            (pl.col("is_handoff").fill_null(False), reasons.HOP),
            otherwise=pl.lit(counts_as) + pl.col("unit_outcome"),
        )
        here = here.with_columns(rule=rule)
        stood = here.filter(pl.col("rule").is_null()).select(UNIT)
        alone = units.join(stood, on=UNIT, how="anti")
        return self.make_bridge(kind, counts, here, units, self.count_undelivered(alone))

    def bridge_deferred(self) -> Bridge:
        """Messages, of which pflogsumm counts each queue file with a deferral once."""
        tries = (
            self.list_tries("deferral")
            .sort(pl.col("row").is_null(), "line")
            .unique("queue_id", maintain_order=True)
        )
        units = self.units.filter(WAITS).unique("unit_hash", maintain_order=True)
        here = mark_units(tries, units, "unit_hash")
        is_unit = pl.col("is_unit")
        first = pl.col("line") == pl.col("line").min().over("unit_hash", is_unit)
        rule = choose_case(
            *LEFT_OUT,
            (is_unit & first, None),
            (is_unit | pl.col("is_handoff").fill_null(False), reasons.HOP),
            otherwise=pl.lit(f"{reasons.LATER}{reasons.COUNTS_AS}") + pl.col("unit_outcome"),
        )
        here = here.with_columns(rule=rule)
        alone = units.join(
            here.filter(pl.col("rule").is_null()).select("unit_hash"), on="unit_hash", how="anti"
        )
        return self.make_bridge(
            "deferred", "messages that still wait", here, units, self.count_undelivered(alone)
        )

    def count_undelivered(self, alone: pl.DataFrame) -> dict[str, int]:
        """The reasons why the other program counts no delivery line of units, with their number."""
        tried = self.found.sent.filter(pl.col("fate") == "counted").select(*UNIT, "row", "raw_recipient")
        events = self.read_evidence("deliveries").unique(
            ["row", "recipient"], keep="last", maintain_order=True
        )
        with_line = alone.join(tried.unique(UNIT, keep="last"), on=UNIT, how="left").join(
            events,
            left_on=["row", "raw_recipient"],
            right_on=["row", "recipient"],
            how="left",
            nulls_equal=True,
        )
        why = (
            pl.when(pl.col("row").is_null()).then(pl.lit(reasons.FILTER_ONLY)).otherwise(self.unread_reason())
        )
        return self.count_by_rule(with_line.with_columns(rule=why))

    def bridge_uncounted(self, kind: str, rule: str) -> Bridge:
        """Lines that this project counts nothing for."""
        here = self.find_lines(kind, "refusals").with_columns(rule=pl.lit(rule))
        return self.make_bridge(kind, "none", here, self.units.clear(), {})

    # --- refusals ---------------------------------------------------------------------------------------

    def bridge_refusals(self, kind: str, counts: str, which: pl.Expr) -> Bridge:
        sent = self.found.sent.select(
            *("row", "stream_id", "offset", "raw_sender", "raw_recipient", "fate", "depth", "unit_outcome"),
            *("unit_stage", "stage_code", "raw_queue", *UNIT),
        )
        lines = self.find_lines(kind, "refusals", "deliveries")
        units = self.units.filter(which)
        here = mark_units(attribute_lines(lines, sent), units, *UNIT)
        is_unit = pl.col("is_unit")
        first = pl.col("line") == pl.col("line").min().over(*UNIT, is_unit)
        has_sent = pl.col("row").is_in(sent["row"].drop_nulls().unique().implode())
        nothing = choose_case(
            ((pl.col("row_code") == "screen") & ~has_sent, reasons.PASSED),
            ((pl.col("row_code") == "queue") & has_sent, reasons.LET_THROUGH),
            (IS_NAMELESS_DISCARD, reasons.AT_RCPT),
            (pl.col("row_code") == "queue", reasons.NO_MESSAGE),
            otherwise=reasons.WITH_RCPT,
        )
        rule = choose_case(
            ("is_outgoing", reasons.OUTGOING),
            (pl.col("row").is_null(), pl.col("missing")),
            (pl.col("fate").is_null(), nothing),
            (pl.col("fate") == "own", reasons.OWN_NOTICES),
            (is_unit & first, None),
            (is_unit, reasons.SESSION),
            (pl.col("fate") == "followed", reasons.FOLLOWED),
            (pl.col("fate") == "named", reasons.FILTER_ONLY),
            otherwise=pl.lit(reasons.COUNTS_AS) + pl.col("unit_outcome"),
        )
        here = here.with_columns(rule=rule)
        alone = units.join(here.filter(pl.col("rule").is_null()).select(UNIT), on=UNIT, how="anti")
        return self.make_bridge(kind, counts, here, units, self.count_by_rule(alone_refusals(self, alone)))


def mark_units(lines: pl.DataFrame, units: pl.DataFrame, *by: str) -> pl.DataFrame:
    """The lines with is_unit: whether one of the units is theirs."""
    marked = units.select(*by, is_unit=pl.lit(True))
    return lines.join(marked, on=by, how="left", maintain_order="left").with_columns(
        pl.col("is_unit").fill_null(False)
    )


def attribute_lines(lines: pl.DataFrame, sent: pl.DataFrame) -> pl.DataFrame:
    """Refusal lines with the transmission that each is part of: that of its recipient and sender, else of its
    recipient, else the one of its session that names none."""
    ways = (
        (["row", "recipient", "sender"], ["row", "raw_recipient", "raw_sender"], sent),
        (["row", "recipient"], ["row", "raw_recipient"], sent),
        (["row"], ["row"], sent.filter(pl.col("raw_recipient").is_null())),
        # Exim refuses a message after DATA in one line, for all of its recipients.
        (["row"], ["row"], sent.filter(pl.col("raw_queue").is_not_null(), IS_EARLY)),
    )
    parts, left = [], lines
    columns = [*lines.columns, "fate", "depth", "unit_outcome", "unit_stage", *UNIT]
    for mine, theirs, among in ways:
        named = among.rename({"stream_id": "began_in", "offset": "began_at"})
        pairs = left.join(named, left_on=mine, right_on=theirs, how="inner", nulls_equal=True)
        # Of several the one that began last before the line.
        is_before = (pl.col("began_in") == pl.col("stream_id")) & (pl.col("began_at") <= pl.col("offset"))
        order = pairs.with_columns(is_before=is_before.fill_null(False)).sort("is_before", "began_at")
        found = order.unique("line", keep="last", maintain_order=True).select(columns)
        parts.append(found)
        left = left.join(found.select("line"), on="line", how="anti")
    none = [
        pl.lit(None, parts[0].schema[name]).alias(name) for name in parts[0].columns[len(lines.columns) :]
    ]
    return pl.concat([*parts, left.with_columns(none)]).sort("line")


def alone_refusals(log: ComparedLog, alone: pl.DataFrame) -> pl.DataFrame:
    """Units that were refused, held or discarded and of which the other program counts no line, with why."""
    sent = log.found.sent.filter(pl.col("fate") == "counted").unique(UNIT, keep="last")
    with_row = alone.join(sent.select(*UNIT, "row", "raw_recipient", "raw_queue"), on=UNIT, how="left")
    events = log.read_evidence("refusals")
    own = events.filter(pl.col("recipient").is_not_null()).unique(["row", "recipient"], keep="last")
    rest = events.unique("row", keep="last")
    columns = ["verb", "service", "is_read", "kind"]
    with_event = with_row.join(
        own.select("row", "recipient", *columns),
        left_on=["row", "raw_recipient"],
        right_on=["row", "recipient"],
        how="left",
    ).join(rest.select("row", *(pl.col(name).alias(f"row_{name}") for name in columns)), on="row", how="left")
    verb = pl.coalesce("verb", "row_verb")
    is_read = pl.coalesce("is_read", "row_is_read")
    service = pl.coalesce("service", "row_service")
    knows = service.is_in(log.services).fill_null(False) if log.services else pl.lit(True)
    why = choose_case(
        (pl.col("row").is_null(), reasons.FILTER_ONLY),
        (verb.is_null(), reasons.BY_FILTER if log.services else reasons.ON_DELIVERY),
        (is_read.is_null(), reasons.UNKNOWN),
        (~is_read, reasons.FORM),
        (verb.is_in(list(reasons.NO_REJECT)), verb.replace_strict(reasons.NO_REJECT, default=None)),
        (~knows, reasons.SERVICE),
        (pl.coalesce("kind", "row_kind").is_null() & (verb == "discarded"), reasons.BY_ACL),
        (pl.coalesce("kind", "row_kind").is_null(), reasons.NO_LINE),
        (pl.col("raw_queue").is_not_null(), reasons.REFUSED_TOGETHER),
        otherwise=reasons.UNKNOWN,
    )
    return with_event.with_columns(rule=why)
