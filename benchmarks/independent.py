"""Findings of the tests' independent attacker in releases of whole memberships.

python -m benchmarks.independent [FOLDER] [--memberships N] [--whole] [--p P]

FOLDER: where the memberships' lakes and releases lie, build/independent, which must not exist. The made-up
membership is dealt into eight of 24 or 25 countries; of the first three releases follow each other, and in
the last two an operator has most of its region. --memberships: so many of the eight. --whole: the membership
as it is, too, as the demo releases it. --p: the percentage of the p% rule, 10.3.

A line for each: published figures that were read; pairs of a contribution above a quarter of an area's
figure and who asks, anyone, the next largest or an administration; what was found, which is to be nothing;
ends that only who is given the true ratios of cells, which nobody publishes, finds; of administrations,
which know all operators of their country, the countries that were asked, what they found, and the figures
that they alone cost by the gate's own log of its attack; then what the same attacker finds with the study's
own errors in place of those of public terms, and in what leaves without p% and without the attack's last
word, in the first release of the first membership and the last two. Seconds are of this process.
"""

import argparse
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import polars as pl

from benchmarks.four_releases import released, settings_in
from jobs.base.tables.csv_tables import read_table
from jobs.study.attack.search import Attack
from jobs.study.disclosure import rules
from jobs.study.public.cells import Basis
from jobs.study.public.gate import Unprotectable, make_public_tables
from jobs.study.release.production import read_earlier_release
from jobs.study.release.released_tables import release_table
from sample_data import membership, quarters
from tests.independent.attacker import ADMINISTRATION, SERIES, Release, Report, attack, read_release
from tests.independent.own_errors import with_own_errors

MEMBERSHIPS, IN_A_ROW, RAISED, TIMES = 8, 3, (6, 7), 40.0
NESTED = [(quarters.NARROW, quarters.WIDE)]
P_PCT = 10.3
HEAD = (
    "membership  releases  figures  asked  found  ratios  countries  found  cost  seconds    own errors"
    "      no rules"
)


def deal(number: int, every: int = MEMBERSHIPS) -> tuple[list[str], dict[str, float]]:
    """The countries of a membership, of so many of all one, and who is raised."""
    countries = membership.countries()["country_code"].sort().to_list()[number::every]
    if number not in RAISED:
        return countries, {}
    sent = read_table(membership.FOLDER, quarters.SUBMISSION).filter(
        pl.col("country_code").is_in(countries)
        & (pl.col("channel_code") == "EMAIL")
        & (pl.col("period_code") != membership.BEFORE)
    )
    of = sent.group_by("respondent_id").agg(pl.col("units").sum()).sort("units", "respondent_id")
    return countries, {str(of["respondent_id"][-1]): TIMES}


def read_all(folder: Path, count: int) -> tuple[list[Release], list[Mapping[str, pl.DataFrame]]]:
    """The releases in a folder, and the study's tables behind each."""
    settings = settings_in(folder).release
    names = [f"{each.period}/{each.version}" for each in quarters.RELEASES[:count]]
    bases = [Path(settings.restricted) / name for name in names]
    made = [
        read_release(Path(settings.root) / name / "data", basis / "basis")
        for name, basis in zip(names, bases, strict=True)
    ]
    return made, [
        read_earlier_release(each, name).basis.tables for each, name in zip(bases, names, strict=True)
    ]


def without_rules(release: Release, study: Mapping[str, pl.DataFrame], p_pct: float) -> Release:
    """Return the release as it leaves without p% and without the attack's last word."""
    judged = rules.judge_cells

    def judge(*given: object) -> pl.DataFrame:
        return judged(*given).with_columns(pl.lit(True).alias(rules.UNDOMINATED))  # type: ignore[arg-type]

    with patch.object(Attack, "find_all", lambda attack: []), patch.object(rules, "judge_cells", judge):
        public = make_public_tables(Basis("without", study), [], [quarters.PERIOD], p_pct).public
    tables = {
        name: pl.read_csv(release_table(f"public.{name}", public[f"public.{name}"]).rows.write_csv().encode(),
                          infer_schema=False)
        for name in SERIES
    }  # fmt: skip
    return replace(release, tables=tables)


def ask(releases: Sequence[Release], p_pct: float, own_errors: bool = False) -> Report:
    report = attack(releases, p_pct / 100, NESTED, own_errors=own_errors)
    assert not report.unlike, report.unlike[0]
    return report


def attack_membership(
    folder: Path,
    name: str,
    countries: list[str] | None,
    raised: dict[str, float],
    count: int,
    p_pct: float,
    is_shown: bool = False,
) -> Report:
    """Make the releases of a membership and attack them; prints its line.

    Args:
        is_shown: also what the attacker finds with the study's own errors, and without rules.
    """
    made = 0
    try:
        for _ in itertools.islice(released(folder, countries, lambda text: None, f"{p_pct}", raised), count):
            made += 1
    except Unprotectable:
        pass
    if not made:
        print(f"{name:10}  no release: areas alone reveal a contribution", flush=True)
        return Report()
    releases, studies = read_all(folder, made)
    started = time.process_time()
    report = ask(releases, p_pct)
    seconds = time.process_time() - started
    by_state = count_found(report, ADMINISTRATION)
    cost = count_cost(folder, made)
    print(
        f"{name:10}  {made:8}  {report.rows:7,}  {report.asked:5,}  {count_found(report):5}"
        f"  {report.moved:6}  {len(report.administrations):9}  {by_state:5}  {cost:4}  {seconds:7.0f}",
        end="  ",
        flush=True,
    )
    if is_shown:
        first, study = releases[0], studies[0]
        own = ask([with_own_errors(first, study)], p_pct, own_errors=True)
        free = ask([without_rules(first, study, p_pct)], p_pct)
        print(f"{count_found(own):4} of {own.asked:5,}  {count_found(free):4} of {free.asked:5,}", end="")
    print(flush=True)
    return report


def count_cost(folder: Path, count: int) -> int:
    """Count the figures of a folder's releases that the gate dropped for findings of administrations alone.
    All series of an area that went together are one. A figure that no finding rests on, but went with one of
    the same definition, is none."""
    cost = 0
    for each in quarters.RELEASES[:count]:
        name = f"{each.period}/{each.version}"
        kept = Path(settings_in(folder).release.restricted) / name
        found = pl.read_csv(kept / "attack.csv", infer_schema=False).with_columns(
            cell=pl.col("cells").str.split("; ")
        )
        is_state = pl.col("attacker").str.starts_with(ADMINISTRATION).fill_null(False)
        by_states, by_others = (
            set(found.filter(mine).explode("cell").select("period_code", "channel_code", "cell").rows())
            for mine in (is_state, ~is_state)
        )
        held = pl.read_csv(kept / "held.csv", infer_schema=False).filter(rule="attack")
        for period, channel, series, area in held.select(
            "period_code", "channel_code", "series", "area_code"
        ).rows():
            start = f"{name} {area} {series or ''}"
            named = [
                {cell for of, on, cell in cells if (of, on) == (period, channel) and cell.startswith(start)}
                for cells in (by_states, by_others)
            ]
            cost += bool(named[0]) and not named[1]
    return cost


def count_found(report: Report, attackers: str = "") -> int:
    """Count the pairs that are found, from either side.

    Args:
        attackers: the beginning of the names that count.
    """
    return len(
        {replace(each, side="", off=0.0) for each in report.found if each.attacker.startswith(attackers)}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("build/independent"))
    parser.add_argument("--memberships", type=int, default=MEMBERSHIPS)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--p", type=float, default=P_PCT)
    given = parser.parse_args()
    folder = given.folder.resolve()
    print(HEAD)
    for number in range(given.memberships):
        countries, raised = deal(number)
        count = IN_A_ROW if number == 0 else 1
        is_shown = bool(raised) or count > 1
        attack_membership(folder / str(number), str(number + 1), countries, raised, count, given.p, is_shown)
    if given.whole:
        attack_membership(folder / "whole", "all", None, {}, 1, given.p)


if __name__ == "__main__":
    main()
