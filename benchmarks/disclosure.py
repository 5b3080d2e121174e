"""Time that rules and attack take: by countries, and by releases that follow each other. Also the attack's
findings in releases that rules alone let leave, with and without p%.

python -m benchmarks.disclosure

E-mail of the sample membership, 2026-Q4, all units and quantities; for the rules alone all channels, p = 10,
no waivers. In each later release four respondents answer that had not. Processor seconds of this process;
nothing is asserted.
"""

import time
from collections.abc import Collection
from unittest.mock import patch

import polars as pl

from jobs.base.figures.areas import COUNTRY
from jobs.base.tables.contracts import polars_schema, reference_table
from jobs.base.tables.csv_tables import read_table
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.attack.search import Attack
from jobs.study.estimates import contribution, respondent_figure, spam_volume
from jobs.study.estimates.steps.rows import frame_rows
from jobs.study.estimates.steps.sample import Reference
from jobs.study.public import cells
from jobs.study.public.cells import Basis, EarlierRelease
from jobs.study.public.gate import make_public_tables
from jobs.study.public.knowledge import known_release, list_shapes, release_numbers
from sample_data.membership import FOLDER

CHANNEL, PERIOD, P_PCT = "EMAIL", "2026-Q4", 13.7
CHANNELS, RULES_PCT = (CHANNEL, "SMS", "VOICE_IP"), 10.0
COUNTRIES, RELEASES, LATE = (24, 48, 96, 193), 4, 4
GIVEN = ("study.submission", "study.submission_quality", "study.questionnaire_answer")
FILES = ("ref.operator_frame", "ref.denominator")


def basis(
    release: str, countries: list[str], left_out: list[str], channels: Collection[str] = (CHANNEL,)
) -> Basis:
    """The study's tables of some countries and channels, without some respondents."""
    have = {name: read_table(FOLDER, name) for name in (*GIVEN, *FILES)}
    for name in FILES:
        have[name] = have[name].filter(pl.col("country_code").is_in(countries))
    listed = have[FILES[0]]["respondent_id"].unique().to_list()
    for name in GIVEN:
        answering = pl.col("respondent_id").is_in(listed) & ~pl.col("respondent_id").is_in(left_out)
        have[name] = have[name].filter(answering)
    tables = {name: have[name] for name in FILES}
    tables |= {name: reference_table(name) for name in ("ref.country", "ref.country_group")}
    known = Reference(*tables.values())
    given = respondent_figure.transform(
        *(have[name] for name in GIVEN),
        reference_table("ref.definition"),
        reference_table("ref.measure"),
        reference_table("ref.indicator_measure"),
    ).filter(pl.col("channel_code").is_in(list(channels)), pl.col("definition_code") == "OPERATOR")
    behind = pl.DataFrame(
        contribution.volume_contributions(given, known, frozenset()), infer_schema_length=None
    )
    owned = contribution.add_owners(behind, tables[FILES[0]]).with_columns(is_waived=pl.lit(False))
    tables["study.spam_volume"] = spam_volume.estimate_cells(given, known, frozenset())
    tables["study.contribution"] = frame_rows(owned.to_dicts(), "study.contribution")
    empty = {each.source for each in map(public_contract, public_tables())} - set(tables)
    return Basis(release, tables | {name: pl.DataFrame(schema=polars_schema(name)) for name in empty})


def timed(study: Basis, earlier: list[EarlierRelease]) -> tuple[float, EarlierRelease]:
    started = time.process_time()
    made = make_public_tables(study, earlier, [PERIOD], P_PCT, leave_out_areas=True)
    return time.process_time() - started, EarlierRelease(study, made.public)


def attack_rules(study: Basis, without: Collection[str]) -> tuple[int, int, int]:
    """The country rows of a channel that rules let leave, some of them switched off; what the attack finds
    there, and what of it as anyone."""
    every = cells.primary_rules
    guarded = {
        each.protect.contributions: each for each in map(public_contract, public_tables()) if each.protect
    }
    with (
        patch.object(Attack, "find_all", lambda attack: []),
        patch.object(
            cells, "primary_rules", lambda about: every(about) | dict.fromkeys(without, pl.lit(False))
        ),
    ):
        made = EarlierRelease(study, make_public_tables(study, [], [PERIOD], RULES_PCT).public)
    rows = made.public["public.spam_volume"].filter(pl.col("area_kind_code") == COUNTRY)
    known = known_release(study, release_numbers(made, guarded))
    found = Attack([known], list_shapes(guarded, [study]), RULES_PCT).find_all()
    contributions, by_anyone = (
        {(each.respondents, each.channel_code, each.series) for each in found if not each.attacker or is_all}
        for is_all in (True, False)
    )
    return rows.select("area_code", "channel_code").n_unique(), len(contributions), len(by_anyone)


def main() -> None:
    countries = sorted(read_table(FOLDER, FILES[0])["country_code"].unique().to_list())
    answering = sorted(
        read_table(FOLDER, GIVEN[0]).filter(pl.col("channel_code") == CHANNEL)["respondent_id"].unique()
    )
    print("countries  rows  processor s")
    for count in COUNTRIES:
        seconds, made = timed(basis("r1", countries[:count], []), [])
        print(f"{count:9}  {made.public['public.spam_volume'].height:4}  {seconds:11.1f}")
    print("releases   rows  processor s")
    earlier: list[EarlierRelease] = []
    for number in range(RELEASES):
        late = answering[:: len(answering) // (LATE * (RELEASES - 1))][LATE * number :]
        seconds, made = timed(basis(f"r{number}", countries, late), earlier)
        earlier.append(made)
        print(f"{number + 1:9}  {made.public['public.spam_volume'].height:4}  {seconds:11.1f}")
    everything = basis("r1", countries, [], CHANNELS)
    for without in (("p_pct",), ()):
        left, found, by_anyone = attack_rules(everything, without)
        print(f"{left} country rows of a channel by rules{' without p%' * bool(without)}:", end=" ")
        print(f"{found} contributions found, {by_anyone} by anyone")


if __name__ == "__main__":
    main()
