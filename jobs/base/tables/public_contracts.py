"""Contracts of published tables, schemas/public/<table>.yaml. What they do not name does not leave.

    table        public.<name>
    description  what a row is
    source       the study table that rows come from
    rows         a SQL condition: the rows of the source that may leave if the gate lets them
    beside       the public tables that rows take figures from, if any: they leave where their rows do
    columns      each column with its role (dimension, measure, attribute) and how it is made coarse:
                 digits (a SQL expression), class (a number), always (a code), made (by the table's
                 transform, or by the gate for interval and revision), derived (rate, share, rank, change
                 or thousand, from published rows alone); without any of these the value leaves as it is
    share        for columns derived as share: the codes of the row that others are shares of, by column
    rank         for columns derived as rank: the column whose codes are ranked
    thousand     for columns derived as thousand: the public table whose units money is divided by
    protect      how the gate and the attacker see the table; without it no respondent is behind the table,
                 or its source marks the rows that may leave
    arguments    for what is no linear function of contributions, why it may leave all the same

`protect` has

    contributions   the table_name of study.contribution
    series          the columns that with period, area and channel name a figure
    figure          the column that is a linear function of contributions
    least_holdings  the threshold: at least that of jobs/base/tables/thresholds.py, for money its own
    countries       a SQL condition: the rows of countries that may leave
    leave_out       a SQL condition: the rows that are left out one by one where the attack finds something;
                    none without it
    whole           the public table whose figures the attacker holds beside this table's: of the same
                    respondents' contributions, under this table's series with _T for the columns that it has
                    more
    volumes         the public table whose figures these are parts of: the attacker holds its figures beside
                    them, of all units, definitions and quantities
    released_by     the column of the period that decides which release a row leaves with; without it that of
                    the row
    chains          of a column the codes in order: each holding's figures of a code are at most the next's
    sums            of a column the codes that add up to another
    multiples       of a column the codes whose figures are known multiples of the first, for each respondent
    between         of a column a code whose figures mix those of two others
    same            of a column, of which other column's codes each of its codes has the same figures
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any

from jobs.base.core.column_types import ColumnTypes, polars_type
from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.contracts import (
    SCHEMAS,
    Field,
    list_codes,
    polars_schema,
    read_contract,
    read_fields,
    read_yaml,
)
from jobs.base.tables.series import Shape
from jobs.base.tables.sql import parse_condition
from jobs.base.tables.thresholds import HOLDINGS, MEMBERS, MONEY_HOLDINGS, SHARE_EDGES

PUBLIC = SCHEMAS / "public"
ROLES = ("dimension", "measure", "attribute")
WAYS = ("digits", "class", "always", "made", "derived")
DERIVED = ("rate", "share", "rank", "change", "thousand")
NEEDED = ("table", "description", "source", "rows", "columns", "arguments")
OPTIONAL = ("beside", "protect", "share", "rank", "thousand")
RELATIONS = ("chains", "sums", "multiples", "between", "same")
# Figures of a series with this column are money.
MONEY = "conversion_code"
# Numbers that are never a column, and the lower edges of their classes, with the list of classes.
CLASSES: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "coverage_pct": ("coverage_class", (25, 50, 75, 90)),
    "holding_count": ("holdings_class", (3, 6, 11)),
    "part_holding_count": ("holdings_class", (3, 6, 11)),
    "silent_pct": ("silent_class", (10, 25, 50, 75)),
    "chosen_pct": ("share_class", SHARE_EDGES),
    "answered_count": ("answered_class", (MEMBERS, 20, 50, 100)),
}
# What a table's intervals follow from, beside each area's factor.
VARIANCE = "rates_variance"
# Columns that a source makes of its own error, which bounds contributions: they are made anew.
OF_ERROR = ("estimate_low", "estimate_high", "cv_band_code", "obs_status_code", VARIANCE)
# What a source has of its own error of a change: a public table derives it anew from what leaves.
OF_CHANGE = ("change_low_pct", "change_high_pct", "change_code")
# Whatever a contract says, these do not leave as they are.
NEVER = (
    "reported", "subscriptions", "coverage_pct", "respondent_count", "holding_count", "part_holding_count",
    "other_holding_count", "operator_count", "seeing_count", "answer_count", "answer_pct", "audit_count",
    "audit_pct", "band_count", "day_pct", "bands_lowest", "bands_highest", "cv_pct", "per_subscription",
    "per_thousand_units", "respondent_id", "holding_id", "contribution", "own_subscriptions", "is_waived",
    "administration_count", "returned_count", "answered_count", "chosen_count", "chosen_pct",
    "chosen_low_pct", "chosen_high_pct", "deployed_pct", "stopped_pct", "stopped_low_pct",
    "stopped_high_pct", "spend_per_subscription", "spend_per_thousand_stopped",
    "imputed_pct", "rates_margin_pct",
)  # fmt: skip


@dataclass(frozen=True)
class PublicColumn:
    """A published column.

    Attributes:
        way: how it is made coarse, one of WAYS, '' as it is.
        by: the way's argument.
    """

    field: Field
    role: str
    way: str
    by: str


@dataclass(frozen=True)
class Protect:
    """Properties of a table that the gate and the attacker use; see the module."""

    contributions: str
    shape: Shape
    figure: str
    least_holdings: int
    countries: str
    leave_out: str = "FALSE"
    whole: str | None = None
    volumes: str | None = None
    released_by: str = "period_code"

    @property
    def series(self) -> tuple[str, ...]:
        return self.shape.columns


@dataclass(frozen=True)
class PublicContract:
    """One published table."""

    table: str
    description: str
    source: str
    rows: str
    columns: tuple[PublicColumn, ...]
    arguments: Mapping[str, str]
    beside: tuple[str, ...] = ()
    protect: Protect | None = None
    share: Mapping[str, str] = field(default_factory=dict)
    rank: str | None = None
    thousand: str | None = None

    @property
    def name(self) -> str:
        return self.table.split(".")[1]

    @property
    def key(self) -> list[str]:
        return [each.field.name for each in self.columns if each.role == "dimension"]

    @property
    def schema(self) -> ColumnTypes:
        """The columns with their Polars types."""
        return {each.field.name: polars_type(each.field.type) for each in self.columns}


@cache
def public_tables() -> tuple[str, ...]:
    """Every table that may be published; those that read another public table come last."""
    found = [f"public.{file.stem}" for file in sorted(PUBLIC.glob("*.yaml"))]
    return tuple(sorted(found, key=lambda table: (public_contract(table).beside != (), table)))


@cache
def public_contract(table: str) -> PublicContract:
    """The contract of a published table. Raises ObservatoryError for one that names what never leaves, or
    says something that has no meaning."""
    file = PUBLIC / f"{table.partition('.')[2]}.yaml"
    if not file.is_file():
        raise ObservatoryError(
            f"unknown public table '{table}': there is no {file.relative_to(SCHEMAS.parent)}"
        )
    return parse_contract(read_yaml(file), table, file.name)


def parse_contract(raw: Mapping[str, Any], table: str, file_name: str) -> PublicContract:
    """A contract from its file's content."""
    wrong = [f"lacks {word}" for word in NEEDED if word not in raw]
    wrong += [f"has an unknown word '{word}'" for word in raw if word not in (*NEEDED, *OPTIONAL)]
    if wrong:
        raise ObservatoryError(f"{file_name} {' and '.join(wrong)}")
    columns = tuple(parse_column(name, dict(about), file_name) for name, about in raw["columns"].items())
    protect = protect_of(raw["protect"], file_name) if "protect" in raw else None
    made = PublicContract(
        table=table,
        description=raw["description"].strip(),
        source=raw["source"],
        rows=str(raw["rows"]),
        columns=columns,
        arguments=raw["arguments"],
        beside=tuple(raw.get("beside", ())),
        protect=protect,
        share=raw.get("share", {}),
        rank=raw.get("rank"),
        thousand=raw.get("thousand"),
    )
    wrong = [*list_wrong_columns(made), *list_wrong_guards(made), *list_wrong_sql(made)]
    if wrong:
        raise ObservatoryError(f"{file_name}: {'; '.join(wrong)}")
    return made


def list_wrong_columns(contract: PublicContract) -> list[str]:
    """The columns of a contract that its source does not have, or that would show the study's own error."""
    of_source = read_contract(contract.source).columns
    return [
        f"column {each.field.name} is not in {contract.source}"
        for each in contract.columns
        if each.way in ("", "digits") and each.field.name not in of_source
    ] + [
        f"{each.field.name} would show the study's own error: it is made of public terms"
        for each in contract.columns
        if (each.field.name in OF_ERROR and each.way not in ("made", "always"))
        or (each.field.name in OF_CHANGE and each.way != "derived")
    ]


def list_wrong_guards(contract: PublicContract) -> list[str]:
    """List what is wrong with the protection that a contract asks for, or with its reason for none, and with
    what it derives from what leaves."""
    protect = contract.protect
    derived = {each.by for each in contract.columns if each.way == "derived"}
    said = {"share": list(contract.share), "rank": [contract.rank] if contract.rank else []}
    wrong = [
        f"{word} names no dimension, or columns derived as {word} are missing"
        for word, columns in said.items()
        if (word in derived) != bool(columns) or not set(columns) <= set(contract.key)
    ]
    if ("thousand" in derived) != (contract.thousand is not None):
        wrong += ["thousand names no table, or columns derived as thousand are missing"]
    if protect is None:
        return wrong + ([] if contract.arguments else ["has neither protect nor arguments"])
    named = {each.field.name: each for each in contract.columns}
    wrong += [f"series column {name} is no dimension" for name in protect.series if name not in contract.key]
    if protect.figure not in named or named[protect.figure].way != "digits":
        wrong += [f"figure {protect.figure} is not rounded to digits"]
    if VARIANCE in named and VARIANCE not in contract.arguments:
        wrong += [f"{VARIANCE} has no argument"]
    least = MONEY_HOLDINGS if MONEY in protect.series else HOLDINGS
    if type(protect.least_holdings) is not int or protect.least_holdings < least:
        wrong += [f"protect asks for {protect.least_holdings} holdings, fewer than {least}"]
    return wrong


def list_wrong_sql(contract: PublicContract) -> list[str]:
    """The SQL of a contract that is no condition on its source, or no number of digits."""
    conditions = {"rows": contract.rows}
    if contract.protect is not None:
        conditions |= {"countries": contract.protect.countries, "leave_out": contract.protect.leave_out}
    conditions |= {each.field.name: f"({each.by}) > 0" for each in contract.columns if each.way == "digits"}
    wrong = []
    for word, text in conditions.items():
        try:
            parse_condition(text, contract.source, polars_schema(contract.source))
        except ObservatoryError as error:
            wrong.append(f"{word}: {error}")
    return wrong


def protect_of(raw: Mapping[str, Any], file_name: str) -> Protect:
    """Parse what a contract states under `protect`."""
    words = {each.name: each.default is MISSING for each in fields(Protect) if each.name != "shape"}
    words |= {"series": True} | dict.fromkeys(RELATIONS, False)
    wrong = [f"has an unknown word '{word}'" for word in raw if word not in words]
    wrong += [f"lacks {word}" for word, is_needed in words.items() if is_needed and word not in raw]
    if wrong:
        raise ObservatoryError(f"{file_name}: protect {' and '.join(wrong)}")
    relations = {name: raw[name] for name in RELATIONS if name in raw}
    shape = Shape(tuple(raw["series"]), **relations)
    others = {name: value for name, value in raw.items() if name not in ("series", *RELATIONS)}
    return Protect(shape=shape, **others)


def parse_column(name: str, about: dict[str, Any], file_name: str) -> PublicColumn:
    """A column of a contract."""
    role = about.pop("role", None)
    ways = list(about.items())
    if name not in read_fields():
        raise ObservatoryError(f"{file_name}: {name} is not defined in schemas/fields.yaml")
    if role not in ROLES or len(ways) > 1 or any(way not in WAYS for way, _ in ways):
        raise ObservatoryError(
            f"{file_name}: {name} needs a role ({', '.join(ROLES)}) and at most one of {', '.join(WAYS)}"
        )
    way, by = ways[0] if ways else ("", "")
    if name in NEVER or name.startswith("at_"):
        raise ObservatoryError(f"{file_name}: {name} never leaves the study node: remove it")
    if way == "class" and by not in CLASSES:
        raise ObservatoryError(
            f"{file_name}: {name} has no classes of '{by}'; known are {', '.join(CLASSES)}"
        )
    if way == "class" and read_fields()[name].codelist != CLASSES[by][0]:
        raise ObservatoryError(f"{file_name}: the codes of {name} are not those of {CLASSES[by][0]}")
    codelist = read_fields()[name].codelist
    if way == "derived" and by not in DERIVED:
        raise ObservatoryError(f"{file_name}: nothing is derived as '{by}'; known are {', '.join(DERIVED)}")
    if way == "always" and (codelist is None or str(by) not in list_codes(codelist)):
        raise ObservatoryError(f"{file_name}: '{by}' is no code of {name}")
    return PublicColumn(read_fields()[name], role, way, str(by))
