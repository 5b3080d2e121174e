"""Layout of an explained cost figure on a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from jobs.base.core.numbers import DASH, format_number, format_share, round_significant
from jobs.base.costs.figure import Explained, Input, ListedFigure, TotalPart, name_with_address
from jobs.base.costs.price_year import PriceBasis
from jobs.base.costs.sums import Sum
from jobs.base.figures import words

BAR = 24
# Parts that add up to more or less of an estimate than its rounding are not parts of it alone.
ROUNDING = 0.005
VERDICT_STYLE = {
    "exact": "bold green",
    "rounding": "bold green",
    "circular": "bold yellow",
    "from_memory": "bold yellow",
    "band": "bold yellow",
    "missed": "bold red",
}


def draw_figure(figure: Explained, console: Console) -> None:
    """Print how a figure came about: the figure, its formulas, inputs, what dominates, versions."""
    console.print(Rule(Text(figure.name, style="bold"), align="left", style="dim"))
    console.print(Text(figure.title, style="bold"))
    console.print(draw_head(figure))
    for title, part in draw_parts(figure, console.width):
        console.print(Text(f"\n{title}", style="bold"))
        console.print(Padding(part, (0, 0, 0, 2)))
    if figure.others:
        model = figure.name.split("/")[0]
        names = ", ".join(each.removeprefix(f"{model}/") for each in figure.others)
        console.print(Text(f"\nAlso of {model}: {names}", style="dim"))


def draw_head(figure: Explained) -> RenderableType:
    """The figure, what was printed, and what it is."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    if figure.points is not None and figure.central is not None:
        p05, p50, p95 = figure.points
        sign = words.bound_sign(figure.bound_code)
        # Where a part is missing, the points are those of the rest.
        is_range = p05 < p95 and not words.has_missing_part(figure.bound_code)
        shown = format_simulated(p50) if p05 < p95 else format_number(p50)
        is_unpriced = words.is_unpriced(figure.bound_code, p95)
        text = Text(f"{DASH} no price" if is_unpriced else f"{sign}{shown} {figure.unit}", style="bold cyan")
        if is_range:
            text.append(
                f"   5 to 95%: {format_simulated(p05)} to {format_simulated(p95)}", style="default not bold"
            )
        label = {"lower": "at least", "neither": "known parts"}.get(str(figure.bound_code), "median")
        grid.add_row("cost" if is_unpriced else label if p05 < p95 else "computed", text)
        if not is_unpriced and format_simulated(figure.central) != format_simulated(p50):
            grid.add_row("at central values", f"{format_number(figure.central)} {figure.unit}")
    if figure.estimate is not None:
        found = figure.estimate
        text = Text(f"{format_simulated(found.value)} {figure.unit}", style="bold cyan")
        interval = "   no interval: one respondent shows no variance"
        if found.low is not None and found.high is not None:
            interval = f"   95% interval: {format_simulated(found.low)} to {format_simulated(found.high)}"
        text.append(interval, style="default not bold")
        grid.add_row("estimate", text)
    if figure.verdict is not None:
        printed = "nothing" if figure.printed is None else f"{format_number(figure.printed)} {figure.unit}"
        grid.add_row("printed", Text(printed, style="bold"))
        name = words.code_name("reproduction", figure.verdict)
        verdict = Text(name, style=VERDICT_STYLE.get(figure.verdict, "bold"))
        verdict.append(f"   {figure.compared}", style="default not bold")
        grid.add_row("reproduces", verdict)
    elif figure.compared:
        grid.add_row("in the lake", Text(figure.compared))
    estimand = Text(words.code_name("estimand", figure.estimand_code), style="bold")
    estimand.append(
        f"   {words.code_description('estimand', figure.estimand_code)}", style="default not bold"
    )
    grid.add_row("quantity", estimand)
    for label, text_ in figure.facts:
        # A name or a setting may hold brackets, which are no markup.
        grid.add_row(label, Text(text_))
    return grid


def format_simulated(value: float) -> str:
    """A simulated point, with the three digits that the number of samples bears."""
    return format_number(round_significant(value))


def draw_parts(figure: Explained, width: int) -> list[tuple[str, RenderableType]]:
    found: list[tuple[str, RenderableType]] = []
    if figure.steps:
        found.append(("How it is computed", draw_steps(figure)))
    if figure.measured:
        found.append(("Measured effort", draw_pairs(figure.measured)))
    if figure.inputs:
        points = "" if figure.estimate else ", with their 5, 50 and 95% points"
        found.append((f"Parameters{points}", draw_inputs(figure.inputs, width)))
    if figure.sensitivities:
        found.append(("What dominates", draw_tornado(figure)))
    if figure.divided:
        value = figure.estimate.value if figure.estimate else 0.0
        found.append(("What dominates", Group(*(draw_division(*each, value) for each in figure.divided))))
    if figure.assumptions:
        found.append(("Assumptions", draw_sentences(figure.assumptions)))
    if figure.versions:
        found.append(("Read from", draw_pairs(figure.versions)))
    return found


def draw_steps(figure: Explained) -> RenderableType:
    """Each formula above itself with numbers, and what it gives to the right."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    several = len(figure.steps) > 1
    for step in figure.steps:
        if several:
            table.add_row(Text(step.name), "")
        formula, result = Text(space_formula(step.formula), style="cyan"), Text(step.result, style="bold")
        if step.numbers == step.formula:
            table.add_row(formula, result)
            continue
        table.add_row(formula, "")
        table.add_row(Text(f"= {space_formula(step.numbers)}"), result)
    return table


def space_formula(formula: str) -> str:
    """A formula with signs that are easy to read and to break at."""
    text = formula.replace("**", "\0")
    for sign, shown in (("*", " × "), ("/", " / "), ("+", " + "), ("-", " − "), ("\0", " ^ ")):
        text = text.replace(sign, shown)
    return " ".join(text.replace("e − ", "e-").split())


# So wide a terminal shows units of parameters in a column of their own.
WITH_UNITS = 100


def draw_inputs(rows: list[Input], width: int) -> RenderableType:
    """Parameters with their points; the sources below, each once and with a number."""
    sources = list(dict.fromkeys(row.source for row in rows))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    # A narrow terminal has no room for a column of units beside whole codes.
    has_units = width >= WITH_UNITS
    table.add_column("parameter", overflow="fold", ratio=1)
    for name in ("5%", "50%", "95%"):
        table.add_column(name, justify="right", no_wrap=True)
    if has_units:
        table.add_column("unit", overflow="fold", max_width=max(14, width // 6))
    table.add_column("basis", overflow="fold", max_width=max(14, width // 6))
    for row in rows:
        about = Text(shown_code(row.code), style="cyan")
        unit = "" if has_units or not row.unit else f", {row.unit}"
        about.append(f"  {row.description}{unit}", style="default")
        points = [format_number(each) for each in (row.low, row.central, row.high)]
        if row.low == row.high:
            points = ["", points[1], ""]
        trust = f", {row.confidence}" if row.confidence else ""
        basis = Text(f"{row.source_kind}{trust} [{sources.index(row.source) + 1}]")
        table.add_row(about, *points, *([row.unit] if has_units else []), basis)
    listed = Table.grid(padding=(0, 1))
    listed.add_column(justify="right", style="dim", no_wrap=True)
    listed.add_column(overflow="fold", style="dim")
    for place, source in enumerate(sources, 1):
        listed.add_row(Text(f"[{place}]"), Text(name_with_address(source)))
    return Group(table, Text(), listed)


def shown_code(code: str) -> str:
    """A parameter's code as it is shown; an operator's own figure has none."""
    kind, _, rest = code.partition(":")
    return {"rate": f"{rest} rate", "fixed": "own figure"}.get(kind, code)


def draw_tornado(figure: Explained) -> RenderableType:
    """Each uncertain parameter: its indices, and how far it moves the figure from its 5 to its 95% point."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    table.add_column("parameter", overflow="fold")
    for name in ("first", "total", "at its 5%", "at its 95%"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    reach = max(abs(part.high - part.low) for part in figure.sensitivities)
    names = {each.code: each.description for each in figure.inputs}
    for part in figure.sensitivities:
        own = part.parameter_code.startswith("fixed:")
        name = names[part.parameter_code] if own else shown_code(part.parameter_code)
        length = round(BAR * abs(part.high - part.low) / reach) if reach else 0
        bar = Text("━" * max(length, 1 if part.high != part.low else 0), style="cyan")
        shares = [format_share(each) for each in (part.first_order, part.total_order)]
        table.add_row(name, *shares, format_number(part.low), format_number(part.high), bar)
    note = Text(
        "first: the share of the variance it explains alone; total: the share it has a part in", style="dim"
    )
    return Group(table, note)


def draw_division(title: str, rows: list[TotalPart], estimate: float) -> RenderableType:
    """An estimate by its parts: each with its share, and with its share of the error where it has one."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    table.add_column(title, overflow="fold", min_width=26)
    has_error = any(part.error is not None for part in rows)
    for name in ("", "share", "of error" if has_error else ""):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    whole = sum(part.value for part in rows)
    variance = sum(part.error**2 for part in rows if part.error is not None)
    for part in rows:
        share = part.value / whole if whole else 0.0
        error = format_share(part.error**2 / variance) if part.error is not None and variance else ""
        bar = Text("━" * max(round(BAR * share), 1 if share else 0), style="cyan")
        table.add_row(part.name, format_simulated(part.value), format_share(share), error, bar)
    if abs(whole - estimate) <= ROUNDING * max(whole, estimate):
        return Group(table, Text())
    found, given = format_simulated(whole), format_simulated(estimate)
    note = f"Each is estimated by itself: together {found}, and the estimate is {given}."
    return Group(table, Text(note, style="dim"), Text())


def draw_sentences(rows: list[str]) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row("·", Text(row))
    return grid


def draw_pairs(rows: list[tuple[str, str]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", style="dim")
    for label, text in rows:
        # A setting's name has brackets, which are no markup.
        grid.add_row(label, Text(text))
    return grid


def draw_sum(total: Sum, console: Console) -> None:
    """Print a sum with its parts."""
    is_estimated = all(figure.estimate is not None for figure in total.figures)
    table = Table(
        title="Estimates added up" if is_estimated else "Simulated as one total",
        title_justify="left",
        box=None,
        header_style="dim",
        padding=(0, 2, 0, 0),
    )
    table.add_column("figure", overflow="fold")
    for name in ("from", "estimate", "to") if is_estimated else ("5%", "50%", "95%"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for figure in total.figures:
        found = figure.estimate
        ends = (found.low, found.value, found.high) if found else figure.points or ()
        points = [format_simulated(each) for each in ends if each is not None]
        table.add_row(figure.name, *points, figure.unit, style="dim")
    sign = words.bound_sign(total.bound_code)
    points = [format_simulated(each) for each in total.points]
    table.add_row("sum", points[0], f"{sign}{points[1]}", points[2], total.figures[0].unit, style="bold")
    console.print(table)
    name = words.code_name("estimand", total.figures[0].estimand_code)
    note = (
        "The interval is as wide as 95% can be: as if all errors went together."
        if is_estimated
        else "The points of the sum are not sums of the points above it."
    )
    bound = "" if total.bound_code == "estimate" else (
        f" {sign.strip()} {words.code_name('bound', total.bound_code)}:"
        f" {words.code_description('bound', total.bound_code)}."
    )  # fmt: skip
    console.print(Text(f"{name}. {note}{bound}", style="dim"))


WIDE = 112


def draw_list(
    found: dict[str, list[ListedFigure]], console: Console, basis: PriceBasis | None = None
) -> None:
    """Print the published figures quantity by quantity: no two of these are ever added. On a narrow terminal
    what a figure is of stands below its name.

    Args:
        basis: of amounts, prices and currency; what is no amount of money is left out then.
    """
    restated = {code: [restate_figure(each, basis) for each in rows] for code, rows in found.items()}
    shown = {code: [each for each in rows if each is not None] for code, rows in restated.items()}
    console.print(list_table(shown, is_wide=console.width >= WIDE))
    if basis is not None:
        console.print(Text(f"\n{describe_restated(found, restated, basis)}"))
    everything = [row for rows in shown.values() for row in rows]
    with_formula = [row for row in everything if row.computed is not None]
    compared = [row for row in with_formula if row.printed is not None]
    console.print(
        Text(
            f"\n{len(everything)} figures, {len(with_formula)} with a formula, {len(compared)} with both"
            " formula and printed value; `observatory cost explain FIGURE` explains one",
            style="dim",
        )
    )


def list_table(shown: Mapping[str, Sequence[ListedFigure]], is_wide: bool) -> Table:
    """Figures below the name of their quantity."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("figure", overflow="fold")
    for name in ("computed", "printed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("reproduces", no_wrap=True)
    for name in ("of", "unit") if is_wide else ():
        table.add_column(name, overflow="fold")
    for code, rows in shown.items():
        if rows:
            table.add_row(Text(f"\n{words.code_name('estimand', code)}", style="bold"))
        for row in rows:
            verdict = words.code_name("reproduction", row.verdict)
            figure, of = Text(row.name), f"{row.area} {row.period_code}"
            if not is_wide:
                figure.append(f"\n  {of}, {row.unit}", style="dim")
            table.add_row(
                figure,
                *("" if value is None else format_number(value) for value in (row.computed, row.printed)),
                Text(verdict, style=VERDICT_STYLE.get(row.verdict, "")),
                *((of, row.unit) if is_wide else ()),
            )
    return table


def restate_figure(figure: ListedFigure, basis: PriceBasis | None) -> ListedFigure | None:
    """The figure in prices and currency of the basis; None of what is no money, or cannot be restated."""
    if basis is None:
        return figure
    if figure.currency_code is None:
        return None
    factor = basis.factor(figure.currency_code, int(figure.period_code))
    if factor is None:
        return None
    return replace(
        figure,
        computed=None if figure.computed is None else factor * figure.computed,
        printed=None if figure.printed is None else factor * figure.printed,
        unit=basis.unit(figure.unit, figure.currency_code, int(figure.period_code)),
    )


def describe_restated(
    found: dict[str, list[ListedFigure]], restated: dict[str, list[ListedFigure | None]], basis: PriceBasis
) -> str:
    """Describe how amounts were restated, and which figures are not in the list, with the reason."""
    pairs = [pair for code in found for pair in zip(found[code], restated[code], strict=True)]
    missing = [old for old, new in pairs if new is None and old.currency_code is not None]
    sentences = [basis.describe(), "Verdicts are of the amounts as printed."]
    counted = sum(old.currency_code is None for old, _ in pairs)
    if counted:
        sentences.append(f"{counted} quantities that are no money are left out.")
    if missing:
        sentences.append(
            "No index or rate: "
            + ", ".join(f"{each.name} ({each.currency_code} of {each.period_code})" for each in missing)
            + "."
        )
    return " ".join(sentences)
