"""Packages to the study's inbox, and the study's answers back; meta.delivery remembers both."""

import hashlib
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path

from jobs.base.core.errors import ObservatoryError
from jobs.base.packages.drop_folders import DropFolder
from jobs.base.packages.package import ENCRYPTION, LARGEST
from jobs.base.packages.receipts import LARGEST_RECEIPT, RECEIPTS, receipt_name, verify_receipt
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake, select_any
from jobs.base.store.lock import lock_for_writing
from jobs.base.store.record import utc_now
from jobs.base.tables.contracts import rows_frame
from jobs.operators.packages.deliveries import RECEIVED, REFUSED, SENT, TABLE, Delivery, last_deliveries
from jobs.operators.packages.packaging import MadePackage


def study_inbox(settings: Observatory) -> DropFolder:
    """The study's inbox. Raises ObservatoryError where the settings name none."""
    if settings.submission.inbox is None:
        raise ObservatoryError(
            "[submission] inbox names the study's inbox, to which packages go and beside which answers lie:"
            " set it to the sftp:// or s3:// URL, or the folder, that the study gave you"
        )
    return DropFolder(settings.submission.inbox, settings.submission.access, "[submission] inbox")


def find_sent(lake: Lake, inbox: DropFolder, made: MadePackage, is_signed: bool) -> Delivery | None:
    """The delivery of the same counts that needs no other: the study received it, or it lies in the inbox and
    waits. One that was refused is sent again, and so is one that gets its signature now."""
    for each in last_deliveries(lake, [made.manifest.operator_id]):
        is_same = (each.package_sha256, each.inbox_url) == (made.sha256, inbox.url)
        if not is_same or each.delivery_code == REFUSED or (is_signed and not each.is_signed):
            continue
        if each.delivery_code == RECEIVED or holds_file(inbox, each):
            return each
    return None


def holds_file(inbox: DropFolder, sent: Delivery) -> bool:
    """Return whether the inbox still has the file as it was sent."""
    data = inbox.read_file(sent.file_name, LARGEST + ENCRYPTION)
    return data is not None and hashlib.sha256(data).hexdigest() == sent.delivered_sha256


def deliver_package(
    lake: Lake, inbox: DropFolder, made: MadePackage, file: Path, is_signed: bool
) -> Delivery:
    """Put a package's file into the inbox, in place of an earlier one of its name, and remember it.

    Where the same file lies there it stays as it is. Killed before it is remembered, it is sent again by the
    next `submit`, which harms nothing.
    """
    data = file.read_bytes()
    sent = Delivery(
        operator_id=made.manifest.operator_id,
        period_code=made.manifest.period_code,
        file_name=file.name,
        package_sha256=made.sha256,
        delivered_sha256=hashlib.sha256(data).hexdigest(),
        inbox_url=inbox.url,
        sent_at=utc_now(),
        is_signed=is_signed,
        delivery_code=SENT,
        answer_at=None,
        answer_reasons=[],
        answer_notes=[],
        signer_fingerprint=None,
    )
    if not holds_file(inbox, sent):
        inbox.put_file(file.name, data)
    remember_deliveries(lake, [sent])
    return sent


@lock_for_writing("observatory submit")
def remember_deliveries(lake: Lake, deliveries: Collection[Delivery]) -> None:
    """Write rows of meta.delivery, in place of those of the same files."""
    if not deliveries:
        return
    where = " OR ".join(
        f"({select_any('operator_id', [each.operator_id])} AND"
        f" {select_any('delivered_sha256', [each.delivered_sha256])})"
        for each in deliveries
    )
    lake.replace(rows_frame([asdict(each) for each in deliveries], TABLE), TABLE, where)


def fetch_answers(
    lake: Lake, inbox: DropFolder, operators: Collection[str], study_key: str | None
) -> tuple[list[Delivery], list[str]]:
    """The last delivery of each operator and period with the study's answer to it, as far as it has come; and
    what is wrong with answers, none of which counts.

    What the study received stays so. A refusal is looked at again: the study may have changed its mind.
    """
    receipts = inbox.open_sibling(RECEIPTS)
    found, wrong, changed = [], [], []
    for each in last_deliveries(lake, operators):
        answered = each
        if each.delivery_code != RECEIVED and each.inbox_url == inbox.url:
            name = receipt_name(each.delivered_sha256)
            data = receipts.read_file(name, LARGEST_RECEIPT)
            try:
                answered = each if data is None else take_answer(each, data, study_key)
            except ObservatoryError as error:
                wrong.append(f"{receipts.url}/{name}, on {each.file_name}, does not count: {error}")
        found.append(answered)
        if answered != each:
            changed.append(answered)
    remember_deliveries(lake, changed)
    return found, wrong


def take_answer(sent: Delivery, data: bytes, study_key: str | None) -> Delivery:
    """A delivery with the study's answer to it. Raises ObservatoryError for a wrong one."""
    receipt, signer = verify_receipt(data, asdict(sent), study_key)
    return replace(
        sent,
        delivery_code=receipt.answer,
        answer_at=receipt.answered_at,
        answer_reasons=receipt.reasons,
        answer_notes=receipt.notes,
        signer_fingerprint=signer,
    )
