"""All checks of a package that need no lake: list of respondents, keys, contracts and frame of operators."""

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.identifiers import has_identifier
from jobs.base.core.periods import covers_month, months_of
from jobs.base.packages import signing
from jobs.base.packages.contents import other_rules, problems_of
from jobs.base.packages.counts import VOLUME
from jobs.base.packages.package import ENCRYPTION, LARGEST, Manifest, Package, open_package
from jobs.base.packages.plausible import list_excess_per_subscription
from jobs.base.packages.subscriptions import find_unlikely, list_framed
from jobs.base.settings.config import Observatory
from jobs.base.store.record import utc_now
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.received import describe_future
from jobs.study.questionnaire.respondents import Respondent
from jobs.study.questionnaire.texts import translate_key

SIGN_IT = (
    "have it sent again by `observatory submit --sign`; if the respondent lost its key, put its new one into"
    " the keyring"
)
ENCRYPTED = (".gpg", ".pgp", ".asc")
EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# How far a clock may be ahead.
CLOCK = dt.timedelta(days=2)
# Whatever an unforeseen package may raise; a panic of Polars is no Exception.
UNREADABLE = (Exception, pl.exceptions.PanicException)


# The times at which a package was computed and received. The higher of two packages counts.
Order = tuple[dt.datetime, dt.datetime]


def order_of(computed: dt.datetime | None, received: dt.datetime) -> Order:
    """A package without a time of computation is lower than any other: early manifests had none."""
    return (computed or EARLIEST).astimezone(dt.UTC), received.astimezone(dt.UTC)


@dataclass
class Judged:
    """One file and its verdict: its rows for each table, or the reasons to refuse it.

    Attributes:
        is_dated: the time of receipt was stated; otherwise it is the time at which the file was saved.
        language: the respondent's.
        notes: on a package that is accepted, each in every language.
        delivered_sha256: of the file as it came; empty for one that is too large.
        doubts: what speaks against its being its operator's, which is all that an answer says then.
    """

    file: Path
    received_at: dt.datetime
    is_dated: bool = False
    package: Package | None = None
    respondent_id: str = ""
    language: str = "en"
    signer: str | None = None
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    notes: list[dict[str, str]] = field(default_factory=list)
    is_known: bool = False
    delivered_sha256: str = ""
    doubts: list[str] = field(default_factory=list)

    @property
    def noted(self) -> list[str]:
        """The notes for the study's staff."""
        return [each["en"] for each in self.notes]

    @property
    def manifest(self) -> Manifest:
        assert self.package is not None
        return self.package.manifest

    @property
    def order(self) -> Order:
        return order_of(self.manifest.computed_at, self.received_at)

    @property
    def months(self) -> set[str]:
        """The months that it speaks for, with or without rows."""
        return set(months_of(self.manifest.period_code))

    @property
    def channels(self) -> set[str]:
        return set(self.tables[VOLUME]["channel_code"])


def judge_file(
    file: Path,
    settings: Observatory,
    respondents: dict[str, Respondent],
    received: dt.datetime | None,
    frame: pl.DataFrame | None = None,
) -> Judged:
    """Open a file and check it by everything that needs no lake. It came in when it was saved, unless
    `received` says so.

    Args:
        frame: of operators, if the study has it by now.
    """
    saved = dt.datetime.fromtimestamp(int(file.stat().st_mtime), dt.UTC)
    found = Judged(file, received or saved, received is not None)
    if has_identifier(file.name):
        # It stands in the receipt.
        found.wrong.append("its name holds an address or a number of a person: rename it")
    if received is None:
        # The file has the machine's clock, even where a time of reading is fixed.
        found.wrong += describe_future("last saved", saved, max(settings.lake.now, utc_now()))
    try:
        # A file's bytes: at most LARGEST, whatever it grows to, and what encryption adds.
        most = LARGEST + (ENCRYPTION if file.suffix in ENCRYPTED else 0)
        with file.open("rb") as opened_file:
            data = opened_file.read(most + 1)
        if len(data) > most:
            raise ObservatoryError(f"it is larger than {LARGEST // 2**20} MB")
        found.delivered_sha256 = hashlib.sha256(data).hexdigest()
        # Decrypted it is at most LARGEST, whatever the file says.
        content = signing.decrypt_data(data, LARGEST) if file.suffix in ENCRYPTED else data
        found.package = open_package(content)
        check_package(found, settings, respondents, frame)
    except ObservatoryError as error:
        found.wrong += str(error).splitlines()
    except UNREADABLE as error:
        # Nothing in a package may keep the others from loading.
        found.wrong.append(f"it cannot be read: {reason_of(error)}")
    if not found.wrong:
        found.notes = notes_of(found.manifest)
    return found


def reason_of(error: BaseException) -> str:
    """A reason that fits into a message."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"


def public_reasons(judged: Judged) -> list[str]:
    """List the reasons for a refusal that an answer names: whoever may not be the operator learns nothing
    else of it, nor of what stands in its place."""
    return judged.doubts or judged.wrong


def check_package(
    judged: Judged, settings: Observatory, respondents: dict[str, Respondent], frame: pl.DataFrame | None
) -> None:
    """Hold an opened package to the study's list, keys, contracts and frame."""
    manifest = judged.manifest
    by_operator = {operator: each for each in respondents.values() for operator in each.operators}
    whose = by_operator.get(manifest.operator_id)
    if whose is None:
        unknown = (
            f"unknown operator '{manifest.operator_id}': no respondent of the study's list answers for it"
        )
        judged.doubts.append(unknown)
        judged.wrong.append(f"{unknown}{nearest_hint(manifest.operator_id, by_operator)}")
    else:
        judged.respondent_id, judged.language = whose.id, whose.language
        if whose.country != manifest.country_code:
            judged.wrong.append(
                f"it says that '{manifest.operator_id}' is in {manifest.country_code}; the study's list of"
                f" respondents says {whose.country}"
            )
        try:
            assert judged.package is not None
            judged.signer = verify_signer(judged.package, whose.id, settings)
        except ObservatoryError as error:
            judged.doubts += str(error).splitlines()
            judged.wrong += judged.doubts
    latest = max(judged.received_at, utc_now()) + CLOCK
    if manifest.computed_at is not None and manifest.computed_at > latest:
        judged.wrong.append(
            f"its counts were computed {manifest.computed_at:%Y-%m-%d %H:%M}, which is in the future: the"
            " operator corrects the clock, computes gold again, and submits again"
        )
    # Rows of an unknown operator are checked under its own name: that it is unknown is reported above.
    name = whose.id if whose else manifest.operator_id
    holding = (whose.holding or whose.id) if whose else name
    assert judged.package is not None
    judged.tables, wrong = problems_of(judged.package, name, holding)
    judged.wrong += wrong
    if judged.tables and frame is not None:
        judged.wrong += find_unlikely(manifest.subscriptions, name, manifest.period_code, frame)
        # Its own have been looked at.
        known = list_framed(name, manifest.period_code, frame)
        others = {channel: known[channel] for channel in known.keys() - manifest.subscriptions.keys()}
        judged.wrong += list_excess_per_subscription(manifest, judged.tables[VOLUME], others)


def notes_of(manifest: Manifest) -> list[dict[str, str]]:
    """List the notes on a package that the study takes."""
    notes = [
        translate_text(
            "few_days", month=each.period_code, channel=each.channel_code, days=each.days, of=each.of
        )
        for each in manifest.coverage.days
        if not covers_month(each.days, each.of)
    ]
    if manifest.waiver is not None:
        notes.append(
            {
                each: translate_key(
                    each,
                    "package",
                    "waiver",
                    code=manifest.waiver,
                    meaning=translate_key(each, "waiver", manifest.waiver),
                )
                for each in load_definition()["languages"]
            }
        )
    others = other_rules(manifest)
    if others:
        notes.append(translate_text("other_rules", tables=", ".join(others)))
    return notes


def translate_text(key: str, **values: object) -> dict[str, str]:
    """A text on packages in each language."""
    return {each: translate_key(each, "package", key, **values) for each in load_definition()["languages"]}


def verify_signer(package: Package, respondent_id: str, settings: Observatory) -> str | None:
    """The fingerprint of the respondent's key by which the package is signed; None if none is asked for.

    The respondent's key is the one in the keyring's file of its name, and no other. A package has to be
    signed unless the settings say otherwise, and even then if the respondent has a key in the keyring:
    whoever changes a signed package can take the signature away. With a keyring every signature has to be
    good.
    """
    study = settings.study
    key = None if study.keyring is None else Path(study.keyring) / f"{respondent_id}.asc"
    if package.signature is None:
        if study.require_signature:
            raise ObservatoryError(
                "it is not signed, and [study] require_signature asks for it, which it does by default:"
                f" {SIGN_IT}; to take unsigned packages set require_signature = false"
            )
        if key is not None and key.is_file():
            raise ObservatoryError(
                f"it is not signed, and the keyring has the respondent's key {key.name}: {SIGN_IT}"
            )
        return None
    if key is None:
        if study.require_signature:
            raise ObservatoryError(
                "its signature cannot be verified: name the folder with each respondent's public key,"
                " <respondent_id>.asc, as [study] keyring"
            )
        return None
    if not key.is_file():
        raise ObservatoryError(f"it is signed, and the keyring has no {key.name}: put the public key there")
    return signing.verify_signature(package.manifest_bytes, package.signature, key)
