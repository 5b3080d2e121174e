"""The report page: what stands on it, that it is whole, and that it is the same for the same figures."""

import csv
import dataclasses
import datetime as dt
import hashlib
import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.page import colours
from jobs.base.settings import config
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import CODELISTS, rows_frame
from jobs.operators.gold.traffic_hourly_daily import WITHIN
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.report import (
    campaigns,
    content_types,
    definitions,
    header,
    money,
    operations,
    routes,
    sources,
    stages,
    write,
)
from jobs.operators.report import page as page_module
from jobs.operators.report.figures import FIGURES, Figures
from jobs.operators.report.gather import gather_figures
from jobs.operators.report.page import write_page
from jobs.operators.report.report import PageOrigin, Report, Spam
from tests.conftest import ROOT
from tests.support.report_figures import (
    ABOUT,
    OPERATORS,
    change_figures,
    figures,
    of_channel,
    validation,
    with_corrected,
    with_figure,
)

VOID = {"meta", "link", "br", "path", "rect", "line"}


class Page(HTMLParser):
    """A page read strictly: its elements with their attributes and their text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[dict[str, Any]] = []
        self.elements: list[dict[str, Any]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {[each['tag'] for each in self.open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> repeats an attribute"
        element = {
            "tag": tag,
            "attrs": dict(attrs),
            "text": "",
            "inside": [each["tag"] for each in self.open],
        }
        element["parents"] = list(self.open)
        self.elements.append(element)
        if tag not in VOID or not tag.islower():
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] is self.elements[-1]:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open and self.open[-1]["tag"] == tag, (
            f"</{tag}> closes {[e['tag'] for e in self.open][-3:]}"
        )
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["text"] += data

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [element for element in self.elements if element["tag"] == tag]

    def within(self, parent: dict[str, Any], tag: str) -> list[dict[str, Any]]:
        return [element for element in self.all(tag) if any(each is parent for each in element["parents"])]

    @property
    def seen(self) -> str:
        """The text that a reader sees."""
        return "".join(e["text"] for e in self.all("body"))


def read(file: Path) -> Page:
    return Page(file.read_text(encoding="utf-8"))


def named(*signatures: str) -> dict[str, Any]:
    """Return the name and the signatures of a campaign."""
    return {"campaign_hash": min(signatures), "signature_hashes": sorted(signatures)}


def plain(text: str) -> str:
    """Text without what only keeps lines from breaking."""
    return (
        text.replace("\N{WORD JOINER}", "")
        .replace("\N{NON-BREAKING HYPHEN}", "-")
        .replace("\N{NO-BREAK SPACE}", " ")
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    assert write_page(figures(), OPERATORS, validation(), ABOUT, folder) == folder / "index.html"
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return read(folder / "index.html")


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_same_figures_give_the_same_bytes_in_any_order_of_rows(folder: Path, tmp_path: Path) -> None:
    shuffled = change_figures(figures(), lambda table: table.sample(fraction=1, shuffle=True, seed=7))
    write_page(shuffled, OPERATORS, validation(), ABOUT, tmp_path)
    assert files_of(tmp_path) == files_of(folder)


def test_nothing_is_asked_from_outside(folder: Path) -> None:
    for name in ("index.html", "validation.html"):
        text, page = (folder / name).read_text(encoding="utf-8"), read(folder / name)
        assert not page.all("script")
        assert not re.search(r"url\(\s*['\"]?(?!#)|@import|\son[a-z]+=|javascript:", text)
        ids = [element["attrs"]["id"] for element in page.elements if "id" in element["attrs"]]
        assert len(ids) == len(set(ids))
        for element in page.elements:
            for attribute in ("src", "href", "srcset", "xlink:href", "action"):
                target = element["attrs"].get(attribute)
                if target is None or target == "data:,":
                    continue
                if target.startswith("#"):
                    assert target[1:] in ids
                else:
                    assert (folder / target).is_file(), f"{name} points to {target}"


def test_each_figure_has_a_table_and_its_numbers(folder: Path, page: Page) -> None:
    shown = page.all("figure")
    assert len(shown) > 15
    for figure in shown:
        (table,) = page.within(figure, "table")
        assert page.within(table, "caption")[0]["text"]
        heads, rows = page.within(table, "th"), page.within(table, "tr")
        columns = [head for head in heads if head["attrs"].get("scope") == "col"]
        assert len(rows) > 1
        for row in rows[1:]:
            assert len(page.within(row, "td")) + 1 == len(columns)
        (link,) = [each for each in page.within(figure, "a") if "download" in each["attrs"]]
        with (folder / link["attrs"]["href"]).open(newline="", encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) > 0


def test_pictures_have_a_text_in_their_place_and_nothing_inside_has_a_role(page: Page) -> None:
    pictures = page.all("svg")
    # Lines over time, routes and maps in two shapes, a small one for each campaign, hours of each operator.
    assert len(pictures) == 4 + 2 * 2 + 2 * 2 + 6 + 6
    for picture in pictures:
        assert picture["attrs"]["role"] == "img" and len(picture["attrs"]["aria-label"]) > 20
        assert "viewbox" in picture["attrs"] and "width" not in picture["attrs"]
    inner = [e for e in page.elements if "svg" in e["inside"]]
    assert inner and not [e for e in inner if any(name.startswith(("aria-", "role")) for name in e["attrs"])]


def test_headings_descend_by_one_level(page: Page) -> None:
    levels = [int(e["tag"][1]) for e in page.elements if re.fullmatch(r"h[1-6]", e["tag"])]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def test_the_headline_is_what_the_figures_say(page: Page) -> None:
    expected = []
    for channel in ("EMAIL", "SMS"):
        rows = [
            row
            for row in figures().volume.to_dicts()
            if row["channel_code"] == channel
            and row["definition_code"] == "OPERATOR"
            and row["direction_code"] in ("inbound", "internal")
        ]
        units = sum(row["units"] for row in rows)
        ends = [sum(row[end] for row in rows) / units * 100 for end in ("spam_certain", "spam_possible")]
        expected.append(f"{ends[0]:.1f}–{ends[1]:.1f}%")
    assert plain(page.all("h1")[0]["text"]) == f"Spam was {expected[0]} of e-mail and {expected[1]} of SMS"
    bigs = [element["text"] for element in page.elements if element["attrs"].get("class") == "big"]
    assert bigs == expected
    assert "6 operators in 6 countries, 2–6 November 2026" in plain(page.seen)


def test_no_code_is_shown_without_a_name(page: Page) -> None:
    seen = page.seen
    for codelist in CODELISTS.glob("*.csv"):
        for code, row in words.codelist_rows(codelist.stem).items():
            if re.search(r"[_.]", code) and code != row["name"]:
                assert not re.search(rf"(?<![\w.]){re.escape(code)}(?![\w.])", seen), code
    for code in ("_U", "_O", "_T", "CAN_SPAM", "SPAMHAUS_UBE", "USA", "CHE", "NPL", "GBR", "no name"):
        assert not re.search(rf"\b{code}\b", seen), code


def test_a_csv_holds_names_beside_codes(folder: Path) -> None:
    with (folder / "types.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["channel_name"] for row in rows} == {"E-mail", "SMS"}
    assert all(row["spam_type_name"] for row in rows)
    total = figures().types["spam_certain"].sum()
    assert sum(int(row["spam_certain"]) for row in rows) == total


def test_checksums_are_those_of_the_files(folder: Path) -> None:
    listed = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    files = files_of(folder)
    files.pop("SHA256SUMS")
    assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_what_is_left_after_each_stage_adds_up() -> None:
    report = Report(figures(), {each.id: each for each in OPERATORS}, None)
    section = stages.stages_section(report)
    assert [block.heading for block in section.blocks] == ["E-mail", "SMS"]
    for block, channel in zip(section.blocks, ("EMAIL", "SMS"), strict=True):
        rows = {
            row[0].text: [int(cell.text.replace(",", "") or 0) for cell in row[1:]]
            for row in block.table.rows
        }
        table = figures().stages.filter(pl.col("channel_code") == channel)
        assert rows["Attempted"][2] == table["units"].sum()
        left = rows["Attempted"][2]
        for stage in ("Connect", "Envelope", "Content", "Delivery"):
            left -= rows[stage][0]
            assert rows[stage][2] == left
            assert rows[stage][1] <= rows[stage][0]
        reached = table.filter(pl.col("outcome_code").is_in(["delivered", "tagged"]))["units"].sum()
        assert rows["Delivered"][2] == left == reached


# --- what is missing ------------------------------------------------------------------------------


def test_a_page_without_any_figure(tmp_path: Path) -> None:
    write_page(Figures(), [], [], PageOrigin("none", "unknown"), tmp_path)
    page = read(tmp_path / "index.html")
    assert page.all("h1")[0]["text"] == "No traffic has been counted yet"
    assert not page.all("figure")
    for text in (
        "By these logs, no e-mail came in",
        "By these logs, no SMS came in",
        "No file was read",
        "No validation was kept",
    ):
        assert text in page.seen
    assert "no table of address ranges is set" in page.seen.lower()
    assert "No validation was kept for this run" in read(tmp_path / "validation.html").seen


def test_a_page_of_the_studys_lake_names_where_its_estimates_are(tmp_path: Path) -> None:
    for versions, is_named in (({"study.spam_volume": 1}, True), ({}, False)):
        write_page(Figures(), [], [], dataclasses.replace(ABOUT, versions=versions), tmp_path)
        seen = read(tmp_path / "index.html").seen
        assert ("`observatory study estimate` prints them" in seen) == is_named


def test_a_page_without_sms_and_without_costs(tmp_path: Path) -> None:
    mail = change_figures(figures(), lambda table: of_channel(table, "EMAIL"))
    write_page(dataclasses.replace(mail, costs=mail.costs.clear()), OPERATORS, validation(), ABOUT, tmp_path)
    page = read(tmp_path / "index.html")
    assert "By these logs, no SMS came in." in page.seen
    # The card has said so; sections do not repeat it.
    assert "There is no SMS in this figure." not in page.seen
    assert "No cost could be computed for Alp Mail, Alp Poste, Everest Net," in page.seen
    assert "No traffic was read of Isle Mobile, Lagoon Mobile and Thames Text." in page.seen
    assert "of SMS" not in page.all("h1")[0]["text"]


def test_one_day_without_spam(tmp_path: Path) -> None:
    day = dt.date(2026, 11, 2)
    counts = {"units": 40, "seen_units": 40} | dict.fromkeys(
        ("spam_certain", "spam_possible", "audited_units", "audited_spam", "spam_low", "spam_high"), 0
    )
    keys = {"operator_id": "alp-mail", "channel_code": "EMAIL", "direction_code": "inbound"}
    route = {"origin_kind": "observed", "origin_code": "_U", "inbound_link_code": "internet"}
    rows = {
        "volume": keys | {"definition_code": "OPERATOR"},
        "daily": {"channel_code": "EMAIL", "period_date": day},
        "days": {
            "operator_id": "alp-mail",
            "channel_code": "EMAIL",
            "first_date": day,
            "last_date": day,
            "day_count": 1,
        },
        "types": {"channel_code": "EMAIL", "spam_type_code": "_U"},
        "routes": {"channel_code": "EMAIL", **route, "destination_code": "CHE"},
        "countries": {"channel_code": "EMAIL", "source_country_code": "_U"},
        "stages": {"channel_code": "EMAIL", "stage_code": "delivery", "outcome_code": "delivered"},
    }
    tables = {
        name: pl.DataFrame(
            [{c: (row | counts).get(c) for c in FIGURES[name].columns}], schema=FIGURES[name].columns
        )
        for name, row in rows.items()
    }
    write_page(Figures(**tables), OPERATORS, [], ABOUT, tmp_path)
    page = read(tmp_path / "index.html")
    assert plain(page.all("h1")[0]["text"]) == "Spam was 0% of e-mail"
    assert "No certain spam came by e-mail" in page.seen
    assert "one day only" in page.seen
    assert "at 1 operator in 1 country, 2 November 2026" in plain(page.seen)


def test_a_broken_rule_is_shown_with_its_examples(tmp_path: Path) -> None:
    write_page(figures(), OPERATORS, validation(is_broken=True), ABOUT, tmp_path)
    assert "1 of 16 rules is broken." in read(tmp_path / "index.html").seen
    page = read(tmp_path / "validation.html")
    broken = [row["text"] for row in page.all("tr") if "broken" in row["text"]]
    assert len(broken) == 1
    assert "certain_within_possible" in broken[0] and "period_date 2026-11-03" in broken[0]


def test_a_text_from_outside_cannot_become_markup(tmp_path: Path) -> None:
    named = [dataclasses.replace(OPERATORS[0], name='<b>Alp</b> & "Co"'), *OPERATORS[1:]]
    write_page(figures(), named, validation(), dataclasses.replace(ABOUT, location_name="<i>x</i>"), tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<b>Alp" not in text and "<i>x" not in text
    assert '<b>Alp</b> & "Co"' in read(tmp_path / "index.html").seen


def test_a_lower_bound_is_called_one() -> None:
    report = Report(figures(), {each.id: each for each in OPERATORS}, None)
    section = money.costs_section(report)
    bounded = [b.heading for b in section.blocks if any("lower bound" in row[0].sub for row in b.table.rows)]
    assert bounded == ["Everest Net"]
    assert any("Lower bound: Everest Net" in note for note in section.notes)
    assert section.missing == ["No cost could be computed for Lagoon Mobile."]


def test_costs_are_given_for_whole_months_and_for_each_subscriber_and_message() -> None:
    report = Report(figures(), {each.id: each for each in OPERATORS}, None)
    block = money.costs_section(report).blocks[-1]
    (total,) = figures().costs.filter(
        operator_id="alp-mail", channel_code="EMAIL", countermeasure_code="_T", cost_component_code="total"
    ).to_dicts()  # fmt: skip
    (line,) = [row for row in block.table.rows if row[0].text == "Alp Mail, e-mail"]
    assert [cell.text for cell in line[1:3]] == ["5 of 30", numbers.format_money(total["amount_p50"])]
    whole, each, thousand = (cell.text for cell in line[3:])
    assert whole == numbers.format_money(6 * total["amount_p50"])
    assert float(each) == pytest.approx(float(total["whole_p50"]) / 1000, rel=0.01)
    assert float(thousand) == pytest.approx(float(total["amount_p50"]) / 50, rel=0.01)
    # A lower bound stays one for each subscriber; what has no denominator has a dash.
    table = figures().costs.with_columns(
        bound_code=pl.lit("lower"), per_subscriber_p50=pl.lit(None, pl.Decimal(20, 8))
    )
    bounded = Report(dataclasses.replace(figures(), costs=table), report.operators, None)
    cells = [row[3:] for row in money.costs_section(bounded).blocks[-1].table.rows]
    assert all(row[0].text[0] == row[2].text[0] == "≥" and row[1].text == numbers.DASH for row in cells)


def test_a_total_with_missing_parts_has_no_percentile() -> None:
    """Known parts of a cost have percentiles; the cost has none while a part of it is missing."""
    table = figures().costs
    for code in ("lower", "neither"):
        rows = (
            table.filter(pl.col("operator_id") == "alp-mail").with_columns(bound_code=pl.lit(code)).to_dicts()
        )
        for row in money.cost_block("Alp Mail", rows).table.rows:
            assert (row[1].text, row[3].text, row[0].bar) == ("", "", ())
            assert row[2].text[0] in "≥~"
    report = Report(figures(), {each.id: each for each in OPERATORS}, None)
    assert "Every other total is marked ≥, ≤ or ~." in money.costs_section(report).finding
    bounds = dataclasses.replace(figures(), costs=table.with_columns(bound_code=pl.lit("lower")))
    section = money.costs_section(Report(bounds, {each.id: each for each in OPERATORS}, None))
    assert section.finding.startswith("Every total is marked ≥, ≤ or ~")
    assert "nine" not in section.finding.lower() and "likely" not in section.finding


@pytest.mark.parametrize(
    ("bound", "amount", "text"),
    [
        *[("lower", 0.004, "≥ 0"), ("neither", 0.004, "~ 0"), ("upper", 0.004, "<0.01")],
        *[("upper", 0.4, "≤ 0.40"), ("lower", 0, "– no price"), ("estimate", 0, "0")],
    ],
)
def test_a_bound_below_a_cent_has_one_sign(bound: str, amount: float, text: str) -> None:
    row = {"bound_code": bound, "amount_p50": Decimal(str(amount))}
    assert plain(money.percentile_cell(row, "p50").text) == text


def test_spam_shares_of_operators_are_compared_within_a_channel(report: Report) -> None:
    mail, sms = operations.operators_section(report).finding.splitlines()
    assert mail.startswith("E-mail: the spam share ranges from") and "Everest Net" in mail
    assert sms.startswith("SMS: the spam share ranges from") and "Lagoon Mobile" in sms


def test_a_largest_source_is_called_known_beside_unknown_ones(report: Report) -> None:
    known = report.figures.countries.filter(pl.col("source_country_code") != "_U")
    assert "the largest known source," in sources.sources_section(report).blocks[0].title
    assert "known" not in sources.sources_section(with_figure(report, countries=known)).blocks[0].title


def test_a_total_stands_once_for_one_channel_and_by_channel_for_two() -> None:
    table = figures().costs.filter(pl.col("operator_id") == "alp-mail")
    names = [row[0].text for row in money.cost_block("Alp Mail", table.to_dicts()).table.rows]
    assert names[-3:] == ["Marginal, all measures", "Fixed, all measures", "Total"]
    assert len(names) == len(set(names)) + 1  # the content filter has a marginal and a fixed cost
    other = table.filter(pl.col("channel_code") == "EMAIL").with_columns(channel_code=pl.lit("SMS"))
    both = pl.concat([table, other]).to_dicts()
    names = [row[0].text for row in money.cost_block("Alp Mail", both).table.rows]
    assert {"Total, e-mail", "Total, SMS", "Total, all channels"} <= set(names)


# --- the sections -----------------------------------------------------------------------------------


@pytest.fixture
def report() -> Report:
    return Report(figures(), {each.id: each for each in OPERATORS}, None)


def rows_of(block: Any) -> dict[str, list[str]]:
    return {row[0].text: [cell.text for cell in row[1:]] for row in block.table.rows}


def test_one_stream_has_several_shares(report: Report) -> None:
    # All text messages of these figures are recipients, under one definition: there is nothing to compare.
    (mail,) = definitions.shares_section(report).blocks
    rows = rows_of(mail)
    assert rows["MAAWG 2005: messages blocked or tagged"][0] == "80.0%"
    assert rows["MAAWG 2005: with dropped connections"][0] == "84.8%"
    # What the cells say: refused connections are attempts, the rest are recipients.
    bases = figures().bases.filter(pl.col("channel_code") == "EMAIL")
    stopped = bases.filter(pl.col("measure_code") == "maawg_abusive")
    passed = bases.filter(pl.col("measure_code") == "maawg_unaltered_delivered")["units"].sum()
    messages = stopped.filter(pl.col("unit_code") == "recipient")["units"].sum()
    both = stopped["units"].sum()
    blocked = rows["Blocked or marked (M3AAWG's metric), of messages"]
    assert blocked[0] == numbers.format_share(messages / (messages + passed))
    assert rows["Blocked or marked, with refused attempts"][0] == numbers.format_share(both / (both + passed))
    assert rows["Treated as spam by operators, of recipients and attempts"][1] == numbers.format_count(
        report.totals["EMAIL"].units
    )
    # Of the two other definitions, the logs tell most of this one.
    assert rows["Unsolicited bulk e-mail (Spamhaus)"][0] == "21.0–79.0%"


def test_a_definition_that_is_not_of_a_channel_is_named_below(report: Report) -> None:
    mail, sms = definitions.definitions_section(report).blocks
    assert len(mail.table.rows) == 3 and len(sms.table.rows) == 1
    assert sms.note.startswith("Not for SMS: Unlawful commercial e-mail (CAN-SPAM Act), ")


def test_a_definition_of_two_dates_is_one_line(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """Volumes are summed over its days, so it has one figure, and the name that it has now."""
    rows = [*words.reference("definition")]
    (law,) = [row for row in rows if row["definition_code"] == "CAN_SPAM"]
    newer = law | {"name": "CAN-SPAM as amended", "valid_from": "2025-01-01"}
    (other,) = [row for row in rows if row["definition_code"] == "TCCCPR"]
    later = other | {"name": "TCCCPR as amended", "valid_from": "2025-01-01"}
    kept = words.reference
    ahead = newer | {"name": "CAN-SPAM of the year after", "jurisdiction": "FRA", "valid_from": "2027-01-01"}
    new = ahead | {"definition_code": "NEW_LAW", "name": "A law to come"}
    dated = (ahead, new, newer, later, *rows)
    monkeypatch.setattr(words, "reference", lambda table: dated if table == "definition" else kept(table))
    mail, sms = definitions.definitions_section(report).blocks
    assert len(mail.table.rows) == 3
    # What begins after the report's last day, 6 November 2026, gives neither name nor place.
    head = mail.table.rows[0][0]
    assert (head.text, head.sub) == ("CAN-SPAM as amended", "United States")
    assert "A law to come" not in mail.note
    assert report.definition_name("CAN_SPAM") == "CAN-SPAM as amended"
    assert mail.note.count("TCCCPR") == sms.note.count("TCCCPR as amended") == 1


def test_a_campaign_has_its_spread_and_its_days(report: Report) -> None:
    mail, _ = campaigns.campaigns_section(report).blocks
    first, *_, last = mail.table.rows
    assert [cell.text for cell in first[1:6]] == ["18,420", "94.0%", "8,311", "1,204", "00:03–23:58"]
    assert plain(first[0].sub) == "Alp Poste, 6 November 2026; by text aaaaaaaa"
    assert last[0].text == "Type not known"
    assert first[6].picture is not None and last[6].picture is not None
    assert first[6].picture.count(colours.ACCENT) == 5 and last[6].picture.count(colours.ACCENT) == 1
    assert "at most 18,420 copies a day" in first[6].picture


def test_a_campaign_that_was_compared_in_part_says_so(report: Report) -> None:
    section = campaigns.campaigns_section(report)
    told = [plain(row[0].sub) for row in section.blocks[0].table.rows]
    assert [text.endswith("by text cccccccc, compared in part") for text in told] == [
        False,
        False,
        True,
        False,
    ]
    assert section.notes[-1] == campaigns.CAPPED
    uncapped = report.figures.campaigns.with_columns(is_bucket_capped=pl.lit(False))
    whole = with_figure(report, campaigns=uncapped)
    section = campaigns.campaigns_section(whole)
    assert len(section.notes) == 1
    assert not any("in part" in row[0].sub for block in section.blocks for row in block.table.rows)


def test_signs_of_bypass_are_shown_of_calls_too(report: Report) -> None:
    section = routes.routes_section(report)
    headings = [block.heading for block in section.blocks]
    assert headings == [
        "E-mail",
        "SMS",
        "SMS in transit",
        "SMS, signs of bypass",
        "IP voice, signs of bypass",
    ]
    assert rows_of(section.blocks[3])["Grey route"] == ["Peer", "6,840", "101,200", "6.8%"]
    assert rows_of(section.blocks[2])["Hub"][1] == "30.0%"


def test_what_no_sign_is_looked_for_is_said_without_any_sign(report: Report) -> None:
    """An operator that names no links, or reads calls without cells, has no rows of such signs."""
    untold = "Not examined, because no log records it: SMS bypass and artificially inflated traffic."
    none = with_figure(report, bypass=report.figures.bypass.clear())
    for each, signs in ((report, 1), (none, 0)):
        notes = routes.routes_section(each).notes
        assert notes.count(untold) == notes.count(routes.SIM_BOXES_OF_CALLS) == 1
        assert notes.count(routes.SIGNS) == signs


def test_filters_that_tell_no_type_are_shown(report: Report) -> None:
    (mail, _) = content_types.engine_blocks(report)
    assert rows_of(mail)["No verdict"] == ["390,700", "0%", "3.1%", "96.9%"]
    # Filters that spoke of the same message each count it: all that was marked comes last, once.
    assert list(rows_of(mail))[-1] == "All filters together"


def test_sources_have_no_rate_by_the_subscribers_of_receivers(report: Report) -> None:
    """A rate by receivers was the count beside it, divided by the same number in every row."""
    for block in sources.sources_section(report).blocks:
        assert not any("subscriber" in column.name for column in block.table.columns)
    assert not any("subscriber" in column for column in report.figures.countries.columns)


def test_the_table_of_a_map_is_open(report: Report) -> None:
    mail, _ = [b for b in sources.sources_section(report).blocks if b.csv == "countries.csv"]
    assert mail.is_table_open and "imply any position on borders" in mail.note


# --- the few figures, from the tables ---------------------------------------------------------------


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    """Gold tables as rows: two operators, and traffic that the report must leave out."""
    first, second = dt.date(2026, 11, 2), dt.date(2026, 11, 3)
    base = {
        "operator_id": "alp-mail",
        "period_date": first,
        "channel_code": "EMAIL",
        "direction_code": "inbound",
        "stage_code": "delivery",
        "outcome_code": "delivered",
        "unit_code": "recipient",
        "definition_code": "OPERATOR",
        "source_country_code": "DEU",
        "source_asn": 64496,
        "source_network": "192.0.2.0/24",
        "spam_type_code": "UNK",
        "origin_claimed_code": "_U",
        "origin_verified_code": "_U",
        "origin_observed_code": "DEU",
        "inbound_link_code": "internet",
        "transit_code": "_U",
        "outbound_link_code": "_U",
        "destination_code": "CHE",
        "units": 10,
        "spam_certain": 0,
        "spam_possible": 1,
    }
    refused = {"stage_code": "connect", "outcome_code": "rejected", "unit_code": "attempt"}
    spam = {"units": 7, "spam_certain": 7, "spam_possible": 7}
    # Thirty countries, of which the last is the largest.
    many = [code for code in sorted(words.country_names()) if code != "DEU"][:30]
    rows = [
        base,
        base | {"period_date": second, "units": 5, "operator_id": "alp-post", "direction_code": "internal"},
        base | {"direction_code": "outbound", "units": 1000},
        base | {"direction_code": "transit", "units": 2000},
        base | {"unit_code": "message", "units": 8},
        base | {"unit_code": "segment", "units": 9},
        base | {"definition_code": "SPAMHAUS_UBE", "spam_possible": 10},
        *(
            base
            | refused
            | spam
            | {"source_country_code": code, "origin_observed_code": code, "units": 100 + n}
            | {"spam_certain": 100 + n, "spam_possible": 100 + n, "source_network": f"2001:db8:{n:x}::/48"}
            for n, code in enumerate(many)
        ),
        base
        | refused
        | spam
        | {"source_country_code": "_U", "origin_observed_code": "_U", "source_network": "_U"},
        base | spam | {"channel_code": "SMS", "origin_observed_code": "_U", "origin_claimed_code": "NPL"},
    ]
    effort = {"operator_id": "alp-mail", "period_date": first, "channel_code": "EMAIL", "filter_us": 5}
    effort |= {
        "countermeasure_code": "DNSBL",
        "strategy_code": "network",
        "units_examined": 9,
        "units_acted": 4,
    }
    effort |= {"is_examined_derived": True, "received_bytes": 1, "quarantined_bytes": 0}
    cost = {
        "operator_id": "alp-mail",
        "period_code": "2026-11",
        "channel_code": "EMAIL",
        "currency_code": "CHF",
    }
    cost |= {"countermeasure_code": "DNSBL", "strategy_code": "network", "cost_component_code": "marginal"}
    cost |= {f"amount_p{point}": Decimal(value) for point, value in (("05", 1), ("50", 2), ("95", 3))}
    cost |= {"bound_code": "lower", "day_count": 2}
    file = {"operator_id": "alp-mail", "stream_id": "a", "piece_id": "a1", "format_code": "postfix"}
    file |= {
        "line_count": 10,
        "record_count": 7,
        "ignored_count": 2,
        "quarantined_count": 1,
        "late_count": None,
    }
    audit = {
        "operator_id": "alp-post",
        "period_code": "2026-11",
        "channel_code": "EMAIL",
        "stratum_code": "_T",
        "spam_type_code": "_T",
    }
    monthly = [row | {"period_code": "2026-11", "subscriber_count": 4_000} for row in rows]
    monthly += [monthly[0] | {"operator_id": "alp-post", "subscriber_count": None, **spam}]
    coverage = base | {"engine_code": "rspamd", "units_marked": 9, "units_strong": 4, "units_weak": 3}
    coverage |= {"units_untyped": 2}
    sign = base | {"bypass_code": "SIMBOX", "inbound_link_id": "a", "units_examined": 9, "units_flagged": 2}
    campaign = base | {"signature_kind_code": "text", "copy_count": 50, "message_count": 50}
    campaign |= {"distinct_recipient_count": 48, "distinct_sender_count": 3, "distinct_network_count": 2}
    campaign |= {"blocked_count": 40, "delivered_count": 10, "period_date": second}
    campaign |= {
        "first_at": dt.datetime(2026, 11, 3, 4, 5, tzinfo=dt.UTC),
        "last_at": dt.datetime(2026, 11, 3, 23, 59, tzinfo=dt.UTC),
        "direction_codes": ["inbound", "outbound"],
    }
    audit |= {"quality_method_code": "audit", "units": 99, "sampled_count": 9, "labelled_count": 8}
    audit |= {
        "prevalence": Decimal("0.2"),
        "prevalence_low": Decimal("0.2"),
        "prevalence_high": Decimal("0.2"),
        "passed_spam_share": Decimal("0.25"),
        "passed_spam_share_low": Decimal("0.25"),
        "passed_spam_share_high": Decimal("0.25"),
    }
    return with_corrected({
        # An audit is believed before a test elsewhere; one that nobody labelled says nothing.
        "gold.filter_quality_monthly": [
            audit | {"quality_method_code": "rogan_gladen", "prevalence": Decimal("0.9")},
            audit,
            audit | {"stratum_code": "EMAIL.passed.typed.none", "prevalence": Decimal(0)},
            audit | {"stratum_code": "EMAIL._T._T.lt2.5", "prevalence": Decimal("0.4")},
            audit | {"operator_id": "alp-mail", "prevalence": None},
            audit | {"spam_type_code": "FRAUD.romance", "prevalence": Decimal("0.1")},
            audit | {"spam_type_code": "AD.retail", "prevalence": None},
        ],
        "gold.spam_volume_daily": rows,
        "gold.spam_source_daily": rows,
        "gold.spam_source_monthly": monthly,
        "gold.type_coverage_daily": [coverage, coverage | {"unit_code": "message"}],
        # Two links of a kind are added; segments are of the same messages again.
        "gold.bypass_indicator_daily": [
            sign,
            sign | {"inbound_link_id": "b", "unit_code": "call"},
            sign | {"unit_code": "segment"},
        ],
        "gold.campaign_daily": [
            campaign | named("a1", "a2", "a3"),
            # The day before it had a lesser signature, and what is now one was two.
            campaign | named("a0", "a1") | {"period_date": first, "copy_count": 20},
            campaign | named("a2", "a3") | {"period_date": first, "copy_count": 7},
            campaign | named("b1") | {"copy_count": 90, "direction_codes": ["outbound"]},
            campaign | named("c1") | {"copy_count": 95, "period_date": first},
            campaign | named("a1") | {"operator_id": "alp-post", "copy_count": 30, "period_date": first},
            *(campaign | named(f"d{n}") | {"copy_count": n} for n in range(10, 20)),
        ],
        "gold.spam_type_daily": rows,
        "gold.spam_route_daily": rows,
        "gold.traffic_hourly_daily": [
            {"operator_id": "alp-mail", "period_date": first + dt.timedelta(day), "channel_code": "EMAIL"}
            | {"direction_code": "inbound", "hour_of_day": 9, "unit_code": "recipient", "units": 3}
            | {"sized_units": 2, "bytes": 700, "delay_units": 1, "longest_delay_us": longest}
            | {f"within_{seconds}s": 1 for seconds in WITHIN}
            for day, longest in ((0, 8), (1, 5))
        ],
        "gold.countermeasure_effort_daily": [effort, effort | {"operator_id": "alp-post", "units_acted": 1}],
        "gold.countermeasure_cost_monthly": [
            cost,
            cost | {"period_code": "2026-10", "amount_p50": Decimal(9)},
        ],
        "silver.complaint": [
            {"operator_id": operator, "channel_code": "SMS", "feedback_type_code": "sms-7726"}
            for operator in ("alp-mail", "alp-mail", "alp-post")
        ],
        "bronze.file": [file, file | {"piece_id": "a2"}, file | {"stream_id": "b", "piece_id": "b1"}],
    })  # fmt: skip


@pytest.fixture(scope="module")
def gathered(tables: dict[str, Any]) -> Figures:
    return gather_figures(lambda table: rows_frame(tables.get(table, []), table))


def test_only_what_came_in_is_counted_and_units_are_not_mixed(gathered: Figures) -> None:
    refused = sum(range(100, 130)) + 7
    daily = {(r["channel_code"], r["period_date"].day): r for r in gathered.daily.to_dicts()}
    assert daily["EMAIL", 2]["units"] == 10 + refused
    assert daily["EMAIL", 2]["spam_certain"] == refused
    assert daily["EMAIL", 2]["spam_possible"] == refused + 1
    assert daily["EMAIL", 3]["units"] == 5
    assert daily["SMS", 2]["units"] == 7
    for figure in ("types", "routes", "transits", "stages"):
        assert getattr(gathered, figure)["units"].sum() == 10 + 5 + refused + 7, figure
    volume = gathered.volume
    assert volume.filter(pl.col("direction_code") == "outbound")["units"].sum() == 1000
    assert volume.filter(pl.col("definition_code") == "SPAMHAUS_UBE")["spam_possible"].sum() == 10
    for name, about in FIGURES.items():
        assert getattr(gathered, name).schema == pl.Schema(about.columns), name


def test_complaints_are_counted_by_what_they_are_about(gathered: Figures) -> None:
    assert gathered.complaints.rows() == [("SMS", "sms-7726", 3)]
    report = Report(figures(), {each.id: each for each in OPERATORS}, None)
    told = {card.name: card.complaints.replace(numbers.NARROW, " ") for card in header.channel_cards(report)}
    more = "which adds nothing to the share."
    assert told == {
        "E-mail": f"Receivers complained 1,235 times (abuse 1,204, fraud 31), {more}",
        "SMS": f"Receivers complained 48 times (report to 7726), {more}",
    }


def test_the_largest_stay_and_the_rest_is_one_row(gathered: Figures) -> None:
    order = [pl.col("source_country_code") == "_U", -pl.col("spam_certain")]
    mail = gathered.countries.filter(pl.col("channel_code") == "EMAIL").sort(order)
    assert len(mail) == 30 + 2
    rows = {row["source_country_code"]: row for row in sources.largest_countries(mail.to_dicts())}
    assert len(rows) == 12 + 2
    # The 12 largest of 30 have 118 to 129 units; the 18 others and Germany, with 7, are one row.
    assert rows["_O"]["spam_certain"] == sum(range(100, 118)) + 7
    assert rows["_O"]["country_count"] == 19
    assert rows["_U"]["spam_certain"] == 7
    networks = gathered.networks.filter(pl.col("channel_code") == "EMAIL")
    assert sorted(networks["spam_certain"]) == list(range(120, 130))
    routes = gathered.routes.filter(pl.col("channel_code") == "EMAIL")
    assert routes["origin_code"].n_unique() == 7 + 2


def test_the_same_spam_is_measured_of_recipients_and_of_attempts_too(
    gathered: Figures,
) -> None:
    mail = gathered.bases.filter(pl.col("channel_code") == "EMAIL")
    refused = sum(range(100, 130)) + 7
    assert definitions.sum_measure(mail, "recipients") == Spam(15, 0, 2)
    assert definitions.sum_measure(mail, "attempted").units == 15 + refused
    # Delivered without a mark: 15. Blocked or tagged: nothing of the recipients, all the attempts.
    assert definitions.maawg_ratio(mail, "recipient") == Spam(15, 0, 0)
    both = definitions.maawg_ratio(mail, None)
    assert (both.certain, both.units) == (refused, refused + 15)


def test_campaigns_are_the_largest_of_each_operators_last_day(gathered: Figures) -> None:
    rows = gathered.campaigns.sort("copy_count", descending=True).to_dicts()
    assert [(r["operator_id"], r["campaign_hash"], r["copy_count"]) for r in rows[:3]] == [
        ("alp-mail", "a1", 50),
        ("alp-post", "a1", 30),
        ("alp-mail", "d19", 19),
    ]
    assert len(rows) == 8
    assert (rows[0]["first_time"], rows[0]["last_time"]) == ("04:05", "23:59")
    days = gathered.campaign_days.filter(pl.col("campaign_hash") == "a1", pl.col("operator_id") == "alp-mail")
    assert days.sort("period_date")["copy_count"].to_list() == [27, 50]


def test_signs_and_types_count_each_unit_once(gathered: Figures) -> None:
    (sign,) = gathered.bypass.to_dicts()
    assert (sign["units_examined"], sign["units_flagged"]) == (18, 4)
    (coverage,) = gathered.type_coverage.to_dicts()
    assert (coverage["units_marked"], coverage["units_untyped"]) == (9, 2)


def test_an_sms_route_starts_where_its_number_is_from(gathered: Figures) -> None:
    (row,) = gathered.routes.filter(pl.col("channel_code") == "SMS").to_dicts()
    assert (row["origin_kind"], row["origin_code"]) == ("claimed", "NPL")


def test_costs_are_of_the_last_month_and_efforts_are_added(gathered: Figures) -> None:
    assert gathered.costs["period_code"].to_list() == ["2026-11"]
    assert gathered.costs["amount_p50"].to_list() == [Decimal(2)]
    (effort,) = gathered.effort.to_dicts()
    assert (effort["units_examined"], effort["units_acted"], effort["filter_us"]) == (18, 5, 10)
    (file,) = gathered.coverage.to_dicts()
    assert (file["file_count"], file["line_count"], file["late_count"]) == (2, 30, 0)
    (days,) = gathered.days.filter(pl.col("operator_id") == "alp-post").to_dicts()
    assert (days["first_date"], days["day_count"]) == (dt.date(2026, 11, 3), 1)


def test_hours_are_added_over_days(gathered: Figures) -> None:
    (row,) = gathered.hours.to_dicts()
    assert (row["units"], row["sized_units"], row["bytes"], row["delay_units"]) == (6, 4, 1400, 2)
    assert (row["within_1s"], row["longest_delay_us"]) == (2, 8)


def test_what_filters_saw_comes_with_what_is_known_of_them(gathered: Figures) -> None:
    rows = {(row["operator_id"], row["channel_code"]): row for row in gathered.quality.to_dicts()}
    # As many as the tables have now, whatever there were at the draw; no attempts, none outbound.
    assert {key: row["units"] for key, row in rows.items()} == {
        ("alp-mail", "EMAIL"): 10,
        ("alp-mail", "SMS"): 7,
        ("alp-post", "EMAIL"): 5,
    }
    known = rows["alp-post", "EMAIL"]
    assert (known["quality_method_code"], known["prevalence"], known["labelled_count"]) == ("audit", 0.2, 8)
    assert rows["alp-mail", "EMAIL"]["prevalence"] is None
    # Of the five that it saw four passed, a quarter of them spam; the sample had none of the undecided one.
    parts = {
        figure: getattr(gathered, figure).filter(pl.col("audited_units") > 0).to_dicts()
        for figure in ("daily", "stages", "countries", "routes", "transits", "networks")
    }
    (day,) = parts["daily"]
    assert (day["seen_units"], day["audited_units"], day["audited_spam"]) == (5, 4, 1)
    assert (day["spam_low"], day["spam_high"]) == (1, 2)
    assert [row["audited_spam"] for row in parts["stages"]] == [1]
    # Rows of before content was counted apart in routes and months stay as counted.
    assert parts["countries"] == parts["routes"] == parts["transits"] == []
    # Parts are no strata, and no channel.
    assert gathered.quality_parts["stratum_code"].to_list() == ["EMAIL._T._T.lt2.5"]
    # Every type that is counted or labelled in a channel, for each operator of it, of all that filters saw.
    types = {
        (row["operator_id"], row["channel_code"], row["spam_type_code"]): (
            *(row["units"], row["spam_certain"], row["spam_possible"], row["prevalence"]),
        )
        for row in gathered.type_quality.to_dicts()
    }
    assert types == {
        ("alp-mail", "EMAIL", "UNK"): (10, 0, 1, None),
        ("alp-mail", "EMAIL", "FRAUD.romance"): (10, 0, 0, None),
        ("alp-post", "EMAIL", "UNK"): (5, 0, 1, None),
        ("alp-post", "EMAIL", "FRAUD.romance"): (5, 0, 0, 0.1),
        ("alp-mail", "SMS", "UNK"): (7, 7, 7, None),
    }


def test_a_lake_without_rows_has_figures_without_rows() -> None:
    empty = gather_figures(lambda table: rows_frame([], table))
    assert {name: len(getattr(empty, name)) for name in FIGURES} == dict.fromkeys(FIGURES, 0)


def test_what_was_gathered_can_be_drawn(gathered: Figures, tmp_path: Path) -> None:
    write_page(gathered, OPERATORS, validation(), ABOUT, tmp_path)
    # Two undecided messages have no share of spam in the audit, so they stay possible.
    title = plain(read(tmp_path / "index.html").all("h1")[0]["text"])
    assert title.startswith("Spam was 99.6–99.7% of e-mail")


# --- the page of a lake ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> config.Observatory:
    root = tmp_path_factory.mktemp("lake_of_report")
    return load_with_options(ROOT / "sample_data" / "observatory.toml", lake_root=str(root))


@pytest.fixture(scope="module")
def lake(settings: config.Observatory, tables: dict[str, Any]) -> Lake:
    """A lake of the tables, as a finished run left it."""
    lake = Lake(settings.lake.root)
    for table, rows in tables.items():
        lake.append(rows_frame(rows, table), table)
    versions = [{"table_name": table, "version": lake.version(table)} for table in tables]
    times = {"started_at": FINISHED, "finished_at": FINISHED, "code_revision": "abc"}
    run = {"run_id": "r1", "stage_name": "gold", "table_versions": versions, **times}
    lake.append(rows_frame([run], "meta.run"), "meta.run")
    return lake


FINISHED = dt.datetime(2026, 11, 7, 6, 12, tzinfo=dt.UTC)


@pytest.mark.long
def test_a_page_is_drawn_again_only_when_its_inputs_changed(
    lake: Lake, settings: config.Observatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []
    build = page_module.write_page

    def counting(*arguments: Any) -> Path:
        drawn.append(arguments[-1])
        return build(*arguments)

    monkeypatch.setattr(page_module, "write_page", counting)

    def write_again() -> int:
        """Update the page, and count the times that it has been drawn."""
        assert write.update_page(lake, settings, tmp_path) == tmp_path / "index.html"
        return len(drawn)

    assert (write_again(), write_again()) == (1, 1)
    before = files_of(tmp_path)
    assert "run <code>r1</code>, 7 November 2026, 06:12 UTC" in plain(
        (tmp_path / "validation.html").read_text(encoding="utf-8")
    )
    # A file that is missing, or that somebody changed.
    (tmp_path / "daily.csv").unlink()
    assert (write_again(), write_again()) == (2, 2)
    (tmp_path / "index.html").write_text("not drawn", encoding="utf-8")
    assert (write_again(), write_again()) == (3, 3)
    assert files_of(tmp_path) == before
    # Other settings, other code, another run.
    other = settings.model_copy(update={"location": None})
    write.update_page(lake, other, tmp_path)
    assert len(drawn) == 4
    assert write_again() == 5
    monkeypatch.setattr(write, "code_digest", lambda: "other code")
    assert (write_again(), write_again()) == (6, 6)
    table = "gold.spam_volume_daily"
    lake.append(lake.read(table).with_columns(operator_id=pl.lit("alp-post")).head(1), table)
    assert write_again() == 6
    named = {"table_versions": [{"table_name": table, "version": lake.version(table)}]}
    run = {"run_id": "r2", "stage_name": "gold", "finished_at": FINISHED + dt.timedelta(days=1), **named}
    lake.append(rows_frame([run], "meta.run"), "meta.run")
    assert (write_again(), write_again()) == (7, 7)
    assert "8 November 2026" in plain((tmp_path / "index.html").read_text(encoding="utf-8"))


def test_a_page_that_could_not_be_finished_is_drawn_again(
    lake: Lake, settings: config.Observatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write.update_page(lake, settings, tmp_path)
    before = files_of(tmp_path)
    monkeypatch.setattr(write, "code_digest", lambda: "other code")

    def killed(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(page_module, "write_page", killed)
        write.update_page(lake, settings, tmp_path)
    assert not (tmp_path / write.INPUTS).exists()
    write.update_page(lake, settings, tmp_path)
    assert {name: data for name, data in files_of(tmp_path).items() if name != write.INPUTS} == {
        name: data for name, data in before.items() if name != write.INPUTS
    }


def test_a_lake_that_nothing_was_written_to_has_a_page(settings: config.Observatory, tmp_path: Path) -> None:
    page = write.update_page(Lake(str(tmp_path / "lake")), settings, tmp_path / "report")
    assert read(page).all("h1")[0]["text"] == "No traffic has been counted yet"


# --- colours and words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (0.0004, "<0.1%"), (0.382, "38.2%"), (0.9999, ">99.9%"), (1, "100%"), (0.0005, "0.1%")],
)
def test_a_share_is_never_rounded_to_nothing_nor_to_all(share: float, text: str) -> None:
    assert numbers.format_share(share) == text


def test_ranges() -> None:
    assert numbers.format_range(0.372, 0.39, numbers.format_share) == "37.2–39.0%"
    assert numbers.format_range(0.372, 0.3721, numbers.format_share) == "37.2%"
    assert numbers.format_range(0.0001, 0.02, numbers.format_share) == "<0.1%–2.0%"
    assert plain(numbers.format_range(1_240_000, 1_310_000)) == "1.24–1.31 million"
    assert plain(numbers.format_range(990_000, 1_010_000)) == "990,000–1.01 million"
    assert (
        plain(words.format_days(dt.date(2026, 11, 30), dt.date(2026, 12, 2)))
        == "30 November – 2 December 2026"
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (9_876, "9,876"), (251_349, "251,000"), (999_600, "1 million"), (1_241_000, "1.24 million")],
)
def test_large_numbers_are_rounded_for_reading(number: int, text: str) -> None:
    assert plain(numbers.format_rounded(number)) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0"), (0.004, "<0.01"), (0.418, "0.42"), (12.34, "12.3"), (1234.5, "1,230")]
)
def test_money(amount: float, text: str) -> None:
    assert numbers.format_money(amount) == text


def test_a_time_is_told_in_utc() -> None:
    assert plain(words.format_time("2026-11-07T08:12:00+02:00")) == "7 November 2026, 06:12 UTC"
