"""All files of a release, from its tables: the same bytes from the same tables.

Great Expectations evaluates the public tables; its results are published with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from expectations.evaluation import Evaluated, all_results, evaluate
from jobs.base.checks.validations import refuse_broken
from jobs.study.release import codebook, manifest, sdmx, triangle
from jobs.study.release.about import About
from jobs.study.release.comparing import Change
from jobs.study.release.membership import Membership, describe_memberships
from jobs.study.release.released_tables import ReleasedTable, csv_bytes, csv_of, parquet_of
from jobs.study.release.workbook import build_workbook

HEADER = ("table", "key", "kind", "column", "before", "after")
# What differs from one evaluation to the next: a release made twice has the same bytes.
PASSING = ("id", "result_url", "meta", "suite_parameters", "exception_info")


@dataclass(frozen=True)
class ReleaseEvidence:
    """The evidence of a release beside its tables.

    Attributes:
        references: the digest of each reference table.
        inputs_seal: the keyed digest of the inputs.
        validation: the results of the rules on public tables.
        changes: since the release before it.
        revised: the figures of all releases so far, of triangle.build_triangle().
        memberships: of the groups that areas are made of.
    """

    references: Mapping[str, str]
    inputs_seal: str
    validation: Sequence[Mapping[str, Any]]
    changes: Sequence[Change]
    revised: pl.DataFrame
    memberships: Sequence[Membership] = ()


def files_of(tables: Sequence[ReleasedTable], about: About, release: ReleaseEvidence) -> dict[str, bytes]:
    """The release's files, by their path in its folder."""
    found: dict[str, bytes] = {}
    members = describe_memberships(release.memberships)
    for table in tables:
        found[f"data/{about.file_name(table.name, 'csv')}"] = csv_of(table)
        found[f"data/{about.file_name(table.name, 'parquet')}"] = parquet_of(table, about)
    found |= {f"sdmx/{name}": data for name, data in sdmx.build_files(tables, about).items()}
    found[about.file_name(f"spam-{about.period}-{about.version}", "xlsx")] = build_workbook(
        tables, about, members
    )
    found["datapackage.json"] = codebook.data_package(tables, about)
    found[about.file_name("codebook", "csv")] = codebook.codebook_csv(tables, release.memberships)
    found[about.file_name("revisions", "csv")] = format_revisions(release.changes)
    found[about.file_name(triangle.NAME, "csv")] = triangle.format_triangle(release.revised)
    found["validation.json"] = codebook.json_bytes(
        {"title": about.title, "results": list(release.validation)}
    )
    found["CITATION.cff"] = codebook.format_citation(about)
    found["README.md"] = codebook.read_me(
        tables, about, sorted([*found, "README.md", manifest.NAME]), members
    )
    found[manifest.NAME] = manifest.format_manifest(
        about, found, release.references, release.inputs_seal, release.memberships
    )
    return found


def format_revisions(changes: Sequence[Change]) -> bytes:
    """The revision log: what changed since the release before."""
    rows = [[each.table, each.key, each.kind, each.column, each.before, each.after] for each in changes]
    return csv_bytes(list(HEADER), rows)


def validate_public(public: Mapping[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """The results of the suites of the public tables. Raises ValidationHeld if an expectation is broken."""
    found = evaluate(dict(sorted(public.items())))
    refuse_broken(all_results(found), "No release was made.")
    return strip_clocks(found)


def strip_clocks(found: Sequence[Evaluated]) -> list[dict[str, Any]]:
    """Results as a release holds them, without clocks and what only this machine has."""
    return [
        drop_passing(each.result) | {"results": [expectation_of(one) for one in each.result["results"]]}
        for each in found
    ]


def expectation_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """The result of one expectation."""
    about = result["expectation_config"]
    arguments = {name: value for name, value in about["kwargs"].items() if name != "batch_id"}
    return drop_passing(result) | {"expectation_config": drop_passing(about) | {"kwargs": arguments}}


def drop_passing(about: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in about.items() if name not in PASSING}
