"""Spending of a respondent in a year against spam, from its answers on investment (questions 701 to 709).

- capital: I s r / (1 - (1+r)^-n) of each asset: I its purchase value (bought this year, 701, and earlier and
  still in use, 704, at this year's prices), s the share that serves to counter spam (702), n its life (703),
  r the discount rate.
- labour: staff (705), or, where it is not given, person days (706) at the country's wage; helpdesk;
  education.
- other: licences, hosting, and what a sum holds beside its parts.
- posts: person days (706) over the days of a post, or, where they are not given, the cost of staff over the
  country's wage; unknown without either. They are no amount of money, and part of none.
- revenue that blocking recovers is a transfer between operators, and not asked for.

An account is exact only if each question is answered completely: by its sum, or by parts of which none is
withheld. "Not applicable" is an answer of none; it is no sum of the parts beside it, and no days. A
respondent that marks all as not applicable gives no figure and has no account. Otherwise the stated part is a
lower bound: the lower edge of its band (709), or, without a band, of an amount with no upper edge.

Amounts are deflated in local currency to the base year first and converted at the base year's rates then: the
other order mixes two countries' inflation. Labour is priced at purchasing power parity and imported equipment
at the market rate; the whole is given both ways, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_number
from jobs.base.stats.formula import recovery_factor

ASSETS = ("SERVER", "SOFTWARE", "FIREWALL", "CALLAUTH", "PROBE", "REGISTER", "OTHER")
CHANNELS = "sp707"
STRATEGIES = "sp708"
BAND = "sp709"
BOUGHT, EARLIER, RUNNING, DAYS = "sp701", "sp704", "sp705", "sp706"
AMOUNTS = (BOUGHT, EARLIER, RUNNING)
# Statuses of an answer that hold an amount back, and the one of an amount that there is none of.
WITHHELD, NONE = ("NA", "R"), "NP"
UNKNOWN = "_U"

Answers = Mapping[str, float | str]
NO_RISE = {0: 1.0}


@dataclass(frozen=True)
class Price:
    """A country's prices in a year: deflator, local currency for an international and a US dollar, wage."""

    currency: str
    deflator: float
    ppp: float
    market: float
    wage: float | None


@dataclass(frozen=True)
class Asset:
    """The price of an asset, at prices of the account's year and in local currency; the share of it that
    serves to counter spam and its life in years, None where the respondent stated none."""

    asset_code: str
    purchase: float
    share: float | None
    life: float | None


def annual_cost(purchase: float, share: float, life: float, rate: float) -> float:
    """I s r / (1 - (1+r)^-n): the even payment that pays an asset back over its life; I s / n at rate 0."""
    if life <= 0:
        raise ObservatoryError(
            f"an asset's life of {format_number(life)} years cannot be: give at least one year, or leave it"
            " out"
        )
    return purchase * share * float(recovery_factor(rate, life))


def parts_of(answers: Answers, question: str, names: Sequence[str]) -> tuple[dict[str, float], float]:
    """A question's parts that were given, and what its sum holds beside them."""
    parts = {
        name: answer_number(answers, f"{question}.{name}")
        for name in names
        if f"{question}.{name}" in answers
    }
    return parts, max(answer_number(answers, f"{question}._T") - sum(parts.values()), 0.0)


def is_amount_stated(question: str, answers: Answers, without: Mapping[str, str]) -> bool:
    """Return whether all of a question's amount was stated: its sum, or parts of which none is withheld.

    A sum that is not available beside parts holds nothing back; one that is refused does. Person days stand
    for the cost of staff.

    Args:
        without: the status of each answer without a value.
    """
    own, whole = f"{question}.", f"{question}._T"
    if whole in answers:
        return True
    held = {name: status for name, status in without.items() if status in WITHHELD}
    days = held.get(DAYS)
    held = {name: status for name, status in held.items() if name.startswith(own)}
    none = {name for name, status in without.items() if status == NONE and name.startswith(own)}
    has_parts = any(name.startswith(own) for name in answers)
    if question == RUNNING and DAYS in answers:
        held.pop("sp705.STAFF", None)
    elif question == RUNNING and days and "sp705.STAFF" not in {*answers, *none}:
        held["sp705.STAFF"] = days
    if not has_parts and not none:
        # Nothing bought earlier is no answer; of the others one is asked of everybody.
        return question == EARLIER and not held
    if has_parts and held.get(whole) == "NA":
        held.pop(whole)
    return not held


def price_rise(since: Mapping[int, float], age: float) -> float:
    """Return the factor by which prices rose since a purchase of this age: since the whole years of it, or as
    far back as `since` (by years ago) reaches."""
    return since[max(years for years in since if years <= age)]


def rises_of(prices: dict[tuple[str, int], Price], country: str, year: int) -> dict[int, float]:
    """Return the factors by which prices of a country rose since so many years ago, by what the file of price
    levels has in the year's own currency."""
    now = prices[country, year]
    return {
        year - then: now.deflator / price.deflator
        for (name, then), price in prices.items()
        if name == country and then <= year and price.currency == now.currency
    }


def list_assets(
    answers: Answers, assumptions: Mapping[str, float], since: Mapping[int, float]
) -> list[Asset]:
    """All assets that were reported. The rest of a sum beside its parts is one of other assets, reported
    without life and share."""
    found = []
    for question in (BOUGHT, EARLIER):
        parts, rest = parts_of(answers, question, ASSETS)
        answered = [
            Asset(
                asset,
                purchase,
                asset_answer(answers, "sp702", asset, 100),
                asset_answer(answers, "sp703", asset),
            )
            for asset, purchase in parts.items()
        ]
        for each in [*answered, Asset("OTHER", rest, None, None)]:
            lasts = assumptions[f"life_{each.asset_code}"] if each.life is None else each.life
            age = assumptions["earlier_age"] * lasts if question == EARLIER else 0.0
            if each.purchase:
                found.append(replace(each, purchase=each.purchase * price_rise(since, age)))
    return found


def asset_answer(answers: Answers, question: str, asset: str, unit: float = 1.0) -> float | None:
    name = f"{question}.{asset}"
    return answer_number(answers, name) / unit if name in answers else None


def yearly_capital(bought: Sequence[Asset], assumptions: Mapping[str, float]) -> float:
    """The yearly cost of all assets."""
    return sum(
        annual_cost(
            each.purchase,
            assumptions["asset_share"] if each.share is None else each.share,
            assumptions[f"life_{each.asset_code}"] if each.life is None else each.life,
            assumptions["discount_rate"],
        )
        for each in bought
    )


def running_cost(answers: Answers, wage: float | None) -> tuple[float, float]:
    """Labour and other running cost of the year. Person days stand for staff, within what the sum leaves."""
    parts, rest = parts_of(answers, RUNNING, ITEMS)
    days = answer_number(answers, DAYS)
    if "STAFF" not in parts and days:
        if wage is None:
            raise ObservatoryError(
                "person days are given without the cost of staff, and the file of price levels has no wage"
                " for the country and year: add wage_per_day"
            )
        paid = days * wage
        parts["STAFF"] = min(paid, rest) if "sp705._T" in answers else paid
        rest = max(rest - parts["STAFF"], 0.0)
    labour = sum(parts.get(item, 0.0) for item in LABOUR)
    return labour, sum(parts.values()) - labour + rest


ITEMS = ("LICENCE", "STAFF", "HOSTING", "HELPDESK", "EDUCATION")
LABOUR = ("STAFF", "HELPDESK", "EDUCATION")


def count_posts(answers: Answers, wage: float | None, days_per_post: float) -> float | None:
    """Full-time posts of those who counter spam; None without days or a wage."""
    if "sp706" in answers:
        return answer_number(answers, "sp706") / days_per_post
    if "sp705.STAFF" in answers and wage:
        return answer_number(answers, "sp705.STAFF") / wage / days_per_post
    return None


def answer_number(answers: Answers, indicator: str) -> float:
    """An answer as a number, 0 without one. Raises ObservatoryError for an answer that is none."""
    value = answers.get(indicator, 0.0)
    try:
        found = float(value)
    except ValueError:
        raise ObservatoryError(f"{indicator}: '{value}' is no number") from None
    if found < 0:
        raise ObservatoryError(f"{indicator}: {value} is below 0")
    return found


def split_shares(answers: Answers, question: str, otherwise: Mapping[str, float]) -> dict[str, float]:
    """Shares that add up to 1, by the question's percentages, or by other weights without them."""
    given = {
        name.partition(".")[2]: answer_number(answers, name)
        for name in sorted(answers)
        if name.startswith(f"{question}.")
    }
    weights = {code: value for code, value in (given or otherwise).items() if value > 0}
    total = sum(weights.values())
    return {code: value / total for code, value in weights.items()}


def convert_amounts(parts: Sequence[float], labour: float, now: Price, base: Price) -> dict[str, float]:
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

    Raises ObservatoryError if they lack the United States.

    Args:
        prices: prices by country and year.
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


def account_rows(
    answers: Answers,
    subscriptions: Mapping[str, float],
    prices: tuple[Price, Price],
    assumptions: Mapping[str, float],
    bands: Mapping[str, tuple[float, float | None]],
    without: Mapping[str, str] | None = None,
    since: Mapping[int, float] = NO_RISE,
) -> list[dict[str, object]]:
    """The account of one respondent and year, a row for each channel and strategy; none if it gave no figure.

    Args:
        subscriptions: subscriptions by channel, from the frame; they split what the respondent does not.
        prices: prices of the year and of the base year.
        bands: bands in international dollars of the base year.
        without: status of the answers without a value.
        since: how many times prices rose since so many years ago, 0 among them.
    """
    now, base = prices
    has_amount = any(name.split(".")[0] in (*AMOUNTS, DAYS) for name in answers)
    if not has_amount and BAND not in answers:
        return []
    bought = list_assets(answers, assumptions, since)
    whole = has_amount and all(is_amount_stated(question, answers, without or {}) for question in AMOUNTS)
    # The least of an amount can do without days that nothing prices.
    parts = (
        yearly_capital(bought, assumptions),
        *running_cost(answers, now.wage if whole else now.wage or 0.0),
    )
    labour = parts[1]
    beside: dict[str, object] = {"is_band": False}
    if not whole:
        edges = spending_bounds(answers, convert_amounts(parts, labour, now, base)["ppp_amount"], bands)
        if edges is None:
            return []
        beside = {"is_band": True, "band_low": edges[0], "band_high": edges[1]}
    filled = count_posts(answers, now.wage, assumptions["days_per_post"])
    rows = []
    listed = [asdict(each) for each in bought]
    for channel, of_channel in split_shares(answers, CHANNELS, subscriptions).items():
        for strategy, of_strategy in split_shares(answers, STRATEGIES, {UNKNOWN: 1.0}).items():
            share = of_channel * of_strategy
            row: dict[str, object] = {"channel_code": channel, "strategy_code": strategy, "share": share}
            row |= {"posts": None if filled is None else filled * share}
            if not beside["is_band"]:
                own = [part * share for part in parts]
                row |= dict(zip(("capital_amount", "labour_amount", "other_amount"), own, strict=True))
                row |= {"amount": sum(own), "assets": listed}
                row |= convert_amounts(own, labour * share, now, base)
            rows.append(row | beside)
    return rows


def spending_bounds(
    answers: Answers, answered: float, bands: Mapping[str, tuple[float, float | None]]
) -> tuple[float, float | None] | None:
    """The lower and upper bound, in international dollars, of what a respondent spends that did not state all
    of it; None where nothing is known. A band below the amount stated is ignored: the range then has no upper
    bound.

    Args:
        answered: its capital at central rate, lives and shares. The lower bound depends on these three: with
            the lowest that jobs/base/stats/imputation.py draws for capital, it would be lower.
    """
    low, high = 0.0, None
    if BAND in answers:
        code = str(answers[BAND])
        if code not in bands:
            raise ObservatoryError(
                f"{BAND}: '{code}' is no budget band; known are {', '.join(sorted(bands))}"
            )
        low, high = bands[code]
        if high is not None and answered >= high and answered > 0:
            high = None
    elif answered <= 0:
        return None
    return max(low, answered), high
