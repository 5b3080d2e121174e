"""A small study node that can be released: twelve countries, of which some have operators enough, with their
packages as files, and two administrations.

The figures are drawn, of nobody; each has many digits, so that it is found wherever it stands.
"""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

# Countries and how many operators each has; three of the operators stay silent.
COUNTRIES = {
    "KEN": 5, "NPL": 6, "FJI": 4, "GHA": 4, "PER": 5, "UZB": 3, "JOR": 2, "TUN": 2, "POL": 6, "BOL": 4,
    "LAO": 2, "MWI": 3,
}  # fmt: skip
SILENT = ("per-4", "pol-5", "ken-4")
MONTHS = {"2026-10": 31, "2026-11": 30, "2026-12": 31}
PERIOD, CHANNEL, P_PCT = "2026-Q4", "EMAIL", "13.73519"
ASKED = ("KEN", "FJI")
# The day after answers came in; releases are made then.
TODAY = "2027-02-01T12:00:00Z"
SETTINGS = """
[lake]
root = "lake"

[engine]
workers = 1

[study]
respondents = "respondents.csv"
files = "files"

[release]
agency = "SPAMSTAT"
agency_name = "L'étude \\"spam\\" & <Genève>"
contact = "study@example.org"
licence = "CC-BY-4.0"
root = "releases"
restricted = "restricted"
public_root = "public"
signers = "signers"
"""


@dataclass(frozen=True)
class Node:
    """Folder of a study node, with settings, releases, restricted folders and public folder."""

    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "observatory.toml"

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def releases(self) -> Path:
        return self.folder / "releases"

    @property
    def restricted(self) -> Path:
        return self.folder / "restricted"

    @property
    def public(self) -> Path:
        return self.folder / "public"

    def left(self) -> list[str]:
        """Every file of releases, under the public root and in refused or unfinished folders."""
        return sorted(
            str(each.relative_to(self.folder))
            for root in (self.releases, self.restricted, self.public)
            for each in root.rglob("*")
            if each.is_file() and each.name != "seal.key"
        )


def frame(countries: Mapping[str, int] = COUNTRIES) -> pl.DataFrame:
    """The operators of these countries: a holding each, of nearly equal size."""
    random = np.random.default_rng(52)
    rows = []
    for country, count in countries.items():
        for number in range(count):
            name = f"{country.lower()}-{number}"
            rows.append(
                {"respondent_id": name, "holding_id": f"owner-{name}", "country_code": country,
                 "channel_code": CHANNEL, "size_code": "MEDIUM", "valid_from": "2020-01-01",
                 "subscriptions": int(random.uniform(400_000, 600_000)), "source": "made up"}
            )  # fmt: skip
    return pl.DataFrame(rows)


def submissions(operators: pl.DataFrame, waivers: Mapping[str, str] = {}) -> pl.DataFrame:  # noqa: B006
    """Return the submissions of operators that answered, by month.

    Args:
        waivers: of packages, by respondent.
    """
    random = np.random.default_rng(22)
    rows = []
    for name, holding, country, size in operators.select(
        "respondent_id", "holding_id", "country_code", "subscriptions"
    ).rows():
        rate = random.uniform(20, 30)
        for month, days in MONTHS.items():
            spam = int(size * rate * random.uniform(0.9, 1.1))
            clean, doubtful = int(spam * random.uniform(0.9, 1.2)), int(spam * random.uniform(0.05, 0.1))
            if name in SILENT:
                continue
            for stage, outcome, units, certain, possible in (
                ("content", "rejected", spam, spam, spam),
                ("delivery", "delivered", clean, 0, doubtful),
            ):
                rows.append(
                    {"respondent_id": name, "holding_id": holding, "country_code": country,
                     "period_code": month, "channel_code": CHANNEL, "direction_code": "inbound",
                     "stage_code": stage, "outcome_code": outcome, "unit_code": "recipient",
                     "definition_code": "OPERATOR", "units": units, "spam_certain": certain,
                     "spam_possible": possible, "subscriptions": size, "day_count": days,
                     "waiver": waivers.get(name, "")}
                )  # fmt: skip
    return pl.DataFrame(rows)


def answers(waivers: Mapping[str, str] = {}) -> pl.DataFrame:  # noqa: B006
    """One answer of each of these operators to the question about waivers, with its waiver."""
    rows = [
        {"respondent_id": name, "period_code": "2026", "indicator_code": "sp904", "question_code": "sp904",
         "answer_status_code": "A", "country_code": name[:3].upper(), "role_code": "O",
         "language_code": "en", "file_name": f"{name}.xlsx", "file_sha256": f"{number:064x}",
         "questionnaire_version": "sample", "value": waiver, "unit": "", "note": "", "waiver": waiver,
         "received_at": "2027-01-15T00:00:00Z"}
        for number, (name, waiver) in enumerate(waivers.items())
    ]  # fmt: skip
    columns = ["respondent_id", "period_code", "indicator_code", "question_code", "answer_status_code",
               "country_code", "role_code", "language_code", "file_name", "file_sha256",
               "questionnaire_version", "value", "unit", "note", "waiver", "received_at"]  # fmt: skip
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))


def write_node(
    folder: Path,
    waivers: Mapping[str, str] = {},
    countries: Mapping[str, int] = COUNTRIES,
    of_packages: Mapping[str, str] = {},  # noqa: B006
) -> Node:
    """The node's files, with waivers of forms and of packages; `observatory study estimate --with-answers` is
    still to come."""
    node = Node(folder)
    node.files.mkdir(parents=True)
    (folder / "signers").mkdir()
    node.settings.write_text(SETTINGS, encoding="utf-8")
    operators = frame(countries)
    operators.write_csv(node.files / "operator_frame.csv")
    operators.group_by("country_code", maintain_order=True).agg(pl.col("subscriptions").sum()).with_columns(
        period_code=pl.lit("2026"), channel_code=pl.lit(CHANNEL), source=pl.lit("made up")
    ).write_csv(node.files / "denominator.csv")
    prices = "country_code,price_year,currency_code,deflator_index,ppp_rate,market_rate,wage_per_day,source\n"
    (node.files / "price_level.csv").write_text(prices, encoding="utf-8")
    submissions(operators, of_packages).write_csv(node.files / "submission.csv")
    routes = "respondent_id,country_code,period_code,channel_code,direction_code,unit_code,definition_code,"
    routes += "partner_country_code,link_code,transit_code,units,spam_certain,spam_possible,day_count\n"
    (node.files / "submission_route.csv").write_text(routes, encoding="utf-8")
    answers(waivers).write_csv(node.files / "questionnaire_answer.csv")
    listed = ["respondent_id,name,role,country,holding,operator_ids,language,size_class"]
    listed += [f"{country.lower()}-gov,Authority of {country},A,{country},,,en," for country in ASKED]
    (folder / "respondents.csv").write_text("\n".join(listed) + "\n", encoding="utf-8")
    return node


def filled_unasked(node: Node, name: str) -> Path:
    """The file of countries without an administration, with a decision on each."""
    lines = pl.read_csv(node.restricted / name / "clearance" / "unasked.csv", infer_schema=False)
    filled = lines.with_columns(
        decision=pl.lit("published"), by=pl.lit("A. Officer"), reason=pl.lit("no focal point is known")
    )
    filled.write_csv(node.folder / "unasked.csv")
    return node.folder / "unasked.csv"


def copied(node: Node, folder: Path) -> Node:
    """Copy the node elsewhere, to be spoilt."""
    shutil.copytree(node.folder, folder, dirs_exist_ok=True)
    return Node(folder)


def texts_of(rows: pl.DataFrame, columns: Iterable[str]) -> set[str]:
    """The values of these columns as texts."""
    return {str(value) for name in columns for value in rows[name].drop_nulls().to_list()}
