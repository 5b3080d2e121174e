"""A made-up study to draw: six operators, two channels, five days. The figures are consistent, since all
are sums of the same cells, and deterministic."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from expectations.native import Result
from jobs.base.core.call_shares import CALL_SHARES, CALLS
from jobs.base.tables.contracts import conform_frame, read_contract, reference_table, rows_frame
from jobs.operators.gold import spam_corrected_monthly
from jobs.operators.gold.shared.correcting import estimate_whole
from jobs.operators.gold.traffic_hourly_daily import WITHIN
from jobs.operators.report.figures import ENDS_OF_SPAM, FIGURES, SUMS, Figures
from jobs.operators.report.report import PageOrigin, Report
from jobs.operators.report.unclaimed import ReportedOperator

OPERATORS = [
    ReportedOperator("alp-mail", "Alp Mail", "CHE", "alp", "CHF"),
    ReportedOperator("alp-post", "Alp Poste", "FRA", "alp", "EUR"),
    ReportedOperator("everest-net", "Everest Net", "NPL", "everest", "NPR"),
    ReportedOperator("isle-mobile", "Isle Mobile", "CYP", "isle", "EUR"),
    ReportedOperator("lagoon-mobile", "Lagoon Mobile", "FJI", "lagoon", "FJD"),
    ReportedOperator("thames-text", "Thames Text", "GBR", "thames", "GBP"),
]
MAIL = {"alp-mail": (62_000, 0.55), "alp-post": (118_000, 0.61), "everest-net": (21_000, 0.72)}
TEXT = {"isle-mobile": (24_000, 0.09), "lagoon-mobile": (9_500, 0.17), "thames-text": (71_000, 0.06)}
COMPLAINTS = [("EMAIL", "abuse", 1_204), ("EMAIL", "fraud", 31), ("SMS", "sms-7726", 48)]
FIRST = dt.date(2026, 11, 2)
MAIL_ORIGINS = {
    "USA": 21,
    "CHN": 14,
    "RUS": 11,
    "BRA": 9,
    "VNM": 8,
    "IND": 8,
    "DEU": 6,
    "TUR": 4,
    "_O": 9,
    "_U": 10,
}
TEXT_ORIGINS = {"GBR": 24, "CYP": 10, "FJI": 6, "IDN": 18, "NGA": 12, "PHL": 9, "PAK": 7, "_O": 6, "_U": 8}
MAIL_TYPES = {"PHISH.mail": 27, "AD.retail": 18, "AD.pharma": 9, "FRAUD.advance-fee": 8, "MALWARE.attach": 6}
MAIL_TYPES |= {"AD.gambling": 5, "FRAUD.invest": 5, "FRAUD.bec": 2, "OTHER": 2, "UNK": 18}
TEXT_TYPES = {"PHISH.smish": 38, "FRAUD.impersonation": 16, "AD.gambling": 14, "FRAUD.loan": 12, "UNK": 20}
# stage, outcome, weight in spam, weight in the rest, whether it is undecided
MAIL_ENDS = [
    ("connect", "rejected", 46, 1, False),
    ("envelope", "rejected", 14, 3, False),
    ("envelope", "deferred", 5, 2, True),
    ("content", "rejected", 20, 0, False),
    ("content", "quarantined", 4, 0, False),
    ("content", "tagged", 11, 0, False),
    ("delivery", "delivered", 0, 89, False),
    ("delivery", "bounced", 0, 4, False),
    ("delivery", "queued", 0, 1, False),
]
TEXT_ENDS = [
    ("envelope", "rejected", 38, 0, False),
    ("content", "discarded", 50, 0, False),
    ("delivery", "rejected", 12, 2, True),
    ("delivery", "delivered", 0, 95, False),
    ("delivery", "expired", 0, 3, False),
]
TEXT_LINKS = {"hub": 30, "aggregator": 26, "peer": 20, "smpp": 14, "unknown": 10}
LOCAL = {each.id: each.country for each in OPERATORS}
DIRECTIONS = {"inbound": 0.8, "internal": 0.08, "outbound": 0.12}
# Share of units that a definition finds certain, and that it cannot decide.
DEFINITIONS = {"CAN_SPAM": (0.06, 0.47), "SPAMHAUS_UBE": (0.21, 0.58)}


def kinds(channel: str, kind: str) -> pl.DataFrame:
    """Every cell that a unit of spam, or of the rest, may fall into, with its weight."""
    is_mail, is_spam = channel == "EMAIL", kind == "spam"
    types = (MAIL_TYPES if is_mail else TEXT_TYPES) if is_spam else {"_U": 1}
    dimensions = {
        "direction_code": DIRECTIONS,
        "origin_code": MAIL_ORIGINS if is_mail else TEXT_ORIGINS,
        "inbound_link_code": {"internet": 1} if is_mail else TEXT_LINKS,
        "spam_type_code": types,
    }
    ends = [
        (stage, outcome, float(spam if is_spam else rest), is_undecided)
        for stage, outcome, spam, rest, is_undecided in (MAIL_ENDS if is_mail else TEXT_ENDS)
        if (spam if is_spam else rest)
    ]
    table = pl.DataFrame(ends, schema=["stage_code", "outcome_code", "weight", "is_undecided"], orient="row")
    for column, weights in dimensions.items():
        part = pl.DataFrame({column: list(weights), "part": [float(weight) for weight in weights.values()]})
        table = (
            table.join(part, how="cross").with_columns(weight=pl.col("weight") * pl.col("part")).drop("part")
        )
    return table.with_columns(
        channel_code=pl.lit(channel),
        definition_code=pl.lit("OPERATOR"),
        source_country_code=pl.col("origin_code"),
        origin_kind=pl.lit("observed" if is_mail else "claimed"),
    )


def typed(figure: str, table: pl.DataFrame) -> pl.DataFrame:
    """A figure with its columns and their types."""
    return table.select(list(FIGURES[figure].columns)).cast(FIGURES[figure].columns)


def change_figures(made: Figures, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Figures:
    """The figures, each changed in the same way."""
    return Figures(**{name: change(getattr(made, name)) for name in FIGURES})


def with_figure(report: Report, **tables: pl.DataFrame) -> Report:
    return replace(report, figures=replace(report.figures, **tables))


def of_channel(table: pl.DataFrame, channel: str) -> pl.DataFrame:
    return table.filter(pl.col("channel_code") == channel) if "channel_code" in table.columns else table


def cells() -> pl.DataFrame:
    """The smallest cells, all by the operators' own definition."""
    rng = np.random.default_rng(52)
    made = []
    for channel, group in (("EMAIL", MAIL), ("SMS", TEXT)):
        tables = {kind: kinds(channel, kind) for kind in ("spam", "rest")}
        for (operator, (volume, share)), day in product(group.items(), range(5)):
            today = int(volume * (1 + 0.13 * np.sin(day + len(operator))) * rng.uniform(0.95, 1.05))
            spam = int(today * share * (1 + 0.10 * np.cos(1.7 * day)))
            for kind, total in (("spam", spam), ("rest", today - spam)):
                table = tables[kind]
                chances = table["weight"].to_numpy()
                units = pl.Series("units", rng.multinomial(total, chances / chances.sum()))
                made.append(
                    table.with_columns(
                        units,
                        is_spam=pl.lit(kind == "spam"),
                        operator_id=pl.lit(operator),
                        period_date=pl.lit(FIRST + dt.timedelta(days=day)),
                        destination_code=pl.lit(LOCAL[operator]),
                    ).filter(pl.col("units") > 0)
                )
    # Of what is no spam but ended where a measure may have acted, some cannot be decided.
    certain = pl.when(pl.col("is_spam") & ~pl.col("is_undecided")).then("units").otherwise(0)
    undecided = pl.when("is_undecided").then((pl.col("units") * 0.4).cast(pl.Int64)).otherwise(0)
    possible = pl.when("is_spam").then("units").otherwise(undecided)
    return pl.concat(made).with_columns(spam_certain=certain, spam_possible=possible)


# What an audit says of each call of a filter, where there is one.
SHARES = {"flagged": (0.93, 0.9, 0.96), "undecided": (0.5, 0.0, 1.0), "passed": (0.025, 0.015, 0.045)}


def with_ends(figure: str, table: pl.DataFrame, operators: tuple[str, ...]) -> pl.DataFrame:
    """Sums of cells by the keys of a figure, with the errors of these operators' filters by their calls."""
    keys = [column for column in FIGURES[figure].columns if column not in (*SUMS, *ENDS_OF_SPAM)]
    is_seen = pl.col("stage_code").is_in(["content", "delivery"])
    is_audited = is_seen & pl.col("operator_id").is_in(operators)
    counts = {
        "flagged": pl.col("spam_certain"),
        "undecided": pl.col("spam_possible") - pl.col("spam_certain"),
        "passed": pl.col("units") - pl.col("spam_possible"),
    }
    of_calls = [pl.when(is_audited).then(counts[call]).otherwise(0).sum().alias(call) for call in CALLS]
    of_operators = table.group_by(*keys, "operator_id").agg(
        pl.col(list(SUMS)).sum(),
        pl.when(is_seen).then("units").otherwise(0).sum().alias("seen_units"),
        *of_calls,
    )

    def distance(end: int) -> pl.Expr:
        widths = [(pl.col(call) * (SHARES[call][end] - SHARES[call][0])) ** 2 for call in CALLS]
        return pl.sum_horizontal(widths).sum().sqrt()

    spam = pl.sum_horizontal([pl.col(call) * SHARES[call][0] for call in CALLS]).sum()
    certain = (pl.col("spam_certain") - pl.col("flagged")).sum()
    possible = (pl.col("spam_possible") - pl.col("flagged") - pl.col("undecided")).sum()
    return of_operators.group_by(keys).agg(
        pl.col(*SUMS, "seen_units").sum(),
        pl.sum_horizontal(CALLS).sum().alias("audited_units"),
        spam.alias("audited_spam"),
        (certain + spam - distance(1)).alias("spam_low"),
        (possible + spam + distance(2)).alias("spam_high"),
    )


# The figures whose parts an audit of the whole speaks for.
PARTS = ("daily", "stages", "routes", "transits", "countries", "networks")


def parts(*operators: str) -> dict[str, pl.DataFrame]:
    """The figures by days, stages, routes and sources, with the errors of these operators' filters."""
    mine = cells().filter(pl.col("direction_code") != "outbound")
    made = {name: with_ends(name, mine, operators) for name in ("daily", "routes", "stages")}
    is_hub = pl.col("inbound_link_code") == "hub"
    passed = mine.with_columns(transit_code=pl.when(is_hub).then(pl.lit("hub")).otherwise(pl.lit("_U")))
    made["transits"] = with_ends("transits", passed, operators)
    made["countries"] = countries(with_ends("countries", mine, operators))
    made["networks"] = networks(made["countries"])
    return {
        name: made[name].select(list(FIGURES[name].columns)).cast(FIGURES[name].columns) for name in PARTS
    }


@cache
def figures() -> Figures:
    """The study's figures, as gather() would give them."""
    every = cells()
    mine = every.filter(pl.col("direction_code") != "outbound")

    def summed(figure: str, table: pl.DataFrame) -> pl.DataFrame:
        keys = [
            column for column in FIGURES[figure].columns if column not in SUMS and column in table.columns
        ]
        return table.group_by(keys).agg(pl.col(list(SUMS)).sum())

    volume = summed("volume", every)
    is_mail = pl.col("channel_code") == "EMAIL"
    others = [
        volume.filter(is_mail).with_columns(
            definition_code=pl.lit(code),
            spam_certain=(pl.col("units") * certain).cast(pl.Int64),
            spam_possible=(pl.col("units") * (certain + undecided)).cast(pl.Int64),
        )
        for code, (certain, undecided) in DEFINITIONS.items()
    ]
    made = {
        "volume": pl.concat([volume, *others]),
        "days": every.group_by("operator_id", "channel_code").agg(
            first_date=pl.col("period_date").min(),
            last_date=pl.col("period_date").max(),
            day_count=pl.col("period_date").n_unique(),
        ),
        "directions": volume.with_columns(unit_code=pl.lit("recipient")),
        "bases": bases(mine),
        "type_coverage": type_coverage(),
        "bypass": bypass(),
        "campaigns": campaigns(),
        "campaign_days": campaign_days(),
        "hours": hours(every),
        "effort": effort(),
        "quality": quality(mine),
        "type_quality": type_quality(mine),
        "quality_parts": pl.DataFrame(schema=FIGURES["quality_parts"].columns),
        "costs": costs(),
        "complaints": pl.DataFrame(COMPLAINTS, schema=list(FIGURES["complaints"].columns), orient="row"),
        "coverage": coverage(),
    }
    made |= {
        "origins": origins(summed("origins", mine)),
        **parts(),
        "errors": errors(made["quality"], made["type_quality"]),
    }
    every_figure = {name: made[name] if name in made else summed(name, mine) for name in FIGURES}
    return Figures(**{name: typed(name, table) for name, table in every_figure.items()})


def bases(mine: pl.DataFrame) -> pl.DataFrame:
    """Connections that were refused are attempts; the rest are recipients."""
    is_attempt = pl.col("stage_code") == "connect"
    units = mine.with_columns(
        unit_code=pl.when(is_attempt).then(pl.lit("attempt")).otherwise(pl.lit("recipient"))
    )
    is_stopped = pl.col("outcome_code").is_in(["rejected", "quarantined", "discarded", "tagged"])
    is_abusive = is_stopped & (pl.col("stage_code") != "delivery")
    within = {
        "attempted": pl.lit(True),
        "recipients": ~is_attempt,
        "maawg_abusive": is_abusive,
        "maawg_unaltered_delivered": pl.col("outcome_code") == "delivered",
    }
    return pl.concat(
        units.filter(condition)
        .with_columns(measure_code=pl.lit(code))
        .group_by("channel_code", "measure_code", "unit_code")
        .agg(pl.col(list(SUMS)).sum())
        for code, condition in within.items()
    )


def type_coverage() -> pl.DataFrame:
    rows = [
        ("EMAIL", "rspamd", 131_900, 61_400, 41_800, 28_700),
        ("EMAIL", "clamav", 8_400, 8_400, 0, 0),
        ("EMAIL", "_U", 390_700, 0, 12_300, 378_400),
        ("EMAIL", "_T", 522_600, 63_200, 54_100, 405_300),
        ("SMS", "sms_firewall", 38_200, 21_500, 9_100, 7_600),
        ("SMS", "_T", 38_200, 21_500, 9_100, 7_600),
    ]
    return pl.DataFrame(rows, schema=list(FIGURES["type_coverage"].columns), orient="row")


def bypass() -> pl.DataFrame:
    rows = [
        ("SMS", "GREY_ROUTE", "peer", 101_200, 6_840),
        ("SMS", "HOME_MISMATCH", "hub", 160_300, 3_120),
        ("SMS", "SIMBOX", "on-net", 42_700, 910),
        ("VOICE_IP", "SPOOFED_CLI", "sip-trunk", 18_400, 2_260),
    ]
    return pl.DataFrame(rows, schema=list(FIGURES["bypass"].columns), orient="row")


def countries(summed: pl.DataFrame) -> pl.DataFrame:
    """The smaller countries are four."""
    is_small = pl.col("source_country_code") == "_O"
    parts = [
        summed.filter(is_small).with_columns(
            source_country_code=pl.lit(code),
            **{name: share_out(name, share) for name in (*SUMS, *ENDS_OF_SPAM)},
        )
        for code, share in {"EGY": 40, "ARG": 30, "MDG": 20, "TUV": 10}.items()
    ]
    return pl.concat([summed.filter(~is_small), *parts], how="vertical_relaxed")


def origins(summed: pl.DataFrame) -> pl.DataFrame:
    """The smaller countries are four, as in countries()."""
    is_small = pl.col("origin_code") == "_O"
    small = summed.filter(is_small)
    parts = [small.with_columns(origin_code=pl.lit(code)) for code in ("EGY", "ARG", "MDG", "TUV")]
    return pl.concat([summed.filter(~is_small), *parts])


def hours(every: pl.DataFrame) -> pl.DataFrame:
    """Traffic that grows through the day; texts are in logs without sizes or delays."""
    is_mail = pl.col("channel_code") == "EMAIL"
    sums = every.group_by("operator_id", "channel_code", "direction_code").agg(pl.col("units").sum())
    placed = sums.join(pl.DataFrame({"hour_of_day": range(24)}), how="cross").with_columns(
        units=pl.col("units") * (pl.col("hour_of_day") + 1) // 300
    )
    sized = pl.when(is_mail).then("units").otherwise(0)
    done = zip(WITHIN, (50, 80, 89, 95, 99, 100), strict=True)
    within = {f"within_{seconds}s": sized * percent // 100 for seconds, percent in done}
    recipients = placed.with_columns(
        unit_code=pl.lit("recipient"),
        sized_units=sized,
        bytes=sized * 20_000,
        delay_units=sized,
        longest_delay_us=pl.when(is_mail).then(5_000_000_000),
        **within,
    )
    none = {name: pl.lit(0) for name in ("delay_units", *within)}
    messages = recipients.with_columns(
        unit_code=pl.lit("message"), bytes=sized * 15_000, longest_delay_us=pl.lit(None), **none
    )
    return pl.concat([recipients, messages], how="vertical_relaxed")


def share_out(name: str, percent: int) -> pl.Expr:
    """A part of a count, in whole units."""
    return (pl.col(name) * percent / 100).floor().cast(pl.Int64)


CAMPAIGNS = [
    # operator, copies, recipients, senders, networks, first, last, type, share blocked, days it ran
    ("alp-post", 18_420, 17_960, 8_311, 1_204, "00:03", "23:58", "PHISH.mail", 0.94, 5),
    ("alp-mail", 7_210, 7_102, 2, 1, "08:59", "10:14", "AD.retail", 0.02, 1),
    ("everest-net", 2_940, 2_811, 640, 388, "03:12", "19:40", "FRAUD.advance-fee", 0.71, 3),
    ("alp-mail", 611, 598, 71, 44, "12:01", "12:48", "UNK", 0.55, 1),
    ("thames-text", 3_870, 3_866, 41, 0, "06:00", "21:17", "PHISH.smish", 0.88, 4),
    ("isle-mobile", 940, 940, 3, 0, "14:30", "14:52", "AD.gambling", 0.31, 2),
]


def campaigns() -> pl.DataFrame:
    rows = []
    for rank, (operator, copies, *spread, first, last, kind, blocked, _) in enumerate(CAMPAIGNS):
        stopped = int(copies * blocked)
        ends = (first, last, kind, stopped, copies - stopped)
        channel = "EMAIL" if operator in MAIL else "SMS"
        day = FIRST + dt.timedelta(days=4)
        is_capped = rank == 2
        rows.append(
            (operator, channel, f"{rank + 10:x}" * 16, day, "text", copies, *spread, *ends, is_capped)
        )
    return pl.DataFrame(rows, schema=list(FIGURES["campaigns"].columns), orient="row")


def campaign_days() -> pl.DataFrame:
    rows = []
    for rank, (operator, copies, *_, day_count) in enumerate(CAMPAIGNS):
        channel = "EMAIL" if operator in MAIL else "SMS"
        for back in range(day_count):
            day = FIRST + dt.timedelta(days=4 - back)
            rows.append((operator, channel, f"{rank + 10:x}" * 16, day, copies // (back + 1)))
    return pl.DataFrame(rows, schema=list(FIGURES["campaign_days"].columns), orient="row")


def quality(mine: pl.DataFrame) -> pl.DataFrame:
    """Return the filters' counts; nobody has looked at a sample of them."""
    seen = mine.filter(pl.col("stage_code").is_in(["content", "delivery"]))
    of_month = seen.with_columns(period_code=pl.lit("2026-11"))
    summed = of_month.group_by("operator_id", "period_code", "channel_code").agg(pl.col(list(SUMS)).sum())
    absent = [pl.lit(None).alias(name) for name in FIGURES["quality"].columns if name not in summed.columns]
    return summed.with_columns(absent)


def type_quality(mine: pl.DataFrame) -> pl.DataFrame:
    """Return the filters' counts of each type."""
    seen = mine.filter(pl.col("stage_code").is_in(["content", "delivery"])).with_columns(
        spam_type_code=pl.col("spam_type_code").fill_null("UNK").replace("_U", "UNK")
    )
    whole = quality(mine).select("operator_id", "period_code", "channel_code", "units")
    spam = ("spam_certain", "spam_possible")
    key = ["operator_id", "channel_code", "spam_type_code"]
    of_type = seen.group_by(key).agg(pl.col(spam).sum()).filter(pl.col("spam_possible") > 0)
    every = whole.join(of_type.select(key[1:]).unique(), on="channel_code")
    summed = every.join(of_type, on=key, how="left").with_columns(pl.col(spam).fill_null(0))
    absent = [
        pl.lit(None).alias(name) for name in FIGURES["type_quality"].columns if name not in summed.columns
    ]
    return summed.with_columns(absent)


def with_corrected(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Rows of gold tables with those that gold computes of them: what audits and tests correct."""
    table = "gold.spam_corrected_monthly"
    given = [
        reference_table(name) if name.startswith("ref.") else rows_frame(tables.get(name, []), name)
        for name in read_contract(table).reads
    ]
    return tables | {table: conform_frame(spam_corrected_monthly.transform(*given), table).to_dicts()}


def errors(quality: pl.DataFrame, types: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the estimated errors of channels, and of types, of which no share of a call is known."""
    channels = estimate_whole(
        quality.cast({name: FIGURES["quality"].columns[name] for name in quality.columns})
    )
    found = [channels.with_columns(spam_type_code=pl.lit("_T"))]
    if types is not None:
        unknown = [pl.lit(None, pl.Float64).alias(name) for name in CALL_SHARES]
        kinds = {name: FIGURES["type_quality"].columns[name] for name in types.columns}
        found.append(estimate_whole(types.cast(kinds).with_columns(unknown)))
    schema = FIGURES["errors"].columns
    return pl.concat(each.select(pl.col(name).cast(kind) for name, kind in schema.items()) for each in found)


@dataclass(frozen=True)
class Estimated:
    """Units of one channel's month that an audit or a test covers, and the spam that it estimates."""

    units: int
    certain: int
    possible: int
    spam: float


def estimated(row: dict[str, Any]) -> Estimated:
    """row: what filters saw of a channel, with what an audit or a test says of it."""
    seen = pl.DataFrame(
        [{"quality_method_code": "audit", "prevalence": 0.0} | row], schema=FIGURES["quality"].columns
    )
    (found,) = estimate_whole(seen).to_dicts()
    counts = (found[f"audited_{name}"] for name in ("units", "certain", "possible"))
    return Estimated(*counts, float(found["audited_spam"]))


def audited_figures(*operators: str) -> Figures:
    """The figures with an audit of these operators, and a test elsewhere of the first one's filter."""
    of_operators = pl.col("operator_id").is_in(operators)
    estimates = {"prevalence": (0.31, 0.27, 0.36), "sensitivity": (0.88, 0.82, 0.93)}
    estimates["specificity"] = (0.995, 0.981, 0.999)
    estimates |= {f"{call}_spam_share": values for call, values in SHARES.items()}
    columns = [
        pl.when(of_operators).then(pl.lit(value)).alias(f"{name}{end}")
        for name, values in estimates.items()
        for value, end in zip(values, ("", "_low", "_high"), strict=True)
    ]
    is_first = pl.col("operator_id") == operators[0]
    method = pl.when(is_first).then(pl.lit("rogan_gladen")).when(of_operators).then(pl.lit("audit"))
    counts = (
        pl.when(of_operators & ~is_first).then(pl.lit(400)),
        pl.when(of_operators & ~is_first).then(pl.lit(371)),
    )
    table = figures().quality.with_columns(
        *columns, method.alias("quality_method_code"), counts[0].alias("sampled_count"),
        counts[1].alias("labelled_count"),
    )  # fmt: skip
    # Half of the spam of each type is spam of it, and of a type that no filter knew there is some.
    by_type = figures().type_quality
    new = by_type.unique(["operator_id", "channel_code"]).with_columns(
        spam_type_code=pl.lit("FRAUD.romance"),
        spam_certain=pl.lit(0, pl.Int64),
        spam_possible=pl.lit(0, pl.Int64),
    )
    is_audited = of_operators & (pl.col("operator_id") != operators[0])
    share = pl.when(pl.col("spam_type_code") == "FRAUD.romance").then(0.01).otherwise(
        pl.col("spam_certain") / pl.col("units") / 2
    )  # fmt: skip
    ends = {"": share, "_low": share * 0.9, "_high": share * 1.2}
    by_labels = pl.concat([by_type, new]).with_columns(
        *(pl.when(is_audited).then(end).alias(f"prevalence{name}") for name, end in ends.items()),
        pl.when(is_audited).then(pl.lit("audit")).alias("quality_method_code"),
    )
    named = {
        f"{name}{end}": value
        for name, values in estimates.items()
        if name in ("prevalence", "sensitivity", "specificity")
        for value, end in zip(values, ("", "_low", "_high"), strict=True)
    }
    of_one_call = {"prevalence": 0.1, "prevalence_low": 0.05, "prevalence_high": 0.2}
    told = {"operator_id": operators[-1], "period_code": "2026-11", "channel_code": "EMAIL"}
    of_parts = [
        told | {"stratum_code": f"EMAIL._T.{part}", "units": units, "labelled_count": labels} | ends
        for part, units, labels, ends in [
            ("_T.ge4", 9_000, 120, named),
            ("_T.0to4", 12_000, 3, {}),
            ("untyped._T", 80_000, 90, of_one_call),
        ]
    ]
    return replace(
        figures(),
        **parts(*operators),
        quality=typed("quality", table),
        type_quality=typed("type_quality", by_labels),
        quality_parts=pl.DataFrame(of_parts, schema=FIGURES["quality_parts"].columns),
        errors=errors(table, by_labels),
    )


def networks(summed: pl.DataFrame) -> pl.DataFrame:
    """Networks of documentation space that each send a third of what came from the largest countries."""
    is_mail = pl.col("channel_code") == "EMAIL"
    named = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8:1::/48", "2001:db8:2::/48"]
    named += ["2001:db8:3::/48", "3fff:1::/48", "3fff:2::/48"]
    rows = (
        summed.filter(is_mail, ~pl.col("source_country_code").is_in(["EGY", "ARG", "MDG", "TUV", "_U"]))
        .sort("spam_certain", descending=True)
        .head(len(named))
    )
    return rows.with_columns(
        source_network=pl.Series(named[: len(rows)]),
        source_asn=pl.Series([64496 + i if i != 3 else 0 for i in range(len(rows))]),
        **{name: share_out(name, 33) for name in (*SUMS, *ENDS_OF_SPAM)},
    )


def effort() -> pl.DataFrame:
    rows = [
        ("EMAIL", "DNSBL", "network", 1_084_000, 268_400, True, 0),
        ("EMAIL", "PROTOCOL_TEST", "equipment", 1_084_000, 51_220, True, 0),
        ("EMAIL", "GREYLIST", "network", 765_300, 41_370, True, 0),
        ("EMAIL", "HELO_RDNS", "equipment", 765_300, 60_310, True, 0),
        ("EMAIL", "RECIPIENT_CHECK", "service", 765_300, 22_040, True, 0),
        ("EMAIL", "CONTENT_FILTER", "filtering", 596_400, 205_640, False, 41_800_000_000),
        ("EMAIL", "ANTIVIRUS", "filtering", 596_400, 8_412, True, 0),
        ("EMAIL", "UNKNOWN", None, 596_400, 1_204, True, 0),
        ("EMAIL", "NONE", None, 596_400, 380_000, True, 0),
        ("SMS", "CONTENT_FILTER", "filtering", 512_300, 21_980, True, 0),
        ("SMS", "NUMBER_BLOCKLIST", "network", 530_200, 16_310, True, 0),
        ("SMS", "RATE_LIMIT", "network", 530_200, 940, True, 0),
        ("SMS", "DELIVERY_FAILURE", None, 490_000, 14_200, True, 0),
    ]
    return pl.DataFrame(rows, schema=list(FIGURES["effort"].columns), orient="row")


COSTS = {
    "alp-mail": (1.0, True, ["CONTENT_FILTER", "DNSBL", "GREYLIST", "ANTIVIRUS"]),
    "alp-post": (1.9, True, ["CONTENT_FILTER", "DNSBL", "HELO_RDNS"]),
    "everest-net": (41.0, False, ["CONTENT_FILTER", "DNSBL"]),
    "isle-mobile": (0.7, True, ["CONTENT_FILTER", "NUMBER_BLOCKLIST", "RATE_LIMIT"]),
    "thames-text": (1.1, True, ["CONTENT_FILTER", "NUMBER_BLOCKLIST"]),
}


def costs() -> pl.DataFrame:
    """No cost for one of the operators, and no fixed cost for another."""
    currencies = {each.id: each.currency for each in OPERATORS}
    rows = []
    for operator, (size, has_fixed, measures) in COSTS.items():
        channel = "EMAIL" if operator in MAIL else "SMS"
        lines = [(code, "marginal", 210.0 * size / (rank + 1) ** 2) for rank, code in enumerate(measures)]
        lines.append(("_T", "marginal", 310.0 * size))
        if has_fixed:
            lines += [("CONTENT_FILTER", "fixed", 640.0 * size), ("_T", "fixed", 640.0 * size)]
        lines.append(("_T", "total", (310.0 + 640.0 * has_fixed) * size))
        # Totals stand twice, for the channel and for all channels.
        for code, component, middle, of in [
            *((*line, channel) for line in lines),
            *((*line, "_T") for line in lines if line[0] == "_T"),
        ]:
            low, high = (0.85, 1.2) if component == "fixed" else (0.38, 2.1)
            rows.append(
                {
                    "operator_id": operator,
                    "period_code": "2026-11",
                    "channel_code": of,
                    "countermeasure_code": code,
                    "cost_component_code": component,
                    "currency_code": currencies[operator],
                    "amount_p05": Decimal(f"{middle * low:.4f}"),
                    "amount_p50": Decimal(f"{middle:.4f}"),
                    "amount_p95": Decimal(f"{middle * high:.4f}"),
                    "bound_code": "lower" if component == "total" and not has_fixed else "estimate",
                    "day_count": 5,
                    "whole_p05": Decimal(f"{6 * middle * low:.4f}"),
                    "whole_p50": Decimal(f"{6 * middle:.4f}"),
                    "whole_p95": Decimal(f"{6 * middle * high:.4f}"),
                    "subscriber_count": 1000,
                    "per_subscriber_p50": Decimal(f"{6 * middle / 1000:.8f}"),
                    "traffic_units": None if of == "_T" else 50_000,
                    "per_thousand_p50": None if of == "_T" else Decimal(f"{middle / 50:.8f}"),
                }
            )
    return pl.DataFrame(rows)


def coverage() -> pl.DataFrame:
    rows = []
    for rank, operator in enumerate([*MAIL, *TEXT]):
        volume = (MAIL | TEXT)[operator][0] * 5
        for format_code, per_unit in (
            (("postfix", 7), ("rspamd", 3)) if operator in MAIL else (("kannel", 2),)
        ):
            lines, bad = volume * per_unit + 17 * rank, volume * per_unit // (4000 + 900 * rank)
            ignored = lines // 9
            counts = (5, lines, lines - ignored - bad, ignored, bad, rank)
            rows.append((operator, format_code, *counts))
    return pl.DataFrame(rows, schema=list(FIGURES["coverage"].columns), orient="row")


def validation(is_broken: bool = False) -> list[Result]:
    rules = [
        ("columns", "the columns are those of the contract"),
        ("key_unique", "the key is unique"),
        ("certain_within_possible", "spam_certain <= spam_possible"),
        ("possible_within_units", "spam_possible <= units"),
    ]
    tables = [
        "gold.spam_volume_daily",
        "gold.spam_type_daily",
        "gold.spam_source_daily",
        "gold.spam_route_daily",
    ]
    results = [
        Result(table, rule, says, is_held=True, violations=0)
        for table, (rule, says) in product(tables, rules)
    ]
    if is_broken:
        example = {"operator_id": "alp-mail", "period_date": "2026-11-03"}
        results[2] = replace(results[2], is_held=False, violations=3, examples=[example])
    return results


ABOUT = PageOrigin(
    run_id="20261107T060000Z-3f9c",
    code_revision="4be1c0d",
    generated_at="2026-11-07T06:12:44+00:00",
    versions={"gold.spam_volume_daily": 4, "gold.spam_route_daily": 4, "bronze.file": 9},
    location_name="Example Ranges, October 2026",
)
