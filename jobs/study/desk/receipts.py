"""The receipt for a form that was loaded, in its respondent's language: what counts, what is open, and what
was read otherwise than written."""

import datetime as dt

from jobs.base.core.patterns import escape_unseen
from jobs.study.questionnaire.definition import load_definition
from jobs.study.questionnaire.loading import FileOutcome
from jobs.study.questionnaire.texts import translate_key


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
        say("counted", count=len(set(about.answers) - about.lost)),
    ]
    if outcome.faults:
        lines.append(say("open", count=len(outcome.faults)))
    if about.readings:
        lines += ["", say("readings")]
        for each in about.readings:
            cell = each.line.cells["answer"]
            words = translate_key(language, "reading", each.key, value=cell.written, read=each.read)
            lines.append(f"- {each.line.indicator}: {words}")
    if language not in load_definition()["reviewed"]:
        lines += ["", f"({translate_key(language, 'word', 'unofficial')})"]
    return "\n".join([*lines, ""])
