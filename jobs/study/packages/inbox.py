"""The study's inbox: packages that lie in it, and the answers to them in `receipts` beside it."""

import contextlib
import datetime as dt
import glob
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.identifiers import has_identifier
from jobs.base.core.numbers import name_few
from jobs.base.packages.drop_folders import DropFolder
from jobs.base.packages.package import ENCRYPTION, LARGEST
from jobs.base.packages.receipts import (
    FORM,
    LARGEST_RECEIPT,
    RECEIPTS,
    Receipt,
    parse_receipt,
    receipt_name,
    write_receipt,
)
from jobs.base.places.file_systems import is_remote
from jobs.base.settings.config import Observatory
from jobs.base.store.record import utc_now
from jobs.study.packages.package_checks import Judged, public_reasons
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.texts import translate_key

PACKAGES = (".zip", ".zip.gpg")


@dataclass(frozen=True)
class Inbox:
    """The content of the study's inbox: each package as a file on this machine, with the folder that its
    answer goes to; and other files, which are none."""

    packages: dict[Path, DropFolder]
    others: list[str]

    def place_of(self, file: Path) -> str:
        """Return the place of a package for messages: of a copy that of the original."""
        folder = self.packages.get(file)
        return f"{folder.url}/{file.name}" if folder and is_remote(folder.url) else str(file)


def find_inboxes(settings: Observatory) -> list[DropFolder]:
    """The folders that [study] inbox names: one, or where it has wildcards all that there are."""
    url = settings.study.inbox
    if url is None:
        raise ObservatoryError("name the packages to load, or the folder that holds them as [study] inbox")
    if is_remote(url):
        return [DropFolder(url, settings.study.access, "[study] inbox")]
    folders = [each for each in sorted(glob.glob(url)) if os.path.isdir(each)]
    if not folders:
        raise ObservatoryError(
            f"[study] inbox: {url} is no folder. Make it, or name the folder of the packages there"
        )
    return [DropFolder(each, settings.study.access, "[study] inbox") for each in folders]


@contextlib.contextmanager
def open_inbox(settings: Observatory, wanted: Iterable[Path] = ()) -> Iterator[Inbox]:
    """The packages in the inbox, by name; those of another host as copies, for as long as it is open.

    Args:
        wanted: files of this machine to take instead. Those that lie in the inbox are answered, too.
    """
    files = list(wanted)
    if files:
        yield Inbox(dict(find_answered(settings, files)), [])
        return
    packages: dict[Path, DropFolder] = {}
    others = []
    with tempfile.TemporaryDirectory(prefix="inbox-") as copies:
        for folder in find_inboxes(settings):
            for each in folder.list_files():
                if not each.name.endswith(PACKAGES):
                    others.append(f"{folder.url.rstrip('/')}/{each.name}")
                    continue
                file = Path(folder.url, each.name)
                if is_remote(folder.url):
                    data = folder.read_file(each.name, LARGEST + ENCRYPTION)
                    if data is None:
                        # It was taken away since the listing.
                        continue
                    file = Path(copies, each.name)
                    file.write_bytes(data)
                    if each.written_at is not None:
                        os.utime(file, (each.written_at.timestamp(),) * 2)
                packages[file] = folder
        yield Inbox(packages, others)


def find_answered(settings: Observatory, files: list[Path]) -> Iterator[tuple[Path, DropFolder]]:
    """The files that lie in a folder of the inbox, with it."""
    if settings.study.inbox is None or is_remote(settings.study.inbox):
        return
    folders = {Path(each).resolve() for each in glob.glob(settings.study.inbox)}
    for file in files:
        if file.resolve().parent in folders:
            yield file, DropFolder(str(file.resolve().parent), settings.study.access, "[study] inbox")


def receipt_of(judged: Judged, at: dt.datetime) -> Receipt:
    """The answer to a file that was judged, and loaded if nothing is wrong with it."""
    package = judged.package
    return Receipt(
        form=FORM,
        delivered_sha256=judged.delivered_sha256,
        package_sha256=package.sha256 if package else None,
        operator_id=package.manifest.operator_id if package else None,
        period_code=package.manifest.period_code if package else None,
        file_name=None if has_identifier(judged.file.name) else judged.file.name[:300],
        answer="refused" if judged.wrong else "received",
        answered_at=at,
        reasons=public_reasons(judged),
        notes=notes_to_operator(judged),
    )


def notes_to_operator(judged: Judged) -> list[str]:
    """Notes in an answer beside its reasons, in the language of the respondent; in all languages to a sender
    who may not be the operator. English answers need no note on the result of the package."""
    definition, found = load_definition(), []
    for language in definition["languages"] if judged.doubts else [judged.language]:
        if language != "en" and judged.wrong:
            found.append(translate_key(language, "package", "refused"))
        elif language != "en":
            period = judged.manifest.period_code
            found.append(translate_key(language, "package", "received", period=period))
        found += [each[language] for each in judged.notes if not judged.wrong]
        if language not in definition["reviewed"]:
            found.append(f"({translate_key(language, 'word', 'unofficial')})")
    return found


def answer_packages(inbox: Inbox, judged: Iterable[Judged], key: str | None) -> list[ObservatoryError]:
    """Write a receipt, or a refusal with its reasons, for each package of the inbox that has none that says
    the same. What could not be written, an error for each reason.

    Args:
        key: the study's, that signs answers.
    """
    failed: dict[tuple[type[ObservatoryError], str], list[str]] = {}
    for each in judged:
        folder = inbox.packages.get(each.file)
        if folder is None or not each.delivered_sha256:
            continue
        receipt = receipt_of(each, utc_now())
        name = receipt_name(each.delivered_sha256)
        try:
            answers = folder.open_sibling(RECEIPTS)
            before = answers.read_file(name, LARGEST_RECEIPT)
            if before is not None:
                with contextlib.suppress(ObservatoryError):
                    known, _, signature = parse_receipt(before)
                    if known.says_same(receipt) and (signature is not None) == (key is not None):
                        continue
            answers.make_folder()
            answers.put_file(name, write_receipt(receipt, key))
        except ObservatoryError as error:
            failed.setdefault((type(error), str(error)), []).append(each.file.name)
    return [kind(f"not answered: {name_few(names)}: {says}") for (kind, says), names in failed.items()]
