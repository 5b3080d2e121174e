"""Making a package: counts to files, held to everything that the study will hold it to, signed, encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobs.config import Observatory, Operator
from jobs.contracts import reference_digest
from jobs.errors import ObservatoryError
from jobs.submission import signing
from jobs.submission.contents import problems_of
from jobs.submission.counts import counts_of
from jobs.submission.package import (
    MANIFEST,
    SIGNATURE,
    contract_digest,
    csv_of,
    manifest_bytes,
    opened,
    packed,
)


@dataclass(frozen=True)
class Made:
    """A package as bytes, and what is told of it."""

    file_name: str
    data: bytes
    rows: dict[str, int]
    days: dict[tuple[str, str], tuple[int, int]]
    withheld: int


def package_of(settings: Observatory, operator: Operator, period: str, key: str | None) -> Made:
    """The package of one operator. Raises ObservatoryError if the study would refuse it."""
    least = settings.submission.least_units
    counts = counts_of(settings.lake.root, operator.id, period, least)
    tables = {f"{table.split('.')[1]}.csv": csv_of(rows, table) for table, rows in counts.tables.items()}
    about = {
        "operator_id": operator.id,
        "country_code": operator.country,
        "period_code": period,
        "subscriptions": operator.subscribers,
        "contract_digest": contract_digest(),
        "reference_digest": reference_digest(),
        "code_revision": counts.code_revision,
        "least_units": least,
        "withheld": counts.withheld,
        "coverage": counts.coverage,
    }
    manifest = manifest_bytes(about, tables)
    files = tables | {MANIFEST: manifest}
    if key is not None:
        files[SIGNATURE] = signing.signed(manifest, key)
    data = packed(files)
    _, wrong = problems_of(opened(data), operator.id, operator.holding)
    if wrong:
        raise ObservatoryError(
            "\n".join(f"{operator.id}, {period}: {line}: compute gold again" for line in wrong)
        )
    return Made(
        f"{operator.id}_{period}.zip",
        data,
        {table: rows.height for table, rows in counts.tables.items()},
        {
            (each["period_code"], each["channel_code"]): (each["days"], each["of"])
            for each in counts.coverage["days"]
        },
        len(counts.withheld),
    )


def written(made: Made, folder: Path, recipient: str | None) -> Path:
    """The package's file, encrypted if there is a recipient."""
    data = made.data if recipient is None else signing.encrypted(made.data, recipient)
    file = folder / (made.file_name if recipient is None else f"{made.file_name}.gpg")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    except OSError as error:
        raise ObservatoryError(f"--output {folder}: {error.strerror or error}") from None
    return file
