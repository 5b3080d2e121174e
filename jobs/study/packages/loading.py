"""Load packages into the lake: each accepted package replaces its operator's rows of its months.

A refused package changes nothing, and an accepted one changes all of its tables or none. A package that
corrects another replaces it in all months of its period, including months for which it has no rows. Of two
packages the one whose counts were computed later is used, as its manifest says: neither a file's time nor
sending a package again makes it newer. Of two from one computation the one received last is used.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from jobs.base.core.periods import months_of
from jobs.base.packages.contents import other_rules
from jobs.base.packages.counts import PACKAGE_TABLES, VOLUME
from jobs.base.packages.plausible import counts_in, find_changes
from jobs.base.store.joint_commit import commit_together, undo_unfinished
from jobs.base.store.lake import Lake, select_any
from jobs.base.store.lock import lock_for_writing
from jobs.base.store.record import add_stage, utc_now
from jobs.base.tables.contracts import Row, rows_frame
from jobs.study.packages.package_checks import (
    SIGN_IT,
    UNREADABLE,
    Judged,
    Order,
    order_of,
    reason_of,
    translate_text,
)

RECEIPT = "study.submission_receipt"


def refuse_same_time(packages: list[Judged]) -> None:
    """Refuse two packages of the same months of one operator that differ, were computed at the same time and
    came in at the same time: nothing decides which of them counts."""
    good = [each for each in packages if each.package is not None and not each.wrong]
    for place, one in enumerate(good):
        for other in good[:place]:
            is_same = one.manifest.operator_id == other.manifest.operator_id and one.months & other.months
            differs = one.package and other.package and one.package.sha256 != other.package.sha256
            if is_same and differs and one.order == other.order:
                one.wrong.append(
                    f"{other.file.name} is of the same months and came in at the same time: load them one by"
                    " one, each with its time as --received"
                )


@lock_for_writing("observatory study load")
def land_packages(lake: Lake, packages: list[Judged], run_id: str, is_change_accepted: bool = False) -> None:
    """Write the good packages to the lake, in the order in which they were computed. Each replaces its
    operator's earlier rows of those months; a package that has a receipt is skipped.

    Packages that contradict the lake, or that cannot be written, get a reason in `wrong`.

    Args:
        is_change_accepted: counts may differ a lot from those that they replace.
    """
    undo_unfinished(lake)
    taken = choose_taken(lake, packages, is_change_accepted)
    if not taken:
        return
    try:
        write_packages(lake, taken, run_id)
    except UNREADABLE as error:
        if len(taken) == 1 or isinstance(error, OSError):
            raise
        # One of them cannot be written: the others are, each by itself.
        for number, one in enumerate(taken):
            try:
                write_packages(lake, [one], f"{run_id}-{number}")
            except UNREADABLE as reason:
                if isinstance(reason, OSError):
                    raise
                one.judged.wrong.append(f"it cannot be written: {reason_of(reason)}")


def choose_taken(lake: Lake, packages: list[Judged], is_change_accepted: bool = False) -> list[TakenPackage]:
    """The packages that are to be taken, in this order; what is wrong with the others is added to them."""
    refuse_same_time(packages)
    good = sorted((each for each in packages if not each.wrong), key=lambda each: each.order)
    if not good:
        return []
    receipts = lake.read(RECEIPT).to_dicts()
    volume = lake.read(VOLUME, where=pl.col("respondent_id").is_in([each.respondent_id for each in good]))
    taken: list[TakenPackage] = []
    for each in good:
        if not is_change_accepted and not each.is_known:
            each.wrong += find_count_changes(each, receipts, volume)
        for one in settle_package(each, receipts):
            taken.append(one)
            is_own = pl.col("respondent_id") == each.respondent_id
            volume = pl.concat([volume.filter(~(is_own & one.is_replaced)), each.tables[VOLUME]])
    return taken


def find_count_changes(judged: Judged, receipts: list[Row], volume: pl.DataFrame) -> list[str]:
    """A line if its counts are far from those of its operator that it would replace.

    Args:
        volume: what stands.
    """
    is_own = pl.col("respondent_id") == judged.respondent_id
    counts, before = counts_in(judged.tables[VOLUME]), counts_in(volume.filter(is_own))
    own = [each for each in receipts if each["operator_id"] == judged.manifest.operator_id]
    found = []
    assert judged.package is not None
    for month in sorted(judged.months):
        counted = [each for each in last_of(month, own) if each["package_sha256"] != judged.package.sha256]
        for each in counted:
            of_month = {group: count for group, count in before.items() if group[0] == month}
            is_same = order_in(each)[0] == judged.order[0]
            found += find_changes(counts, of_month, is_same, each["file_name"])
    return found


@dataclass(frozen=True)
class TakenPackage:
    """A package that is taken, and of which months it replaces which channels: its own, and those of the
    package of its operator that stood there. Months of the same channels go together."""

    judged: Judged
    places: list[tuple[list[str], list[str]]]

    @property
    def is_replaced(self) -> pl.Expr:
        """The rows of its respondent that it takes the place of."""
        return pl.any_horizontal(
            pl.col("period_code").is_in(months) & pl.col("channel_code").is_in(channels)
            for months, channels in self.places
        )


def settle_package(judged: Judged, receipts: list[Row]) -> list[TakenPackage]:
    """The package if it is to be taken; its receipt is added to those there are.

    One that was loaded before is not taken again. Where someone says when it came in, that is another
    receipt: so an operator goes back to what it sent before by sending it again.
    """
    of_respondent = [each for each in receipts if each["respondent_id"] == judged.respondent_id]
    of_months = [each for each in of_respondent if set(months_of(each["period_code"])) & judged.months]
    own = [each for each in of_months if each["operator_id"] == judged.manifest.operator_id]
    assert judged.package is not None
    same = [each for each in own if each["package_sha256"] == judged.package.sha256]
    judged.is_known = any(not judged.is_dated or received_in_utc(each) == judged.received_at for each in same)
    last = {month: last_of(month, of_months) for month in sorted(judged.months)}
    counted = [each for each in of_months if any(each in of_month for of_month in last.values())]
    if judged.is_known:
        if not any(each in counted for each in same):
            newest = max(own, key=order_in)
            at = f"{received_in_utc(newest):%Y-%m-%d %H:%M}"
            judged.notes.append(translate_text("stands", file=newest["file_name"], at=at))
        return []
    judged.wrong += compare_counted(judged, counted)
    judged.wrong += refuse_unsigned(judged, of_respondent)
    if judged.wrong:
        return []
    receipts.append(receipt_row(judged))
    return [TakenPackage(judged, replaced_channels(judged, last))]


def replaced_channels(judged: Judged, last: dict[str, list[Row]]) -> list[tuple[list[str], list[str]]]:
    """Months with the channels that a package replaces in them: its own, and those that its operator's last
    package of the month has.

    Args:
        last: what stands in each month.
    """
    replaced: dict[tuple[str, ...], list[str]] = {}
    for month, of_month in last.items():
        own = [each for each in of_month if each["operator_id"] == judged.manifest.operator_id]
        channels = judged.channels.union(*(each["channel_codes"] for each in own))
        replaced.setdefault(tuple(sorted(channels)), []).append(month)
    return [(months, list(channels)) for channels, months in replaced.items()]


def received_in_utc(receipt: Row) -> dt.datetime:
    """Return the time at which its package was received."""
    received: dt.datetime = receipt["received_at"]
    return received.astimezone(dt.UTC)


def order_in(receipt: Row) -> Order:
    """Judged.order of a package that was taken."""
    return order_of(receipt["computed_at"], receipt["received_at"])


def last_of(month: str, receipts: list[Row]) -> list[Row]:
    """Return the packages that count in a month: each operator's last one of a period that contains it."""
    of_month = [each for each in receipts if month in months_of(each["period_code"])]
    last = {each["operator_id"]: each for each in sorted(of_month, key=order_in)}
    return list(last.values())


def refuse_unsigned(judged: Judged, receipts: list[Row]) -> list[str]:
    """A line if the respondent signed before, and this package has no signature that was verified."""
    signed = [each for each in receipts if each["signer_fingerprint"] is not None]
    if judged.signer is not None or not signed:
        return []
    last = max(signed, key=received_in_utc)
    day = f"{received_in_utc(last):%Y-%m-%d}"
    before = f"{last['file_name']} of {day} of the same respondent was signed by its key"
    if judged.package is not None and judged.package.signature is not None:
        return [f"{before}, and this one's signature is not verified: name [study] keyring in the settings"]
    return [f"{before}, and this one is not signed: {SIGN_IT}"]


def write_packages(lake: Lake, taken: list[TakenPackage], run_id: str) -> None:
    """Write all of the packages or none: each table, their receipts, and last the stage's row, which names
    the versions. Of two packages of the same months the later one in `taken` stands."""
    started = utc_now()
    receipts = rows_frame([receipt_row(each.judged) for each in taken], RECEIPT)
    places = [
        f"({select_any('respondent_id', [each.judged.respondent_id])} AND {select_any('period_code', months)}"
        f" AND {select_any('channel_code', channels)})"
        for each in taken
        for months, channels in each.places
    ]
    with commit_together(lake, (*PACKAGE_TABLES, RECEIPT), run_id):
        for table in reversed(PACKAGE_TABLES):
            parts: dict[str, pl.DataFrame] = {}
            for each in taken:
                rows = each.judged.tables[table]
                before = parts.get(each.judged.respondent_id)
                if before is not None:
                    rows = pl.concat([before.filter(~each.is_replaced), rows])
                parts[each.judged.respondent_id] = rows
            lake.replace(pl.concat(parts.values()), table, " OR ".join(places), {"run_id": run_id})
        lake.append(receipts, RECEIPT)
        add_stage(lake, run_id, "submission", started, (*PACKAGE_TABLES, RECEIPT), [])


def compare_counted(judged: Judged, counted: list[Row]) -> list[str]:
    """List the reasons against a package from receipts of the same respondent and months."""
    wrong = []
    for each in counted:
        is_own = each["operator_id"] == judged.manifest.operator_id
        shared = sorted(set(each["channel_codes"]) & judged.channels)
        received = received_in_utc(each)
        if is_own and order_in(each)[0] > judged.order[0]:
            wrong.append(
                f"its counts were computed {judged.order[0]:%Y-%m-%d %H:%M}, and those of"
                f" {each['file_name']}, which stands, {order_in(each)[0]:%Y-%m-%d %H:%M}: an older package"
                " does not replace a newer one, whenever it is sent; compute gold again and submit again"
            )
        elif is_own and order_in(each) > judged.order:
            wrong.append(
                f"it was received {judged.received_at:%Y-%m-%d %H:%M}, and {each['file_name']} of"
                f" {received:%Y-%m-%d %H:%M} stands: give the time of a newer one as --received"
            )
        if not is_own and shared:
            wrong.append(
                f"operator '{each['operator_id']}' gave {', '.join(shared)} of these months for the same"
                f" respondent '{judged.respondent_id}' already: one operator answers for a channel"
            )
    return wrong


def receipt_row(judged: Judged) -> Row:
    """The package's row of study.submission_receipt."""
    assert judged.package is not None
    manifest = judged.manifest
    days = manifest.coverage.days
    return {
        "respondent_id": judged.respondent_id,
        "operator_id": manifest.operator_id,
        "period_code": manifest.period_code,
        "received_at": judged.received_at,
        "computed_at": manifest.computed_at,
        "package_sha256": judged.package.sha256,
        "file_name": judged.file.name,
        "month_codes": sorted(judged.months),
        "channel_codes": sorted(judged.channels),
        "contract_digest": manifest.contract_digest,
        "reference_digest": manifest.reference_digest,
        "other_references": other_rules(manifest),
        "code_revision": manifest.code_revision,
        "signer_fingerprint": judged.signer,
        "least_units": manifest.least_units,
        "day_count": sum(
            max(each.days for each in days if each.period_code == month)
            for month in sorted({each.period_code for each in days})
        ),
        "line_count": sum(each.lines for each in manifest.coverage.sources),
        "quarantined_count": sum(each.quarantined for each in manifest.coverage.sources),
    }
