"""The texts of the site, of languages/<language>.yaml: each stands there once, and every language has all."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jobs.base.core import languages
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import ENGLISH
from jobs.base.tables.contracts import read_yaml
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.questionnaire.texts import load_translations
from jobs.study.release.released_tables import COMMON, names_of

FOLDER = Path(__file__).parent / "languages"
# The points of the European Statistical System's metadata structure (ESMS 2.0), in its order.
ESMS = range(1, 20)
# Lists whose codes pages name, with the groups of the questionnaire's translations that name some of them.
LISTS: Mapping[str, tuple[str, ...]] = {
    "change": (), "channel": ("channel",), "cost_component": (), "conversion": (), "definition": (),
    "estimand": (), "gci_pillar": (), "investment_component": (), "investment_target": (), "match": (),
    "policy_answer": ("yesno", "legal_model"), "published_bound": (), "quantity": ("finding_quantity",),
    "route": ("route",), "strategy": ("strategy",), "table": (), "type": ("type",), "unit": ("finding_unit",),
    "user_basis": (),
}  # fmt: skip
# Lists that the glossary explains.
GLOSSARY = (
    "unit", "quantity", "cv_band", "coverage_class", "holdings_class", "silent_class", "strategy",
    "cost_component", "investment_component", "conversion", "route", "share_class", "answered_class",
    "user_basis", "channel",
)  # fmt: skip
# Classes of shares, and classes of counts: their names need no more words.
SHARES = ("coverage_class", "silent_class", "share_class")
COUNTS = ("holdings_class", "answered_class")
# What the questionnaire says to operators of themselves, and not as readers are told.
TOLD_OPERATORS = {("route", "on-net")}
# Texts whose English stands in what other pages and commands share.
SHARED = ("left_out", "cost.prices")


@cache
def load_texts(language: str) -> dict[str, str]:
    """Raises ObservatoryError if a language lacks a text or has one that no page shows."""
    own = dict(read_yaml(FOLDER / f"{language}.yaml"))
    if language != ENGLISH:
        wanted = {*load_texts(ENGLISH), *SHARED, *code_keys()}
        wrong = [f"lacks {key}" for key in sorted(wanted - own.keys())]
        wrong += [f"has {key}, which no page shows" for key in sorted(own.keys() - wanted)]
        if wrong:
            raise ObservatoryError("\n".join(f"{FOLDER / language}.yaml {each}" for each in wrong))
    return own


def say(key: str, **given: object) -> str:
    """A text in the present language, with its figures filled in."""
    return load_texts(languages.current.get())[key].format(**given)


def page_file(name: str) -> str:
    """The file of a page in the present language."""
    language = languages.current.get()
    return f"{name}.html" if language == ENGLISH else f"{name}.{language}.html"


def english_names(codelist: str) -> dict[str, str]:
    """The codes of a list with their English names; of tables what they hold."""
    if codelist == "table":
        return {table.split(".")[1]: about_table(table) for table in public_tables()}
    names = names_of("ref.definition.definition_code" if codelist == "definition" else codelist)
    # The definition of all figures on pages has a text of its own.
    return {code: name for code, name in names.items() if code not in {*COMMON, "OPERATOR"}}


def about_table(table: str) -> str:
    """The first sentence of a table's description."""
    return public_contract(table).description.split(". ")[0].rstrip(".") + "."


def asked_group(codelist: str, code: str) -> str | None:
    """The group of the questionnaire's translations that names a code."""
    if (codelist, code) in TOLD_OPERATORS:
        return None
    return next((group for group in LISTS[codelist] if code in load_translations()[group]), None)


@cache
def code_keys() -> frozenset[str]:
    """The keys of names of codes that the questionnaire does not name, and of what codes mean."""
    own = {
        f"code.{codelist}.{code}"
        for codelist in LISTS
        for code in english_names(codelist)
        if asked_group(codelist, code) is None
    }
    own |= {
        f"about.{codelist}.{code}"
        for codelist in GLOSSARY
        if codelist not in (*SHARES, *COUNTS)
        for code in english_names(codelist)
    }
    return frozenset(own | {f"code.common.{code}" for code in COMMON})
