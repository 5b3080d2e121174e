"""A made-up release with rows in every table, for tests of what is drawn of it; its figures are of nobody."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.tables.public_contracts import OF_CHANGE, public_contract, public_tables
from jobs.study.release import decisions, folders, manifest, publishing, triangle
from jobs.study.release.about import About
from jobs.study.release.codebook import json_bytes
from jobs.study.release.released_tables import ReleasedTable, csv_of, release_table
from jobs.study.site.releases import write_releases
from tests.support.release import ABOUT

Row = dict[str, Any]
MADE_UP = replace(ABOUT, is_made_up=True)
AREAS = {"WORLD": "world", "AFR": "region", "LDC": "group", "FJI": "country"}
ESTIMATED: Row = {
    "period_code": "2026-Q4", "definition_code": "OPERATOR", "quantity_code": "spam_certain",
    "estimate": 12_500_000, "estimate_low": 9_810_000, "estimate_high": 17_300_000, "area_factor": 0.01,
    "rates_variance": 1.25, "rates_freedom": 95.0, "subscriptions_variance": 0.001, "days_variance": 0.0,
    "rate_per_subscription": 15.8, "rate_low": 14.1, "rate_high": 18.3, "cv_band_code": "acceptable",
    "share_cv_band_code": "acceptable", "coverage_class_code": "50_75", "holdings_class_code": "FROM_11",
    "silent_class_code": "25_50", "area_country_count": 195, "frame_country_count": 193,
    "rated_country_count": 0, "population_pct": 99.93, "nature_code": "E", "obs_status_code": "E",
    "conf_status_code": "F", "revision_code": "NEW",
}  # fmt: skip
# By channel the ends of a change of 8.4%, and which way it goes.
WAYS = {"EMAIL": (2.1, 15.0, "rise"), "SMS": (-3.5, 21.7, "unclear"), "VOICE_IP": (None, None, None)}
UNITS = {"EMAIL": "attempted", "SMS": "attempted", "VOICE_IP": "call"}


def rows_of(channels: Iterable[str], areas: Mapping[str, str]) -> dict[str, list[Row]]:
    """Rows of each table that estimates, by its name."""
    found: dict[str, list[Row]] = {name: [] for name in (each.split(".")[1] for each in public_tables())}
    for at, channel in enumerate(channels, 1):
        for area, kind in areas.items():
            own = ESTIMATED | {
                "channel_code": channel, "area_code": area, "area_kind_code": kind,
                "unit_code": UNITS[channel], "share_pct": 40.2 + at,
            }  # fmt: skip
            found["spam_volume"].append(own)
            if kind == "country":
                continue
            for code, share in (("_S", None), ("FRAUD.loan", 31.5 + at), ("AD.retail", 18.7), ("UNK", 12.1)):
                ranks = {"rank_from": 1, "rank_to": 1} if code == "FRAUD.loan" else {}
                found["spam_type"].append(own | {"spam_type_code": code, "share_pct": share} | ranks)
            for code, share in (("AFR", 61.5), ("EUR", 30.4), ("_U", 8.25)):
                ranks = {"rank_from": 1, "rank_to": 2} if code != "_U" else {}
                found["spam_source"].append(
                    own | ranks
                    | {"source_region_code": code, "share_pct": share, "source_basis_code": "address"}
                )  # fmt: skip
            found["spam_route"].append(
                own | {"origin_region_code": "_S", "link_code": "hub", "share_pct": 77.7,
                       "rank_from": 1, "rank_to": 1}
            )  # fmt: skip
            for code, change in (("with_before", 8.4), ("with_after", None)):
                ends = dict(zip(OF_CHANGE, WAYS[channel], strict=True)) if change else {}
                found["volume_change"].append(
                    own | ends | {"match_code": code, "earlier_period_code": "2026-Q3", "change_pct": change,
                           "later_period_code": "2026-Q4", "period_code": "2026-Q4" if change else "2026-Q3"}
                )  # fmt: skip
            for component in ("marginal", "fixed", "stated"):
                found["countermeasure_cost"].append(
                    own | {"strategy_code": "_T", "cost_component_code": component,
                           "conversion_code": "market"}
                )  # fmt: skip
            year = own | {"period_code": "2026", "strategy_code": "_T"}
            for strategy, component in (("_T", "_T"), ("filtering", "_T"), ("_T", "capital")):
                found["investment"].append(
                    year | {"strategy_code": strategy, "component_code": component,
                            "conversion_code": "market"}
                )  # fmt: skip
            found["investment_gap"].append(
                year | {"target_code": "norm", "target_per_subscription": 0.5, "necessary": 458_000_000,
                        "spend": 12_500_000, "spend_low": 9_810_000, "spend_high": 17_300_000,
                        "gap": 445_500_000, "gap_low": 440_700_000, "gap_high": 448_190_000}
            )  # fmt: skip
            quarter = {
                "share_class_code": "25_50",
                "share_from_pct": 25,
                "share_below_pct": 50,
                "answered_class_code": "20_49",
            }
            found["countermeasure"].append(year | quarter | {"strategy_code": "filtering"})
            found["policy"].append(
                year | quarter | {"indicator_code": f"sp901.{channel}", "answer_code": "OPTIN",
                                  "pillar_code": "legal", "indicator_text": f"Legal model: {channel}"}
            )  # fmt: skip
            found["user_cost"].append(
                own | {"user_cost_code": f"seconds_{at}", "description": "Time to delete",
                       "user_basis_code": "model", "bound_code": "upper",
                       "modelled_p05": 1.1, "modelled_p50": 5.5, "modelled_p95": 9.9}
            )  # fmt: skip
        if channel == "EMAIL":
            found["published_volume"] += others_rows()
    return found


def others_rows() -> list[Row]:
    """Return figures of e-mail that others printed, with and without a figure of the study beside them."""
    printed = {
        "area_code": "WORLD", "channel_code": "EMAIL", "issuer": "Cisco", "statistic_text": "Spam mails",
        "published_bound_code": "about", "source": "A report", "source_read": "issuer",
        "conf_status_code": "F",
    }  # fmt: skip
    counted = (
        ("2010", "share", 84.4, "percent", 63.3), ("2010-08", "per_day", 379e9, "messages a day", 2.27e9),
        ("2010-Q2", "per_quarter", 82_300_000, "messages a quarter", 209e6),
        ("2007", "none", 10.8e12, "messages a year", None),
    )  # fmt: skip
    return [
        printed
        | {"period_code": period, "figure_code": f"figure_{at}", "comparison_code": code, "unit_text": unit}
        | {"printed_value": value, "own_value": own, "own_period_code": "2026-Q4" if own else None}
        for at, (period, code, value, unit, own) in enumerate(counted)
    ]


def empty_tables(without: Iterable[ReleasedTable]) -> list[ReleasedTable]:
    """Every published table but these, without rows."""
    given = {each.contract.table for each in without}
    return [
        release_table(name, pl.DataFrame(schema=public_contract(name).schema))
        for name in public_tables()
        if name not in given
    ]


def write_whole(
    root: Path,
    about: About = MADE_UP,
    channels: Iterable[str] = ("EMAIL", "SMS", "VOICE_IP"),
    areas: Mapping[str, str] = AREAS,
    empty: Iterable[str] = (),
    changed: Mapping[str, Row] | None = None,
) -> Path:
    """The folder of a release with every table, of the files that a site is drawn from alone.

    Args:
        empty: tables without rows.
        changed: by table, values that all its rows have instead.
    """
    of_table = rows_of(channels, areas)
    tables = []
    for name in public_tables():
        short = name.split(".")[1]
        schema = public_contract(name).schema
        own = [] if short in empty else of_table[short]
        rows = [
            {column: row.get(column) for column in schema} | (changed or {}).get(short, {}) for row in own
        ]
        tables.append(release_table(name, pl.DataFrame(rows, schema=schema)))
    files = {f"data/{about.file_name(each.name, 'csv')}": csv_of(each) for each in tables}
    files[about.file_name(triangle.NAME, "csv")] = triangle.format_triangle(triangle.build_triangle([]))
    files["validation.json"] = json_bytes({"results": [{"results": [{"success": True}, {"success": True}]}]})
    folder = root / about.period / about.version
    folders.write_folder(folder, files | {manifest.NAME: manifest.format_manifest(about, files, {}, "")})
    return folder


def list_release(root: Path, about: About, at: dt.datetime) -> Path:
    """A release published as the records say, of which readers have the folder alone."""
    folder, restricted = root / "public" / about.name, root / "restricted" / about.name
    if not folder.is_dir():
        folders.write_folder(folder, {manifest.NAME: b"{}"})
    digest = manifest.compute_digest((folder / manifest.NAME).read_bytes())
    folders.write_folder(restricted, {folders.ABOUT: json_bytes({"about": asdict(about)})}, is_private=True)
    decisions.record_decision(restricted, "published", "A. Officer", digest, at)
    publishing.write_index(root / "public", root / "restricted")
    write_releases(root / "public", root / "restricted")
    return folder
