"""Findings followed up: the question to the respondent, the decision (study.finding_decision) that leaves a
finding open or closed, and what is left out of estimates.

The question holds the respondent's own figures alone: neither an influence nor an expected value, which are
made of other respondents' figures but for the sum of its own quarters. A decision counts for what was given
when it was made. The finding of a corrected answer has another id, so a release asks about it anew, and
`study estimate` takes it again.
"""

import datetime as dt
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import ENGLISH, format_count, format_significant, use_language
from jobs.base.core.numbers import format_given_share, format_percent
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.store.lake import Lake
from jobs.base.store.lock import lock_for_writing
from jobs.base.tables.contracts import conform_frame, reference_rows, reference_table
from jobs.study.estimates import finding
from jobs.study.estimates.investment_account import prices_of
from jobs.study.estimates.steps.accounts import DAYS, Price
from jobs.study.estimates.steps.countable_answers import DEFINITION
from jobs.study.estimates.steps.given_figures import ANSWERS, SUBMISSION, Given, finding_id, leave_out
from jobs.study.estimates.steps.spending import POSTS
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.latest_answers import latest_answers
from jobs.study.questionnaire.respondents import Respondent
from jobs.study.questionnaire.texts import channel_name, option_labels, translate_key

TABLE = "study.finding_decision"
CONFIRMED, LEFT_OUT = "confirmed", "left_out"
COMMAND = "observatory study check"
# Of a year's account: the cost of staff, and its division by channel and by strategy.
STAFF, SHARED, STRATEGIES = "sp705.STAFF", "sp707", "sp708"
# So many findings are named in a refusal.
MOST_NAMED = 8


@dataclass(frozen=True)
class DecidedFinding:
    """A row of study.finding and the decision that stands for it, None without one."""

    finding_id: str
    table_name: str
    period_code: str
    channel_code: str
    series: str
    respondent_id: str
    rule_code: str
    contribution: float
    expected_value: float
    previous_contribution: float | None
    area_code: str
    influence_pct: float
    decision_code: str | None

    def is_open(self, open_share: float) -> bool:
        """Return whether a release has to wait for a decision on it."""
        return self.decision_code != CONFIRMED and self.influence_pct > 100 * open_share


def latest_decisions(decisions: pl.DataFrame) -> pl.DataFrame:
    """The latest decision on each finding, in the order in which they were made."""
    return decisions.sort("decided_at").unique("finding_id", keep="last", maintain_order=True)


def ids_left_out(decisions: pl.DataFrame) -> list[str]:
    """The findings whose figures are to be left out, in the order in which that was decided."""
    found: list[str] = (
        latest_decisions(decisions).filter(pl.col("decision_code") == LEFT_OUT)["finding_id"].to_list()
    )
    return found


def list_findings(lake: Lake, periods: Collection[str] | None = None) -> list[DecidedFinding]:
    """The findings of the last estimates with their decisions, those that move an area most first; of some
    periods alone where they are given."""
    if not lake.exists(finding.TABLE):
        raise ObservatoryError("nothing was checked yet: run `observatory study estimate` first")
    decided = latest_decisions(lake.read(TABLE)).select("finding_id", "decision_code")
    rows = lake.read(finding.TABLE).join(decided, on="finding_id", how="left")
    if periods is not None:
        rows = rows.filter(pl.col("period_code").is_in(list(periods)))
    rows = rows.sort("influence_pct", "finding_id", descending=[True, False])
    return [
        DecidedFinding(**row) for row in rows.select(list(DecidedFinding.__dataclass_fields__)).to_dicts()
    ]


def open_findings(lake: Lake, periods: Collection[str], open_share: float) -> list[DecidedFinding]:
    """The findings of these periods on which a decision is due. A figure that was left out is open until the
    estimates are computed without it."""
    return [each for each in list_findings(lake, periods) if each.is_open(open_share)]


def refuse_open(lake: Lake, periods: Collection[str], open_share: float) -> None:
    """Raise ObservatoryError if a finding of these periods is open. It names them and the commands."""
    found = open_findings(lake, periods, open_share)
    if not found:
        return
    lines = [
        f"  {each.finding_id}: {each.respondent_id}, {each.channel_code} in {each.period_code}, moves"
        f" {each.area_code} by {format_percent(each.influence_pct)}"
        for each in found[:MOST_NAMED]
    ]
    if len(found) > MOST_NAMED:
        lines.append(f"  and {len(found) - MOST_NAMED} more")
    is_any_left_out = any(each.decision_code == LEFT_OUT for each in found)
    again = "\nFigures that were left out: run `observatory study estimate` first" if is_any_left_out else ""
    figures = f"{len(found)} suspicious figures move" if len(found) > 1 else "1 suspicious figure moves"
    state = "are open" if len(found) > 1 else "is open"
    raise ObservatoryError(
        f"{figures} an area by more than {format_given_share(open_share)} and {state}:\n"
        + "\n".join(lines)
        + f"\nAsk the respondents (`{COMMAND} --questions FOLDER`), then load what they correct, or decide:"
        f" `{COMMAND} --decide ID --as confirmed|left_out --reason … --by …`" + again
    )


@lock_for_writing(COMMAND)
def record_decisions(
    lake: Lake,
    finding_ids: Sequence[str],
    decision: str,
    reason: str,
    by: str,
    now: dt.datetime,
    list_unfit: Callable[[], pl.DataFrame | None] = lambda: None,
) -> None:
    """Record a decision on each of some findings, or on none. Raises ObservatoryError if there is no such
    finding, or no reason or name.

    A decision may be changed later, also on a figure that is left out, which has no finding any more.

    Args:
        now: the time of deciding; where earlier decisions have it or a later one, as with a fixed `read_at`,
            the first moment after theirs, since the latest decision stands.
        list_unfit: of figures that the study's files do not fit, which stop the estimate and can be left out.
    """
    for name, words in (("--reason", reason), ("--by", by)):
        if not words.strip():
            raise ObservatoryError(f"{name} is empty: a decision is recorded with its reason and a name")
    columns = ["finding_id", "table_name", "period_code", "channel_code", "respondent_id"]
    known = pl.concat([lake.read(table, columns=columns) for table in (finding.TABLE, TABLE)])
    known = known.select(columns).unique("finding_id")
    if set(finding_ids) - set(known["finding_id"]) and (stopping := list_unfit()) is not None:
        unfit = stopping.select(columns).join(known, on="finding_id", how="anti")
        wrong = sorted(set(finding_ids) & set(unfit["finding_id"]))
        if decision == CONFIRMED and wrong:
            raise ObservatoryError(
                f"--decide {', '.join(wrong)}: the study's files do not fit this figure: correct the files,"
                " or leave it out"
            )
        known = pl.concat([known, unfit])
    unknown = sorted(set(finding_ids) - set(known["finding_id"]))
    if unknown:
        raise ObservatoryError(
            f"--decide {', '.join(unknown)}: no such finding; `{COMMAND}` lists them. That of a corrected"
            " answer has another id"
        )
    earlier = [at + dt.timedelta(microseconds=1) for at in lake.read(TABLE)["decided_at"]]
    rows = known.filter(pl.col("finding_id").is_in(list(finding_ids))).with_columns(
        decided_at=pl.lit(max([now, *earlier])).cast(pl.Datetime("us", "UTC")),
        decision_code=pl.lit(decision),
        reason_text=pl.lit(reason.strip()),
        decided_by=pl.lit(by.strip()),
    )
    lake.append(conform_frame(rows, TABLE), TABLE)


def apply_decisions(
    have: Mapping[str, pl.DataFrame], decisions: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], list[str]]:
    """Packages and answers without what was decided to be left out, and a line on each decision.

    A decision on what has been corrected since does nothing: its figures are taken again.
    """
    indicators = reference_table("ref.indicator_measure")
    given, lines = dict(have), []
    for row in latest_decisions(decisions).filter(pl.col("decision_code") == LEFT_OUT).to_dicts():
        of = Given(*(row[name] for name in ("table_name", "period_code", "channel_code", "respondent_id")))
        whose = name_given(of, have, indicators)
        # Of a quarter that was left out before, the year's figure was judged without it.
        if row["finding_id"] not in {finding_id(of, each, indicators) for each in (have, given)}:
            lines.append(f"{whose}: corrected since {row['decided_by']} left it out; it is taken again")
            continue
        given = leave_out(of, given, indicators)
        lines.append(f"{whose}: left out by {row['decided_by']}: {row['reason_text']}")
    return given, lines


def name_given(of: Given, have: Mapping[str, pl.DataFrame], indicators: pl.DataFrame) -> str:
    """Name what is left out with a figure: `ken-a, SMS in 2026, with 2026-Q4`."""
    figure = "its spending" if of.is_money else of.channel_code
    periods = {
        period
        for table, rows in have.items()
        for period in rows.filter(of.match_rows(table, rows, indicators))["period_code"]
    }
    within = sorted(periods - {of.period_code})
    return f"{of.respondent_id}, {figure} in {of.period_code}" + (
        f", with {', '.join(within)}" if within else ""
    )


def note_findings(lake: Lake, open_share: float) -> list[str]:
    """List notes for the reader of estimates: how many findings are open, and a line on each figure left
    out."""
    due = sum(each.is_open(open_share) for each in list_findings(lake))
    lines = [f"Suspicious figures to be decided on before a release: {due}; see `{COMMAND}`"] if due else []
    return lines + describe_left_out(lake, ids_left_out(lake.read(TABLE)))


def describe_left_out(lake: Lake, finding_ids: Collection[str]) -> list[str]:
    """A line on each of these findings whose figures are left out, with all periods that go."""
    if not finding_ids:
        return []
    decisions = lake.read(TABLE).filter(pl.col("finding_id").is_in(list(finding_ids)))
    return apply_decisions({table: lake.read(table) for table in (SUBMISSION, ANSWERS)}, decisions)[1]


def describe_decisions(lake: Lake, periods: Collection[str] | None = None) -> list[str]:
    """A line for each finding that was decided on, also of a figure that is left out and has no finding any
    more; of some periods alone where they are given."""
    return [
        f"  {row['finding_id']}: {row['respondent_id']}, {row['channel_code']} in {row['period_code']}:"
        f" {row['decision_code'].replace('_', ' ')} on {row['decided_at']:%Y-%m-%d} by {row['decided_by']}:"
        f" {row['reason_text']}"
        for row in latest_decisions(lake.read(TABLE)).to_dicts()
        if periods is None or row["period_code"] in periods
    ]


def respondents_questions(
    findings: Iterable[DecidedFinding],
    answers: pl.DataFrame,
    indicators: pl.DataFrame,
    listed: Mapping[str, Respondent],
    sign: Callable[[str], Sequence[str]] = lambda language: (),
    price_level: pl.DataFrame | None = None,
) -> dict[str, str]:
    """The text for each respondent with findings, by respondent_id.

    Args:
        answers: study.questionnaire_answer.
        indicators: ref.indicator_measure.
        listed: respondents by id, of whom name and language are taken; one that is not among them is asked in
            English.
        sign: who asks, in a language.
        price_level: its wages are named beside posts that were computed with them.
    """
    of: dict[str, list[DecidedFinding]] = {}
    for each in findings:
        of.setdefault(each.respondent_id, []).append(each)
    texts = {}
    prices = prices_of(price_level) if price_level is not None else {}
    for who, given in sorted(of.items()):
        language = listed[who].language if who in listed else ENGLISH
        with use_language(language):
            name = listed[who].name if who in listed else who
            texts[who] = write_question(name, given, (answers, indicators), prices, language, sign(language))
    return texts


def write_question(
    respondent: str,
    findings: Sequence[DecidedFinding],
    tables: tuple[pl.DataFrame, pl.DataFrame],
    prices: Mapping[tuple[str, int], Price],
    language: str,
    signed: Sequence[str],
) -> str:
    """The question to a respondent, by its name, in a language.

    Args:
        tables: study.questionnaire_answer and ref.indicator_measure.
        prices: prices by country and year.
        signed: the lines below it.
    """

    def say(key: str, **values: str) -> str:
        return translate_key(language, "finding", key, **values)

    parts = [say("to", respondent=respondent), say("intro")]
    for number, each in enumerate(findings, start=1):
        previous = each.previous_contribution
        # The respondent's own figures alone; what other rules expect is made of others'.
        values = {
            "before": finding.period_before(each.period_code),
            "previous": format_given(previous) if previous is not None else "",
            "period": each.period_code,
            "quarters": format_given(each.expected_value) if each.rule_code == "quarters" else "",
        }
        rows = answers_behind(each, *tables)
        lines = [ask_about(each, language, tables[0]), *explain_posts(each, rows, prices, language)]
        lines.append(say(each.rule_code, **values))
        if previous is not None and each.rule_code != "previous":
            lines.append(say("before", **values))
        in_form = list_answers(rows)
        lines.append(say("in_form" if in_form else "packages"))
        parts.append(fill_paragraph(f"{number}. {' '.join(lines)}", "   "))
        if in_form:
            parts.append("\n".join(f"     {line}" for line in in_form))
        parts.append(f"   {say('reference', id=each.finding_id)}")
    points = [fill_paragraph(f"  - {say(key)}", "    ") for key in ("right", "corrected")]
    parts.append("\n".join([fill_paragraph(say("closing")), *points]))
    parts += map(fill_paragraph, signed)
    parts[-1] += "\n"
    if language not in load_definition()["reviewed"]:
        parts.append(f"({translate_key(language, 'word', 'unofficial')})\n")
    return "\n\n".join(parts)


def ask_about(finding: DecidedFinding, language: str, answers: pl.DataFrame) -> str:
    """A figure, its period and value: `E-mail, recipients: certain spam, 2026-Q4: 1,234.` Its definition is
    called as the respondent answered, or as the list of definitions has it."""
    values = {
        "channel": channel_name(language, finding.channel_code),
        "period": finding.period_code,
        "value": format_given(finding.contribution),
    }
    if Given(*given_of(finding)).is_money:
        key = "posts" if is_posts(finding) else "spending"
        return translate_key(language, "finding", key, **values)
    unit, definition, quantity = finding.series.split("/")
    counted = translate_key(language, "finding_quantity", quantity)
    if definition != OPERATOR:
        own = latest_answers(
            answers.filter(
                pl.col("respondent_id") == finding.respondent_id,
                pl.col("period_code") == finding.period_code,
                pl.col("indicator_code") == f"{DEFINITION}.{finding.channel_code}",
            )
        )["value"].drop_nulls()
        names = {row["definition_code"]: row["name"] for row in reference_rows("definition")}
        name = option_labels(language, "definition")[own[0]] if own.len() else names[definition]
        counted = translate_key(language, "finding", "by_definition", quantity=counted, definition=name)
    values |= {"unit": translate_key(language, "finding_unit", unit), "quantity": counted}
    return translate_key(language, "finding", "volume", **values)


def fill_paragraph(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 78, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def short_figure(finding: DecidedFinding) -> str:
    """A figure by its codes: `EMAIL attempted units`, `SMS posts`."""
    if Given(*given_of(finding)).is_money:
        return f"{finding.channel_code} {'posts' if is_posts(finding) else 'spending'}"
    codes = [code for code in finding.series.split("/") if code != OPERATOR]
    return " ".join([finding.channel_code, *codes]).replace("_", " ")


def is_posts(finding: DecidedFinding) -> bool:
    return Given(*given_of(finding)).is_money and POSTS in finding.series.split("/")


def answers_behind(finding: DecidedFinding, answers: pl.DataFrame, indicators: pl.DataFrame) -> pl.DataFrame:
    """The respondent's answers that the figure rests on, of an account those alone that the figure is made
    of."""
    given = Given(*given_of(finding))
    rows = latest_answers(answers.filter(given.match_rows(ANSWERS, answers, indicators)))
    rows = rows.filter(pl.col("value").is_not_null())
    if not given.is_money:
        return rows
    have = set(rows["indicator_code"])
    share = f"{SHARED}.{finding.channel_code}"
    if is_posts(finding):
        used = {DAYS if DAYS in have else STAFF, share}
    else:
        # Days count where the cost of staff is not given. The figure is of all strategies together.
        unused = {DAYS} if STAFF in have else set()
        used = {each for each in have - unused if each.partition(".")[0] not in (SHARED, STRATEGIES)} | {
            share
        }
    return rows.filter(pl.col("indicator_code").is_in(used))


def explain_posts(
    finding: DecidedFinding, rows: pl.DataFrame, prices: Mapping[tuple[str, int], Price], language: str
) -> list[str]:
    """Explain how accounts.count_posts() computed posts; empty for other figures, or where the wage is not
    known.

    Args:
        rows: the answers behind them.
    """
    if not is_posts(finding):
        return []
    assumed = dict(reference_table("ref.investment_assumption").select("assumption_code", "central").rows())
    values = {"days": format_given(assumed["days_per_post"])}
    have = dict(rows.select("indicator_code", "country_code").rows())
    if DAYS in have:
        return [translate_key(language, "finding", "posts_by_days", question=DAYS, **values)]
    price = prices.get((have.get(STAFF, ""), int(finding.period_code)))
    if price is None or not price.wage:
        return []
    values |= {"wage": format_given(price.wage), "currency": price.currency}
    return [translate_key(language, "finding", "posts_by_wage", question=STAFF, **values)]


def list_answers(rows: pl.DataFrame) -> list[str]:
    """Answers as a respondent reads them: `sp701.SERVER (2026): 1200 KES`."""
    return [
        f"{indicator} ({period}): {value}" + (f" {currency}" if currency else "")
        for indicator, period, value, currency in rows.sort("period_code", "indicator_code")
        .select("indicator_code", "period_code", "value", "currency_code")
        .rows()
    ]


def given_of(finding: DecidedFinding) -> tuple[str, str, str, str]:
    return finding.table_name, finding.period_code, finding.channel_code, finding.respondent_id


def format_given(number: float) -> str:
    """A figure as its respondent gave it, in its language: whole from a hundred on, else three digits."""
    return format_count(number) if abs(number) >= 100 else format_significant(number)
