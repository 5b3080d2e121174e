"""A study of one public table: six equal operators of one country, all of whom answered: estimates are
sums of what they gave, times six over those that gave it; and an attack on all rows that rules let leave."""

from collections.abc import Collection, Mapping, Sequence

import polars as pl
import pytest

from jobs.base.tables.contracts import polars_schema, reference_table, rows_frame
from jobs.base.tables.public_contracts import PublicContract, public_contract, public_tables
from jobs.base.tables.series import Shape
from jobs.study.attack.search import Attack
from jobs.study.public.cells import CONTRIBUTION, Basis, name_cells
from jobs.study.public.gate import make_public_tables
from jobs.study.public.knowledge import known_release, read_rows, shape_of

PERIOD, P_PCT = "2026-Q4", 13.7
OPERATORS = [f"fji-{number}" for number in range(6)]
# What operators of six holdings gave, by the codes of a series; None: it gave no such figure.
Given = Mapping[tuple[str, ...], Sequence[float | None]]


def study_of(
    contract: PublicContract,
    given: Given,
    hidden: Collection[tuple[str, ...]] = (),
    variance: float | None = None,
) -> Basis:
    """The study whose rows and contributions are these, each in the columns that its table has.

    Args:
        hidden: what has no row.
        variance: of rates, of each series, said to be safe; none in tests of links, where a variance that is
            not the figures' own would be one more thing that an attacker knows.
    """
    series = shape_of(contract).columns
    contributions, rows = [], []
    for codes, values in given.items():
        cell = {"period_code": PERIOD, "channel_code": "EMAIL"} | dict(zip(series, codes, strict=True))
        contributions += [
            cell
            | {"table_name": contract.source, "series": "/".join(codes), "respondent_id": name}
            | {"holding_id": name, "country_code": "FJI", "contribution": float(value)}
            | {"own_subscriptions": 1000, "is_waived": False}
            for name, value in zip(OPERATORS, values, strict=True)
            if value is not None
        ]
        if codes in hidden:
            continue
        told = [value for value in values if value is not None]
        estimate = sum(told) * len(values) / len(told)
        rows.append(
            cell
            | {"area_code": "WORLD", "area_kind_code": "world", "estimate": estimate}
            | {"area_factor": 0.01, "rates_variance": variance, "rates_freedom": 10, "rates_margin_pct": 20}
            | {"subscriptions_variance": 0.002, "days_variance": 0.0001}
            | {
                "coverage_pct": 100,
                "frame_country_count": 2,
                "holding_count": 6,
                "part_holding_count": sum(map(bool, told)),
            }
            | {"other_holding_count": 0, "transit_code": "_T", "source_country_code": "_T"}
            | {"nature_code": "E", "obs_status_code": "E"}
        )
    frame = [
        {"respondent_id": name, "holding_id": name, "country_code": "FJI", "channel_code": "EMAIL",
         "size_code": "SMALL", "subscriptions": 1000, "source": "made up"}
        for name in OPERATORS
    ]  # fmt: skip
    known = {
        "ref.operator_frame": rows_frame(frame, "ref.operator_frame").with_columns(
            valid_from=pl.date(2020, 1, 1)
        ),
        "ref.denominator": rows_frame([], "ref.denominator"),
        CONTRIBUTION: rows_frame(in_columns(contributions, CONTRIBUTION), CONTRIBUTION),
        contract.source: rows_frame(in_columns(rows, contract.source), contract.source),
    }
    known |= {name: reference_table(name) for name in ("ref.country", "ref.country_group")}
    others = {public_contract(each).source for each in public_tables()} - set(known)
    return Basis("r1", known | {name: pl.DataFrame(schema=polars_schema(name)) for name in others})


def in_columns(rows: list[dict[str, object]], table: str) -> list[dict[str, object]]:
    columns = polars_schema(table)
    return [{name: value for name, value in row.items() if name in columns} for row in rows]


def attack_all(study: Basis, contract: PublicContract, shape: Shape) -> set[str]:
    """Return the holdings whose figures an attack finds in all rows that rules let leave, without the gate's
    last word."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Attack, "find_all", lambda attack: [])
        public = make_public_tables(study, [], [PERIOD], P_PCT).public
    return attack_public(study, contract, public, shape)


def attack_public(
    study: Basis, contract: PublicContract, public: Mapping[str, pl.DataFrame], shape: Shape
) -> set[str]:
    """Return the holdings whose figures an attack finds in these rows."""
    read = read_rows(name_cells(public[contract.table], contract), contract)
    findings = Attack([known_release(study, read)], {contract.source: shape}, P_PCT).find_all()
    return {each.holding for each in findings}
