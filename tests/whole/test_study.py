"""The whole way on the sample study: every gold figure equals what the generator says it wrote."""

import collections
import gzip
import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from rich.console import Console

from jobs.base.costs import simulation
from jobs.base.costs.prices import FixedCost
from jobs.base.figures import words
from jobs.base.tables.contracts import read_contract, reference_table
from jobs.base.tables.sql import parse_expression
from jobs.cli.operators import main_figures
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.build.run import Run
from jobs.operators.report.write import update_page
from jobs.operators.runs import quality
from jobs.operators.runs.runner import run_stages
from jobs.operators.silver.frames import SILVER
from tests.conftest import ROOT
from tests.support.documents import README, is_shown, sessions
from tests.support.study import pull_again, run_study

pytestmark = pytest.mark.long

FIRST = ("operator_id", "period_date", "channel_code", "countermeasure_code")
VOLUME = ("operator_id", "period_date", "channel_code", "direction_code", "stage_code", "outcome_code")
# The kinds of the SMS operators' links, as sample_data/observatory.toml has them.
LINKS = {
    "channel-sms": {"HOME-GB": "on-net", "PEER-GB": "peer", "HUB-INTL": "hub", "AGG-WEST": "aggregator"},
    "hexagone-sms": {"HOME-FR": "on-net", "PEER-FR": "peer", "HUB-SUD": "hub", "AGG-EST": "aggregator"},
}
BLOCKED = ("rejected", "discarded", "quarantined", "tagged", "deferred")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_study(tmp_path_factory.mktemp("study") / "lake")


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    with gzip.open(ROOT / "sample_data" / "study" / "truth.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)


@pytest.fixture(scope="module")
def facts(truth: dict[str, Any]) -> list[dict[str, Any]]:
    facts = truth["facts"]
    # A report to 7726 is a complaint about another message, not a message that was handled.
    return [fact for fact in facts if fact["countermeasure_code"] != "USER_REPORT"]


def frame_of(study: Run, table: str, where: str = "TRUE") -> pl.DataFrame:
    return study.lake.read(table, where=parse_expression(where))


def rows_of(study: Run, table: str, where: str = "TRUE") -> list[SimpleNamespace]:
    return [SimpleNamespace(**row) for row in frame_of(study, table, where).to_dicts()]


def verdict_of(fact: dict[str, Any]) -> tuple[int, int]:
    """Return OPERATOR's verdict on a fact: certain and possible, worked out by hand from the definition."""
    # What the filter marked stays marked, whatever became of it.
    is_marked = fact["countermeasure_code"] == "CONTENT_FILTER"
    if fact["is_antispam"] is False or not (is_marked or fact["outcome_code"] in BLOCKED):
        return 0, 0
    return (1, 1) if fact["is_antispam"] else (0, 1)


def wanted(facts: list[dict[str, Any]], *more: str) -> dict[tuple[str, ...], tuple[int, int, int]]:
    """Units, certain and possible of the truth, by volume key, unit and further columns."""
    totals: dict[tuple[str, ...], list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    for fact in facts:
        certain, possible = verdict_of(fact)
        cell = totals[tuple(str(fact[name]) for name in (*VOLUME, "grain", *more))]
        for place, factor in enumerate((1, certain, possible)):
            cell[place] += factor * fact["count"]
    return {key: (cell[0], cell[1], cell[2]) for key, cell in totals.items() if cell[0]}


def found(study: Run, table: str, *more: str) -> dict[tuple[str, ...], tuple[int, int, int]]:
    """Units, certain and possible in gold, of the generated operators under OPERATOR, by the keys of
    wanted()."""
    frame = frame_of(study, table, "definition_code = 'OPERATOR' AND operator_id NOT LIKE 'lab-%'")
    key = [*VOLUME, "unit_code", *more]
    measures = ("units", "spam_certain", "spam_possible")
    rows = frame.group_by(key).agg(pl.col(measures).sum()).to_dicts()
    return {
        tuple(str(row[name]) for name in key): (row["units"], row["spam_certain"], row["spam_possible"])
        for row in rows
    }


def test_volume_equals_the_truth(study: Run, facts: list[dict[str, Any]]) -> None:
    assert found(study, "gold.spam_volume_daily") == wanted(facts)


def test_types_equal_the_truth(study: Run, facts: list[dict[str, Any]]) -> None:
    assert found(study, "gold.spam_type_daily", "spam_type_code") == wanted(facts, "spam_type_code")


def test_source_networks_equal_the_truth(study: Run, facts: list[dict[str, Any]]) -> None:
    mail = [fact | {"source_network": fact["source_network"] or "_U"} for fact in facts]
    assert found(study, "gold.spam_source_daily", "source_network") == wanted(mail, "source_network")


def test_source_countries_equal_the_truth(study: Run, facts: list[dict[str, Any]]) -> None:
    # A customer's alphanumeric sender has no country; the operator sees that its own customer sent it.
    home = {"channel-sms": "GBR", "hexagone-sms": "FRA"}
    named = [
        fact | {"source_country_code": fact["source_country_code"] or home.get(fact["operator_id"], "_U")}
        for fact in facts
    ]
    assert found(study, "gold.spam_source_daily", "source_country_code") == wanted(
        named, "source_country_code"
    )


def test_links_equal_the_truth(study: Run, facts: list[dict[str, Any]]) -> None:
    """Routes by the kind of inbound link, for messages that came over a link of the SMS operators."""
    truth: collections.Counter[tuple[str, str, str]] = collections.Counter()
    for fact in facts:
        if fact["operator_id"] in LINKS and fact["inbound_link"]:
            kind = LINKS[fact["operator_id"]][fact["inbound_link"]]
            truth[fact["operator_id"], fact["grain"], kind] += fact["count"]
    links = [name for of_operator in LINKS.values() for name in of_operator]
    message = study.lake.read("silver.message", where=pl.col("inbound_link_id").is_in(links))
    is_recipient = pl.col("grain_code") == "recipient"
    rows = message.group_by("operator_id", "inbound_link_code").agg(
        recipient=is_recipient.sum(),
        attempt=(pl.col("grain_code") == "attempt").sum(),
        message=pl.col("is_message_row").sum(),
        segment=pl.col("segment_count").filter(is_recipient).sum(),
    )
    got = {
        (row["operator_id"], unit, row["inbound_link_code"]): row[unit]
        for row in rows.to_dicts()
        for unit in ("recipient", "attempt", "message", "segment")
        if row[unit]
    }
    assert got == dict(truth)


def test_routes_equal_the_truth(study: Run, facts: list[dict[str, Any]]) -> None:
    """Units and spam by the kind of inbound link, of what came to the SMS operators from other networks."""
    truth: dict[tuple[str, str, str], list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    for fact in facts:
        kind = LINKS.get(fact["operator_id"], {}).get(fact["inbound_link"], "on-net")
        if kind != "on-net":
            certain, possible = verdict_of(fact)
            cell = truth[fact["operator_id"], fact["grain"], kind]
            for place, factor in enumerate((1, certain, possible)):
                cell[place] += factor * fact["count"]
    measures = ("units", "spam_certain", "spam_possible")
    frame = frame_of(study, "gold.spam_route_daily", "definition_code = 'OPERATOR'")
    key = ("operator_id", "unit_code", "inbound_link_code")
    rows = (
        frame.filter(
            pl.col("operator_id").is_in(list(LINKS)), pl.col("inbound_link_code").is_in(["peer", "hub"])
        )
        .group_by(key)
        .agg(pl.col(measures).sum())
        .to_dicts()
    )
    got = {tuple(row[name] for name in key): [row[name] for name in measures] for row in rows}
    assert got == {key: cell for key, cell in truth.items() if cell[0]}


def test_routes_add_up_to_volume(study: Run) -> None:
    def total(table: str) -> int:
        return int(frame_of(study, table)["units"].sum())

    assert total("gold.spam_route_daily") == total("gold.spam_volume_daily") > 0


def test_measures_that_acted_equal_the_truth(study: Run, facts: list[dict[str, Any]]) -> None:
    truth: collections.Counter[tuple[str, str, str]] = collections.Counter()
    for fact in facts:
        if fact["grain"] in ("message", "attempt") and fact["countermeasure_code"]:
            truth[fact["operator_id"], fact["period_date"], fact["countermeasure_code"]] += fact["count"]
    rows = rows_of(
        study, "gold.countermeasure_effort_daily", "operator_id NOT LIKE 'lab-%' AND units_acted > 0"
    )
    assert {(r.operator_id, str(r.period_date), r.countermeasure_code): r.units_acted for r in rows} == dict(
        truth
    )


# The stage at which each measure of the generator looks: what ended there or later, it has examined.
LOOKS = {
    "DNSBL": "connect", "PROTOCOL_TEST": "connect", "RATE_LIMIT": "connect",
    "HELO_RDNS": "envelope", "GREYLIST": "envelope", "RECIPIENT_CHECK": "envelope",
    "SENDER_VERIFY": "envelope", "POLICY_RELAY": "envelope", "NUMBER_BLOCKLIST": "envelope",
    "UNKNOWN": "content", "SENDER_AUTH": "content",
}  # fmt: skip
STAGES = ("connect", "envelope", "content", "delivery")
EFFORT = ("units_examined", "units_acted", "filter_us", "received_bytes", "quarantined_bytes")


def effort_of(truth: dict[str, Any], facts: list[dict[str, Any]]) -> dict[tuple[str, ...], tuple[int, ...]]:
    """The effort of each measure in the truth, by operator, day and channel."""
    ended: dict[tuple[str, ...], dict[str, collections.Counter[str]]] = collections.defaultdict(dict)
    for row in truth["effort"]:
        counts = {name: row[name] for name in row if name.startswith("filter") or name in ("units", "bytes")}
        ended[row["operator_id"], row["period_date"], row["channel_code"]][row["stage_code"]] = (
            collections.Counter(counts)
        )
    acted: dict[tuple[str, ...], collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for fact in facts:
        if fact["grain"] in ("message", "attempt") and fact["countermeasure_code"]:
            day = (fact["operator_id"], fact["period_date"], fact["channel_code"])
            acted[day][fact["countermeasure_code"]] += fact["count"]
    rows = {}
    for day, by_stage in ended.items():
        whole = sum(by_stage.values(), collections.Counter())
        for measure in {*acted[day], *(["CONTENT_FILTER"] if whole["filtered_units"] else [])}:
            if measure == "CONTENT_FILTER":
                examined, took, received = (
                    whole[name] for name in ("filtered_units", "filter_us", "filtered_bytes")
                )
            else:
                seen = [
                    by_stage[stage] for stage in STAGES[STAGES.index(LOOKS[measure]) :] if stage in by_stage
                ]
                examined, took, received = sum(s["units"] for s in seen), 0, sum(s["bytes"] for s in seen)
            rows[*day, measure] = (max(examined, acted[day][measure]), acted[day][measure], took, received, 0)
    return rows


def test_effort_equals_the_truth(study: Run, truth: dict[str, Any], facts: list[dict[str, Any]]) -> None:
    """Examined units, the filters' time and bytes. No operator of the generator quarantines."""
    rows = rows_of(study, "gold.countermeasure_effort_daily", "operator_id NOT LIKE 'lab-%'")
    found = {
        (row.operator_id, str(row.period_date), row.channel_code, row.countermeasure_code): tuple(
            getattr(row, name) for name in EFFORT
        )
        for row in rows
    }
    wanted = effort_of(truth, facts)
    assert found == wanted
    assert any(effort[2] for effort in wanted.values())


def test_costs_equal_those_of_the_true_effort(
    study: Run, truth: dict[str, Any], facts: list[dict[str, Any]]
) -> None:
    """Every amount of gold is what the true effort costs at the parameters' prices."""
    strategies = {
        row.countermeasure_code: row.strategy_code
        for row in rows_of(study, "gold.countermeasure_effort_daily")
    }
    rows = [
        dict(zip((*FIRST, "strategy_code", *EFFORT), (*key, strategies[key[-1]], *effort), strict=True))
        for key, effort in effort_of(truth, facts).items()
    ]
    effort = pl.DataFrame(rows).with_columns(pl.col("period_date").str.to_date())
    parameters, rates = reference_table("ref.cost_parameter"), reference_table("ref.exchange_rate")
    for operator in study.settings.operator:
        if operator.id.startswith("lab-"):
            continue
        own = [
            FixedCost(
                cost.name, cost.countermeasure, cost.channel,
                *map(float, (cost.low, cost.central, cost.high)), operator.currency, cost.per,
            )
            for cost in operator.fixed_cost
        ]  # fmt: skip
        of_operator = effort.filter(operator_id=operator.id)
        wanted = simulation.simulate_costs(of_operator, parameters, own, rates, operator.currency)
        key = ["period_code", "channel_code", "countermeasure_code", "cost_component_code"]
        amounts = ["amount_p05", "amount_p50", "amount_p95", "bound_code", "day_count"]
        found = frame_of(study, "gold.countermeasure_cost_monthly", f"operator_id = '{operator.id}'")
        assert found.select(*key, *amounts).sort(key).rows() == wanted.select(*key, *amounts).sort(key).rows()
        assert found.height > 0


def test_costs_are_in_each_currency_with_points_in_order(study: Run) -> None:
    rows = rows_of(study, "gold.countermeasure_cost_monthly", "countermeasure_code = '_T'")
    assert {row.operator_id for row in rows} == {operator.id for operator in study.settings.operator}
    currency = {operator.id: operator.currency for operator in study.settings.operator}
    assert all(row.currency_code == currency[row.operator_id] for row in rows)
    assert all(row.amount_p05 <= row.amount_p50 <= row.amount_p95 for row in rows)
    bounds = {
        row.operator_id: row.bound_code
        for row in rows
        if row.cost_component_code == "total" and row.channel_code == "_T"
    }
    # Two operators gave a fixed cost of one measure, and have others; logs of three have filters' times.
    of_times = {"himal-mail", "lab-mail", "lagoon-mail"}
    assert bounds == {each: "neither" if each in of_times else "lower" for each in currency}


def test_every_definition_is_counted_where_it_speaks(study: Run) -> None:
    rows = frame_of(study, "gold.spam_volume_daily").select("definition_code", "channel_code").rows()
    both = ("OPERATOR", "EPRIVACY_13", "SPAM_ACT_2003", "CASL", "SINGAPORE_SCA", "ITU_T_SG2")
    # RFC 5039 speaks of calls and instant messages, of which the study has none.
    assert set(rows) == {
        *((code, channel) for code in both for channel in ("EMAIL", "SMS")),
        ("CAN_SPAM", "EMAIL"),
        ("SPAMHAUS_UBE", "EMAIL"),
        ("TCCCPR", "SMS"),
    }


def test_the_ledger_accounts_for_every_line(study: Run, truth: dict[str, Any]) -> None:
    rows = rows_of(study, "bronze.file")
    for row in rows:
        assert row.line_count == row.record_count + row.ignored_count + row.quarantined_count
    written = {each["operator_id"]: sum(each["line_count"].values()) for each in truth["operators"]}
    read: collections.Counter[str] = collections.Counter()
    for row in rows:
        read[row.operator_id] += row.line_count
    assert {operator: read[operator] for operator in written} == written
    assert sum(row.quarantined_count for row in rows) == 0


def test_every_rule_is_held_and_kept(study: Run) -> None:
    kept = json.loads((Path(study.lake.root) / "_validation" / f"{study.run_id}.json").read_text())["results"]
    assert {result["table"] for result in kept} == {"bronze.file", *GOLD, quality.CORRECTED}
    assert all(result["is_held"] for result in kept)


def test_what_bulk_stands_on_accounts_for_every_message(study: Run) -> None:
    bases = frame_of(study, "gold.bulk_daily")["message_row_count"].sum()
    assert bases == len(frame_of(study, "silver.message"))


def test_running_again_writes_nothing(study: Run) -> None:
    before = study.lake.versions()
    again = run_stages(pull_again(study.settings))
    assert study.lake.versions() == before
    assert not any(again.changed.values())


def test_tables_carry_their_contract(study: Run) -> None:
    """Comments and partitions of the Delta tables are those of the contracts."""
    # The sample study has no DMARC reports (tests/whole/test_formats_together.py has), no operator's
    # knowledge, and no line in two files.
    absent = ("silver.authentication_report", "silver.operator_knowledge", "silver.copy_daily")
    tables = [table for table in (*SILVER, *GOLD) if table not in absent]
    for table in tables:
        contract = read_contract(table)
        delta = DeltaTable(study.lake.path(table))
        assert {field.name: field.metadata["comment"] for field in delta.schema().fields} == {
            field.name: field.description for field in contract.fields
        }
        assert tuple(delta.metadata().partition_columns) == contract.partition_by


def test_the_readme_shows_what_the_demo_prints(study: Run) -> None:
    """`make demo` prints these tables and more; .ci/run runs it."""
    text = io.StringIO()
    Console(file=text, width=80).print(*main_figures.main_tables(study.lake))
    assert is_shown(sessions(README)["make demo"], text.getvalue()), text.getvalue()


def test_the_readmes_picture_is_named_by_the_page_of_today(study: Run, tmp_path: Path) -> None:
    page = update_page(study.lake, study.settings, tmp_path).read_text(encoding="utf-8")
    named = re.findall(r"!\[The report page: s(.*?)\]", README.read_text(encoding="utf-8"))
    assert [words.join_unbroken(f"S{rest}") for rest in named] == re.findall(r"<h1>(.*?)</h1>", page)
