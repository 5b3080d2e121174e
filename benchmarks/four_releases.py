"""Four releases in a row of the made-up membership: estimated, protected, attacked, signed and published.

python -m benchmarks.four_releases [FOLDER] [--every N]

FOLDER: where lake and releases lie, build/four-releases, which must not exist. --every: of each N countries
one. Each attack knows all releases before it and takes each holding as attacker. p is 13.7. Prints a line for
each release, and what an attack on all four finds.
"""

import argparse
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from jobs.attack.known import Finding
from jobs.attack.search import Attack
from jobs.cli import demo_release
from jobs.core.areas import COUNTRY
from jobs.engine.lake import open_lake
from jobs.public.contracts import public_contract, public_tables
from jobs.public.knowledge import known_release, list_shapes, of_release
from jobs.public.revisions import REVISED, STANDS
from jobs.public.secret import VALUE
from jobs.public.wholes import join_blocks
from jobs.release import making, publishing
from jobs.settings.config import Observatory, load_settings
from jobs.study.estimate import study_stage
from sample_data import membership, quarters

P_PCT = "13.7"
# After so many releases an operator is sold.
SOLD, PERIOD = 2, quarters.RELEASES[0].period
SETTINGS = Path(__file__).parents[1] / "sample_data" / "observatory.toml"
VOLUME = "public.spam_volume"


@dataclass(frozen=True)
class Step:
    """A release that was published. rows: of volumes. countries: whose rows of a channel left. stands,
    revised: figures published before that stand or changed. found: contributions that the attack found on the
    way, whose rows were dropped. seconds: of the processor, from rules to signature."""

    name: str
    rows: int
    countries: int
    stands: int
    revised: int
    found: int
    seconds: float


def settings_in(folder: Path) -> Observatory:
    """The sample's settings with lake, files and releases under a folder."""
    settings = load_settings(SETTINGS)
    roots = {name: str(folder / name) for name in ("root", "restricted", "public_root", "signers")}
    return settings.model_copy(
        update={
            "lake": settings.lake.model_copy(update={"root": str(folder / "lake")}),
            "study": settings.study.model_copy(update={"files": str(folder / "files")}),
            "release": settings.release.model_copy(update=roots),
        }
    )


def released(
    folder: Path, countries: Collection[str] | None = None, say: Callable[[str], None] = print
) -> Iterator[Step]:
    """Make the releases of sample_data.quarters one after the other."""
    os.environ[VALUE] = P_PCT
    settings = settings_in(folder)
    for number, release in enumerate(quarters.RELEASES):
        now = settings.model_copy(update={"lake": settings.lake.model_copy(update={"read_at": release.at})})
        files, run_id = folder / "files", f"release-{number + 1}"
        quarters.write(files, number, countries)
        lake = open_lake(now.lake.root)
        study_stage.land_submissions(lake, files, run_id)
        study_stage.estimate_tables(lake, now, files, run_id, say)
        started = time.process_time()
        made = making.make_release(now, release.period, False, say, leave_out_areas=True)
        own = Path(now.release.restricted) / made.about.name
        demo_release.clear_demo(now, own, made.digest)
        signers, public = Path(str(now.release.signers)), Path(str(now.release.public_root))
        demo_release.sign_demo(made.folder, signers)
        publishing.publish_release(made.folder, own, public, signers, demo_release.BY, release.at)
        yield step(own, made.about.name, time.process_time() - started)


def step(own: Path, name: str, seconds: float) -> Step:
    rows = making.released_in(own, name).public[VOLUME]
    codes = dict(rows["revision_code"].value_counts().rows())
    found = pl.read_csv(own / "attack.csv", infer_schema=False).height
    of_countries = rows.filter(pl.col("area_kind_code") == COUNTRY)
    countries = of_countries.select("area_code", "channel_code").n_unique()
    return Step(name, rows.height, countries, codes.get(STANDS, 0), codes.get(REVISED, 0), found, seconds)


def attacked(folder: Path, count: int = len(quarters.RELEASES)) -> tuple[list[Finding], int, int]:
    """The attack on the first releases together, on all without a count: what it finds, pairs of contribution
    and attacker, and linear programs."""
    restricted = Path(settings_in(folder).release.restricted)
    guarded = {
        each.protect.contributions: each for each in map(public_contract, public_tables()) if each.protect
    }
    names = [f"{each.period}/{each.version}" for each in quarters.RELEASES[:count]]
    made = [making.released_in(restricted / name, name) for name in names]
    releases = [known_release(each.basis, of_release(each, guarded)) for each in made]
    shapes = list_shapes(guarded, [each.basis for each in made])
    attack = Attack(join_blocks(releases, guarded), shapes, float(P_PCT))
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
    given = parser.parse_args()
    folder = given.folder.resolve()
    print("release          rows  countries  stands  revised  found  processor s")
    for each in released(folder, some(given.every), lambda text: None):
        print(
            f"{each.name:15}  {each.rows:4}  {each.countries:9}  {each.stands:6}  {each.revised:7}"
            f"  {each.found:5}  {each.seconds:11.0f}",
            flush=True,
        )
    # Between them an operator is sold: its buyer learns what it gave before.
    for count in (SOLD, len(quarters.RELEASES)):
        started = time.process_time()
        found, pairs, programs = attacked(folder, count)
        past = [each for each in found if all(cell.release.startswith(PERIOD) for cell in each.cells)]
        print(
            f"{count} attacked: {len(found)} contributions found, {len(past)} of them in {PERIOD} alone,"
            f" {pairs:,} pairs of contribution and attacker, {programs:,} linear programs,"
            f" {time.process_time() - started:.0f} s"
        )


if __name__ == "__main__":
    main()
