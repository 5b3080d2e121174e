"""Spam with the filters' errors in it: what audits make of respondents' counts, and how often it is right."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import betaincinv

from jobs.base.core.call_shares import CALLS, ENDS, SHARES
from jobs.base.core.periods import count_days
from jobs.base.stats.estimation import SMALLEST, Array, seed_of, weight_respondents
from jobs.base.stats.intervals import EstimateTable, estimate_figures
from jobs.base.tables.contracts import reference_table, rows_frame
from jobs.study.estimates.respondent_figure import CELL
from jobs.study.estimates.spam_volume import estimate_cells, labelled_definitions
from jobs.study.estimates.steps.audits import AUDIT, correct_spam, count_audited, select_period_with_calls
from jobs.study.estimates.steps.sample import Reference
from sample_data.membership import ERRORS, Population, answering, population
from tests.base.stats.test_estimation import operators
from tests.support.examples import examples

Row = dict[str, Any]
NOTHING = dict.fromkeys(SHARES)


def shares(flagged: float, undecided: float, passed: float, width: float = 0.0) -> Row:
    """An audit of these shares, and as wide to both sides, as far as a share can be."""
    ends = zip(CALLS, (flagged, undecided, passed), strict=True)
    return {"quality_method_code": AUDIT} | {
        f"{call}_spam_share{end}": min(max(value + sign * width, 0.0), 1.0)
        for call, value in ends
        for end, sign in zip(ENDS, (0, -1, 1), strict=True)
    }


def month(
    who: str, counts: tuple[int, int, int], period: str = "2026-11", before: int = 0, **told: Any
) -> Row:
    """A respondent's month: what was flagged, undecided and passed, and refused before there was content."""
    flagged, undecided, passed = counts
    return {
        "respondent_id": who, "period_code": period, "channel_code": "EMAIL", "unit_code": "recipient",
        "definition_code": "OPERATOR", "units": before + sum(counts), "spam_certain": before + flagged,
        "spam_possible": before + flagged + undecided, "subscriptions": 100, "answer_status_code": None,
        "day_count": count_days(period), "certain_before": before, "undecided_before": 0,
        "content_seen": sum(counts),
        "quality_method_code": None, **NOTHING, **dict(zip(CALLS, counts, strict=True)), **told,
    }  # fmt: skip


SCHEMA = dict.fromkeys(SHARES, pl.Float64) | {
    "quality_method_code": pl.String, "answer_status_code": pl.String
}  # fmt: skip


def table(*rows: Row) -> pl.DataFrame:
    return pl.DataFrame(rows, schema_overrides=SCHEMA, infer_schema_length=None)


# --- what audits make of counts -------------------------------------------------------------------------


FIVE = [month(f"a{number}", (100, 10, 890), **shares(1.0, 0.5, 0.0)) for number in range(SMALLEST)]


def test_fewer_than_five_audits_correct_nothing() -> None:
    """A test elsewhere is none of them."""
    tested = shares(1.0, 0.5, 0.0) | {"quality_method_code": "rogan_gladen"}
    few = table(*FIVE[1:], month("b", (1, 1, 1), **tested))
    assert count_audited(few) == SMALLEST - 1 and correct_spam(few, 1) is None
    enough = correct_spam(table(*FIVE, month("b", (1, 1, 1), **tested)), 1)
    assert enough is not None and enough.donors == SMALLEST and enough.has_quality.all()


def test_a_month_without_an_audit_is_as_of_an_operator_without_one() -> None:
    """The first audits October alone: in November it has the mean of the five, itself among them."""
    first = (
        month("a0", (100, 10, 890), "2026-10", **shares(0.5, 0.5, 0.0)),
        month("a0", (200, 0, 800), "2026-11"),
    )
    others = [row | {"period_code": period} for row in FIVE[1:] for period in ("2026-10", "2026-11")]
    found = correct_spam(table(*first, *others), 1)
    assert found is not None
    assert found.y[0, 0, 0] == pytest.approx(100 * 0.5 + 10 * 0.5 + 200 * (0.5 + 4 * 1.0) / 5)
    assert found.has_quality.all()
    assert found.content_seen_with_quality[0] == 1000 and found.content_seen[0] == 2000


def test_replicates_have_the_audits_interval_and_stay_shares() -> None:
    """Replicates of the first, 0.97 from 0.92 to 0.98, have the ends of the interval, on both sides."""
    ends = shares(0.97, 0.5, 0.0) | {"flagged_spam_share_low": 0.92, "flagged_spam_share_high": 0.98}
    found = correct_spam(table(*FIVE[1:], month("a0", (1000, 0, 0), **ends)), 1, 20_000)
    assert found is not None
    share = found.y[1:, 0, 0] / 1000
    assert np.quantile(share, [0.025, 0.5, 0.975]) == pytest.approx([0.92, 0.97, 0.98], abs=0.003)
    assert share.min() >= 0 and share.max() <= 1


def test_a_test_elsewhere_errs_alike_in_all_months_and_calls() -> None:
    """Flagged and passed of 0.5 +/- 0.0196 have a standard deviation of 0.01 each: 10 + 20 spam of a month's
    1,000 and 2,000. Twelve months of one test have 12 times 30; of audits, the root of 12 times 22.4."""
    months = [f"2026-{number:02}" for number in range(1, 13)]
    told = shares(0.5, 0.5, 0.5, 0.0196)
    of_test = told | {"quality_method_code": "rogan_gladen"}
    rows = [month(who, (1000, 0, 2000), each, **told) for who in ("a0", *"bcde") for each in months]
    rows += [month(who, (1000, 0, 2000), each, **of_test) for who in ("t1", "t2") for each in months]
    found = correct_spam(table(*rows), 1, 4000)
    assert found is not None
    spread = found.y[1:, :, 0].std(axis=0)
    assert spread[-2:] == pytest.approx(12 * 30, rel=0.03)
    assert spread[:-2] == pytest.approx(np.sqrt(12 * (10**2 + 20**2)), rel=0.04)
    assert abs(np.corrcoef(found.y[1:, -2:, 0].T)[0, 1]) < 0.05


def test_what_was_undecided_before_content_may_be_all_spam_or_none() -> None:
    """Half of 40 and 60 in two months, in the estimate; from nothing to 100 in replicates, not to their root
    of squares. Certain are the 7 a month alone."""
    one = {"undecided_before": 40} | shares(1.0, 0.5, 0.0)
    rows = [month("a0", (10, 0, 0), "2026-10", 7, **one), month("a0", (10, 0, 0), "2026-11", 7, **one)]
    rows[1]["undecided_before"] = 60
    found = correct_spam(table(*FIVE[1:], *rows), 1, 4000)
    assert found is not None
    assert found.y[0, 0, 0] == 2 * (7 + 10) + 50 and found.least[0, 0] == 14
    ends = np.quantile(found.y[1:, 0, 0], [0, 0.025, 0.5, 0.975, 1])
    assert ends == pytest.approx([34, 36.5, 84, 131.5, 134], abs=2)


def test_who_was_audited_is_part_of_the_interval() -> None:
    """Audits without an error of their own, of filters that differ: who has none varies between them, and all
    of these together vary as a mean of five does."""
    different = [
        month(f"a{number}", (1000, 0, 0), **shares(0.8 + 0.05 * number, 0, 0)) for number in range(SMALLEST)
    ]
    silent = [month(f"b{number:03}", (1000, 0, 0)) for number in range(200)]
    found = correct_spam(table(*different, *silent), 1, 4000)
    assert found is not None
    spread = 1000 * np.std([0.8, 0.85, 0.9, 0.95, 1.0])
    taken = found.y[1:, SMALLEST:, 0]
    assert found.y[0, SMALLEST:, 0] == pytest.approx(900)
    assert taken.std(axis=0).mean() == pytest.approx(spread, rel=0.03)
    assert taken.mean(axis=1).std() == pytest.approx(spread / np.sqrt(SMALLEST), rel=0.05)
    assert found.y[:, :SMALLEST].std(axis=0) == pytest.approx(0)


def test_a_call_of_which_no_audit_tells_may_be_all_spam_or_none() -> None:
    """No audited operator has undecided messages. One of another that has some shares the mean of these."""
    none_of_it = [row | {"undecided": 0, "content_seen": 990} | dict.fromkeys(SHARES[3:6]) for row in FIVE]
    found = correct_spam(table(*none_of_it, month("b", (0, 1000, 0))), 1, 4000)
    assert found is not None
    assert found.y[0, -1, 0] == 500
    assert np.quantile(found.y[1:, -1, 0], [0.025, 0.975]) == pytest.approx([25, 975], abs=20)
    one_more = month("a9", (0, 100, 0), **shares(0, 0.2, 0))
    found = correct_spam(table(*none_of_it, one_more, month("b", (0, 1000, 0))), 1)
    assert found is not None and found.y[0, -1, 0] == pytest.approx(200)


def test_a_period_needs_all_of_its_months_and_the_filters_own_calls() -> None:
    whole = [month("a", (1, 1, 1), period) for period in ("2026-10", "2026-11", "2026-12")]
    own = [month("b", (9, 1, 1), "2026-Q4"), month("b", (1, 1, 1), "2026-11")]
    part = [month("c", (1, 1, 1), "2026-10"), month("c", (1, 1, 1), "2026-11")]
    # Of d the calls by OPERATOR are not there.
    other = [row | {"respondent_id": "d", "flagged": 0, "undecided": 0, "passed": 0} for row in whole]
    found = select_period_with_calls(table(*whole, *own, *part, *other), "2026-Q4")
    assert found.select("respondent_id", "period_code").rows() == [
        ("a", "2026-10"), ("a", "2026-11"), ("a", "2026-12"), ("b", "2026-Q4")
    ]  # fmt: skip


def test_a_year_is_its_quarters_where_months_are_not_all_there() -> None:
    rows = [month("a", (1, 1, 1), f"2026-Q{number}") for number in range(1, 5)]
    found = select_period_with_calls(
        table(*rows, month("a", (1, 1, 1), "2026-11"), rows[0] | {"respondent_id": "b"}), "2026"
    )
    assert found["period_code"].to_list() == [f"2026-Q{number}" for number in range(1, 5)]


def test_a_year_may_be_of_quarters_and_months() -> None:
    rows = [month("a", (1, 1, 1), f"2026-Q{number}") for number in range(1, 4)]
    last = [month("a", (1, 1, 1), period) for period in ("2026-10", "2026-11", "2026-12")]
    found = select_period_with_calls(table(*rows, *last), "2026")
    assert found["period_code"].to_list() == [
        "2026-10",
        "2026-11",
        "2026-12",
        "2026-Q1",
        "2026-Q2",
        "2026-Q3",
    ]
    assert select_period_with_calls(table(*rows, *last[1:]), "2026").is_empty()


def test_labels_speak_for_definitions_that_ask_what_measures_did() -> None:
    predicates = {
        "OPERATOR": "is_antispam = TRUE", "BLOCKED": "is_antispam = TRUE AND outcome_code = 'rejected'",
        "BULK": "is_antispam = TRUE AND is_bulk = TRUE",
    }  # fmt: skip
    rows = {"definition_code": list(predicates), "predicate": list(predicates.values())}
    assert labelled_definitions(pl.DataFrame(rows)) == {"OPERATOR", "BLOCKED"}
    assert labelled_definitions(reference_table("ref.definition")) == {"OPERATOR"}


# --- whole cells ----------------------------------------------------------------------------------------

PEOPLE = 12


def known_countries() -> Reference:
    """Equal operators in one country, as many again of which nothing is known."""
    frame = rows_frame(
        [
            {"respondent_id": f"a{number}", "holding_id": f"a{number}", "country_code": "FRA",
             "channel_code": "EMAIL", "size_code": "SMALL", "subscriptions": 100,
             "valid_from": dt.date(2020, 1, 1)}
            for number in range(2 * PEOPLE)
        ],
        "ref.operator_frame",
    )  # fmt: skip
    known = {"country_code": "FRA", "period_code": "2026", "channel_code": "EMAIL"}
    denominator = rows_frame([known | {"subscriptions": 200 * PEOPLE}], "ref.denominator")
    return Reference(frame, denominator, reference_table("ref.country"), reference_table("ref.country_group"))


def cell_rows(rows: list[Row], known: Reference) -> list[Row]:
    found = estimate_cells(table(*rows), known, frozenset({"OPERATOR"}))
    return found.cast({cs.decimal(): pl.Float64}).to_dicts()


def estimated(rows: list[Row]) -> dict[tuple[str, str], Row]:
    found = cell_rows(rows, known_countries())
    assert all({row[name] for row in found} == {table(*rows)[name][0]} for name in CELL)
    return {(str(row["area_code"]), str(row["quantity_code"])): row for row in found}


COUNTS = st.lists(st.tuples(*[st.integers(0, 500)] * 2), min_size=PEOPLE, max_size=PEOPLE).filter(
    lambda counts: sum(flagged for flagged, _ in counts) > 0
)


@examples(15)
@given(COUNTS, st.integers(0, 50), st.integers(SMALLEST, PEOPLE))
def test_filters_that_never_err_correct_nothing(
    counts: list[tuple[int, int]], before: int, audits: int
) -> None:
    """Corrected spam is certain spam where nothing is undecided, in each area, with its error."""
    # Of a call that no audited operator has, nothing is known.
    assume(all(map(any, zip(*counts[:audits], strict=True))))
    rows = [
        month(f"a{place}", (flagged, 0, passed), before=before,
              **(shares(1, 0, 0) if place < audits else {}))
        for place, (flagged, passed) in enumerate(counts)
    ]  # fmt: skip
    found = estimated(rows)
    for area in ("WORLD", "EUR", "FRA"):
        plain, by_audit = found[area, "spam_certain"], found[area, "spam_corrected"]
        for name in ("estimate", "cv_pct", "at_050", "at_150", "respondent_count"):
            assert by_audit[name] == pytest.approx(plain[name], rel=1e-9, abs=0.01), name
        assert by_audit["audit_count"] == audits


@examples(10)
@given(COUNTS, st.permutations(range(PEOPLE)), st.floats(0, 0.2))
def test_neither_order_nor_split_of_rows_changes_a_figure(
    counts: list[tuple[int, int]], order: list[int], width: float
) -> None:
    rows = [
        month(f"a{place}", (flagged, 3, passed), **(shares(0.9, 0.4, 0.1, width) if place % 2 else {}))
        for place, (flagged, passed) in enumerate(counts)
    ]
    assert estimated(rows) == estimated([rows[place] for place in order])


def test_what_is_reported_is_below_the_interval_and_the_band_in_order() -> None:
    """The contract asks for it; what an audited operator saw is no more than an estimate of its own."""
    rows = [month(f"a{place}", (100, 10, 900 + place), before=20, **shares(0.95, 0.5, 0.02, 0.02))
            for place in range(PEOPLE)]  # fmt: skip
    for area in ("WORLD", "EUR", "FRA"):
        row = estimated(rows)[area, "spam_corrected"]
        assert row["reported"] == 20 * PEOPLE < row["estimate_low"] < row["estimate"] < row["estimate_high"]
        assert row["at_050"] < row["at_075"] < row["estimate"] < row["at_150"]
        assert (row["audit_count"], row["audit_pct"]) == (PEOPLE, 100)
        assert row["nature_code"] != "C" and row["obs_status_code"] != "A"


def test_countries_have_the_audits_error_whoever_answered() -> None:
    """Equal operators, each with an error of its own. France, of which half answered, has the relative error
    of the twelve, and so has Germany, where nobody did and the ratio is theirs."""
    known = known_countries()
    germans = known.operator_frame.with_columns(
        pl.col("respondent_id", "holding_id").str.replace("a", "g"), country_code=pl.lit("DEU")
    )
    more = pl.concat([known.denominator, known.denominator.with_columns(country_code=pl.lit("DEU"))])
    both = replace(known, operator_frame=pl.concat([known.operator_frame, germans]), denominator=more)
    rows = [month(f"a{place}", (500, 0, 500), **shares(0.5, 0.5, 0.5, 0.3)) for place in range(PEOPLE)]
    found = cell_rows(rows, both)
    corrected_of = {row["area_code"]: row for row in found if row["quantity_code"] == "spam_corrected"}
    spread = 0.3 / 1.96 * np.sqrt(2) / 2 / np.sqrt(PEOPLE)
    for area in ("FRA", "DEU"):
        assert corrected_of[area]["cv_pct"] == pytest.approx(100 * spread / 0.5, rel=0.15), area


def test_an_area_that_answered_in_full_has_the_audits_error_alone() -> None:
    """Linearised and bootstrap errors are nothing then, and would leave one degree of freedom."""
    people = population("EMAIL")
    everyone = np.ones(len(people.spam), dtype=bool)
    sample = weight_respondents(operators(people, everyone), {}, 1, 400)
    random = np.random.default_rng(1)
    y = np.concatenate([people.spam[None], people.spam * random.normal(1, 0.1, (400, len(people.spam)))])[
        :, :, None
    ]
    known = np.array([people.subscriptions.sum()])
    found = estimate_figures(sample, y, everyone[None], known, 0 * y[0], imputed_freedom=30)
    error = 0.1 * np.sqrt((people.spam**2).sum())
    assert found.error[0, 0] == pytest.approx(error, rel=0.1)
    assert np.log(found.high[0, 0] / found.estimate[0, 0]) == pytest.approx(
        2.04 * found.error[0, 0] / found.estimate[0, 0], rel=0.01
    )


# --- against the truth ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filtered:
    """Verdicts of everyone's filters on a month's messages, and the spam among them; operators x calls."""

    calls: Array
    share: Array

    @property
    def spam(self) -> Array:
        return (self.calls * self.share).sum(axis=1)


def filtered(people: Population, channel: str, random: np.random.Generator) -> Filtered:
    """Filter as in the sample membership: a filter flags about what there is of spam, and lets some pass."""
    of_all = (
        random.beta(14, 8, len(people.spam)) if channel == "EMAIL" else random.beta(2, 30, len(people.spam))
    )
    clean = people.spam / of_all - people.spam
    undecided = clean * random.uniform(0, 0.06, len(clean))
    calls = np.round(np.column_stack([people.spam, undecided, clean - undecided]))
    share = np.column_stack([random.beta(*ERRORS[channel][call], len(clean)) for call in CALLS])
    return Filtered(calls, share)


def with_audits(
    people: Population, found: Filtered, answered: Array, random: np.random.Generator, labels: int = 100
) -> pl.DataFrame:
    """The respondents' months, of a third with labels of each call, read with Jeffreys' interval."""
    spam = random.binomial(labels, found.share)
    ends = [spam / labels] + [betaincinv(spam + 0.5, labels - spam + 0.5, end) for end in (0.025, 0.975)]
    value = np.clip(ends[0], ends[1], ends[2])
    is_audited = random.random(len(people.spam)) < 1 / 3
    columns: dict[str, Any] = {
        "respondent_id": people.respondent.tolist(), "period_code": ["2026-11"] * len(value),
        "certain_before": np.zeros(len(value), dtype=int),
        "undecided_before": np.zeros(len(value), dtype=int),
        "quality_method_code": [AUDIT if each else None for each in is_audited],
        **dict(zip(CALLS, found.calls.T, strict=True)),
    }  # fmt: skip
    for place, call in enumerate(CALLS):
        for end, numbers in zip(ENDS, (value, ends[1], ends[2]), strict=True):
            columns[f"{call}_spam_share{end}"] = numbers[:, place]
    told = pl.when(pl.col("quality_method_code") == AUDIT).then(pl.col(SHARES))
    return pl.DataFrame(columns).filter(pl.Series(answered)).with_columns(told)


def of_world(people: Population, answered: Array, y: Array, donors: int | None, seed: int) -> EstimateTable:
    sample = weight_respondents(operators(people, answered), {}, seed, len(y) - 1 if y.ndim == 3 else 50)
    everyone = np.ones((1, len(answered)), dtype=bool)
    least = None if donors is None else 0 * y[0]
    freedom = None if donors is None else donors - 1
    return estimate_figures(sample, y, everyone, np.array([people.subscriptions.sum()]), least, freedom)


@pytest.mark.long
@pytest.mark.parametrize("channel", ["EMAIL", "SMS"])
def test_intervals_of_corrected_spam_hold_the_truth(channel: str) -> None:
    held(channel, 200)


@pytest.mark.long
def test_intervals_of_corrected_spam_hold_the_truth_of_a_few_samples() -> None:
    held("SMS", 25)


def held(channel: str, samples: int) -> None:
    """Measure how often intervals of the world hold the truth where a third of the respondents is audited:
    who answers, who audits and what is labelled are drawn again and again. Certain spam misses what filters
    of SMS let pass: its interval cannot know."""
    people = population(channel)
    random = np.random.default_rng(20261125)
    found = filtered(people, channel, random)
    truth = found.spam.sum()
    hits, plain, ratios = [], [], []
    for number in range(samples):
        answered = answering(people, random)
        months = with_audits(people, found, answered, random)
        seed = seed_of(channel, str(number))
        told = correct_spam(months, seed, 100)
        assert told is not None
        # In the order of ids, as respondents stand in a sample.
        order = np.argsort(people.respondent[answered].astype(str))
        y = np.empty_like(told.y)
        y[:, order] = told.y
        by_audit = of_world(people, answered, y, told.donors, seed)
        as_filtered = of_world(people, answered, found.calls[answered, :1], None, seed)
        hits.append(by_audit.low[0, 0] <= truth <= by_audit.high[0, 0])
        plain.append(as_filtered.low[0, 0] <= truth <= as_filtered.high[0, 0])
        ratios.append((by_audit.estimate[0, 0] / truth, as_filtered.estimate[0, 0] / truth))
    bias = 100 * (np.mean(ratios, axis=0) - 1)
    print(
        f"\n{channel}, {samples} samples: corrected spam holds the truth in {100 * np.mean(hits):.1f}%, bias"
        f" {bias[0]:+.1f}%; certain spam in {100 * np.mean(plain):.1f}%, bias {bias[1]:+.1f}%"
    )
    assert np.mean(hits) >= 0.88
    assert abs(bias[0]) < 3
    if channel == "SMS":
        assert np.mean(plain) < 0.3 and bias[1] < -15
