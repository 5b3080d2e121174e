"""`observatory study`: estimates from submissions and answers, and how they look on a terminal."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import polars as pl
import typer
from pydantic import ValidationError
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from jobs.core.errors import ObservatoryError
from jobs.core.periods import latest, months_of, with_logs
from jobs.engine import access
from jobs.questionnaire.received import Received, in_utc
from jobs.settings import config

app = typer.Typer(
    help="Estimates across operators: volume, investment, reconciliation.", no_args_is_help=True
)


class Target(StrEnum):
    """What spending is held against."""

    norm = "norm"
    best = "best"


out = Console(soft_wrap=False)
err = Console(stderr=True, soft_wrap=True)


@app.callback()
def study() -> None:
    """Estimates across operators: volume, investment, reconciliation."""


@app.command()
def estimate(
    files: Annotated[
        Path | None,
        typer.Option(
            help="Folder with operator_frame, denominator and price_level as CSV;"
            " \\[study] files without it.",
            show_default=False,
        ),
    ] = None,
    config_file: Annotated[Path, typer.Option("--config", help="The settings file.")] = Path(
        "observatory.toml"
    ),
    with_answers: Annotated[
        bool,
        typer.Option(
            "--with-answers",
            help="First take submission, submission_route, submission_quality and questionnaire_answer from"
            " there, too.",
        ),
    ] = False,
    target: Annotated[
        list[Target] | None,
        typer.Option(help="What spending is held against; both without.", show_default=False),
    ] = None,
    norm: Annotated[
        list[str] | None,
        typer.Option(
            help="US dollars for each subscription and year: 0.8, or EMAIL=0.8 for a channel; without it"
            " \\[study.gap] norm.",
            metavar="AMOUNT",
            show_default=False,
        ),
    ] = None,
    best_share: Annotated[
        float | None,
        typer.Option(
            help="Share of respondents that are the best: 0.25; \\[study.gap] best_share without it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Estimate volume and investment from the operators that answered, and print the main figures."""
    settings = config.load(config_file)
    given = gap_of(target, norm, best_share)
    files = files or (Path(settings.study.files) if settings.study.files else None)
    if files is None:
        raise ObservatoryError("name the folder of the study's files with --files, or as [study] files")
    with err.status("Reading submissions and answers") as status:
        from jobs.engine.lake import open_lake
        from jobs.study.estimate import answers_left_out, study_stage

        lake = open_lake(settings.lake.root)
        access.prepare(lake.root, settings.lake.group)
        run_id = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        if with_answers:
            study_stage.land(lake, files, run_id)
        frames = study_stage.estimate(lake, settings, files, run_id, status.update, given)
        tables = [*map(Text, answers_left_out.notes(frames)), *results(frames)]
    for table in tables:
        out.print(table)


def gap_of(target: list[Target] | None, norm: list[str] | None, best_share: float | None) -> config.Gap:
    """What the command line says that spending is held against."""
    amounts = {}
    for each in norm or []:
        channel, _, amount = each.rpartition("=")
        try:
            amounts[channel or "_T"] = float(amount)
        except ValueError:
            raise ObservatoryError(
                f"--norm {each}: '{amount}' is no amount; write --norm 0.8, or --norm EMAIL=0.8 for a channel"
            ) from None
    try:
        return config.Gap.model_validate(
            {"targets": [each.value for each in target or []] or None, "norm": amounts or None,
             "best_share": best_share}
        )  # fmt: skip
    except ValidationError as error:
        told = [
            f"--{str(each['loc'][0]).replace('_', '-')}: {each['msg'].removeprefix('Value error, ')}"
            for each in error.errors()
        ]
        raise ObservatoryError("\n".join(told)) from None


@app.command()
def load(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Packages; without any those of \\[study] inbox.", metavar="FILE…"),
    ] = None,
    config_file: Annotated[Path, typer.Option("--config", help="The settings file.")] = Path(
        "observatory.toml"
    ),
    received: Received = None,
    check: Annotated[bool, typer.Option("--check", help="Only check; load nothing.")] = False,
) -> None:
    """Verify operators' packages and load them; one that is refused changes nothing.

    Ends with exit code 2 if any was refused; the others are loaded.
    """
    from jobs.questionnaire.command import respondents_of
    from jobs.study.estimate.files import read_table
    from jobs.submission.loading import judge, land, refuse_same_time

    settings = config.load(config_file)
    respondents = respondents_of(settings)
    files = files or inbox_of(settings)
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise ObservatoryError("\n".join(f"{file}: no such file" for file in missing))
    known = settings.study.files
    frame = read_table(Path(known), "ref.operator_frame", is_needed=False) if known else None
    found = [judge(file, settings, respondents, in_utc(received), frame) for file in files]
    if check:
        refuse_same_time(found)
    else:
        from jobs.engine.lake import open_lake

        run_id = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        lake = open_lake(settings.lake.root)
        access.prepare(lake.root, settings.lake.group)
        land(lake, found, run_id)
    out.print(packages(found, check))
    for each in found:
        for line in each.noted if not each.wrong else ():
            out.print(f"{each.file.name}: {line}", soft_wrap=True, markup=False, highlight=False)
    wrong = [f"{each.file}: {line}" for each in found for line in each.wrong]
    if wrong:
        refused = sum(1 for each in found if each.wrong)
        wrong.append(f"{refused} of {len(found)} packages were refused; the study keeps what it had")
        raise ObservatoryError("\n".join(wrong))


def inbox_of(settings: config.Observatory) -> list[Path]:
    """The packages that lie in the inbox."""
    if settings.study.inbox is None:
        raise ObservatoryError("name the packages to load, or the folder that holds them as [study] inbox")
    inbox = Path(settings.study.inbox)
    if not inbox.is_dir():
        raise ObservatoryError(f"[study] inbox: {inbox} is no folder")
    return sorted(file for file in inbox.iterdir() if file.name.endswith((".zip", ".zip.gpg")))


def packages(found: list[Any], is_check: bool) -> Table:
    """What became of each package."""
    table = Table("package", "respondent", "period", "signed", "result", title_justify="left")
    table.title = "Submissions"
    for each in found:
        result = "in order" if is_check else "loaded before" if each.is_known else "loaded"
        told = each.package is not None
        has_signature = told and each.package.signature is not None
        signed = f"by {each.signer[-16:]}" if each.signer else "not verified" if has_signature else "no"
        table.add_row(
            Text(each.file.name),
            each.respondent_id,
            Text(each.manifest.period_code if told else ""),
            signed,
            "refused" if each.wrong else result,
        )
    return table


def results(frames: dict[str, pl.DataFrame]) -> list[RenderableType]:
    """The main figures of the latest and longest period, each table with its interval, coverage and band."""
    return [
        *volume(frames["study.spam_volume"]),
        *corrected(frames["study.spam_volume"], frames["study.submission_quality"]),
        *investment(frames["study.investment"], frames["study.investment_gap"]),
        *public_spending(frames["study.public_spending"]),
        *reconciliation(frames["study.reconciliation"]),
        *mirror(frames["study.mirror"]),
    ]


def latest_of(frame: pl.DataFrame) -> str | None:
    return latest(frame["period_code"].unique())


def of_period(period: str | None) -> pl.Expr:
    """Rows of a period; none without one."""
    return pl.col("period_code") == pl.lit(period, pl.String)


# So many pairs of countries are printed.
PAIRS = 8
# So many administrations; the others are counted.
ADMINISTRATIONS = 12
# The world first, then regions, then groups.
ORDER = {"world": 0, "region": 1, "group": 2}


def rows_of(frame: pl.DataFrame, *where: pl.Expr) -> list[Any]:
    """The estimates of all areas but countries that the conditions select, by channel and area."""
    found = named_rows(
        frame.filter(pl.col("area_kind_code") != "country", pl.col("estimate").is_not_null(), *where)
    )
    return sorted(found, key=lambda row: (row.channel_code, ORDER[row.area_kind_code], row.area_code))


def named_rows(frame: pl.DataFrame) -> list[Any]:
    """Rows whose columns are attributes."""
    return [SimpleNamespace(**row) for row in frame.to_dicts()]


AS_FILTERED = "Spam as filters saw it: what they miss or take wrongly is in no interval."
DAYS = "Days with logs, counts of the others are made up from them"
WITH_ERRORS = "Of operators with logs; filters that were audited stand for the others."


VOLUME_HEADS = ("estimate", "95% interval", "CV", "cov.", "answers", "others at 0.5–1.5")
CORRECTED_HEADS = ("estimate", "95% interval", "CV", "as seen", "audits", "audited")
SPENDING_HEADS = ("estimate", "95% interval", "CV", "cov.", "each")
PART_HEADS = ("CAPEX", "", "OPEX", "", "posts", "")


def sheet(title: str, *heads: str) -> Table:
    """A table of areas that eighty columns hold, the longest name and interval too."""
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1)
    )
    table.add_column("area", no_wrap=True, min_width=10)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def volume_period(frame: pl.DataFrame) -> str | None:
    return with_logs(frame.select("period_code", "respondent_count", "answer_count").unique().rows())


def volume(frame: pl.DataFrame) -> list[Table]:
    """Certain spam of what was attempted by the operators' own definition, a table for each channel.

    Of the latest period that any logs tell of.
    """
    period = volume_period(frame)
    found = rows_of(
        frame,
        of_period(period),
        pl.col("definition_code") == "OPERATOR",
        pl.col("quantity_code") == "spam_certain",
        pl.col("unit_code").is_in(["attempted", "call"]),
    )
    tables = []
    for channel in dict.fromkeys(row.channel_code for row in found):
        title = f"{channel}: spam in {period} by the operators' own definition, estimated"
        table = sheet(title, *VOLUME_HEADS)
        for row in found:
            if row.channel_code == channel:
                table.add_row(
                    row.area_code, short(row.estimate), span(row.estimate_low, row.estimate_high),
                    quality(row), f"{row.coverage_pct:.0f}%", part(row.answer_pct),
                    span(row.at_050, row.at_150),
                )  # fmt: skip
        tables.append(table)
    for table in tables[-1:]:
        days = ", ".join(
            f"{row.channel_code} {days_of(row)}" for row in found if row.area_kind_code == "world"
        )
        table.caption = f"{AS_FILTERED}\n{DAYS}: {days}."
        table.caption_justify = "left"
    return tables


def days_of(row: Any) -> str:
    """The days that logs behind a figure have; the rest was made up from them, so all are told to a tenth."""
    return "none" if row.day_pct is None else f"{row.day_pct:.1f}%"


def corrected(frame: pl.DataFrame, audits: pl.DataFrame) -> list[RenderableType]:
    """Spam with the filters' errors, of what was attempted in the period of volume(): a table for each
    channel that has audits enough, and of the others how many they have."""
    period = volume_period(frame)
    rows = rows_of(
        frame,
        of_period(period),
        pl.col("definition_code") == "OPERATOR",
        pl.col("unit_code") == "attempted",
        pl.col("quantity_code").is_in(["spam_certain", "spam_corrected"]),
    )
    found = [row for row in rows if row.quantity_code == "spam_corrected"]
    seen = {(row.channel_code, row.area_code): row for row in rows if row.quantity_code == "spam_certain"}
    told: list[Table] = []
    for channel in dict.fromkeys(row.channel_code for row in found):
        table = sheet(f"{channel}: spam in {period} with the filters' errors, estimated", *CORRECTED_HEADS)
        for row in found:
            if row.channel_code == channel:
                before = seen.get((channel, row.area_code))
                table.add_row(
                    row.area_code, short(row.estimate), span(row.estimate_low, row.estimate_high),
                    quality(row), short(before.estimate) if before else "",
                    f"{row.audit_count}", part(row.audit_pct),
                )  # fmt: skip
        told.append(table)
    for table in told[-1:]:
        table.caption, table.caption_justify = WITH_ERRORS, "left"
    return [*told, *few_audits(period, audits, {row.channel_code for row in rows}, found)]


def few_audits(period: str | None, audits: pl.DataFrame, channels: set[str], found: list[Any]) -> list[Text]:
    """A line for each channel that has no spam with the filters' errors, on why."""
    # NumPy and SciPy take a moment to load, and other commands of the study need neither.
    from jobs.stats.estimation import SMALLEST

    months = months_of(period) if period else ()
    of_period = audits.filter(
        pl.col("quality_method_code") == "audit", pl.col("period_code").is_in([period, *months])
    )
    count = dict(
        of_period.group_by("channel_code").agg(pl.col("respondent_id").drop_nulls().n_unique()).rows()
    )
    lines = []
    for channel in sorted(channels - {row.channel_code for row in found}):
        number = count.get(channel, 0)
        if number >= SMALLEST:
            # The estimate is of those that have a row for the whole period.
            told = (
                f"{number} operators audited, but fewer than {SMALLEST} of them gave every month of {period}"
            )
        else:
            has = f"{number} audited operator{'s' if number > 1 else ''}" if number else "no audited operator"
            told = f"{has}, {SMALLEST} are needed to tell spam with the filters' errors"
        lines.append(Text(f"{channel}: {told}"))
    return lines


def part(pct: Any) -> str:
    """A share in percent, told apart from none where it is little."""
    return "<1%" if pct and pct < 1 else f"{pct or 0:.0f}%"


def investment(spending: pl.DataFrame, gaps: pl.DataFrame) -> list[RenderableType]:
    """Spending of all strategies at market rates, and what is missing to the targets with what that takes for
    granted, by channel."""
    period = latest_of(spending)
    every = rows_of(
        spending,
        of_period(period),
        pl.col("strategy_code") == "_T",
        pl.col("conversion_code").is_in(["market", "none"]),
    )
    found = [row for row in every if row.component_code == "_T"]
    parts = {(row.channel_code, row.area_code, row.component_code): row for row in every}
    held = named_rows(gaps.filter(pl.col("area_kind_code") != "country", of_period(period)))
    missing = {
        (row.channel_code, row.area_code, row.target_code): short(row.gap)
        for row in held
        if row.gap is not None
    }
    targets = [each.value for each in Target if any(row.target_code == each for row in held)]
    tables: list[RenderableType] = []
    for channel in dict.fromkeys(row.channel_code for row in found):
        title = f"{channel}: spending in {period}, US dollars; and what is missing to {' and '.join(targets)}"
        table = sheet(title, *SPENDING_HEADS, *targets)
        for row in found:
            if row.channel_code == channel:
                table.add_row(
                    row.area_code, short(row.estimate), span(row.estimate_low, row.estimate_high),
                    quality(row), f"{row.coverage_pct:.0f}%", f"{row.per_subscription:.2f}",
                    *(missing.get((channel, row.area_code, target), "") for target in targets),
                )  # fmt: skip
        tables += [table, components(channel, period, found, parts)]
    return [*tables, *taken(found), *granted(held)]


def taken(found: list[Any]) -> list[RenderableType]:
    """What the estimates of spending take for granted."""
    if not found:
        return []
    # Polars takes a moment to load, and other commands of the study need none.
    from jobs.core.contracts import reference
    from jobs.costs.investment_assumptions import assumptions

    told = assumptions(reference("ref.cost_parameter"), reference("ref.investment_assumption"))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(overflow="fold")
    for sentence in told:
        table.add_row(Text(sentence))
    return [Text("Spending is an estimate. It takes for granted:"), table]


PUBLIC = {
    "sp711": "national means", "sp701": "own purchases", "sp704": "in use", "sp705": "running",
    "sp706": "days",
}  # fmt: skip
PUBLIC_TOLD = "As told, not annualised. Questions may overlap: neither added to each other nor to spending."


def public_spending(frame: pl.DataFrame) -> list[RenderableType]:
    """What administrations told of the last year, a line for each: the total that it told of a question, else
    the sum of its parts, in US dollars; and person days."""
    period = latest_of(frame)
    told: dict[str, dict[str, list[Any]]] = {}
    for row in named_rows(frame.filter(of_period(period))):
        whose = f"{row.country_code} {row.respondent_id}"
        told.setdefault(whose, {}).setdefault(row.question_code, []).append(row)
    if not told:
        return []
    asked = [code for code in PUBLIC if any(code in of for of in told.values())]
    table = sheet(f"Public money in {period}, US dollars", *(PUBLIC[code] for code in asked))
    for whose, of in sorted(told.items())[:ADMINISTRATIONS]:
        table.add_row(Text(whose), *(total_of(of.get(code, [])) for code in asked))
    more = len(told) - ADMINISTRATIONS
    rest = f" And {more} more: `observatory show study.public_spending`." if more > 0 else ""
    table.caption, table.caption_justify = PUBLIC_TOLD + rest, "left"
    return [table]


def total_of(rows: list[Any]) -> str:
    """The total that was told of a question, else the sum of its parts."""
    whole = [row for row in rows if row.part_code in (None, "_T")] or rows
    figures = [row.person_days if row.market_amount is None else row.market_amount for row in whole]
    return short(sum(figures)) if figures else ""


def granted(held: list[Any]) -> list[RenderableType]:
    """What the gaps take for granted, each sentence once: those of every target and channel, then the others
    with theirs."""
    told = {(row.target_code, row.channel_code): row.assumptions for row in held}
    where: dict[str, list[tuple[str, str]]] = {}
    for key in sorted(told):
        for sentence in told[key]:
            where.setdefault(sentence, []).append(key)
    if not told:
        return []
    head = Text("What is missing is an estimate of the necessary investment. It takes for granted:")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", vertical="top")
    table.add_column(overflow="fold")
    for sentence, keys in sorted(where.items(), key=lambda item: len(item[1]) < len(told)):
        channels = sorted({channel for _, channel in keys})
        targets = sorted({target for target, _ in keys})
        every = sorted({channel for target, channel in told if target in targets})
        whose = "all" if len(keys) == len(told) else ", ".join(targets)
        table.add_row(whose if channels == every else f"{whose}, {', '.join(channels)}", Text(sentence))
    return [head, table]


def components(
    channel: str, period: str | None, found: list[Any], parts: dict[tuple[str, str, str], Any]
) -> Table:
    """What spending consists of, and the posts, each with its own interval."""
    title = f"{channel}: parts and posts in {period}, with 95% intervals"
    table = sheet(title, *PART_HEADS)
    for row in found:
        if row.channel_code == channel:
            cells: list[str] = []
            for component in ("capital", "operating", "posts"):
                part = parts.get((channel, row.area_code, component))
                cells += ("", "") if part is None else (
                    short(part.estimate), span(part.estimate_low, part.estimate_high),
                )  # fmt: skip
            table.add_row(row.area_code, *cells)
    return table


def span(low: Any, high: Any) -> str:
    return f"{short(low)}–{short(high)}"


def reconciliation(frame: pl.DataFrame) -> list[Table]:
    count = {
        (indicator, kind): number
        for indicator, kind, number in frame.group_by("indicator_code", "agreement_code").len().rows()
    }
    if not count:
        return []
    table = Table("indicator", title="Answers against logs of the same operators", title_justify="left")
    kinds = ("agrees", "differs", "conflicts", "other_definition")
    for kind in kinds:
        table.add_column(kind.replace("_", " "), justify="right")
    for indicator in sorted({indicator for indicator, _ in count}):
        table.add_row(indicator, *(str(count.get((indicator, kind), 0)) for kind in kinds))
    return [table]


def mirror(frame: pl.DataFrame) -> list[Table]:
    """The pairs of countries that tell most differently in the last month: recipients, attempts and calls by
    the operators' own definition."""
    own = frame.filter(
        pl.col("definition_code") == "OPERATOR", pl.col("measure_code").is_in(["attempted", "calls"])
    )
    found = named_rows(
        own.filter(
            of_period(latest_of(own)),
            pl.col("link_code") == "_T",
            ~pl.col("is_within_unplaced"),
        )
    )
    if not found:
        return []
    table = Table(
        "channel", "from", "to", title=f"Sent and received in {found[0].period_code}", title_justify="left"
    )
    for head in ("sent", "received", "discrepancy", "coverage"):
        table.add_column(head, justify="right")
    for row in sorted(
        found, key=lambda row: (-abs(row.discrepancy_units), row.origin_code, row.destination_code)
    )[:PAIRS]:
        table.add_row(
            row.channel_code, row.origin_code, row.destination_code, short(row.sent_units),
            short(row.received_units), f"{row.discrepancy_pct:+.0f}%",
            ", ".join("?" if each is None else f"{each:.0f}%"
                      for each in (row.sent_coverage_pct, row.received_coverage_pct)),
        )  # fmt: skip
    return [table]


def quality(row: Any) -> str:
    mark = {"acceptable": "", "caution": "!", "unreliable": "!!"}[row.cv_band_code]
    return f"{row.cv_pct:.0f}%{mark}"


def short(value: Any) -> str:
    """A figure with three digits and a unit: 204bn, 1.25M, 870."""
    number = float(value)
    for size, unit in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}" if number < 1000 * size else f"{number / size:,.0f}{unit}"
    return f"{number:.3g}"
