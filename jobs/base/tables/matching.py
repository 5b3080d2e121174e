"""Matching many patterns on many values, each distinct value once.

A match means the same as in a plain loop over the patterns with Python's re. RE2 decides where both engines
read a pattern and a text alike: the pattern is ASCII and RE2 accepts it unchanged, the text is printable
ASCII. Elsewhere RE2's filter selects the patterns whose literals the text holds, and Python's re decides.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import polars as pl
import re2

# Results kept for one matcher in a process before its memory is emptied; most texts come once.
REMEMBERED = 50_000
# Stands in no name of a symbol.
SEPARATOR = "\x1f"
LOOK_AROUND = re.compile(r"\(\?<?[=!]")
# What RE2 reads otherwise than Python's re: `{,n}`, `[:`, a backspace, letters with a case of Unicode only.
READ_OTHERWISE = re.compile(r"\{,|\[:|\[\\b|[\u0130\u0131\u017f\u212a]")
# Classes of few signs, of which Python's re has more beyond printable ASCII.
BEYOND_ASCII = re.compile(r"\\[sd]|\[\^[^\]]*\\[SDW]")
QUIET = re2.Options()
QUIET.log_errors = False


def loosen_pattern(pattern: str) -> str:
    """A pattern that RE2 can take and that holds no literal which the given one does not need.

    Word boundaries and look-arounds go: they only narrow what matches.
    """
    text = re.sub(r"(?<!\\)((?:\\\\)*)\\[bB]", r"\1", pattern.replace("(?iu)", "(?i)"))
    while found := LOOK_AROUND.search(text):
        text = text[: found.start()] + text[group_end(text, found.start()) :]
    return text


def group_end(pattern: str, start: int) -> int:
    """The index after the bracket that closes the group opened at `start`."""
    depth, index, in_class = 0, start, False
    while index < len(pattern):
        character = pattern[index]
        if character == "\\":
            index += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return index + 1
        index += 1
    raise ValueError(f"unbalanced brackets in {pattern}")


class Numbered:
    """A filter of RE2 over patterns that have numbers."""

    def __init__(self) -> None:
        self.filter = re2.Filter()
        self.numbers: list[int] = []
        self.is_compiled = False

    def add_pattern(self, number: int, pattern: str) -> bool:
        """Add a pattern; False where RE2 does not accept it."""
        try:
            self.filter.Add(pattern, QUIET)
        except re2.error:
            return False
        self.numbers.append(number)
        return True

    def find_matches(self, text: str, potential: bool = False) -> list[int]:
        """The numbers of the patterns that match a text.

        Args:
            potential: of those that may.
        """
        if not self.numbers:
            return []
        if not self.is_compiled:
            self.filter.Compile()
            self.is_compiled = True
        found = self.filter.Match(text.encode(), potential)
        return [self.numbers[index] for index in sorted(found)] if found else []


@cache
def make_searcher(patterns: tuple[str, ...]) -> Callable[[str], list[int]]:
    """A function that gives, in order, the numbers of the patterns which are found in a text."""
    # RE2 decides the sure patterns of printable ASCII texts, in which it finds the same as Python's re. The
    # filters select which of the others to try: `odd` in such texts, `likely` in all other texts.
    sure, odd, likely = Numbered(), Numbered(), Numbered()
    always_odd: list[int] = []
    always_likely: list[int] = []
    for number, pattern in enumerate(patterns):
        can_filter = not READ_OTHERWISE.search(pattern)
        is_ascii = pattern.isascii()
        is_sure = can_filter and is_ascii and sure.add_pattern(number, pattern.replace("(?iu)", "(?i)"))
        if not is_sure and not (can_filter and odd.add_pattern(number, loosen_pattern(pattern))):
            always_odd.append(number)
        if BEYOND_ASCII.search(pattern) or not (
            can_filter and likely.add_pattern(number, loosen_pattern(pattern))
        ):
            always_likely.append(number)

    @cache
    def compile_pattern(number: int) -> re.Pattern[str]:
        """Most patterns are never tried: each is compiled when it first is."""
        return re.compile(patterns[number])

    def search_text(text: str) -> list[int]:
        if text.isascii() and text.isprintable():
            found = sure.find_matches(text)
            if not is_odd:
                return found
            tried = always_odd + odd.find_matches(text, potential=True)
        else:
            found = []
            # Python's re takes the Turkish capital for an i where case does not matter, RE2 does not.
            tried = always_likely + likely.find_matches(text.replace("\u0130", "i"), potential=True)
        found += [number for number in tried if compile_pattern(number).search(text)]
        found.sort()
        return found

    is_odd = bool(always_odd or odd.numbers)
    return search_text


@dataclass(frozen=True)
class Matcher:
    """Rules on one kind of value, by their place in the list of rules in scope."""

    exact: Mapping[str, tuple[int, ...]]
    places: tuple[int, ...]
    search: Callable[[str], list[int]]
    memory: dict[str, tuple[int, ...]] = field(default_factory=dict, compare=False)

    @property
    def is_empty(self) -> bool:
        return not self.exact and not self.places

    def __call__(self, value: str) -> tuple[int, ...]:
        """The places of all rules that match, smallest and so best first."""
        known = self.memory.get(value)
        if known is None:
            if len(self.memory) >= REMEMBERED:
                self.memory.clear()
            found = self.search(value)
            known = tuple([self.places[number] for number in found]) if found else ()
            if self.exact and (equal := self.exact.get(value)):
                known = tuple(sorted((*equal, *known)))
            self.memory[value] = known
        return known


class Matching(Protocol):
    """A rule as a matcher needs it."""

    @property
    def match_on(self) -> str: ...
    @property
    def pattern(self) -> str: ...


def make_matcher(rules: Sequence[Matching], *match_on: str) -> Matcher:
    """A matcher for the rules with one of these `match_on`."""
    exact: dict[str, tuple[int, ...]] = {}
    patterns: dict[int, str] = {}
    for place, rule in enumerate(rules):
        if rule.match_on not in match_on:
            continue
        if rule.match_on.endswith("_regex"):
            patterns[place] = rule.pattern
        else:
            exact[rule.pattern] = (*exact.get(rule.pattern, ()), place)
    return Matcher(exact, tuple(patterns), make_searcher(tuple(patterns.values())))


def map_distinct_rows(values: pl.Series, results: Callable[[list[str]], pl.DataFrame]) -> pl.DataFrame:
    """Work out a frame once for each distinct value, and give one row for each value; null gives nulls."""
    there = values.drop_nulls()
    distinct = there.unique(maintain_order=True)
    table = results(distinct.to_list())
    if len(distinct) == len(values):
        return table
    rows = pl.DataFrame({"__value": values})
    table = table.with_columns(distinct.alias("__value"))
    return rows.join(table, on="__value", how="left", maintain_order="left").drop("__value")


def map_texts(
    values: pl.Series, function: Callable[[str], Any], kind: type[pl.DataType] = pl.String
) -> pl.Series:
    """The function of each distinct text; null stays null."""

    def map_distinct(distinct: list[str]) -> pl.DataFrame:
        return pl.DataFrame({"result": pl.Series([function(value) for value in distinct], dtype=kind)})

    return map_distinct_rows(values.cast(pl.String), map_distinct)["result"].alias(values.name)


def match_lists(lists: pl.Series, match: Matcher, best: bool = False) -> pl.Series:
    """Return, for each list of names, the places of all rules that match one of them, as `3,17`; empty where
    none.

    Args:
        best: for each name its best rule only. Few names of a list match anything, so that lists which differ
            much have few different answers.
    """
    keys = lists.cast(pl.List(pl.String)).list.join(SEPARATOR)

    def match_distinct(distinct: list[str]) -> pl.DataFrame:
        names = pl.DataFrame({"name": pl.Series(distinct, dtype=pl.String).str.split(SEPARATOR)})
        names = names.with_row_index("row").explode("name")
        pairs = [
            (name, place) for name in names["name"].unique() for place in match(name)[: 1 if best else None]
        ]
        table = pl.DataFrame(pairs, schema={"name": pl.String, "place": pl.Int32}, orient="row")
        found = (
            names.join(table, on="name", how="inner")
            .group_by("row")
            .agg(pl.col("place").unique().sort().cast(pl.String).alias("places"))
            .with_columns(pl.col("places").list.join(","))
        )
        rows = names.select("row").unique(maintain_order=True)
        return rows.join(found, on="row", how="left", maintain_order="left").select("places")

    return map_distinct_rows(keys, match_distinct)["places"].fill_null("")


def split_places(joined: str) -> list[int]:
    """The numbers in an answer of match_lists()."""
    return [int(place) for place in joined.split(",") if place]
