"""Quality of the signs of bypass on generated traffic whose truth is known: of SMS and of calls.

The thresholds of the SIM box are chosen on seed 1, for each of the two those with the best F1 of its
messages or calls; benchmarks/detection_quality.py reports other seeds. Each counts once for each sign.
"""

import collections
import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.settings.operator import Operator
from jobs.base.tables.contracts import conform_frame, list_codes, polars_schema, read_contract
from jobs.operators.build.settings_tables import read_reference
from jobs.operators.formats import LINES, Source, delimited, kannel
from jobs.operators.gold.shared.bypass import (
    NUMBER,
    SIMBOX,
    can_be_simbox,
    count_contacts,
    find_signs,
    is_simbox,
    numbers_behaviour,
    operator_links,
    sum_behaviour,
)
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.protect import pseudonyms
from jobs.operators.protect.operators import Protection
from jobs.operators.silver.frames import MESSAGE
from jobs.operators.silver.pipeline import make_messages_in_memory
from tests.support import bypass_calls, bypass_sms

CHOSEN_ON, REPORTED_ON = 1, (2, 3, 4)
# What the thresholds of each unit are chosen from. Cells are given where nothing tells them: of SMS the
# generated logs have none.
GRID = {
    "recipient": {
        "simbox_recipients": (15, 20, 30, 40, 60),
        "simbox_reply_share": (0.05, 0.1, 0.2),
        "simbox_received_share": (0.1, 0.2),
        "simbox_cells": (2,),
    },
    "call": {
        "simbox_recipients": (15, 20, 25, 30, 40, 60),
        "simbox_reply_share": (0.05, 0.1, 0.15, 0.2),
        "simbox_received_share": (0.05, 0.1, 0.15, 0.2),
        "simbox_cells": (1, 2, 3, 5),
    },
}
Signs = collections.Counter[tuple[str, bool, bool]]
Traffic = tuple[pl.DataFrame, pl.DataFrame, dict[Any, Any]]


def traffic(seed: int, folder: Path, unit: str = "recipient") -> Traffic:
    """silver.message of the generated log, ref.operator, and the true signs of each message or call."""
    if unit == "recipient":
        (folder / "number-ranges.csv").write_text(bypass_sms.number_ranges(), "utf-8")
        (folder / "observatory.toml").write_text(bypass_sms.settings(), "utf-8")
        sent: list[Any] = bypass_sms.simulate(seed)
        lines = [bypass_sms.line_of(sms) for sms in sent]
    else:
        (folder / "calls.toml").write_text(bypass_calls.PROFILE, "utf-8")
        (folder / "observatory.toml").write_text(bypass_calls.settings(), "utf-8")
        sent = bypass_calls.simulate(seed)
        lines = [bypass_calls.line_of(call) for call in sent]
    settings = load_with_options(folder / "observatory.toml")
    operator = read_reference(settings, "ref.operator")
    made = make_messages_in_memory(
        transmission_of(lines, settings.operator[0], Protection.read_operators(operator)),
        pl.DataFrame(schema=polars_schema("silver.verdict")),
        pl.DataFrame(schema=polars_schema("silver.operator_knowledge")),
    ).table_rows(MESSAGE)
    # A line's offset is its place in the list.
    truth = {place: each.signs for place, each in enumerate(sent)}
    return made, operator, truth


def transmission_of(lines: list[str], operator: Operator, protection: Protection) -> pl.DataFrame:
    """silver.transmission of a log of the operator's first source."""
    kernel: Any = {"kannel": kannel, "delimited": delimited}[operator.source[0].format]
    frame = pl.DataFrame({"line": lines}).with_row_index("offset").select(list(LINES)).cast(pl.Schema(LINES))
    until = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
    source = Source(operator.id, operator.source[0].id, "log", until, options=operator.source[0].options)
    placed = (
        kernel.parse(frame.lazy(), source)
        .filter(pl.col("line_code") == "record")
        .with_columns(
            operator_id=pl.lit(source.operator_id),
            source_id=pl.lit(source.source_id),
            stream_id=pl.lit(source.stream_id),
        )
    )
    rows = pseudonyms.pseudonymise_transmissions(
        kernel.transmissions(kernel.assemble(placed)).collect(), protection
    )
    named = rows.with_columns(transmission_hash=pl.col("offset").cast(pl.String))
    table = "silver.transmission"
    return conform_frame(named.select(read_contract(table).columns), table)


def told(made: pl.DataFrame, operator: pl.DataFrame, parameter: pl.DataFrame, truth: dict[int, Any]) -> Signs:
    """For each sign how many messages have it or not, in truth and as found."""
    behaviour = numbers_behaviour(count_contacts(made), parameter)
    flagged = find_signs(made, operator, parameter, behaviour).filter("is_flagged")
    found = dict(flagged.group_by("offset").agg(pl.col("bypass_code").unique()).iter_rows())
    counts: Signs = collections.Counter()
    for place, true in truth.items():
        for code in list_codes("bypass"):
            counts[code, code in true, code in found.get(place, ())] += 1
    return counts


def quality(counts: Signs, code: str) -> tuple[float, float]:
    """Precision and recall of a sign."""
    right, missed, wrong = counts[code, True, True], counts[code, True, False], counts[code, False, True]
    return right / max(right + wrong, 1), right / max(right + missed, 1)


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def choices(
    made: pl.DataFrame, operator: pl.DataFrame, truth: dict[int, Any], unit: str
) -> Iterator[tuple[dict[str, float], float, float]]:
    """Every combination of the grid, with the precision and recall that the rule for a SIM box has by it."""
    grid = [dict(zip(GRID[unit], values, strict=True)) for values in itertools.product(*GRID[unit].values())]
    true = pl.DataFrame(
        [(place, "SIMBOX" in each) for place, each in truth.items()],
        schema={"offset": pl.Int64, "is_true": pl.Boolean},
        orient="row",
    )
    seen = (
        made.join(operator_links(operator), on=["operator_id", "inbound_link_id"])
        .join(sum_behaviour(count_contacts(made)), on=[*NUMBER, "sender_hash"])
        .filter((pl.col("sender_kind_code") == "number") & can_be_simbox())
        .join(true, on="offset")
        .group_by(*NUMBER, "sender_hash", "recipients", "answering", "sent", "received", "cells")
        .agg(right=pl.col("is_true").sum(), wrong=(~pl.col("is_true")).sum())
    )
    there = sum("SIMBOX" in each for each in truth.values())
    for each in grid:
        by_rule = seen.filter(is_simbox({name: pl.lit(float(each[name])) for name in SIMBOX}))
        right, wrong = by_rule.select(pl.col("right", "wrong").sum()).row(0)
        yield each, right / max(right + wrong, 1), right / there


def best(seed: int, folder: Path, unit: str) -> tuple[dict[str, float], float]:
    """The thresholds of the grid with the best F1 on a seed, and that F1."""
    made, operator, truth = traffic(seed, folder, unit)
    scores = [(f1(*worth), values) for values, *worth in choices(made, operator, truth, unit)]
    # Of equal ones the highest thresholds.
    score, values = max(scores, key=lambda scored: (scored[0], *scored[1].values()))
    return values, score
