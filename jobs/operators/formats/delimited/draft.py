"""A mapping profile to start from, drafted from the first lines of an unknown delimited file.

What can be guessed is: the delimiter, the header, each column's type, and which column is likely which
property of a message. What only the file's owner can know is marked FILL IN; the draft loads as a profile
once these places are filled. Values are shown as their shape only (35799000001 as 99999999999), but for
those of codes, which are few and must be mapped.
"""

import json
import re

from jobs.base.core.numbers import format_share
from jobs.base.core.patterns import mask_value
from jobs.operators.formats.delimited.column_guesses import (
    OUTCOMES,
    GuessedColumn,
    column_of,
    delimiter_of,
    has_header,
    lines_of,
    names_of,
    rows_of,
    targets_of,
)
from jobs.operators.formats.delimited.profile import EPOCHS, TO_FILL


def draft_profile(sample: bytes) -> str:
    """The profile, as TOML, to start from for a file that begins with `sample`; FILL IN marks what to say.

    A sample that is cut in its last line is fine. Text that is not delimited gives a draft of two columns.
    """
    lines = lines_of(sample)
    delimiter, quote = delimiter_of(lines)
    rows = rows_of(lines, delimiter, quote)
    is_headed = has_header(rows)
    names = names_of(rows[0] if is_headed and rows else [], max((len(row) for row in rows), default=0))
    body = rows[1:] if is_headed else rows
    columns = [column_of(name, [row[place] for row in body]) for place, name in enumerate(names)]
    return _draft_toml(columns, delimiter, quote, is_headed, targets_of(columns), len(body))


def _draft_toml(
    columns: list[GuessedColumn],
    delimiter: str,
    quote: str,
    is_headed: bool,
    targets: dict[str, list[GuessedColumn]],
    rows: int,
) -> str:
    """The draft as TOML.

    Args:
        is_headed: whether the first line names the columns.
        targets: by field of a profile, the columns that may fill it.
        rows: how many rows the guess rests on.
    """
    lines = [
        "# A mapping profile, drafted from the first lines of a file. Fill in what is marked FILL IN, check",
        "# the rest, and name the file in observatory.toml:",
        '#     format = "delimited"',
        '#     options = { profile = "own.toml" }',
        "# jobs/operators/formats/delimited/profiles/sms_firewall.toml explains every key.",
        "",
        'name = "own"',
        f"channel = {_quote_toml('SMS' if 'text' in targets else TO_FILL)}",
        f"delimiter = {_quote_toml(delimiter)}",
        f"quote = {_quote_toml(quote)}",
        f"header = {str(is_headed).lower()}",
        'null = ["null", "NULL", "\\\\N", "-"]',
        f"# From {rows} row{'' if rows == 1 else 's'}: numbers and texts as patterns, codes as they are.",
        "columns = [",
    ]
    width = max(len(_quote_toml(column.name)) for column in columns) + 1
    lines += [
        f"    {_quote_toml(column.name) + ',':{width}}  # {_describe_column(column)}" for column in columns
    ]
    lines += ["]", "# Columns that the rows of one message (tries, segments) share:"]
    identity = targets.get("message_id", [])
    example = ", ".join(_quote_toml(column.name) for column in identity) or '"the column of the message id"'
    lines += [f"# message_key = [{example}]", "", "[field]"]
    for name in ("first_at", "last_at"):
        if name in targets or name == "first_at":
            lines += _time_lines(name, targets.get(name, []))
    for name in ("sender", "recipient"):
        found = targets.get(name, [])
        lines.append(f"{name} = {{ column = {_quote_toml(found[0].name if found else TO_FILL)} }}")
    rest = ("client_ip", "account", "inbound_link", "outbound_link", "message_id", "message_bytes")
    for name in (*rest, "segment_count", "text", "reply_text"):
        if name in targets:
            lines.append(f"{name} = {{ column = {_quote_toml(targets[name][0].name)} }}")
    lines += _outcome_lines(targets.get("outcome", []))
    mapped = [column for found in targets.values() for column in found]
    left = [_quote_toml(each.name) for each in columns if each not in mapped and each.kind != "empty"]
    lines += ["", f"# Not mapped, so not stored: {', '.join(left)}."] if left else []
    return "\n".join(lines) + "\n"


def _time_lines(name: str, found: list[GuessedColumn]) -> list[str]:
    if not found:
        return [f"{name} = {{ column = {_quote_toml(TO_FILL)}, formats = [{_quote_toml(TO_FILL)}] }}"]
    formats = found[0].formats
    if len(found) == 2:
        formats = [f"{date} {clock}" for date in found[0].formats for clock in found[1].formats]
    lines = []
    if any(form.replace("%d", "").replace("%m", "") != form for form in formats) and any(
        re.match("%[dm]/%[dm]", form) for form in formats
    ):
        lines.append("# Is the day or the month first? Where all values fit both, the day is taken to be.")
    if not any("z" in form or form.endswith("Z") or form in EPOCHS for form in formats):
        lines.append(f"# {name}: in the source's time_zone, or say time_zone here.")
    quoted = ", ".join(map(_quote_toml, formats))
    names = ", ".join(_quote_toml(column.name) for column in found)
    origin = f'columns = [{names}], join = " "' if len(found) == 2 else f"column = {names}"
    return [*lines, f"{name} = {{ {origin}, formats = [{quoted}] }}"]


def _outcome_lines(found: list[GuessedColumn]) -> list[str]:
    """The rules: one for each value of the column with the outcome, if one is known."""
    name = found[0].name if found else TO_FILL
    lines = [
        "",
        "# What each value stands for. stage: connect, envelope, content or delivery. outcome: delivered,",
        "# tagged, quarantined, discarded, rejected, deferred, bounced, expired or queued.",
        "[outcome]",
        f"columns = [{_quote_toml(name)}]" + ("  # guessed" if found else ""),
        'default = "quarantine"',
    ]
    for value in found[0].values if found else [TO_FILL]:
        outcome, stage = next(
            (
                (outcome, stage)
                for words, outcome, stage in OUTCOMES
                if re.search(words, value.replace("_", " "), re.IGNORECASE)
            ),
            (TO_FILL, TO_FILL),
        )
        stage = stage or TO_FILL
        guess = "  # guessed" if outcome != TO_FILL else ""
        lines += [
            "",
            "[[outcome.rule]]",
            f"is = {_quote_toml(value)}",
            f"stage = {_quote_toml(stage)}",
            f"outcome = {_quote_toml(outcome)}{guess}",
        ]
    return lines


def _describe_column(column: GuessedColumn) -> str:
    """A column's type, how often it is filled, and what its values look like."""
    filled = "" if column.filled > 0.995 else f", {format_share(column.filled, 0)} filled"
    if column.kind == "empty":
        return "empty"
    if column.kind == "code":
        shown = ", ".join(_quote_toml(value) for value in column.values[:6])
        return f"code{filled}: {shown}" + (", …" if len(column.values) > 6 else "")
    if column.formats:
        return f"{column.kind}{filled}: {', '.join(column.formats)}"
    return f"{column.kind}{filled}: {mask_value(column.values[0])}"


def _quote_toml(text: str) -> str:
    """A TOML basic string; control signs are escaped, so that a terminal shows them as text."""
    escaped = json.dumps(text, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in escaped)
