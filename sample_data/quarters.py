"""The made-up membership over four releases: what the study node has when it makes each.

| release | what is new |
|---|---|
| 2026-Q4 v1.0.0 | four operators of each channel are late, and one package is wrong |
| 2026-Q4 v1.1.0 | these have answered, and it is corrected: the membership as it is committed |
| 2027-Q1 v1.0.0 | of e-mail an operator joined, one was sold, one closed, one is late, one is wrong |
| 2027-Q1 v1.1.0 | the late one has answered, the wrong one is corrected: too few for the world to change |

What countermeasures cost follows the units; fixed costs stay. Texts are counted by two more definitions, one
within the other: bulk without consent, and of that what advertises. Who sells an operator and who buys it
have others in several countries.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from jobs.base.core.periods import count_days
from jobs.base.tables.csv_tables import read_table
from sample_data.membership import FOLDER, MONTHS, PERIOD, SEED

SUBMISSION, QUALITY, ANSWERS = "study.submission", "study.submission_quality", "study.questionnaire_answer"
# Types, sources and routes of what operators count as spam by their own definition.
PARTS = ("study.submission_type", "study.submission_source", "study.submission_route")
COST, AMOUNTS = "study.submission_cost", ("amount_mean", "amount_p05", "amount_p50", "amount_p95")
FRAME = "ref.operator_frame"
GIVEN = (SUBMISSION, *PARTS, COST, QUALITY, ANSWERS)
TABLES = (*GIVEN, FRAME, "ref.denominator", "ref.price_level")
COUNTED = ("respondent_id", "period_code", "channel_code", "direction_code", "unit_code", "definition_code")
NEXT, LATER = "2027-Q1", dict(zip(MONTHS, ("2027-01", "2027-02", "2027-03"), strict=True))
FIRST_DAY = dt.date(2027, 1, 1)
LATE, WIDE, NARROW = 4, "ITU_T_SG2", "SINGAPORE_SCA"


@dataclass(frozen=True)
class Release:
    """A release of the chain: its period, version and day."""

    period: str
    version: str
    at: dt.datetime


RELEASES = (
    Release(PERIOD, "v1.0.0", dt.datetime(2027, 3, 15, tzinfo=dt.UTC)),
    Release(PERIOD, "v1.1.0", dt.datetime(2027, 4, 15, tzinfo=dt.UTC)),
    Release(NEXT, "v1.0.0", dt.datetime(2027, 6, 15, tzinfo=dt.UTC)),
    Release(NEXT, "v1.1.0", dt.datetime(2027, 7, 15, tzinfo=dt.UTC)),
)


@dataclass(frozen=True)
class Events:
    """Operators to whom something happens: of e-mail, but that late has some of every channel."""

    late: tuple[str, ...]
    wrong: str
    sold: str
    closed: str
    late_next: str
    wrong_next: str


def events(have: dict[str, pl.DataFrame]) -> Events:
    """Drawn from those that sent packages and waived nothing; a sold one belongs to a holding with others."""
    is_waived = pl.col("waiver").fill_null("W0") != "W0"
    waived = pl.concat(
        have[name].filter(is_waived)["respondent_id"] for name in (ANSWERS, SUBMISSION)
    ).unique()
    packages = (
        have[SUBMISSION]
        .filter(~pl.col("respondent_id").is_in(waived.to_list()))
        .select("channel_code", "respondent_id", "holding_id")
        .unique()
        .sort(pl.all())
    )
    random = np.random.default_rng([SEED, *b"events"])
    names = {
        str(channel): [str(name) for name in random.permutation(rows["respondent_id"].to_list())]
        for (channel,), rows in packages.partition_by(
            "channel_code", as_dict=True, maintain_order=True
        ).items()
    }
    late = tuple(name for each in names.values() for name in each[:LATE])
    wrong, closed, late_next, wrong_next = names["EMAIL"][LATE : LATE + 4]
    groups = packages.filter(
        pl.col("holding_id").str.starts_with("group-") & (pl.col("channel_code") == "EMAIL")
    )["respondent_id"].to_list()
    used = {*late, wrong, closed, late_next, wrong_next}
    sold = next(str(name) for name in groups if name not in used)
    return Events(late, wrong, sold, closed, late_next, wrong_next)


def tables(
    number: int, countries: Collection[str] | None = None, raised: Mapping[str, float] = {}
) -> dict[str, pl.DataFrame]:
    """The tables of the study node at one of RELEASES, of all countries or some.

    Args:
        raised: operators that count so many times as much.
    """
    have = {name: read_table(FOLDER, name) for name in TABLES}
    # The chain of releases begins with this quarter.
    have[SUBMISSION] = have[SUBMISSION].filter(pl.col("period_code").is_in(list(MONTHS)))
    if countries is not None:
        have |= {
            name: have[name].filter(pl.col("country_code").is_in(list(countries)))
            for name in (SUBMISSION, *PARTS, COST, ANSWERS, FRAME, "ref.denominator")
        }
        have[QUALITY] = have[QUALITY].join(have[FRAME], on="respondent_id", how="semi")
    happens = events(have)
    later = next_quarter(have, happens) if number > 1 else {}
    if number == 0:
        have = corrected(without(have, happens.late), happens.wrong, 1.25)
    if number == 2:
        later = corrected(without(later, [happens.late_next]), happens.wrong_next, 1.4)
    have |= {name: pl.concat([have[name], later[name]]) for name in GIVEN if later}
    have[FRAME] = later.get(FRAME, have[FRAME])
    for name, factor in raised.items():
        have = corrected(have, name, factor)
    have[SUBMISSION] = pl.concat([have[SUBMISSION], *defined(have[SUBMISSION])])
    return have


def write(
    folder: Path, number: int, countries: Collection[str] | None = None, raised: Mapping[str, float] = {}
) -> None:
    """Write the tables of one of RELEASES as files of a study node.

    Args:
        raised: as tables() takes it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables(number, countries, raised).items():
        rows.write_csv(folder / f"{name.split('.')[1]}.csv")


def without(have: dict[str, pl.DataFrame], late: Collection[str]) -> dict[str, pl.DataFrame]:
    """The tables before some have answered anything."""
    is_late = pl.col("respondent_id").is_in(list(late))
    return have | {name: have[name].filter(~is_late) for name in GIVEN}


def scaled(rows: pl.DataFrame, factor: pl.Expr) -> pl.DataFrame:
    """Counts times a factor; an order between them stays, and so does that parts add up to their whole."""
    units, certain, possible = (pl.col(name) for name in ("units", "spam_certain", "spam_possible"))
    steps = rows.with_columns(a=certain, b=possible - certain, c=units - possible, factor=factor)
    ends = steps.with_columns(
        (pl.col(name).cum_sum().over(COUNTED) * pl.col("factor")).floor().cast(pl.Int64) for name in "abc"
    )
    a, b, c = (pl.col(name) - pl.col(name).shift(1, fill_value=0).over(COUNTED) for name in "abc")
    made = ends.with_columns(spam_certain=a, spam_possible=a + b, units=a + b + c)
    return made.select(rows.columns)


def costed(rows: pl.DataFrame, factor: pl.Expr) -> pl.DataFrame:
    """Costs of so many times the units: those that are fixed stay."""
    by = pl.when(pl.col("cost_component_code") == "marginal").then(factor).otherwise(1.0)
    made = {name: (pl.col(name).cast(pl.Float64) * by).round(4).cast(rows.schema[name]) for name in AMOUNTS}
    return rows.with_columns(**made)


def corrected(have: dict[str, pl.DataFrame], wrong: str, factor: float) -> dict[str, pl.DataFrame]:
    """The tables before an operator corrected its package, which had so many times its counts."""
    is_wrong = pl.col("respondent_id") == wrong
    by = pl.when(is_wrong).then(factor).otherwise(1.0)
    counts = {name: scaled(have[name], by) for name in (SUBMISSION, *PARTS)}
    return have | counts | {COST: costed(have[COST], by)}


def drawn(rows: pl.DataFrame, label: bytes, low: float, high: float) -> pl.Expr:
    """A number of each respondent's own, between two: the same whoever else there is."""
    names = rows["respondent_id"].unique().to_list()
    of = {name: np.random.default_rng([SEED, *label, *name.encode()]).uniform(low, high) for name in names}
    return pl.col("respondent_id").replace_strict(of, return_dtype=pl.Float64)


def defined(submission: pl.DataFrame) -> list[pl.DataFrame]:
    """Incoming texts by the wider and by the narrower definition: spam is a part of the operators' own."""
    texts = submission.filter((pl.col("channel_code") == "SMS") & (pl.col("direction_code") == "inbound"))
    wide = shared(texts, drawn(texts, b"wide", 0.5, 0.9)).with_columns(definition_code=pl.lit(WIDE))
    narrow = shared(wide, drawn(texts, b"narrow", 0.3, 0.8)).with_columns(definition_code=pl.lit(NARROW))
    return [wide, narrow]


def shared(rows: pl.DataFrame, share: pl.Expr) -> pl.DataFrame:
    """Rows of which a share of the spam is spam, certain and possible alike."""
    return rows.with_columns(
        (pl.col(name) * share).floor().cast(pl.Int64) for name in ("spam_certain", "spam_possible")
    )


def next_quarter(have: dict[str, pl.DataFrame], happens: Events) -> dict[str, pl.DataFrame]:
    """The quarter after, with everyone's answers and packages as they are in the end; and its frame."""
    month = pl.col("period_code").replace_strict(LATER, return_dtype=pl.String)
    longer = pl.col("period_code").replace_strict(
        {old: count_days(new) - count_days(old) for old, new in LATER.items()}, return_dtype=pl.Int64
    )
    is_left = pl.col("respondent_id") == happens.closed
    is_sold, owner = pl.col("respondent_id") == happens.sold, new_owner(have, happens.sold)
    later = drawn(have[SUBMISSION], b"later", 0.85, 1.2)
    sent = {name: scaled(have[name].filter(~is_left), later) for name in (SUBMISSION, *PARTS)}
    joins = f"{happens.wrong}-new"
    rows = sent[SUBMISSION].with_columns(
        day_count=(pl.col("day_count") + longer).clip(1),
        period_code=month,
        holding_id=pl.when(pl.col("respondent_id") == happens.sold)
        .then(pl.lit(owner))
        .otherwise("holding_id"),
    )
    is_model = pl.col("respondent_id") == happens.wrong
    joined = scaled(rows.filter(is_model), pl.lit(0.6)).with_columns(
        respondent_id=pl.lit(joins), holding_id=pl.lit(joins), subscriptions=pl.col("subscriptions") // 2
    )
    sent[COST] = costed(have[COST].filter(~is_left), later).with_columns(
        day_count=(pl.col("day_count") + longer).clip(1)
    )
    others = {}
    for name in (*PARTS, COST):
        of_table = sent[name].with_columns(period_code=month)
        smaller = costed if name == COST else scaled
        new_ones = smaller(of_table.filter(is_model), pl.lit(0.6)).with_columns(respondent_id=pl.lit(joins))
        others[name] = pl.concat([of_table, new_ones])
    asked = have[ANSWERS].filter((pl.col("period_code") == PERIOD) & ~is_left)
    frame = have[FRAME]
    new = frame.filter(is_model).with_columns(
        respondent_id=pl.lit(joins), holding_id=pl.lit(joins), subscriptions=pl.col("subscriptions") // 2,
        valid_from=pl.lit(FIRST_DAY),
    )  # fmt: skip
    ended = pl.col("respondent_id").is_in([happens.sold, happens.closed])
    before = frame.with_columns(valid_to=pl.when(ended).then(pl.lit(FIRST_DAY)).otherwise("valid_to"))
    bought = frame.filter(is_sold).with_columns(holding_id=pl.lit(owner), valid_from=pl.lit(FIRST_DAY))
    return {
        SUBMISSION: pl.concat([rows, joined]),
        **others,
        QUALITY: have[QUALITY].filter(~is_left).with_columns(period_code=month),
        ANSWERS: asked.with_columns(
            period_code=pl.lit(NEXT), received_at=pl.col("received_at") + pl.duration(days=90)
        ),
        FRAME: pl.concat([before, new, bought]),
    }


def new_owner(have: dict[str, pl.DataFrame], sold: str) -> str:
    """Another holding with operators in several countries."""
    holding = have[FRAME].select("respondent_id", "holding_id").unique()
    own = holding.filter(pl.col("respondent_id") == sold)["holding_id"][0]
    others = holding.filter(pl.col("holding_id").str.starts_with("group-") & (pl.col("holding_id") != own))
    return str(others["holding_id"].sort()[0])
