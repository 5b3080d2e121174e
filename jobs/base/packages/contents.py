"""Check the contents of a package: hashes, contract, rows, and the tables against each other."""

import hashlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_noun
from jobs.base.core.periods import months_of
from jobs.base.packages.claims import false_claims
from jobs.base.packages.costs import COST, MOST_AMOUNT, find_odd_costs
from jobs.base.packages.counts import MEASURES, SUBMITTED_DIRECTIONS, VOLUME, find_disagreements
from jobs.base.packages.forms import PackageForm, find_form
from jobs.base.packages.package import (
    COUNTING,
    DECIDING,
    LARGEST_HEAD,
    MOST_ROWS,
    MOST_UNITS,
    Manifest,
    Package,
    hash_references,
)
from jobs.base.packages.plausible import list_excess_per_subscription, list_excess_units
from jobs.base.packages.quality import QUALITY, find_contradictions
from jobs.base.tables.contracts import polars_schema, read_contract, rows_frame
from jobs.base.tables.csv_tables import parse_columns
from jobs.base.tables.sql import parse_expression

EXAMPLES = 3


def problems_of(
    package: Package, respondent_id: str, holding_id: str
) -> tuple[dict[str, pl.DataFrame], list[str]]:
    """The rows of each table as its contract has them, for the respondent; and all that is wrong.

    Rows are only checked if they are those that the manifest names, by the contract of this study.
    """
    manifest = package.manifest
    try:
        form = find_form(manifest.form)
    except ObservatoryError as error:
        # Another form has other files.
        return {}, [*find_altered(package, ()), *str(error).splitlines()]
    wrong = find_altered(package, form.name_files())
    if manifest.computed_at is None:
        wrong.append("manifest.json: computed_at is missing: make the package by `observatory submit`")
    elif manifest.contract_digest != form.digest:
        wrong.append(
            f"it was made by another version of the contracts ({manifest.contract_digest[:12]}, here"
            f" {form.digest[:12]}): bring both sides to the same release, and submit again"
        )
    elif other := [table for table in DECIDING if manifest.references.get(table) != hash_references()[table]]:
        # Where the contracts differ the releases do, and with them these tables.
        wrong += [
            f"its {table} is not the study's: what it counts under a code is something else. Take the study's"
            f" {read_contract(table).name}.csv, compute gold again, and submit again"
            for table in other
        ]
    try:
        months = months_of(manifest.period_code)
    except ObservatoryError as error:
        wrong.append(f"period_code: {error}")
    if wrong:
        return {}, wrong
    tables = {table: rows_frame([], table) for table in form.without}
    for name, table in form.name_files().items():
        try:
            tables[table] = read_rows(package.files[name], table, form, manifest, respondent_id, holding_id)
        except ObservatoryError as error:
            wrong += str(error).splitlines()
            continue
        wrong += list_broken_rows(name, tables[table], table, months, manifest.least_units)
    if not wrong:
        wrong = (
            find_disagreements(tables)
            + find_contradictions(tables[QUALITY], tables[VOLUME])
            + find_odd_costs(tables[COST], tables[VOLUME])
            + false_claims(manifest, form, tables, months)
            + list_excess_units(manifest, tables[VOLUME])
            + list_excess_per_subscription(manifest, tables[VOLUME], manifest.subscriptions)
        )
    return tables, wrong


def other_rules(manifest: Manifest) -> list[str]:
    """The tables of COUNTING that the operator has otherwise than the study."""
    return [table for table in COUNTING if manifest.references.get(table) != hash_references()[table]]


def find_altered(package: Package, needed: Iterable[str]) -> list[str]:
    """Files that are not those of the manifest, and those needed that are missing."""
    listed = package.manifest.files
    wrong = [f"{name} is missing" for name in needed if name not in package.files or name not in listed]
    return wrong + [
        f"{name} was altered after the package was made: its SHA-256 is not that of the manifest"
        for name, data in sorted(package.files.items())
        if name in listed and hashlib.sha256(data).hexdigest() != listed[name].sha256
    ]


def read_rows(
    data: bytes, table: str, form: PackageForm, manifest: Manifest, respondent_id: str, holding_id: str
) -> pl.DataFrame:
    """A file's rows as this form has them, with what the manifest says once.

    Args:
        data: the bytes of the CSV file.
        table: the submission table that the file is for.
        manifest: the package's; country, waiver, subscriptions and days with logs come from it.
    """
    name = Path(f"{read_contract(table).name}.csv")
    # Before anything is made of it: some bytes a row are enough to fill the memory.
    head = data[:LARGEST_HEAD].partition(b"\n")[0].decode(errors="replace").strip().split(",")
    columns = form.list_columns(table)
    if sorted(head) != sorted(columns):
        shown = ", ".join(head)[:200]
        raise ObservatoryError(f"{name} has the columns {shown} and needs {', '.join(columns)}")
    if data.count(b"\n") > MOST_ROWS + 1 or data.count(b"\r") > MOST_ROWS + 1:
        raise ObservatoryError(f"{name} has more than {MOST_ROWS:,} rows, which no package has")
    try:
        text = pl.read_csv(data, infer_schema=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise ObservatoryError(f"{name} is no CSV file in UTF-8: {str(error).splitlines()[0]}") from None
    given = {
        "respondent_id": respondent_id,
        "holding_id": holding_id,
        "country_code": manifest.country_code,
        "waiver": manifest.waiver,
    }
    known = [each for each in polars_schema(table) if each in given]
    text = text.with_columns(pl.lit(given[each], pl.String).alias(each) for each in known)
    if "subscriptions" in polars_schema(table):
        by_channel = {channel: str(count) for channel, count in manifest.subscriptions.items()}
        of_channel = pl.col("channel_code").replace_strict(by_channel, default=None, return_dtype=pl.String)
        text = text.with_columns(of_channel.alias("subscriptions"))
    if "day_count" in polars_schema(table):
        days = {f"{each.period_code} {each.channel_code}": str(each.days) for each in manifest.coverage.days}
        of_month = pl.concat_str("period_code", "channel_code", separator=" ")
        text = text.with_columns(
            of_month.replace_strict(days, default=None, return_dtype=pl.String).alias("day_count")
        )
    lacking = (pl.lit(code).alias(column) for column, code in form.lacks.get(table, {}).items())
    return parse_columns(text.with_columns(lacking), table, name)


def list_broken_rows(
    name: str, rows: pl.DataFrame, table: str, months: tuple[str, ...], least: int
) -> list[str]:
    """Rows that break a rule of the contract, are of no month or direction of a package, or have fewer
    units than it says that any of its counts has."""
    rules = {"period_code is no month of the package's period": pl.col("period_code").is_in(months)}
    rules |= RULES.get(table, partial(rules_of_counts, table))(least)
    rules |= {
        f"it breaks {rule} ({text})": parse_expression(text) for rule, text in read_contract(table).checks
    }
    wrong = []
    for says, holds in rules.items():
        # The header is row 1.
        numbers = [number + 2 for number in (~rows.select(holds).to_series()).arg_true().to_list()]
        if numbers:
            shown = ", ".join(map(str, numbers[:EXAMPLES]))
            wrong.append(f"{name}, row {shown}: {says} ({format_noun(len(numbers), 'row')})")
    return wrong


def rules_of_labels(least: int) -> dict[str, pl.Expr]:
    """Return the rules for each row of an operator's audits, by the message for a broken one."""
    labels = pl.col("labelled_count")
    return {
        f"labelled_count is larger than {MOST_UNITS:,}": labels <= MOST_UNITS,
        f"labelled_count is no multiple of the manifest's least_units ({least})": labels % least == 0,
    }


def rules_of_amounts(least: int) -> dict[str, pl.Expr]:
    """Return the rules for each row of an operator's costs, by the message for a broken one."""
    return {f"an amount is larger than {MOST_AMOUNT:,}": pl.col("amount_p95") <= MOST_AMOUNT}


RULES = {QUALITY: rules_of_labels, COST: rules_of_amounts}


def rules_of_counts(table: str, least: int) -> dict[str, pl.Expr]:
    """Return the rules for each row of a table of counts, by the message for a broken one."""
    few = f"of fewer units than the manifest's least_units ({least})"
    return {
        f"direction_code is none of {', '.join(SUBMITTED_DIRECTIONS)}": pl.col("direction_code").is_in(
            SUBMITTED_DIRECTIONS
        ),
        f"a count is larger than {MOST_UNITS:,}": pl.max_horizontal(*MEASURES) <= MOST_UNITS,
        f"a count is no multiple of the manifest's least_units ({least})": pl.all_horizontal(
            pl.col(*MEASURES) % least == 0
        ),
        f"units are {few}": pl.col("units") >= least,
        f"certain spam is {few}": is_none_or_enough(pl.col("spam_certain"), least),
        f"undecided is {few}": is_none_or_enough(pl.col("spam_possible") - pl.col("spam_certain"), least),
        f"what is no spam is {few}": is_none_or_enough(pl.col("units") - pl.col("spam_possible"), least),
        "units are not those of the same cell under other definitions": pl.col("units")
        .n_unique()
        .over([each for each in read_contract(table).key if each != "definition_code"])
        == 1,
    }


def is_none_or_enough(count: pl.Expr, least: int) -> pl.Expr:
    return (count <= 0) | (count >= least)
