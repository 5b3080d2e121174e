"""The countries of a study, as an officer names them."""

from collections.abc import Iterable
from pathlib import Path

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.countries import LEAST_NAME, country_codes, nearest_country
from jobs.base.tables.contracts import reference_rows
from jobs.study.questionnaire.texts import translate_key

ALL = "all"
# A Member State of ITU without operators of its own; the others are the 193 Members of the United Nations.
LEFT_OUT = {"VAT"}
HEADS = {"country", "country_code", "iso3"}


def parse_countries(text: str) -> list[str]:
    """The countries that a text names, by ISO 3166-1 alpha-3: codes and ITU regions with commas, a file with
    one of these at the beginning of each line, or `all`.

    Raises ObservatoryError with a line for each name that is unknown or stands twice.
    """
    file = Path(text)
    if file.suffix or file.is_file():
        return expand(file_entries(file), str(file))
    entries = [(f"entry {number}", each.strip()) for number, each in enumerate(text.split(","), 1)]
    return expand(entries, "--countries")


def file_entries(file: Path) -> list[tuple[str, str]]:
    """The first word of each line, with its place; empty lines, comments and a heading left out."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise ObservatoryError(
            f"--countries: {file} does not exist. Name codes, as in KEN,NPL,FJI, an ITU region, `{ALL}`, or a"
            " file with one of them on each line"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ObservatoryError(f"{file}: the list of countries cannot be read: {error}") from None
    words = [
        (f"line {number}", line.replace(";", ",").split(",")[0].strip().strip('"'))
        for number, line in enumerate(lines, 1)
    ]
    return [
        (place, word)
        for place, word in words
        if word and not word.startswith("#") and word.casefold() not in HEADS
    ]


def expand(entries: list[tuple[str, str]], source: str) -> list[str]:
    """The countries of all entries, in order."""
    rows = [row for row in reference_rows("country") if row["itu_member"] == "true"]
    regions: dict[str, list[str]] = {}
    for row in rows:
        regions.setdefault(row["itu_region"], []).append(row["iso3"])
    known = regions | {ALL: [row["iso3"] for row in rows if row["iso3"] not in LEFT_OUT]}
    found: dict[str, str] = {}
    wrong = []
    for place, entry in entries:
        named = known.get(entry) or ([entry] if entry in country_codes() else [])
        if not named:
            nearest = nearest_region(entry, regions) or nearest_country(entry) or nearest_hint(entry, known)
            wrong.append(
                f"{source}: {place}: '{entry}' is no country (ISO 3166-1 alpha-3) and no ITU region"
                f" ({', '.join(sorted(regions))}){nearest}"
            )
        wrong += [
            f"{source}: {place}: {each} stands twice, first in {found[each]}: name it once"
            for each in named
            if each in found
        ]
        found |= {each: place for each in named if each not in found}
    if not found and not wrong:
        wrong.append(f"{source} names no country; regions are {', '.join(sorted(regions))}")
    if wrong:
        raise ObservatoryError("\n".join(wrong))
    return list(found)


def nearest_region(entry: str, regions: Iterable[str]) -> str:
    """A hint at the region whose English name begins with a word of an officer; else nothing."""
    names = {code: translate_key("en", "area", code).casefold() for code in regions}
    found = next((code for code, name in names.items() if name.startswith(entry.casefold())), None)
    return f"; did you mean '{found}'?" if found and len(entry) >= LEAST_NAME else ""
