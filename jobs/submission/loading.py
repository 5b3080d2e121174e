"""Packages to the lake: each is opened, verified and judged; what is good replaces its operator's months.

A package that is refused changes nothing. One that is sent again takes the place of the former in all months
of its period, those too of which it has no rows any more; one that was received before the one that stands is
refused. So what stands of an operator in a month is what it sent last of it, and no more.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from jobs.config import Observatory, nearest
from jobs.contracts import rows_frame
from jobs.engine.lake import Lake, any_of
from jobs.engine.record import add_stage, now
from jobs.errors import ObservatoryError
from jobs.periods import is_whole, months_of
from jobs.questionnaire.respondents import Respondent
from jobs.submission import signing
from jobs.submission.contents import other_rules, problems_of
from jobs.submission.counts import TABLES, VOLUME
from jobs.submission.package import LARGEST, Manifest, Package, opened
from jobs.submission.subscriptions import unlikely

RECEIPT = "study.submission_receipt"
SIGN_IT = (
    "have it sent again by `observatory submit --sign`; if the respondent lost its key, put its new one into"
    " the keyring"
)
ENCRYPTED = (".gpg", ".pgp", ".asc")


@dataclass
class Judged:
    """One file and what was found: its rows for each table, or all that is wrong with it.

    is_dated: someone says when it came in; else it is taken to be when it was saved. noted: what is to be
    known of a package that is in order.
    """

    file: Path
    received_at: dt.datetime
    is_dated: bool = False
    package: Package | None = None
    respondent_id: str = ""
    signer: str | None = None
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)
    is_known: bool = False

    @property
    def manifest(self) -> Manifest:
        assert self.package is not None
        return self.package.manifest

    @property
    def months(self) -> set[str]:
        """The months that it speaks for, with or without rows."""
        return set(months_of(self.manifest.period_code))

    @property
    def channels(self) -> set[str]:
        return set(self.tables[VOLUME]["channel_code"])


def judge(
    file: Path,
    settings: Observatory,
    respondents: dict[str, Respondent],
    received: dt.datetime | None,
    frame: pl.DataFrame | None = None,
) -> Judged:
    """Open a file and hold it to everything that can be told without the lake. It came in when it was saved,
    unless `received` says so. frame: of operators, if the study has it by now."""
    stat = file.stat()
    saved = dt.datetime.fromtimestamp(int(stat.st_mtime), dt.UTC)
    found = Judged(file, received or saved, received is not None)
    try:
        if stat.st_size > LARGEST:
            raise ObservatoryError(f"it is larger than {LARGEST // 2**20} MB")
        data = file.read_bytes()
        found.package = opened(signing.decrypted(data) if file.suffix in ENCRYPTED else data)
    except ObservatoryError as error:
        found.wrong = str(error).splitlines()
        return found
    manifest = found.manifest
    by_operator = {operator: each for each in respondents.values() for operator in each.operators}
    whose = by_operator.get(manifest.operator_id)
    if whose is None:
        found.wrong.append(
            f"unknown operator '{manifest.operator_id}': no respondent of the study's list answers for it"
            f"{nearest(manifest.operator_id, by_operator)}"
        )
    else:
        found.respondent_id = whose.id
        if whose.country != manifest.country_code:
            found.wrong.append(
                f"it says that '{manifest.operator_id}' is in {manifest.country_code}; the study's list of"
                f" respondents says {whose.country}"
            )
        try:
            found.signer = signer(found.package, whose.id, settings)
        except ObservatoryError as error:
            found.wrong += str(error).splitlines()
    # Rows of an unknown operator are looked at under its own name: that they are nobody's is told above.
    name = whose.id if whose else manifest.operator_id
    holding = (whose.holding or whose.id) if whose else name
    found.tables, wrong = problems_of(found.package, name, holding)
    found.wrong += wrong
    if found.tables and frame is not None:
        found.wrong += unlikely(manifest.subscriptions, name, manifest.period_code, frame)
    if not found.wrong:
        found.noted = notes_of(manifest)
    return found


def notes_of(manifest: Manifest) -> list[str]:
    """What the study has to know of a package that it takes."""
    noted = [
        f"{each.period_code} {each.channel_code} has logs of {each.days} of {each.of} days: too few, it"
        " counts as not sent"
        for each in manifest.coverage.days
        if not is_whole(each.days, each.of)
    ]
    others = other_rules(manifest)
    if others:
        noted.append(f"the operator's {', '.join(others)} differ from the study's")
    return noted


def signer(package: Package, respondent_id: str, settings: Observatory) -> str | None:
    """The fingerprint of the respondent's key by which the package is signed; None if none is asked for.

    The respondent's key is the one in the keyring's file of its name, and no other. With a keyring every
    signature has to be good. A package without one is refused if the settings say so, and if the respondent
    has a key there: whoever changes a signed package can take the signature away, too.
    """
    study = settings.study
    key = None if study.keyring is None else Path(study.keyring) / f"{respondent_id}.asc"
    if package.signature is None:
        if study.require_signature:
            raise ObservatoryError("it is not signed, and [study] require_signature asks for it: use --sign")
        if key is not None and key.is_file():
            raise ObservatoryError(
                f"it is not signed, and the keyring has the respondent's key {key.name}: {SIGN_IT}"
            )
        return None
    if key is None:
        return None
    if not key.is_file():
        raise ObservatoryError(f"it is signed, and the keyring has no {key.name}: put the public key there")
    return signing.verified(package.manifest_bytes, package.signature, key)


def refuse_same_time(found: list[Judged]) -> None:
    """Add what is wrong where two packages of the same months of one operator came in at the same time: which
    of them stands is not to be guessed."""
    good = [each for each in found if each.package is not None and not each.wrong]
    for place, one in enumerate(good):
        for other in good[:place]:
            is_same = one.manifest.operator_id == other.manifest.operator_id and one.months & other.months
            differs = one.package and other.package and one.package.sha256 != other.package.sha256
            if is_same and differs and one.received_at == other.received_at:
                one.wrong.append(
                    f"{other.file.name} is of the same months and came in at the same time: load them one by"
                    " one, each with its time as --received"
                )


def land(lake: Lake, found: list[Judged], run_id: str) -> None:
    """Put the good packages into the lake in the order in which they came in. Each replaces what its operator
    gave of those months before; one whose receipt is there is not taken again.

    Adds to `wrong` of the packages that the lake's receipts contradict.
    """
    refuse_same_time(found)
    if all(each.wrong for each in found):
        return
    receipts = lake.read(RECEIPT).to_dicts()
    taken: list[Taken] = []
    for each in sorted(found, key=lambda each: each.received_at):
        if not each.wrong:
            taken += settled(each, receipts)
    if taken:
        write(lake, taken, run_id)


@dataclass(frozen=True)
class Taken:
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


def settled(judged: Judged, receipts: list[dict[str, Any]]) -> list[Taken]:
    """The package if it is to be taken; its receipt is added to those there are.

    One that was loaded before is not taken again. Where someone says when it came in, that is another
    receipt: so an operator goes back to what it sent before by sending it again.
    """
    of_respondent = [each for each in receipts if each["respondent_id"] == judged.respondent_id]
    of_months = [each for each in of_respondent if set(months_of(each["period_code"])) & judged.months]
    own = [each for each in of_months if each["operator_id"] == judged.manifest.operator_id]
    assert judged.package is not None
    same = [each for each in own if each["package_sha256"] == judged.package.sha256]
    judged.is_known = any(not judged.is_dated or in_utc(each) == judged.received_at for each in same)
    last = {month: last_of(month, of_months) for month in sorted(judged.months)}
    standing = [each for each in of_months if any(each in of_month for of_month in last.values())]
    if not judged.is_known:
        judged.wrong += against(judged, standing)
        judged.wrong += unsigned(judged, of_respondent)
    elif not any(each in standing for each in same):
        newest = max(own, key=in_utc)
        judged.noted.append(
            f"{newest['file_name']} of {in_utc(newest):%Y-%m-%d %H:%M} stands in its place: give the time"
            " that this one came in again as --received to take it"
        )
    if judged.wrong or judged.is_known:
        return []
    receipts.append(receipt(judged))
    replaced: dict[tuple[str, ...], list[str]] = {}
    for month, of_month in last.items():
        before = (each["channel_codes"] for each in of_month if each in own)
        replaced.setdefault(tuple(sorted(judged.channels.union(*before))), []).append(month)
    return [Taken(judged, [(months, list(channels)) for channels, months in replaced.items()])]


def in_utc(receipt: dict[str, Any]) -> dt.datetime:
    """When its package was received."""
    received: dt.datetime = receipt["received_at"]
    return received.astimezone(dt.UTC)


def last_of(month: str, receipts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What stands in a month: of each operator the last receipt of a period that holds it."""
    of_month = [each for each in receipts if month in months_of(each["period_code"])]
    last = {each["operator_id"]: each for each in sorted(of_month, key=in_utc)}
    return list(last.values())


def unsigned(judged: Judged, receipts: list[dict[str, Any]]) -> list[str]:
    """A line if the respondent signed before, and this package has no signature that was verified."""
    signed = [each for each in receipts if each["signer_fingerprint"] is not None]
    if judged.signer is not None or not signed:
        return []
    last = max(signed, key=in_utc)
    before = f"{last['file_name']} of {in_utc(last):%Y-%m-%d} of the same respondent was signed by its key"
    if judged.package is not None and judged.package.signature is not None:
        return [f"{before}, and this one's signature is not verified: name [study] keyring in the settings"]
    return [f"{before}, and this one is not signed: {SIGN_IT}"]


def write(lake: Lake, taken: list[Taken], run_id: str) -> None:
    """Write all packages in one transaction a table; then their receipts, without which a package is loaded
    again; and last the stage's row, which names the versions."""
    started = now()
    places = [
        f"({any_of('respondent_id', [each.judged.respondent_id])} AND {any_of('period_code', months)}"
        f" AND {any_of('channel_code', channels)})"
        for each in taken
        for months, channels in each.places
    ]
    for table in reversed(TABLES):
        parts: dict[str, pl.DataFrame] = {}
        for each in taken:
            rows = each.judged.tables[table]
            before = parts.get(each.judged.respondent_id)
            if before is not None:
                rows = pl.concat([before.filter(~each.is_replaced), rows])
            parts[each.judged.respondent_id] = rows
        lake.replace(pl.concat(parts.values()), table, " OR ".join(places), {"run_id": run_id})
    lake.append(rows_frame([receipt(each.judged) for each in taken], RECEIPT), RECEIPT)
    add_stage(lake, run_id, "submission", started, (*TABLES, RECEIPT), [])


def against(judged: Judged, standing: list[dict[str, Any]]) -> list[str]:
    """What receipts of the same respondent and months say against a package."""
    wrong = []
    for each in standing:
        is_own = each["operator_id"] == judged.manifest.operator_id
        shared = sorted(set(each["channel_codes"]) & judged.channels)
        received = in_utc(each)
        if is_own and received > judged.received_at:
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


def receipt(judged: Judged) -> dict[str, Any]:
    """The package's row of study.submission_receipt."""
    assert judged.package is not None
    about = judged.manifest
    days = about.coverage.days
    return {
        "respondent_id": judged.respondent_id,
        "operator_id": about.operator_id,
        "period_code": about.period_code,
        "received_at": judged.received_at,
        "package_sha256": judged.package.sha256,
        "file_name": judged.file.name,
        "month_codes": sorted(judged.months),
        "channel_codes": sorted(judged.channels),
        "contract_digest": about.contract_digest,
        "reference_digest": about.reference_digest,
        "other_references": other_rules(about),
        "code_revision": about.code_revision,
        "signer_fingerprint": judged.signer,
        "least_units": about.least_units,
        "day_count": sum(
            max(each.days for each in days if each.period_code == month)
            for month in sorted({each.period_code for each in days})
        ),
        "line_count": sum(each.lines for each in about.coverage.sources),
        "quarantined_count": sum(each.quarantined for each in about.coverage.sources),
    }
