"""Whole runs against damage, kills, orders and prying eyes, on the lab logs."""

import datetime as dt
import gzip
import json
import pickle
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from jobs.base.core.errors import ValidationHeld
from jobs.base.settings import config
from jobs.base.settings.operator import SourceSettings
from jobs.base.store.lake import Lake
from jobs.base.tables import contracts
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.build.run import Run
from jobs.operators.build.settings_tables import read_reference
from jobs.operators.gold import spam_type_daily
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.protect.operators import Protection
from jobs.operators.protect.pseudonym_keys import operator_key
from jobs.operators.runs import quality, runner
from jobs.operators.runs.runner import run_stages
from jobs.operators.silver.frames import SILVER
from tests.conftest import KEY, ROOT
from tests.support.whole_runs import (
    CYPRIOT_MOBILE,
    MAIL_NETWORK,
    killed_when,
    operator_toml,
    rows_in,
    source_toml,
)

pytestmark = pytest.mark.long

LAB = ROOT / "sample_data" / "lab"
MAIL, FILTER = LAB / "postfix" / "mail.iso8601.log", LAB / "postfix" / "rspamd.log"
SMS = LAB / "kannel" / "bearerbox-access.log"
# A file that has something of everything: NULs, CRLF, Latin-1, broken UTF-8, a line of 10 MB, a clock that
# jumps back, a line cut in the middle.
ODD = (
    b"2026-11-24T14:00:00+00:00 mx9 postfix/smtpd[7]: connect from unknown[192.0.2.9]\r\n"
    b"2026-11-24T14:00:01+00:00 mx9 postfix/smtpd[7]: 4jYl9Z1ZHVz1fPrl: client=unknown[192.0.2.9]\n"
    b"2026-11-24T14:00:01+00:00 mx9 postfix/cleanup[8]: 4jYl9Z1ZHVz1fPrl: message-id=<caf\xe9@odd.example>\n"
    b"2026-11-24T14:00:02+00:00 mx9 postfix/qmgr[9]: 4jYl9Z1ZHVz1fPrl: from=<a@odd.example>, size=900, "
    b"nrcpt=1 (queue active)\n"
    b"2026-11-24T13:00:00+00:00 mx9 postfix/qmgr[9]: \xff\xfe\xf0\x9f: gar\0bled\n"
    b"\0\0\0\0\n" + b"x" * 10_000_000 + b"\n"
    b"2026-11-24T13:00:01+00:00 mx9 postfix/smtp[6]: 4jYl9Z1ZHVz1fPrl: to=<b@far.example>, "
    b"relay=far.example[198.51.100.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
    b"2026-11-24T14:00:04+00:00 mx9 postfix/qm"
)
# One more message of the lab's mail provider.
LATE = (
    b"2026-11-24T15:00:01+00:00 mx9 postfix/smtpd[7]: 4jYmB11ZHVz1fPrl: client=unknown[192.0.2.9]\n"
    b"2026-11-24T15:00:01+00:00 mx9 postfix/qmgr[9]: 4jYmB11ZHVz1fPrl: from=<a@odd.example>, size=900, "
    b"nrcpt=1 (queue active)\n"
    b"2026-11-24T15:00:02+00:00 mx9 postfix/smtp[6]: 4jYmB11ZHVz1fPrl: to=<b@far.example>, "
    b"relay=far.example[198.51.100.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)\n"
    b"2026-11-24T15:00:03+00:00 mx9 postfix/qmgr[9]: 4jYmB11ZHVz1fPrl: removed\n"
)


def settings_of(
    folder: Path, mail: str, verdicts: str, sms: str, more: str = "", lake: Path | None = None
) -> config.Observatory:
    """Settings of two operators with the lab logs, and what a test adds. Kept as folder/observatory.toml."""
    mail_operator = operator_toml(
        *("lab-mail", "Lab mail provider", "CHE", "lab", "CHF", MAIL_NETWORK),
        *(source_toml("mx1", mail, "postfix"), source_toml("filter", verdicts, "rspamd")),
    )
    sms_operator = operator_toml(
        *("lab-sms", "Lab SMS operator", "CYP", "lab", "EUR", CYPRIOT_MOBILE),
        *('[[operator.link]]\nname = "SMPP-INTL"\nkind = "hub"\n', source_toml("bearerbox", sms, "kannel")),
    )
    text = f"""
[lake]
root = "{lake or folder / "lake"}"
[limits]
quarantined_pct = 40
{mail_operator}
{sms_operator}
{more}
"""
    folder.mkdir(exist_ok=True)
    (folder / "observatory.toml").write_text(text, encoding="utf-8")
    return load_with_options(folder / "observatory.toml")


def work_of(settings: config.Observatory) -> Run:
    now = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S.%f}"
    lake = Lake(settings.lake.root)
    return Run(lake, settings, list(settings.operator), now, report_step=lambda text: None)


def run_all(settings: config.Observatory) -> tuple[Run, list[str]]:
    """Pull and run everything; the run, and the problems that pull told."""
    problems = []
    for operator in settings.operator:
        problems += pull_operator(operator, settings.lake.root, dt.datetime.now(dt.UTC)).problems
    work = work_of(settings)
    run_stages(work)
    return work, problems


def rows_as_objects(lake: Lake, table: str) -> list[SimpleNamespace]:
    return [SimpleNamespace(**row) for row in lake.read(table).to_dicts()]


def rows_of(lake: Lake, tables: Iterable[str], but: Iterable[str] = ()) -> dict[str, list[str]]:
    """The tables' rows of the lab's two operators, as sorted JSON."""
    return rows_in(lake, tables, but, pl.col("operator_id").str.starts_with("lab-"))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[str]]:
    """A run over the lab logs, and beside them a third operator with all that can be wrong with a source."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "logs").mkdir()
    packed = gzip.compress(MAIL.read_bytes())
    files = {
        "torn.gz": packed[: len(packed) // 2],
        "binary.dat": bytes(range(256)) * 400,
        "empty.log": b"",
        "odd.log.1": ODD,
    }
    for name, data in files.items():
        (folder / "logs" / name).write_bytes(data)
    sources = [
        source_toml("gone", f"{folder}/logs/gone*", "postfix"),
        source_toml("torn", f"{folder}/logs/torn.gz", "postfix"),
        source_toml("binary", f"{folder}/logs/binary.dat", "auto"),
        source_toml("empty", f"{folder}/logs/empty.log", "postfix"),
        source_toml("odd", f"{folder}/logs/odd.log*", "postfix"),
    ]
    more = operator_toml("faulty", "Faulty", "FRA", "faulty", "EUR", *sources)
    return run_all(settings_of(folder, str(MAIL), str(FILTER), str(SMS), more))


@pytest.fixture
def copied(faulty: tuple[Run, list[str]], tmp_path: Path) -> Iterator[Run]:
    """A copy of that lake, to be spoilt."""
    work, _ = faulty
    shutil.copytree(work.lake.root, tmp_path / "lake")
    at = work.settings.lake.model_copy(update={"root": str(tmp_path / "lake")})
    yield work_of(work.settings.model_copy(update={"lake": at}))


def test_what_is_wrong_is_named_and_the_rest_goes_on(faulty: tuple[Run, list[str]]) -> None:
    work, problems = faulty
    assert len(problems) == 3
    gone, torn, binary = problems
    assert "'gone'" in gone and "no file matches" in gone
    assert "'torn'" in torn and "torn.gz is damaged" in torn
    assert "'binary'" in binary and "no known format" in binary
    ledger = {(row.operator_id, row.source_id): row for row in rows_as_objects(work.lake, "bronze.file")}
    assert set(ledger) == {
        ("lab-mail", "mx1"), ("lab-mail", "filter"), ("lab-sms", "bearerbox"), ("faulty", "torn"),
        ("faulty", "odd"),
    }  # fmt: skip
    for row in ledger.values():
        assert row.line_count == row.record_count + row.ignored_count + row.quarantined_count > 0
    for path, key in (
        (MAIL, ("lab-mail", "mx1")),
        (FILTER, ("lab-mail", "filter")),
        (SMS, ("lab-sms", "bearerbox")),
    ):
        assert ledger[key].line_count == path.read_bytes().count(b"\n")
        assert ledger[key].damage_text is None
    assert "EOFError" in ledger["faulty", "torn"].damage_text
    odd = ledger["faulty", "odd"]
    assert odd.line_count == ODD.count(b"\n") + 1
    refused = rows_as_objects(work.lake, "bronze.quarantine")
    assert len(refused) == sum(row.quarantined_count for row in ledger.values())
    assert all(row.reason_code for row in refused)
    assert [row.line_bytes for row in refused if row.reason_code == "too_long"] == [10_000_001]
    # The message of the odd file was counted, for all that stands around it.
    mail = work.lake.read("silver.message").filter(source_id="odd")
    assert mail.select("outcome_code", "recipient_domain").rows() == [("delivered", "far.example")]
    assert not (Path(work.lake.root) / "_intent").exists() or not list(
        (Path(work.lake.root) / "_intent").iterdir()
    )


def test_a_wrong_format_holds_its_operator_alone_and_says_why(
    copied: Run, faulty: tuple[Run, list[str]], tmp_path: Path
) -> None:
    work, _ = faulty
    (tmp_path / "late.log").write_bytes(LATE)
    added = {"lab-mail": ("late", tmp_path / "late.log", "postfix"), "faulty": ("wrong", FILTER, "kannel")}
    operators = []
    for each in copied.operators:
        if each.id in added:
            name, url, format = added[each.id]
            new = SourceSettings(id=name, url=str(url), format=format)
            each = each.model_copy(update={"source": [new]})
            assert pull_operator(each, copied.lake.root, dt.datetime.now(dt.UTC)).problems == []
        operators.append(each)
    settings = copied.settings.model_copy(update={"operator": operators})
    copied = replace(copied, operators=operators, settings=settings)
    shown = ("silver.message", "gold.spam_volume_daily")
    before = {name: rows_in(copied.lake, shown, where=pl.col("operator_id") == name) for name in added}
    with pytest.raises(ValidationHeld) as held:
        run_stages(copied)
    assert held.value.exit_code == 1
    message = str(held.value)
    for word in ("bronze.file", "quarantine_within_limit", "1 row", "operator_id=faulty", "source_id=wrong"):
        assert word in message
    [ledger] = copied.lake.read("bronze.file").filter(source_id="wrong").to_dicts()
    assert ledger["quarantined_count"] > ledger["line_count"] / 2
    kept = json.loads((Path(copied.lake.root) / "_validation" / f"{copied.run_id}.json").read_text())
    assert [each["rule"] for each in kept["results"] if not each["is_held"]] == ["quarantine_within_limit"]
    after = {name: rows_in(copied.lake, shown, where=pl.col("operator_id") == name) for name in added}
    assert after["faulty"] == before["faulty"]
    assert len(after["lab-mail"]["silver.message"]) == len(before["lab-mail"]["silver.message"]) + 1
    assert after["lab-mail"]["gold.spam_volume_daily"] != before["lab-mail"]["gold.spam_volume_daily"]
    # Its format put right, the operator's lines come after.
    right = [
        each.model_copy(
            update={"source": [source.model_copy(update={"format": "rspamd"}) for source in each.source]}
        )
        if each.id == "faulty"
        else each
        for each in operators
    ]
    again = replace(work_of(copied.settings.model_copy(update={"operator": right})), requarantine=True)
    run_stages(again, ["bronze", "silver"])
    verdicts = again.lake.read("silver.verdict").filter(source_id="wrong").height
    assert verdicts == work.lake.read("silver.verdict").filter(source_id="filter").height > 0


def test_invalid_gold_leaves_gold_as_it_was(copied: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    partial = spam_type_daily.partial

    def wrong(*inputs: pl.DataFrame) -> pl.DataFrame:
        is_one = (pl.col("operator_id") == "lab-mail") & (pl.col("spam_possible") > 0)
        broken = pl.when(is_one).then(pl.col("spam_possible") + 1).otherwise("spam_certain")
        return partial(*inputs).with_columns(spam_certain=broken)

    monkeypatch.setattr(spam_type_daily, "partial", wrong)
    # Workers have the module as it is: the tasks run in this process.
    monkeypatch.setattr(runner, "LITTLE", 1 << 40)
    # Nothing that gold is computed from is new but its code: it is asked for.
    asked = replace(copied, since=dt.date(2026, 11, 1))
    before = copied.lake.versions()
    rows = rows_of(copied.lake, GOLD)
    types = copied.lake.read("gold.spam_type_daily")
    broken = types.filter(pl.col("operator_id") == "lab-mail", pl.col("spam_possible") > 0)
    with pytest.raises(ValidationHeld) as held:
        run_stages(asked, ["gold"])
    assert held.value.exit_code == 1
    message = str(held.value)
    rule = next(
        name for name, text in contracts.read_contract("gold.spam_type_daily").checks if "possible" in text
    )
    assert f"gold.spam_type_daily: rule {rule} is broken on {broken.height} rows" in message
    assert "operator_id=lab-mail, period_date=2026-11-24" in message
    assert copied.lake.versions() == before
    published = {name: version for name, version in before.items() if name in GOLD}
    assert {name: copied.lake.version(name) for name in published} == published
    assert rows_of(copied.lake, GOLD) == rows


def test_killed_and_run_again_gives_the_same_tables(faulty: tuple[Run, list[str]], tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "k", str(MAIL), str(FILTER), str(SMS))
    lake = tmp_path / "k" / "lake"
    killed_when(tmp_path / "k" / "observatory.toml", "_staging/*/*.arrow")
    assert list(lake.glob("_intent/*.json"))
    assert not (lake / "meta").exists()
    killed_when(tmp_path / "k" / "observatory.toml", "silver/*/_delta_log/*0.json")
    assert not (lake / "gold").exists()
    work, problems = run_all(settings)
    assert problems == []
    tables = (*SILVER, *GOLD)
    assert rows_of(work.lake, tables) == rows_of(faulty[0].lake, tables)
    assert not list(lake.glob("_intent/*")) and not list(lake.glob("_staging/*"))
    lines = sum(path.read_bytes().count(b"\n") for path in (MAIL, FILTER, SMS))
    assert work.lake.read("bronze.file")["line_count"].sum() == lines


def test_any_order_of_parts_gives_the_same_tables(faulty: tuple[Run, list[str]], tmp_path: Path) -> None:
    """Two halves of each log over two runs, the first half first or last; verdicts late or early."""
    halves: dict[str, list[bytes]] = {}
    for path in (MAIL, SMS):
        data = path.read_bytes()
        middle = data.index(b"\n", len(data) // 2) + 1
        halves[path.name] = [data[:middle], data[middle:]]
    found = []
    for name, order in (("forth", (0, 1)), ("back", (1, 0))):
        logs = tmp_path / name / "logs"
        logs.mkdir(parents=True)
        settings = settings_of(tmp_path / name, f"{logs}/mail*", f"{logs}/rspamd*", f"{logs}/bearerbox*")
        for step, half in enumerate(order):
            for log, parts in halves.items():
                (logs / f"{log}.{2 - half}").write_bytes(parts[half])
            # Verdicts come with the second half of the mail: after it once, before it once.
            if half == 1:
                shutil.copy(FILTER, logs)
            work, problems = run_all(settings)
            assert len(problems) == (1 if (step, half) == (0, 0) else 0)
        found.append(rows_of(work.lake, (*SILVER, *GOLD)))
    assert found[0] == found[1]
    whole = rows_of(faulty[0].lake, GOLD)
    assert {table: found[0][table] for table in GOLD} == whole
    # The lab has no links, so that no route can show a sign of bypass.
    assert [table for table, rows in whole.items() if not rows] == ["gold.bypass_indicator_daily"]


def identifiers() -> dict[str, set[str]]:
    """Everything in the lab logs that tells of a person, by kind."""
    mail = (MAIL.read_text() + FILTER.read_text()).lower()
    sms = SMS.read_text()
    truth = [json.loads(line) for line in (LAB / "postfix" / "truth.jsonl").read_text().splitlines()]
    addresses = set(re.findall(r"[\w.+=-]+@[\w-]+(?:\.[\w-]+)+", mail))
    ips = set(re.findall(r"(?<![\d.])(?:192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}(?![\d.])", mail))
    return {
        "address": addresses,
        "local part": {address.split("@")[0] + "@" for address in addresses},
        "ip": {ip for ip in ips if not ip.endswith(".0")}
        | set(re.findall(r"2001:db8:[\da-f:]*[\da-f]", mail)),
        "number": set(re.findall(r"(?<=\+)\d{7,15}", sms)),
        "text": set(re.findall(r"\[msg:\d+:([^\]]{12,})\]", sms)),
        "user name": set(re.findall(r"sasl_username=([^\s,]+)", mail))
        | set(re.findall(r"\[ACT:([^\]]{4,})\]", sms)),
        "subject": {each["subject"] for each in truth if len(each.get("subject") or "") > 8},
    }


def decoded(values: Any) -> Iterator[str]:
    """Every value in a row, however deep it lies."""
    if isinstance(values, dict):
        values = values.values()
    if isinstance(values, (list, tuple)) or type(values).__name__ == "dict_values":
        for each in values:
            yield from decoded(each)
    elif values is not None:
        yield str(values)


def text_of(lake: Lake, tables: Iterable[str]) -> str:
    found: set[str] = set()
    for table in tables:
        for row in lake.read(table).to_dicts():
            found.update(decoded(row))
    return "\n".join(sorted(found)).lower()


def test_no_identifier_is_past_bronze(faulty: tuple[Run, list[str]]) -> None:
    work, _ = faulty
    wanted = {kind: {each.lower() for each in some} for kind, some in identifiers().items()}
    # The search finds what is there: bronze has nearly all of it, the subjects apart that no log shows.
    raw = text_of(work.lake, ("bronze.postfix", "bronze.rspamd", "bronze.kannel"))
    for kind, least in (("address", 300), ("ip", 10), ("number", 20), ("text", 20), ("user name", 1)):
        assert sum(each in raw for each in wanted[kind]) >= min(least, max(1, len(wanted[kind]) // 2)), kind
    root = Path(work.lake.root)
    logs = [
        path for layer in ("silver", "gold", "meta") for path in (root / layer).rglob("_delta_log/*.json")
    ]
    kept = list((root / "_validation").glob("*.json"))
    assert logs and kept
    past = text_of(work.lake, (*SILVER, *GOLD, "meta.run"))
    past += "".join(path.read_text(encoding="utf-8").lower() for path in [*logs, *kept])
    # Domains and networks may stand, and do.
    assert "bulk.example" in past and "203.0.113.0/24" in past
    leaked = {kind: sorted(each for each in some if each in past) for kind, some in wanted.items()}
    assert leaked == {kind: [] for kind in wanted}


def test_the_key_is_nowhere(faulty: tuple[Run, list[str]]) -> None:
    work, _ = faulty
    keys = [KEY.encode()]
    for operator in work.operators:
        own = operator_key(operator.id)
        keys += [own, own.hex().encode()]
    files = [path for path in Path(work.lake.root).rglob("*") if path.is_file()]
    assert len(files) > 50
    for path in files:
        data = path.read_bytes()
        assert not any(key in data for key in keys), path
    protection = Protection.read_operators(read_reference(work.settings, "ref.operator"))
    assert not any(key in pickle.dumps(protection) for key in keys)


def units_of(lake: Lake, table: str, where: pl.Expr) -> int:
    """The units of a table's rows, as the last finished stage left them."""
    by_operator = where & (pl.col("definition_code") == "OPERATOR")
    rows = lake.read(table, lake.versions().get(table), where=by_operator)
    return int(rows["units"].sum())


def counted_and_corrected(lake: Lake) -> tuple[int, int]:
    """Return the units that the volumes count, and those of the rows that correct them."""
    stayed = pl.col("direction_code").is_in(["inbound", "internal"])
    stayed &= pl.col("unit_code").is_in(["recipient", "attempt"])
    whole = pl.col("breakdown_code") == "_T"
    return units_of(lake, quality.VOLUME, stayed), units_of(lake, quality.CORRECTED, whole)


def test_counts_and_what_corrects_them_are_named_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies when it has written both leaves both as they were, and the next one does both."""
    log = tmp_path / "sms.log"
    lines = SMS.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[: len(lines) // 2]))
    settings = settings_of(tmp_path / "k", str(tmp_path / "none"), str(tmp_path / "none"), str(log))
    run_all(settings)
    lake = Lake(settings.lake.root)
    before = counted_and_corrected(lake)
    assert before[0] == before[1] > 0
    log.write_bytes(b"".join(lines))
    store = quality.store_changed

    def dying(*given: Any) -> None:
        store(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(quality, "store_changed", dying)
        with pytest.raises(KeyboardInterrupt):
            run_all(settings)
    assert counted_and_corrected(lake) == before
    run_all(settings)
    after = counted_and_corrected(lake)
    assert after[0] == after[1] > before[0]
