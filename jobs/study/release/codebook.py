"""Codebook, notes, citation and data package: the files that a reader needs beside the figures."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from jobs.base.costs.prices import base_year
from jobs.base.tables.public_contracts import PublicColumn
from jobs.study.release.about import About
from jobs.study.release.membership import Membership
from jobs.study.release.released_tables import (
    AREA,
    AREA_NAME,
    AREAS,
    PART,
    ReleasedTable,
    csv_bytes,
    description_of,
    meanings_of,
    published_codes,
)

# As readers of a published table ask them.
NOTES = (
    ("What is counted", "Each row has its unit and its definition of spam. Units are never added to each"
     " other; definitions count the same traffic in different ways."),
    ("Areas", "An area bears its name where the countries in the study's frame of operators have at least 90%"
     " of its population (population_pct, by the United Nations' World Population Prospects 2024); otherwise"
     " its name says how many countries the figure is of, and its code ends in _STUDY. No figure is scaled up"
     " to countries whose subscriptions the study does not have."),
    ("Estimates", "Figures are estimates for all operators of an area, from those that answered, rounded to"
     " three significant digits; those of countermeasure_cost and of the quantity spam_corrected to two. They"
     " are not altered in any other way."),
    ("Intervals", "95% intervals: the estimate divided by exp(0.9 t s), and multiplied with exp(1.3 t s), s"
     " the root of area_factor times rates_variance plus subscriptions_variance plus days_variance, t"
     " Student's 97.5% point at rates_freedom degrees; ends have three digits, rounded outward. The upper arm"
     " is the longer one, since the few operators that have most are often not among those that answered. s"
     " times 100 is the coefficient of variation, whose band cv_band_code is. They are made of these columns"
     " alone, not of how an area's own operators differ, since that would bound what each contributed; so an"
     " area that differs much from all others has an interval that is too short. They hold under the model"
     " that operators that answered are like those that did not; silent_class_code shows how much rests on"
     " it. A row without rates_variance has no interval."),
    ("Changes", "volume_change: 95% intervals of the growth of all traffic of an area, 1 + change_pct / 100"
     " divided by and multiplied with exp(t s), ends rounded outward. s is the root of area_factor (the mean"
     " of both rows) times g, plus both rows' days_variance, plus 0.0000167 for three digits. g is how much"
     " the changes of regions in the same series differ: the sum of (l - l')² / k, over n - 1, of n regions,"
     " three at least. l is the logarithm of a region's change, k its area_factor, at least half of the mean"
     " of the regions', l' the mean of l weighted by 1 / k, t Student's 97.5% point at n - 1 degrees. With"
     " fewer regions g is rates_variance of the later period's row of spam_volume, t has its degrees. They"
     " are made of published figures alone, so they are wider than the study's own, and much too wide where"
     " regions grow differently. Errors of subscriptions cancel. change_code is rise or fall where both ends"
     " are on one side of nothing, else unclear."),
    ("Rates, shares, ranks", "They follow from the other columns of a table. rate_per_subscription is the"
     " estimate over area_subscriptions, as are its ends. share_pct is the row over the published row of all"
     " units, types (_S), sources (_S) or routes (_S), with the worse of both bands; a share of two estimates"
     " has no interval, since how their errors go together is not published; nor has cost_per_thousand, money"
     " for 1,000 messages or calls of all traffic (units of spam_volume), for the same reason. rank_from and"
     " rank_to are what intervals leave open among the rows that are published. Rounded figures make them"
     " good to the digits that they have and no further."),
    ("Subscriptions", "Figures are scaled to all subscriptions of an area, which may be wrong."
     " subscriptions_variance is the relative variance that follows from the errors that the study states,"
     " those that all countries of one source share and those of each by itself; they are its judgement"
     " unless its sources give them. Where it is 0 in every row, subscriptions are taken as exact. Over s"
     " squared it is the part of the interval's squared width that is due to subscriptions."),
    ("Days without logs", "Months with logs on at least 90% of their days are scaled to all of them."
     " days_variance is the square of the share of days that is missing, rounded up: that a missing day may"
     " differ by as much as a day has is a judgement."),
    ("Reliability", "A coefficient of variation of 16.6 to 33.3% asks for caution. Above that, and where one"
     " respondent or fewer than three holdings are behind it, an estimate is of low reliability"
     " (obs_status_code U): it stands in tables alone, with its interval, and is not to be quoted."),
    ("Rows that are missing", "A row of a country is published if three holdings reported, none of them"
     " dominates the total, and its silent operators are estimated at the country's own rate; holdings that"
     " agreed to publication need no such protection. Money is published for areas of several countries"
     " with five holdings. A row that is missing says nothing about its size."),
    ("Money", f"Amounts of investment and investment_gap are in prices of {base_year()}. With the conversion"
     " market they are US dollars, at the market rates of that year; with ppp they are international dollars,"
     " at purchasing power parity. Amounts of countermeasure_cost are of their own period, in US dollars at"
     " market rates; fixed and stated cost are lower bounds. Costs by published models are in the currency"
     " and prices of their source."),
    ("Confidentiality", "Every row is free to publish. SDMX files state it for each observation"
     " (CONF_STATUS F); the other files have no column for it."),
    ("Earlier releases", "An area's figure changes only if no holding or at least three changed. Otherwise"
     " the earlier figure stands, and stands_from names its release."),
)  # fmt: skip
# What readers ask first, and where the answer is, or why there is none.
QUESTIONS = (
    ("How much spam do least developed or developing countries receive, and how did it change?",
     "spam_volume: areas 199 and DEVELOPING, with their intervals and cv_band_code. volume_change:"
     " change_pct, from change_low_pct to change_high_pct; change_code says whether that is a rise, a fall or"
     " unclear. holdings_class_code and coverage_class_code show what a change rests on."),
    ("Who sends most to an area?",
     "spam_source: the regions of source_region_code by share_pct; which of them may be first is where"
     " rank_from is 1. Single countries of source are not published."),
    ("What is spent for each mailbox or subscription?",
     "investment: rate_per_subscription, of all strategies and components (_T), as operators answered for a"
     " year. countermeasure_cost: what countermeasures cost to run in a quarter. They are never added."
     " Its cost_per_thousand is for 1,000 messages or calls; over share_pct of spam_volume, times 100, for"
     " 1,000 that are spam."),
    ("What share of spam is fraud, or of another type?",
     "spam_type: share_pct. A family of types, such as FRAUD, has a row of its own where it has two types or"
     " more. It is a lower bound: spam of unknown type (UNK) may be more of it."),
    ("What share of mail is spam?",
     "spam_volume: share_pct of the unit attempted, with share_cv_band_code."),
    ("What is spent, over revenue?",
     "Not published: official statistics on revenue may not be handed on. Divide estimates of investment by"
     " your own figures of the same area and year."),
    ("Which measure stops most for least money?",
     "Not published: what each measure stopped rests on shares that few operators dominate. countermeasure:"
     " how many holdings have each in operation. countermeasure_cost: what each costs to run, at least."),
    ("What is not known?",
     "What operators that did not answer would have said (coverage_class_code, silent_class_code); countries"
     " without operators in the frame (population_pct); spam of unknown type or source (UNK, _U); what of"
     " spam_possible is spam; and every figure whose row is missing, for the reasons above."),
)  # fmt: skip


def columns_of(table: ReleasedTable) -> list[tuple[str, str, str, str, str]]:
    """A row for each column: name, role, type, unit, description."""
    kinds = {each.field.name: each for each in table.columns}
    rows = []
    for name in table.tidy.columns:
        if name == AREA_NAME:
            rows.append((name, "label", "string", "", description_of(name)))
            continue
        each = kinds[name]
        rows.append((name, each.role, type_of(each), each.field.unit or "", description_of(name)))
    return rows


def type_of(column: PublicColumn) -> str:
    """The type of a column in a data package."""
    kind = column.field.type
    if kind.startswith(("decimal", "double")):
        return "number"
    return {"int": "integer", "bigint": "integer", "boolean": "boolean"}.get(kind, "string")


def codebook_csv(tables: Sequence[ReleasedTable], memberships: Sequence[Membership] = ()) -> bytes:
    """Every column, and every code of its list, of every table; of groups with their membership."""
    members = {AREAS[each.group][0]: each.text for each in memberships}
    members |= {code + PART: text for code, text in members.items()}
    rows = []
    for table in tables:
        kinds = {each.field.name: each for each in table.columns}
        for name, role, kind, unit, described in columns_of(table):
            rows.append([table.name, name, role, kind, unit, "", described])
            listed = meanings_of(kinds[name]) if name in kinds else None
            used = set(table.rows[name].drop_nulls().to_list()) if listed else set()
            rows += [
                [table.name, name, "", "", "", code, described_code(name, code, label, members)]
                for code, label in sorted((listed or {}).items())
                if name != AREA or code in used
            ]
    return csv_bytes(["table", "column", "role", "type", "unit", "code", "description"], rows)


def described_code(column: str, code: str, label: str, members: Mapping[str, str]) -> str:
    """Describe a code; a group of countries with the number, source and confidence of its members."""
    return f"{label}: {members[code]}" if column == AREA and code in members else label


def data_package(tables: Sequence[ReleasedTable], about: About) -> bytes:
    """The Frictionless data package of the tidy CSV files: columns, codes, keys."""
    found: dict[str, Any] = {
        "profile": "tabular-data-package",
        "name": f"spam-study-{about.period.lower()}-{about.version.replace('.', '-')}",
        "title": about.title,
        "version": about.version.removeprefix("v"),
        "licenses": [{"name": about.licence}],
        **({"homepage": about.own_address} if about.own_address else {}),
        "contributors": [{"title": about.agency_name, "role": "publisher"}],
        "resources": [describe_resource(table, about) for table in tables],
    }
    return json_bytes(found)


def describe_resource(table: ReleasedTable, about: About) -> dict[str, Any]:
    kinds = {each.field.name: each for each in table.columns}
    described = []
    for name, role, kind, _, text in columns_of(table):
        rule: dict[str, Any] = {}
        if role == "dimension":
            rule["required"] = True
        listed = published_codes(kinds[name]) if name in kinds else None
        if listed:
            rule["enum"] = sorted(listed)
        described.append(
            {"name": name, "type": kind, "description": text} | ({"constraints": rule} if rule else {})
        )
    return {
        "profile": "tabular-data-resource",
        "name": table.name.replace("_", "-"),
        "path": f"data/{about.file_name(table.name, 'csv')}",
        "title": table.name,
        "description": table.contract.description,
        "encoding": "utf-8",
        "schema": {"fields": described, "primaryKey": table.contract.key, "missingValues": [""]},
    }


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys: the same value gives the same bytes."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")


def format_citation(about: About) -> bytes:
    """CITATION.cff of the release."""
    found: dict[str, Any] = {
        "cff-version": "1.2.0",
        "type": "dataset",
        "message": "Please cite this release with its version.",
        "title": about.title,
        "version": about.version.removeprefix("v"),
        "authors": [{"name": about.agency_name}],
        "license": about.licence,
    }
    if about.own_address:
        found["url"] = about.own_address
    if "@" in about.contact:
        found["contact"] = [{"email": about.contact}]
    text: str = yaml.safe_dump(found, allow_unicode=True, sort_keys=False, width=1000)
    return text.encode("utf-8")


def read_me(
    tables: Sequence[ReleasedTable],
    about: About,
    names: Sequence[str],
    members: Sequence[tuple[str, str]] = (),
) -> bytes:
    """The page that a reader opens first.

    Args:
        members: notes on the membership of groups.
    """
    parts = [f"# {about.title}", f"Release {about.version} of {about.agency_name}. Licence: {about.licence}."]
    if about.is_made_up:
        parts.append("**All figures are made up for a demonstration and are of no real operator.**")
    parts += ["## Tables", "\n".join(f"- **{each.name}**: {each.contract.description}" for each in tables)]
    parts += ["## How to read them", *(f"**{title}.** {text}" for title, text in [*NOTES, *members])]
    parts += ["## What readers ask first", *(f"**{asked}** {where}" for asked, where in QUESTIONS)]
    parts += ["## What is published although it is no sum of reports"]
    parts += [
        f"**{table.name}, {name}.** {text}"
        for table in tables
        for name, text in table.contract.arguments.items()
    ]
    parts += ["## Files", "\n".join(f"- `{name}`" for name in names)]
    parts += [
        "## Check this release",
        "`observatory release verify FOLDER` compares every file with `manifest.json`; with the signature"
        " beside the folder and the publisher's public key it checks who signed.",
        f"Contact: {about.contact}",
    ]
    return ("\n\n".join(parts) + "\n").encode("utf-8")


def list_used_codes(table: ReleasedTable) -> list[tuple[str, str, str]]:
    """The codes that stand in the table with their meaning: column, code, meaning. Areas have their names
    beside them."""
    found = []
    for each in table.columns:
        listed = meanings_of(each) if each.role != "measure" and each.field.name != AREA else None
        if listed is not None:
            used = set(table.rows[each.field.name].drop_nulls().to_list())
            found += [(each.field.name, code, meaning) for code, meaning in listed.items() if code in used]
    return found
