"""gold.filter_quality_monthly: how much of what a filter saw was spam, and how often the filter was right.

An audit gives a row for each stratum of its sample; for each part of the channel that strata of several calls
make up (a band of the score, typed or untyped); for each type of spam; and for the channel. A stratum has one
call of the filter, so it has a prevalence alone; sensitivity and specificity are of parts and of the channel.
The channel also has the share of spam of each call: by it jobs/operators/gold/shared/correcting.py corrects
what is counted by something finer than a channel's month.
"""

from dataclasses import replace
from decimal import Decimal

import polars as pl

from jobs.base.figures.counting_rules import HAD_CONTENT, OPERATOR, RECEIVED
from jobs.base.stats import prevalence
from jobs.base.stats.prevalence import IntervalEstimate, Stratum
from jobs.base.stats.prevalence_by_test import correct_calls, correct_prevalence, estimate_rate
from jobs.base.tables.contracts import Row, rows_frame
from jobs.base.tables.sql import parse_expression

TABLE = "gold.filter_quality_monthly"
CHANNEL = ["operator_id", "period_code", "channel_code"]
# Whether the filter's call says spam; null where the measure is unknown.
FLAGS = {"blocked": True, "tagged": True, "undecided": None, "passed": False}
ALL = "_T"
# A stratum with its labels, or a row that is made of it.


def transform(
    audit_sample: pl.DataFrame,
    audit_label: pl.DataFrame,
    spam_volume_daily: pl.DataFrame,
    filter_quality: pl.DataFrame,
) -> pl.DataFrame:
    """A channel's month is estimated as a whole: its strata are drawn again together."""
    strata = count_labels(audit_sample, audit_label)
    audited = [audited_quality(month.to_dicts()) for month in strata.partition_by(CHANNEL)]
    tests = filter_quality.rename({"channel": "channel_code"})
    of_tests = count_calls(spam_volume_daily).join(tests, on=["operator_id", "channel_code"])
    tested = [tested_quality(row) for row in of_tests.to_dicts()]
    return rows_frame([row for rows in audited for row in rows] + tested, TABLE)


def count_labels(sample: pl.DataFrame, label: pl.DataFrame) -> pl.DataFrame:
    """The strata of a sample, with how many of their units were labelled, and the spam among them by type.

    A unit's type is the one that its label names; without one, the type from the logs.
    """
    key = ["operator_id", "period_code", "stratum_code"]
    is_spam = pl.col("label_code") == "spam"
    logged = pl.col("spam_type_code").fill_null("UNK")
    labelled = label.group_by(key).agg(
        pl.col("label_code").is_in(["spam", "not_spam"]).sum().alias("labelled"),
        is_spam.sum().alias("spam"),
        (pl.col("label_code") == "unsure").sum().alias("unsure"),
        pl.coalesce("labelled_type_code", logged).filter(is_spam).alias("types"),
        logged.unique().alias("logged_types"),
    )
    columns = ["channel_code", "filter_call_code", "is_typed", "score_band"]
    columns += ["population_count", "sampled_count", "sample_seed"]
    return (
        sample.select(*key, *columns)
        .join(labelled, on=key, how="left")
        .with_columns(
            pl.col("labelled", "spam", "unsure").fill_null(0),
            pl.col("types", "logged_types").fill_null([]),
        )
    )


def count_calls(volume: pl.DataFrame, *by: str) -> pl.DataFrame:
    """The filter's decisions on messages whose content it had, by operator, month and channel, and `by`."""
    is_asked = (
        (pl.col("definition_code") == OPERATOR)
        & pl.col("direction_code").is_in(RECEIVED)
        & parse_expression(HAD_CONTENT)
    )
    month = pl.col("period_date").dt.strftime("%Y-%m").alias("period_code")
    sums = pl.col("units", "spam_certain", "spam_possible").sum()
    return volume.filter(is_asked).group_by("operator_id", month, "channel_code", *by).agg(sums)


def audited_quality(strata: list[Row]) -> list[Row]:
    """The rows of one channel's audit: its strata, its parts, its types, and the whole."""
    rows = sorted(strata, key=lambda row: row["stratum_code"])
    seed = "|".join(str(rows[0][name]) for name in (*CHANNEL, "sample_seed"))
    return [
        *(stratum_row(row, seed) for row in rows),
        *(part_row(code, inside, seed) for code, inside in group_parts(rows).items()),
        *type_rows(rows, seed),
        channel_row(rows, seed),
    ]


def make_stratum(row: Row) -> Stratum:
    return Stratum(
        code=row["stratum_code"],
        call=row["filter_call_code"],
        is_flagged=FLAGS[row["filter_call_code"]],
        units=row["population_count"],
        sampled=row["sampled_count"],
        labelled=row["labelled"],
        spam=row["spam"],
    )


def stratum_row(row: Row, seed: str) -> Row:
    cell = make_stratum(row)
    alone = prevalence.estimate_stratum(cell, seed)
    clean = cell.labelled - cell.spam
    ends = (cell.spam / cell.sampled, 1 - clean / cell.sampled) if alone else None
    return count_columns([row], cell.code) | figure_columns("prevalence", alone) | band_columns(ends)


def group_parts(rows: list[Row]) -> dict[str, list[Row]]:
    """The strata of each band of the score, and of units with and without a type by the logs."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        typed = "typed" if row["is_typed"] else "untyped"
        for part in (f"{typed}.{ALL}", f"{ALL}.{row['score_band']}"):
            found.setdefault(f"{row['channel_code']}.{ALL}.{part}", []).append(row)
    return dict(sorted(found.items()))


def part_row(code: str, rows: list[Row], seed: str) -> Row:
    found = prevalence.estimate_part([make_stratum(row) for row in rows], f"{seed}|{code}")
    return count_columns(rows, code) | estimate_columns(found)


def channel_row(rows: list[Row], seed: str) -> Row:
    found = prevalence.estimate_quality([make_stratum(row) for row in rows], seed)
    return count_columns(rows, ALL) | estimate_columns(found) | (call_columns(found.calls) if found else {})


def call_columns(calls: prevalence.Calls) -> Row:
    """The share of spam in each of the filter's calls, as columns."""
    return {
        **figure_columns("flagged_spam_share", calls.flagged),
        **figure_columns("undecided_spam_share", calls.undecided),
        **figure_columns("passed_spam_share", calls.passed),
    }


def type_rows(rows: list[Row], seed: str) -> list[Row]:
    """A row for each type that a person or the logs gave a drawn unit.

    Prevalence is the share of the channel's units that are spam of the type: over all types it adds up to
    that of the channel. Sensitivity is of spam of the type; what is no spam has no type. What the filter
    counted of a type is not known of the population that was drawn from.
    """
    codes = {code for row in rows for name in ("types", "logged_types") for code in row[name]}
    made = []
    for code in sorted(codes):
        cells = [replace(make_stratum(row), spam=row["types"].count(code)) for row in rows]
        count = count_columns(rows, ALL) | {
            "spam_type_code": code,
            "spam_certain": None,
            "spam_possible": None,
        }
        found = prevalence.estimate_type(cells, f"{seed}|{code}")
        count["labelled_spam_count"] = sum(each.spam for each in cells)
        made.append(count | estimate_columns(found))
    return made


def estimate_columns(quality: prevalence.Quality | None) -> Row:
    if quality is None:
        return {}
    return {
        **figure_columns("prevalence", quality.prevalence),
        **band_columns((quality.least, quality.most)),
        **figure_columns("sensitivity", quality.sensitivity),
        **figure_columns("specificity", quality.specificity),
    }


def count_columns(rows: list[Row], code: str) -> Row:
    """The counts of a row of an audit."""
    cells = [make_stratum(row) for row in rows]
    sampled, labelled, spam = (
        sum(getattr(each, name) for each in cells) for name in ("sampled", "labelled", "spam")
    )
    return {
        **{name: rows[0][name] for name in CHANNEL},
        "stratum_code": code,
        "spam_type_code": ALL,
        "quality_method_code": "audit",
        "units": sum(each.units for each in cells),
        "spam_certain": sum(each.units for each in cells if each.is_flagged),
        "spam_possible": sum(each.units for each in cells if each.is_flagged is not False),
        "sampled_count": sampled,
        "labelled_count": labelled,
        "labelled_spam_count": spam,
        "unsure_count": sum(row["unsure"] for row in rows),
        "response_share": round_share(labelled / sampled) if sampled else None,
        "is_clipped": False,
    }


def tested_quality(row: Row) -> Row:
    """The row of one channel whose filter was tested elsewhere.

    Args:
        row: its counts, and those of the test.
    """
    seed = "|".join(row[name] for name in CHANNEL)
    spam, ham = ((row[f"{kind}_tested"], row[f"{kind}_flagged"]) for kind in ("spam", "ham"))
    apparent = row["spam_certain"] / row["units"], row["spam_possible"] / row["units"]
    found, is_clipped = correct_prevalence(apparent, spam, ham, seed)
    wrong = estimate_rate(ham, seed, "ham")
    passed = IntervalEstimate(1 - wrong.value, 1 - wrong.high, 1 - wrong.low)
    made = {name: row[name] for name in (*CHANNEL, "units", "spam_certain", "spam_possible")}
    made |= {"stratum_code": ALL, "spam_type_code": ALL, "is_clipped": is_clipped}
    made |= {"quality_method_code": "rogan_gladen", "sampled_count": 0, "unsure_count": 0}
    made |= {"labelled_count": 0, "labelled_spam_count": 0}
    made |= figure_columns("prevalence", found) | figure_columns("specificity", passed)
    made |= call_columns(correct_calls(apparent, spam, ham, seed))
    return made | figure_columns("sensitivity", estimate_rate(spam, seed, "spam"))


def figure_columns(name: str, figure: IntervalEstimate | None) -> dict[str, Decimal]:
    """An estimate and its interval, as columns."""
    if figure is None:
        return {}
    return {
        name: round_share(figure.value),
        f"{name}_low": round_share(figure.low),
        f"{name}_high": round_share(figure.high),
    }


def band_columns(ends: tuple[float, float] | None) -> dict[str, Decimal]:
    return (
        {}
        if ends is None
        else {"prevalence_least": round_share(ends[0]), "prevalence_most": round_share(ends[1])}
    )


def round_share(share: float) -> Decimal:
    """A share in the eight places of its column."""
    return Decimal(share).quantize(Decimal("1e-8"))
