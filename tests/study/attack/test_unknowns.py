"""Contributions as sums of atoms: what is known of an operator's figures beside each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.tables.series import Shape
from jobs.study.attack.unknowns import Codes, Unknowns, express_figures, list_kinds

VOLUME = Shape(
    ("unit", "quantity"),
    chains={"quantity": ["certain", "possible", "units"], "unit": ["recipient", "attempted"]},
)
MONEY = Shape(
    ("strategy", "component", "conversion"),
    sums={"strategy": {"_T": ["filtering", "network"]}, "component": {"_T": ["capital", "operating"]}},
    multiples={"conversion": ["ppp", "market"]},
)
NUMBERS = st.integers(0, 10**9)


DEFINED = Shape(
    ("unit", "definition", "quantity"),
    chains={"quantity": ["certain", "possible", "units"], "unit": ["recipient", "attempted"]},
    same={"definition": {"quantity": ["units"]}},
    within={"definition": [("narrow", "wide")]},
)


def made(values: dict[Codes, float], shape: Shape) -> tuple[Unknowns, dict[Codes, dict[int, float]]]:
    unknowns = Unknowns()
    return unknowns, express_figures(unknowns, "one", "2026-Q4", values, shape)


@given(st.lists(NUMBERS, min_size=6, max_size=6))
def test_an_order_becomes_atoms_that_are_not_negative(steps: list[int]) -> None:
    certain, undecided, other, more, doubt, rest = steps
    recipient = (certain, certain + undecided, certain + undecided + other)
    attempt = (more, more + doubt, more + doubt + rest)
    values = {
        (unit, quantity): float(value)
        for unit, figures in (
            ("recipient", recipient),
            ("attempted", tuple(a + b for a, b in zip(recipient, attempt, strict=True))),
        )
        for quantity, value in zip(("certain", "possible", "units"), figures, strict=True)
    }
    unknowns, found = made(values, VOLUME)
    assert len(unknowns.truth) == 6 and min(unknowns.truth) >= 0
    for codes, value in values.items():
        assert unknowns.sum_atoms(found[codes]) == pytest.approx(value)
    # Certain spam is one atom of all units, in recipients and in attempted.
    (atom,) = found["recipient", "certain"]
    assert all(atom in found[codes] for codes in values)


def test_figures_that_break_an_order_are_atoms_of_their_own() -> None:
    values = {("recipient", "certain"): 5.0, ("recipient", "possible"): 3.0, ("recipient", "units"): 9.0}
    unknowns, found = made(values, VOLUME)
    assert sorted(unknowns.truth) == [3.0, 5.0, 9.0]
    assert all(len(terms) == 1 for terms in found.values())


def test_totals_and_known_multiples_are_expressions_over_parts() -> None:
    parts = {
        "filtering": {"capital": 30.0, "operating": 50.0},
        "network": {"capital": 5.0, "operating": 15.0},
    }
    values: dict[Codes, float] = {}
    for conversion, rate in (("ppp", 1.0), ("market", 0.4)):
        for strategy in (*parts, "_T"):
            for component in ("capital", "operating", "_T"):
                value = sum(
                    amount
                    for name, of in parts.items()
                    for part, amount in of.items()
                    if strategy in (name, "_T") and component in (part, "_T")
                )
                values[strategy, component, conversion] = rate * value
    unknowns, found = made(values, MONEY)
    assert sorted(unknowns.truth) == [5.0, 15.0, 30.0, 50.0]
    for codes, value in values.items():
        assert unknowns.sum_atoms(found[codes]) == pytest.approx(value)
    assert len(found["_T", "_T", "market"]) == 4


def test_a_part_of_nothing_is_one_unknown_in_both_currencies() -> None:
    """Market prices are parity times the country's price, whatever the part costs."""
    values = {
        (strategy, "_T", conversion): factor * value
        for strategy, value in (("filtering", 30.0), ("network", 0.0), ("_T", 30.0))
        for conversion, factor in (("ppp", 1.0), ("market", 0.4))
    }
    unknowns = Unknowns()
    found = express_figures(unknowns, "one", "2026", values, MONEY, {"market": 0.4})
    assert unknowns.truth == [30.0, 0.0]
    assert found["network", "_T", "ppp"] == {1: 1.0} and found["network", "_T", "market"] == {1: 0.4}
    assert found["_T", "_T", "market"] == {0: 0.4, 1: 0.4}


def test_a_mixture_lies_between_two_conversions() -> None:
    shape = Shape(
        ("conversion",),
        multiples={"conversion": ["ppp", "market"]},
        between={"conversion": {"mixed": ["ppp", "market"]}},
    )
    # 60 of labour at parity, 40 of the rest at 0.5.
    unknowns, found = made({("ppp",): 100.0, ("market",): 50.0, ("mixed",): 80.0}, shape)
    assert sorted(unknowns.truth) == pytest.approx([40.0, 60.0])
    assert unknowns.sum_atoms(found["mixed",]) == pytest.approx(80.0)


@given(st.lists(NUMBERS, min_size=12, max_size=12), st.integers(0, 10**9))
def test_traffic_is_the_same_under_each_definition_and_narrow_spam_within_wide(
    traffic: list[int], elsewhere: int
) -> None:
    """traffic: of each unit that which both definitions count as spam for certain, down to neither."""
    values: dict[Codes, float] = {}
    before = dict.fromkeys(("certain", "possible"), (0, 0))
    units = 0
    for unit, of in (("recipient", traffic[:6]), ("attempted", traffic[6:])):
        both, narrow_open, wide_alone, open_, wide_open, rest = of
        steps = {
            "certain": (both, both + narrow_open + wide_alone),
            "possible": (both + narrow_open + open_, sum(of) - rest),
        }
        units += sum(of)
        for quantity, step in steps.items():
            before[quantity] = tuple(a + b for a, b in zip(before[quantity], step, strict=True))  # type: ignore[assignment]
            for definition, figure in zip(("narrow", "wide"), before[quantity], strict=True):
                values[unit, definition, quantity] = float(figure)
        for definition in ("narrow", "wide", "elsewhere"):
            values[unit, definition, "units"] = float(units)
    values["recipient", "foreign", "units"] = float(elsewhere)
    unknowns, found = made(values, DEFINED)
    assert min(unknowns.truth) >= 0
    for codes, value in values.items():
        assert unknowns.sum_atoms(found[codes]) == pytest.approx(value)
    # An atom is under all that counts it, whatever there is of it.
    for unit in ("recipient", "attempted"):
        for definition in ("narrow", "wide"):
            certain, possible = (set(found[unit, definition, name]) for name in ("certain", "possible"))
            assert certain <= possible <= set(found[unit, "wide", "units"])
        for quantity in ("certain", "possible"):
            assert set(found[unit, "narrow", quantity]) <= set(found[unit, "wide", quantity])
        for definition in ("narrow", "elsewhere"):
            assert found[unit, definition, "units"] == found[unit, "wide", "units"]
    # Six kinds of each unit, and traffic that differs.
    differs = values["recipient", "foreign", "units"] != pytest.approx(values["recipient", "wide", "units"])
    assert len(unknowns.truth) == 12 + differs


def test_an_operator_whose_narrow_spam_is_more_keeps_its_other_orders() -> None:
    values: dict[Codes, float] = {
        ("recipient", definition, quantity): figure
        for definition, figures in (("narrow", (5.0, 8.0, 9.0)), ("wide", (4.0, 8.0, 9.0)))
        for quantity, figure in zip(("certain", "possible", "units"), figures, strict=True)
    }
    unknowns, found = made(values, DEFINED)
    for codes, value in values.items():
        assert unknowns.sum_atoms(found[codes]) == value
    for definition in ("narrow", "wide"):
        assert set(found["recipient", definition, "certain"]) <= set(found["recipient", "wide", "units"])


def test_kinds_of_traffic_are_what_figures_count_with_those_above_them() -> None:
    one, other, top = (("a",), ("b",), ("c",))
    order = frozenset({(one, top), (other, top)})
    assert set(list_kinds((one, other, top), order)) == {
        (top,),
        (one, top),
        (other, top),
        (one, other, top),
    }
