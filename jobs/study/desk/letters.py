"""Letters to respondents and receipts for their forms as text files, each in its respondent's language. The
program sends none of them."""

import datetime as dt
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import format_day, use_language
from jobs.base.core.patterns import escape_unseen
from jobs.base.settings.config import Observatory
from jobs.base.settings.release import Release
from jobs.study.desk.rounds import Standing
from jobs.study.questionnaire.definition import form_for, load_definition, may_waive
from jobs.study.questionnaire.loading import FileOutcome
from jobs.study.questionnaire.texts import translate_key

# The states that each kind of letter is for.
KINDS = {
    "circular": ("refused", "to correct", "gaps", "silent", "answered"),
    "reminder": ("silent",),
    "correction": ("refused", "to correct", "gaps"),
    "thanks": ("answered",),
}
# Those that ask for a form to come back.
ASKING = ("circular", "reminder", "correction")
WIDTH = 78


@dataclass(frozen=True)
class Sender:
    """Sender of a letter, and the address that the answer goes to."""

    agency: str
    contact: str
    deadline: dt.date | None
    return_address: str | None


def read_sender(settings: Observatory, kind: str, today: dt.date) -> Sender:
    """The sender by the settings. Raises ObservatoryError with what they lack for this kind of letter."""
    release, study = settings.release, settings.study
    wrong = []
    if release.contact == Release().contact:
        wrong.append("[release] contact is not set: letters name it")
    if kind in ASKING:
        wrong += [
            f"[study] {name} is not set: letters name it"
            for name in ("deadline", "return_address")
            if getattr(study, name) is None
        ]
        if study.deadline is not None and study.deadline < today:
            wrong.append(f"[study] deadline, {study.deadline}, is over: set the day until which you now ask")
    if wrong:
        raise ObservatoryError("\n".join(wrong))
    return Sender(release.agency_name, release.contact, study.deadline, study.return_address)


def choose_recipients(kind: str, standings: Iterable[Standing]) -> list[Standing]:
    """Return the respondents who get a letter of this kind."""
    return [each for each in standings if each.state in KINDS[kind]]


def write_letter(kind: str, standing: Standing, period: str, sender: Sender) -> str:
    """The letter to one respondent.

    Args:
        standing: where it stands in the period that the letter is of.
    """
    language = standing.language
    return "\n\n".join(wrap(text, language) for text in paragraphs(kind, standing, period, sender)) + "\n"


def paragraphs(kind: str, standing: Standing, period: str, sender: Sender) -> Iterator[str]:
    """Yield the paragraphs of a letter, its subject first."""
    language = standing.language

    def say(key: str, group: str = "letter", **values: object) -> str:
        return translate_key(language, group, key, **values)

    with use_language(language):
        received = format_day(standing.received_at.date()) if standing.received_at else ""
        deadline = format_day(sender.deadline) if sender.deadline else ""
    yield say(f"subject_{kind}", period=period)
    yield say("to", name=standing.name)
    if kind == "circular":
        yield say("mandate", "title")
        has_money = form_for(standing.role, period=period).has_money
        yield say("circular" if has_money else "circular_no_money", period=period)
    elif kind == "reminder":
        yield say("reminder", period=period)
    elif kind == "correction":
        wrong, gaps = standing.to_correct_count, standing.open_count
        yield say("correction", period=period, received=received, wrong=wrong, open=gaps)
        if standing.state == "refused":
            yield say("refused")
    else:
        yield say("thanks", period=period, received=received)
        yield say("12", "instruction")
    if kind in ASKING:
        if not (kind == "correction" and standing.state == "refused"):
            yield say("13", "instruction")
        yield say("return", deadline=deadline, address=sender.return_address)
        yield say("09" if may_waive(standing.role) else "09A", "instruction")
        yield say("08", "instruction")
    yield say("contact", contact=sender.contact)
    yield sender.agency
    if language not in load_definition()["reviewed"]:
        yield f"({say('unofficial', 'word')})"


def sign_question(settings: Observatory, today: dt.date, language: str) -> list[str]:
    """The lines below a question about figures, as far as the settings have them: until when and where to
    answer, whom to ask, and who asks."""
    study, release = settings.study, settings.release
    lines = []
    if study.return_address and study.deadline and study.deadline >= today:
        with use_language(language):
            values = {"deadline": format_day(study.deadline), "address": study.return_address}
        lines.append(translate_key(language, "finding", "answer", **values))
    elif study.return_address:
        lines.append(f"{translate_key(language, 'word', 'return_address')}: {study.return_address}")
    if release.contact != Release().contact:
        lines.append(translate_key(language, "letter", "contact", contact=release.contact))
    return [*lines, release.agency_name, translate_key(language, "title", "mandate")]


def wrap(text: str, language: str) -> str:
    """A paragraph in lines; addresses are not broken, and Chinese, which has no spaces, stays in one line."""
    if language == "zh":
        return text
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def write_receipt(outcome: FileOutcome) -> str:
    """The text of the receipt of a loaded form."""
    about, language = outcome.assessment, outcome.language
    assert about is not None and not outcome.is_refused

    def say(key: str, **values: object) -> str:
        return translate_key(language, "receipt", key, **values)

    at = f"{outcome.received_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}"
    lines = [
        say("received", name=about.respondent.name, period=about.filing.period),
        say("file", file=escape_unseen(outcome.file.name), at=at, digest=about.filing.sha256),
        say("counted", count=len(set(about.answers) - about.lost_indicators)),
    ]
    if outcome.faults:
        lines.append(say("open", count=len(outcome.faults)))
    if about.readings:
        lines += ["", say("readings")]
        for each in about.readings:
            cell = each.line.cells["answer"]
            words = translate_key(language, "reading", each.key, value=cell.short_text, read=each.read)
            lines.append(f"- {each.line.indicator}: {words}")
    if language not in load_definition()["reviewed"]:
        lines += ["", f"({translate_key(language, 'word', 'unofficial')})"]
    return "\n".join([*lines, ""])
