"""Check that the study's files have everyone who gave logs or answers, before anything is estimated.

One error names all respondents that are missing, with the lines to write into each file. A table's own
computation would stop at the first one, after other tables were computed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.periods import PERIOD
from jobs.base.core.periods import last_day as day_of
from jobs.base.figures.areas import classify_countries
from jobs.base.packages.subscriptions import describe_distance, far_apart
from jobs.base.tables.contracts import Row, codelist_rows, read_contract, reference_table
from jobs.base.tables.csv_tables import file_of
from jobs.base.tables.validity import holds_on, rows_on_day
from jobs.study.estimates.figures_of_others import public_answers
from jobs.study.estimates.investment_account import (
    AccountTables,
    account_all,
    latest_money_answers,
    operators_answers,
)
from jobs.study.estimates.respondent_figure import RESPONDENT_CELL, UNIT, answered_figures, logged_figures
from jobs.study.estimates.steps.accounts import AMOUNTS, BAND, CHANNELS, DOLLARS
from jobs.study.estimates.steps.given_figures import MONEY, VOLUMES, Given, finding_id
from jobs.study.estimates.steps.rows import MEASURES, last_day
from jobs.study.estimates.steps.sample import ENDS, SHARED
from jobs.study.questionnaire.latest_answers import last_part, latest_answers, question_code

FRAME, DENOMINATOR = "ref.operator_frame", "ref.denominator"
# So many lines are printed, and rows named in one; the rest is counted.
SHOWN, NAMED = 20, 3
LINE = ("respondent_id", "holding_id", "country_code", "channel_code", "size_code", "subscriptions")
PERSON_DAYS = "sp706"


def asked_of_frame(have: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows of those who have to be in the frame: one for each respondent, channel, period and table of
    volumes or spending that is estimated.

    Logs of a quarter's or year's months need those of the months alone. An answer of nothing is none; a
    channel is null where an account of spending has to be in the frame with any.

    Args:
        have: submissions, answers and reference tables.
    """
    answers = have["study.questionnaire_answer"]
    columns = ("respondent_id", "channel_code", "period_code")
    of_answers = answered_figures(answers, have["ref.indicator_measure"], have["ref.definition"]).filter(
        pl.max_horizontal(*MEASURES) > 0
    )
    spending = operators_answers(answers)
    # Without a sum, a band or person days the division by channels is of nothing.
    question = question_code(pl.col("indicator_code"))
    with_sum = spending.filter(question.is_in([*AMOUNTS, BAND, PERSON_DAYS]))
    share = pl.col("value").str.strip_chars().cast(pl.Float64, strict=False)
    by_channel = (
        spending.filter((question == CHANNELS) & (share > 0))
        .with_columns(channel_code=last_part(pl.col("indicator_code")))
        .join(with_sum, on=RESPONDENT_CELL[:2], how="semi")
    )
    of_any = spending.with_columns(channel_code=pl.lit(None, pl.String))
    volumes = logged_figures(have["study.submission"], have["ref.measure"])
    return pl.concat(
        each.select(*columns, table_name=pl.lit(table))
        for table, frames in ((VOLUMES, (volumes, of_answers)), (MONEY, (by_channel, of_any)))
        for each in frames
    ).unique()


def missing_in_frame(have: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of asked_of_frame() that the frame of operators does not have on the last day of the
    period."""
    asked = asked_of_frame(have).with_columns(day=last_day(pl.col("period_code")))
    frame = have["ref.operator_frame"].select(
        "respondent_id", "valid_from", "valid_to", listed="channel_code"
    )
    is_listed = pl.col("channel_code").is_null() | (pl.col("channel_code") == pl.col("listed"))
    found = asked.join(frame, on="respondent_id").filter(is_listed & holds_on(pl.col("day")))
    return asked.join(
        found, on=["respondent_id", "channel_code", "period_code"], how="anti", nulls_equal=True
    )


def unfit_figures(have: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The figures that the frame does not have, by the id under which they may be left out. An account is of
    all channels: without one of its own it stands under the first."""
    indicators, first = reference_table("ref.indicator_measure"), next(iter(codelist_rows("channel")))
    names = ("table_name", "period_code", "channel_code", "respondent_id")
    rows = missing_in_frame(have).with_columns(pl.col("channel_code").fill_null(first)).select(names).unique()
    ids = [finding_id(Given(*row), have, indicators) for row in rows.rows()]
    return rows.with_columns(finding_id=pl.Series(ids, dtype=pl.String))


def refuse_missing_respondents(have: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Raise ObservatoryError if anyone that gave logs or answers is not in the frame of operators.

    It names each respondent and channel with its periods, and the line that the frame lacks, or that the
    frame's own line for it is of other days; and how to leave out what was given.
    """
    respondent_channel = ["respondent_id", "channel_code"]
    found = (
        missing_in_frame(have)
        .group_by(respondent_channel)
        .agg(periods=pl.col("period_code").unique().sort(), first_day=pl.col("day").min())
        .sort(respondent_channel)
        .to_dicts()
    )
    if not found:
        return
    # A channel that is asked for makes the line; one with any adds nothing to it.
    named = {row["respondent_id"] for row in found if row["channel_code"] is not None}
    found = [row for row in found if row["channel_code"] is not None or row["respondent_id"] not in named]
    people = [row["respondent_id"] for row in found[:SHOWN]]
    unfit = unfit_figures(have).sort("period_code", "table_name")
    frame = have["ref.operator_frame"].filter(pl.col("respondent_id").is_in(people)).to_dicts()
    known = describe_people(have, people)
    file = file_of(folder, "ref.operator_frame")
    lines = [f"{file} lacks {len(found)} that gave logs or answers:"]
    for row in found[:SHOWN]:
        periods = ", ".join(row["periods"][:4]) + (", …" if len(row["periods"]) > 4 else "")
        says = propose_line(row, frame, known, have["study.questionnaire_answer"])
        says += propose_leaving_out(row, unfit)
        lines.append(f"  {row['respondent_id']}, {row['channel_code'] or 'spending'} in {periods}: {says}")
    if len(found) > SHOWN:
        lines.append(f"  and {len(found) - SHOWN} more")
    lines.append(f"columns of these lines: {','.join((*LINE, 'valid_from'))}")
    lines.append(
        "to leave figures out: `observatory study check --decide ID --as left_out --reason WHY --by NAME`,"
        " with --decide once for each"
    )
    raise ObservatoryError("\n".join(lines))


def propose_line(
    row: Mapping[str, Any],
    frame: Sequence[Mapping[str, Any]],
    known: Mapping[str, Mapping[str, str]],
    answers: pl.DataFrame,
) -> str:
    """Remedy for a row of refuse_missing_respondents(): the line to add, or to correct.

    Args:
        frame: the rows of its respondent, and others.
        known: the result of describe_people().
    """
    respondent, channel = row["respondent_id"], row["channel_code"]
    spans = sorted(
        f"{each['valid_from']} to {each['valid_to'] or 'now'}"
        for each in frame
        if each["respondent_id"] == respondent and channel in (None, each["channel_code"])
    )
    if spans:
        return f"it stands there from {', '.join(spans)}: correct valid_from or valid_to"
    given = {**known.get(respondent, {}), "channel_code": channel}
    line = ",".join(given.get(name) or f"<{name}>" for name in LINE)
    says = f"add {line},{row['first_day'].replace(day=1)} with the day it started, if earlier"
    if channel and (codes := name_answers(answers, row)):
        says += f"; if {codes} should be empty, ask for the form again"
    return says


def propose_leaving_out(row: Mapping[str, Any], unfit: pl.DataFrame) -> str:
    """The options that leave out what a row of refuse_missing_respondents() rests on.

    Args:
        unfit: as unfit_figures().
    """
    is_own = pl.col("respondent_id") == row["respondent_id"]
    if row["channel_code"] is not None:
        is_own &= pl.col("channel_code") == row["channel_code"]
    own = unfit.filter(is_own)
    # Its sums are of all channels: a share of one that is left out would change those of the others.
    spending = ", with all its spending of the year" if MONEY in own["table_name"] else ""
    ids = own["finding_id"].unique(maintain_order=True)
    return f"; or leave it out{spending}:" + "".join(f" --decide {each}" for each in ids)


def name_answers(answers: pl.DataFrame, asked: Mapping[str, Any]) -> str:
    """Name the indicators by which a respondent answered, of a row of refuse_missing_respondents()."""
    code = pl.col("indicator_code")
    counted = reference_table("ref.indicator_measure").filter(
        pl.col("measure_code").is_in(list(UNIT)), pl.col("channel_code") == asked["channel_code"]
    )
    names = {*counted["indicator_code"], f"{CHANNELS}.{asked['channel_code']}"}
    found = latest_answers(answers).filter(
        pl.col("respondent_id") == asked["respondent_id"],
        pl.col("period_code").is_in(asked["periods"]),
        pl.col("value").str.strip_chars().cast(pl.Float64, strict=False) > 0,
        code.is_in(names),
    )
    return ", ".join(found["indicator_code"].unique().sort())


def refuse_wrong_subscriptions(have: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Raise ObservatoryError for what describe_wrong_subscriptions() finds in a folder's files.

    Args:
        have: their rows, in the order of the files.
    """
    wrong = []
    for table in (DENOMINATOR, FRAME):
        rows = have[table]
        keys = rows.select(read_contract(table).key).rows()
        # A file's header is row 1.
        places = [f"row {number}: {' '.join(map(str, key))}" for number, key in enumerate(keys, 2)]
        file = file_of(folder, table)
        wrong += [f"{file}: {line}" for line in describe_wrong_subscriptions(rows, places)]
    if wrong:
        raise ObservatoryError("\n".join(wrong))


def describe_wrong_subscriptions(rows: pl.DataFrame, places: Sequence[str]) -> list[str]:
    """A line for each rule that rows of the denominators or the frame of operators break: a period that is
    none, subscriptions that are not between their low and high, one of these alone, and rows of one error
    class with different shared errors.

    Args:
        places: the place of each row, as a line names it.
    """
    given, low, high = (pl.col(name) for name in ("subscriptions", *ENDS))
    is_alone = low.is_null() != high.is_null()
    is_outside = ~((low > 0) & (low <= given) & (given <= high))
    error_class, shared_pct = (pl.col(name) for name in SHARED)
    is_split = (shared_pct.n_unique().over(error_class) > 1) & error_class.is_not_null()
    rules = {
        "have a period_code that is none: write a month as 2026-11, a quarter as 2026-Q4, a year as 2026": (
            ~pl.col("period_code").str.contains(f"^(?:{PERIOD.pattern})$")
        ),
        f"have one of {' and '.join(ENDS)}: give both, or none": is_alone,
        f"are not between {' and '.join(ENDS)}: correct one of the three": is_outside.fill_null(False),
        f"have {SHARED[1]} without {SHARED[0]}: name what shares the error": (
            shared_pct.is_not_null() & error_class.is_null()
        ),
        f"have another {SHARED[1]} than rows of their {SHARED[0]}: give one for all": is_split,
    }
    lines = []
    for says, rule in rules.items():
        if set(rule.meta.root_names()) <= set(rows.columns):
            found = rows.select(rule).to_series().arg_true().to_list()
            named = "; ".join(places[row] for row in found[:NAMED])
            more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
            lines += [f"{len(found)} row(s) {says} ({named}{more})"] if found else []
    return lines


def refuse_unlikely(have: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Raise ObservatoryError if subscriptions of logs are far from the frame's on the last day of their
    period, as jobs.base.packages.subscriptions has it: packages are checked when they are loaded, but the
    frame may have come later, and rows from a folder are of no package."""
    respondent_channel = ["respondent_id", "channel_code"]
    reported = (
        have["study.submission"]
        .filter(pl.col("subscriptions").is_not_null())
        .select(*respondent_channel, "period_code", "subscriptions")
        .unique()
    )
    framed = have["ref.operator_frame"].select(
        *respondent_channel, "valid_from", "valid_to", framed="subscriptions"
    )
    found = (
        reported.join(framed, on=respondent_channel)
        .filter(holds_on(last_day(pl.col("period_code"))))
        .filter(far_apart(pl.col("subscriptions"), pl.col("framed")))
        .sort(*respondent_channel, "period_code")
        .select(*respondent_channel, "period_code", "subscriptions", "framed")
        .rows()
    )
    lines = [
        f"{respondent}, {period}: {describe_distance(channel, own, listed)}"
        for respondent, channel, period, own, listed in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN} more")
    if lines:
        raise ObservatoryError("\n".join([f"{file_of(folder, 'ref.operator_frame')}:", *lines]))


def refuse_unpriced(have: Mapping[str, pl.DataFrame], base_year: int, folder: Path) -> None:
    """Raise ObservatoryError if spending was answered for and price levels lack its country and year, or the
    country in the base year; or if answers, price levels of the year and those of the base year are not all
    in one currency. Amounts would else be off by what one currency is worth in the other. A band of another
    year than the base year needs the price levels of the dollar.

    An answer without a currency is in that of its year's price levels.
    """
    asked = asked_prices(have)
    levels = have["ref.price_level"].select("country_code", "price_year", "currency_code").rows()
    known = {(country, year): currency for country, year, currency in levels}
    file = file_of(folder, "ref.price_level")
    wanted = {(row["country_code"], year) for row in asked for year in (row["price_year"], base_year)}
    # Bands are in dollars of their year, and nothing brings those of the base year to itself.
    banded = {row["price_year"] for row in asked if row["has_band"]} - {base_year}
    wanted |= {(DOLLARS, year) for other in banded for year in (other, base_year)}
    lacking = sorted(wanted - set(known))
    if lacking:
        named = ", ".join(f"{country} in {year}" for country, year in lacking[:SHOWN])
        others = f", and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        raise ObservatoryError(
            f"{file} has no price level for {named}{others}: add a row for each with deflator, parity and"
            " market rate"
        )
    mixed = [line for row in asked for line in mixed_currencies(row, known, base_year)]
    if mixed:
        more = [f"  and {len(mixed) - SHOWN} more"] if len(mixed) > SHOWN else []
        raise ObservatoryError(
            "\n".join([f"{file} is not in the currency of the amounts:", *mixed[:SHOWN], *more])
        )


def asked_prices(have: Mapping[str, pl.DataFrame]) -> list[Row]:
    """A row for each country and year that spending was answered for: the currencies of the answers, and
    whether one is a band."""
    answered_for = (
        operators_answers(have["study.questionnaire_answer"])
        .group_by("respondent_id", "period_code")
        .agg(
            currencies=pl.col("currency_code").drop_nulls(),
            has_band=(pl.col("indicator_code") == BAND).any(),
        )
    )
    columns = ("country_code", "period_code", "currencies", "has_band")
    of_operators = answered_for.join(have["ref.operator_frame"], on="respondent_id").filter(
        holds_on(last_day(pl.col("period_code")))
    )
    # Administrations are in no frame: their country is that of their form.
    public = public_answers(have["study.questionnaire_answer"]).filter(pl.col("question_code") != PERSON_DAYS)
    of_public = public.with_columns(
        currencies=pl.concat_list("currency_code").list.drop_nulls(), has_band=pl.lit(False)
    )
    return (
        pl.concat([of_operators.select(columns), of_public.select(columns)])
        .group_by("country_code", price_year=pl.col("period_code").cast(pl.Int32))
        .agg(
            currencies=pl.col("currencies")
            .list.explode(keep_nulls=False, empty_as_null=False)
            .unique()
            .sort(),
            has_band=pl.col("has_band").any(),
        )
        .sort("country_code", "price_year")
        .to_dicts()
    )


def mixed_currencies(
    prices: Mapping[str, Any], known: Mapping[tuple[str, int], str], base_year: int
) -> list[str]:
    """Say what to do where a country's answers of a year, and its price levels, are in two currencies."""
    country, year = prices["country_code"], prices["price_year"]
    now, base = known[country, year], known[country, base_year]
    lines = [
        f"  {country}: answers for {year} are in {given}, its row of {year} is in {now}: put parity, market"
        f" rate and wage of that row into {given}, or ask for these answers in {now}"
        for given in prices["currencies"]
        if given != now
    ]
    if base != now:
        lines.append(
            f"  {country}: its row of {year} is in {now}, that of the base year {base_year} in {base}: put"
            f" parity, market rate and wage of {base_year} into {now}, and its deflator if it is of another"
            " series"
        )
    return lines


def refuse_unplaced(have: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Raise ObservatoryError if the frame of operators has a country that country.csv places in no ITU region
    on the last day of a period that was answered for."""
    periods = {
        *have["study.submission"]["period_code"].unique(),
        *have["study.questionnaire_answer"]["period_code"].unique(),
    }
    days = {day_of(period) for period in periods}
    frame, country, groups = (
        have[name] for name in ("ref.operator_frame", "ref.country", "ref.country_group")
    )
    found = set()
    for day in sorted(days):
        placed = classify_countries(country, groups, day)
        found |= set(rows_on_day(frame, day)["country_code"]) - set(placed["country_code"])
    if found:
        shown = sorted(found)[:SHOWN]
        more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ObservatoryError(
            f"{file_of(folder, 'ref.operator_frame')} has operators in {', '.join(shown)}{more}, which"
            " country.csv places in no ITU region: correct the frame, or give the country a region"
        )


def refuse_wrong(have: Mapping[str, pl.DataFrame]) -> None:
    """Raise ObservatoryError if an account cannot be made of a respondent's answers on spending, such as
    person days of a country without a wage or an asset's life of 0: a line for each.

    It makes all accounts once, and the table makes them again: some dozen answers of some hundred respondents
    are less than a second, and this error comes before other tables are computed.
    """
    known = AccountTables(**{field.name: have[f"ref.{field.name}"] for field in fields(AccountTables)})
    answers = latest_money_answers(have["study.questionnaire_answer"])
    wrong: list[str] = []
    for of_period in answers.sort("period_code").partition_by("period_code"):
        try:
            account_all(of_period, known)
        except ObservatoryError as error:
            wrong += str(error).splitlines()
    if wrong:
        more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        raise ObservatoryError("\n".join([*wrong[:SHOWN], *more]))


def describe_people(have: Mapping[str, pl.DataFrame], people: list[str]) -> dict[str, dict[str, str]]:
    """Country and, from packages, owner of respondents, as they gave them."""
    found: dict[str, dict[str, str]] = {}
    for table, names in (
        ("study.questionnaire_answer", ("country_code",)),
        ("study.submission", ("country_code", "holding_id")),
    ):
        own = have[table].filter(pl.col("respondent_id").is_in(people)).group_by("respondent_id")
        for row in own.agg(pl.col(names).max()).to_dicts():
            found.setdefault(row["respondent_id"], {}).update(row)
    return found
