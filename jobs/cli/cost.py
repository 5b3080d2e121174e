"""The commands `observatory cost`.

explain prints how a figure was computed, sum adds figures, list prints the published ones, sensitivity prints
what a gap of the study depends on.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.base.core.choices import nearest_hint
from jobs.base.core.errors import ObservatoryError
from jobs.base.settings import config
from jobs.cli.console import wide_console

if TYPE_CHECKING:
    from jobs.base.costs.figure import Explained, ListedFigure

app = typer.Typer(help="Explain cost figures, and add those that may be added.", no_args_is_help=True)
Config = Annotated[Path, typer.Option("--config", help="The settings file; published figures do without.")]
Prices = Annotated[
    str | None,
    typer.Option(
        help="Of the study's spending: market, or international (dollars of equal purchasing power). Of"
        " published figures: the year of prices, as 2025.",
        metavar="market|international|YEAR",
    ),
]
# What --prices takes, and the conversion of the study that it is.
CONVERSIONS = {"market": "market", "international": "ppp"}
PARAMETER = "ref.cost_parameter"
MONTH = re.compile(r"^[^/]+/\d{4}-\d{2}(/|$)")


@app.command()
def explain(
    figure: Annotated[
        str,
        typer.Argument(
            help="A published figure, as nucleus_2004 or nucleus_2004/time_share; a price, as cpu_hour; an"
            " operator's month, as my-mail/2026-11 or my-mail/2026-11/CONTENT_FILTER; or a figure of a table"
            " of the study, as study.investment/2026/LDC/EMAIL."
        ),
    ],
    config_file: Config = Path("observatory.toml"),
    prices: Prices = None,
) -> None:
    """Print how a figure is computed: formula, parameters with sources, versions of inputs, sensitivities."""
    from jobs.base.costs.drawing import draw_figure

    draw_figure(explain_figure(figure, config_file, prices), wide_console(highlight=False))


@app.command(name="sum")
def sum_(
    figures: Annotated[list[str], typer.Argument(help="Two figures or more.")],
    config_file: Config = Path("observatory.toml"),
    prices: Prices = None,
) -> None:
    """Add figures, simulated as one total. Figures of different quantities are refused."""
    from jobs.base.costs.drawing import draw_sum
    from jobs.base.costs.sums import sum_figures

    if len(figures) < 2:
        raise ObservatoryError("cost sum: name two figures or more")
    draw_sum(
        sum_figures([explain_figure(each, config_file, prices) for each in figures]),
        wide_console(highlight=False),
    )


@app.command()
def fixed(
    operator: Annotated[str, typer.Argument(help="The operator's id in the settings.")],
    channel: Annotated[str, typer.Argument(help="A channel, as SMS.")],
    config_file: Config = Path("observatory.toml"),
) -> None:
    """Propose fixed costs from reference prices, as text to copy into the settings of an operator."""
    import datetime as dt

    from jobs.base.costs.proposed_costs import describe_proposals, propose_costs

    operators = {each.id: each for each in config.load_settings(config_file).operator}
    if operator not in operators:
        raise ObservatoryError(
            f"cost fixed: unknown operator '{operator}'{nearest_hint(operator, operators)}"
        )
    proposals = propose_costs(operators[operator], channel, dt.datetime.now(dt.UTC).date())
    if not proposals:
        raise ObservatoryError(
            f"cost fixed: no price of {PARAMETER} is of {channel}, or its measures' fixed costs are stated"
        )
    typer.echo(describe_proposals(proposals))


@app.command(name="list")
def list_(
    prices: Annotated[
        int | None, typer.Option(help="Amounts in prices of this year, as 2025.", metavar="YEAR")
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="Amounts in this currency, as USD.", metavar="CODE")
    ] = None,
) -> None:
    """List the published figures, with the computed and the printed value."""
    from jobs.base.costs.drawing import draw_list
    from jobs.base.costs.price_year import read_basis

    draw_list(published_rows(), wide_console(highlight=False), read_basis(prices, currency))


@app.command()
def sensitivity(
    figure: Annotated[
        str, typer.Argument(help="A gap of the study, as study.investment_gap/2026/LDC/EMAIL.")
    ],
    config_file: Config = Path("observatory.toml"),
) -> None:
    """Print what spending and gap become at the 5 and 95% points of each parameter, one at a time."""
    from jobs.cli.cost_sensitivity import sensitivity_table

    out = wide_console(highlight=False)
    for each in sensitivity_table(figure, config.load_settings(config_file)):
        out.print(each)


def is_study(name: str) -> bool:
    """Return whether a name is a table of the study. Not imported from the study, which takes a moment to
    load."""
    return name.startswith("study.")


def published_rows() -> dict[str, list[ListedFigure]]:
    """The published figures by their quantity, computed now."""
    from jobs.base.costs.cost_model import evaluate_figure, judge_reproduction
    from jobs.base.costs.figure import ListedFigure
    from jobs.base.costs.model_figures import area_name, published_figures
    from jobs.base.figures import words

    found: dict[str, list[ListedFigure]] = {code: [] for code in words.codelist_rows("estimand")}
    for name, figure in published_figures().items():
        evaluated, row = evaluate_figure(figure), figure.row
        found[row["estimand_code"]].append(
            ListedFigure(
                name,
                area_name(row["geography_code"], short=True),
                row["period_code"],
                evaluated.central if evaluated else None,
                figure.published_value,
                row["unit_text"],
                row["currency_code"],
                judge_reproduction(figure, evaluated)[0],
            )
        )
    return found


def explain_figure(name: str, config_file: Path, prices: str | None = None) -> Explained:
    """A figure by its name, in the prices that are asked for. Raises ObservatoryError for prices that it does
    not have, and with the nearest known name for an unknown one."""
    if prices is None:
        return find_figure(name, config_file)
    if prices.isdigit():
        from jobs.base.costs.price_year import restate_explained

        return restate_explained(find_figure(name, config_file), int(prices))
    if prices not in CONVERSIONS:
        raise ObservatoryError(
            f"--prices '{prices}'{nearest_hint(prices, CONVERSIONS)}; of published figures it takes a year"
        )
    if not is_study(name):
        raise ObservatoryError(f"{name}: --prices {prices} is of the study's spending; others take a year")
    return find_figure(name, config_file, CONVERSIONS[prices])


def find_figure(name: str, config_file: Path, conversion: str | None = None) -> Explained:
    """A figure by its name; of the study at this conversion."""
    from jobs.base.costs.model_figures import explain_published, matching_figures, published_figures
    from jobs.base.costs.parameter import explain_parameter, parameters_in_force

    if is_study(name):
        from jobs.study.costs.table_explanations import explain_study

        return explain_study(name, config.load_settings(config_file), conversion)
    if MONTH.match(name):
        from jobs.base.costs.month import explain_month

        return explain_month(name, config.load_settings(config_file))
    if matching_figures(name):
        return explain_published(name)
    if name in parameters_in_force():
        return explain_parameter(name)
    known = published_figures()
    models = {each.split("/")[0]: None for each in known}
    near = nearest_hint(name, [*models, *known, *parameters_in_force()])
    if near:
        raise ObservatoryError(f"unknown figure '{name}'{near}")
    raise ObservatoryError(
        f"unknown figure '{name}': `observatory cost list` names the published ones; an operator's is"
        " named as my-mail/2026-11/CONTENT_FILTER, a study's as study.investment/2026/LDC/EMAIL"
    )
