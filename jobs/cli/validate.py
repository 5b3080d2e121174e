"""The command `observatory validate`: Great Expectations' suites on the lake's tables, and its Data Docs."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from jobs.base.settings import config
from jobs.cli.arguments import Config, OperatorId
from jobs.cli.console import err, out
from jobs.operators.ingest.source_options import load_with_options


def validate(
    config_file: Config = Path("observatory.toml"),
    operator: OperatorId = None,
    docs: Annotated[
        Path | None, typer.Option(help="Write Great Expectations' Data Docs to this folder.")
    ] = None,
    is_changed: Annotated[
        bool,
        typer.Option("--changed", help="Only months of gold that changed since they were found to hold."),
    ] = False,
) -> None:
    """Evaluate Great Expectations' suites on gold, and on a study node's tables, and keep its results.

    Every run checks the same rules by itself. Ends with exit code 1 if an expectation is broken.
    """
    from expectations.evaluation import all_results, build_data_docs
    from jobs.base.checks.evaluating import (
        changed_months,
        evaluate_lake,
        month_digests,
        note_held,
        open_results,
    )
    from jobs.base.checks.validations import EVALUATED, refuse_broken
    from jobs.base.store import record
    from jobs.base.store.lake import open_lake

    settings = load_with_options(config_file)
    operators = [each.id for each in config.choose_operators(settings, operator)] if settings.operator else []
    lake = open_lake(settings.lake.root)
    digests = month_digests(lake, operators)
    months = changed_months(lake, digests) if is_changed else {month for _, month in digests}
    if is_changed and not months:
        out.print("No month of gold changed since all were found to hold.")
        return
    with err.status("Great Expectations evaluates the suites"):
        run = record.new_run_id(dt.datetime.now(dt.UTC))
        found = evaluate_lake(lake, operators, run, months if is_changed else ())
    table = Table("table", title="Great Expectations", title_justify="left")
    for name in ("rows", "expectations", "broken"):
        table.add_column(name, justify="right")
    for each in found:
        results = each.results()
        broken = sum(not result.is_held for result in results)
        table.add_row(each.table, f"{each.rows:,}", f"{len(results):,}", f"{broken:,}" if broken else "")
    out.print(table)
    out.say(f"Results: {lake.path('')}{EVALUATED}/validations")
    if docs is not None:
        with (
            err.status("Great Expectations writes its Data Docs"),
            open_results(lake, is_read=True) as folder,
        ):
            index = build_data_docs(folder, docs)
        out.say(f"Data Docs: {index}")
    refuse_broken(
        all_results(found), "The tables stay as they are: correct what is wrong, and compute the days again."
    )
    note_held(lake, digests, months)
