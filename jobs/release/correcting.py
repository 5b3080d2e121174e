"""How often filters err, in counts by anything: days, stages, countries, routes.

An audit tells of a channel's month what share of what the filter flagged, of what logs leave undecided and of
what it let pass was spam. A synthetic estimator (Rao and Molina 2015, chapter 3) takes these shares to every
part of that month: of the messages whose content was seen, spam is flagged × share of flagged + undecided ×
share of undecided + passed × share of passed. The rest, and what nobody audited, is as counted, from certain
to possible. So the parts add up to what the audit says of the whole.

Assumed is that the filter errs alike in all parts of an operator's month and channel: if the spam of one
country gets through more often, the audit knows it of the whole and not of that country.

An interval holds the errors of the shares, and the chance by which a part has more or less spam than its
share says: that of as many units drawn from those of the call in that month, none for all of them. Labels of
different calls, months and operators were drawn apart, so distances of estimates from their ends add as
squares (Zou and Donner 2008), and so does chance. Ends of parts may be added: that is the width of the whole
or more, never less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.release.figures import CALLS, SUMS, TOLD

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# What content was there of, by the name of the count that it is part of.
SEEN = {"units": "seen_units", "spam_certain": "seen_certain", "spam_possible": "seen_possible"}
# So many standard errors of chance are within 95%.
QUANTILE = 1.96
# Units times a share, and distances that can be squared without loss: 18 digits twice are 36 of 38.
SPAM, DISTANCE, END = "decimal(30,8)", "decimal(18,4)", "decimal(20,4)"


def rates(estimated: DataFrame) -> DataFrame:
    """What gold.filter_quality_monthly says of each operator's whole month of a channel, with how many units
    each call had; an audit is believed before a test elsewhere."""
    from pyspark.sql import functions as F

    from jobs.gold.filter_quality_monthly import CHANNEL

    whole = estimated.filter("stratum_code = '_T' AND spam_type_code = '_T' AND prevalence IS NOT NULL")
    of_calls = [count.alias(f"{call}_population") for call, count in calls(*SUMS).items()]
    best = whole.groupBy(*CHANNEL).agg(
        F.min_by(F.struct(*TOLD, *of_calls), "quality_method_code").alias("best")
    )
    return best.select(*CHANNEL, "best.*")


def corrected(rows: DataFrame, keys: list[str], known: DataFrame, rated: Column | None = None) -> DataFrame:
    """Rows by the keys, of which channel_code is one, with the counts and the filters' errors in them.

    rows: of one definition and of what was received, with operator_id, and period_date or period_code; with
    unit_code and stage_code, or with content_units, content_certain and content_possible. known: rates().
    rated: a condition on rows that are alike in an operator's month and channel; what holds to it also has
    rated_certain, rated_low and rated_high.

    Columns beside the counts: seen_units, of which content was there; audited_units, of these those that an
    audit or a test speaks for, and audited_spam, how much of it is spam by that; spam_low and spam_high, the
    ends of all spam, which are spam_certain and spam_possible where nothing was audited.
    """
    from pyspark.sql import functions as F

    from jobs.gold.filter_quality_monthly import CHANNEL

    month = F.col("period_code") if "period_code" in rows.columns else F.date_format("period_date", "yyyy-MM")
    is_rated = F.lit(False) if rated is None else F.coalesce(rated, F.lit(False))
    of_month = rows.withColumns({"period_code": month, "is_rated": is_rated, **seen(rows)})
    cells = of_month.groupBy(*dict.fromkeys([*CHANNEL, *keys])).agg(
        *(F.sum(name).alias(name) for name in (*SUMS, *SEEN.values())),
        F.bool_or("is_rated").alias("is_rated"),
    )
    populations = [f"{call}_population" for call in CALLS]
    of_calls = F.broadcast(known.select(*CHANNEL, *shares(), *populations))
    told = cells.join(of_calls, CHANNEL, "left").withColumns(parts())
    added = told.groupBy(*keys).agg(
        *(F.sum(name).alias(name) for name in (*SUMS, "seen_units", "audited_units", "audited_spam")),
        *sums_of("spam", F.lit(True)),
        *sums_of("rated", F.col("is_rated")),
        F.sum(F.when(F.col("is_rated"), F.col("spam_certain")).otherwise(0)).alias("rated_certain"),
    )
    return added.withColumns(
        {
            "audited_spam": F.col("audited_spam").cast(END),
            **ends_of("spam"),
            **ends_of("rated"),
        }
    )


def shares() -> list[str]:
    return [f"{call}_spam_share{end}" for call in CALLS for end in ("", "_low", "_high")]


def seen(rows: DataFrame) -> dict[str, Column]:
    """Of the counts, what had content. A lake of before content was counted in routes and months has nulls:
    there nothing is corrected."""
    from pyspark.sql import functions as F

    from jobs.gold.counting import CONTENT_NAMES, CONTENT_SEEN

    if "stage_code" not in rows.columns:
        return {own: F.coalesce(CONTENT_NAMES[name], F.lit(0)) for name, own in SEEN.items()}
    had_content = (F.col("unit_code") == "recipient") & F.col("stage_code").isin(CONTENT_SEEN)
    return {own: F.when(had_content, F.col(name)).otherwise(0) for name, own in SEEN.items()}


def parts() -> dict[str, Column]:
    """Of one operator's month: what is audited and what stays as counted, with squared distances."""
    from functools import reduce

    from pyspark.sql import Column
    from pyspark.sql import functions as F

    counts = calls(*SEEN.values())
    # A call without a share, for the sample had none of it, stays as counted.
    audited = {
        call: F.when(F.col(f"{call}_spam_share").isNotNull(), counts[call]).otherwise(0) for call in CALLS
    }

    def times(call: str, share: Column) -> Column:
        return audited[call].cast("decimal(18,0)") * F.coalesce(share, F.lit(0))

    def chance(call: str, end: str) -> Column:
        """The variance of spam among so many units of all that the filter treated so, at the share or at its
        end, whichever is more; in 95% of cases spam is within the root of it."""
        units, population = audited[call].cast("double"), F.col(f"{call}_population").cast("double")
        rates = (F.col(f"{call}_spam_share{one}").cast("double") for one in ("", end))
        variance = F.greatest(*(rate * (1 - rate) for rate in rates))
        left = F.greatest(1 - F.try_divide(units, population), F.lit(0.0))
        squared = F.lit(QUANTILE**2) * units * variance * left
        # Rounded here, so that sums of it do not depend on the order of rows.
        return F.coalesce(squared.cast("decimal(30,8)"), F.lit(0))

    def squares(first: str, second: str) -> Column:
        """Squared distances between two ends of the shares, in units, of all calls, and chance's."""
        squared = []
        for call in CALLS:
            ends = (F.col(f"{call}_spam_share{end}") for end in (first, second))
            width = times(call, reduce(Column.__sub__, ends)).cast(DISTANCE)
            squared += [(width * width).cast("decimal(36,8)"), chance(call, first or second)]
        return reduce(Column.__add__, squared).cast("decimal(38,8)")

    estimates = [times(call, F.col(f"{call}_spam_share")).cast(SPAM) for call in CALLS]
    return {
        "audited_units": reduce(Column.__add__, audited.values()),
        "audited_spam": reduce(Column.__add__, estimates).cast(SPAM),
        "counted_certain": F.col("spam_certain") - audited["flagged"],
        "counted_possible": F.col("spam_possible") - audited["flagged"] - audited["undecided"],
        "below": squares("", "_low"),
        "above": squares("_high", ""),
    }


def calls(units: str, certain: str, possible: str) -> dict[str, Column]:
    """The units of each call of the filter: what it flagged is spam for certain, what it let pass is none."""
    from pyspark.sql import functions as F

    return {
        "flagged": F.col(certain),
        "undecided": F.col(possible) - F.col(certain),
        "passed": F.col(units) - F.col(possible),
    }


def sums_of(name: str, where: Column) -> list[Column]:
    from pyspark.sql import functions as F

    kept = ("counted_certain", "counted_possible", "audited_units", "audited_spam", "below", "above")
    return [F.sum(F.when(where, F.col(each)).otherwise(0)).alias(f"{name}|{each}") for each in kept]


def ends_of(name: str) -> dict[str, Column]:
    """What was counted and what is estimated, less and more the root of the squared distances: of what was
    audited, never less than none nor more than all."""
    from pyspark.sql import functions as F

    def of(count: str) -> Column:
        return F.col(f"`{name}|{count}`")

    spam = of("audited_spam").cast(END)
    below, above = (F.sqrt(of(side).cast("double")).cast(END) for side in ("below", "above"))
    least, most = F.lit(0).cast(END), of("audited_units").cast(END)
    return {
        f"{name}_low": (of("counted_certain") + F.greatest(spam - below, least)).cast(END),
        f"{name}_high": (of("counted_possible") + F.least(spam + above, most)).cast(END),
    }
