"""Figures of published cost models, explained."""

from functools import cache

from jobs.base.core.numbers import format_number, formula_number
from jobs.base.costs.cost_model import (
    ModelFigure,
    central_values,
    evaluate_figure,
    figures_in_force,
    judge_reproduction,
)
from jobs.base.costs.figure import (
    Explained,
    FormulaStep,
    Scope,
    Simulation,
    input_of,
    name_with_address,
)
from jobs.base.figures import words
from jobs.base.stats.formula import fill_in_values
from jobs.base.tables.contracts import reference_table
from jobs.base.tables.reference_version import reference_version

TABLES = ("ref.cost_model", "ref.cost_model_parameter")
AREAS = {"001": "World", "150": "Europe", "_X": "area without a code"}
SHORT_AREAS = AREAS | {"_X": "no code"}
READ = {
    "issuer": "the issuer's own text was read",
    "secondary": "read as others report it",
    "memory": "from memory",
}


@cache
def published_figures() -> dict[str, ModelFigure]:
    """Every figure of ref.cost_model in force, by its name `model/output`."""
    return figures_in_force(*(reference_table(table) for table in TABLES))


def matching_figures(name: str) -> list[str]:
    """The published figures of a name: one, or all of a model in the table's order, or none."""
    known = published_figures()
    return [name] if name in known else [each for each in known if each.startswith(f"{name}/")]


def explain_published(name: str) -> Explained:
    """The figure of this name; of a model's name its first figure."""
    chosen = matching_figures(name)[0]
    figure = published_figures()[chosen]
    row = figure.row
    found = evaluate_figure(figure)
    code, text = judge_reproduction(figure, found)
    area = area_name(row["geography_code"])
    simulation = Simulation(
        figure.points, figure.evaluate_samples, frozenset(figure.parameters), row["model_code"]
    )
    return Explained(
        name=chosen,
        title=row["description"],
        estimand_code=row["estimand_code"],
        unit=row["unit_text"],
        currency_code=row["currency_code"],
        scope=Scope("published", row["geography_code"], row["period_code"], (row["channels"], "_T")),
        facts=[
            ("of", f"{area}, {row['period_code']}, {channel_names(row['channels'])}"),
            ("borne by", row["cost_bearer"]),
            ("source", f"{name_with_address(row['source'])} ({READ[row['source_read']]})"),
        ],
        compared=text,
        central=found.central if found else None,
        points=(found.p05, found.p50, found.p95) if found else None,
        simulation=simulation if found else None,
        printed=figure.published_value,
        verdict=code,
        steps=[step_of(figure, found.central)] if found else [],
        inputs=[input_of(each, each["parameter_code"]) for each in figure.parameters.values()],
        versions=[(table, f"file {reference_version(table)}") for table in TABLES],
        sensitivities=found.sensitivities if found else [],
        others=[each for each in matching_figures(row["model_code"]) if each != chosen],
    )


def step_of(figure: ModelFigure, central: float) -> FormulaStep:
    formula = figure.formula or ""
    texts = {name: formula_number(value) for name, value in central_values(figure).items()}
    return FormulaStep(
        figure.row["description"], formula, fill_in_values(formula, texts), format_number(central)
    )


def area_name(code: str, short: bool = False) -> str:
    """The area's name, or those of several. In short, of a country its code, and of several that they are."""
    if short:
        return "several" if "|" in code else SHORT_AREAS.get(code, code)
    return words.join_words(AREAS.get(each) or words.country_name(each) for each in code.split("|"))


def channel_names(channels: str) -> str:
    return words.join_words(
        "all channels" if code == "_T" else words.code_name("channel", code) for code in channels.split("|")
    )
