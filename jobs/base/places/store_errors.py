"""Errors of object stores, from any library, as messages that say what to do."""

import re
import sys

from jobs.base.core.disk import error_causes
from jobs.base.core.errors import ObservatoryError, TryAgain
from jobs.base.places.connections import describe_lasting

# delta-rs and Polars give texts alone; they call every failed request of a store so.
OF_STORES = (
    "Generic S3 error",
    "object-store error",
    "error sending request",
    "awssdk",
    "lacked the necessary privileges",
)
COLOURS = re.compile(r"\x1b\[\d+m|↳")
REFUSED = (
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "Forbidden",
)
# Timeouts, and requests that came at once with others.
PASSES = (408, 409, 412, 429)
GOES_ON = "What was finished stays, and nothing is lost or counted twice: run the same command again"


class StoreAway(TryAgain):
    """The object store of the lake does not answer."""


class StoreRefused(ObservatoryError):
    """The object store of the lake does not have its bucket, or refuses the credentials."""


class LeaseLost(TryAgain):
    """Another writer has taken the lake over."""


class CommitLost(TryAgain):
    """A transaction met another one, or the answer to it was lost: it is not tried again upon that one."""


def find_store_error(error: BaseException) -> ObservatoryError | None:
    """Return the message for an error that an object store caused; None for any other."""
    botocore, aiohttp = sys.modules.get("botocore.exceptions"), sys.modules.get("aiohttp")
    delta = sys.modules.get("deltalake.exceptions")
    for each in error_causes(error):
        if isinstance(each, StoreAway | StoreRefused | LeaseLost):
            return each
        text = first_sentence(str(each))
        if delta and isinstance(each, delta.CommitFailedError):
            return CommitLost(
                f"a table's log has a transaction that this command does not know ({text}): another"
                f" command's, or its own, whose answer was lost. {GOES_ON}"
            )
        if botocore and isinstance(each, botocore.ClientError):
            return describe_refusal(each.response["Error"].get("Code", ""), status_of(each), text)
        if botocore and isinstance(each, botocore.BotoCoreError):
            if advice := describe_lasting(each):
                return StoreRefused(f"[lake] root: the object store cannot be reached: {text}. {advice}")
            return StoreAway(f"[lake] root: the object store does not answer: {text}. {GOES_ON}")
        if botocore and aiohttp and isinstance(each, aiohttp.ClientError):
            return StoreAway(f"[lake] root: the connection to the object store was lost: {text}. {GOES_ON}")
        if any(word in str(each) for word in OF_STORES):
            code = next((name for name in ("NoSuchBucket", *REFUSED) if name in str(each)), "")
            is_refused = "lacked the necessary privileges" in str(each)
            return describe_refusal(code or ("AccessDenied" if is_refused else ""), 0, text)
    return None


def describe_refusal(code: str, status: int, text: str) -> ObservatoryError:
    """Explain a refusal of a store."""
    if code in ("NoSuchBucket", "404") and "ucket" in f"{code}{text}":
        return StoreRefused(
            f"[lake] root: the bucket is not there: {text}. Make it, or correct [lake] root or access"
        )
    if code in REFUSED or status == 403:
        return StoreRefused(
            f"[lake] root: the object store refuses these credentials: {text}. They come from AWS' usual"
            " chain: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws, or the machine's role; give them"
            " the right to read, write, list and delete below [lake] root"
        )
    if 400 <= status < 500 and status not in PASSES:
        return StoreRefused(
            f"[lake] root: the object store refuses the request: {text}. Check endpoint, region and"
            " path_style in [lake] access, and what AWS' own variables and files say"
        )
    return StoreAway(f"[lake] root: the object store does not answer as it should: {text}. {GOES_ON}")


def code_of(error: BaseException) -> tuple[str, int]:
    """The code and HTTP status with which a store refused a request; ("", 0) for another error."""
    botocore = sys.modules.get("botocore.exceptions")
    for each in error_causes(error):
        if botocore and isinstance(each, botocore.ClientError):
            return str(each.response["Error"].get("Code", "")), status_of(each)
    return "", 0


def status_of(error: BaseException) -> int:
    return int(getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def first_sentence(text: str) -> str:
    """A library's text in one line, without colours, and not all of it."""
    return " ".join(COLOURS.sub("", text).split())[:300]
