"""The questionnaire as schemas/questionnaire/ defines it: questions by role, and relations of answers."""

import itertools
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from jobs.base.tables.contracts import SCHEMAS, read_yaml

FOLDER = SCHEMAS / "questionnaire"
# The part of a dimension that is the respondent's own total of the others.
TOTAL = "_T"
# The most decimals of an answer. Half of the last one: the sums of a spreadsheet are binary.
DECIMALS = 4
HALF = Decimal(1).scaleb(-DECIMALS) / 2
# Statuses that give the reason for no answer.
WITHOUT_ANSWER = ("NA", "NP", "R")
# The waiver of a respondent who states none.
NO_WAIVER = "W0"
# Its line of a channel has the status NP if the respondent does not offer the channel.
OFFERED = "sp205"
NOT_APPLICABLE = "NP"
# Its questions say whose the figures are, and of which days.
IDENTITY_SECTION = "1"


@dataclass(frozen=True)
class Indicator:
    """One line to answer: a question, or one part of it.

    Attributes:
        parts: the dimensions that it is broken down by, with its code of each.
    """

    code: str
    question: str
    parts: tuple[tuple[str, str], ...]

    @property
    def channel(self) -> str | None:
        return dict(self.parts).get("channel")

    @property
    def part(self) -> str | None:
        """The code of the one dimension beside the channel."""
        return next((code for dimension, code in self.parts if dimension != "channel"), None)


@dataclass(frozen=True)
class Relation:
    """A rule between answers: the sum of `parts` equals `target`, or is at most `target`.

    Attributes:
        target: a number, or the indicator that holds it.
        within: tolerance for rounded parts.
    """

    parts: tuple[str, ...]
    is_equal: bool
    target: Decimal | str
    within: Decimal = Decimal(0)

    def is_broken(self, total: Any, target: Any, missing: Any) -> Any:
        """Return whether the parts' total breaks the relation: of numbers a truth value, of formulas
        (Formula) the formula for it.

        Args:
            missing: the number of parts that are not available: the others may add up to less, but not to
                more.
        """
        within = self.within + (HALF if len(self.parts) > 1 else 0)
        over = total > target + within
        return over | ((total < target - within) & (missing == 0)) if self.is_equal else over

    @property
    def is_dates(self) -> bool:
        return isinstance(self.target, str) and self.target.endswith(".last")

    @property
    def has_sum(self) -> bool:
        """Return whether the form must show the sum, because no line of the respondent holds it."""
        return len(self.parts) > 1 and not str(self.target).endswith(TOTAL)

    @property
    def place(self) -> str:
        """The indicator that gets the fault if the relation is broken."""
        return self.target if str(self.target).endswith(TOTAL) else self.parts[-1]  # type: ignore[return-value]


@dataclass(frozen=True)
class Question:
    """One question with its indicators in order; see the head of questionnaire.yaml for the rest."""

    id: str
    section: str
    kind: str
    who: tuple[str, ...]
    unit: str | None
    options: str | None
    core: bool
    yearly: bool
    required: str | None
    instead: str | None
    needs: str | None
    waiver: tuple[str, ...]
    given: str | None
    low: Decimal
    high: Decimal
    fractions: bool
    length: int
    indicators: tuple[Indicator, ...]
    relations: tuple[Relation, ...]

    @property
    def has_total(self) -> bool:
        return self.indicators[-1].part == TOTAL

    @property
    def channels(self) -> set[str | None]:
        """The channels of its indicators; None where one is of no channel."""
        return {each.channel for each in self.indicators}

    @property
    def codes(self) -> list[str]:
        """The codes of its indicators, in order."""
        return [each.code for each in self.indicators]


@dataclass(frozen=True)
class Form:
    """The questions for one role, in order."""

    questions: tuple[Question, ...]

    @property
    def sections(self) -> list[tuple[str, list[Question]]]:
        grouped = itertools.groupby(self.questions, key=lambda question: question.section)
        return [(section, list(questions)) for section, questions in grouped]

    @property
    def indicators(self) -> dict[str, Question]:
        """Every indicator of the form and its question, in order."""
        return {each.code: question for question in self.questions for each in question.indicators}

    @property
    def has_money(self) -> bool:
        """Return whether any answer is an amount of money."""
        return any(each.kind == "money" for each in self.questions)

    @property
    def relations(self) -> list[Relation]:
        """The relations whose target is in the form."""
        known = self.indicators
        return [
            relation
            for question in self.questions
            for relation in question.relations
            if not isinstance(relation.target, str) or relation.target in known
        ]

    @property
    def needing(self) -> dict[str, list[str]]:
        """The indicators whose figures require another one, by that one."""
        found: dict[str, list[str]] = {}
        for question in self.questions:
            for each in question.indicators if question.needs else ():
                found.setdefault(f"{question.needs}.{each.channel}", []).append(each.code)
        return found


@cache
def load_definition() -> dict[str, Any]:
    """The content of questionnaire.yaml."""
    found: dict[str, Any] = read_yaml(FOLDER / "questionnaire.yaml")
    return found


@cache
def list_questions() -> tuple[Question, ...]:
    """The questions for all roles."""
    return tuple(
        parse_question(entry, section["id"])
        for section in load_definition()["sections"]
        for entry in section["questions"]
    )


@cache
def form_for(role: str, core: bool = False, period: str | None = None) -> Form:
    """The form for a role (O or A).

    Args:
        core: only the questions of the core set.
        period: without the questions that only a year's form asks, if it is shorter than a year.
    """
    is_shorter = period is not None and not period.isdigit()
    return Form(
        tuple(
            each
            for each in list_questions()
            if role in each.who and (each.core or not core) and not (each.yearly and is_shorter)
        )
    )


def may_waive(role: str) -> bool:
    """Return whether a role may waive confidentiality of any of its answers."""
    return any(role in question.waiver for question in list_questions())


def list_options(question: Question) -> tuple[str, ...]:
    """The codes that a question's answer is one of; none where it is a number, a text or a date."""
    return tuple(load_definition()["lists"].get(question.options, ()))


def parse_question(entry: dict[str, Any], section: str) -> Question:
    limits = load_definition()["limits"]
    indicators = tuple(expand_indicators(entry["id"], entry.get("by", [{}])))
    high = 100 if entry["kind"] == "percent" else limits["number_max"]
    return Question(
        id=entry["id"],
        section=section,
        kind=entry["kind"],
        who=tuple(entry["who"]),
        unit=entry.get("unit"),
        options="yesno" if entry["kind"] == "yesno" else entry.get("options"),
        core=entry.get("core", False),
        yearly=entry.get("yearly", False),
        required=entry.get("required"),
        instead=entry.get("instead"),
        needs=entry.get("needs"),
        waiver=tuple(entry.get("waiver", ())),
        given=entry.get("given"),
        low=Decimal(entry.get("low", 0)),
        high=Decimal(entry.get("high", high)),
        fractions=entry.get("fractions", entry["kind"] in ("money", "percent")),
        length=entry.get("length", limits["text_length"]),
        indicators=indicators,
        relations=tuple(
            relation
            for check in entry.get("checks", [])
            for relation in expand_relations(check, entry["id"], indicators)
        ),
    )


def expand_indicators(question: str, blocks: list[dict[str, list[str]]]) -> list[Indicator]:
    """The indicators of a question: for each block, every combination of its dimensions' codes, in order."""
    found = []
    for block in blocks:
        for dimension, codes in block.items():
            unknown = set(codes) - set(load_definition()["dimensions"][dimension])
            if unknown:
                raise ValueError(f"{question}: {sorted(unknown)} not in dimension {dimension}")
        for chosen in itertools.product(*block.values()):
            found.append(
                Indicator(".".join([question, *chosen]), question, tuple(zip(block, chosen, strict=True)))
            )
    return found


def expand_relations(
    check: dict[str, Any], question: str, indicators: tuple[Indicator, ...]
) -> list[Relation]:
    """The relations of one entry of `checks`: one for each of its groups."""
    if "not_above" in check and "part" not in check:
        return [Relation((question,), False, check["not_above"])]
    over = check["over"]
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for indicator in indicators:
        parts = dict(indicator.parts)
        code = parts.pop(over)
        groups.setdefault(tuple(parts.values()), {})[code] = indicator.code
    relations = []
    for rest, group in groups.items():
        if "part" in check:
            inside = check.get("at_most") or check.get("not_after")
            whole = group[inside] if inside else ".".join([check["not_above"], *rest])
            relations.append(Relation((group[check["part"]],), False, whole))
            continue
        wanted: str | int = check["equals"] if "equals" in check else check["at_most"]
        parts_of_sum = tuple(code for part, code in group.items() if part != TOTAL)
        target = group[TOTAL] if wanted == TOTAL else wanted
        relations.append(
            Relation(
                parts_of_sum,
                "equals" in check,
                target if isinstance(target, str) else Decimal(target),
                Decimal(check.get("within", 0)),
            )
        )
    return relations
