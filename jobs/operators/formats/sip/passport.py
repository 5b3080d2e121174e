"""The claims of a PASSporT: the attestation and the origination id of a STIR/SHAKEN Identity header.

A PASSporT (RFC 8225) is `header.payload.signature`, each base64url without padding; header and payload are
JSON objects. The SHAKEN extension (RFC 8588) puts two claims into the payload: `attest`, one of A, B and C,
and `origid`, a UUID by which the signing provider traces where the call came in.

The signature is not checked: that would take the signer's certificate, from the network and of that day.
This module reads the attestation *claimed in the PASSporT*, which an untrusted neighbour can invent; the
result of a verification service stands in no accounting line by default.

Null where nothing is claimed: no Identity header, the compact form (RFC 8225, section 7: header and payload
left out), another extension such as div or rph, or a damaged token.
"""

import base64
import json

import polars as pl

from jobs.base.core.column_types import ColumnTypes

# JSON objects begin with `{"`, so tokens of this kind begin with eyJ; nothing else in a log line looks so.
TOKEN = r"eyJ[A-Za-z0-9_-]+\.(eyJ[A-Za-z0-9_-]+)\."
# A payload has some two hundred signs; what is much longer is not read.
LONGEST_PAYLOAD = 8192
LEVELS = ("A", "B", "C")
CLAIMS: ColumnTypes = {"attestation_code": pl.String, "origid": pl.String}
# A UUID has 36 signs; what is much longer is no id.
LONGEST_ID = 128


def read_claims(text: pl.Expr) -> pl.Expr:
    """Struct of CLAIMS from texts that hold an Identity header; null claims where there is none."""
    return text.str.extract(TOKEN, 1).map_batches(_read_payloads, return_dtype=pl.Struct(CLAIMS))


def _read_payloads(payloads: pl.Series) -> pl.Series:
    """A call's rows repeat its token, so each distinct one is read once."""
    distinct = payloads.drop_nulls().unique()
    read = [read_payload(payload) for payload in distinct.to_list()]
    known = pl.DataFrame(
        {
            "payload": distinct,
            "attestation_code": pl.Series([claim[0] for claim in read], dtype=pl.String),
            "origid": pl.Series([claim[1] for claim in read], dtype=pl.String),
        },
        schema_overrides={"payload": pl.String},
    )
    frame = pl.DataFrame({"payload": payloads}, schema={"payload": pl.String})
    joined = frame.join(known, on="payload", how="left", maintain_order="left")
    return joined.select(pl.struct(list(CLAIMS)).alias(payloads.name)).to_series()


def read_payload(payload: str) -> tuple[str | None, str | None]:
    """attest and origid of one payload in base64url; None for what is missing, of another kind or damaged."""
    if len(payload) > LONGEST_PAYLOAD:
        return None, None
    try:
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(found, dict):
        return None, None
    attest, origid = found.get("attest"), found.get("origid")
    if not (isinstance(origid, str) and 0 < len(origid) <= LONGEST_ID and origid.isascii()):
        origid = None
    return (attest if attest in LEVELS else None), (origid.lower() if origid else None)
