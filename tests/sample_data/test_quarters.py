"""The made-up membership over four releases: what happens between them, and that nobody finds anything."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks import four_releases
from jobs.base.tables.csv_tables import read_table
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.base.tables.series import Shape
from jobs.study.attack.known import Finding
from jobs.study.attack.search import Attack
from jobs.study.public import gate, knowledge
from jobs.study.public.cells import CONTRIBUTION, Basis, EarlierRelease
from jobs.study.public.gate import make_public_tables
from jobs.study.public.knowledge import known_release, release_numbers
from jobs.study.public.secret import VALUE
from jobs.study.release import production, signatures
from sample_data import quarters
from sample_data.membership import BEFORE, FOLDER, PERIOD
from sample_data.quarters import (
    ANSWERS,
    COST,
    COUNTED,
    FRAME,
    NARROW,
    NEXT,
    PARTS,
    RELEASES,
    SUBMISSION,
    WIDE,
    Events,
    events,
)

COUNTS = ("spam_certain", "spam_possible", "units")
COST_TABLE = "study.countermeasure_cost"
GUARDED = {each.protect.contributions: each for each in map(public_contract, public_tables()) if each.protect}
FIRST, SECOND, THIRD, FOURTH = range(4)


@pytest.fixture(scope="module")
def nodes() -> list[dict[str, pl.DataFrame]]:
    return [quarters.tables(number) for number in range(len(RELEASES))]


@pytest.fixture(scope="module")
def happens(nodes: list[dict[str, pl.DataFrame]]) -> Events:
    return events(nodes[SECOND])


def sent(node: dict[str, pl.DataFrame], *names: str, quarter: str = PERIOD) -> pl.DataFrame:
    """Return the submissions of a quarter."""
    is_quarter = pl.col("period_code").str.starts_with(quarter[:4])
    return node[SUBMISSION].filter(is_quarter & pl.col("respondent_id").is_in(list(names)))


@pytest.mark.long
def test_the_second_release_has_the_committed_membership(nodes: list[dict[str, pl.DataFrame]]) -> None:
    operators = nodes[SECOND][SUBMISSION].filter(pl.col("definition_code") == "OPERATOR")
    before = pl.col("period_code") == BEFORE
    assert operators.equals(read_table(FOLDER, SUBMISSION).filter(~before))
    channels = operators.select("channel_code", "unit_code").unique().sort(pl.all()).rows()
    assert channels == [("EMAIL", "recipient"), ("SMS", "recipient"), ("VOICE_IP", "call")]


@pytest.mark.long
def test_late_ones_answer_and_a_package_is_corrected(
    nodes: list[dict[str, pl.DataFrame]], happens: Events
) -> None:
    assert len(happens.late) == 4 * 3
    assert sent(nodes[FIRST], *happens.late).is_empty()
    assert set(sent(nodes[SECOND], *happens.late)["respondent_id"]) == set(happens.late)
    wrong, right = (int(sent(nodes[at], happens.wrong)["units"].sum()) for at in (FIRST, SECOND))
    assert wrong == pytest.approx(1.25 * right, rel=1e-3)
    assert sent(nodes[THIRD], happens.late_next, quarter=NEXT).is_empty()
    assert sent(nodes[FOURTH], happens.late_next, quarter=NEXT).height
    wrong, right = (
        int(sent(nodes[at], happens.wrong_next, quarter=NEXT)["units"].sum()) for at in (THIRD, FOURTH)
    )
    assert wrong == pytest.approx(1.4 * right, rel=1e-3)


def test_an_operator_joins_one_is_sold_and_one_closes(
    nodes: list[dict[str, pl.DataFrame]], happens: Events
) -> None:
    before, after = (
        nodes[THIRD][FRAME].filter(
            (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day))
        )
        for day in (pl.date(2026, 12, 31), pl.date(2027, 3, 31))
    )
    names = [set(each["respondent_id"]) for each in (before, after)]
    assert names[1] - names[0] == {f"{happens.wrong}-new"} and names[0] - names[1] == {happens.closed}
    owner = [each.filter(respondent_id=happens.sold)["holding_id"].item() for each in (before, after)]
    assert owner[0] != owner[1]
    for name in owner:
        assert after.filter(holding_id=name)["country_code"].n_unique() > 1
    assert sent(nodes[THIRD], happens.sold, quarter=NEXT)["holding_id"].unique().to_list() == [owner[1]]


def test_one_definition_of_texts_is_within_the_other(nodes: list[dict[str, pl.DataFrame]]) -> None:
    key = ["respondent_id", "period_code", "stage_code", "outcome_code"]
    texts = nodes[FOURTH][SUBMISSION].filter(channel_code="SMS", direction_code="inbound")
    wide, narrow = (texts.filter(definition_code=name).select(*key, *COUNTS) for name in (WIDE, NARROW))
    both = wide.join(narrow, on=key, suffix="_narrow")
    assert both.height == wide.height == narrow.height > 0
    assert (both["units"] == both["units_narrow"]).all()
    for name in COUNTS[:2]:
        assert (both[f"{name}_narrow"] <= both[name]).all() and both[name].sum() > both[
            f"{name}_narrow"
        ].sum()


@pytest.mark.parametrize("number", range(len(RELEASES)))
def test_parts_add_up_to_what_operators_counted(nodes: list[dict[str, pl.DataFrame]], number: int) -> None:
    node = nodes[number]

    def totals(name: str) -> pl.DataFrame:
        of = node[name].filter(definition_code="OPERATOR", direction_code="inbound")
        return of.group_by(COUNTED).agg(pl.col(COUNTS).sum())

    whole = totals(SUBMISSION)
    for name in PARTS:
        parts = totals(name)
        assert parts.height and parts.join(whole, on=[*COUNTED, *COUNTS], how="anti").is_empty(), name


@pytest.mark.parametrize("number", range(len(RELEASES)))
def test_costs_are_of_months_with_counts(nodes: list[dict[str, pl.DataFrame]], number: int) -> None:
    """Late ones, one that closed and one that joined included."""
    month = ["respondent_id", "period_code", "channel_code"]
    counted = nodes[number][SUBMISSION].select(month).unique()
    costs = nodes[number][COST].select(month).unique()
    assert costs.join(counted, on=month, how="anti").is_empty()
    assert set(costs["period_code"].str.head(4)) == ({"2026"} if number < THIRD else {"2026", "2027"})


def test_marginal_costs_follow_corrected_counts(
    nodes: list[dict[str, pl.DataFrame]], happens: Events
) -> None:
    wrong, right = (
        nodes[at][COST].filter(respondent_id=happens.wrong).sort("period_code", "strategy_code")
        for at in (FIRST, SECOND)
    )
    assert right.height
    ratio = (wrong["amount_mean"].cast(float) / right["amount_mean"].cast(float)).to_list()
    by = [1.25 if each == "marginal" else 1 for each in right["cost_component_code"]]
    assert ratio == pytest.approx(by, rel=1e-3)


def test_waivers_are_of_every_kind(nodes: list[dict[str, pl.DataFrame]]) -> None:
    for period in (PERIOD, NEXT):
        given = nodes[FOURTH][ANSWERS].filter(period_code=period)
        general = given.filter(pl.col("indicator_code") == "sp904")
        lines = given.filter(pl.col("waiver") != "W0").join(general, on="respondent_id", how="anti")
        assert set(general["value"]) == {"W1", "W2"} and lines.height
    packages = nodes[FOURTH][SUBMISSION].drop_nulls("waiver")
    assert set(packages["waiver"]) == {"W1", "W2"}
    assert {period[:4] for period in packages["period_code"]} == {"2026", "2027"}


@pytest.mark.long
@pytest.mark.releases
@pytest.mark.timeout(2400)
def test_four_releases_in_a_row_reveal_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each twelfth country is estimated, protected, attacked, signed and published by the commands' own code.
    Then the attack on all four, as anyone and as each holding; and on their costs, made by a gate that does
    not see how these add up."""
    monkeypatch.setenv(VALUE, four_releases.P_PCT)
    folder = tmp_path / "four"
    steps = list(four_releases.released(folder, four_releases.some(12), lambda text: None))
    names = [f"{each.period}/{each.version}" for each in RELEASES]
    assert [each.name for each in steps] == names
    settings = four_releases.settings_in(folder).release
    for name in names:
        assert signatures.signer_of(Path(str(settings.public_root)) / name, Path(str(settings.signers)))
    last = production.read_earlier_release(Path(settings.restricted) / names[-1], names[-1])
    rows = last.public[four_releases.VOLUME]
    assert set(rows["channel_code"]) == {"EMAIL", "SMS", "VOICE_IP"}
    assert set(rows["unit_code"]) == {"recipient", "attempted", "call"}
    assert set(rows["definition_code"]) == {"OPERATOR", WIDE, NARROW}
    for name in ("spam_type", "spam_source", "spam_route", "countermeasure_cost"):
        assert last.public[f"public.{name}"].height
    # Four late ones change a figure; of two changed holdings the earlier one stands.
    assert steps[SECOND].revised and steps[FOURTH].stands
    world = rows.filter(area_code="WORLD", channel_code="EMAIL", quantity_code="spam_certain")
    assert set(world["revision_code"]) == {"STANDS"}
    assert four_releases.attacked(folder, four_releases.SOLD)[0] == []
    found, pairs, programs = four_releases.attacked(folder)
    print(f"{pairs:,} pairs of contribution and attacker, {programs:,} programs, {len(found)} found")
    # Who buys an operator learns what it gave before, and may find more in what was published then.
    owners = last.basis.tables[FRAME].sort("valid_from")
    sold = owners.filter(pl.col("holding_id").n_unique().over("respondent_id") > 1)
    buyer = sold["holding_id"][-1]
    assert all(buyer in (each.attacker, each.holding) for each in found)
    assert {cell.release for each in found for cell in each.cells} <= set(names[: four_releases.SOLD])
    bases = [
        of_costs(production.read_earlier_release(Path(settings.restricted) / name, name).basis)
        for name in names
    ]
    assert all(buyer in (each.attacker, each.holding) for each in find_costs(bases))
    # Stated cost is marginal and fixed cost together.
    with monkeypatch.context() as patch:
        switch_off(patch, "cost_component_code")
        assert any(each.attacker == "" for each in find_costs(bases))


def of_costs(basis: Basis) -> Basis:
    """Return the basis with the tables of costs alone."""
    others = {public_contract(table).source for table in public_tables()} - {COST_TABLE}
    none = {table: basis.tables[table].clear() for table in others}
    own = basis.tables[CONTRIBUTION].filter(table_name=COST_TABLE)
    return Basis(basis.release, {**basis.tables, **none, CONTRIBUTION: own})


def find_costs(bases: Sequence[Basis]) -> list[Finding]:
    """List the findings in the costs of all releases, after the gate."""
    made: list[EarlierRelease] = []
    for basis, release in zip(bases, RELEASES, strict=True):
        public = make_public_tables(basis, made, [release.period], float(four_releases.P_PCT), True).public
        made.append(EarlierRelease(basis, public))
    known = [known_release(each.basis, release_numbers(each, GUARDED)) for each in made]
    return Attack(known, knowledge.list_shapes(GUARDED, bases), float(four_releases.P_PCT)).find_all()


def switch_off(patch: pytest.MonkeyPatch, column: str) -> None:
    """Let the gate not see that codes of a column add up in costs."""

    def list_others(*given: Any) -> dict[str, Shape]:
        found = knowledge.list_shapes(*given)
        sums = {name: of for name, of in found[COST_TABLE].sums.items() if name != column}
        return found | {COST_TABLE: replace(found[COST_TABLE], sums=sums)}

    patch.setattr(gate, "list_shapes", list_others)
