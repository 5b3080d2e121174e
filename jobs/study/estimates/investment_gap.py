"""study.investment_gap: what an area spends in a year against what a chosen target would cost.

Four targets side by side, chosen in the settings or on the command line. `norm`: an amount for each
subscription. `middle` and `top`: what the middle half and the upper quarter of respondents spend for each
subscription. `best`: what those spend that stop the greatest share of the spam that is sent to them. Of the
last three labour is at the parity of each country that would have to pay it, and assets are annualised at its
discount rate (jobs.study.estimates.steps.spending_groups).

Logs alone do not show that share: what a filter misses is in no count of spam, so that whoever flags least
would come first. It is ranked by an audit or a test of each respondent's own filter: of spam with the
filter's errors in it (jobs.study.estimates.steps.audits), what was stopped. Fewer than LEAST_AUDITED such
respondents with accounts give no target.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from jobs.base.core.call_shares import CALLS, UNTOLD
from jobs.base.core.numbers import format_given_share, format_number, format_rate, format_share
from jobs.base.core.periods import last_day
from jobs.base.costs.investment_assumptions import account_assumptions, central_values
from jobs.base.figures.areas import COUNTRY, WORLD, classify_countries, list_areas
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.stats.estimation import seed_of
from jobs.base.stats.intervals import gap_interval
from jobs.base.tables.contracts import Row
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates.investment_account import PriceLevels, price_of, prices_of
from jobs.study.estimates.spam_part import CONTENT, FATE, STOP
from jobs.study.estimates.steps.accounts import Asset, Price, yearly_capital
from jobs.study.estimates.steps.investment_targets import authority_code, channel_targets, value_of
from jobs.study.estimates.steps.rows import conf_status_code, frame_rows, is_month
from jobs.study.estimates.steps.sample import Reference
from jobs.study.estimates.steps.spending_groups import (
    LEAST,
    PLACES,
    GroupSpending,
    Payers,
    TargetGroup,
    choose_first,
    draw_target,
    exact_spending,
    group_spending,
    numbers,
    placed_spending,
    spending_by_respondent,
)

TABLE = "study.investment_gap"
NORM, BEST = "norm", "best"
# A quarter of fewer is the one that happened to audit.
LEAST_AUDITED = LEAST
PRICED = (
    "Labour costs the paying country's own wages (purchasing power parity). Assets have the same price"
    " everywhere and are annualised at the paying country's discount rate."
)
# Rates that differ by rounding alone are alike.
DIGITS = 9


def transform(
    investment: pl.DataFrame,
    investment_account: pl.DataFrame,
    respondent_part: pl.DataFrame,
    submission_quality: pl.DataFrame,
    reference: Reference,
    prices: PriceLevels,
    cost_parameter: pl.DataFrame,
    investment_target: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each area, channel, year and target.

    In parts: a target needs the accounts and audits of all respondents of a channel and year, so the key is
    period_code and channel_code.
    """
    levels, assumed = prices_of(prices.price_level), prices.investment_assumption
    audited = stopped_share(called_spam(respondent_part, submission_quality))
    whole = investment.filter(
        (pl.col("strategy_code") == "_T")
        & (pl.col("component_code") == "_T")
        & (pl.col("conversion_code") == "market")
    )
    by = ["period_code", "channel_code"]
    rows: list[Row] = []
    for (period, channel), spending in whole.sort(by).partition_by(by, as_dict=True).items():
        day = last_day(str(period))
        members = classify_countries(reference.country, reference.country_group, day)
        accounts = investment_account.filter(
            (pl.col("period_code") == period) & (pl.col("channel_code") == channel)
        )
        protected = audited.filter((pl.col("channel_code") == channel) & (pl.col("year") == period))
        wanted = channel_targets(investment_target, str(channel))
        groups: dict[str, TargetGroup] = {}
        if set(wanted) - {NORM}:
            costs = capital_costs(accounts, members, rows_on_day(cost_parameter, day), assumed)
            frame = rows_on_day(reference.operator_frame, day)
            key = "target", str(channel), str(period)
            groups = {
                code: placed_spending(accounts, costs, frame, code, seed_of(*key, code))
                for code in wanted
                if code in PLACES
            }
            if BEST in wanted:
                groups[BEST] = best_respondents(
                    accounts, costs, protected, frame, wanted[BEST][0], seed_of(*key, BEST)
                )
        found = channel_rows(spending, members, levels, assumed, wanted, groups)
        rows += [row | {"period_code": period, "channel_code": channel} for row in found]
    return frame_rows(rows, TABLE)


def called_spam(respondent_part: pl.DataFrame, submission_quality: pl.DataFrame) -> pl.DataFrame:
    """Months of respondents whose filter was audited or tested: how many of their attempted messages were
    certain spam and stopped, before or with their content; the filter's calls of the rest, with the shares of
    spam in them."""
    code = pl.col("part_codes").str
    had_content, is_stopped = code.starts_with(f"{CONTENT}/"), code.ends_with(f"/{STOP}")
    certain, undecided = pl.col("spam_certain"), pl.col("spam_possible") - pl.col("spam_certain")
    counts = {
        "stopped_before": (certain, ~had_content & is_stopped),
        "certain_before": (certain, ~had_content),
        "undecided_before": (undecided, ~had_content),
        "stopped_flagged": (certain, had_content & is_stopped),
        "flagged": (certain, had_content),
        "undecided": (undecided, had_content),
        "passed": (pl.col("units") - pl.col("spam_possible"), had_content),
    }
    by = ["respondent_id", "period_code", "channel_code"]
    return (
        respondent_part.filter(part_kind_code=FATE, unit_code="attempted", definition_code=OPERATOR)
        .filter(is_month(pl.col("period_code")))
        .group_by(by)
        .agg(count.filter(where).sum().alias(name) for name, (count, where) in counts.items())
        .join(submission_quality.select(*by, *(f"{call}_spam_share" for call in CALLS)), on=by)
    )


def stopped_share(months: pl.DataFrame) -> pl.DataFrame:
    """Each respondent's year: the share of the spam sent to it that it stopped, and how much of what it
    flagged was spam, over the months of called_spam().

    Spam is as jobs.study.estimates.steps.audits estimates it: certain before content, half of what was
    undecided there, and of each call its share; half of a call without one. Stopped is of it what was refused
    before content, and the flagged share of what was stopped with it.
    """
    share = {call: pl.col(f"{call}_spam_share").cast(pl.Float64).fill_null(UNTOLD[0]) for call in CALLS}
    scanned = sum((share[call] * pl.col(call) for call in CALLS), pl.lit(0.0))
    return (
        months.with_columns(
            year=pl.col("period_code").str.slice(0, 4),
            spam=pl.col("certain_before") + UNTOLD[0] * pl.col("undecided_before") + scanned,
            stopped=pl.col("stopped_before") + share["flagged"] * pl.col("stopped_flagged"),
            right=share["flagged"] * pl.col("flagged"),
        )
        # In order, so that sums are the same whatever the partitions.
        .sort("respondent_id", "channel_code", "period_code")
        .group_by("respondent_id", "channel_code", "year", maintain_order=True)
        .agg(pl.col("spam", "stopped", "right", "flagged").sum())
        .filter(pl.col("spam") > 0)
        .with_columns(rate=(pl.col("stopped") / pl.col("spam")).round(DIGITS))
    )


def capital_costs(
    accounts: pl.DataFrame, members: pl.DataFrame, parameters: pl.DataFrame, assumed: pl.DataFrame
) -> pl.DataFrame:
    """Ratio of the yearly cost of each respondent's assets in a country of each development class to that in
    its own: a row for each respondent with assets and each class.

    Args:
        members: the result of jobs.base.figures.areas.classify_countries().
        parameters: ref.cost_parameter of the day.
    """
    classes = dict(members.select("country_code", "development_code").rows())
    chosen = dict(assumed.select("assumption_code", "central").rows())
    known = central_values(parameters)
    priced = {name: account_assumptions(known, chosen, name) for name in sorted(set(classes.values()))}
    owned = accounts.filter(pl.col("assets").list.len() > 0).unique("respondent_id").sort("respondent_id")
    rows = []
    for respondent, country, stated in owned.select("respondent_id", "country_code", "assets").rows():
        assets = [Asset(**each) for each in stated]
        own = yearly_capital(assets, priced[classes[country]])
        rows += [
            (respondent, name, yearly_capital(assets, each) / own if own else 1.0)
            for name, each in priced.items()
        ]
    schema = {"respondent_id": pl.String, "development_code": pl.String, "over_own": pl.Float64}
    return pl.DataFrame(rows, schema, orient="row")


def best_respondents(
    accounts: pl.DataFrame,
    costs: pl.DataFrame,
    audited: pl.DataFrame,
    frame: pl.DataFrame,
    share: float,
    seed: int = 0,
) -> TargetGroup:
    """The best of the respondents with accounts and audits.

    The best are the `share` of respondents with exact accounts and an audit or a test that stop the greatest
    share of their spam, at least one, and all that stop as much as the last of them. With fewer than
    LEAST_AUDITED to choose from nothing but their number, `of`, is known.

    Args:
        costs: the result of capital_costs().
        frame: the frame of the period's last day.
    """
    exact = exact_spending(accounts)
    each = (
        spending_by_respondent(exact, frame)
        .join(audited, on=["respondent_id", "channel_code"])
        .sort(["rate", "respondent_id"], descending=[True, False])
    )
    if each.height < LEAST_AUDITED:
        return TargetGroup(each.height)
    last = each["rate"][max(1, round(share * each.height)) - 1]
    best = each.filter(pl.col("rate") >= last)
    right, flagged = float(best["right"].sum()), float(best["flagged"].sum())
    return TargetGroup(
        each.height,
        group_spending(best, exact, costs),
        draw_target(each, costs, choose_first(numbers(each, "rate"), share), seed),
        least=float(last),
        right=right / flagged if flagged else None,
    )


def channel_rows(
    spending: pl.DataFrame,
    members: pl.DataFrame,
    prices: dict[tuple[str, int], Price],
    assumed: pl.DataFrame,
    wanted: dict[str, tuple[float, str]],
    groups: dict[str, TargetGroup],
) -> list[Row]:
    """The gap of each area, by each target. The target of an area adds up its countries'.

    Args:
        wanted: each target's value and who chose it.
        groups: of best_respondents() and placed_spending(); without their spending the rows of a target have
            no gap, and say why in place of what they take for granted.
    """
    base = int(value_of(assumed, "base_year"))
    of_country = dict(
        spending.filter(pl.col("area_kind_code") == COUNTRY).select("area_code", "subscriptions").rows()
    )
    classes = dict(members.select("country_code", "development_code").rows())
    rates = {name: price_of(prices, name, base) for name in of_country}
    dollars = {name: price.ppp / price.market for name, price in rates.items()}
    targets = country_targets(wanted, groups, classes, rates)
    # A norm is nobody's spending.
    few = {
        code
        for code, group in groups.items()
        if group.spending and conf_status_code(group.spending.owners) == "C"
    }
    listed = {
        area.code: area.countries
        for area in list_areas(members.filter(pl.col("country_code").is_in(list(of_country))))
    }
    payers = Payers(of_country, dollars, classes)
    assumptions = {code: taken_for_granted(code, assumed, wanted[code], groups.get(code)) for code in wanted}
    rows = []
    for spend in spending.filter(pl.col("estimate").is_not_null()).sort("area_code").to_dicts():
        inside = listed[spend["area_code"]]
        for code in wanted:
            row = {
                "area_code": spend["area_code"],
                "area_kind_code": spend["area_kind_code"],
                # Of few owners the target itself is what they spend.
                "conf_status_code": "C" if code in few else spend["conf_status_code"],
                "target_code": code,
                "authority_code": authority_code(wanted[code][1]),
                "subscriptions": sum(of_country[name] for name in inside),
                "spend": round_to_cents(spend["estimate"]),
                "spend_low": round_to_cents(spend["estimate_low"]),
                "spend_high": round_to_cents(spend["estimate_high"]),
                "assumptions": [*assumptions[code], *too_low(code, targets, spending, of_country)],
            }
            if code in targets:
                variance = float(spend["subscriptions_variance"] or 0.0)
                row |= area_gap(row, inside, targets[code], payers, groups.get(code), variance)
            rows.append(row)
    return rows


def round_to_cents(amount: Decimal | None) -> float | None:
    """An amount to the cent; of one respondent there is no interval, and None."""
    return None if amount is None else round(float(amount), 2)


def area_gap(
    row: Row,
    countries: Sequence[str],
    target: dict[str, float],
    payers: Payers,
    group: TargetGroup | None,
    variance: float,
) -> Row:
    """The columns of what is necessary in an area, and of what is missing.

    Args:
        row: its columns of subscriptions and spending.
        countries: the area's countries.
        target: each country's target per subscription.
        group: None of a norm, which is exact.
        variance: the variance that gap_interval() takes.
    """
    subscriptions, spent = row["subscriptions"], row["spend"]
    necessary = sum(payers.subscriptions[name] * target[name] for name in countries)
    drawn = group.draws if group else None
    exact = (necessary, necessary) if row["target_code"] == NORM else (None, None)
    ends = payers.necessary_interval(necessary, countries, drawn) if drawn else exact
    gap_low, gap_high = gap_interval(necessary, ends, spent, (row["spend_low"], row["spend_high"]), variance)
    return {
        "target_per_subscription": necessary / subscriptions if subscriptions else 0.0,
        "necessary": necessary,
        "gap": max(necessary - spent, 0.0),
        "necessary_low": ends[0],
        "necessary_high": ends[1],
        "gap_low": gap_low,
        "gap_high": gap_high,
    }


def country_targets(
    wanted: dict[str, tuple[float, str]],
    groups: dict[str, TargetGroup],
    classes: dict[str, str],
    rates: dict[str, Price],
) -> dict[str, dict[str, float]]:
    """Necessary spending for a subscription of each country, by target: US dollars a year.

    Args:
        classes: countries' classes of development.
        rates: their prices in the base year.
    """
    targets = {NORM: dict.fromkeys(rates, wanted[NORM][0])} if NORM in wanted else {}
    for code, group in groups.items():
        if spending := group.spending:
            # A group without any asset has none for any class.
            targets[code] = {
                name: spending.capital.get(classes[name], 0.0)
                + spending.rest
                + spending.labour * price.ppp / price.market
                for name, price in rates.items()
            }
    return targets


def too_low(
    code: str, targets: dict[str, dict[str, float]], spending: pl.DataFrame, of_country: dict[str, Any]
) -> list[str]:
    """Why a target shows no gap for the world, where it shows none."""
    world = spending.filter((pl.col("area_code") == WORLD) & pl.col("estimate").is_not_null())
    subscriptions = sum(of_country.values())
    if code not in targets or code == NORM or world.is_empty() or not subscriptions:
        return []
    target = sum(of_country[name] * targets[code][name] for name in of_country) / subscriptions
    spent = float(world["estimate"][0]) / subscriptions
    if target >= spent:
        return []
    who = {BEST: "the best", "middle": "the middle half", "top": "the upper quarter"}[code]
    why = (
        "Those that stop most do not spend most here: the target shows that as much may be stopped for less,"
        " and not that enough is spent."
        if code == BEST
        else "The mean of all includes the few that spend most."
    )
    return [
        f"No gap for all countries together: {who} spend {format_rate(target)} US dollars for each"
        f" subscription at all countries' prices, less than the {format_rate(spent)} of all operators. {why}"
    ]


def taken_for_granted(
    target: str, assumed: pl.DataFrame, wanted: tuple[float, str], group: TargetGroup | None
) -> list[str]:
    """The assumptions that a gap depends on, as sentences with their values."""
    value, source = wanted
    base = int(value_of(assumed, "base_year"))
    assumptions: list[str] = []
    if target == NORM:
        assumptions.append(
            f"Norm: {format_number(value)} US dollars of {base} for each subscription and year, set by"
            f" {source}."
        )
    elif group is None or group.spending is None:
        return [too_few(target, group.of if group else 0)]
    elif target == BEST:
        right = "" if group.right is None else f"; {format_share(group.right)} of what they flagged was spam"
        assumptions += [
            f"The best are {format_given_share(value)} of the respondents with an account in"
            f" amounts and an audit or test of their filter, set by {source}: {group.spending.count} of"
            f" {group.of}, with those that tie with the last. Each stopped at least"
            f" {format_share(group.least)} of the spam sent to it, including the spam that its filter"
            f" misses{right}.",
            "That share covers the months with an audit or test, under the respondents' own definition. The"
            " uncertainty of audits does not affect who is best.",
            "The target is the stated spending of the best, divided by their subscriptions: measures are not"
            " priced one by one. Others are assumed to stop as much for the same money.",
            f"The best spend on {list_strategies(group.spending)} (strategies of ITU-T X.1231; _U: not"
            " stated).",
            PRICED,
        ]
    else:
        part = {"middle": "middle half", "top": "upper quarter"}[target]
        assumptions += [
            f"The {part} of respondents with an account in amounts, in the order of what they spend for each"
            f" subscription, by subscriptions: {group.spending.count} of {group.of}, whatever they stop.",
            f"The {part} spends on {list_strategies(group.spending)} (strategies of ITU-T X.1231; _U: not"
            " stated).",
            PRICED,
        ]
    return assumptions + [
        "All assumptions of study.investment apply.",
        uncertainty_of(target, group),
        "An area whose total spending exceeds the target has no gap, even if some of its operators have one.",
        "The need for each subscription is the same in all countries, apart from prices.",
    ]


def uncertainty_of(target: str, group: TargetGroup | None) -> str:
    """Say what the interval of a gap includes."""
    if target == NORM:
        return "The norm is taken as exact: the interval of the gap is that of spending and of subscriptions."
    if group is None or group.draws is None:
        return "One owner alone has such accounts, which shows no uncertainty: the gap has no interval."
    return (
        f"The interval of the gap includes the target's own uncertainty: {group.draws.owners} owners were"
        " drawn again, and who is in the group with them. It is taken as independent of that of spending."
    )


def list_strategies(spending: GroupSpending) -> str:
    return ", ".join(f"{format_share(share, 0)} {name}" for name, share in spending.strategies)


def too_few(target: str, count: int) -> str:
    """Why there is no target by a group."""
    has = f"{count} respondent{'' if count == 1 else 's'}" if count else "no respondent"
    if target in PLACES:
        return f"No target by the {target} part: {has} with an account in amounts, and {LEAST} are needed."
    return (
        f"No target by the best: {has} with an account in amounts and an audit or test of its filter, and"
        f" {LEAST_AUDITED} are needed to rank them: counts do not include the spam that filters miss."
    )
