"""Make a package: counts as files, checked as the study will check them, signed and encrypted."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from expectations.evaluation import all_results
from jobs.base.checks.evaluating import evaluate_lake
from jobs.base.checks.validations import refuse_broken
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.periods import months_of
from jobs.base.packages import signing
from jobs.base.packages.contents import problems_of
from jobs.base.packages.counts import VOLUME, compute_totals
from jobs.base.packages.package import (
    MANIFEST,
    SIGNATURE,
    Manifest,
    contract_digest,
    csv_of,
    hash_references,
    manifest_bytes,
    open_package,
    pack_files,
)
from jobs.base.packages.quality import QUALITY
from jobs.base.places.permissions import write_as_lake
from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator
from jobs.base.store.lake import open_lake
from jobs.base.tables.contracts import reference_digest
from jobs.operators.packages.gold_counts import Counts, counts_of


@dataclass(frozen=True)
class MadePackage:
    """A package as bytes, its files before they were packed and signed, and the counts in them."""

    file_name: str
    data: bytes
    files: dict[str, bytes]
    counts: Counts

    @property
    def manifest(self) -> Manifest:
        return Manifest.model_validate_json(self.files[MANIFEST])

    @property
    def sha256(self) -> str:
        """The package's digest: that of its manifest, whether or not it is signed."""
        return hashlib.sha256(self.files[MANIFEST]).hexdigest()

    @property
    def row_count(self) -> int:
        return sum(rows.height for rows in self.counts.tables.values())

    @property
    def days(self) -> dict[tuple[str, str], tuple[int, int]]:
        """The days with logs, and those of the month, by month and channel."""
        return {
            (each["period_code"], each["channel_code"]): (each["days"], each["of"])
            for each in self.counts.coverage["days"]
        }

    @property
    def audits(self) -> dict[tuple[str, str], str]:
        """The audit or test that measures the filter's errors, by month and channel."""
        return {
            (each["period_code"], each["channel_code"]): (
                f"{each['labelled_count']:,} labels" if each["quality_method_code"] == "audit" else "a test"
            )
            for each in self.counts.tables[QUALITY].to_dicts()
        }


def validate_gold(settings: Observatory, operator_id: str, period: str, is_kept: bool = True) -> None:
    """Hold all gold tables of an operator's months to their suites. Raises ValidationHeld if an expectation
    is broken.

    Args:
        is_kept: Great Expectations writes its results to the lake.
    """
    found = evaluate_lake(
        open_lake(settings.lake.root),
        [operator_id],
        f"submit {operator_id} {period}",
        months_of(period),
        is_kept,
    )
    refuse_broken(all_results(found), f"{operator_id}, {period}: no package was made.")


def package_of(settings: Observatory, operator: Operator, period: str, key: str | None) -> MadePackage:
    """The package of one operator. Raises ObservatoryError if the study would refuse it."""
    least = settings.submission.least_units
    counts = counts_of(settings.lake.root, operator, period, least)
    tables = {f"{table.split('.')[1]}.csv": csv_of(rows, table) for table, rows in counts.tables.items()}
    volume = counts.tables[VOLUME]
    contents = {
        "operator_id": operator.id,
        "country_code": operator.country,
        "period_code": period,
        "subscriptions": subscriptions_of(operator, sorted(set(volume["channel_code"]))),
        "waiver": operator.waiver,
        "definition_codes": sorted(set(volume["definition_code"])),
        "totals": compute_totals(volume),
        "contract_digest": contract_digest(),
        "reference_digest": reference_digest(),
        "references": hash_references(),
        "code_revision": counts.code_revision,
        "computed_at": counts.computed_at,
        "least_units": least,
        "withheld": counts.withheld,
        "coverage": counts.coverage,
    }
    manifest = manifest_bytes(contents, tables)
    files = tables | {MANIFEST: manifest}
    if key is not None:
        files[SIGNATURE] = signing.sign_data(manifest, key)
    data = pack_files(files)
    _, wrong = problems_of(open_package(data), operator.id, operator.holding)
    if wrong:
        raise ObservatoryError(
            "\n".join(f"{operator.id}, {period}: {line}: compute gold again" for line in wrong)
        )
    return MadePackage(f"{operator.id}_{period}.zip", data, tables | {MANIFEST: manifest}, counts)


def subscriptions_of(operator: Operator, channels: list[str]) -> dict[str, int]:
    """The operator's subscriptions to each channel of its package; none if it says none.

    Raises ObservatoryError if one number stands for several channels, or a channel has none: each channel's
    estimate is weighted by its own subscriptions.
    """
    given = operator.subscribers
    if given is None:
        return {}
    if isinstance(given, int) and len(channels) > 1:
        example = ", ".join(f"{channel} = {given}" for channel in channels)
        raise ObservatoryError(
            f"operator '{operator.id}' has counts of {' and '.join(channels)}, and `subscribers = {given}`"
            f" does not say how many each has: write subscribers = {{ {example} }} with the number of each"
        )
    by_channel = given if isinstance(given, dict) else dict.fromkeys(channels, given)
    missing = [channel for channel in channels if channel not in by_channel]
    if missing:
        raise ObservatoryError(
            f"operator '{operator.id}' has counts of {' and '.join(missing)}, and `subscribers` has no number"
            " of it: add it"
        )
    return {channel: by_channel[channel] for channel in channels}


def write_package(made: MadePackage, folder: Path, recipient: str | None, root: str | None = None) -> Path:
    """The package's file, encrypted if there is a recipient, for those who may read the lake at `root`."""
    data = made.data if recipient is None else signing.encrypt_data(made.data, recipient)
    file = folder / (made.file_name if recipient is None else f"{made.file_name}.gpg")
    try:
        with write_as_lake(root, folder) as written:
            folder.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            written.append(file)
    except OSError as error:
        raise ObservatoryError(f"--output {folder}: {error.strerror or error}") from None
    return file
