"""The terminal's view of an answer. Nothing of a log is drawn but masked, with controls made visible."""

import datetime as dt
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from jobs.base.core.numbers import (
    format_bytes,
    format_count,
    format_duration,
    format_part,
    format_share,
    format_significant,
    round_places,
)
from jobs.base.core.patterns import escape_unseen, pattern_text
from jobs.base.figures.words import code_description, lower_first
from jobs.operators.formats import PRECEDENCE
from jobs.operators.formats.registry import MAPPED, REQUESTS
from jobs.operators.protect.shapes import OTHER
from jobs.operators.sniff.kinds import draw_ignored, draw_patterns, print_heading
from jobs.operators.sniff.log_clocks import Clock
from jobs.operators.sniff.proposal import DELIMITERS, describe_shape, propose_profile, source_block
from jobs.operators.sniff.survey import LogSurvey
from jobs.operators.sniff.tally import Documents

# The first and the last time of a log's lines.
Range = tuple[dt.datetime | None, dt.datetime | None]
# Units of which no two are of one event: messages and segments are of recipients.
COUNTED = ("recipient", "attempt", "call")
STAGES = ["connect", "envelope", "content", "delivery"]
BAR = 24
# Logs pack to a tenth or a thirtieth; what unpacks to so much more was made to fill a disk.
BOMB = 200
KINDS = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "zst": "Zstandard", "journal": "journal export"}
LEFT_OUT = {
    "hop": "folded into the message that came in (hops through filters)",
    "followed_up": "temporary refusals that were followed up within a day",
    "dsn": "bounces of the server's own",
    "report": "reports of spam by subscribers",
}


def format_amount(answer: LogSurvey, count: float) -> str:
    """An exact count, or an estimate in three figures."""
    return format_count(count) if answer.is_exact else f"≈{format_significant(round_places(count, 0))}"


def draw_first(console: Console, answer: LogSurvey) -> Range | None:
    """The quick answer: what it is and when. Returns the range that was printed, if it is known already."""
    console.print(Rule(Text(escape_unseen(answer.log.name), "bold"), align="left", style="dim"))
    rows: list[tuple[str, RenderableType]] = [("files", files_line(answer))]
    if answer.format is None:
        console.print(facts_table(rows))
        return None
    rows.append(("format", format_line(answer)))
    if assumed := answer.recognised[0].assumed:
        guess = f"access_log_format = {answer.options['access_log_format']}: check each field"
        rows.append(("assumed", Text(guess, "yellow")))
        rows += [(f"line {number}", Text(line)) for number, line in enumerate(assumed, start=1)]
    printed = range_of(answer) if answer.tally is not None and is_range_known(answer) else None
    if printed is not None:
        rows.append(("covers", range_line(answer)))
    if answer.tally is not None:
        rows.append(("zone", zone_line(answer)))
    console.print(facts_table(rows))
    return printed


def draw_rest(console: Console, answer: LogSurvey, printed: Range | None) -> None:
    """The totals, and what to do next.

    Args:
        printed: the range returned by draw_first().
    """
    if answer.format is None:
        draw_unknown(console, answer)
        return
    if answer.documents is not None:
        console.print(facts_table(document_lines(answer.documents, len(answer.recognised))))
    else:
        covers = [] if printed == range_of(answer) else [("covers", range_line(answer))]
        console.print(facts_table([*covers, *line_lines(answer)]))
        draw_patterns(console, answer)
        if answer.tally is not None and answer.tally.has_ignored:
            draw_ignored(console, answer)
        draw_totals(console, answer)
    print_heading(console, "for observatory.toml")
    console.print(Text(source_block(answer), "green"), soft_wrap=True)


def draw_clocks(console: Console, clocks: Sequence[Clock]) -> None:
    """Print the clocks of several logs, a line each."""
    if not clocks:
        return
    console.print(Text("Clocks", "bold"))
    for each in clocks:
        name = escape_unseen(Path(each.name).name)
        if each.time_zone:
            setting = f'set time_zone = "{each.time_zone}"'
        elif each.clock_offset is not None:
            setting = f"set clock_offset = {each.clock_offset}"
        else:
            setting = "no one setting mends its clock" if each.is_wrong else "agrees"
        evidence = each.evidence.replace(each.other, escape_unseen(Path(each.other).name))
        console.print(Text(f"  {name}: {setting}, {evidence}"))
    console.print()


def draw_next(console: Console, urls: list[str]) -> None:
    """The commands that go on with the logs."""
    logs = " ".join(escape_unseen(shlex.quote(url)) for url in urls) if len(urls) == 1 else "LOG…"
    for word, command, comment in (
        ("Next:", f"observatory report {logs}", "# the page, without settings"),
        ("", f"observatory init {logs}", "# writes observatory.toml"),
    ):
        line = f"{word:<5} {command}"
        fits = cell_len(f"{line}  {comment}") <= console.width
        console.print(Text(f"{line}  {comment}" if fits else line), soft_wrap=True)
        if not fits:
            console.print(Text(f"{'':<5} {comment}"))


def facts_table(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", width=11, justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


# --- the first answer ----------------------------------------------------------------------------------


def files_line(answer: LogSurvey) -> Text:
    files = [each.file for each in answer.recognised]
    size = sum(file.size if file.size is not None else len(file.content or b"") for file in files)
    kinds = sorted({KINDS[each.compression] for each in answer.recognised if each.compression})
    text = Text(f"{len(files)} file{'' if len(files) == 1 else 's'}, {format_bytes(size)}")
    if kinds:
        text.append(f", {' and '.join(kinds)}", "dim")
    for copy, whole in answer.copies:
        names = escape_unseen(copy.rsplit("/", 1)[-1]), escape_unseen(whole.rsplit("/", 1)[-1])
        text.append(f"\n{names[0]} holds nothing that {names[1]} does not: counted once", "dim")
    return text


def format_line(answer: LogSurvey) -> Text:
    assert answer.format is not None
    description = code_description("format", answer.format)
    text = Text.assemble((answer.format, "bold cyan"), f", {lower_first(description)}" if description else "")
    if "profile" in answer.options:
        text.append(f" {answer.options['profile']}")
    if answer.recognised[0].assumed:
        return text.append("; assumed, in a format of its own", "yellow")
    is_named = any(each.is_named for each in answer.recognised)
    sure_by = "as named; by itself" if is_named else "confidence"
    text.append(f"; {sure_by} {format_share(answer.confidence, 0)}", "dim")
    if answer.runner_up:
        text.append(f"; next {answer.runner_up[0]} {format_share(answer.runner_up[1], 0)}", "yellow")
    return text


def range_of(answer: LogSurvey) -> Range:
    return answer.first_at, answer.last_at


def is_range_known(answer: LogSurvey) -> bool:
    """Return whether both ends of the log were seen: a compressed file is read from its beginning alone."""
    return not answer.recognised[-1].compression or all(each.sees_end for each in answer.progress)


def range_line(answer: LogSurvey) -> Text:
    if answer.first_at is None or answer.last_at is None:
        return Text("no line contains a time", "yellow")
    length = answer.last_at - answer.first_at
    text = Text(f"{answer.first_at:%Y-%m-%d %H:%M:%S} → {answer.last_at:%Y-%m-%d %H:%M:%S} UTC")
    text.append(f", {format_duration(length.total_seconds())}", "dim")
    if not is_range_known(answer):
        text.append(", as far as it was read", "yellow")
    return text


def zone_line(answer: LogSurvey) -> Text:
    zone = answer.zone
    assert zone is not None
    if zone.is_explicit:
        return Text(zone.evidence)
    if zone.name is None:
        return Text(f"{zone.evidence}; until then read as UTC", "yellow")
    return Text.assemble((zone.name, "bold"), f", {zone.evidence}")


# --- lines ---------------------------------------------------------------------------------------------


def line_lines(answer: LogSurvey) -> list[tuple[str, RenderableType]]:
    tally = answer.tally
    assert tally is not None
    lines = answer.estimate_count(lambda each: each.lines)
    quarantined = answer.estimate_count(lambda each: each.quarantined)
    refusals = answer.estimate_count(lambda each: each.refusals)
    share = 1 - (quarantined + refusals) / lines if lines else 1.0
    reasons = ", ".join(
        f"{reason} {format_amount(answer, count)}" for reason, count in answer.quarantined_by_reason().items()
    )
    text = Text.assemble(
        f"{format_amount(answer, answer.estimate_count(lambda each: each.records))} records, "
        f"{format_amount(answer, answer.estimate_count(lambda each: each.ignored))} ignored, ",
        (f"{format_amount(answer, quarantined)} quarantined", "yellow" if quarantined else ""),
        f" ({reasons})" if reasons else "",
    )
    for name, count in answer.records_by_companion().items():
        if count:
            text.append(f"\nof them {format_amount(answer, count)} records of {name}")
    style = "green" if share >= 0.99 else "yellow" if share >= 0.9 else "red"
    full = round(share * BAR)
    bar = Text.assemble(("━" * full, style), ("━" * (BAR - full), "dim"))
    bar.append(f" {format_share(share)}", f"bold {style}")
    bar.append(f" of {format_amount(answer, lines)} lines")
    rows: list[tuple[str, RenderableType]] = [("read", read_line(answer)), ("understood", bar)]
    if refusals:
        part = format_part(refusals, lines)
        finding = f"{format_amount(answer, refusals)} ignored lines ({part}) look like refusals"
        finding += "" if tally.has_ignored else "; --ignored shows them"
        rows.append(("in doubt", Text(finding, "yellow")))
    lacks = answer.estimate_count(lambda each: each.lacks)
    if lacks and tally.kernel.lacks:
        finding = f"{format_amount(answer, lacks)} lines: {tally.kernel.lacks[1]}"
        rows.append(("not there", Text(finding, "yellow")))
    return [*rows, ("lines", text)]


def read_line(answer: LogSurvey) -> Text:
    read = sum(each.read for each in answer.progress)
    waiting = sum(each.waiting for each in answer.progress)
    text = Text()
    if answer.is_exact:
        text.append(f"all {format_bytes(read)}: the totals are exact", "green")
    else:
        total = sum(each.total for each in answer.progress)
        prefix = "about " if any(each.is_estimated for each in answer.progress) else ""
        text.append(f"{format_share(answer.share_read)} of {prefix}{format_bytes(total)}: ", "yellow")
        text.append("totals are estimates (≈), scaled to the whole", "yellow")
    for each, progress in zip(answer.recognised, answer.progress, strict=True):
        if progress.compression and each.file.size and progress.total > BOMB * each.file.size:
            times, name = progress.total // each.file.size, escape_unseen(each.file.name.rsplit("/", 1)[-1])
            text.append(f"; {name} unpacks to {times:,} times its size, as no log does", "bold red")
    if waiting:
        text.append(f"; {waiting:,} bytes after the last line end wait until their line is whole", "dim")
    return text


# --- totals --------------------------------------------------------------------------------------------


def draw_totals(console: Console, answer: LogSurvey) -> None:
    if not answer.transmissions and not answer.verdicts:
        print_heading(console, "ingesting it would give nothing to count")
        return
    print_heading(console, f"a run would {'count' if answer.transmissions else 'give'}")
    if answer.transmissions:
        assert answer.units is not None
        for channel in sorted({channel for channel, *_ in answer.units.units}):
            console.print(Padding(count_table(answer, answer.units.units, channel), (0, 0, 0, 2)))
        console.print(Padding(unit_lines(answer), (0, 0, 0, 2)))
    if answer.verdicts:
        if answer.transmissions:
            console.print()
        console.print(Padding(verdict_table(answer), (0, 0, 0, 2)))


def count_table(answer: LogSurvey, units: Mapping[tuple[str, str, str, str], float], channel: str) -> Table:
    """The units of a channel that gold will count: recipients, attempts and calls, of which no two are of one
    event; a row per outcome, a column per stage; those that occur."""
    counts: dict[tuple[str, str], float] = {}
    for (of_channel, unit, stage, outcome), count in units.items():
        if of_channel == channel and unit in COUNTED:
            counts[stage, outcome] = counts.get((stage, outcome), 0.0) + count
    stages = order_codes({stage for stage, _ in counts}, STAGES)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_footer=True)
    table.add_column(f"{channel}, decided at", footer="all", no_wrap=True)
    for stage in stages:
        number = sum(count for (name, _), count in counts.items() if name == stage)
        table.add_column(stage, format_amount(answer, number), justify="right", no_wrap=True)
    total = format_amount(answer, sum(counts.values()))
    table.add_column("all", total, justify="right", style="bold", footer_style="bold", no_wrap=True)
    for outcome in order_codes({outcome for _, outcome in counts}, PRECEDENCE):
        of_outcome = [counts.get((stage, outcome), 0.0) for stage in stages]
        cells = [format_amount(answer, count) if count else "·" for count in of_outcome]
        table.add_row(outcome, *cells, format_amount(answer, sum(of_outcome)))
    return table


def order_codes(found: set[str], known: list[str]) -> list[str]:
    """The codes that were found, in their usual order; others last."""
    return [code for code in known if code in found] + sorted(found - set(known))


def unit_lines(answer: LogSurvey) -> Group:
    units = answer.units
    assert units is not None
    parts = []
    messages, recipients = units.count_units("message"), units.count_units("recipient")
    if messages:
        parts.append(
            f"{format_amount(answer, messages)} messages to {format_amount(answer, recipients)} recipients"
            + (
                f" ({format_amount(answer, units.count_units('segment'))} segments)"
                if units.count_units("segment")
                else ""
            )
        )
    if units.count_units("attempt"):
        parts.append(
            f"{format_amount(answer, units.count_units('attempt'))} attempts refused before a message existed"
        )
    if units.count_units("call"):
        parts.append(f"{format_amount(answer, units.count_units('call'))} calls")
    lines = [Text.assemble("\nCounted in all directions: ", ("; ".join(parts) or "nothing", "bold"), ".")]
    if units.not_counted:
        sentence = "; ".join(
            f"{format_amount(answer, count)} {LEFT_OUT[name]}" for name, count in units.not_counted.items()
        )
        lines.append(Text(f"Left out by the counting rules: {sentence}.", "dim"))
    if round(units.named):
        sentence = (
            f"{format_amount(answer, units.named)} of the recipients are named by a filter's verdict alone."
        )
        lines.append(Text(sentence, "dim"))
    sentence = "Another log, such as a filter's, may add recipients of refused messages and say what is spam."
    if any(channel == "EMAIL" for channel, _, _ in answer.transmissions):
        lines.append(Text(sentence, "dim"))
    requests = REQUESTS.get(answer.format or "")
    if requests and requests.are_counted_there(answer.options):
        without = f"options = {{ {requests.option} = false }}"
        lines.append(Text(f"Accepted SMS count by {requests.log}. Without one set {without}."))
    return Group(*lines)


def verdict_table(answer: LogSurvey) -> Table:
    """Verdicts, those of a filter together, each with its share of the filter's."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("verdicts", "action", "spam"):
        table.add_column(name)
    for name in ("count", "of filter"):
        table.add_column(name, justify="right")
    of_filter: dict[str, float] = {}
    for (engine, _, _), count in answer.verdicts.items():
        of_filter[engine] = of_filter.get(engine, 0.0) + count

    def rank_filter(row: tuple[tuple[str, str, bool | None], float]) -> tuple[float, str, float]:
        (engine, *_), count = row
        return -of_filter[engine], engine, -count

    for (engine, action, is_spam), count in sorted(answer.verdicts.items(), key=rank_filter):
        table.add_row(
            escape_unseen(str(engine)),
            escape_unseen("other" if action == OTHER else action or "none"),
            Text("?" if is_spam is None else "spam" if is_spam else "", "yellow"),
            format_amount(answer, count),
            format_part(count, of_filter[engine]),
        )
    return table


def document_lines(documents: Documents, files: int) -> list[tuple[str, RenderableType]]:
    refused = sum(documents.reasons.values())
    reasons = ", ".join(
        f"{reason} {count:,} (such as {escape_unseen(documents.examples[reason])})"
        for reason, count in sorted(documents.reasons.items())
    )
    text = Text(f"{documents.documents:,} in {documents.files_read:,} of {files:,} files")
    counts = Text(f"{documents.records:,} records of {documents.rows:,} rows, ")
    counts.append(f"{documents.ignored:,} ignored, ")
    counts.append(f"{refused:,} quarantined", "yellow" if refused else "")
    counts.append(f": {reasons}" if reasons else "")
    return [("documents", text), ("counts", counts)]


# --- formats that are not known ------------------------------------------------------------------------


def draw_unknown(console: Console, answer: LogSurvey) -> None:
    sample = answer.recognised[0].head
    seen = describe_shape(sample)
    nearest = [
        f"{name} {format_share(score, 0)}" for name, score in answer.recognised[0].scores[:3] if score > 0
    ]
    rows: list[tuple[str, RenderableType]] = [("format", Text("none that is known here", "yellow"))]
    if nearest:
        rows.append(("nearest", Text(", ".join(nearest))))
        kind = answer.recognised[0].scores[0][0]
        rows.append(("", Text(f"`observatory sniff --as {kind} FILE` reads it as that")))
    if not seen["lines"]:
        rows.append(("looks like", Text("blank lines")))
    elif not seen["has_line_ends"] and len(sample) >= 4096:
        rows.append(("looks like", Text(f"one line without an end in its first {format_bytes(len(sample))}")))
    elif seen["is_json"]:
        rows.append(("looks like", Text("a JSON object on each line")))
    elif seen["delimiter"]:
        sign = DELIMITERS[seen["delimiter"]]
        rows.append(("looks like", Text(f"{seen['columns']} columns, separated by {sign}")))
    else:
        rows.append(("looks like", Text("lines of text without a delimiter")))
    for number, line in enumerate(seen["first_lines"], start=1):
        # Cut to the terminal, with room for the name of the row.
        text = pattern_text(line)
        text.truncate(max(console.width - 15, 20), overflow="ellipsis")
        rows.append((f"line {number}", text))
    console.print(facts_table(rows))
    draft = propose_profile(sample) if seen["delimiter"] else None
    if draft:
        print_heading(console, "a mapping profile to start from")
        visible = "\n".join(map(escape_unseen, draft.split("\n")))
        console.print(Text(visible.rstrip() + "\n", "green"), soft_wrap=True)
    elif seen["delimiter"]:
        advice = f'Map its columns in a profile (format = "{MAPPED}"), or add a format: docs/dev/recipes.md.'
        console.print(Padding(Text(advice), (0, 0, 1, 2)))
    else:
        console.print(Padding(Text("To add a format, see docs/dev/recipes.md in the source."), (0, 0, 1, 2)))
