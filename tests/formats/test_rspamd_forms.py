"""Rspamd's history and ClickHouse rows: the same verdicts as its task log, and misleading lines."""

import datetime as dt
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.formats import rspamd
from jobs.formats.rspamd import clickhouse as rspamd_clickhouse
from jobs.formats.rspamd import history as rspamd_history
from tests.support.examples import examples
from tests.support.filter_logs import assert_closed, codes, lab, one, parse, placed, read

HISTORY = "postfix/rspamd_history_redis.jsonl"
CLICKHOUSE = "postfix/clickhouse_posts.txt"


# --- three forms, one verdict --------------------------------------------------------------------------


def forms() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """By message-id, the verdicts of one server in each of its three forms."""
    found = (
        {row["message_id"]: row for row in read(kernel, lab(name))}
        for kernel, name in (
            (rspamd, "postfix/rspamd.log"),
            (rspamd_history, HISTORY),
            (rspamd_clickhouse, CLICKHOUSE),
        )
    )
    log, history, clickhouse = found
    return log, history, clickhouse


def test_the_three_forms_tell_of_the_same_messages() -> None:
    log, history, clickhouse = forms()
    assert (len(log), len(history), len(clickhouse)) == (50, 44, 44)
    assert history.keys() == clickhouse.keys()
    # What a forced result (GTUBE) decided before the scan is in the task log alone: both modules run
    # among the last symbols, which such a message does not reach.
    left_out = [log[mid] for mid in log.keys() - history.keys()]
    assert sorted(row["action"] for row in left_out) == ["add header", *["reject"] * 4, "rewrite subject"]
    assert all(row["symbols"] == ["GTUBE"] for row in left_out)


def test_the_three_forms_agree_field_by_field() -> None:
    log, history, clickhouse = forms()
    places = {"source_id", "stream_id", "offset", "format_code"}
    compared = 0
    for mid, in_history in history.items():
        in_log, in_clickhouse = log[mid], clickhouse[mid]
        differs = {
            name
            for name in in_log
            if name not in places and not in_log[name] == in_history[name] == in_clickhouse[name]
        }
        # Neither form has the queue id and the digest; ClickHouse has no required score.
        for name in ("queue_id", "digest"):
            assert in_log[name] and in_history[name] is in_clickhouse[name] is None
        assert in_history["required_score"] == in_log["required_score"] == 15
        assert in_clickhouse["required_score"] is None
        # The task log cuts scores to two digits.
        assert in_history["score"] == in_clickhouse["score"] == pytest.approx(in_log["score"], abs=0.0101)
        # The log and the history write symbols in different order. ClickHouse had them not enabled, so
        # that those are known which its columns on DKIM, SPF and DMARC stand for; `dnsfail` is two symbols.
        assert sorted(in_log["symbols"]) == sorted(in_history["symbols"])
        assert set(in_clickhouse["symbols"]) <= set(in_log["symbols"])
        about_origin = ("R_DKIM_", "R_SPF_", "DMARC_")
        assert set(in_clickhouse["symbols"]) == {
            name for name in in_log["symbols"] if name.startswith(about_origin)
        } - {"R_SPF_DNSFAIL"}
        # The log rounds down to a microsecond, the history to the nearest, ClickHouse to a millisecond.
        assert abs(in_history["filter_us"] - in_log["filter_us"]) <= 1
        assert in_clickhouse["filter_us"] == in_history["filter_us"] // 1000 * 1000
        # The log has the second in which the scan ended, the others that in which it began.
        assert in_history["verdict_at"] == in_clickhouse["verdict_at"]
        waited = in_log["verdict_at"] - in_history["verdict_at"]
        scan = dt.timedelta(microseconds=in_log["filter_us"])
        assert dt.timedelta(0) <= waited <= scan + dt.timedelta(seconds=1)
        # ClickHouse did not insert subjects, and the task log never has them.
        assert in_log["subject"] is in_clickhouse["subject"] is None
        explained = {"queue_id", "digest", "required_score", "score", "symbols", "filter_us", "verdict_at"}
        explained |= {"subject"}
        assert differs <= explained
        compared += len(in_log.keys() - places - explained)
    assert sum(row["subject"] is not None for row in history.values()) == 24
    # message-id, sender, recipients, address, action, is_spam, size, fuzzy, engine, operator: all alike.
    assert compared == 44 * 10


# --- history -------------------------------------------------------------------------------------------


def row(**fields: Any) -> dict[str, Any]:
    return {
        "size": 812,
        "score": 1.5,
        "is_skipped": False,
        "required_score": 15,
        "thresholds": {"reject": 15, "add header": 6},
        "time_real": 0.007125,
        "action": "add header",
        "sender_smtp": "ann@a.example",
        "rcpt_smtp": ["bob@b.example"],
        "message-id": "m1@a.example",
        "ip": "192.0.2.7",
        "unix_time": 1795529802,
        "symbols": {"R_NA": {"score": 0, "options": ["x"]}, "URL-X.1": {"name": "URL-X.1", "score": 2.5}},
        "user": "unknown",
    } | fields


def fuzzy(*options: str) -> dict[str, Any]:
    """Symbols, a fuzzy one with options among them."""
    denied = {
        "name": "FUZZY_DENIED",
        "score": 12.0,
        "description": "Denied [fuzzy]",
        "options": list(options),
    }
    return {"FUZZY_DENIED": denied, "R_NA": {"name": "R_NA", "options": ["x"]}}


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def test_all_fields_of_a_history_row() -> None:
    assert one(rspamd_history, compact(row(user="ann"))) == {
        "operator_id": "lab",
        "source_id": "f1",
        "stream_id": "a",
        "offset": 0,
        "format_code": "rspamd_history",
        "engine_code": "rspamd",
        "verdict_at": dt.datetime.fromtimestamp(1795529802, dt.UTC),
        "queue_id": None,
        "message_id": "m1@a.example",
        "sender": "ann@a.example",
        "recipients": ["bob@b.example"],
        "client_ip": "192.0.2.7",
        "action": "add header",
        "is_spam": True,
        "score": 1.5,
        "required_score": 15.0,
        "symbols": ["R_NA", "URL-X.1"],
        "digest": None,
        "fuzzy": None,
        "subject": None,
        "message_bytes": 812,
        "filter_us": 7125,
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"sender_smtp": "unknown", "rcpt_smtp": [], "ip": "unknown"}, {"sender": "", "recipients": None}),
        ({"ip": "unknown"}, {"client_ip": None}),
        ({"message-id": "undef"}, {"message_id": None}),
        ({"message-id": "<m@x.example>"}, {"message_id": "m@x.example"}),
        ({"rcpt_smtp": ["a@b.example", "unknown"]}, {"recipients": ["a@b.example"]}),
        ({"action": "to the cellar"}, {"action": "to the cellar", "is_spam": None}),
        ({"action": "soft reject", "score": 11.5}, {"is_spam": False}),
        ({"required_score": None, "score": "nan"}, {"required_score": None, "score": None}),
        ({"symbols": {}}, {"symbols": []}),
        # Texts that look like symbols, in places where a message decides them.
        ({"subject": '","symbols":{"FAKE":{"score":1}},"x":"'}, {"symbols": ["R_NA", "URL-X.1"]}),
        ({"symbols": {"SUBJ": {"options": ['{"FAKE":{', '"FAKE":{']}}}, {"symbols": ["SUBJ"]}),
        ({"unix_time": 1795529802.9, "time_real": 1e-6}, {"filter_us": 1}),
        ({"subject": 'Grüße "aus" Aachen'}, {"subject": 'Grüße "aus" Aachen'}),
        ({"subject": "unknown"}, {"subject": None}),
        (
            {"symbols": fuzzy("1:aaaaaaaaaa:0.71:txt", "1:bbbbbbbbbb:0.93:txt:f7487da4c0")},
            {"fuzzy": "bbbbbbbbbb"},
        ),
        ({"symbols": fuzzy("1:aaaaaaaaaa:1.00:img")}, {"fuzzy": None, "symbols": ["FUZZY_DENIED", "R_NA"]}),
        ({"symbols": {"SUBJ": {"options": ["1:aaaaaaaaaa:1.00:txt", "FUZZY_"]}}}, {"fuzzy": None}),
        ({"subject": '"FUZZY_DENIED":{"options":["1:aaaaaaaaaa:1.00:txt"]}'}, {"fuzzy": None}),
        ({"symbols": fuzzy("1:aaaaaaaaaa:1.00:txt"), "fuzzy_hashes": ["ffff"]}, {"fuzzy": "aaaaaaaaaa"}),
    ],
)
def test_history_trap(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    found = one(rspamd_history, compact(row(**fields)))
    assert {name: found[name] for name in expected} == expected
    # Blanks between the signs of JSON change nothing.
    assert one(rspamd_history, json.dumps(row(**fields))) == found


def test_a_row_of_the_history_in_memory() -> None:
    old = {
        "time": "2026-11-24 14:16:42",
        "unix_time": 1795529802,
        "id": "m1@a.example",
        "ip": "192.0.2.7",
        "action": "no action",
        "score": 1.5,
        "required_score": 15.0,
        "symbols": {"R_NA": {"score": 0.0}},
        "size": 812,
        "scan_time": 0.007125,
    }
    found = one(rspamd_history, compact([old]))
    assert (found["message_id"], found["filter_us"], found["symbols"]) == ("m1@a.example", 7125, ["R_NA"])
    assert found["sender"] is found["recipients"] is None


def test_a_document_tells_the_same_as_its_rows() -> None:
    lines = lab(HISTORY)
    rows = [json.loads(line) for line in lines]
    expected = read(rspamd_history, lines)
    for document in ({"rows": rows, "version": 2}, {"version": 2, "rows": rows}, rows):
        for text in (compact(document), json.dumps(document)):
            parsed = parse(rspamd_history, [text])
            assert parsed["line_code"].to_list() == ["record"]
            found = rspamd_history.verdicts(rspamd_history.assemble(placed(parsed))).collect()
            assert found.drop("offset").to_dicts() == [
                {name: value for name, value in each.items() if name != "offset"} for each in expected
            ]
            # Each verdict has a place of its own.
            assert found["offset"].n_unique() == len(rows)


def test_a_history_that_is_asked_for_twice_counts_once() -> None:
    rows = [row(**{"message-id": f"m{number}@a.example"}) for number in range(5)]
    polls = [compact({"rows": rows[2:], "version": 2}), compact({"rows": rows[:4], "version": 2})]
    assert len(read(rspamd_history, polls)) == 5
    # The same message scanned again is another verdict.
    again = compact(row(**{"message-id": "m1@a.example", "time_real": 0.009}))
    assert len(read(rspamd_history, [*polls, again])) == 6


def test_a_row_that_an_earlier_version_read_is_the_same_verdict() -> None:
    parsed = parse(rspamd_history, [compact(row(symbols=fuzzy("1:aaaaaaaaaa:1.00:txt"), subject="Offer"))])
    now = rspamd_history.assemble(placed(parsed, "b")).collect()
    before = now.with_columns(
        stream_id=pl.lit("a"), subject=pl.lit(None, pl.String), fuzzy=pl.lit(None, pl.String)
    )
    assert rspamd_history.assemble(pl.concat([now, before]).lazy()).collect().height == 1


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        (compact(row())[:-9], "quarantined", "truncated"),
        (compact(row()).replace('"score":1.5', '"score":1.'), "quarantined", "bad_field"),
        (compact(row(unix_time="now")), "quarantined", "bad_timestamp"),
        (compact(row(unix_time=-5)), "quarantined", "bad_timestamp"),
        (compact({"success": True}), "quarantined", "bad_field"),
        (compact(row(action={})), "quarantined", "bad_field"),
        (compact({"rows": [row(), {"x": 1}]}), "quarantined", "bad_field"),
        (compact({"rows": [row(), 7]}), "quarantined", "bad_field"),
        ("[" * 100_000 + "]" * 100_000, "quarantined", "bad_field"),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, "quarantined", "bad_field"),
        ("{", "quarantined", "truncated"),
        ("{}", "quarantined", "bad_field"),
        ("no JSON", "quarantined", "unknown_shape"),
        (compact({"version": 2, "rows": []}), "ignored", None),
        ("[]", "ignored", None),
        ("", "ignored", None),
    ],
)
def test_other_lines_of_a_history(line: str, code: str, reason: str | None) -> None:
    assert codes(rspamd_history, [line]) == [(code, reason)]


@examples(25)
@given(data=st.data())
def test_a_damaged_line_is_quarantined_alone(data: st.DataObject) -> None:
    damage = ["{}", '{"action":[]}', compact(row())[:-1] + "x}", '{"rows":7}', '{"unix_time":1e999}']
    lines = data.draw(st.lists(st.sampled_from([compact(row()), *damage]), min_size=1, max_size=20))
    expected = [
        ("record", None) if line == compact(row()) else ("quarantined", "bad_field") for line in lines
    ]
    assert codes(rspamd_history, lines) == expected


@examples(25)
@given(
    documents=st.lists(st.lists(st.integers(0, 6), max_size=4), max_size=5),
    cuts=st.lists(st.integers(0, 5), max_size=3),
    seed=st.integers(0, 99),
)
def test_documents_survive_every_cut(documents: list[list[int]], cuts: list[int], seed: int) -> None:
    lines = [
        compact({"rows": [row(**{"message-id": f"m{number}@a.example"}) for number in numbers]})
        for numbers in documents
    ]
    assert_closed(rspamd_history, lines, cuts, seed)
    assert len(read(rspamd_history, lines)) == len({number for numbers in documents for number in numbers})


# --- ClickHouse ----------------------------------------------------------------------------------------

INSERT = next(line for line in lab(CLICKHOUSE) if "INSERT INTO rspamd (" in line)
NAMES = INSERT.split("(")[1].split(")")[0].split(",")
FIRST = next(line for line in lab(CLICKHOUSE) if line.startswith("2026-"))


def cells(**changed: str) -> str:
    """A row in the order of Rspamd's INSERT; a name's dot is written as two underscores."""
    given = dict(zip(NAMES, FIRST.split("\t"), strict=True))
    given |= {name.replace("__", "."): value for name, value in changed.items()}
    return "\t".join(given.values())


def test_all_fields_of_a_clickhouse_row() -> None:
    assert one(rspamd_clickhouse, cells(AuthUser="ann", Digest="00ff")) == {
        "operator_id": "lab",
        "source_id": "f1",
        "stream_id": "a",
        "offset": 0,
        "format_code": "rspamd_clickhouse",
        "engine_code": "rspamd",
        "verdict_at": dt.datetime.fromtimestamp(1795529789, dt.UTC),
        "queue_id": None,
        "message_id": "1795529788905942054.4396@good.example",
        "sender": "george@good.example",
        "recipients": ["alice@example.test"],
        "client_ip": "192.0.2.10",
        "action": "no action",
        "is_spam": False,
        "score": -0.8,
        "required_score": None,
        "symbols": ["R_DKIM_NA", "DMARC_POLICY_ALLOW", "R_SPF_ALLOW"],
        "digest": "00ff",
        "fuzzy": None,
        "subject": None,
        "message_bytes": 333,
        "filter_us": 53_000,
    }


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"IP": "203.0.96.0"}, {"client_ip": None}),
        ({"IP": "2001:db8:10::"}, {"client_ip": None}),
        ({"IP": "2001:db8:10::25"}, {"client_ip": "2001:db8:10::25"}),
        ({"IP": "undefined"}, {"client_ip": None}),
        ({"From": "", "FromUser": ""}, {"sender": ""}),
        ({"From": "", "FromUser": "root"}, {"sender": "root@"}),
        ({"SMTPRecipients": "[]"}, {"recipients": None}),
        (
            {"SMTPRecipients": r"['o\'hara@b.example','\"a,b\"@b.example','c\\d@b.example']"},
            {"recipients": ["o'hara@b.example", r"\"a,b\"@b.example", r"c\d@b.example"]},
        ),
        ({"MessageId": r"a\tb\\nc@x.example"}, {"message_id": "a\tb\\nc@x.example"}),
        ({"MessageId": r"\N"}, {"message_id": None}),
        ({"Action": "custom", "CustomAction": "to the cellar"}, {"action": "to the cellar", "is_spam": None}),
        ({"Action": "reject"}, {"is_spam": True}),
        ({"IsDkim": "unknown", "IsDmarc": "quarantine", "IsSpf": "reject"},
         {"symbols": ["DMARC_POLICY_QUARANTINE", "R_SPF_FAIL"]}),
        ({"IsBayes": "spam", "IsFuzzy": "deny", "IsDkim": "dnsfail", "IsDmarc": "unknown", "IsSpf": r"\N"},
         {"symbols": ["BAYES_SPAM", "FUZZY_DENIED"]}),
        ({"TS": "2026-11-24 14:16:29"}, {"verdict_at": dt.datetime(2026, 11, 24, 14, 16, 29, tzinfo=dt.UTC)}),
        ({"Digest": "\x00" * 32}, {"digest": None}),
        ({"Subject": r"Ann\'s offer\tof today"}, {"subject": "Ann's offer\tof today"}),
    ],
)  # fmt: skip
def test_clickhouse_trap(changed: dict[str, str], expected: dict[str, Any]) -> None:
    found = one(rspamd_clickhouse, cells(**changed))
    assert {name: found[name] for name in expected} == expected


def with_symbols(text: str) -> str:
    return text + "\t['A_B','C(D)']\t[1,2.5]\t['x,y','']\t['g']\t[3.5]"


def schema_10(text: str, uuid: str) -> str:
    parts = text.split("\t")
    return "\t".join([*parts[:25], uuid, *parts[25:]])


@pytest.mark.parametrize(
    "text",
    [
        cells(),
        schema_10(cells(), "018f3c1e-7a2b-7c3d-8e4f-0123456789ab"),
        schema_10(cells(), ""),
        cells() + "\tone more\tcolumn",
        cells() + "\r",
    ],
)
def test_layouts_of_rspamds_own(text: str) -> None:
    assert one(rspamd_clickhouse, text) == one(rspamd_clickhouse, cells())


@pytest.mark.parametrize("text", [cells(), schema_10(cells(), "018f3c1e-7a2b-7c3d-8e4f-0123456789ab")])
def test_symbols_where_they_are_enabled(text: str) -> None:
    assert one(rspamd_clickhouse, with_symbols(text))["symbols"] == ["A_B", "C(D)"]


def test_fuzzy_hashes_stand_in_the_options_of_symbols() -> None:
    text = (
        cells()
        + "\t['A','FUZZY_DENIED','B','LOCAL_FUZZY']\t[1,2.5,0,1]"
        + "\t['1:ffffffffff:1.00:txt','1:aaaaaaaaaa:0.71:txt,1:bbbbbbbbbb:0.93:txt','',"
        + "'11:eeeeeeeeee:1.00:img']"
        + "\t['g']\t[3.5]"
    )
    found = one(rspamd_clickhouse, text)
    assert found["fuzzy"] == "bbbbbbbbbb"
    assert found["symbols"] == ["A", "FUZZY_DENIED", "B", "LOCAL_FUZZY"]
    assert one(rspamd_clickhouse, with_symbols(cells()))["fuzzy"] is None


def test_lists_of_hashes_are_no_names_of_symbols() -> None:
    """Schema 11 has columns Fuzzy.*: hash, what was asked for, rule, probability and flag."""
    text = cells() + "\t['aaaaaaaaaa']\t['bbbbbbbbbb']\t['FUZZY_RULE']\t[0.9]\t[1]"
    found = one(rspamd_clickhouse, text)
    assert found["symbols"] == one(rspamd_clickhouse, cells())["symbols"]
    assert found["fuzzy"] is None


def test_columns_are_named_by_the_insert_then_by_the_option_then_by_rspamds_own() -> None:
    names = ["Date", "Score", "TS", "Action", "Size", "MessageId"]
    text = "2026-11-24\t3.5\t1795529789\treject\t812\tm1@a.example"
    insert = f"INSERT INTO rspamd ({','.join(names)}) FORMAT TabSeparated"
    request = "POST /?database=default&query=" + insert.replace(" ", "%20") + " enc=None"
    names_line = "\t".join(["Date", "TS", *sorted(set(names) - {"Date", "TS"})])
    values = dict(zip(names, text.split("\t"), strict=True))
    named = "\t".join(values[name] for name in names_line.split("\t"))
    for lines in ([insert, text], [request, text], [names_line, named]):
        (found,) = read(rspamd_clickhouse, lines)
        assert (found["score"], found["action"], found["message_bytes"]) == (3.5, "reject", 812)
        assert found["client_ip"] is found["sender"] is found["recipients"] is None
    by_option = one(rspamd_clickhouse, text, options={"columns": ", ".join(names)})
    assert by_option["message_id"] == "m1@a.example"
    # The INSERT line wins over the option.
    assert (
        read(rspamd_clickhouse, [INSERT, cells()], options={"columns": ",".join(names)})[0]["score"] == -0.8
    )
    assert codes(rspamd_clickhouse, [text]) == [("quarantined", "truncated")]


def test_rows_for_other_tables_are_ignored() -> None:
    lines = ["INSERT INTO rspamd_version (Version) FORMAT TabSeparated", "2026-11-24\t1", INSERT, cells()]
    assert [code for code, _ in codes(rspamd_clickhouse, lines)] == [
        "ignored",
        "ignored",
        "ignored",
        "record",
    ]


@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        ("\t".join(cells().split("\t")[:30]), "quarantined", "truncated"),
        ("2026-11-24", "quarantined", "truncated"),
        (cells(TS="soon"), "quarantined", "bad_timestamp"),
        (cells(TS="99999999999999"), "quarantined", "bad_timestamp"),
        (cells(Action="explode"), "quarantined", "bad_field"),
        (cells(Action="custom"), "quarantined", "bad_field"),
        (cells(Size="-"), "quarantined", "bad_field"),
        (cells(Score="many"), "quarantined", "bad_field"),
        ("a line of another kind", "quarantined", "unknown_shape"),
        ("### /?database=default&default_format=JSON enc=None", "ignored", None),
        ("SELECT MAX(Version) as v FROM rspamd_version", "ignored", None),
        ("    TS DateTime COMMENT 'Date and time',", "ignored", None),
    ],
)
def test_other_lines_of_clickhouse(line: str, code: str, reason: str | None) -> None:
    assert codes(rspamd_clickhouse, [line]) == [(code, reason)]


def test_a_row_cut_short_is_none_whether_its_insert_is_known_or_not() -> None:
    """Schema 9 ends with columns that no verdict needs: without them a row is cut all the same."""
    for kept in (30, 38, 42):
        row = "\t".join(cells().split("\t")[:kept])
        assert codes(rspamd_clickhouse, [row]) == [("quarantined", "truncated")]
        assert codes(rspamd_clickhouse, [INSERT, row])[1:] == [("quarantined", "truncated")]


@pytest.mark.parametrize(
    "damaged",
    [INSERT.replace(",Score,", ",Sc)re,"), INSERT.replace(",Action,", ",A\x00tion,"), INSERT[:200]],
)
def test_an_insert_that_lacks_a_needed_column_names_none(damaged: str) -> None:
    assert codes(rspamd_clickhouse, [damaged, cells()])[1] == ("record", None)
    assert read(rspamd_clickhouse, [damaged, cells()])[0]["score"] == -0.8


def test_a_block_that_begins_after_its_insert() -> None:
    lines = lab(CLICKHOUSE)
    begin = lines.index(INSERT) + 5
    whole = read(rspamd_clickhouse, lines)
    rest = read(rspamd_clickhouse, lines[begin:])
    ignore = {"offset"}
    assert [{name: value for name, value in each.items() if name not in ignore} for each in rest] == [
        {name: value for name, value in each.items() if name not in ignore} for each in whole[4:]
    ]


# Layouts that another INSERT has: fewer columns, more, and others first.
OTHER_LAYOUTS = [
    [name for name in NAMES if name != "ListId"],
    [name for name in NAMES if name not in ("SettingsId", "IPNet")],
    [*NAMES[:17], "Note", *NAMES[17:]],
    ["Date", "Score", "TS", "Action", "Size", "MessageId", "IP"],
    [*NAMES[:3], *reversed(NAMES[3:])],
]


def laid_out(names: list[str]) -> list[str]:
    """The laboratory's rows as an INSERT with these columns has them."""
    rows = [dict(zip(NAMES, line.split("\t"), strict=True)) for line in lab(CLICKHOUSE) if line[:2] == "20"]
    return ["\t".join(row.get(name, "note") for name in names) for row in rows]


@pytest.mark.parametrize("names", OTHER_LAYOUTS)
@pytest.mark.parametrize("is_with_symbols", [False, True])
def test_a_row_of_another_layout_is_read_by_its_head_or_not_at_all(
    names: list[str], is_with_symbols: bool
) -> None:
    """Rspamd's own layout is never taken for granted where a row does not look like it."""
    more = ["Symbols.Names", "Symbols.Scores", "Symbols.Options", "Groups.Names", "Groups.Scores"]
    lines = [with_symbols(line) for line in laid_out(names)] if is_with_symbols else laid_out(names)
    every = names + more if is_with_symbols else names
    insert = f"INSERT INTO rspamd ({','.join(every)}) FORMAT TabSeparated"
    assert {code for code, _ in codes(rspamd_clickhouse, lines)} == {"quarantined"}
    by_head = [row | {"offset": 0} for row in read(rspamd_clickhouse, lines, head=insert)]
    by_option = read(rspamd_clickhouse, lines, options={"columns": ",".join(every)})
    assert by_head == [row | {"offset": 0} for row in by_option]
    own = read(rspamd_clickhouse, [each for each in lab(CLICKHOUSE) if each[:2] == "20"])
    known = {"MessageId": "message_id", "Score": "score", "Action": "action", "Size": "message_bytes"}
    for column, field in known.items():
        assert column in names
        assert [row[field] for row in by_head] == [row[field] for row in own]
