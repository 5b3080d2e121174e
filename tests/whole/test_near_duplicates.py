"""Logs of mail and their campaigns: what fuzzy hashes, digests and subjects bring together.

One server writes Exim's log with subjects (`log_selector = +subject`), its filter Rspamd's.
"""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jobs.base.store.lake import Lake
from jobs.base.tables import contracts
from jobs.operators.ingest.source_options import load_with_options
from tests.support import mail_truth
from tests.support.study import run_again

# Whole runs, of which nothing else is shared.
pytestmark = pytest.mark.long
SETTINGS = """
[lake]
root = "lake"
[[operator]]
id = "heron"
name = "Heron"
country = "CHE"
holding = "heron"
currency = "CHF"
domains = ["heron.example"]
[[operator.source]]
id = "mta"
url = "main*.log"
format = "exim"
[[operator.source]]
id = "filter"
url = "rspamd*.log"
format = "rspamd"
"""
BEGIN = dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC)


def mail(number: int, subject: str, digest: str = "", symbols: str = "") -> tuple[list[str], list[str]]:
    """The lines of the server and of the filter for one mail, each by a sender and a host of its own."""
    at = BEGIN + dt.timedelta(seconds=number)
    sender = f"person-{'abcdefghijklmnopqrstuvwxyz'[number % 26]}@shop{number}.example"
    sent = mail_truth.Mail("", sender, f"198.51.{number % 100}.7", subject, 9_000 + number, digest)
    server = mail_truth.exim_lines(number, at, sent, "heron.example", has_subject=True)
    return server, [mail_truth.rspamd_line(number, at, sent, "heron.example", symbols)] if digest else []


def mails() -> list[tuple[list[str], list[str]]]:
    parts: list[tuple[int, str, dict[str, Any]]] = []
    # Six digests, one text that a storage knows; a logo that half of them show tells nothing.
    for each in range(6):
        logo = "1:0a0a0a0a0a:1.00:img;" if each % 2 else ""
        symbols = f"R_NA(0.00){{x;}},FUZZY_DENIED(9.00){{{logo}1:b639f4eae7:0.{90 - each}:txt;}}"
        parts.append(
            (6, f"Read of a wonder number {each} today", {"digest": f"d{each:031}", "symbols": symbols})
        )
    # One digest that no storage knows.
    parts += [(6, f"Letter to dear {name}, of today", {"digest": "e" * 32}) for name in ("Ann", "Bob") * 3]
    # What a subject brings together, what is too short for one, and one that too few have.
    parts += [(0, f"{'Re: ' * (each % 2)}Your parcel 47-{each} is on its way", {}) for each in range(24)]
    parts += [(0, f"Invoice {each}", {}) for each in range(24)]
    parts += [(0, "Minutes of the meeting on Monday", {})] * 19
    return [mail(number, subject, **more) for number, (_, subject, more) in enumerate(parts)]


def write(folder: Path, names: Sequence[str], lines: list[list[str]]) -> None:
    for name, part in zip(names, lines, strict=True):
        (folder / name).write_text("".join(line + "\n" for line in part), encoding="utf-8")


def campaigns(folder: Path) -> tuple[Lake, dict[str, list[Any]]]:
    """The lake of a folder's logs, and its campaigns: kind, copies, senders."""
    (folder / "observatory.toml").write_text(SETTINGS, encoding="utf-8")
    settings = load_with_options(folder / "observatory.toml")
    work = run_again(settings)
    rows = work.lake.read("gold.campaign_daily").select(
        "campaign_hash", "signature_kind_code", "copy_count", "distinct_sender_count"
    )
    return work.lake, {name: told for name, *told in rows.iter_rows()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("whole")
    found = mails()
    server, spoken = ([line for each in found for line in each[side]] for side in (0, 1))
    write(folder, ["main.log", "rspamd.log"], [server, spoken])
    return campaigns(folder)


def test_fuzzy_hashes_digests_and_subjects_make_campaigns(made: tuple[Lake, dict[str, Any]]) -> None:
    _, found = made
    assert sorted(found.values()) == [["digest", 6, 6], ["fuzzy", 6, 6], ["subject", 24, 24]]


def test_a_campaigns_name_comes_from_what_it_says(tmp_path: Path, made: tuple[Lake, dict[str, Any]]) -> None:
    """A campaign keeps its name if its mails come in two files, the later first, cut within a mail."""
    found = mails()[::-1]
    server, spoken = ([line for each in found for line in each[side]] for side in (0, 1))
    names = ["main1.log", "main2.log", "rspamd1.log", "rspamd2.log"]
    write(tmp_path, names, [server[:100], server[100:], spoken[:5], spoken[5:]])
    _, again = campaigns(tmp_path)
    assert again == made[1]


def test_subjects_and_fuzzy_hashes_stay_in_bronze(made: tuple[Lake, dict[str, Any]]) -> None:
    lake, _ = made

    def told(tables: Sequence[str]) -> str:
        return "\n".join(str(row) for table in tables for row in lake.read(table).iter_rows()).lower()

    secrets = ["parcel", "a wonder", "b639f4eae7", "0a0a0a0a0a", "eeeeeeeeee", "letter to dear"]
    bronze = told(["bronze.exim", "bronze.rspamd"])
    # Of a logo's hash nothing is kept at all.
    assert [each for each in secrets if each not in bronze] == ["0a0a0a0a0a"]
    later = [name for name in contracts.list_tables() if name.startswith(("silver.", "gold.", "meta."))]
    past = told(later)
    assert "shop7.example" in past
    assert [each for each in secrets if each in past] == []
