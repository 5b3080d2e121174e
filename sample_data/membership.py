"""A made-up membership: operators in 193 countries, their spam, who answers, and the truth.

python -m sample_data.membership     writes sample_data/membership/

Packages are of two quarters: of 2026-Q3 volumes of mail and texts alone, in one row for the quarter.
The countries and their groups are real (schemas/reference/); operators, subscriptions, prices and figures are
invented, and say nothing of any country. Three sizes, six regions, rates of spam with heavy tails; of large,
medium and small operators 75, 50 and 30% answer.
"""

import datetime as dt
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import polars as pl

from jobs.base.core.periods import count_days
from jobs.base.costs.investment_assumptions import account_assumptions, central_values
from jobs.base.figures.areas import are_in_area, classify_countries, list_areas
from jobs.base.stats.prevalence import Stratum, estimate_stratum
from jobs.base.tables.contracts import REFERENCE
from jobs.study.estimates.steps.accounts import DOLLARS, Price, account_rows, rises_of
from sample_data.costs import SampleCosts
from sample_data.forms import administration_answers, administration_money, operator_answers
from sample_data.parts import rows_in_parts, source_shares, type_shares

FOLDER = Path(__file__).parent / "membership"
SEED = 52
DAY = dt.date(2026, 12, 31)
# ITU's 194 Member States without the Vatican: the 193 of the United Nations.
LEFT_OUT = {"VAT"}
RESPONSE = {"SMALL": 0.30, "MEDIUM": 0.50, "LARGE": 0.75}
# Spam messages per subscription and month, by channel; and how rates differ between classes.
RATE = {"EMAIL": 40.0, "SMS": 3.0, "VOICE_IP": 2.0}
OF_CLASS = {"DEVELOPED": 1.0, "DEVELOPING": 1.3, "LDC": 0.8}
SPREAD = 0.8
MEDIUM, LARGE = 100_000, 1_000_000


@dataclass(frozen=True)
class World:
    """Differences of rates, countries and answers; the defaults are the sample's.

    Attributes:
        spread: standard deviation of the logarithm of rates.
        alike: of a level that a country's operators share.
        by_size: how the logarithm of the rate changes with that of the subscriptions, negative where small
            operators have more spam for each subscription.
        sizes: standard deviation of the logarithm of countries' subscriptions.
        has_gamma: rates have a gamma distribution of the same variance, many near nothing.
        pareto: of rates by a Pareto distribution, its index.
        uneven: how many times the spread Africa has.
        owned: the share of large operators that belong to a dozen holdings, which have one rate each and
            answer together.
    """

    spread: float = SPREAD
    alike: float = 0.0
    by_size: float = 0.0
    sizes: float = 1.5
    has_gamma: bool = False
    pareto: float | None = None
    uneven: float = 1.0
    owned: float = 0.0


SAMPLE = World()


@dataclass(frozen=True)
class Population:
    """Every operator of one channel, whether it answers or not; arrays sorted by operator.

    Attributes:
        holding: its owner, where rates and answers depend on that; else itself.
    """

    respondent: np.ndarray
    country: np.ndarray
    region: np.ndarray
    development: np.ndarray
    size: np.ndarray
    subscriptions: np.ndarray
    spam: np.ndarray
    holding: np.ndarray


def countries() -> pl.DataFrame:
    """The member countries with region, class and groups."""
    read = [
        pl.read_csv(REFERENCE / f"{name}.csv", infer_schema=False) for name in ("country", "country_group")
    ]
    dated = [frame.with_columns(pl.col("valid_from", "valid_to").str.to_date("%Y-%m-%d")) for frame in read]
    listed = dated[0].filter((pl.col("itu_member") == "true") & ~pl.col("iso3").is_in(list(LEFT_OUT)))
    return classify_countries(listed, dated[1], DAY)


def size_of(subscriptions: np.ndarray) -> np.ndarray:
    size = np.where(subscriptions < MEDIUM, "SMALL", np.where(subscriptions < LARGE, "MEDIUM", "LARGE"))
    return size.astype(object)


def population(channel: str, seed: int = SEED, world: World = SAMPLE) -> Population:
    """Operators of a channel with their monthly spam."""
    random = np.random.default_rng([seed, *channel.encode()])
    listed = countries()
    rows: list[tuple[str, str, str, float]] = []
    for country, region, development in listed.select(
        "country_code", "region_code", "development_code"
    ).rows():
        total = np.exp(random.normal(14.3, world.sizes))
        count = int(np.clip(2 + random.poisson(0.9 * np.log(1 + total / 3e5)), 2, 9))
        shares = random.dirichlet(np.geomspace(6, 0.6, count))
        rows += [(country, region, development, max(total * share, 200.0)) for share in shares]
    subscriptions = np.round(np.array([row[3] for row in rows]))
    kinds = np.array([row[2] for row in rows], dtype=object)
    level = np.log(RATE[channel]) + np.log([OF_CLASS[kind] for kind in kinds])
    level = level + world.by_size * (np.log(subscriptions) - np.log(2e5))
    of_region = dict(zip(sorted({row[1] for row in rows}), random.normal(0, 0.25, 6), strict=True))
    level = level + np.array([of_region[row[1]] for row in rows])
    if world.alike:
        of_country = {name: random.normal(0, world.alike) for name in sorted({row[0] for row in rows})}
        level = level + np.array([of_country[row[0]] for row in rows])
    if world.has_gamma:
        shape = 1 / np.expm1(world.spread**2)
        rate = np.exp(level) * random.gamma(shape, 1 / shape, len(rows))
    elif world.pareto is not None:
        rate = np.exp(level) * (1 + random.pareto(world.pareto, len(rows)))
    else:
        times = np.where(np.array([row[1] for row in rows]) == "AFR", world.uneven, 1.0)
        rate = np.exp(random.normal(level, world.spread * times))
    number: dict[str, int] = {}
    names = []
    for country, *_ in rows:
        number[country] = number.get(country, 0) + 1
        names.append(f"{country.lower()}-{channel.lower()}-{number[country]}")
    respondent, size = np.array(names, dtype=object), size_of(subscriptions)
    holding = respondent.copy()
    if world.owned:
        owned = (size == "LARGE") & (random.random(len(rows)) < world.owned)
        group = random.integers(0, 12, len(rows))
        holding[owned] = np.array([f"group-{each + 1}" for each in group[owned]], dtype=object)
        rate[owned] = np.exp(level + world.spread * random.normal(size=12)[group])[owned]
    return Population(
        respondent=respondent,
        country=np.array([row[0] for row in rows], dtype=object),
        region=np.array([row[1] for row in rows], dtype=object),
        development=kinds,
        size=size,
        subscriptions=subscriptions,
        spam=np.round(subscriptions * rate),
        holding=holding,
    )


def answering(
    people: Population,
    random: np.random.Generator,
    selective: float = 0.0,
    response: Mapping[str, float] = RESPONSE,
) -> np.ndarray:
    """Draw who answers.

    Args:
        selective: growth of the logit of answering with the logarithm of the rate.
        response: share of each size that answers.
    """
    base = np.array([response[size] for size in people.size])
    logit = np.log(base / (1 - base))
    rate = np.log(np.maximum(people.spam, 1) / people.subscriptions)
    logit = logit + selective * (rate - rate.mean())
    drawn: np.ndarray = random.random(len(base)) < 1 / (1 + np.exp(-logit))
    # Operators of an owner do as the first of them.
    _, first, whose = np.unique(people.holding.astype(str), return_index=True, return_inverse=True)
    return drawn[first][whose]


# --- what operators send -----------------------------------------------------------------------------

MONTHS = {"2026-10": 0.96, "2026-11": 1.03, "2026-12": 1.01}
MEASURES = ("units", "spam_certain", "spam_possible")
# The channel with routes; how many countries each exchanges with; how much rather one of its own region; the
# shares of what is from abroad that come from these and from nobody knows where; how many pairs have a grey
# route, and how much comes by it.
ROUTED, PARTNERS, SAME_REGION, SHARES, GREY, GREY_SHARE = "SMS", 2, 5, (0.6, 0.3, 0.1), 0.08, 0.6
PERIOD, YEAR, BASE = "2026-Q4", "2026", 2025
AUDIT_MONTH = "2026-11"
SAYS = "made up for the sample study"
REVENUE_SAYS = "product as ref.economy; revenue made up for the sample study"
# How well subscriptions are known, by judgement: the 5 and 95% points of a country's own figure, and what all
# share. Regulators count SIM cards; mailboxes are estimated from a survey.
WITHIN = {
    "EMAIL": (0.85, 1.18, "survey", 5),
    "SMS": (0.97, 1.03, "regulators", 1),
    "VOICE_IP": (0.97, 1.03, "regulators", 1),
}
# The question on spam of each channel.
SPAM = {
    "EMAIL": "sp303.EMAIL.attempted",
    "SMS": "sp305.SMS.attempted",
    "VOICE_IP": "sp306.VOICE_IP.attempted",
}
# Calls have a unit of their own, no audits, no answers on spending, and operators in every third country.
CALLS, EVERY = "VOICE_IP", 3
# Of the respondents those that answer on investment; of these those that refuse amounts; those that
# answer on volumes too.
ACCOUNTS, REFUSED, BOTH = 0.6, 0.3, 0.15
# Of the forms those that waive confidentiality, for all answers or for the line on spam alone; of those that
# send packages those that waive it for these.
WAIVED, LINE_WAIVED, PACKAGES_WAIVED = 0.03, 0.1, 0.03
# Of the small operators that send no logs those that answer on volumes all the same; how well they count.
ANSWERS_ONLY, COUNTED_WITHIN = 0.12, 0.05


def volumes(people: Population, channel: str, random: np.random.Generator) -> list[dict[str, object]]:
    """Submissions of all operators of a channel, as if each answered."""
    stopped = random.beta(12, 3, len(people.spam))
    of_all = (
        random.beta(14, 8, len(people.spam)) if channel == "EMAIL" else random.beta(2, 30, len(people.spam))
    )
    undecided = random.uniform(0.0, 0.06, len(people.spam))
    # A call is judged before it is answered.
    unit, judged = ("call", "envelope") if channel == CALLS else ("recipient", "content")
    rows = []
    for place, respondent in enumerate(people.respondent):
        for month, factor in MONTHS.items():
            spam = int(people.spam[place] * factor)
            kept = int(spam * stopped[place])
            clean = int(spam / of_all[place]) - spam
            doubtful = int(clean * undecided[place])
            parts = [
                (judged, "rejected", kept, kept, kept),
                (judged, "tagged", spam - kept, spam - kept, spam - kept),
                ("delivery", "delivered", clean, 0, doubtful),
            ]
            for stage, outcome, units, certain, possible in parts:
                rows.append(
                    {
                        "respondent_id": respondent,
                        "period_code": month,
                        "channel_code": channel,
                        "direction_code": "inbound",
                        "stage_code": stage,
                        "outcome_code": outcome,
                        "unit_code": unit,
                        "definition_code": "OPERATOR",
                        "units": units,
                        "spam_certain": certain,
                        "spam_possible": possible,
                        "subscriptions": int(people.subscriptions[place]),
                    }
                )
    return rows


# The channel of which some logs are not whole; of an operator's months those that lack one to three days, and
# those of which there are a few.
LACKED, LACKING, FEW = "EMAIL", 0.04, 0.01


def days_with_logs(people: Population, random: np.random.Generator) -> dict[tuple[str, str], int]:
    """Draw the number of days of each month of which each operator has logs."""
    found = {}
    for respondent in people.respondent:
        for month in MONTHS:
            chance, lacking, few = random.random(), int(random.integers(1, 4)), int(random.integers(3, 21))
            days = count_days(month)
            found[str(respondent), month] = (
                days - lacking if chance < LACKING else few if chance < LACKING + FEW else days
            )
    return found


def of_days(row: dict[str, object], days: int) -> dict[str, object]:
    """A row as logs of so many days of its month have it, each day like the others."""
    units, certain, possible = (int(str(row[name])) for name in MEASURES)
    of = count_days(str(row["period_code"]))
    part = parted((units, certain, possible), [days / of])[0] if days < of else (units, certain, possible)
    return row | dict(zip(MEASURES, part, strict=True)) | {"day_count": days}


# Of the operators that answer those that audit their filter, in a quarter's middle month or in all of it; how
# many messages of each call they label.
AUDITED, LABELS = 0.35, {"flagged": 150, "undecided": 60, "passed": 250}
# Shares of spam in each call, as beta distributions: what differs from operator to operator.
ERRORS = {
    "EMAIL": {"flagged": (97, 3), "undecided": (4, 6), "passed": (4, 130)},
    "SMS": {"flagged": (48, 2), "undecided": (3, 7), "passed": (3, 400)},
}


def audits(
    people: Population, channel: str, given: list[dict[str, object]], answered: np.ndarray
) -> tuple[list[dict[str, object]], np.ndarray]:
    """The audits of those that answer and audit, and what of everyone's messages in the quarter was spam.

    An operator's shares are the same in all its months. Labels are drawn from them, and read as
    `observatory audit load` reads a stratum of its own.
    """
    random = np.random.default_rng([SEED, *b"audits", *channel.encode()])
    share = {call: random.beta(*ends, len(people.spam)) for call, ends in ERRORS[channel].items()}
    is_audited = answered & (random.random(len(people.spam)) < AUDITED)
    is_whole = random.random(len(people.spam)) < 0.5
    of = {name: place for place, name in enumerate(people.respondent)}
    calls: dict[tuple[int, str], dict[str, int]] = {}
    for row in given:
        units, certain, possible = (int(str(row[name])) for name in MEASURES)
        counts = dict(zip(ERRORS[channel], (certain, possible - certain, units - possible), strict=True))
        month = calls.setdefault(
            (of[row["respondent_id"]], str(row["period_code"])), dict.fromkeys(counts, 0)
        )
        month.update({call: month[call] + count for call, count in counts.items()})
    truth = np.zeros(len(people.spam))
    rows: list[dict[str, object]] = []
    for (place, period), counts in calls.items():
        truth[place] += sum(share[call][place] * count for call, count in counts.items())
        if not is_audited[place] or not (is_whole[place] or period == AUDIT_MONTH):
            continue
        row: dict[str, object] = {"respondent_id": people.respondent[place], "period_code": period}
        row |= {"channel_code": channel, "quality_method_code": "audit"}
        labelled = {call: min(LABELS[call], count) for call, count in counts.items()}
        for call, count in counts.items():
            spam = int(random.binomial(labelled[call], share[call][place]))
            found = estimate_stratum(
                Stratum(call, call, None, count, labelled[call], labelled[call], spam),
                f"{people.respondent[place]}|{period}",
            )
            ends = (None, None, None) if found is None else (found.value, found.low, found.high)
            for end, value in zip(("", "_low", "_high"), ends, strict=True):
                row[f"{call}_spam_share{end}"] = value if value is None else round(value, 6)
        rows.append(row | {"labelled_count": sum(labelled.values())})
    return rows, truth


# The quarter before: how much spam grew since, as the logarithm's mean of each class and its spread between
# operators. Of those that answer some had not joined; of the others some had answered, and left.
BEFORE, GROWTH, GROWS_APART = "2026-Q3", {"DEVELOPED": 0.01, "DEVELOPING": 0.06, "LDC": 0.14}, 0.12
JOINED, LEFT = 0.05, 0.03


def quarter_before(
    people: Population, channel: str, given: list[dict[str, object]], answered: np.ndarray
) -> tuple[list[dict[str, object]], np.ndarray]:
    """Draw what operators sent of the quarter before, and the spam of everyone in it.

    Args:
        given: the quarter's own.
    """
    random = np.random.default_rng([SEED, *b"before", *channel.encode()])
    growth = np.exp(random.normal([GROWTH[each] for each in people.development], GROWS_APART))
    chance = random.random(len(growth))
    has_sent = np.where(answered, chance >= JOINED, chance < LEFT)
    of = {name: place for place, name in enumerate(people.respondent)}
    cells: dict[tuple[int, str], dict[str, object]] = {}
    for row in given:
        place = of[str(row["respondent_id"])]
        found = cells.setdefault((place, str(row["outcome_code"])), row | dict.fromkeys(MEASURES, 0))
        found |= {name: int(str(found[name])) + int(str(row[name])) for name in MEASURES}
    spam, rows = np.zeros(len(growth)), []
    for (place, _), row in cells.items():
        counts = [int(str(row[name])) for name in MEASURES]
        (before, *_) = parted((counts[0], counts[1], counts[2]), [1 / growth[place]])
        spam[place] += before[1]
        if has_sent[place]:
            of_quarter = {"period_code": BEFORE, "day_count": count_days(BEFORE)}
            rows.append(row | of_quarter | dict(zip(MEASURES, before, strict=True)))
    return rows, spam


# What is crossed on the way to a kind of link.
CROSSED = {"hub": "ss7", "aggregator": "internet"}


def partners() -> dict[str, list[str]]:
    """List for each country those that it exchanges most with: large ones, and those of its region rather."""
    people = population(ROUTED)
    size: dict[str, float] = {}
    region = {}
    for country, of, subscriptions in zip(people.country, people.region, people.subscriptions, strict=True):
        size[country] = size.get(country, 0.0) + float(subscriptions)
        region[country] = of
    return {
        own: sorted(
            set(size) - {own},
            key=lambda other: (-size[other] * (SAME_REGION if region[other] == region[own] else 1), other),
        )[:PARTNERS]
        for own in sorted(size)
    }


def parted(whole: tuple[int, int, int], shares: Sequence[float]) -> list[tuple[int, int, int]]:
    """Units, certain and possible spam in parts of these shares and a rest; the parts add up."""
    units, certain, possible = whole
    # Clean, undecided and spam apart, so that in each part certain stays within possible within units.
    kinds = (units - possible, possible - certain, certain)
    parts = [[int(kind * share) for kind in kinds] for share in shares]
    parts.append([kind - sum(part[place] for part in parts) for place, kind in enumerate(kinds)])
    return [(sum(part), part[2], part[1] + part[2]) for part in parts]


def routes(
    people: Population, given: list[dict[str, object]], random: np.random.Generator
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Routes of all operators of a channel as if each answered, and what they sent abroad as volumes.

    Most is national. What a country's operators get from another its operators sent, by a hub, each by its
    subscriptions; more or less of it, for hubs lose and add some. Of some pairs most comes in by bulk senders
    and never left by an operator of the country that it claims: a grey route.
    """
    other_end = partners()
    abroad = random.beta(2, 14, len(people.spam))
    pairs = {(other, own): random.lognormal(0, 0.15) for own, others in other_end.items() for other in others}
    grey = {pair for pair in pairs if random.random() < GREY}
    total: dict[tuple[str, str], list[int]] = {}
    for row in given:
        cell = total.setdefault((str(row["respondent_id"]), str(row["period_code"])), [0, 0, 0])
        for place, name in enumerate(MEASURES):
            cell[place] += int(str(row[name]))
    rows: list[dict[str, object]] = []
    flow: dict[tuple[str, str, str], list[int]] = {}

    def route(place: int, month: str, direction: str, partner: str, link: str, counts: Sequence[int]) -> None:
        if counts[0]:
            # Logs of large operators record what kind of network a message crossed before their own link.
            knows = people.size[place] == "LARGE" and direction == "inbound"
            transit = CROSSED.get(link, "unknown") if knows else "unknown"
            rows.append(
                cell_of(people, place, month, direction)
                | {"partner_country_code": partner, "link_code": link, "transit_code": transit}
                | dict(zip(MEASURES, counts, strict=True))
            )

    for place, respondent in enumerate(people.respondent):
        own = people.country[place]
        shares = [abroad[place] * share for share in SHARES]
        for month in MONTHS:
            units, certain, possible = total[str(respondent), month]
            *parts, national = parted((units, certain, possible), shares)
            for other, counts in zip([*other_end[own], "_U"], parts, strict=True):
                is_grey = (other, own) in grey
                by_bulk, by_hub = parted(counts, [GREY_SHARE if is_grey else 0.0])
                route(place, month, "inbound", other, "hub" if other != "_U" else "unknown", by_hub)
                route(place, month, "inbound", other, "aggregator", by_bulk)
                sent = flow.setdefault((other, own, month), [0, 0, 0])
                flow[other, own, month] = [before + now for before, now in zip(sent, by_hub, strict=True)]
            route(place, month, "inbound", own, "peer", national)
    outbound = []
    for place, own in enumerate(people.country):
        share = people.subscriptions[place] / people.subscriptions[people.country == own].sum()
        for month in MONTHS:
            sum_of = [0, 0, 0]
            for (origin, other), factor in pairs.items():
                if origin == own:
                    # The filter at home leaves less spam to see there than the other side finds.
                    units, certain, possible = flow[own, other, month]
                    counts = [int(factor * share * kind) for kind in (units, certain / 2, possible)]
                    route(place, month, "outbound", other, "hub", counts)
                    sum_of = [before + now for before, now in zip(sum_of, counts, strict=True)]
            if sum_of[0]:
                outbound.append(
                    cell_of(people, place, month, "outbound")
                    | {"stage_code": "delivery", "outcome_code": "delivered"}
                    | dict(zip(MEASURES, sum_of, strict=True))
                    | {"subscriptions": int(people.subscriptions[place])}
                )
    return rows, outbound


def cell_of(people: Population, place: int, month: str, direction: str) -> dict[str, object]:
    return {
        "respondent_id": people.respondent[place],
        "country_code": people.country[place],
        "period_code": month,
        "channel_code": ROUTED,
        "direction_code": direction,
        "unit_code": "recipient",
        "definition_code": "OPERATOR",
    }


def prices(random: np.random.Generator) -> dict[tuple[str, int], Price]:
    """Price levels of each country, invented: none is the country's own."""
    found = {}
    level = {"DEVELOPED": 0.95, "DEVELOPING": 0.45, "LDC": 0.35}
    money = pl.read_csv(REFERENCE / "country.csv", infer_schema=False).select("iso3", "currency").rows()
    currency = dict(money)
    market = {
        code: float(np.exp(random.uniform(0, 6))) for code in sorted(set(filter(None, currency.values())))
    }
    for country, development in countries().select("country_code", "development_code").rows():
        rate = market[currency[country]]
        ppp = rate * level[development] * float(np.exp(random.normal(0, 0.1)))
        inflation = 1 + float(np.exp(random.normal(-3, 0.7)))
        wage = ppp * 180 * level[development]
        for year, deflator in ((BASE, 100.0), (BASE + 1, 100 * inflation)):
            values = [float(f"{value:.5g}") for value in (deflator, ppp, rate, wage * deflator / 100)]
            found[country, year] = Price(currency[country], *values)
    return found


def spending(
    people: Population, channel: str, price: dict[tuple[str, int], Price], random: np.random.Generator
) -> list[dict[str, str]]:
    """Answers on investment of all operators, with amounts in local currency, as if none were refused."""
    answers = []
    for place, country in enumerate(people.country):
        now = price[country, int(YEAR)]
        subscriptions = people.subscriptions[place]
        level = np.log({"EMAIL": 0.5, "SMS": 0.35}[channel]) - 0.12 * np.log(subscriptions / 2e5)
        budget = subscriptions * float(np.exp(random.normal(level, 0.6))) * now.ppp * now.deflator / 100
        parts = random.dirichlet([3, 2, 4, 3, 2, 1])
        strategy = random.dirichlet([2, 4, 2, 6, 1])
        percents = np.floor(100 * strategy).astype(int)
        percents[3] += 100 - percents.sum()
        given = {
            # About four years' worth of an asset stand behind a year's cost of it.
            "sp701.SERVER": budget * parts[0] * 1.2,
            "sp704.SERVER": budget * parts[0] * 2.6,
            "sp702.SERVER": float(random.integers(50, 101)),
            "sp701.SOFTWARE": budget * parts[1] * 1.0,
            "sp704.SOFTWARE": budget * parts[1] * 2.0,
            "sp703.SOFTWARE": float(random.integers(3, 6)),
            "sp705.LICENCE": budget * parts[2],
            "sp705.STAFF": budget * parts[3],
            "sp705.HOSTING": budget * parts[4],
            "sp705.HELPDESK": budget * parts[5],
        } | {
            f"sp708.{code}": float(value)
            for code, value in zip(
                ("equipment", "network", "service", "filtering", "feedback"), percents, strict=True
            )
        }
        answers.append(
            {name: str(round(value)) for name, value in given.items()} | {f"sp707.{channel}": "100"}
        )
    return answers


def write(folder: Path = FOLDER) -> None:
    """Write the sample: what answered, what is known of all, and the truth."""
    random = np.random.default_rng(SEED)
    price = prices(random)
    assumed = dict(
        reference("investment_assumption").select("assumption_code", pl.col("central").cast(float)).rows()
    )
    parameters = central_values(reference("cost_parameter"))
    bands = {
        code: (float(low), float(high) if high else None)
        for code, low, high in reference("budget_band").select("band_code", "low", "high").rows()
    }
    submissions, answers, frame, known, truth, audited = [], [], [], [], [], []
    submissions_before: list[dict[str, object]] = []
    routed: list[dict[str, object]] = []
    costs: list[dict[str, object]] = []
    shares: list[dict[str, str]] = []
    for channel in ("EMAIL", "SMS"):
        people = population(channel)
        answered = answering(people, random)
        shares += shares_answered(people, channel, answered)
        given, money = volumes(people, channel, random), spending(people, channel, price, random)
        holding = holdings(people, random)
        own_costs = SampleCosts(people, channel, given, price, int(YEAR), SEED)
        # Before outbound traffic joins: audits are of what came in.
        of_audits, corrected = audits(people, channel, given, answered)
        audited += of_audits
        of_quarter, spam_before = quarter_before(people, channel, given, answered)
        if channel == ROUTED:
            # With numbers of their own: they change nothing of the rest.
            of_all, abroad = routes(people, given, np.random.default_rng([SEED, *b"routes"]))
            given = given + abroad
        silent = set(people.respondent[~answered])
        of = {name: place for place, name in enumerate(people.respondent)}
        # With numbers of their own, as above.
        days = days_with_logs(people, np.random.default_rng([SEED, *b"days"])) if channel == LACKED else {}
        submissions += [
            of_days(row, days.get((str(row["respondent_id"]), month), count_days(month)))
            | {"holding_id": holding[place], "country_code": people.country[place]}
            for row in given
            if str(row["respondent_id"]) not in silent
            for place, month in [(of[str(row["respondent_id"])], str(row["period_code"]))]
        ]
        submissions_before += [
            row | {"holding_id": holding[place], "country_code": people.country[place]}
            for row in of_quarter
            for place in [of[str(row["respondent_id"])]]
        ]
        answers += answers_alone(people, channel, given, answered)
        costs += own_costs.package_rows(silent, days)
        if channel == ROUTED:
            routed = [row for row in of_all if row["respondent_id"] not in silent]
        spent = np.zeros(len(people.spam))
        dollars = price[DOLLARS, int(YEAR)].deflator / price[DOLLARS, BASE].deflator
        draws = random.random((len(people.spam), 3))
        for place, respondent in enumerate(people.respondent):
            country = people.country[place]
            of_year = price[country, int(YEAR)], price[country, BASE]
            taken = account_assumptions(parameters, assumed, people.development[place])
            since = rises_of(price, country, int(YEAR))
            rows = account_rows(money[place], {channel: 1.0}, of_year, taken, bands, since=since)
            spent[place] = sum(float(str(row["market_amount"])) for row in rows)
            if not answered[place]:
                continue
            if draws[place, 0] < ACCOUNTS:
                told = money[place]
                if draws[place, 1] < REFUSED:
                    # In the year's dollars, as the form asks.
                    total = sum(float(str(row["ppp_amount"])) for row in rows) * dollars
                    code = next(name for name, (_, high) in bands.items() if high is None or total <= high)
                    told = {name: value for name, value in told.items() if name[:5] in ("sp707", "sp708")}
                    told["sp709"] = code
                answers += [answer(respondent, country, YEAR, name, value) for name, value in told.items()]
            if draws[place, 2] < BOTH:
                name = SPAM[channel]
                logged = sum(int(people.spam[place] * factor) for factor in MONTHS.values())
                # Most are near; some count only a part, or a year in place of a quarter.
                factor = random.choice([random.normal(1, 0.05), 0.7, 4.0], p=[0.8, 0.15, 0.05])
                answers.append(answer(respondent, country, PERIOD, name, str(round(logged * factor))))
                answers.append(answer(respondent, country, PERIOD, *by_definition(channel)))
        frame += framed(people, channel, holding)
        known += subscribed(people, channel)
        spam = sum(np.floor(people.spam * factor) for factor in MONTHS.values())
        for area in list_areas(countries()):
            inside = are_in_area(area, people.country)
            figures = {
                "spam_certain": spam[inside].sum(),
                "spam_corrected": corrected[inside].sum(),
                "spam_certain_before": spam_before[inside].sum(),
                "investment_market": spent[inside].sum(),
                **own_costs.total_of(inside),
            }
            truth += [
                {
                    "area_code": area.code,
                    "channel_code": channel,
                    "figure": name,
                    "value": round(float(value)),
                }
                for name, value in figures.items()
            ]
    of_calls = calls()
    for rows, name in ((submissions, "submission"), (answers, "questionnaire_answer")):
        rows += of_calls[name]
    typed, sourced = in_parts(submissions)
    frame += of_calls["operator_frame"]
    known += of_calls["denominator"]
    truth += of_calls["truth"]
    levels = [
        {
            "country_code": country,
            "price_year": year,
            "currency_code": of.currency,
            "deflator_index": of.deflator,
            "ppp_rate": of.ppp,
            "market_rate": of.market,
            "wage_per_day": of.wage,
            "source": SAYS,
        }
        for (country, year), of in price.items()
    ]
    # Revenue of telecommunication is made up: ITU's own may not be handed on.
    of_economies = np.random.default_rng([SEED, *b"economy"])
    economies = [
        {name: row[name] for name in ("country_code", "price_year", "gdp_amount")}
        | {"telecom_revenue_amount": round(float(row["gdp_amount"]) * share), "source": REVENUE_SAYS}
        for row, share in zip(
            reference("economy").sort("country_code").to_dicts(),
            of_economies.lognormal(np.log(0.02), 0.4, reference("economy").height),
            strict=True,
        )
    ]
    folder.mkdir(exist_ok=True)
    tables = {
        "submission": [*with_package_waivers(submissions), *submissions_before],
        "submission_route": routed,
        "submission_type": typed,
        "submission_source": sourced,
        "submission_quality": audited,
        "submission_cost": costs,
        "questionnaire_answer": [*with_waivers(answers), *public_answers(price), *shares],
        "operator_frame": frame,
        "denominator": known,
        "price_level": levels,
        "economy": economies,
        "truth": truth,
    }
    for name, rows in tables.items():
        text = pl.DataFrame(rows).write_csv().encode()
        # Without a time stamp: the same sample is the same bytes.
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text, mtime=0))


def in_parts(
    submissions: list[dict[str, object]],
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Types and sources of what operators of all channels sent."""
    typed: list[dict[str, object]] = []
    sourced: list[dict[str, object]] = []
    for channel in RATE:
        people = population(channel)
        of_types, of_sources = (shares(people, channel, SEED) for shares in (type_shares, source_shares))
        typed += rows_in_parts(submissions, people, of_types, "spam_type_code", False)
        sourced += rows_in_parts(submissions, people, of_sources, "source_country_code", True)
    return typed, sourced


def framed(people: Population, channel: str, holding: Sequence[str]) -> list[dict[str, object]]:
    """The frame of a channel's operators. What a study knows of those that did not answer is rough."""
    return [
        {
            "respondent_id": respondent,
            "holding_id": holding[place],
            "country_code": people.country[place],
            "channel_code": channel,
            "size_code": people.size[place],
            "subscriptions": int(float(f"{people.subscriptions[place]:.1e}")),
            "valid_from": "2020-01-01",
            "valid_to": "",
            "source": SAYS,
        }
        for place, respondent in enumerate(people.respondent)
    ]


def subscribed(people: Population, channel: str) -> list[dict[str, object]]:
    """Rows of each country's subscriptions to a channel, and how well they are known: the figures are
    right."""
    low, high, *shared = WITHIN[channel]
    return [
        {
            "country_code": country,
            "period_code": YEAR,
            "channel_code": channel,
            "subscriptions": (whole := int(people.subscriptions[people.country == country].sum())),
            "subscriptions_low": int(whole * low),
            "subscriptions_high": -int(-whole * high),
            **dict(zip(("error_class_code", "shared_error_pct"), shared, strict=True)),
            "source": SAYS,
        }
        for country in sorted(set(people.country))
    ]


def calls() -> dict[str, list[dict[str, object]]]:
    """The rows of calls in each table; they have numbers of their own and change nothing of the rest."""
    random = np.random.default_rng([SEED, *b"calls"])
    of_all = population(CALLS)
    inside = np.isin(of_all.country.astype(str), sorted(set(of_all.country))[::EVERY])
    people = Population(*(getattr(of_all, each.name)[inside] for each in fields(Population)))
    answered, holding = answering(people, random), holdings(people, random)
    given = volumes(people, CALLS, random)
    of = {name: place for place, name in enumerate(people.respondent)}
    submissions = []
    for row in given:
        place, month = of[str(row["respondent_id"])], str(row["period_code"])
        if answered[place]:
            whose = {"holding_id": holding[place], "country_code": people.country[place]}
            submissions.append(of_days(row, count_days(month)) | whose)
    spam = sum(np.floor(people.spam * factor) for factor in MONTHS.values())
    inside_of = {area.code: are_in_area(area, people.country) for area in list_areas(countries())}
    truth: list[dict[str, object]] = [
        # Filters of calls make no errors here.
        {"area_code": area, "channel_code": CALLS, "figure": figure, "value": round(float(spam[own].sum()))}
        for area, own in inside_of.items()
        for figure in ("spam_certain", "spam_corrected")
        if own.any()
    ]
    return {
        "submission": submissions,
        "questionnaire_answer": list(map(dict, answers_alone(people, CALLS, given, answered))),
        "operator_frame": framed(people, CALLS, holding),
        "denominator": subscribed(people, CALLS),
        "truth": truth,
    }


def answers_alone(
    people: Population, channel: str, given: list[dict[str, object]], answered: np.ndarray
) -> list[dict[str, str]]:
    """Answers on all messages of the quarter and on spam, of some small operators that send no logs."""
    # With numbers of their own: they change nothing of the rest.
    random = np.random.default_rng([SEED, *b"answers", *channel.encode()])
    units: dict[str, int] = {}
    for row in given:
        if row["direction_code"] == "inbound":
            name = str(row["respondent_id"])
            units[name] = units.get(name, 0) + int(str(row["units"]))
    found = []
    for place, respondent in enumerate(people.respondent):
        answers, factor = random.random() < ANSWERS_ONLY, random.normal(1, COUNTED_WITHIN)
        if answered[place] or people.size[place] != "SMALL" or not answers:
            continue
        spam = sum(int(people.spam[place] * of_month) for of_month in MONTHS.values())
        told = {f"sp205.{channel}": units[respondent], SPAM[channel]: spam}
        found += [
            answer(respondent, people.country[place], PERIOD, name, str(round(count * factor)))
            for name, count in told.items()
        ]
        found.append(answer(respondent, people.country[place], PERIOD, *by_definition(channel)))
    return found


def by_definition(channel: str) -> tuple[str, str]:
    """The line and answer of operators on the definition of spam: what they block or mark, as their logs
    do."""
    return f"sp301.{channel}", "OPERATOR"


def with_package_waivers(submissions: list[dict[str, object]]) -> list[dict[str, object]]:
    """The submissions with the waivers of some operators' packages, which change no figure."""
    random = np.random.default_rng([SEED, *b"packages"])
    names = dict.fromkeys(str(row["respondent_id"]) for row in submissions)
    chance, code = random.random(len(names)), random.choice(["W1", "W2"], len(names))
    waiver = {name: str(code[at]) if chance[at] < PACKAGES_WAIVED else "" for at, name in enumerate(names)}
    return [row | {"waiver": waiver[str(row["respondent_id"])]} for row in submissions]


def with_waivers(answers: list[dict[str, str]]) -> list[dict[str, str]]:
    """The answers with the waivers of some forms, which change no figure."""
    # With numbers of their own: they change nothing of the rest.
    random = np.random.default_rng([SEED, *b"waivers"])
    forms: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in answers:
        forms.setdefault((row["respondent_id"], row["period_code"]), []).append(row)
    found = []
    for (respondent, period), rows in forms.items():
        chance, code = random.random(), str(random.choice(["W1", "W2"]))
        is_general = chance < WAIVED
        waived = {row["indicator_code"] for row in rows} if is_general else set()
        if WAIVED <= chance < WAIVED + LINE_WAIVED:
            waived = set(SPAM.values())
        found += [row | {"waiver": code} if row["indicator_code"] in waived else row for row in rows]
        if is_general:
            found.append(answer(respondent, rows[0]["country_code"], period, "sp904", code))
    return found


def reference(name: str) -> pl.DataFrame:
    return pl.read_csv(REFERENCE / f"{name}.csv", infer_schema=False)


def answer(respondent: str, country: str, period: str, indicator: str, value: str) -> dict[str, str]:
    """One answer, as `observatory questionnaire load` would have landed it."""
    question, *parts = indicator.split(".")
    return {
        "respondent_id": respondent,
        "period_code": period,
        "indicator_code": indicator,
        "question_code": question,
        "answer_status_code": "A",
        "country_code": country,
        "role_code": "O",
        "language_code": "en",
        "file_name": f"{respondent}.xlsx",
        "file_sha256": hashlib.sha256(f"{respondent}/{period}".encode()).hexdigest(),
        "questionnaire_version": "sample",
        "value": value,
        "unit": "",
        "note": "",
        "waiver": "W0",
        "received_at": "2027-02-01T00:00:00Z",
    }


def public_answers(price: Mapping[tuple[str, int], Price]) -> list[dict[str, str]]:
    """The answers of administrations."""
    listed = countries()
    given = administration_answers(listed, SEED)
    class_of = dict(listed.select("country_code", "development_code").rows())
    returned = dict.fromkeys((who, country, class_of[country]) for who, country, _, _ in given)
    daily_pay = {country: price[country, int(YEAR)].wage or 0.0 for country in class_of}
    given += administration_money(list(returned), daily_pay, SEED)
    return [
        answer(who, country, YEAR, line, value) | {"role_code": "A"} for who, country, line, value in given
    ]


def shares_answered(people: Population, channel: str, answered: np.ndarray) -> list[dict[str, str]]:
    """Answers of operators in shares, for the year."""
    whose = [
        (str(people.respondent[at]), str(people.country[at]), str(people.size[at]))
        for at in np.flatnonzero(answered)
    ]
    given = operator_answers(whose, channel, SEED)
    return [answer(who, country, YEAR, line, value) for who, country, line, value in given]


def holdings(people: Population, random: np.random.Generator) -> list[str]:
    """Owners: some of the large operators belong to one of a dozen groups that work in many countries."""
    return [
        f"group-{random.integers(1, 13)}" if size == "LARGE" and random.random() < 0.4 else str(respondent)
        for respondent, size in zip(people.respondent, people.size, strict=True)
    ]


if __name__ == "__main__":
    write()
