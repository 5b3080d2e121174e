"""Generated studies of a few countries, estimated as the study does, with releases that follow each other."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from jobs.base.core.periods import count_days, months_of
from jobs.base.tables.contracts import conform_frame, polars_schema, reference_table, rows_frame
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.estimates import contribution, respondent_figure, spam_volume
from jobs.study.estimates.respondent_figure import ANSWERS, LOGS
from jobs.study.estimates.steps.coverage import cover_rows
from jobs.study.estimates.steps.rows import MEASURES, frame_rows
from jobs.study.estimates.steps.sample import Reference
from jobs.study.public.cells import Basis

COUNTRIES = ("KEN", "NPL", "FJI", "GHA", "PER", "UZB", "JOR", "TUN", "POL", "BOL", "LAO", "MWI")
PERIOD, CHANNEL, DEFINITION = "2026-Q4", "EMAIL", "OPERATOR"
WIDE, NARROW = "ITU_T_SG2", "SINGAPORE_SCA"
SIZES = {"SMALL": 1e5, "MEDIUM": 1e6, "LARGE": np.inf}


@dataclass
class Operator:
    """An operator of a generated study: its figures by unit and quantity, None where it did not answer. One
    that only answers has them of the period alone, in a study of months.

    Attributes:
        others: its figures under more definitions.
    """

    name: str
    country: str
    holding: str
    subscriptions: int
    figures: tuple[int, int, int] | None
    waives: bool = False
    only_answers: bool = False
    others: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Small:
    """A generated study: its operators, and countries' subscriptions that nobody listed.

    Attributes:
        by_month: logs have a third of the period's figures in each of three months.
    """

    operators: tuple[Operator, ...]
    unlisted: Mapping[str, int] = field(default_factory=dict)
    period: str = PERIOD
    unit: str = "recipient"
    by_month: bool = False


def drawn(seed: int, countries: int = 12, most: int = 6, answering: float = 0.75) -> Small:
    """A study whose operators answer at random; some are of one holding, also across countries; rates of spam
    have heavy tails."""
    random = np.random.default_rng([52, seed])
    operators = []
    for country in COUNTRIES[:countries]:
        for number in range(int(random.integers(1, most + 1))):
            name = f"{country.lower()}-{number}"
            group = f"group-{random.integers(0, 4)}" if random.random() < 0.15 else name
            subscriptions = int(np.exp(random.normal(12.5, 1.3)))
            figures = figures_of(subscriptions, random) if random.random() < answering else None
            operators.append(Operator(name, country, group, subscriptions, figures))
    return Small(tuple(operators))


def figures_of(subscriptions: int, random: np.random.Generator) -> tuple[int, int, int]:
    """All units, certain and possible spam of an operator."""
    certain = int(subscriptions * np.exp(random.normal(1.0, 1.0)))
    undecided = int(certain * random.uniform(0, 0.2))
    other = int(certain * np.exp(random.normal(0.0, 0.5)))
    return certain + undecided + other, certain, certain + undecided


def changed(small: Small, seed: int) -> Small:
    """The next quarter's view of the same quarter: an operator joins, one leaves, one is sold, one corrects
    its package, one answers late. Any of them may fail to happen."""
    random = np.random.default_rng([22, seed])
    operators = [replace(each) for each in small.operators]

    def one(of: Sequence[Operator]) -> Operator | None:
        return of[random.integers(len(of))] if of and random.random() < 0.7 else None

    late = one([each for each in operators if each.figures is None])
    if late:
        late.figures = figures_of(late.subscriptions, random)
    corrects = one([each for each in operators if each.figures is not None])
    if corrects and corrects.figures:
        units, certain, possible = corrects.figures
        less = int(certain * random.uniform(0.2, 0.6))
        corrects.figures = (units, certain - less, possible - less)
    sold = one(operators)
    if sold:
        sold.holding = operators[random.integers(len(operators))].holding
    leaves = one([each for each in operators if each.figures is not None])
    if leaves:
        leaves.figures = None
    if random.random() < 0.5:
        country = operators[random.integers(len(operators))].country
        name = f"{country.lower()}-new-{seed}"
        subscriptions = int(np.exp(random.normal(12.5, 1.3)))
        operators.append(Operator(name, country, name, subscriptions, figures_of(subscriptions, random)))
    return replace(small, operators=tuple(operators))


def basis(small: Small, release: str) -> Basis:
    """The study's tables of a generated study, by the study's own code."""
    frame = pl.DataFrame(
        [
            {
                "respondent_id": each.name, "holding_id": each.holding, "country_code": each.country,
                "channel_code": CHANNEL, "subscriptions": each.subscriptions, "valid_from": "2020-01-01",
                "size_code": next(name for name, edge in SIZES.items() if each.subscriptions < edge),
            }
            for each in small.operators
        ]
    ).with_columns(
        pl.col("valid_from").str.to_date(), valid_to=pl.lit(None, pl.Date), source=pl.lit("made up"),
        subscriptions_low=pl.lit(None, pl.Int64), subscriptions_high=pl.lit(None, pl.Int64),
    )  # fmt: skip
    listed = frame.group_by("country_code").agg(pl.col("subscriptions").sum())
    more = pl.col("country_code").replace_strict(dict(small.unlisted), default=0, return_dtype=pl.Int64)
    denominator = listed.select(
        "country_code",
        pl.col("subscriptions") + more,
        period_code=pl.lit(small.period),
        channel_code=pl.lit(CHANNEL),
        subscriptions_low=(pl.col("subscriptions") + more) * 9 // 10,
        subscriptions_high=(pl.col("subscriptions") + more) * 11 // 10,
        error_class_code=pl.lit("one"),
        shared_error_pct=pl.lit("3.00").cast(pl.Decimal(5, 2)),
        source=pl.lit("made up"),
    )
    tables = {
        "ref.operator_frame": conform_frame(frame, "ref.operator_frame"),
        "ref.denominator": conform_frame(denominator, "ref.denominator"),
        "ref.country": reference_table("ref.country"),
        "ref.country_group": reference_table("ref.country_group"),
    }
    known = Reference(*tables.values())
    given = answers(small)
    rows = pl.DataFrame(
        contribution.volume_contributions(given, known, frozenset()), infer_schema_length=None
    )
    waiving = {each.name for each in small.operators if each.waives}
    owned = contribution.add_owners(rows, tables["ref.operator_frame"])
    owned = owned.with_columns(is_waived=pl.col("respondent_id").is_in(sorted(waiving)))
    estimated = spam_volume.estimate_cells(given, known, frozenset())
    tables["study.spam_volume"] = cover_rows(estimated, "study.spam_volume", tables)
    tables["study.contribution"] = frame_rows(owned.to_dicts(), "study.contribution")
    empty = {each.source for each in map(public_contract, public_tables())} - set(tables)
    return Basis(release, tables | {name: pl.DataFrame(schema=polars_schema(name)) for name in empty})


def defined(small: Small, seed: int) -> Small:
    """The study with two more definitions, one within the other, by which most of its operators count."""
    random = np.random.default_rng([23, seed])
    operators = []
    for each in small.operators:
        others = {}
        if each.figures is not None and random.random() < 0.8:
            units, certain, possible = each.figures
            for code in (WIDE, NARROW):
                share = random.uniform(0.6, 1.0)
                certain, possible = int(share * certain), int(share * possible)
                others[code] = (units, certain, possible)
        operators.append(replace(each, others=others))
    return replace(small, operators=tuple(operators))


def rarely(small: Small, seed: int) -> Small:
    """The study with two more definitions, one within the other, by which few of its operators count: some by
    both, some by one of them."""
    random = np.random.default_rng([24, seed])
    counting = random.uniform(0.05, 0.5)
    operators = []
    for each in small.operators:
        others = {}
        if each.figures is not None:
            units, certain, possible = each.figures
            for code in (WIDE, NARROW):
                # Often little lies between definitions.
                share = random.choice([random.uniform(0.98, 1.0), random.uniform(0.6, 1.0)])
                certain, possible = int(share * certain), int(share * possible)
                if random.random() < counting:
                    others[code] = (units, certain, possible)
        operators.append(replace(each, others=others))
    return replace(small, operators=tuple(operators))


def answers(small: Small) -> pl.DataFrame:
    """Rows of study.respondent_figure: what the operators gave by logs, or by answers alone."""
    rows = []
    for each in small.operators:
        if each.figures is None:
            continue
        by_month = small.by_month and not each.only_answers
        periods = months_of(small.period) if by_month else (small.period,)
        defined = {DEFINITION: each.figures, **each.others}
        for period, (definition, figures) in itertools.product(periods, defined.items()):
            rows.append(
                dict(zip(MEASURES, (figure // len(periods) for figure in figures), strict=True))
                | {"respondent_id": each.name, "period_code": period, "channel_code": CHANNEL}
                | {"unit_code": small.unit, "definition_code": definition}
                | {"day_count": None if each.only_answers else count_days(period)}
                | {"answer_status_code": "A" if each.only_answers else None}
                | {"given_by_code": ANSWERS if each.only_answers else LOGS}
                | {"subscriptions": each.subscriptions}
            )
    return rows_frame(rows, respondent_figure.TABLE)
