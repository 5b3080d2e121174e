"""A receipt: the study's answer to one file in its inbox, as JSON with a signature.

It is named by the SHA-256 of the file that it answers, so that an operator finds the answers to its own files
without a listing, and says the same digest inside, so that no answer passes for that to another file.
"""

import datetime as dt
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from jobs.base.core.errors import ObservatoryError
from jobs.base.packages import signing
from jobs.base.packages.package import Digest, PackagePart, Text
from jobs.base.tables.contracts import Row

FORM = "spam-observatory receipt 1"
RECEIPTS = "receipts"
LARGEST_RECEIPT = 2**20
Sentence = Annotated[str, Field(max_length=10_000)]
Sentences = Annotated[list[Sentence], Field(max_length=10_000)]


class Receipt(PackagePart):
    """The study's answer to a package.

    Attributes:
        delivered_sha256: of the file that it answers.
        package_sha256: of the manifest in it, where it could be opened.
        reasons: why it was refused.
        notes: what else its operator should know.
    """

    form: Text
    delivered_sha256: Digest
    package_sha256: Digest | None
    operator_id: Text | None
    period_code: Text | None
    file_name: str | None = Field(max_length=300)
    answer: Literal["received", "refused"]
    answered_at: dt.datetime
    reasons: Sentences
    notes: Sentences

    def says_same(self, other: "Receipt") -> bool:
        """Return whether the other one answers the same, whenever."""
        return self == other.model_copy(update={"answered_at": self.answered_at})


def receipt_name(delivered_sha256: str) -> str:
    return f"{delivered_sha256}.json"


def canonical_bytes(receipt: dict[str, Any]) -> bytes:
    """The bytes of a receipt that are signed."""
    return (json.dumps(receipt, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_receipt(receipt: Receipt, key: str | None) -> bytes:
    """A receipt's file, signed if there is a key."""
    said = receipt.model_dump(mode="json")
    signature = None if key is None else signing.sign_data(canonical_bytes(said), key).decode()
    return canonical_bytes({"receipt": said, "signature": signature})


def parse_receipt(data: bytes) -> tuple[Receipt, bytes, bytes | None]:
    """A receipt, its bytes that are signed, and their signature. Raises ObservatoryError for what is none."""
    try:
        found = json.loads(data)
        said, signature = found["receipt"], found["signature"]
        form = str(said["form"])
        signed = canonical_bytes(said)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ObservatoryError("it is no receipt that can be read") from None
    if form != FORM:
        raise ObservatoryError(
            f"it is of the form '{form[:100]}', and this version reads '{FORM}': install the study's version"
        )
    try:
        receipt = Receipt.model_validate_json(signed)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3]
        )
        raise ObservatoryError(f"it is no receipt that can be read: {problems}") from None
    return receipt, signed, signature.encode() if isinstance(signature, str) else None


def verify_receipt(data: bytes, row: Row, study_key: str | None) -> tuple[Receipt, str | None]:
    """The answer to a file that was sent, and who signed it, if that was verified.

    Raises ObservatoryError for an answer to another file, and for one that is not signed by the study's key
    where the settings name it.

    Args:
        row: the file's row of meta.delivery.
    """
    receipt, signed, signature = parse_receipt(data)
    stated = {name: getattr(receipt, name) for name in ("operator_id", "package_sha256", "period_code")}
    differs = [name for name, value in stated.items() if value is not None and value != row[name]]
    if receipt.delivered_sha256 != row["delivered_sha256"] or differs:
        what = differs[0] if differs else "delivered_sha256"
        raise ObservatoryError(f"it answers another file than the one that was sent ({what} differs)")
    if receipt.answer == "received" and receipt.package_sha256 is None:
        raise ObservatoryError("it says that a package was received, and not which")
    if study_key is None:
        return receipt, None
    if signature is None:
        raise ObservatoryError(
            "it is not signed, and [submission] study_key asks for the study's signature: ask the study to"
            " set [study] receipt_key"
        )
    return receipt, signing.verify_signature(signed, signature, Path(study_key))
