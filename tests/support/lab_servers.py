"""Logs of real servers beside what became of each recipient, as sample_data/lab/servers/ made both."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.tables.contracts import polars_schema
from jobs.operators.formats import Source
from jobs.operators.formats.registry import KERNELS
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.protect.pseudonym_keys import make_pseudonyms
from jobs.operators.silver.assembling import assemble_rows, raw_rows
from jobs.operators.silver.frames import MESSAGE, TRANSMISSION, VERDICT
from jobs.operators.silver.pipeline import count_once, make_messages_in_memory
from tests.support.filter_logs import frame_of

DOMAINS = ("lab.example", "virt.example", "hosted.example")
NETWORKS = ("127.0.0.0/8", "192.0.2.0/24")
KEY = bytes(32)
PROTECTION = Protection((OperatorSpace("lab", "", DOMAINS, NETWORKS, (), (), key=KEY),), None)
NEWEST = dt.datetime(2026, 12, 31, tzinfo=dt.UTC)
# Grain, stage, outcome and direction of a row.
Fate = tuple[str, str, str, str]
Fates = dict[str, Counter[Fate]]


def read_truth(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def silver_of(name: str, logs: Iterable[Path]) -> pl.DataFrame:
    """silver.message of one server's logs, with queue id, sender, client and recipient as logged."""
    kernel = KERNELS[name]
    frames = []
    for number, path in enumerate(logs):
        source = Source("lab", f"s{number}", f"a{number}", NEWEST)
        lines = path.read_text("utf-8", "replace").splitlines()
        parsed = kernel.parse(frame_of(lines).lazy(), source).collect()
        refused = parsed["line_code"].eq("quarantined").arg_true()
        assert refused.is_empty(), [lines[row] for row in refused]
        placed = parsed.filter(pl.col("line_code") == "record").with_columns(
            operator_id=pl.lit("lab"), source_id=pl.lit(source.source_id), stream_id=pl.lit(source.stream_id)
        )
        frames.append(kernel.assemble(placed.lazy()).collect())
    whole, _ = count_once({name: pl.concat(frames)})
    sent = assemble_rows(TRANSMISSION, whole, PROTECTION)
    silent = pl.DataFrame(schema=polars_schema(VERDICT))
    found = make_messages_in_memory(sent, silent).table_rows(MESSAGE)
    raw = raw_rows(TRANSMISSION, name, whole)
    raw = raw.with_columns(hash=make_pseudonyms(raw["recipient"].str.to_lowercase(), KEY))
    named = ["queue_id", "sender", "client_ip", "recipient"]
    found = found.with_columns(place=pl.concat_str("source_id", "stream_id", "offset", separator=":"))
    raw = raw.with_columns(place=pl.concat_str("source_id", "stream_id", "offset", separator=":"))
    by_name = (
        raw.filter(pl.col("hash").is_not_null()).unique(["place", "hash"]).select("place", "hash", *named)
    )
    nameless = raw.filter(pl.col("hash").is_null()).unique("place").select("place", *named)
    found = found.join(by_name, left_on=["place", "recipient_hash"], right_on=["place", "hash"], how="left")
    found = found.join(nameless, on="place", how="left", suffix="_of_place")
    return found.with_columns(pl.coalesce(name, f"{name}_of_place").alias(name) for name in named)


def name_message(queue_id: str | None, known: set[str], client: str | None, sender: str | None) -> str:
    """A message's queue id where its client was given one, else its client and sender."""
    return queue_id if queue_id and queue_id in known else f"{client} {sender}"


def fates_of_truth(truth: Sequence[dict[str, Any]]) -> tuple[Fates, dict[str, str]]:
    """Return the counts expected of each message or session, and the case that it belongs to."""
    fates: Fates = {}
    cases: dict[str, str] = {}
    for row in truth:
        client = None if row["client"] == "local" else row["client"]
        name = name_message(row["queue_id"], {row["queue_id"]}, client, row["sender"])
        cases[name] = row["case"]
        fate = fates.setdefault(name, Counter())
        if row["grain"] != "none":
            fate[row["grain"], row["stage"], row["outcome"], row["direction"]] += 1
    return fates, cases


def fates_of_silver(found: pl.DataFrame, known: set[str]) -> Fates:
    """Return the counts of rows of silver.message.

    Args:
        known: the queue ids that clients were given.
    """
    fates: Fates = {}
    for row in found.iter_rows(named=True):
        queue_id = row["queue_id"] if row["grain_code"] == "recipient" else None
        name = name_message(queue_id, known, row["client_ip"], row["sender"])
        fate = fates.setdefault(name, Counter())
        fate[row["grain_code"], row["stage_code"], row["outcome_code"], row["direction_code"]] += 1
    return fates
