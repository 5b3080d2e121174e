"""A package in words: the contents of each file, and what was held back, with the reason."""

from jobs.base.core import numbers
from jobs.base.core.periods import LEAST_DAYS_PCT, covers_month, months_of
from jobs.base.figures import words
from jobs.base.packages.counts import CELL, GROUP, VOLUME
from jobs.base.tables.contracts import read_contract
from jobs.operators.packages.packaging import MadePackage

# The codelist of each column of a group.
LISTS = {"channel_code": "channel", "direction_code": "direction", "unit_code": "unit"}


def describe_group(codes: dict[str, str]) -> str:
    """A group in words: November 2026, e-mail, inbound, recipient."""
    named = [words.lower_first(words.code_name(LISTS[name], codes[name])) for name in LISTS if name in codes]
    return ", ".join([words.format_period(codes["period_code"]), *named])


def describe_files(made: MadePackage) -> list[str]:
    """A sentence on each file of rows: what a row is, the months, and which cells joined another."""
    found = []
    for table, rows in made.counts.tables.items():
        name = read_contract(table).name
        months = words.join_words(map(words.format_period, sorted(set(rows["period_code"]))))
        text = f"{name}.csv: {numbers.count_noun(rows.height, 'row')}{f' of {months}' if months else ''}."
        if table in made.counts.cells:
            text += f" {describe_cells(table, *made.counts.cells[table])}"
        found.append(text)
    return found


def describe_cells(table: str, in_gold: int, in_package: int) -> str:
    """A sentence on the number of a table's cells, and on where small ones are counted."""
    levels, rest = CELL[table]
    if in_package == in_gold:
        return f"All of gold's {numbers.count_noun(in_gold, 'cell')} leave."
    # Parts of a cell, such as links, join the largest part.
    into = "the largest of their kind" if rest is None or len(levels) > 1 else f"'{rest[0]}'"
    return (
        f"Of gold's {numbers.count_noun(in_gold, 'cell')} {in_package:,} leave;"
        f" {in_gold - in_package:,} held too few units of a kind and are counted in {into}."
    )


def describe_withheld(made: MadePackage, least: int) -> list[str]:
    """A sentence on each group or definition that does not leave, and on each month without rows."""
    found = []
    for each in made.counts.withheld:
        group = describe_group({name: each[name] for name in GROUP})
        if each["definition_code"] == words.TOTAL:
            found.append(f"{group}: withheld, for it has fewer than {least} units.")
        else:
            found.append(
                f"{group}: definition {each['definition_code']} withheld, for it was in force on a part of"
                " the month only."
            )
    period = made.manifest.period_code
    there = set(made.counts.tables[VOLUME]["period_code"])
    found += [
        f"{words.format_period(month)}: nothing leaves, for gold has no volumes of it but withheld ones."
        for month in months_of(period)
        if month not in there
    ]
    return found


def describe_weak(made: MadePackage) -> list[str]:
    """A sentence on months that the study leaves out, and on sources that have fewer days than others."""
    few = [
        f"{month} {channel}" for (month, channel), (days, of) in sorted(made.days.items())
        if not covers_month(days, of)
    ]  # fmt: skip
    found = []
    if few:
        found.append(
            f"the study leaves out months with logs on under {numbers.format_pct(LEAST_DAYS_PCT)} of their"
            f" days: {', '.join(few)}"
        )
    return found + [
        f"in {row['period_code']} {row['channel_code']}, source {row['source_id']} has logs of {row['days']}"
        f" days and another has {row['most']}: if a log was lost, the counts lack its traffic"
        for row in made.counts.partial
    ]
