"""`observatory sniff FILE…`: the command itself, from arguments to what is printed."""

import json
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from jobs.base.core.choices import refuse_unknown
from jobs.base.core.errors import ObservatoryError
from jobs.operators.formats.options import complete_options
from jobs.operators.formats.registry import KERNELS, MAPPED
from jobs.operators.sniff import drawing
from jobs.operators.sniff.files import FileProblem, Log, logs_of
from jobs.operators.sniff.json_output import describe_sniff
from jobs.operators.sniff.log_clocks import Clock, clocks_of, times_of
from jobs.operators.sniff.recognition import Recognised, separate_logs
from jobs.operators.sniff.survey import LogSurvey, survey_log


def sniff_files(
    arguments: list[str],
    end: float,
    is_json: bool,
    out: Console,
    err: Console,
    profile: str | None = None,
    has_ignored: bool = False,
    kind: str | None = None,
) -> None:
    """Look at the files and print what they are. Raises ObservatoryError if one could not be used.

    Args:
        end: when to be done (monotonic).
        profile: the mapping profile to read them through, by name or path.
        has_ignored: show the commonest ignored lines as well.
        kind: the format to read them as.
    """
    refuse_unreadable(kind, profile)
    logs, problems = logs_of(arguments, end)
    known, wrong = separate_logs(logs, profile, kind)
    problems += wrong
    unknown = 0
    answers = []
    # Each log has a part of the time that is left, by its size.
    sizes = [sum(each.file.size or len(each.file.content or b"") for each in files) + 1 for _, files in known]
    for number, (log, recognised) in enumerate(known):
        now = time.monotonic()
        until = now + max(end - now, 0.5) * sizes[number] / sum(sizes[number:])
        answer = print_log(log, recognised, until, out, err, is_json, has_ignored)
        unknown += answer.format is None
        problems += answer.problems
        answers.append(answer)
    if is_json:
        found = {
            "logs": [describe_sniff(answer) for answer in answers],
            "clocks": [asdict(clock) for clock in found_clocks(answers)],
            "problems": [{"file": problem.name, "text": problem.text} for problem in problems],
        }
        out.file.write(json.dumps(found, indent=2) + "\n")
    else:
        drawing.draw_clocks(out, found_clocks(answers))
    if not is_json and settings_fit(answers):
        drawing.draw_next(out, [answer.log.url for answer in answers])
    if unknown:
        names = ", ".join(answer.log.name for answer in answers if answer.format is None)
        problems.append(
            FileProblem(names, "the format is unknown. Start from the lines or the profile above")
        )
    if problems:
        raise ObservatoryError("\n".join(map(str, problems)))


def refuse_unreadable(kind: str | None, profile: str | None) -> None:
    """Raise ObservatoryError, before a file is read, for a format that is unknown or needs a profile, and for
    what is wrong with the profile."""
    if kind is not None:
        refuse_unknown("--as", [kind], sorted(KERNELS), "format")
        if KERNELS[kind].profiles and profile is None:
            raise ObservatoryError(f"--as {kind}: it is read through a mapping profile: name one, --profile")
    if profile is not None:
        complete_options(MAPPED, {"profile": profile}, Path())


def settings_fit(answers: list[LogSurvey]) -> bool:
    """Return whether `init` and `report` can use the logs: files of formats that they recognise by
    themselves, not read through a profile."""
    return bool(answers) and all(
        each.format is not None
        and each.log.url != "-"
        and "profile" not in each.options
        and not any(file.is_named for file in each.recognised)
        for each in answers
    )


def found_clocks(answers: list[LogSurvey]) -> list[Clock]:
    """The clocks of several logs, by the ids that they share."""
    if len(answers) < 2:
        return []
    return clocks_of([times for each in answers if (times := times_of(each, each.log.url))])


def print_log(
    log: Log,
    recognised: list[Recognised],
    until: float,
    out: Console,
    err: Console,
    is_json: bool,
    has_ignored: bool,
) -> LogSurvey:
    """Look at one log: print the first answer at once, the totals when they are there.

    Args:
        recognised: the log's files with their formats.
        until: the time (monotonic) at which reading should end.
        out, err: the console of answers, and that of progress.
        has_ignored: count the commonest ignored lines, too.
    """
    answers = survey_log(log, recognised, until, has_ignored=has_ignored)
    answer = next(answers)
    printed = None if is_json else drawing.draw_first(out, answer)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("reading", total=1.0)
        for answer in answers:
            if answer.tally is not None:
                lines = sum(each.lines for each in answer.tally.files)
                progress.update(task, completed=answer.share_read, description=f"{lines:,} lines")
    if not is_json:
        drawing.draw_rest(out, answer, printed)
    return answer
