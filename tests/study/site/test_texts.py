"""The texts of the site in six languages: each language has all, and says the same figures."""

import html
import re
from pathlib import Path
from string import Formatter
from types import SimpleNamespace

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import LANGUAGES, use_language
from jobs.base.figures.areas import name_study_countries
from jobs.study.release.released_tables import PART, area_codes
from jobs.study.site import texts
from jobs.study.site.names import name_code, name_country, name_place
from jobs.study.site.pages import SUBJECTS
from jobs.study.site.texts import GLOSSARY, LISTS, english_names, load_texts

OTHERS = LANGUAGES[1:]


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_the_texts_of_all_pages_with_the_same_figures(language: str) -> None:
    english, own = load_texts("en"), load_texts(language)
    assert {key: names_in(own[key]) for key in english} == {key: names_in(english[key]) for key in english}
    assert names_in(own["cost.prices"]) == {"judged", "all"}
    # A sentence is in the language: no text of several words is that of another one.
    words = {key: re.sub(r"\{\w+\}", "", text) for key, text in english.items()}
    same = {key for key, text in english.items() if " " in words[key].strip(" :;()") and text == own[key]}
    assert same == {"site"}


def test_a_text_that_a_language_lacks_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for language, lost in (("fr", "volume.lead: "), ("ru", "code.type.FRAUD.loan: ")):
        text = (texts.FOLDER / f"{language}.yaml").read_text("utf-8")
        (tmp_path / f"{language}.yaml").write_text(text.replace(lost, f"no.{lost}"), "utf-8")
    (tmp_path / "en.yaml").write_bytes((texts.FOLDER / "en.yaml").read_bytes())
    monkeypatch.setattr(texts, "FOLDER", tmp_path)
    load = texts.load_texts.__wrapped__
    with pytest.raises(ObservatoryError, match="lacks volume.lead\n.*has no.volume.lead, which no page"):
        load("fr")
    with pytest.raises(ObservatoryError, match="lacks code.type.FRAUD.loan"):
        load("ru")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_a_name_of_its_own(language: str) -> None:
    with use_language(language):
        for codelist in {*LISTS, *GLOSSARY}:
            names = [name_code(codelist, *each) for each in english_names(codelist).items()]
            assert all(names) and len(set(names)) == len(names), codelist


def figures_of(page: str, elements: str) -> list[str]:
    """The significant digits of every number in some elements, sorted: 12.5 million and 1250万 are 125."""
    body = page[page.index("<main") : page.index("</main>")]
    texts = re.findall(rf"<({elements})\b[^>]*>(.*?)</\1>", body, flags=re.DOTALL)
    shown = " ".join(html.unescape(text) for _, text in texts)
    # Arabic names quarters in words.
    for number, word in enumerate(("الأول", "الثاني", "الثالث", "الرابع"), 1):
        shown = shown.replace(f"الربع {word}", str(number))
    found = re.findall(r"\d[\d.,]*", shown)
    return sorted(re.sub("[.,]", "", each).strip("0") for each in found)


@pytest.mark.long
@pytest.mark.parametrize("language", OTHERS)
def test_every_page_has_the_same_figures_in_each_language(language: str, drawn: SimpleNamespace) -> None:
    for name in (*SUBJECTS, "volume-email", "area-199", "area-242"):
        english = (drawn.site / f"{name}.html").read_text("utf-8")
        page = (drawn.site / f"{name}.{language}.html").read_text("utf-8")
        for elements in ("h[123]", 'td(?= class="number)'):
            assert figures_of(page, elements) == figures_of(english, elements), (name, elements)
    assert figures_of(page, "td")


@pytest.mark.parametrize("language", OTHERS)
def test_every_page_is_in_its_language(language: str, drawn: SimpleNamespace) -> None:
    direction = "rtl" if language == "ar" else "ltr"
    for english in drawn.site.glob("*.html"):
        if "." in english.stem:
            continue
        page = (drawn.site / f"{english.stem}.{language}.html").read_text("utf-8")
        assert f'<html lang="{language}" dir="{direction}">' in page
        for key in ("unofficial", "band"):
            assert html.escape(load_texts(language)[key]).replace("&#x27;", "&#39;") in page, (english, key)
        if english.stem == "method":
            assert f"<dd>{load_texts(language)['method.asked.text']}</dd>" in html.unescape(page)
        # Each page leads to itself in all languages, and otherwise to pages of its own.
        own = [english.name, *(f"{english.stem}.{each}.html" for each in OTHERS)]
        links = re.findall(r'href="([^"/]+\.html)"', page)
        assert links[1:7] == own and all(f".{language}." in each for each in links[7:])
        # No text is that of the English page, but for what is marked as English.
        marked = r'<dl lang="en".*?</dl>|<div lang="en".*?</table>|<(?:td|span)[^>]* lang="en"[^>]*>[^<]*'
        body = re.sub(marked, "", page[page.index("<main") :], flags=re.DOTALL)
        texts = r'<(?:p|h[123]|dd|td class="text|span class="label)[^>]*>([^<]*[a-z] [^<]*)<'
        same = set(re.findall(texts, body))
        same &= set(re.findall(r">([^<]+)<", english.read_text("utf-8")))
        assert not same, (english.name, same)
        if language in ("fr", "ru"):
            assert not re.findall(r'<td class="number[^>]*>[^<]*\d\.\d[^<]*', page), english.name


@pytest.mark.parametrize("language", OTHERS)
def test_the_front_page_has_the_same_figures_in_each_language(language: str, drawn: SimpleNamespace) -> None:
    def shares(page: str) -> list[str]:
        found = re.findall(r'<p class="big">(.*?)</p>', page)
        return [re.sub(r"[^\d.]", "", html.unescape(each).replace(",", ".")) for each in found]

    english = (drawn.site / "index.html").read_text("utf-8")
    page = (drawn.site / f"index.{language}.html").read_text("utf-8")
    assert shares(page) == shares(english) == ["41", "42", "43"]


def test_countries_have_the_names_that_the_united_nations_give_them() -> None:
    with use_language("fr"):
        assert name_country("KOR") == "République de Corée" and name_place("242", "Fiji") == "Fidji"
    assert name_country("KOR") == "Republic of Korea"


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize(
    ("area", "counts"),
    [
        ("WORLD", (12, 195, 0)),
        ("WORLD", (1, 195, 0)),
        ("WORLD", (12, 195, 7)),
        ("EUR", (1, 46, 0)),
        ("EUR", (3, 46, 2)),
    ],
)
def test_an_area_in_part_has_its_counts_in_each_language(
    language: str, area: str, counts: tuple[int, int, int]
) -> None:
    framed, every, rated = counts
    row = {"area_code": area, "frame_country_count": framed, "area_country_count": every,
           "rated_country_count": rated}  # fmt: skip
    code, whole = area_codes()[area]
    english = name_study_countries(row, whole)
    with use_language(language):
        name = name_place(code + PART, english)
        assert name_place(code, whole) in name or area == "WORLD"
    assert sorted(re.findall(r"\d+", name)) == sorted(re.findall(r"\d+", english))


@pytest.mark.parametrize("language", OTHERS)
def test_an_area_in_part_without_counts_says_that_it_is_one(language: str) -> None:
    code, whole = area_codes()["EUR"]
    with use_language(language):
        name = name_place(code + PART, f"{whole}: countries of the study")
        assert name.startswith(name_place(code, whole)) and name != name_place(code, whole)
