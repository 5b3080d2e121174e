"""Rspamd's rows for ClickHouse: fields, layouts, and misleading lines."""

import datetime as dt

import pytest

from jobs.operators.formats.rspamd.clickhouse import FORMAT as rspamd_clickhouse
from tests.support.filter_logs import codes, lab, one, read

CLICKHOUSE = "postfix/clickhouse_posts.txt"

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


def test_a_digest_that_was_never_set() -> None:
    """A FixedString that was never set is zeros."""
    assert one(rspamd_clickhouse, cells(Digest="\x00" * 32))["digest"] is None


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
