"""A small study node, as its own team has it: settings, respondents, an inbox with a package, a filled form,
and the study's files. One of two operators answers, so that the other is estimated."""

from dataclasses import dataclass
from pathlib import Path

from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator
from jobs.operators.packages.packaging import package_of, write_package
from tests.support.questionnaire import SAVANNA, filled, saved
from tests.support.submission_lake import put_gold

OPERATOR = Operator(
    id="savanna-mail", name="Savanna", country="KEN", holding="savanna", currency="KES", subscribers=1000
)
SETTINGS = """
[lake]
root = "lake"

[study]
respondents = "respondents.csv"
inbox = "inbox"
files = "files"
# A signature takes a key pair: tests/base/packages/test_packages.py has them.
require_signature = false

[study.gap]
norm = 9000
"""
LISTED = "respondent_id,name,role,country,holding,operator_ids,language,size_class\n"
SAVANNAS = "savanna-mobile,Savanna Mobile,O,KEN,savanna,savanna-mobile savanna-mail,en,S4\n"
FRAME = (
    "respondent_id,holding_id,country_code,channel_code,size_code,subscriptions,valid_from,valid_to,source\n"
)
FILES = {
    "operator_frame": FRAME + "".join(
        f"{who},{whose},{country},{channel},SMALL,{size},2020-01-01,,made up\n"
        for channel in ("EMAIL", "SMS", "VOICE_CS")
        for who, whose, country, size in (
            ("savanna-mobile", "savanna", "KEN", 1000), ("rift-mail", "rift", "TZA", 3000)
        )
    ),
    "denominator": "country_code,period_code,channel_code,subscriptions,source\n" + "".join(
        f"{country},2026,{channel},{size},made up\n{country},2025,{channel},{size},made up\n"
        for channel in ("EMAIL", "SMS", "VOICE_CS")
        for country, size in (("KEN", 1000), ("TZA", 3000))
    ),
    "price_level": "country_code,price_year,currency_code,deflator_index,ppp_rate,market_rate,wage_per_day,"
    "source\nKEN,2025,KES,100,50,100,4000,made up\nTZA,2025,TZS,100,1000,2500,90000,made up\n",
}  # fmt: skip


@dataclass(frozen=True)
class Node:
    """Paths of a study node's settings, its package and the filled form."""

    settings: Path
    package: Path
    form: Path


def write_node(folder: Path) -> Node:
    """The node's files; the package is in its inbox, the form is still to be loaded."""
    settings = folder / "observatory.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    (folder / "respondents.csv").write_text(LISTED + SAVANNAS, encoding="utf-8")
    for name in ("inbox", "files"):
        (folder / name).mkdir()
    for name, text in FILES.items():
        (folder / "files" / f"{name}.csv").write_text(text, encoding="utf-8")
    # The operator's own lake, from which its package comes.
    own = folder / "operator"
    put_gold(own, OPERATOR.id)
    known = {"lake": {"root": str(own)}, "operator": [OPERATOR.model_dump()]}
    package = package_of(Observatory.model_validate(known), OPERATOR, "2026-Q4", None)
    form = folder / "form.xlsx"
    assert SAVANNA.id == "savanna-mobile"
    form.write_bytes(saved(filled()))
    return Node(settings, write_package(package, folder / "inbox", None), form)
