"""Making a release: the study's tables as they are, through the gate, into a folder that never changes.

What it was made from is kept beside it, restricted: with that it can be made again, to the byte.
"""

import dataclasses
import io
import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import count_noun, format_noun, name_few
from jobs.base.figures.reliability import may_be_quoted
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake, open_lake
from jobs.base.store.lock import lock_for_writing
from jobs.base.tables.contracts import REFERENCE
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.public.cells import (
    CELL,
    CONTRIBUTION,
    DECISION,
    RULES,
    Basis,
    EarlierRelease,
    candidate_rows,
)
from jobs.study.public.gate import Protected, Unprotectable, make_public_tables
from jobs.study.public.revisions import REVISED, STANDS
from jobs.study.public.secret import p_pct
from jobs.study.questionnaire.respondents import load_respondents
from jobs.study.release import (
    assembly,
    clearance,
    comparing,
    decisions,
    manifest,
    membership,
    reading_back,
    triangle,
)
from jobs.study.release.about import About
from jobs.study.release.assembly import validate_public
from jobs.study.release.folders import ABOUT, UNMADE, versions_in, write_folder, write_release
from jobs.study.release.recipe import (
    Recipe,
    files_folder,
    frames_in,
    idle_packages,
    recipe_in,
    recipe_of,
    tables_of,
)
from jobs.study.release.released_tables import AREA, AREAS, WHOLE, ReleasedTable, csv_of, release_table

GAPS = "study.investment_gap"
PERIOD = "period_code"
SEAL = "seal.key"
PROGRAM = "observatory"


@dataclass(frozen=True)
class MadeRelease:
    """A release that was made.

    Attributes:
        counts: of each table its rows, and the rows that were held back.
    """

    about: About
    folder: Path
    digest: str
    counts: list[tuple[str, int, int]]
    notes: list[str]


# --- making -----------------------------------------------------------------------------------------


def make_release(
    settings: Observatory,
    period: str,
    is_major: bool,
    say: Callable[[str], None] = print,
    leave_out_areas: bool = False,
) -> MadeRelease:
    """Make a release of the study's tables in the lake.

    Raises ObservatoryError for a period that is not over or has no estimates, estimates that are not of the
    inputs as they are now, and findings that are open; Unprotectable where areas reveal a contribution.
    """
    return make_from_lake(open_lake(settings.lake.root), settings, period, is_major, say, leave_out_areas)


@lock_for_writing("observatory release make")
def make_from_lake(
    lake: Lake,
    settings: Observatory,
    period: str,
    is_major: bool,
    say: Callable[[str], None],
    leave_out_areas: bool,
) -> MadeRelease:
    """Protect, attack and write a release of the tables that the lake has now.

    Args:
        is_major: give the release a new major version.
        say: takes a line on each step.
        leave_out_areas: leave out groups and regions whose figures reveal a contribution, but never the
            world.
    """
    remove_unmade(Path(settings.release.root), Path(settings.release.restricted), period)
    recipe = recipe_of(lake, settings, period, is_major, leave_out_areas)
    say("release: protecting and attacking")
    restricted = Path(settings.release.restricted)
    try:
        protected = protected_by(recipe, restricted, p_pct())
    except Unprotectable as error:
        error.args = (f"{error}. {keep_refusal(restricted, recipe, error)}",)
        raise
    say("release: writing")
    files, tables = build_release(recipe, protected, restricted)
    own = restricted / recipe.about.period / recipe.about.version
    folder = Path(settings.release.root) / recipe.about.period / recipe.about.version
    digest = manifest.compute_digest(files[manifest.NAME])
    record_of = {
        decisions.FILE: decisions.format_decision("made", PROGRAM, digest, settings.lake.now).encode("utf-8")
    }
    write_release(folder, files, own, build_kept(recipe, protected) | record_of)
    held = Counter(protected.held_rows["table_name"].to_list())
    counts = [
        (table.name, table.rows.height, held[table.contract.source] if table.contract.protect else 0)
        for table in tables
    ]
    notes = [
        *idle_packages(lake, recipe.basis.tables[CONTRIBUTION], recipe.about),
        *notes_of(recipe, protected),
        *note_unasked(tables, list_administrations(settings)),
    ]
    return MadeRelease(recipe.about, folder, digest, counts, notes)


def note_unasked(tables: Sequence[ReleasedTable], administrations: Mapping[str, str]) -> list[str]:
    """Lines on countries whose rows leave, if some of them have no administration that can be asked."""
    row_counts = clearance.count_country_rows(clearance.areas_of(tables))
    unasked = [country for country in row_counts if country not in administrations]
    if not unasked:
        return []
    return [
        f"Rows of {format_noun(len(row_counts), 'country', 'countries')} leave. Without an administration in"
        f" the list of respondents: {len(unasked)}; each needs one, or a decision of its own, before"
        f" publication: {', '.join(unasked)}."
    ]


def find_release_of_estimates(settings: Observatory, period: str) -> str | None:
    """The newest version of a period, if the estimates in the lake are those that it was made of."""
    versions = versions_in(Path(settings.release.root), period)
    if not versions:
        return None
    kept = frames_in(Path(settings.release.restricted) / period / versions[-1] / "basis")
    now = tables_of(open_lake(settings.lake.root), files_folder(settings))
    is_same = kept.keys() == now.keys() and all(rows.equals(kept[table]) for table, rows in now.items())
    return versions[-1] if is_same else None


def remove_unmade(root: Path, restricted_root: Path, period: str) -> None:
    """Remove the restricted folders of a period whose releases were never written, because `make` was killed:
    UNMADE is in them. A restricted folder without it is never removed, wherever its release lies."""
    for version in versions_in(restricted_root, period):
        own = restricted_root / period / version
        if (own / UNMADE).is_file():
            if (root / period / version).exists():
                (own / UNMADE).unlink()
            else:
                shutil.rmtree(own)


# --- protected, written, kept -----------------------------------------------------------------------


def protected_by(recipe: Recipe, restricted: Path, p: float) -> Protected:
    """The public tables, through the gate."""
    earlier = [read_earlier_release(restricted / name, name) for name in recipe.earlier]
    tables, held = dict(recipe.basis.tables), []
    is_left_out = pl.col(AREA).is_in(list(recipe.countries_left_out))
    for table in map(public_contract, public_tables()):
        rows = tables[table.source]
        if AREA not in rows.columns:
            continue
        tables[table.source] = rows.filter(~is_left_out)
        if table.protect is not None:
            own = candidate_rows(table, recipe.basis, recipe.about.periods).filter(is_left_out)
            held.append(own.select(*CELL, rule=pl.lit(DECISION)))
    made = make_public_tables(
        Basis(recipe.about.name, tables), earlier, recipe.about.periods, p, recipe.leave_out_areas
    )
    return dataclasses.replace(made, held_rows=pl.concat([made.held_rows, *held]))


def read_earlier_release(folder: Path, name: str) -> EarlierRelease:
    """An earlier release in the form that the gate and the attack take."""
    public = {
        table: select_todays_columns(table, rows)
        for table, rows in frames_in(folder / "public").items()
        if table in public_tables()
    }
    return EarlierRelease(Basis(name, frames_in(folder / "basis")), public)


def select_todays_columns(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of an earlier release in the columns of today's contract: one that it did not have is null."""
    return rows.select(
        pl.col(name) if name in rows.columns else pl.lit(None, kind).alias(name)
        for name, kind in public_contract(table).schema.items()
    )


def build_release(
    recipe: Recipe, protected: Protected, restricted: Path
) -> tuple[dict[str, bytes], list[ReleasedTable]]:
    """The release's files and tables. Raises ValidationHeld if an expectation on public tables is broken, and
    ObservatoryError if a file is not read as it was written."""
    tables = [release_table(table, protected.public[table]) for table in public_tables()]
    results = validate_public(protected.public)
    now = format_tables(tables)
    known = {name: texts_of(restricted / name) for name in recipe.earlier if name not in recipe.withdrawn}
    before = [name for name in recipe.earlier if name.startswith(f"{recipe.about.period}/")]
    changes = []
    if before:
        changes = comparing.compare_tables(known.get(before[-1]) or texts_of(restricted / before[-1]), now)
    revised = triangle.build_triangle([*known.items(), (recipe.about.name, now)])
    seal = manifest.seal_inputs(encode_inputs(recipe), seal_key(restricted))
    references = {
        file.stem: manifest.compute_digest(file.read_bytes()) for file in sorted(REFERENCE.glob("*.csv"))
    }
    groups = membership.list_memberships(recipe.basis.tables["ref.country_group"], recipe.about.day)
    made = assembly.ReleaseEvidence(references, seal, results, changes, revised, groups)
    files = assembly.files_of(tables, recipe.about, made)
    reading_back.refuse_unreadable(files, tables, recipe.about)
    return files, tables


def texts_of(restricted: Path) -> dict[str, pl.DataFrame]:
    """The tables of an earlier release as texts, from its restricted folder; without those whose contract
    has other columns since."""
    public = frames_in(restricted / "public")
    return format_tables(
        [
            release_table(table, public[table])
            for table in public_tables()
            if table in public and public[table].columns == list(public_contract(table).schema)
        ]
    )


def format_tables(tables: Sequence[ReleasedTable]) -> dict[str, pl.DataFrame]:
    """Tables by name, as their CSV files hold them."""
    return {each.name: pl.read_csv(io.BytesIO(csv_of(each)), infer_schema=False) for each in tables}


def encode_inputs(recipe: Recipe) -> bytes:
    """All inputs as bytes, for their seal."""
    parts = [",".join(recipe.earlier), ",".join(recipe.countries_left_out)]
    for table, rows in sorted(recipe.basis.tables.items()):
        parts += [table, rows.write_ndjson()]
    return "\n".join(parts).encode("utf-8")


def seal_key(restricted: Path) -> bytes:
    """The key of the seals of inputs, made once."""
    file = restricted / SEAL
    if not file.is_file():
        restricted.mkdir(parents=True, exist_ok=True, mode=0o700)
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as out:
            out.write(secrets.token_bytes(32))
    return file.read_bytes()


def build_kept(recipe: Recipe, protected: Protected) -> dict[str, bytes]:
    """The files of the restricted folder: what it takes to make the release again, which rule held which row
    back, and what the attack found."""
    found = {f"basis/{table}.parquet": encode_parquet(rows) for table, rows in recipe.basis.tables.items()}
    found |= {f"public/{table}.parquet": encode_parquet(rows) for table, rows in protected.public.items()}
    found["held.csv"] = protected.held_rows.write_csv().encode("utf-8")
    found["attack.csv"] = protected.findings.write_csv().encode("utf-8")
    about = {
        "about": dataclasses.asdict(recipe.about),
        "earlier": list(recipe.earlier),
        "left_out": list(recipe.countries_left_out),
        "leave_out_areas": recipe.leave_out_areas,
        "withdrawn": list(recipe.withdrawn),
    }
    found[ABOUT] = (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    return found


def encode_parquet(rows: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    rows.write_parquet(out)
    return out.getvalue()


def keep_refusal(restricted: Path, recipe: Recipe, error: Unprotectable) -> str:
    """Name the figures that reveal a contribution where only the study's own team reads it; where that is,
    and the officer's choices."""
    folder = restricted / "refused"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    of_period = f"{recipe.about.period}-{recipe.about.version}"
    for name, rows in (("held", error.held_rows), ("attack", error.findings)):
        if rows is None:
            continue
        file = folder / f"{of_period}-{name}.csv"
        file.write_text(rows.write_csv(), encoding="utf-8")
        file.chmod(0o600)
    left_out = (
        "\n- leave out the groups and regions with the fewest units that reveal one: `observatory release"
        f" make --period {recipe.about.period} --leave-out-areas`"
    )
    return (
        f"{folder / of_period}-attack.csv names the figures. Choose one of these:"
        "\n- load more answers and packages, and run `observatory study estimate`"
        + ("" if recipe.leave_out_areas else left_out)
        + "\n- a smaller p, which lets others know each contribution more closely: decide on it before you"
        " look at what it lets leave, and keep it for later releases (docs/tsb.md, Releases)"
    )


def notes_of(recipe: Recipe, protected: Protected) -> list[str]:
    """List notes on a release for the officer."""
    notes = []
    if recipe.countries_left_out:
        notes.append(f"Left out by decision on an objection: {', '.join(recipe.countries_left_out)}.")
    is_now = protected.findings["cells"].str.contains(f"{recipe.about.name} ", literal=True)
    now = int(is_now.sum())
    past = protected.findings.height - now
    if now:
        notes.append(
            f"The attack found {count_noun(now, 'contribution')}; what revealed any was dropped, and what is"
            " left reveals none."
        )
    if past:
        notes.append(
            f"Earlier releases alone reveal {count_noun(past, 'contribution')} to holdings that bought an"
            " operator since; this release adds nothing to that. attack.csv in the restricted folder names"
            " them."
        )
    notes += [
        *note_unquoted(protected.public),
        *note_unrevised(protected.public),
        *note_short_years(protected.public),
    ]
    of_gaps = [
        contract.table for contract in map(public_contract, public_tables()) if contract.source == GAPS
    ]
    if recipe.basis.tables[GAPS].height and all(protected.public[table].is_empty() for table in of_gaps):
        notes.append(
            "No gap to a norm left: [study.gap] norm is not set, or no spending left. A study needs no norm;"
            " if this one has decided on one, set it and run `observatory study estimate`."
        )
    rules = protected.held_rows.group_by("rule").len().sort("rule")
    notes += [
        f"Held back by {rule}: {count_noun(count, 'row')}. {RULES[rule]}." for rule, count in rules.rows()
    ]
    return [*notes, *note_areas(protected.held_rows)]


def note_areas(held_rows: pl.DataFrame) -> list[str]:
    """A line on the groups and regions that were left out because their figures reveal a contribution, with
    the tables that lack them."""
    whole = held_rows.filter(
        pl.col("rule") == "attack", pl.col("series").is_null(), pl.col(AREA).is_in(list(AREAS))
    )
    table = pl.col("table_name").str.strip_prefix("study.").unique().sort()
    rows = whole.group_by(AREA, "channel_code", PERIOD).agg(table).sort(AREA, "channel_code", PERIOD)
    of_area: dict[str, list[str]] = {}
    for area, channel, period, tables in rows.rows():
        of_area.setdefault(area, []).append(f"{channel} in {period}: {', '.join(tables)}")
    listed = "; ".join(f"{AREAS[area][1]} ({'; '.join(own)})" for area, own in of_area.items())
    return [f"Areas left out, with all their rows of the tables named: {listed}."] if listed else []


def note_unquoted(public: Mapping[str, pl.DataFrame]) -> list[str]:
    """A line if no volume of all countries together may be quoted.

    Args:
        public: by the table's name, with or without its schema.
    """
    volumes = next((rows for name, rows in public.items() if name.endswith("spam_volume")), pl.DataFrame())
    if volumes.is_empty():
        return []
    bands = volumes.filter(pl.col(AREA).is_in(WHOLE), pl.col("quantity_code") != "units")["cv_band_code"]
    if bands.is_empty() or any(map(may_be_quoted, bands)):
        return []
    withheld = bands.null_count()
    return [
        "No volume of all countries together may be quoted:"
        f" {format_noun(withheld, 'row leaves', 'rows leave')} without reliability and interval, which would"
        f" reveal a contribution, and {len(bands) - withheld} of low reliability. Sentences of the site and"
        " the documents then have no volume: read the site before you publish."
    ]


NOTHING_REVISED = (
    "This version revises no figure: publish it only for what it takes away, or wait until more is corrected."
)


def note_unrevised(public: Mapping[str, pl.DataFrame]) -> list[str]:
    """A line on the figures that a correction does not change."""
    marked = [rows for rows in public.values() if "revision_code" in rows.columns]
    count, revised = (
        sum(rows.filter(revision_code=code).height for rows in marked) for code in (STANDS, REVISED)
    )
    if not count:
        return []
    return [
        *([] if revised else [NOTHING_REVISED]),
        f"{format_noun(count, 'row stands', 'rows stand')} as in an earlier version (revision_code {STANDS}):"
        " one or two holdings changed, and a new figure would show by how much. Their correction leaves once"
        " three holdings of a figure have changed.",
    ]


def note_short_years(public: Mapping[str, pl.DataFrame]) -> list[str]:
    """Figures of a year that are below those of one of its quarters, which can be where others answered."""
    short = []
    for contract in map(public_contract, public_tables()):
        if contract.protect is None or contract.protect.released_by != PERIOD:
            continue
        figure, by = contract.protect.figure, [name for name in contract.key if name != PERIOD]
        rows = public[contract.table].with_columns(year=pl.col(PERIOD).str.slice(0, 4))
        quarters = rows.filter(pl.col(PERIOD).str.contains("Q")).select(*by, "year", quarter=figure)
        years = rows.filter(pl.col(PERIOD) == pl.col("year")).join(quarters, on=[*by, "year"])
        of = years.filter(pl.col(figure) < pl.col("quarter")).select(PERIOD, *by).unique().sort(pl.all())
        short += [f"{contract.name} {'/'.join(row)}" for row in of.rows()]
    if not short:
        return []
    return [
        f"{count_noun(len(short), 'figure')} of a year below those of one of its quarters, because others"
        f" answered: {name_few(short)}. Ask those that answered one of the two for the other."
    ]


# --- again ------------------------------------------------------------------------------------------


def make_again(settings: Observatory, period: str, version: str, to: Path) -> Path:
    """Make a release again from what its restricted folder kept. Raises ObservatoryError if a byte differs
    from the release that was made."""
    restricted = Path(settings.release.restricted)
    own = restricted / period / version
    if not (own / ABOUT).is_file():
        raise ObservatoryError(f"{own} holds no release: `observatory release list` names those made here")
    recipe = recipe_in(own)
    files, _ = build_release(recipe, protected_by(recipe, restricted, p_pct()), restricted)
    target = to / period / version
    write_folder(target, files)
    made = [each.digest for each in decisions.read_decisions(own) if each.what == "made"]
    if made != [manifest.compute_digest(files[manifest.NAME])]:
        raise ObservatoryError(
            f"{target} differs from the release as it was made: the program, its reference tables or p are"
            " others. `observatory release diff` shows which figures differ"
        )
    return target


def read_kept_release(restricted: Path) -> tuple[About, list[ReleasedTable]]:
    """A release's own data and its tables, from its restricted folder."""
    recipe = recipe_in(restricted)
    public = frames_in(restricted / "public")
    return recipe.about, [release_table(table, public[table]) for table in public_tables()]


def list_languages(settings: Observatory) -> dict[str, str]:
    """The language of each country's administration in the list of respondents."""
    return {each.country: each.language for each in load_respondents(settings).values() if each.role == "A"}


def list_administrations(settings: Observatory) -> dict[str, str]:
    """The administration of each country that has one in the list of respondents."""
    return {each.country: each.name for each in load_respondents(settings).values() if each.role == "A"}
