"""The texts of the site in six languages."""

import html
import re
from string import Formatter
from types import SimpleNamespace

import pytest

from jobs.base.core.languages import LANGUAGES
from jobs.study.site.texts import load_texts

OTHERS = LANGUAGES[1:]


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_the_texts_of_the_front_page_with_the_same_figures(language: str) -> None:
    english, own, french = load_texts("en"), load_texts(language), load_texts("fr")
    assert own.keys() == french.keys() <= english.keys()
    assert {key: names_in(text) for key, text in own.items()} == {key: names_in(english[key]) for key in own}
    # A sentence is in the language: no text of several words is that of another one.
    same = {key for key, text in own.items() if " " in text and text == english[key]}
    assert same <= {"site", "between"}


@pytest.mark.parametrize("language", OTHERS)
def test_the_front_page_has_the_same_figures_in_each_language(language: str, drawn: SimpleNamespace) -> None:
    def shares(page: str) -> list[str]:
        found = re.findall(r'<p class="big">(.*?)</p>', page)
        return [re.sub(r"[^\d.]", "", html.unescape(each).replace(",", ".")) for each in found]

    english = (drawn.site / "index.html").read_text("utf-8")
    page = (drawn.site / f"index.{language}.html").read_text("utf-8")
    texts = load_texts(language)
    assert shares(page) == shares(english) == ["41.2", "42.2", "43.2"]
    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language}" dir="{direction}">' in page
    for key in ("unofficial", "english_pages", "band"):
        assert html.escape(texts[key], quote=True).replace("&#x27;", "&#39;") in page, key
    assert all(f'hreflang="{each}"' in page for each in LANGUAGES)
