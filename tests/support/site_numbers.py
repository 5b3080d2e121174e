"""Sentences with a figure on the main pages of a site, recomputed from the release's CSV by code of its own.

A sentence of a main page that has a digit and that nothing here recomputes fails, and so does a figure of low
reliability.
"""

import csv
import html
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
Row = dict[str, str]
CHANNELS = {"e-mail": "EMAIL", "sms": "SMS", "circuit-switched calls": "VOICE_CS", "ip calls": "VOICE_IP"}
QUANTITIES = {
    "corrected for filter error": "spam_corrected",
    "as filters saw it, not corrected": "spam_certain",
}
COMPACT = {"": 1.0, "k": 1e3, "M": 1e6, "bn": 1e9, "T": 1e12}
SIZES = {"million": 1e6, "billion": 1e9, "trillion": 1e12}
# The last: none is published, and it may be low.
LOW = {"unreliable", "one_respondent", "few_holdings", ""}
MAIN = (
    "index",
    "volume",
    "types",
    "sources",
    "routes",
    "measures",
    "investment",
    "policy",
    "users",
    "others",
)
# Sentences that are the same in every release, or that name no figure of it.
STATIC = re.compile(
    r"^Left out|X\.1231|95% point|[Aa] rank of 1–3|Shares are of all spam|reference prices|(?:^|; )20\d\d$"
    r"|quarter \d of 20\d\d$|MADE-UP|Spam and the cost|^95% intervals hold if"
    r"|95% intervals of changes rest on"
)


class Figures:
    """A release's tables, and what a sentence says against them."""

    def __init__(self, data: Path) -> None:
        self.tables: dict[str, list[Row]] = {}
        for file in data.glob("*.csv"):
            with file.open(encoding="utf-8", newline="") as lines:
                self.tables[file.name.split(".")[0]] = list(csv.DictReader(lines))

    def last(self, table: str) -> list[Row]:
        """The rows of a table's last period."""
        rows = self.tables[table]
        period = max((row["period_code"] for row in rows), default="")
        return [row for row in rows if row["period_code"] == period]

    def one(self, table: str, area: str, channel: str, **codes: str) -> Row:
        """The row of the last period that a sentence is of."""
        wanted = {"channel_code": CHANNELS[channel.lower()], "area_name": name_of(area)} | codes
        found = [
            row for row in self.tables[table]
            if all(row[name] == value for name, value in wanted.items())
            and row.get("unit_code", "call") in ("attempted", "call")
            and row.get("definition_code", "OPERATOR") == "OPERATOR"
        ]  # fmt: skip
        last = max((row["period_code"] for row in found), default="")
        found = [row for row in found if row["period_code"] == last]
        assert len(found) == 1, (table, wanted, len(found))
        return found[0]

    def better(self, table: str, area: str, channel: str, **codes: str) -> Row:
        """Corrected spam, or where there is none what filters saw."""
        named = [
            row for row in self.tables[table]
            if row["quantity_code"] == "spam_corrected" and row["area_name"] == name_of(area)
            and row["channel_code"] == CHANNELS[channel.lower()]
        ]  # fmt: skip
        quantity = "spam_corrected" if named else "spam_certain"
        return self.one(table, area, channel, quantity_code=quantity, **codes)


def name_of(area: str) -> str:
    return "World" if area == "the world" else area


def number(text: str) -> float:
    """A figure as a sentence writes it: 2.99 billion; 1,234."""
    value, _, size = text.replace(",", "").replace("\N{NO-BREAK SPACE}", " ").partition(" ")
    return float(value) * SIZES.get(size, 1)


def two_digits(value: str) -> float:
    """Round a figure of the release as a sentence does."""
    return float(Context(prec=2, rounding=ROUND_HALF_UP).create_decimal(value))


def same(text: str, value: str) -> None:
    assert number(text) == two_digits(value), (text, value)


def same_share(text: str, value: str) -> None:
    """Assert that a text shows a share with two digits; one that is not all never reads as 100%."""
    assert float(text) == (float(value) if 99.5 <= float(value) < 100 else two_digits(value)), (text, value)


def around(low: str, high: str, ends: tuple[str, str]) -> None:
    """Assert that the ends of an interval, with two digits, hold all of it, and no more than one step
    beyond."""
    for text, value, way in ((low, ends[0], -1), (high, ends[1], 1)):
        said, exact = Decimal(str(number(text))), Decimal(value)
        assert said == Context(prec=2).create_decimal(said), text
        step = Decimal(1).scaleb(exact.adjusted() - 1)
        assert 0 <= way * (said - exact) < step, (text, value)


def quotable(band: str) -> None:
    assert band not in LOW, band


N = r"(\d[\d.,]*(?:\s(?:million|billion|trillion))?)"


def headline(figures: Figures, parts: str) -> None:
    for part in parts.split("; "):
        shares, area = re.fullmatch(r"(.+?) in (.+)", part).groups()  # type: ignore[union-attr]
        for share, channel in re.findall(r"([\d.]+)% of (.+?)(?:, | and |$)", shares):
            row = figures.better("spam_volume", area, channel)
            same_share(share, row["share_pct"])
            quotable(row["share_cv_band_code"])


def volume(figures: Figures, channel: str, estimate: str, area: str, share: str) -> None:
    row = figures.better("spam_volume", area, channel)
    same(estimate, row["estimate"])
    same_share(share, row["share_pct"])
    quotable(row["cv_band_code"])
    quotable(row["share_cv_band_code"])


def rate(figures: Figures, channel: str, value: str, area: str) -> None:
    row = figures.better("spam_volume", area, channel)
    same(value, row["rate_per_subscription"])
    quotable(row["cv_band_code"])


def change(figures: Figures, channel: str, value: str, area: str, quarter: str, year: str) -> None:
    row = figures.one("volume_change", area, channel, match_code="with_before", quantity_code="spam_certain")
    assert f"{float(row['change_pct']):+.1f}" == value and row["earlier_period_code"] == f"{year}-Q{quarter}"


WAYS = {"rise": "a rise", "fall": "a fall", "unclear": "not sure whether it rose or fell"}


def titled_change(
    figures: Figures, channel: str, value: str, area: str, quarter: str, year: str, ends: str
) -> None:
    """The title of a channel's changes, with both ends where the change has any."""
    change(figures, channel, value, area, quarter, year)
    row = figures.one("volume_change", area, channel, match_code="with_before", quantity_code="spam_certain")
    low, high = (f"{float(row[f'change_{end}_pct'] or 0):+,.1f}%" for end in ("low", "high"))
    assert ends == (f" ({low} to {high})" if row["change_code"] else "")


def way_of_change(figures: Figures, channel: str, area: str, text: str) -> None:
    """Check how sure a card is of a change, by both ends."""
    row = figures.one("volume_change", area, channel, match_code="with_before", quantity_code="spam_certain")
    said = re.search(r"as filters saw it: (.+) \(([+-]?[\d.,]+)% to ([+-]?[\d.,]+)%\)\.", text)
    if not said:
        assert "as filters saw it; no interval." in text and not row["change_code"]
        return
    low, high = float(row["change_low_pct"]), float(row["change_high_pct"])
    assert [float(each.replace(",", "")) for each in said.groups()[1:]] == [low, high]
    assert said[1] == WAYS["rise" if low > 0 else "fall" if high < 0 else "unclear"]


def since(figures: Figures, channel: str, quarter: str, year: str) -> None:
    rows = [
        row for row in figures.tables["volume_change"] if row["channel_code"] == CHANNELS[channel.lower()]
    ]
    assert {row["earlier_period_code"] for row in rows} == {f"{year}-Q{quarter}"}


def part(figures: Figures, channel: str, area: str, name: str, share: str) -> None:
    found = [
        row for table in ("spam_type", "spam_source", "spam_route") for row in figures.tables[table]
        if row["area_name"] == name_of(area) and row["channel_code"] == CHANNELS[channel.lower()]
        and (row["rank_from"], row["rank_to"]) == ("1", "1") and two_digits(row["share_pct"]) == float(share)
    ]  # fmt: skip
    assert found, (name, area, share)
    quotable(found[0]["share_cv_band_code"])


REGIONS = {
    "AFR": "Africa", "AMS": "Americas", "ARB": "Arab States", "ASP": "Asia and the Pacific",
    "CIS": "Commonwealth of Independent States", "EUR": "Europe",
}  # fmt: skip


def left_open(figures: Figures, channel: str, area: str, names: str) -> None:
    """Check which parts may come first: of regions of source all and no other are named."""
    firsts = [
        {row[column] for row in figures.tables[table]
         if row["area_name"] == name_of(area) and row["channel_code"] == CHANNELS[channel.lower()]
         and row["rank_from"] == "1"}
        for table, column in (("spam_type", "spam_type_code"), ("spam_source", "source_region_code"),
                              ("spam_route", "link_code"))
    ]  # fmt: skip
    named = {code for code, name in REGIONS.items() if name in names}
    assert any(
        len(codes) > 1 and (named == codes if codes & REGIONS.keys() else not named) for codes in firsts
    )


def cost(figures: Figures, channel: str, area: str, estimate: str, *ends: str) -> None:
    row = figures.one("countermeasure_cost", area, channel, strategy_code="_T", cost_component_code="stated")
    money(row, estimate, *ends)


def spent(figures: Figures, channel: str, area: str, estimate: str, *ends: str) -> None:
    codes = {"strategy_code": "_T", "component_code": "_T", "conversion_code": "market"}
    money(figures.one("investment", area, channel, **codes), estimate, *ends)


def spent_unquoted(figures: Figures, area: str, channel: str, why: str) -> None:
    """Why spending is not quoted: its band is low, its band is not published, or its interval is not."""
    codes = {"strategy_code": "_T", "component_code": "_T", "conversion_code": "market"}
    row = figures.one("investment", area, channel, **codes)
    reasons = dict.fromkeys(LOW, "the estimate is too uncertain")
    reasons[""] = "its reliability is not published"
    assert why == reasons.get(row["cv_band_code"], "its interval is not published"), why


def money(row: Row, estimate: str, *ends: str) -> None:
    same(estimate, row["estimate"])
    if ends:
        low, high = ends
        around(low, high, (row["estimate_low"], row["estimate_high"]))
    quotable(row["cv_band_code"])


def gap(figures: Figures, channel: str, value: str, area: str) -> None:
    row = figures.one("investment_gap", area, channel)
    same(value, row["gap"])
    quotable(row["cv_band_code"])


def answered(figures: Figures, channel: str, area: str, frame: str, of: str) -> None:
    row = figures.better("spam_volume", area, channel)
    assert (row["frame_country_count"], row["area_country_count"]) == (frame, of)


def answered_on_spending(figures: Figures, channel: str, holdings: str, share: str, area: str) -> None:
    codes = {"strategy_code": "_T", "component_code": "_T", "conversion_code": "market"}
    row = figures.one("investment", area, channel, **codes)
    assert row["coverage_class_code"] == class_of(share)
    assert row["holdings_class_code"] == holdings.replace("at least ", "FROM_").replace(" to ", "_")


def class_of(share: str) -> str:
    """The class of a share in words: under 10%, 25 to 50%, 90% and more."""
    low, high = (re.search(pattern, share) for pattern in (r"under (\d+)", r"(\d+)% and more"))
    if low or high:
        return f"UNDER_{low[1]}" if low else f"FROM_{high[1]}"  # type: ignore[index]
    return share.removesuffix("%").replace(" to ", "_")


def low(figures: Figures, every: str, unreliable: str) -> None:
    rows = figures.tables["spam_volume"]
    assert len(rows) == number(every) and sum(row["cv_band_code"] in LOW for row in rows) == number(
        unreliable
    )


def of_each(check: Callable[[Figures, str, str], None]) -> Callable[..., None]:
    """A check of every channel's size in a sentence: of e-mail 12%, SMS 9% and IP calls 3%."""

    def check_sizes(figures: Figures, parts: str) -> None:
        found = re.findall(rf"(?:^|, | and )({'|'.join(CHANNELS)}) (.+?)(?=, | and |$)", parts, re.IGNORECASE)
        assert [" ".join(size) for size in found] == re.split(", | and (?!more)", parts)
        for channel, size in found:
            check(figures, channel, size.removesuffix("%"))

    return check_sizes


def whole_area(figures: Figures, channel: str) -> str:
    """The name of all countries together."""
    rows = [row for row in figures.tables["spam_volume"] if row["area_code"] in ("001", "001_STUDY")]
    return {row["area_name"] for row in rows if row["channel_code"] == CHANNELS[channel.lower()]}.pop()


def silent(figures: Figures, channel: str, share: str) -> None:
    row = figures.better("spam_volume", whole_area(figures, channel), channel)
    assert row["silent_class_code"] == class_of(share)


def unknown(table: str, column: str, code: str) -> Callable[..., None]:
    def check(figures: Figures, channel: str, share: str) -> None:
        rows = [
            row for row in figures.tables[table]
            if row["area_code"] in ("001", "001_STUDY") and row["channel_code"] == CHANNELS[channel.lower()]
            and row[column] == code
        ]  # fmt: skip
        row = min(rows, key=lambda each: each["quantity_code"] != "spam_corrected")
        same_share(share, row["share_pct"])

    return check


def subscriptions(figures: Figures, channel: str, share: str) -> None:
    row = figures.better("spam_volume", whole_area(figures, channel), channel)
    terms = {
        name: float(row[name])
        for name in ("area_factor", "rates_variance", "subscriptions_variance", "days_variance")
    }
    whole = (
        terms["area_factor"] * terms["rates_variance"]
        + terms["subscriptions_variance"]
        + terms["days_variance"]
    )
    exact = 100 * terms["subscriptions_variance"] / whole
    assert share == "<1" and exact < 0.5 or abs(float(share.strip("<>")) - exact) <= 0.5 + 1e-9  # fmt: skip


def new(figures: Figures, *counts: str) -> None:
    codes = [
        row["revision_code"] for rows in figures.tables.values() for row in rows if "revision_code" in row
    ]
    found = [len(codes), *(codes.count(code) for code in ("NEW", "REVISED", "SAME", "STANDS"))]
    assert [number(each) for each in counts] == found


def spread(figures: Figures, channel: str, part: str, low: str, high: str) -> None:
    """The least and the greatest share of a part in areas whose shares may be quoted."""
    found = []
    for table, column in (("spam_type", "spam_type_code"), ("spam_source", "source_region_code"),
                          ("spam_route", "link_code")):  # fmt: skip
        shares: dict[tuple[str, str], list[float]] = {}
        for row in figures.last(table):
            if (row["channel_code"] == CHANNELS[channel.lower()] and row["unit_code"] in ("attempted", "call")
                and row["share_pct"] and row["share_cv_band_code"] not in LOW):  # fmt: skip
                shares.setdefault((row[column], row["quantity_code"]), []).append(float(row["share_pct"]))
        found += [
            code
            for (code, _), own in shares.items()
            if [two_digits(str(end(own))) for end in (min, max)] == [float(low), float(high)]
        ]
    assert any(REGIONS.get(code, part) == part for code in found), (part, low, high)


def in_use(figures: Figures, channel: str, names: str, low: str, high: str, area: str) -> None:
    """The strategies in the highest quarter of an area."""
    rows = [
        row for row in figures.last("countermeasure")
        if row["channel_code"] == CHANNELS[channel.lower()] and row["area_name"] == name_of(area)
    ]  # fmt: skip
    most = max(float(row["share_from_pct"]) for row in rows)
    own = [row for row in rows if float(row["share_from_pct"]) == most]
    assert {row["strategy_code"] for row in own} == set(re.split(", | and ", names.lower()))
    assert {(row["share_from_pct"], row["share_below_pct"]) for row in own} == {(low, high)}


def compact(text: str, value: str) -> None:
    """A figure of a title with the sign of its size: 13M."""
    digits, size = re.fullmatch(r"([\d.,]+)(k|M|bn|T|)", text).groups()  # type: ignore[union-attr]
    said = float(digits.replace(",", "")) * COMPACT[size]
    assert said == two_digits(value), (text, value)


def largest(figures: Figures, table: str, channel: str, name: str, value: str, area: str) -> None:
    """The largest amount of an area that may be quoted, of strategies."""
    wanted = {"cost_component_code": "stated", "conversion_code": "market", "component_code": "_T"}
    rows = [
        row for row in figures.last(table)
        if row["channel_code"] == CHANNELS[channel.lower()] and row["area_name"] == name_of(area)
        and row["cv_band_code"] not in LOW
        and all(row.get(column, code) == code for column, code in wanted.items())
        and row["strategy_code"] != "_T"
    ]  # fmt: skip
    row = max(rows, key=lambda each: float(each["estimate"]))
    assert row["strategy_code"].replace("_", " ") == name.lower(), (row["strategy_code"], name)
    compact(value, row["estimate"])


def answered_most(figures: Figures, pillar: str, names: str, low: str, high: str, area: str) -> None:
    """The one answer in the highest quarter of a pillar, but no, none and no rule."""
    rows = [
        row for row in figures.last("policy")
        if row["pillar_code"] == pillar.split()[0].lower() and row["area_name"] == name_of(area)
        and row["answer_code"] not in ("no", "NONE", "zero")
    ]  # fmt: skip
    most = max(float(row["share_from_pct"]) for row in rows)
    own = [row for row in rows if float(row["share_from_pct"]) == most]
    assert [(row["share_from_pct"], row["share_below_pct"]) for row in own] == [(low, high)]
    assert own[0]["indicator_text"].lower() in names.lower(), names


def issuers(figures: Figures, names: str) -> None:
    assert {row["issuer"] for row in figures.tables["published_volume"]} == set(re.split(", | and ", names))


def following(figures: Figures, quarter: str, year: str) -> None:
    """The next release is for the quarter after that of the figures."""
    last = max(row["period_code"] for row in figures.tables["spam_volume"])
    before = int(last[:4]) * 4 + int(last[-1])
    assert int(year) * 4 + int(quarter) == before + 1


def countries(figures: Figures, count: str, channel: str) -> None:
    rows = [
        row for row in figures.last("spam_volume")
        if row["area_kind_code"] == "country" and row["channel_code"] == CHANNELS[channel.lower()]
    ]  # fmt: skip
    assert len({row["area_code"] for row in rows}) == int(count)


def beside(figures: Figures, channel: str, share: str, area: str, other: str, whole: str) -> None:
    """Shares of an area and of all countries together, of the better quantity that both have."""
    for quantity in QUANTITIES.values():
        found = [
            row for name in (area, whole) for row in figures.last("spam_volume")
            if row["area_name"] == name_of(name) and row["channel_code"] == CHANNELS[channel.lower()]
            and row["quantity_code"] == quantity and row["definition_code"] == "OPERATOR"
            and row["unit_code"] in ("attempted", "call") and row["share_pct"]
        ]  # fmt: skip
        if len(found) == 2:
            for said, row in zip((share, other), found, strict=True):
                same_share(said, row["share_pct"])
                quotable(row["share_cv_band_code"])
            return
    raise AssertionError((channel, area, whole))


def pairs_apart(figures: Figures, named: str, apart: str, every: str) -> None:
    """Check the pairs of a channel's regions whose intervals of rates do not overlap, the lower one first."""
    counted = set()
    for channel, quantity in {(c, q) for c in CHANNELS.values() for q in QUANTITIES.values()}:
        own = [
            (float(row["rate_low"]), float(row["rate_high"]), row["area_name"].split(" (")[0])
            for row in figures.last("spam_volume") if row["cv_band_code"] not in LOW
            and (row["channel_code"], row["quantity_code"]) == (channel, quantity) and row["rate_low"]
            and row["area_kind_code"] == "region" and row["definition_code"] == "OPERATOR"
            and row["unit_code"] in ("attempted", "call")
        ]  # fmt: skip
        found = frozenset(f"{a[2]} < {b[2]}" for a in own for b in own if a[1] < b[0])
        counted.add((len(own) * (len(own) - 1) // 2, found))
    pairs = frozenset(named.split("; "))
    assert (int(every), pairs) in counted and len(pairs) == int(apart), named


def norm(figures: Figures, channel: str, value: str) -> None:
    rows = figures.tables["investment_gap"]
    assert value in {
        row["target_per_subscription"] for row in rows if row["channel_code"] == CHANNELS[channel.lower()]
    }


def norm_of_any(figures: Figures, value: str) -> None:
    """The note under a channel's gaps does not name the channel."""
    assert value in {row["target_per_subscription"] for row in figures.tables["investment_gap"]}


def base_year(_: Figures, year: str) -> None:
    with (ROOT / "schemas" / "reference" / "investment_assumption.csv").open(encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        assert [row["central"] for row in rows if row["assumption_code"] == "base_year"] == [year]


C = r"([\w -]+)"
CHECKS: list[tuple[str, Callable[..., Any]]] = [
    (r"Spam in quarter \d of \d{4}: (.+)\.", headline),
    (rf"{C}: {N} spam (?:messages|calls) in (.+), ([\d.]+)% of traffic", volume),
    (rf"{C}: ([\d.]+)% of traffic is spam in (.+), ([\d.]+)% in (.+)", beside),
    (r".*Regions whose rates differ, .* first: ([^.]+)\. That is (\d+) of (\d+) pairs of regions .*",
     pairs_apart),
    (rf"{C}: {N} spam (?:messages|calls) for each subscription in (.+)", rate),
    (rf"{C}: ([+-][\d.]+)% in (.+) since quarter (\d) of (\d+)(.*)", titled_change),
    (rf"{C}: change of spam since quarter (\d) of (\d+)", since),
    (rf"Spam by {C} in ([^:]+): (.+) comes first of what is known, with ([\d.]+)% of all", part),
    (rf"Spam by {C} in (.+): intervals leave open which comes first of (.+)", left_open),
    (rf"{C}: running countermeasures costs at least {N} US dollars in (.+)",
     lambda f, c, e, a: cost(f, c, a, e)),
    (rf"{C}: operators spend {N} US dollars a year in (.+)", lambda f, c, e, a: spent(f, c, a, e)),
    (rf"{C}: {N} US dollars below the norm in (.+)", gap),
    (rf"{C}: spending beside a norm of ([\d.]+) US dollars for each subscription", norm),
    (r"The norm is ([\d.]+) US dollars for each subscription and year, .*", norm_of_any),
    (r"What operators answered that they spend against spam .* prices of (\d+)\.", base_year),
    (rf"Countermeasures for {C} cost operators of (.+) at least {N} US dollars to run in .+ \({N} to {N}\).*",
     lambda f, c, a, e, *ends: cost(f, c, a, e, *ends)),
    (rf"Operators of (.+) spent {N} US dollars against spam by {C} in .+ \({N} to {N}\).*",
     lambda f, a, e, c, *ends: spent(f, c, a, e, *ends)),
    (rf"What operators of (.+) spent against spam by {C} is not quoted, as (.+): see the table\.",
     spent_unquoted),
    (rf"{C}, spending: (.+) holdings reported, with (.+) of the subscriptions of (.+)\.",
     answered_on_spending),
    (rf"{C}, volumes: .+ of the subscriptions of (.+)\. The frame of operators covers (\d+) of (\d+) .*",
     answered),
    (rf"Of {N} estimates of volume, {N} have a reliability that is low or not published\..*", low),
    (r"Part of each estimate stands for operators that did not answer: (.+?)\. If they in fact.*",
     of_each(silent)),
    (r"Part of the spam is of unknown type, .+: (.+)\.",
     of_each(unknown("spam_type", "spam_type_code", "UNK"))),
    (r"Part of the spam could not be placed .+: (.+)\.",
     of_each(unknown("spam_source", "source_region_code", "_U"))),
    (r"Part of the squared width .+: (.+)\.", of_each(subscriptions)),
    (rf"Of {N} protected figures, {N} are new, {N} are revised, {N} are unchanged, and {N} stand.*", new),
    (rf"{C}: (.+), ([\d.]+)% to ([\d.]+)% of spam by area", spread),
    (rf"{C}, who sends to whom: areas get ([\d.]+)% to ([\d.]+)% of their spam from (.+)",
     lambda f, c, low, high, part: spread(f, c, part, low, high)),
    (rf"{C}: share of answering holdings .+ in operation; (.+) (\d+)–(\d+)% \((.+)\)", in_use),
    (rf"{C}: spending by strategy and by kind, US dollars; (.+) ([\d.,]+\w*) \((.+)\)",
     lambda f, *said: largest(f, "investment", *said)),
    (rf"{C}: running cost by strategy, US dollars; (.+) ≥ ([\d.,]+\w*) \((.+)\)",
     lambda f, *said: largest(f, "countermeasure_cost", *said)),
    (r"(.+): share of answering administrations, by area; (.+) (\d+)–(\d+)% \((.+)\)", answered_most),
    (r"Volumes that others printed; (.+)", issuers),
    (r"A release is made for each quarter: the next one is for quarter (\d) of (\d+)\.", following),
    (rf"{C}: countries whose volume of received spam is published: (\d+)",
     lambda f, c, n: countries(f, n, c)),
    (rf"{C}: countries that have a row of their own: (\d+)", lambda f, c, n: countries(f, n, c)),
]  # fmt: skip


def texts_in(page: str) -> list[str]:
    """Headings, paragraphs and terms, without cards, tables, footers and what a reader opens."""
    body = page[page.index("<main") : page.index("</main>")]
    body = re.sub(r"<(table|details|svg|pre)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r'<div class="card">.*?</div>', "", body, flags=re.DOTALL)
    found = re.findall(r"<(?:h[123]|p|dd)[^>]*>(.*?)</(?:h[123]|p|dd)>", body, flags=re.DOTALL)
    texts = [html.unescape(re.sub(r"<[^>]+>", "", each)).strip() for each in found]
    return [each.replace("\N{NON-BREAKING HYPHEN}", "-").replace("\N{WORD JOINER}", "") for each in texts]


def check_cards(figures: Figures, page: str) -> int:
    """Every figure on the cards of the front page."""
    count = 0
    for card in re.findall(r'<div class="card">(.*?)</div>', page, flags=re.DOTALL):
        text = html.unescape(re.sub(r"<[^>]+>", "\n", card))
        channel = text.split("\n")[1].strip()
        told = re.search(
            rf"{N} spam (?:messages|calls) in (.+?)(?: \({N} to {N}\))?, (.+?)(?:; no interval)?\.\n", text
        )
        if told:
            estimate, area, lowest, highest, quantity = told.groups()
            row = figures.one("spam_volume", area, channel, quantity_code=QUANTITIES[quantity])
            money(row, estimate, *((lowest, highest) if lowest else ()))
            if share := re.search(r"\n([\d.]+)%\n", text):
                same_share(share[1], row["share_pct"])
                quotable(row["share_cv_band_code"])
            if changed := re.search(r"([+-][\d.]+)% since quarter (\d) of (\d+)", text):
                change(figures, channel, changed[1], area, changed[2], changed[3])
                way_of_change(figures, channel, area, text)
            count += 1
        else:
            assert not re.search(r"\d", text), text
    return count


def country_pages(site: Path) -> list[Path]:
    """English pages of areas, and of a channel's countries."""
    found = [*site.glob("area-*.html"), *site.glob("volume-*.html")]
    return [file for file in found if "." not in file.stem]


def recompute_sentences(site: Path) -> int:
    """Recompute sentences and count them. Fails for a sentence with a digit that nothing recomputes."""
    figures = Figures(site / "data")
    count = 0
    for file in [*(site / f"{name}.html" for name in MAIN), *country_pages(site)]:
        page = file.read_text("utf-8")
        count += check_cards(figures, page)
        for text in texts_in(page):
            if not re.search(r"\d", text):
                continue
            if file.name.startswith("area-") and not re.match(r"Spam in|.* of traffic is spam in ", text):
                continue
            for pattern, check in CHECKS:
                if found := re.fullmatch(pattern, text):
                    check(figures, *found.groups())
                    count += 1
                    break
            else:
                if not STATIC.search(text):
                    raise AssertionError(f"{file.name}: nothing recomputes: {text}")
    return count
