"""Postfix, Exim and Sendmail under one script of traffic: their logs against what became of each recipient.

sample_data/lab/servers/ has the script, the logs and the truth. docs/counting.md has UNTOLD as a table.
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.support.lab_servers import Fates, fates_of_silver, fates_of_truth, read_truth, silver_of

LOGS = Path(__file__).parents[2] / "sample_data" / "lab" / "servers" / "logs"
RUNS = {
    "postfix": ("postfix", ["postfix.log"]),
    "exim": ("exim", ["exim.mainlog", "exim.rejectlog"]),
    "sendmail": ("sendmail", ["sendmail.log"]),
    "sendmail-2": ("sendmail", ["sendmail-2.log"]),
}
# What a log does not record: by server and case, what of a truth row is not there. `row`: nothing of it;
# `others`: the log names one recipient for several; a name of a column: that column, and what the log has.
UNTOLD: dict[tuple[str, str], dict[str, Any]] = {
    # One mailbox is one recipient, however many addresses of it were accepted.
    ("sendmail", "aliases of one mailbox"): {"others": True},
    ("sendmail", "mailbox and its aliases"): {"others": True},
    ("exim", "aliases of one mailbox"): {"others": True},
    ("exim", "mailbox and its aliases"): {"others": True},
    ("exim", "alias and its member"): {"others": True},
    ("postfix", "spam to two"): {"others": True},
    ("exim", "too many recipients"): {"others": True},
    ("postfix", "too many recipients"): {"row": True},
    ("sendmail", "SIZE too big"): {"row": True},
    ("postfix", "body too big"): {"sender": None},
    ("exim", "name without a domain"): {"sender": None},
    # The client was answered at MAIL, for what had been decided when it connected.
    ("sendmail", "refused client"): {"stage": "connect", "sender": None},
    ("sendmail", "listed client"): {"stage": "connect", "sender": None},
    ("exim", "sender held"): {"stage": "content"},
    # The queue id of a message without recipients is not with the lines that discarded them.
    ("exim", "sender discarded"): {"queue_id": None},
}


def expected(truth: list[dict[str, Any]], server: str) -> list[dict[str, Any]]:
    """The truth as the server's log can record it."""
    rows, named = [], set()
    for row in truth:
        untold = UNTOLD.get((server, row["case"]), {})
        is_refused = row["outcome"] in ("rejected", "deferred")
        message = (row["queue_id"], row["sender"], row["grain"])
        is_other = untold.get("others") and message in named
        named.add(message)
        # Of a message with too many recipients, those that were refused are not there, or one line for all.
        is_about = row["case"] != "too many recipients" or is_refused
        if row["outcome"] == "merged" or (is_about and (untold.get("row") or is_other)):
            rows.append(row | {"grain": "none"})
        else:
            rows.append(row | {name: value for name, value in untold.items() if name in row})
    return rows


@cache
def compared(run: str) -> tuple[Fates, Fates, dict[str, str], pl.DataFrame, list[dict[str, Any]]]:
    """Return the expected and the found counts by message, the case of each, the rows, and the truth."""
    server, files = RUNS[run]
    truth = read_truth(LOGS / f"{run}.truth.jsonl")
    found = silver_of(server, [LOGS / name for name in files])
    told = expected(truth, server)
    wanted, cases = fates_of_truth(told)
    return wanted, fates_of_silver(found, {row["queue_id"] for row in told}), cases, found, truth


@pytest.mark.parametrize("run", RUNS)
def test_each_recipient_of_each_message_counts_as_it_fared(run: str) -> None:
    wanted, found, cases, _, truth = compared(run)
    wrong = {
        (cases.get(name, "in no case"), name): (wanted.get(name, Counter()), found.get(name, Counter()))
        for name in wanted.keys() | found.keys()
        if wanted.get(name, Counter()) != found.get(name, Counter())
    }
    assert not wrong
    # The script really did it all.
    assert len(truth) > 380 and len({row["case"] for row in truth}) > 50


@pytest.mark.parametrize("run", RUNS)
def test_the_recipients_are_those_that_the_client_named(run: str) -> None:
    server, _ = RUNS[run]
    *_, found, truth = compared(run)
    given: dict[str, set[str]] = {}
    for row in truth:
        if row["queue_id"] and row["outcome"] != "merged":
            given.setdefault(row["queue_id"], set()).add(row["recipient"].lower())
    names = found.filter(pl.col("queue_id").is_in([*given]), pl.col("recipient").is_not_null())
    strange = {
        (row["queue_id"], row["recipient"])
        for row in names.filter(pl.col("grain_code") == "recipient").iter_rows(named=True)
        if row["recipient"].lower() not in given[row["queue_id"]]
    }
    # Sendmail names the members of an alias, and not the alias.
    members = {
        "alice",
        "bob",
        "carol",
        "someone@ok.remote.example",
        "other@ok.remote.example",
        "gone@reject.remote.example",
    }
    allowed = members if server == "sendmail" else set()
    assert {name for _, name in strange} <= allowed


def test_what_the_table_calls_untold_is_untold() -> None:
    """Each entry has rows in a run that would be wrong without it."""
    for (server, case), untold in UNTOLD.items():
        truth = [row for row in read_truth(LOGS / f"{server}.truth.jsonl") if row["case"] == case]
        assert truth, (server, case)
        assert expected(truth, server) != truth, (server, case, untold)
