"""`observatory explain`: what belongs to one message, the rules that decided, and the cells it counts in."""

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fsspec.implementations.local import LocalFileSystem
from rich.cells import cell_len

from jobs.base.settings.operator import Operator
from jobs.operators.build.run import Run
from jobs.operators.explain.assembled import find_decisions
from jobs.operators.explain.cells import CAMPAIGN, COUNT_TABLES, SOURCE_MONTH, find_cells
from jobs.operators.explain.lines import read_line
from jobs.operators.explain.matches import find_matches
from jobs.operators.explain.search import MESSAGE, TRANSMISSION, VERDICT, LakeSearch, Match, SearchQuestion
from jobs.operators.explain.story import Story, make_story
from tests.support.in_process import Told, command_line_of
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, source_toml
from tests.support.wrapped_logs import docker

pytestmark = pytest.mark.long

Command = Callable[..., Told]


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:

    return command_line_of(monkeypatch, capsys)


def settings_file(work: Run) -> Path:
    return Path(work.lake.root).parent / "observatory.toml"


def explained(work: Run, text: str) -> Story:
    asked = SearchQuestion(text, list(work.settings.operator))
    (match,) = find_matches(work.lake, work.settings, asked)
    return make_story(work.lake, work.settings, asked, match)


# For each way to ask: the operator, the files that have lines, the bronze tables, the rows of silver tables.
ASKED = {
    # A queue id of Exim, and the Message-ID of the same message, which spamd's own log has, too.
    "1xVr5j-0000000000d-1V8v": (
        "exim-lab",
        {"mainlog", "spamd.log"},
        {"exim", "spamassassin"},
        {TRANSMISSION: 1, MESSAGE: 1, VERDICT: 2},
    ),
    "<1795528911342320794@good.example>": (
        "exim-lab",
        {"mainlog", "spamd.log"},
        {"exim", "spamassassin"},
        {TRANSMISSION: 1, MESSAGE: 1, VERDICT: 2},
    ),
    # Through Amavis and back, by the queue id of either hop.
    "4jYlHC6jhVz1fPr1": (
        "postfix-lab",
        {"mail.iso8601.log"},
        {"postfix", "amavis"},
        {TRANSMISSION: 2, MESSAGE: 1, VERDICT: 1},
    ),
    "4jYlHD1bBpz1fPr5": (
        "postfix-lab",
        {"mail.iso8601.log"},
        {"postfix", "amavis"},
        {TRANSMISSION: 2, MESSAGE: 1, VERDICT: 1},
    ),
    # A Call-ID, whose call two logs have.
    "1e71df6da8e1@127.0.0.10": (
        "sip-lab",
        {"kamailio.rfc3164.log", "acc_129.log"},
        {"kamailio", "kamailio_flat"},
        {TRANSMISSION: 1, MESSAGE: 1},
    ),
    # The SMSC's id, which only the report has, and the number.
    "db09cdca-301b-4282-aea1-408450f554f2": (
        "sms-lab",
        {"bearerbox-access.log", "smsbox-access.log"},
        {"kannel", "kannel_smsbox"},
        {TRANSMISSION: 1, MESSAGE: 1},
    ),
    "+357 96 000010": (
        "sms-lab",
        {"bearerbox-access.log", "smsbox-access.log"},
        {"kannel", "kannel_smsbox"},
        {TRANSMISSION: 1, MESSAGE: 1},
    ),
    # A number in call records that have no ids.
    "0035799000001": ("sms-lab", {"calls.csv"}, {"delimited"}, {TRANSMISSION: 1, MESSAGE: 1}),
    # Of a message that no log has.
    "orig-1@mailer.example": ("exim-lab", {"abuse.eml"}, {"feedback"}, {"silver.complaint": 1}),
}


@pytest.mark.parametrize("text", ASKED)
def test_each_kind_of_id_finds_lines_bronze_silver_and_gold(text: str, mixed_run: Run) -> None:
    operator, files, formats, silver = ASKED[text]
    story = explained(mixed_run, text)
    assert story.match.operator.id == operator
    assert {line.file_name for line in story.lines} == files
    assert {name for name, rows in story.bronze.items() if rows.height} == formats
    assert {table: rows.height for table, rows in story.match.silver.items() if rows.height} == silver
    daily = [cell for cell in story.cells if cell.table == "gold.spam_volume_daily"]
    assert bool(daily) == (MESSAGE in silver)
    assert all(cell.counts["units"] == 1 and cell.totals["units"] >= 1 for cell in daily)
    assert {reason.table for reason in story.reasons} == set(silver)


def test_cells_and_rows_have_an_order(mixed_run: Run) -> None:
    story = explained(mixed_run, "4jYlHC6jhVz1fPr1")
    table = story.cells[0].table
    keys = [tuple(map(str, cell.key.values())) for cell in story.cells if cell.table == table]
    assert len(keys) > 10 and keys == sorted(keys)
    sent = story.match.silver_rows(TRANSMISSION)
    assert sent.equals(sent.sort("first_at", "offset", "transmission_hash"))


def test_the_lines_are_those_of_the_message_and_no_others(mixed_run: Run) -> None:
    story = explained(mixed_run, "4jYlHC6jhVz1fPr1")
    hops = ("4jYlHC6jhVz1fPr1", "4jYlHD1bBpz1fPr5")
    log = Path(mixed_run.lake.root).parent / "postfix" / "mail.iso8601.log"
    wanted = [
        line
        for line in log.read_text().splitlines()
        if any(f"]: {hop}: " in line for hop in hops) or f"Queue-ID: {hops[0]}" in line
    ]
    # What came back is signed: lines that tell of no mail of this project's are left out.
    known = [line for line in wanted if "opendkim" not in line and "opendmarc" not in line]
    assert sorted(filter(None, (line.text for line in story.lines))) == sorted(known)


def whole(work: Run, operator: Operator) -> tuple[LakeSearch, Match]:
    """All rows of an operator, as one match."""
    search = LakeSearch(work.lake, work.settings, operator, SearchQuestion("", [operator]))
    tables = (TRANSMISSION, MESSAGE, VERDICT)
    return search, Match(operator, {table: search.find_rows(table, pl.lit(True)) for table in tables})


def test_what_all_messages_add_is_what_gold_has(mixed_run: Run) -> None:
    """Every cell of every table agrees, so each message alone adds what the kernels count of it."""
    seen = set()
    tables = (*COUNT_TABLES, CAMPAIGN, SOURCE_MONTH)
    for operator in mixed_run.settings.operator:
        search, match = whole(mixed_run, operator)
        for cell in find_cells(search, match):
            if cell.table in tables:
                assert {name: cell.totals[name] for name in cell.counts} == cell.counts, cell
                assert not any(value for name, value in cell.totals.items() if name not in cell.counts)
                seen.add((cell.table, operator.id))
        for table in tables:
            rows = search.find_rows(table, pl.lit(True)).height
            assert (rows > 0) == ((table, operator.id) in seen)
    assert len({table for table, _ in seen}) == len(tables) - 1


def test_the_rules_that_are_named_say_what_silver_has(mixed_run: Run) -> None:
    measures = types = 0
    for operator in mixed_run.settings.operator:
        search, match = whole(mixed_run, operator)
        groups = {name: search.find_rows(f"bronze.{name}", pl.lit(True)) for name in search.formats}
        found = find_decisions(search, groups)
        for table, key in ((TRANSMISSION, "transmission_hash"), (VERDICT, "verdict_hash")):
            for row in match.silver_rows(table).to_dicts():
                decided = found.get(row[key])
                if decided is None:
                    continue
                if decided.measure is not None:
                    assert decided.measure.countermeasure_code == row["countermeasure_code"]
                    measures += 1
                if decided.type is not None:
                    assert decided.type.spam_type_code == row["spam_type_code"]
                    types += 1
    assert measures > 100 and types > 20


def test_a_verdict_that_acted_is_named_with_its_rule(mixed_run: Run) -> None:
    acted = (pl.col("outcome_code") == "discarded") & (pl.col("engine_code") == "amavis")
    rows = mixed_run.lake.read(MESSAGE).filter(acted).sort("message_hash")
    story = explained(mixed_run, rows["message_hash"][0])
    because = {reason.table: reason.because for reason in story.reasons}
    assert any(
        text.startswith("measure CONTENT_FILTER, against spam, by rule C") for text in because[VERDICT]
    )
    assert any("(action = " in text for text in because[VERDICT])
    assert "discarded at stage content" in because[MESSAGE][0]
    assert "by the verdict of amavis" in because[MESSAGE][0]


def test_several_matches_are_listed_and_a_key_names_one(mixed_run: Run, observatory: Command) -> None:
    file = settings_file(mixed_run)
    sender = "george@good.example"
    told = observatory("explain", sender, "--config", file)
    assert (told.code, told.err) == (0, "")
    assert f"matches for {sender}" in told.out
    assert "Narrow them with --day, --operator or --source" in told.out
    assert max(map(cell_len, told.out.splitlines())) <= 80
    every = json.loads(observatory("explain", sender, "--json", "--config", file).out)
    assert {row["operator"] for row in every} == {"exim-lab", "postfix-lab"}
    assert [row["at"] for row in every] == sorted(row["at"] for row in every)
    of_one = observatory("explain", sender, "--operator", "exim-lab", "--json", "--config", file)
    found = json.loads(of_one.out)
    assert found == [row for row in every if row["operator"] == "exim-lab"]
    of_source = observatory("explain", sender, "--source", "mx1", "--json", "--config", file)
    assert json.loads(of_source.out) == [row for row in every if row["operator"] == "postfix-lab"]
    one = json.loads(observatory("explain", found[0]["key"], "--json", "--config", file).out)
    assert (one["at"], one["key"], one["outcome"]) == (found[0]["at"], found[0]["key"], found[0]["outcome"])
    none = observatory("explain", sender, "--day", "2026-11-20", "--config", file)
    assert none.code == 2 and "Without --day it looks further." in none.err


def test_the_whole_of_a_message_on_a_terminal(mixed_run: Run, observatory: Command) -> None:
    told = observatory("explain", "1xVr5j-0000000000d-1V8v", "--config", settings_file(mixed_run))
    assert (told.code, told.err) == (0, "")
    for title in ("Lines", "Bronze", "Silver", "Gold"):
        assert f"\n{title}\n" in told.out
    assert (
        "  mainlog  mainlog\n      @187  2026-11-24 14:01:51 1xVr5j-0000000000d-1V8v SA: score=" in told.out
    )
    assert "direction inbound: the client is not own, the recipient is own" in told.out
    assert "  gold.spam_volume_daily\n" in told.out
    assert "not spam under: OPERATOR" in told.out


def test_what_is_nowhere_is_told_with_where_it_looked(mixed_run: Run, observatory: Command) -> None:
    file = settings_file(mixed_run)
    told = observatory("explain", "4jYlXXXXXXz1fXXX", "--config", file)
    assert (told.code, told.out) == (2, "")
    assert "nothing found for '4jYlXXXXXXz1fXXX'. It looked in" in told.err
    assert "operator 'sms-lab': silver and bronze of 2026-11-24 to 2026-11-24" in told.err
    assert "`observatory status`" in told.err
    text = mixed_run.lake.read("bronze.quarantine").filter(pl.col("line_text").str.len_chars() > 20)
    row = text.sort("operator_id", "offset").row(0, named=True)
    told = observatory("explain", row["line_text"][:40], "--config", file)
    line = " ".join(told.err.split())
    assert told.code == 2 and f"`observatory quarantine --operator {row['operator_id']} --source" in line


def test_it_needs_the_key_that_the_lake_was_written_with(
    mixed_run: Run, observatory: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("explain", "1xVr5j-0000000000d-1V8v", "--config", settings_file(mixed_run))
    monkeypatch.setenv("OBSERVATORY_PSEUDONYM_KEY", "another key of the tests, 0123456789")
    from jobs.operators.protect.pseudonym_keys import operator_key

    operator_key.cache_clear()
    told = observatory(*arguments)
    assert told.code == 2 and "are under the key with the id" in told.err
    monkeypatch.delenv("OBSERVATORY_PSEUDONYM_KEY")
    told = observatory(*arguments)
    assert told.code == 2 and "no pseudonym key" in told.err
    operator_key.cache_clear()


@pytest.mark.parametrize(("option", "value"), [("--source", "mx2"), ("--operator", "exim-lob")])
def test_an_unknown_choice_names_the_nearest(
    option: str, value: str, mixed_run: Run, observatory: Command
) -> None:
    told = observatory("explain", "x", option, value, "--config", settings_file(mixed_run))
    assert told.code == 2 and "did you mean" in told.err


# --- one queue id twice, and a refusal that folds --------------------------------------------------------


def message(at: str, queue_id: str, client: str, to: str) -> str:
    return "".join(
        f"2026-11-24T{at}:0{second}+00:00 mx1 postfix/{text}\n"
        for second, text in enumerate(
            (
                f"smtpd[7]: {queue_id}: client=unknown[{client}]",
                f"cleanup[8]: {queue_id}: message-id=<{at}@far.example>",
                f"qmgr[9]: {queue_id}: from=<a@far.example>, size=900, nrcpt=1 (queue active)",
                f"virtual[6]: {queue_id}: to=<{to}>, relay=virtual, delay=1, delays=0/0/0/1, dsn=2.0.0, "
                "status=sent (delivered to maildir)",
                f"qmgr[9]: {queue_id}: removed",
            )
        )
    )


REFUSAL = (
    "2026-11-24T09:00:00+00:00 mx1 postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[192.0.2.9]: 450 4.7.1"
    " <late@example.test>: Recipient address rejected: Greylisted; from=<a@far.example>"
    " to=<late@example.test> proto=ESMTP helo=<far.example>\n"
)
TWICE = "9BEBEACE6F4"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of a lake with bronze and silver of one log."""
    folder = tmp_path_factory.mktemp("small")
    log = [
        REFUSAL,
        message("09:10", "7AB1C2D3E4F", "192.0.2.9", "late@example.test"),
        message("10:00", TWICE, "192.0.2.10", "bob@example.test"),
        message("12:00", TWICE, "192.0.2.11", "alice@example.test"),
    ]
    (folder / "mail.log").write_text("".join(log), encoding="utf-8")
    about = operator_toml(
        "a", "A", "CHE", "a", "CHF", MAIL_NETWORK, source_toml("mx1", "mail.log", "postfix")
    )
    file = folder / "observatory.toml"
    file.write_text(f'[lake]\nroot = "lake"\n{about}', encoding="utf-8")
    from tests.operators.silver.test_hops import run_command

    run_command("pull", "--config", str(file))
    run_command("run", "--config", str(file), "--stage", "bronze", "--stage", "silver")
    return file


def test_a_queue_id_that_came_again_is_two_messages(small: Path, observatory: Command) -> None:
    rows = json.loads(observatory("explain", TWICE, "--json", "--config", small).out)
    assert [row["at"][:16] for row in rows] == ["2026-11-24T10:00", "2026-11-24T12:00"]
    for row, name in zip(rows, ("bob", "alice"), strict=True):
        one = json.loads(observatory("explain", row["key"], "--json", "--config", small).out)
        assert len(one["lines"]) == 5
        assert any(f"to=<{name}@example.test>" in line["text"] for line in one["lines"])
        # Gold is not computed here: the cells are known all the same.
        (cell, *_) = [each for each in one["gold"] if each["table"] == "gold.spam_volume_daily"]
        assert (cell["counts"]["units"], cell["totals"]) == (1, {})


def test_a_refusal_that_was_followed_up_counts_in_what_followed(small: Path, observatory: Command) -> None:
    rows = json.loads(observatory("explain", "late@example.test", "--json", "--config", small).out)
    refused, followed = rows
    assert (refused["outcome"], followed["outcome"]) == ("deferred", "delivered")
    told = observatory("explain", refused["key"], "--config", small)
    assert "a temporary refusal that the same network, sender and recipient followed up" in told.out
    assert "No cell: nothing of it is counted." in told.out


def test_a_line_is_shown_without_what_carries_it(tmp_path: Path) -> None:
    line = "Nov 24 14:16:30 mx1 postfix/qmgr[7]: 4jYlHC6jhVz1fPr1: removed"
    path = tmp_path / "piece.log"
    path.write_bytes(docker("another") + docker(line))
    assert read_line(LocalFileSystem(), str(path), len(docker("another"))) == line


def test_lines_that_landing_no_longer_holds(small: Path, tmp_path: Path, observatory: Command) -> None:
    copied = tmp_path / "small"
    shutil.copytree(small.parent, copied)
    for piece in (copied / "lake" / "landing" / "a" / "mx1").glob("*.log.zst"):
        piece.unlink()
    # Manifests name files by their whole paths.
    manifest = copied / "lake" / "landing" / "a" / "mx1" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(str(small.parent), str(copied)))
    told = observatory("explain", "7AB1C2D3E4F", "--config", copied / "observatory.toml")
    assert told.code == 0 and "(landing no longer holds this line)" in told.out
    assert "delivered at stage delivery" in told.out


def test_a_day_reads_no_files_of_others(small: Path, observatory: Command) -> None:
    day = dt.date(2026, 11, 24)
    told = observatory("explain", "7AB1C2D3E4F", "--day", day, "--config", small)
    assert told.code == 0 and "2026-11-24 09:10:00 UTC" in told.out


def test_json_has_all_that_is_shown(small: Path, observatory: Command) -> None:
    found: dict[str, Any] = json.loads(observatory("explain", "7AB1C2D3E4F", "--json", "--config", small).out)
    assert set(found) == {
        *("operator", "source", "channel", "at", "outcome", "key", "lines", "bronze", "silver", "reasons"),
        *("not_counted", "gold"),
    }
    assert found["bronze"]["bronze.postfix"][0]["queue_id"] == "7AB1C2D3E4F"
    assert found["silver"][MESSAGE][0]["outcome_code"] == "delivered"
