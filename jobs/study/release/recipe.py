"""The inputs of a release, from the study's tables or from a restricted folder, and the checks that refuse a
release before it is made."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.periods import months_of
from jobs.base.settings.config import Observatory
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import read_contract
from jobs.base.tables.csv_tables import read_tables
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.estimates.steps import study_stage
from jobs.study.estimates.steps.finding_decisions import refuse_open
from jobs.study.public.cells import CONTRIBUTION, PRICES, WORLD, Basis
from jobs.study.release import clearance, decisions
from jobs.study.release.about import About, next_version
from jobs.study.release.folders import ABOUT, list_releases, versions_in
from jobs.study.release.publishing import refuse_unfinished


@dataclass(frozen=True)
class Recipe:
    """All that a release is made from.

    Attributes:
        earlier: the releases that were published before, in their order.
        withdrawn: those of them that are withdrawn, which the revision triangle leaves out.
        countries_left_out: those whose rows a decision on an objection leaves out.
        leave_out_areas: groups and regions that reveal a contribution are left out, too.
    """

    about: About
    basis: Basis
    earlier: Sequence[str]
    countries_left_out: Sequence[str]
    leave_out_areas: bool = False
    withdrawn: Sequence[str] = ()


def recipe_of(
    lake: Lake, settings: Observatory, period: str, is_major: bool, leave_out_areas: bool
) -> Recipe:
    """Return the inputs of a release of the period. Raises ObservatoryError where it cannot be made."""
    about = About(
        period=period,
        version=next_version(versions_in(Path(settings.release.restricted), period), is_major),
        agency=require_agency(settings),
        agency_name=settings.release.agency_name,
        contact=settings.release.contact,
        licence=settings.release.licence,
        code=record.code_revision(),
        is_made_up=settings.release.is_made_up,
        address=settings.release.address,
    )
    refuse_unkept(Path(settings.release.root), Path(settings.release.restricted))
    today = settings.lake.now.date()
    if about.day >= today:
        raise ObservatoryError(
            f"{period} ends on {about.day}, and today is {today}: it can be released from"
            f" {about.day + dt.timedelta(1)} on"
        )
    folder = files_folder(settings)
    if not study_stage.is_current(lake, settings, folder):
        raise ObservatoryError(
            "the estimates in the lake are not of the answers, packages, files and program as they are now:"
            " `observatory study estimate` computes them again"
        )
    refuse_open(lake, about.periods, settings.study.open_share)
    basis = Basis(about.name, tables_of(lake, folder))
    have = basis.tables["study.spam_volume"]
    if period not in set(have["period_code"]):
        known = sorted(each for each in set(have["period_code"]) if "-Q" in each)
        raise ObservatoryError(
            f"the study has no estimates of {period}; it has {', '.join(known) or 'none of a quarter'}"
        )
    refuse_idle_waivers(lake, basis.tables[CONTRIBUTION], about)
    restricted = Path(settings.release.restricted)
    if settings.release.public_root is not None:
        refuse_unfinished(restricted, Path(settings.release.public_root))
    before = decisions.list_published(restricted)
    withdrawn = decisions.list_withdrawn(restricted)
    return Recipe(
        about, basis, before, list_countries_left_out(restricted, period), leave_out_areas, withdrawn
    )


def refuse_unkept(root: Path, restricted: Path) -> None:
    """Raise ObservatoryError if a release has no restricted folder: the attack would not know it."""
    unkept = ["/".join(each) for each in list_releases(root) if not (restricted / Path(*each)).is_dir()]
    if unkept:
        raise ObservatoryError(
            f"{root / unkept[0]} has no folder under {restricted}, which keeps what it was made from and who"
            " decided on it. Name the folder that has it in [release] restricted, or move the release away"
        )


def require_agency(settings: Observatory) -> str:
    if settings.release.agency is None:
        raise ObservatoryError(
            "[release] agency is not set: the id, in SDMX, of the agency that maintains the release's codes"
        )
    return settings.release.agency


def files_folder(settings: Observatory) -> Path:
    if settings.study.files is None:
        raise ObservatoryError("[study] files is not set: name the folder with the frame of operators")
    return Path(settings.study.files)


def tables_of(lake: Lake, folder: Path) -> dict[str, pl.DataFrame]:
    """The tables that a release rests on."""
    sources = {public_contract(table).source for table in public_tables()} | {CONTRIBUTION}
    found = {table: lake.read(table) for table in sorted(sources)}
    found |= read_tables(folder, (*WORLD, PRICES))
    return {
        table: rows.sort([name for name in read_contract(table).key if name in rows.columns])
        for table, rows in found.items()
    }


def refuse_idle_waivers(lake: Lake, contribution: pl.DataFrame, about: About) -> None:
    """Raise ObservatoryError if a respondent waived for a period of the release and contributed nothing: its
    waiver would protect nobody, and its answers may have been lost."""
    answers = lake.read("study.questionnaire_answer")
    waived = answers.filter(
        pl.col("period_code").is_in(list(about.periods))
        & (pl.col("waiver") != "W0")
        & (pl.col("role_code") == "O")
    )
    contributed = contribution.filter(pl.col("period_code").is_in(list(about.periods)))
    idle = sorted(set(waived["respondent_id"]) - set(contributed["respondent_id"]))
    if idle:
        raise ObservatoryError(
            f"{', '.join(idle[:5])} waived protection and contributed nothing: load its answers or package,"
            " or have the waiver withdrawn"
        )


def idle_packages(lake: Lake, contribution: pl.DataFrame, about: About) -> list[str]:
    """A line if packages waive for months of the release and nothing of them counts: then there is nothing to
    waive."""
    months = [month for period in about.periods for month in months_of(period)]
    waived = lake.read("study.submission").filter(
        pl.col("period_code").is_in([*about.periods, *months]) & (pl.col("waiver") != "W0")
    )
    contributed = contribution.filter(pl.col("period_code").is_in(list(about.periods)))
    idle = sorted(set(waived["respondent_id"]) - set(contributed["respondent_id"]))
    if not idle:
        return []
    return [
        f"No effect of a waiver: {', '.join(idle[:5])} waived in its package, of which no month counts in an"
        " estimate."
    ]


def list_countries_left_out(restricted: Path, period: str) -> list[str]:
    """The countries that decisions on objections leave out of releases of a period."""
    found: set[str] = set()
    for version in versions_in(restricted, period):
        cleared = clearance.read_clearance(restricted / period / version)
        found |= set(cleared.countries_left_out) if cleared else set()
    return sorted(found)


def recipe_in(folder: Path) -> Recipe:
    """The recipe that a restricted folder kept."""
    found: dict[str, Any] = json.loads((folder / ABOUT).read_bytes())
    about = About(**found["about"])
    basis = Basis(about.name, frames_in(folder / "basis"))
    return Recipe(
        about,
        basis,
        found["earlier"],
        found["left_out"],
        found.get("leave_out_areas", False),
        found.get("withdrawn", []),
    )


def frames_in(folder: Path) -> dict[str, pl.DataFrame]:
    return {file.stem: pl.read_parquet(file) for file in sorted(folder.glob("*.parquet"))}
