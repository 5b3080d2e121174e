"""What a respondent spends in a year against spam, from its answers on investment (questions 701 to 709).

- capital: I s r / (1 - (1+r)^-n) of each asset: I its purchase value (bought this year, 701, and earlier and
  still in use, 704), s the share that serves to counter spam (702), n its life (703), r the discount rate.
- labour: staff (705), or, where it is not given, person days (706) at the country's wage; helpdesk;
  education.
- other: licences, hosting, and what an undivided sum holds beside labour.
- posts: person days (706) over the days of a post, or, where they are not given, the cost of staff over the
  country's wage; unknown where neither tells. They are no amount of money, and part of none.
- revenue that blocking recovers (803) is a transfer between operators, and left out.

Amounts are deflated in local currency to the base year first and converted at the base year's rates then: the
other order mixes two countries' inflation. Labour is priced at purchasing power parity and imported equipment
at the market rate; the whole is given both ways, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.errors import ObservatoryError

ASSETS = ("SERVER", "SOFTWARE", "FIREWALL", "CALLAUTH", "PROBE", "REGISTER", "OTHER")
CHANNELS = "sp707"
STRATEGIES = "sp708"
BAND = "sp709"
AMOUNTS = ("sp701", "sp704", "sp705")
UNKNOWN = "_U"

Answers = Mapping[str, float | str]


@dataclass(frozen=True)
class Price:
    """A country's prices in a year: deflator, local currency for an international and a US dollar, wage."""

    currency: str
    deflator: float
    ppp: float
    market: float
    wage: float | None


def annual_cost(purchase: float, share: float, life: float, rate: float) -> float:
    """I s r / (1 - (1+r)^-n): the even payment that pays an asset back over its life; I s / n at rate 0."""
    if life <= 0:
        raise ObservatoryError(
            f"an asset's life of {life:g} years cannot be: give at least one year, or leave it out"
        )
    factor = 1 / life if rate == 0 else rate / (1 - (1 + rate) ** -life)
    return purchase * share * factor


def capital(answers: Answers, assumptions: Mapping[str, float]) -> float:
    """The yearly cost of all assets; an undivided sum is used only where no asset is given apart."""
    rate = assumptions["discount_rate"]
    total = 0.0
    found = False
    for asset in ASSETS:
        purchase = number(answers, f"sp701.{asset}") + number(answers, f"sp704.{asset}")
        if not purchase:
            continue
        found = True
        life = number(answers, f"sp703.{asset}", assumptions[f"life_{asset}"])
        share = number(answers, f"sp702.{asset}", 100 * assumptions["asset_share"]) / 100
        total += annual_cost(purchase, share, life, rate)
    if not found:
        undivided = number(answers, "sp701._T") + number(answers, "sp704._T")
        total = annual_cost(undivided, assumptions["asset_share"], assumptions["life_OTHER"], rate)
    return total


def running(answers: Answers, wage: float | None) -> tuple[float, float]:
    """Labour and other running cost of the year."""
    items = {name: answers[f"sp705.{name}"] for name in ITEMS if f"sp705.{name}" in answers}
    days = number(answers, "sp706")
    if "STAFF" in items:
        staff = number(answers, "sp705.STAFF")
    elif days and wage is None:
        raise ObservatoryError(
            "person days are given without the cost of staff, and the file of price levels has no wage for"
            " the country and year: add wage_per_day"
        )
    else:
        staff = days * (wage or 0.0)
    labour = staff + number(answers, "sp705.HELPDESK") + number(answers, "sp705.EDUCATION")
    if items:
        return labour, number(answers, "sp705.LICENCE") + number(answers, "sp705.HOSTING")
    return labour, max(number(answers, "sp705._T") - labour, 0.0)


ITEMS = ("LICENCE", "STAFF", "HOSTING", "HELPDESK", "EDUCATION")


def posts(answers: Answers, wage: float | None, days_per_post: float) -> float | None:
    """Full-time posts of those who counter spam; None where neither days nor a wage tell of them."""
    if "sp706" in answers:
        return number(answers, "sp706") / days_per_post
    if "sp705.STAFF" in answers and wage:
        return number(answers, "sp705.STAFF") / wage / days_per_post
    return None


def number(answers: Answers, indicator: str, missing: float = 0.0) -> float:
    """An answer as a number. Raises ObservatoryError for an answer that is none."""
    value = answers.get(indicator, missing)
    try:
        found = float(value)
    except ValueError:
        raise ObservatoryError(f"{indicator}: '{value}' is no number") from None
    if found < 0:
        raise ObservatoryError(f"{indicator}: {value} is below 0")
    return found


def split(answers: Answers, question: str, otherwise: Mapping[str, float]) -> dict[str, float]:
    """Shares that add up to 1, by the question's percentages, or by other weights without them."""
    given = {
        name.partition(".")[2]: number(answers, name)
        for name in sorted(answers)
        if name.startswith(f"{question}.")
    }
    weights = {code: value for code, value in (given or otherwise).items() if value > 0}
    total = sum(weights.values())
    return {code: value / total for code, value in weights.items()}


def converted(parts: Sequence[float], labour: float, now: Price, base: Price) -> dict[str, float]:
    """Amounts of a year in base-year prices: local, at parity, at the market rate, and mixed."""
    real = sum(parts) * base.deflator / now.deflator
    real_labour = labour * base.deflator / now.deflator
    return {
        "real_amount": real,
        "ppp_amount": real / base.ppp,
        "market_amount": real / base.market,
        "mixed_amount": real_labour / base.ppp + (real - real_labour) / base.market,
    }


# An international dollar buys what a US dollar buys there, so its prices are those of the United States.
DOLLARS = "USA"


def bands_of_base(
    bands: Mapping[str, tuple[float, float | None]],
    prices: Mapping[tuple[str, int], Price],
    year: int,
    base_year: int,
) -> dict[str, tuple[float, float | None]]:
    """Bands of a year's international dollars in those of the base year, as amounts are.

    prices: by country and year. Raises ObservatoryError if they lack the United States.
    """
    rise = 1.0
    if year != base_year:
        missing = [str(each) for each in (year, base_year) if (DOLLARS, each) not in prices]
        if missing:
            raise ObservatoryError(
                f"budget bands are in international dollars, and there is no price level for {DOLLARS} in"
                f" {' and '.join(missing)}: add a row to price_level.csv"
            )
        rise = prices[DOLLARS, base_year].deflator / prices[DOLLARS, year].deflator
    return {code: (low * rise, None if high is None else high * rise) for code, (low, high) in bands.items()}


def account(
    answers: Answers,
    subscriptions: Mapping[str, float],
    prices: tuple[Price, Price],
    assumptions: Mapping[str, float],
    bands: Mapping[str, tuple[float, float | None]],
) -> list[dict[str, object]]:
    """The account of one respondent and year, a row for each channel and strategy; none if it gave no figure.

    subscriptions: by channel, from the frame; they split what the respondent does not. prices: of the year
    and of the base year. bands: in international dollars of the base year.
    """
    now, base = prices
    has_amount = any(name.split(".")[0] in AMOUNTS for name in answers)
    if not has_amount and BAND not in answers and "sp706" not in answers:
        return []
    shares = {
        (channel, strategy): of_channel * of_strategy
        for channel, of_channel in split(answers, CHANNELS, subscriptions).items()
        for strategy, of_strategy in split(answers, STRATEGIES, {UNKNOWN: 1.0}).items()
    }
    filled = posts(answers, now.wage, assumptions["days_per_post"])

    def cell(channel: str, strategy: str, share: float) -> dict[str, object]:
        of_posts = None if filled is None else filled * share
        return {"channel_code": channel, "strategy_code": strategy, "share": share, "posts": of_posts}

    if not has_amount and BAND in answers:
        code = str(answers[BAND])
        if code not in bands:
            raise ObservatoryError(
                f"{BAND}: '{code}' is no budget band; known are {', '.join(sorted(bands))}"
            )
        low, high = bands[code]
        beside = {"is_band": True, "band_low": low, "band_high": high}
        return [cell(channel, strategy, share) | beside for (channel, strategy), share in shares.items()]
    assets = capital(answers, assumptions)
    labour, other = running(answers, now.wage)
    return [
        cell(channel, strategy, share)
        | {
            "is_band": False,
            "capital_amount": assets * share,
            "labour_amount": labour * share,
            "other_amount": other * share,
            "amount": (assets + labour + other) * share,
        }
        | converted([part * share for part in (assets, labour, other)], labour * share, now, base)
        for (channel, strategy), share in shares.items()
    ]
