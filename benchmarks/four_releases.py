"""Four releases in a row of the made-up membership: estimated, protected, attacked, signed and published.

python -m benchmarks.four_releases [FOLDER] [--every N] [--p P]

FOLDER: where lake and releases lie, build/four-releases, which must not exist. --every: of each N countries
one. --p: the percentage of the p% rule, 13.7. Each attack knows all releases before it and takes each holding
as attacker. Prints a line for each release, the rows of its tables, and what an attack on the first, on two
and on all four finds.
"""

import argparse
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from jobs.base.figures.areas import COUNTRY
from jobs.base.settings.config import Observatory, load_settings
from jobs.base.store.lake import open_lake
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.cli import demo_release
from jobs.study.attack.known import Finding
from jobs.study.attack.search import Attack
from jobs.study.estimates.steps import study_stage
from jobs.study.public.knowledge import known_release, list_shapes, release_numbers
from jobs.study.public.revisions import REVISED, STANDS
from jobs.study.public.secret import VALUE
from jobs.study.public.wholes import join_blocks
from jobs.study.release import production, publishing
from sample_data import membership, quarters

P_PCT = "13.7"
# After so many releases an operator is sold.
SOLD, PERIOD = 2, quarters.RELEASES[0].period
SETTINGS = Path(__file__).parents[1] / "sample_data" / "observatory.toml"
VOLUME = "public.spam_volume"


@dataclass(frozen=True)
class Step:
    """A release that was published.

    Attributes:
        rows: of each public table that has any.
        judged, allowed, countries: the countries' volumes of a channel that were estimated, that rules let
            leave, and that left.
        stands, revised: figures published before that stand or changed.
        found, dropped: contributions that the attack found on the way, and figures dropped for it, a
            country's of a channel as one.
        seconds: of the processor, from rules to signature.
    """

    name: str
    rows: dict[str, int]
    judged: int
    allowed: int
    countries: int
    stands: int
    revised: int
    found: int
    dropped: int
    seconds: float


def settings_in(folder: Path) -> Observatory:
    """The sample's settings with lake, files and releases under a folder."""
    settings = load_settings(SETTINGS)
    roots = {name: str(folder / name) for name in ("root", "restricted", "public_root", "signers")}
    return settings.model_copy(
        update={
            "lake": settings.lake.model_copy(update={"root": str(folder / "lake")}),
            # In a few countries figures that are suspicious move areas much, and nobody is there to decide.
            "study": settings.study.model_copy(update={"files": str(folder / "files"), "open_share": 1e9}),
            "release": settings.release.model_copy(update=roots),
        }
    )


def released(
    folder: Path,
    countries: Collection[str] | None = None,
    say: Callable[[str], None] = print,
    p_pct: str = P_PCT,
    raised: Mapping[str, float] = {},
) -> Iterator[Step]:
    """Make the releases of sample_data.quarters one after the other.

    Args:
        raised: as quarters.tables() has it.
    """
    os.environ[VALUE] = p_pct
    settings = settings_in(folder)
    for number, release in enumerate(quarters.RELEASES):
        now = settings.model_copy(update={"lake": settings.lake.model_copy(update={"read_at": release.at})})
        files, run_id = folder / "files", f"release-{number + 1}"
        quarters.write(files, number, countries, raised)
        lake = open_lake(now.lake.root)
        study_stage.land_folder(lake, files, run_id)
        study_stage.estimate_tables(lake, now, files, run_id, say)
        started = time.process_time()
        made = production.make_release(now, release.period, False, say, leave_out_areas=True)
        own = Path(now.release.restricted) / made.about.name
        demo_release.clear_demo(now, own, made.digest)
        signers, public = Path(str(now.release.signers)), Path(str(now.release.public_root))
        demo_release.sign_demo(made.folder, signers)
        publishing.publish_release(made.folder, own, public, signers, demo_release.BY, release.at)
        yield step(own, made.about.name, time.process_time() - started)


def step(own: Path, name: str, seconds: float) -> Step:
    made = production.read_earlier_release(own, name).public
    counts = {table: rows.height for table, rows in sorted(made.items()) if rows.height}
    volumes = made[VOLUME]
    codes = dict(volumes["revision_code"].value_counts().rows())
    found = pl.read_csv(own / "attack.csv", infer_schema=False).height
    held = pl.read_csv(own / "held.csv", infer_schema=False)
    place = ["area_code", "channel_code"]
    is_country = pl.col("area_code").is_in(membership.countries()["country_code"].to_list())
    left = volumes.filter(pl.col("area_kind_code") == COUNTRY).select(place).unique()
    of_volumes = held.filter(is_country & (pl.col("table_name") == "study.spam_volume"))
    by_attack = of_volumes.filter(rule="attack").select(place)
    judged = pl.concat([of_volumes.select(place), left]).n_unique()
    allowed = pl.concat([by_attack, left]).n_unique()
    dropped = held.filter(rule="attack").height
    stands, revised = (codes.get(each, 0) for each in (STANDS, REVISED))
    return Step(name, counts, judged, allowed, left.height, stands, revised, found, dropped, seconds)


def attacked(
    folder: Path, count: int = len(quarters.RELEASES), p_pct: str = P_PCT
) -> tuple[list[Finding], int, int]:
    """The attack on the first releases together, on all without a count: what it finds, pairs of contribution
    and attacker, and linear programs."""
    restricted = Path(settings_in(folder).release.restricted)
    guarded = {
        each.protect.contributions: each for each in map(public_contract, public_tables()) if each.protect
    }
    names = [f"{each.period}/{each.version}" for each in quarters.RELEASES[:count]]
    made = [production.read_earlier_release(restricted / name, name) for name in names]
    releases = [known_release(each.basis, release_numbers(each, guarded)) for each in made]
    shapes = list_shapes(guarded, [each.basis for each in made])
    attack = Attack(join_blocks(releases, guarded), shapes, float(p_pct))
    found = attack.find_all()
    pairs = sum(search.pairs for search in attack.searches)
    return found, pairs, sum(search.program.count for search in attack.searches)


def some(every: int) -> list[str]:
    """Of each so many countries one."""
    return membership.countries()["country_code"].sort().to_list()[::every]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("build/four-releases"))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--p", default=P_PCT)
    given = parser.parse_args()
    folder = given.folder.resolve()
    for each in released(folder, some(given.every), lambda text: None, given.p):
        print(
            f"{each.name}: of {each.judged} countries' volumes of a channel {each.allowed} allowed by rules,"
            f" {each.countries} left; {each.stands} figures stand, {each.revised} revised;"
            f" {each.found} found, {each.dropped} dropped; {each.seconds:.0f} s"
        )
        print("  " + ", ".join(f"{table} {rows:,}" for table, rows in each.rows.items()), flush=True)
    # Between them an operator is sold: its buyer learns what it gave before.
    for count in (1, SOLD, len(quarters.RELEASES)):
        started = time.process_time()
        found, pairs, programs = attacked(folder, count, given.p)
        past = [each for each in found if all(cell.release.startswith(PERIOD) for cell in each.cells)]
        print(
            f"{count} attacked: {len(found)} contributions found, {len(past)} of them in {PERIOD} alone,"
            f" {pairs:,} pairs of contribution and attacker, {programs:,} linear programs,"
            f" {time.process_time() - started:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
