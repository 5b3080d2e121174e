"""jobs.operators.protect.shapes: what has its column's shape passes the protection, and nothing else does."""

import dataclasses

import polars as pl
import pytest

from jobs.base.tables.contracts import list_tables, polars_schema, read_contract, read_fields
from jobs.operators.protect import shapes
from jobs.operators.protect.operators import OperatorSpace, Protection

KEY = bytes(32)
PROTECTION = Protection(
    (OperatorSpace("op", "CHE", (), (), (), (("HUB", "hub"), ("203.0.113.0/28", "peer"))),), None
)
# As Postfix (long ones, also with many digits) and Exim (before and since 4.97) make them.
QUEUE_IDS = (
    "4jYlH071Srz1fPlf", "4jXRQg21Zzz1fPRf", "4jY1234567z1fPlf", "1tFabc-0001bC-2D",
    "1xVr5j-0000000000d-1V8v",
)  # fmt: skip
# As Postfix makes short ones, and Sendmail: some have seven digits in a row, and all are pseudonyms.
SHORT_IDS = ("3F2A11C0DE", "0A1B2C3D", "3F12345678", "xAOE1rmk027713", "6BOE1rmk027713", "6AUESOb2002530")
# Nobody's id, and what looks like one.
OTHER_IDS = (
    "447700900123", "ann@shop.example", "198.51.100.7", "ann.smith", "joesmith12345", "4cYq AA", "",
    "8613800138000", "A447700900123", "447700-900123-00", "123456-001234-56", "MARCELLA12345",
    "ABIGAIL123456", "BOB12345", "DEADBEEF", "smiths-cooper-jr", "ESME_447700", "447700900123z1", *SHORT_IDS,
)  # fmt: skip


@pytest.mark.parametrize("id", QUEUE_IDS)
def test_a_queue_id_stays(id: str) -> None:
    assert shapes.queue_ids(pl.Series([id, None]), KEY).to_list() == [id, None]
    hosts = ("|", "mx1|", "mx-12.isp.example|", "mx1|postfix-out|", "ann.smith|", "198.51.100.7|")
    keys = shapes.queue_keys(pl.Series([None, *(f"{host}{id}" for host in hosts)]), KEY).to_list()
    assert keys[0] is None
    assert {key.split("|")[1] for key in keys[1:]} == {id}
    names = {key.split("|")[0] for key in keys[1:]}
    assert len(names) == len(hosts) and {len(name) for name in names} == {12}


@pytest.mark.parametrize("id", OTHER_IDS)
def test_what_is_no_queue_id_is_a_pseudonym_that_still_joins(id: str) -> None:
    one = shapes.queue_ids(pl.Series([id, QUEUE_IDS[0]]), KEY)
    other = shapes.queue_ids(pl.Series([QUEUE_IDS[0], None, id]), KEY)
    assert len(one[0]) == 32 and one[0] == other[2] and one[1] == other[0] == QUEUE_IDS[0]
    assert shapes.queue_ids(pl.Series([id]), bytes(31) + b"1")[0] != one[0]
    keys = shapes.queue_keys(pl.Series([f"mx1|{id}", f"mx2|{id}", f"mx1|{id}"]), KEY)
    assert keys.str.len_bytes().to_list() == [32, 32, 32] and keys[0] == keys[2] != keys[1]


def passed(column: str, *values: object) -> list[object]:
    """The values that a column of some table of silver lets pass."""
    table = next(table for table in DOOR_TABLES if column in read_contract(table).columns)
    rows = pl.DataFrame({column: values}, schema={column: polars_schema(table)[column]})
    return shapes.enforce_shapes(rows, table, PROTECTION)[column].to_list()


DOOR_TABLES = [table for table in list_tables() if table.startswith("silver.") and read_contract(table).reads]


@pytest.mark.parametrize("table", [table for table in list_tables() if table.startswith("silver.")])
def test_each_text_and_number_of_silver_states_what_may_pass(table: str) -> None:
    for field in read_contract(table).fields:
        if "string" in field.type:
            stated = shapes.column_shapes(field)
            assert None not in stated.values(), f"{field.name}: state its shape in schemas/fields.yaml"
            assert all(shape == "own" or shapes.shape_check(str(shape)) for shape in stated.values())
            texts = [name for name, kind in parts_of(field.type) if kind == "string"]
            assert sorted(stated) == sorted(texts)
        elif any(kind in field.type for kind in ("int", "double")):
            assert field.shape == "own" or field.most, f"{field.name}: state the most in schemas/fields.yaml"


def parts_of(kind: str) -> list[tuple[str, str]]:
    """Names and types of the fields of a struct, or of a list of such; of others the type without a name."""
    if "struct<" not in kind:
        return [("", "string")]
    return [tuple(each.split(":")) for each in kind.split("struct<")[1].rstrip(">").split(",")]  # type: ignore[misc]


def test_a_column_without_a_stated_shape_is_refused() -> None:
    bare = dataclasses.replace(read_fields()["reply_code"], shape=None)
    with pytest.raises(AssertionError, match="states no shape of reply_code"):
        shapes.fitting_texts(bare, pl.col("reply_code"), PROTECTION)


def test_codes_pass() -> None:
    replies = ("550", "404", "0x00000045", "0x45", "UNDELIV", "failed_esme", "map_error 27", "rp_cause 38")
    assert passed("reply_code", *replies) == [*replies]
    assert passed("dsn_code", "5.7.1", "2.0.0", "4.7.500") == ["5.7.1", "2.0.0", "4.7.500"]
    actions = ("no action", "add header", "Blocked SPAM", "identified spam", "_U")
    assert passed("action_name", *actions) == [*actions]
    assert passed("inbound_link_id", "HUB", "203.0.113.0/28", "HUB2") == ["HUB", "203.0.113.0/28", None]
    parties = ("op", "HUB", "228-01", "shop.example", "_U")
    assert passed("destination_operator_id", *parties) == [*parties]
    networks = ("192.0.2.0/24", "2001:db8:7::/48", "192.0.2.1", "192.0.2.1/32")
    assert passed("client_network", *networks) == [*networks[:2], None, None]
    assert passed("origin_claimed_code", "CHE", "ZZZ") == ["CHE", None]
    domains = ("shop.example", "nn--masked.example", "xn--bcher-kva.example", "shop", "447700900123.example")
    assert passed("sender_domain", *domains) == [*domains[:3], None, None]
    longest = ".".join([*["x" * 63] * 3, "x" * 53, "example"])
    assert passed("sender_domain", longest, f"{longest}x") == [longest, None]


TELLING = (
    "447700900123", "+447700900123", "0x447700900123", "A447700900123", "call 447700900123", "4 4 7 7 0 0",
    "ann@shop.example", "198.51.100.7", "2001:db8::7", "see http://shop.example/a", "a\nb",
    "ann_smith", "ANN_SMITH", "Ann-Smith", "Ann called", "ann",
)  # fmt: skip


@pytest.mark.parametrize("table", DOOR_TABLES)
def test_what_tells_somebody_passes_in_no_column(table: str) -> None:
    """No text that identifies somebody passes, whatever a kernel or the protection puts into a column."""
    schema = polars_schema(table)
    rows = pl.DataFrame(
        {name: [planted(text, kind) for text in TELLING] for name, kind in schema.items()}, schema=schema
    )
    left = shapes.enforce_shapes(rows, table, PROTECTION)
    assert left.schema == rows.schema
    for field in read_contract(table).fields:
        if set(shapes.column_shapes(field).values()) != {"own"} and "string" in field.type:
            found = left[field.name].explode() if field.type.startswith("array") else left[field.name]
            parts = found.struct.unnest() if isinstance(found.dtype, pl.Struct) else found.to_frame()
            texts = parts.select(pl.col(pl.String))
            assert texts.null_count().row(0) == (texts.height,) * texts.width, field.name


def planted(text: str, kind: pl.DataType) -> object:
    if kind == pl.String:
        return text
    if isinstance(kind, pl.List) and kind.inner == pl.String:
        return [text]
    if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct):
        return [{each.name: planted(text, each.dtype) for each in kind.inner.fields}]  # type: ignore[arg-type]
    return None


def test_a_number_that_is_no_measure_goes() -> None:
    assert passed("message_bytes", 812, 447700900123, None) == [812, None, None]
    assert passed("filter_us", 1_000_000, 447700900123 * 1_000) == [1_000_000, None]
    assert passed("score", 1.5, -1e12) == [1.5, None]
    assert passed("recipient_count", 10**6, 10**6 + 1, -(10**6) - 1) == [10**6, None, None]
    # What a table needs is the most that can be.
    assert passed("message_count", 3, 447700900123) == [3, 2**31 - 1]


def test_names_of_tests_that_rules_know_stay_and_others_go() -> None:
    names = ["GTUBE", "R_DKIM_ALLOW", "SPF_PASS"]
    lists = [names, [], None, [names[0], *TELLING, "LOCAL_20261124", names[1]]]
    assert passed("symbols", *lists) == [names, [], None, names[:2]]
    assert passed("symbols", *lists[:3]) == lists[:3]


def test_an_element_of_another_shape_goes_and_its_neighbours_stay() -> None:
    checks = [{"domain": "shop.example", "result_code": "pass"}, {"domain": "ann", "result_code": "Ann"}]
    assert passed("dkim_checks", checks) == [[checks[0], {"domain": None, "result_code": None}]]
