"""Study tables computed in parts, each by its key, are the whole; and parts of volumes add up: in what
respondents gave, in each replicate, and in the table."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.periods import count_days
from jobs.base.figures.words import FAMILIES
from jobs.base.stats.estimation import ratio_totals, seed_of
from jobs.base.tables.contracts import conform_frame, list_codes, read_contract, reference_table, rows_frame
from jobs.base.tables.csv_tables import read_table, read_tables
from jobs.base.tables.public_contracts import public_contract
from jobs.base.tables.series import ALL, PARTS
from jobs.study.estimates import respondent_figure, spam_part, spam_volume
from jobs.study.estimates.steps import audits
from jobs.study.estimates.steps.sample import Reference, sample_of
from jobs.study.estimates.steps.study_stage import run_kernel
from jobs.study.estimates.steps.volume_parts import Parted, list_cells, list_sums, split_volumes
from sample_data.membership import FOLDER
from tests.support.examples import examples

# Codes of types that are no type beside others.
SUMS = [ALL, PARTS, *FAMILIES]

ANSWERS, VOLUME = "study.questionnaire_answer", "study.spam_volume"
FIGURE = respondent_figure.TABLE


@cache
def read(name: str) -> pl.DataFrame:
    if name.startswith("ref."):
        return read_tables(FOLDER, [name])[name]
    if name.startswith("study.respondent_"):
        return computed(name, inputs(name))
    return read_table(FOLDER, name)


def inputs(table: str) -> dict[str, pl.DataFrame]:
    """Return the tables that a table reads of the sample membership. Volumes are of one month by logs alone:
    an answer to a question on subscriptions is of several channels."""
    have = {name: read(name) for name in read_contract(table).reads}
    if table == VOLUME:
        is_month = (pl.col("period_code") == "2026-11") & (pl.col("given_by_code") == respondent_figure.LOGS)
        have[FIGURE] = have[FIGURE].filter(is_month)
    return have


def computed(table: str, have: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return conform_frame(run_kernel(table, have), table)


HALF = read(ANSWERS)["respondent_id"].unique().sort()[::2].to_list()


@pytest.mark.long
@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("study.mirror", "period_code", ["2026-11"]),
        (FIGURE, "respondent_id", HALF),
        (VOLUME, "channel_code", ["SMS"]),
        ("study.reconciliation", "respondent_id", HALF),
        ("study.investment_account", "respondent_id", HALF),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_parts_make_the_whole(table: str, column: str, values: list[str]) -> None:
    have = inputs(table)
    own = [name for name, frame in have.items() if name.startswith("study.") and column in frame.columns]
    is_first = pl.col(column).is_in(values)
    parts = [
        computed(table, have | {name: have[name].filter(side) for name in own})
        for side in (is_first, ~is_first)
    ]
    assert all(part.height for part in parts)
    key = read_contract(table).key
    assert pl.concat(parts).sort(key).equals(computed(table, have).sort(key))


CODES = ("PHISH.mail", "AD.retail", "UNK")

# What each of these parts is where packages split volumes by source or by route.
SOURCE = ("source_country_code",)

SOURCES = ("RUS", "DEU", "FRA", "_U")

ROUTES = (
    ("RUS", "hub", "ss7"), ("RUS", "hub", "unknown"), ("RUS", "sim-farm", "unknown"), ("DEU", "hub", "ss7"),
    ("FRA", "hub", "internet"), ("_U", "unknown", "unknown"),
)  # fmt: skip

ROUTE = ("partner_country_code", "link_code", "transit_code")

MONTH = "2026-11"

COUNTRIES = ("FJI", "TON")


@st.composite
def packages(draw: st.DrawFn) -> dict[str, pl.DataFrame]:
    """Operators of two countries, most with packages: recipients that a filter saw and attempts, by type;
    months that lack days; audits of some. One package has no types."""
    names = [f"{country.lower()}-{number}" for country in COUNTRIES for number in range(5)]
    counts = st.integers(0, 5_000)
    volumes, types, quality = [], [], []
    for name in draw(st.lists(st.sampled_from(names), min_size=6, max_size=9, unique=True)):
        days = draw(st.integers(28, 30))
        whose = whose_month(name)
        for unit, stage in (("recipient", "content"), ("attempt", "connect")):
            parts = {code: [draw(counts), draw(counts), draw(counts)] for code in CODES}
            parts["UNK"][0] += 1
            total = np.sum(list(parts.values()), axis=0).tolist()
            decided = {"stage_code": stage, "outcome_code": "rejected", "holding_id": name, "day_count": days}
            volumes.append(whose | measures(*total) | {"unit_code": unit} | decided)
            types += [
                whose | measures(*of) | {"unit_code": unit, "spam_type_code": code}
                for code, of in parts.items()
                if name != names[0] and sum(of)
            ]
        if draw(st.booleans()) or len(quality) < 5:
            quality.append(audited(name))
    frame = [
        {"respondent_id": name, "holding_id": name, "country_code": name[:3].upper(), "channel_code": "EMAIL",
         "size_code": "SMALL", "subscriptions": 100 + 10 * at, "valid_from": "2020-01-01"}
        for at, name in enumerate(names)
    ]  # fmt: skip
    dated = rows_frame([row | {"valid_from": None} for row in frame], "ref.operator_frame")
    return {
        "submission": rows_frame(volumes, "study.submission"),
        "submission_type": rows_frame(types, "study.submission_type"),
        "submission_source": relabelled(draw, types, "study.submission_source", SOURCE, SOURCES),
        "submission_route": relabelled(draw, types, "study.submission_route", ROUTE, ROUTES),
        "submission_quality": rows_frame(quality, "study.submission_quality"),
        "operator_frame": dated.with_columns(valid_from=pl.date(2020, 1, 1)),
        "denominator": rows_frame([], "ref.denominator"),
        "country": reference_table("ref.country"),
        "country_group": reference_table("ref.country_group"),
        "definition": reference_table("ref.definition"),
        "measure": reference_table("ref.measure"),
    }


def relabelled(
    draw: st.DrawFn, types: list[dict[str, Any]], table: str, columns: tuple[str, ...], codes: Sequence[Any]
) -> pl.DataFrame:
    """Draw a code in place of each row's type; counts with the same code are one row."""
    rows = []
    for row in types:
        code = draw(st.sampled_from(codes))
        values = code if isinstance(code, tuple) else (code,)
        rows.append({name: value for name, value in row.items() if name != "spam_type_code"})
        rows[-1] |= dict(zip(columns, values, strict=True))
    made = rows_frame(rows, table)
    counts = list(spam_volume.MEASURES)
    names = [name for name in made.columns if name not in counts]
    return made.group_by(names, maintain_order=True).agg(pl.col(counts).sum()).select(made.columns)


def whose_month(name: str) -> dict[str, Any]:
    return {
        "respondent_id": name, "country_code": name[:3].upper(), "period_code": MONTH,
        "channel_code": "EMAIL", "direction_code": "inbound", "definition_code": "OPERATOR",
    }  # fmt: skip


def measures(certain: int, undecided: int, clean: int) -> dict[str, int]:
    spam = certain + undecided
    return {"units": spam + clean, "spam_certain": certain, "spam_possible": spam}


def audited(name: str) -> dict[str, Any]:
    shares = {"flagged": (0.95, 0.9, 0.99), "undecided": (0.5, 0.2, 0.8), "passed": (0.02, 0.01, 0.05)}
    return {
        "respondent_id": name, "period_code": MONTH, "channel_code": "EMAIL", "quality_method_code": "audit",
        "labelled_count": 100,
    } | {
        f"{call}_spam_share{end}": value
        for call, values in shares.items()
        for end, value in zip(("", "_low", "_high"), values, strict=True)
    }  # fmt: skip


def figures_of(submission: pl.DataFrame, quality: pl.DataFrame) -> pl.DataFrame:
    """Return study.respondent_figure of these packages, without answers."""
    answers = rows_frame([], ANSWERS)
    references = (reference_table(f"ref.{name}") for name in ("definition", "measure", "indicator_measure"))
    return conform_frame(respondent_figure.transform(submission, quality, answers, *references), FIGURE)


def parted(table: str, have: dict[str, pl.DataFrame]) -> tuple[Parted, tuple[str, ...]]:
    """The parts of one table, and the quantities that it has."""
    breakdown = {each.kind: each for each in spam_part.BREAKDOWNS}[table]
    figures = figures_of(have["submission"], have["submission_quality"])
    return split_volumes(figures, parts_of(have), breakdown), ("units", *breakdown.quantities)


def parts_of(have: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Return study.respondent_part of these packages; those that are not there are empty."""
    given = {
        f"study.{name}": have.get(name, rows_frame([], f"study.{name}"))
        for name in ("submission", *(f"submission_{kind}" for kind in ("type", "source", "route")))
    }
    return computed("study.respondent_part", given | {"ref.country": reference_table("ref.country")})


@pytest.mark.parametrize("table", ["type", "source", "route"])
@given(have=packages())
@examples(12)
def test_parts_add_up_to_the_whole_in_every_replicate(table: str, have: dict[str, pl.DataFrame]) -> None:
    given_parts, quantities = parted(table, have)
    reference = Reference(*(have[n] for n in ("operator_frame", "denominator", "country", "country_group")))
    quantities = tuple(dict.fromkeys(quantities))
    found = list(list_cells(given_parts, frozenset({"OPERATOR"}), quantities, replicates=7))
    assert len(found) == 1
    key, period, cell = found[0]
    # The first has no parts.
    assert "fji-0" not in cell.people["respondent_id"].to_list()
    for name in spam_volume.MEASURES:
        assert cell.values[name][:, -1] == pytest.approx(cell.people[name].to_numpy(), rel=1e-12, abs=1e-9)
    of_month = given_parts.months.sort("respondent_id")
    if spam_volume.CORRECTED in quantities and audits.count_audited(of_month) >= 5:
        seed = seed_of(*key.values(), period, spam_volume.CORRECTED)
        whole = audits.correct_spam(of_month, seed, 7)
        assert whole is not None
        # All parts together are the corrected spam of the whole, for each respondent and replicate.
        assert cell.values[spam_volume.CORRECTED][:, :, -1] == pytest.approx(whole.y[:, :, 0], rel=1e-9)
    sample, _ = sample_of(reference, cell.people, "EMAIL", period, tuple(key.values()), 7)
    x = sample.weighted.operators.subscriptions[sample.weighted.operators.is_respondent]
    inside = sample.member[:, sample.weighted.operators.is_respondent]
    for values in cell.values.values():
        own = values[0] if values.ndim == 3 else values
        totals = ratio_totals(sample.weighted.weights, x, own, inside, sample.known)
        for whole_at, parts_at in sums_of(cell.names):
            whole_is = pytest.approx(totals[:, :, whole_at], rel=1e-9, abs=1e-6)
            assert totals[:, :, parts_at].sum(axis=2) == whole_is
        assert (own >= 0).all()
    ordered = [cell.values[name] for name in ("spam_certain", "spam_possible", "units")]
    assert all((low <= high + 1e-9).all() for low, high in zip(ordered, ordered[1:], strict=False))


def sums_of(names: Sequence[tuple[str, ...]]) -> list[tuple[int, list[int]]]:
    """List the rows of a table that add up to another row: all rows that name the same columns to the whole;
    and those that name all columns of several to the row of all but the last."""
    place = {name: at for at, name in enumerate(names)}
    by_columns: dict[tuple[int, ...], list[int]] = {}
    for name, at in place.items():
        named = tuple(column for column, code in enumerate(name) if code not in (ALL, PARTS))
        by_columns.setdefault(named, []).append(at)
    width = len(names[0])
    full = by_columns.pop(tuple(range(width))) if width > 1 else []
    found = [(len(names) - 1, own) for named, own in by_columns.items() if named]
    of_margin: dict[tuple[str, ...], list[int]] = {}
    for at in full:
        of_margin.setdefault((*names[at][:-1], ALL), []).append(at)
    return found + [(place[name], own) for name, own in of_margin.items()]


def test_a_route_is_summed_by_each_of_its_columns() -> None:
    routes = [("CIS", "hub", "ss7"), ("CIS", "hub", "unknown"), ("EUR", "peer", "unknown")]
    names, sums = list_sums(routes, spam_part.ROUTES.margins)
    assert set(names) == {
        *routes[:2],
        ("CIS", "hub", ALL), ("EUR", "peer", ALL), ("CIS", ALL, ALL), ("EUR", ALL, ALL),
        (PARTS, "hub", ALL), (PARTS, "peer", ALL), (PARTS, ALL, "ss7"), (PARTS, ALL, "unknown"),
        (PARTS, ALL, ALL),
    }  # fmt: skip
    assert dict(zip(names, sums.T.tolist(), strict=True))[PARTS, ALL, "unknown"] == [0, 1, 1]


@given(packages())
@examples(6)
def test_types_times_their_factor_are_the_whole(have: dict[str, pl.DataFrame]) -> None:
    figures = figures_of(have["submission"], have["submission_quality"])
    named = ("operator_frame", "denominator", "country", "country_group")
    reference = Reference(**{name: have[name] for name in named})
    volume = spam_volume.transform(figures, have["definition"], reference)
    rows = spam_part.spam_type(figures, parts_of(have), volume, have["definition"], reference)
    rows = conform_frame(rows, spam_part.TYPES.table).with_columns(
        pl.col("estimate", "part_factor").cast(float)
    )
    few = rows.filter(pl.col("part_holding_count") < 3, pl.col("spam_type_code") != ALL)
    assert set(few["cv_band_code"]) <= {"few_holdings", "one_respondent"}
    assert set(few["obs_status_code"]) <= {"U"}
    assert rows.filter(pl.col("cv_band_code") == "few_holdings").height <= few.height
    whose = ["period_code", "area_code", "unit_code", "quantity_code"]
    of = {
        code: {tuple(row[name] for name in whose): row["estimate"] for row in part.to_dicts()}
        for code, part in (
            (ALL, rows.filter(spam_type_code=ALL)),
            (PARTS, rows.filter(spam_type_code=PARTS)),
            ("parts", rows.filter(~pl.col("spam_type_code").is_in(SUMS)).group_by(whose)
             .agg(pl.col("estimate").sum())),
            ("scaled", rows.filter(~pl.col("spam_type_code").is_in(SUMS)).group_by(whose)
             .agg((pl.col("estimate") * pl.col("part_factor")).sum().alias("estimate"))),
        )
    }  # fmt: skip
    assert of[ALL] and set(of[ALL]) == set(of[PARTS])
    for cell, whole in of[ALL].items():
        assert of["parts"].get(cell, 0.0) == pytest.approx(of[PARTS][cell], abs=0.05)
        if of[PARTS][cell] > 0:
            assert of["scaled"][cell] == pytest.approx(whole, rel=1e-6, abs=0.05)


def test_a_month_is_scaled_to_all_its_days_in_each_part() -> None:
    """28 of 30 days: 28 and 56 become 30 and 60, and add up to the volume."""
    whose = whose_month("fji-1") | {"unit_code": "recipient"}
    submission = rows_frame(
        [whose | measures(84, 0, 0) | {"stage_code": "content", "outcome_code": "rejected",
         "holding_id": "fji-1", "day_count": 28}],
        "study.submission",
    )  # fmt: skip
    types = rows_frame(
        [whose | measures(count, 0, 0) | {"spam_type_code": code}
         for code, count in (("PHISH.mail", 28), ("UNK", 56))],
        "study.submission_type",
    )  # fmt: skip
    given_parts = split_volumes(
        figures_of(submission, rows_frame([], "study.submission_quality")),
        parts_of({"submission": submission, "submission_type": types}),
        spam_part.TYPES,
    )
    assert count_days(MONTH) == 30
    assert dict(given_parts.parts.select("spam_type_code", "certain").rows()) == {"PHISH.mail": 30, "UNK": 60}


def test_the_public_table_names_every_type() -> None:
    protect = public_contract("public.spam_type").protect
    assert protect is not None
    for code, parts in protect.shape.sums["spam_type_code"].items():
        of_family = [each for each in list_codes("type") if code in (ALL, PARTS, each.partition(".")[0])]
        assert sorted(parts) == sorted(of_family) and len(parts) > 1


def test_a_family_of_two_types_has_a_row_and_of_one_none() -> None:
    parts = [("FRAUD.loan",), ("FRAUD.lottery",), ("PHISH.mail",), ("UNK",)]
    names, sums = list_sums(parts, ())
    assert names == (*parts, ("FRAUD",), (PARTS,))
    assert (np.array([1.0, 2.0, 4.0, 8.0]) @ sums).tolist() == [1, 2, 4, 8, 3, 15]
