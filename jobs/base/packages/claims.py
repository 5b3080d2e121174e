"""Compare what a package's manifest says of its rows with the rows."""

from collections.abc import Iterable
from typing import Any, TypeVar

import polars as pl

from jobs.base.core.periods import last_day
from jobs.base.packages.counts import GOLD, VOLUME, compute_totals
from jobs.base.packages.forms import PackageForm
from jobs.base.packages.package import Coverage, Manifest
from jobs.base.tables.contracts import read_contract

EXAMPLES = 3
Claim = TypeVar("Claim", bound=tuple[Any, ...])


def false_claims(
    manifest: Manifest, form: PackageForm, tables: dict[str, pl.DataFrame], months: tuple[str, ...]
) -> list[str]:
    """A line for each thing that the manifest says otherwise than the rows."""
    rows = tables[VOLUME]
    wrong = [
        f"{name}: the manifest counts {manifest.files[name].rows:,} rows, and the file has"
        f" {tables[table].height:,}"
        for name, table in form.name_files().items()
        if manifest.files[name].rows != tables[table].height
    ]
    claimed = {tuple(each.model_dump().values()) for each in manifest.totals}
    found = {tuple(each.values()) for each in compute_totals(rows)}
    wrong += [
        f"manifest.json: totals has {', '.join(map(str, claim))}, and the rows of"
        f" {read_contract(VOLUME).name}.csv"
        " add up to something else"
        for claim in take_some(claimed - found)
    ]
    wrong += [
        f"manifest.json: totals lacks what the rows add up to: {', '.join(map(str, each))}"
        for each in take_some(found - claimed)
    ]
    has = sorted(set(rows["definition_code"]))
    if sorted(manifest.definition_codes) != has:
        wrong.append(
            f"manifest.json: definition_codes are {', '.join(manifest.definition_codes)}, and the rows have"
            f" {', '.join(has)}"
        )
    surplus = sorted(set(manifest.subscriptions) - set(rows["channel_code"]))
    if surplus:
        wrong.append(f"manifest.json: subscriptions has {', '.join(surplus)}, of which no row is")
    return wrong + list_withheld_rows(manifest, tables) + find_uncovered(manifest, rows, months)


def list_withheld_rows(manifest: Manifest, tables: dict[str, pl.DataFrame]) -> list[str]:
    """Rows of what the manifest says is withheld."""
    wrong = []
    for each in manifest.withheld:
        named = each.model_dump()
        codes = {name: code for name, code in named.items() if code != "_T"}
        for table in GOLD:
            if tables[table].filter(*(pl.col(name) == code for name, code in codes.items())).height:
                wrong.append(
                    f"{read_contract(table).name}.csv has rows of what manifest.json says is withheld:"
                    f" {', '.join(named.values())}"
                )
    return wrong


def find_uncovered(manifest: Manifest, rows: pl.DataFrame, months: tuple[str, ...]) -> list[str]:
    """Coverage that cannot be, and months and channels that stand in the coverage or the rows alone."""
    place = "manifest.json: coverage"
    wrong = find_impossible(manifest.coverage, months, manifest.least_units)
    covered = [(each.period_code, each.channel_code) for each in manifest.coverage.days]
    wrong += [
        f"{place} has {' '.join(each)} more than once"
        for each in take_some(covered)
        if covered.count(each) > 1
    ]
    has = set(rows.select("period_code", "channel_code").unique().iter_rows())
    withheld = {(each.period_code, each.channel_code) for each in manifest.withheld}
    wrong += [
        f"{place} has no days of {' '.join(each)}, of which there are rows"
        for each in take_some(has - {*covered})
    ]
    wrong += [
        f"{place} has days of {' '.join(each)}, of which no row is and nothing is withheld"
        for each in take_some({*covered} - has - withheld)
    ]
    return wrong


def find_impossible(coverage: Coverage, months: tuple[str, ...], least: int) -> list[str]:
    wrong = [
        f"manifest.json: coverage of {each.format_code}: {name} ({count}) is no multiple of least_units"
        f" ({least})"
        for each in coverage.sources
        for name, count in (("lines", each.lines), ("quarantined", each.quarantined))
        if count % least
    ]
    for each in coverage.days:
        place = f"manifest.json: coverage of {each.period_code} {each.channel_code}"
        if each.period_code not in months:
            wrong.append(f"{place} is of no month of the package's period")
        elif each.of != last_day(each.period_code).day:
            wrong.append(
                f"{place} has {each.of} days in the month, which has {last_day(each.period_code).day}"
            )
        if not 1 <= each.days <= each.of:
            wrong.append(f"{place} has {each.days} of {each.of} days")
    return wrong + [
        f"manifest.json: coverage of {each.format_code} has {each.quarantined} quarantined of {each.lines}"
        f" lines, from {each.sources} sources"
        for each in coverage.sources
        if not (0 <= each.quarantined <= each.lines and each.sources > 0)
    ]


def take_some(claims: Iterable[Claim]) -> list[Claim]:
    """The first of what was found, without repeats."""
    return sorted(set(claims), key=str)[:EXAMPLES]
