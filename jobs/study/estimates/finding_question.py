"""The question about its suspicious figures that a respondent is sent, in plain words.

It holds the respondent's own figures alone: neither an influence nor an expected value, which are made of
other respondents' figures but for the sum of its own quarters.
"""

import textwrap
from collections.abc import Iterable, Sequence

import polars as pl

from jobs.base.core.numbers import format_count, format_significant
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.tables.contracts import codelist_rows
from jobs.study.estimates.finding import period_before
from jobs.study.estimates.steps.finding_decisions import DecidedFinding
from jobs.study.estimates.steps.given import ANSWERS, Given
from jobs.study.estimates.steps.spending import POSTS
from jobs.study.questionnaire.standing import standing_answers

# What a rule finds odd, said without anyone else's figure.
WHY = {
    "previous": "For each subscription this is more than five times, or less than a fifth, of what you gave"
    " for {before}: {previous}.",
    "size_class": "For each subscription this is far from what is usual for an operator of your size.",
    "bound": "For each subscription this is more than we take to be possible.",
    "quarters": "For the quarters of {period} that we have from you it was {quarters} together.",
}
CLOSING = """Please check the unit (thousands or millions, local currency or dollars), the
period, and whether something was counted twice or left out. Then answer
  - that the figure is right, with the reason if you know it, or
  - with a corrected form or package, which replaces the one that you sent.
"""


def respondents_questions(
    findings: Iterable[DecidedFinding], answers: pl.DataFrame, indicators: pl.DataFrame
) -> dict[str, str]:
    """The text for each respondent with findings, by respondent_id. answers: study.questionnaire_answer.
    indicators: ref.indicator_measure."""
    of: dict[str, list[DecidedFinding]] = {}
    for each in findings:
        of.setdefault(each.respondent_id, []).append(each)
    return {name: write_question(name, given, answers, indicators) for name, given in sorted(of.items())}


def write_question(
    respondent: str, findings: Sequence[DecidedFinding], answers: pl.DataFrame, indicators: pl.DataFrame
) -> str:
    parts = [f"To {respondent}", "Before anything is published, we ask you to check what you gave."]
    for number, each in enumerate(findings, start=1):
        previous = each.previous_contribution
        told = {
            "before": period_before(each.period_code),
            "previous": format_number(previous) if previous is not None else "",
            "period": each.period_code,
            # The respondent's own figures alone; what other rules expect is made of others'.
            "quarters": format_number(each.expected_value) if each.rule_code == "quarters" else "",
        }
        lines = [f"{describe_figure(each)}, {each.period_code}: {format_number(each.contribution)}."]
        lines.append(WHY[each.rule_code].format(**told))
        if previous is not None and each.rule_code != "previous":
            lines.append("For {before} you gave {previous}.".format(**told))
        in_form = given_in_form(each, answers, indicators)
        lines.append("In your form you answered:" if in_form else "It comes from the packages that you sent.")
        parts.append(fill_paragraph(f"{number}. {' '.join(lines)}", "   "))
        if in_form:
            parts.append("\n".join(f"     {line}" for line in in_form))
        parts.append(f"   Reference: {each.finding_id}")
    return "\n\n".join([*parts, CLOSING])


def fill_paragraph(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 78, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def describe_figure(finding: DecidedFinding) -> str:
    """What the figure is of, by the names of the code lists: `E-mail, Recipient: certain spam`."""
    channel = codelist_rows("channel")[finding.channel_code]["name"]
    if Given(*given_of(finding)).is_money:
        what = "full-time posts" if POSTS in finding.series.split("/") else "yearly cost in US dollars"
        return f"{channel}: {what} against spam, as computed from your form"
    unit, definition, quantity = finding.series.split("/")
    counted = (
        codelist_rows("unit")[unit]["name"] if unit in codelist_rows("unit") else "Recipients and attempts"
    )
    named = "" if definition == OPERATOR else f" by {definition}"
    return f"{channel}, {counted.lower()}: {codelist_rows('quantity')[quantity]['name'].lower()}{named}"


def short_figure(finding: DecidedFinding) -> str:
    """describe_figure() by codes: `EMAIL attempted units`, `SMS posts`."""
    if Given(*given_of(finding)).is_money:
        return f"{finding.channel_code} {'posts' if POSTS in finding.series.split('/') else 'spending'}"
    codes = [code for code in finding.series.split("/") if code != OPERATOR]
    return " ".join([finding.channel_code, *codes]).replace("_", " ")


def given_in_form(finding: DecidedFinding, answers: pl.DataFrame, indicators: pl.DataFrame) -> list[str]:
    """The respondent's answers that the figure rests on: `sp701.SERVER: 1200 KES`."""
    given = Given(*given_of(finding))
    rows = standing_answers(answers.filter(given.of_table(ANSWERS, answers, indicators)))
    return [
        f"{indicator} ({period}): {value}" + (f" {currency}" if currency else "")
        for indicator, period, value, currency in rows.filter(pl.col("value").is_not_null())
        .sort("period_code", "indicator_code")
        .select("indicator_code", "period_code", "value", "currency_code")
        .rows()
    ]


def given_of(finding: DecidedFinding) -> tuple[str, str, str, str]:
    return finding.table_name, finding.period_code, finding.channel_code, finding.respondent_id


def format_number(number: float) -> str:
    """A figure as its respondent gave it: whole from a hundred on, else three digits."""
    return format_count(number) if abs(number) >= 100 else format_significant(number)
