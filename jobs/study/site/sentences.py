"""Sentences with figures of the release's rows. No sentence has an estimate of low reliability."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR

import polars as pl

from jobs.base.core import languages
from jobs.base.core.numbers import round_outward, round_significant, to_decimal
from jobs.base.core.periods import last_day, period_of
from jobs.base.figures.reliability import may_be_quoted
from jobs.base.tables.contracts import Row
from jobs.base.tables.public_contracts import public_contract
from jobs.base.tables.series import ALL, UNKNOWN
from jobs.study.release.released_tables import AREA, AREAS, WHOLE
from jobs.study.site.names import first_large, name_class, name_listed, name_place
from jobs.study.site.published_release import (
    CHANNELS,
    QUANTITIES,
    UNITS,
    PublishedRelease,
    better_quantity,
    split_by_channel,
    total_spending,
)
from jobs.study.site.texts import say

WORLD = AREAS["WORLD"][0]
# Of an estimate in a sentence or a title. Releases publish two or three, which tables have.
DIGITS = 2
KNOWN_ERRORS = ("subscriptions_variance", "days_variance")


@dataclass(frozen=True)
class ChannelCard:
    """A channel on the front page.

    Attributes:
        share: the large figure, empty where none may be quoted.
    """

    name: str
    share: str
    base: str
    volume: str
    change: str
    reliability: str


# --- words ------------------------------------------------------------------------------------------


def name_channel(code: str) -> str:
    """A channel in the middle of a sentence."""
    known = f"channel.{code}"
    return say(known) if code in (*CHANNELS, "VOICE_CS", "VOICE_IP") else name_listed("channel", code)


def head_channel(code: str) -> str:
    """A channel at the head of a sentence."""
    return first_large(name_channel(code))


def lead_channel(code: str) -> str:
    """A channel in a sentence that only in other languages begins with it."""
    return name_channel(code) if languages.is_english() else head_channel(code)


def name_period(code: str) -> str:
    year, _, quarter = code.partition("-Q")
    return languages.format_quarter(int(year), int(quarter)) if quarter else say("period.year", year=year)


def name_area(row: Row) -> str:
    """An area in the middle of a sentence."""
    if row[AREA] == WORLD:
        return say("area.world")
    return name_place(row[AREA], row["area_name"])


def name_holdings(code: str) -> str:
    """Name a class of holdings, by the ends of its code."""
    low, _, high = code.partition("_")
    return say("holdings.from", low=high) if low == "FROM" else say("holdings.between", low=low, high=high)


def name_band(code: str | None) -> str:
    """Reliability in words."""
    return say(f"band.{code or 'none'}")


def show_share(value: str) -> str:
    return languages.format_pct(value)


def quote_share(value: str) -> str:
    """A share in a sentence. One that is not all never reads as 100%."""
    rounded = round_significant(value, DIGITS)
    return show_share(value) if to_decimal(value) < 100 <= rounded else languages.format_pct(rounded)


def quote(value: str) -> str:
    """An estimate in a sentence."""
    return languages.format_rounded(round_significant(value, DIGITS))


def quote_before_noun(value: str) -> str:
    """An estimate in a sentence, before what is counted."""
    return languages.format_before_noun(round_significant(value, DIGITS))


def ends_of(row: Row) -> dict[str, str]:
    """Both ends of an interval in a sentence, rounded outward as the release rounds them."""
    return {
        "low": languages.format_rounded(round_outward(row["estimate_low"], DIGITS, ROUND_FLOOR)),
        "high": languages.format_rounded(round_outward(row["estimate_high"], DIGITS, ROUND_CEILING)),
    }


def has_interval(row: Row) -> bool:
    return bool(row.get("estimate_low") and row.get("estimate_high"))


def has_share(row: Row | None) -> bool:
    """Return whether a sentence may have the share of a row."""
    return bool(row and row["share_pct"] and may_be_quoted(row["share_cv_band_code"]))


# --- all countries together -------------------------------------------------------------------------


def main_rows(release: PublishedRelease, areas: Sequence[str] = WHOLE) -> dict[str, Row]:
    """Return each channel's volume of an area, of the better quantity that there is."""
    rows = release.volumes.filter(pl.col(AREA).is_in(areas))
    return {channel: better_quantity(own).row(0, named=True) for channel, own in split_by_channel(rows)}


def headline(release: PublishedRelease, areas: Sequence[str] = WHOLE) -> str:
    """The finding in one sentence: shares of spam by channel, grouped by the area that they are of; in two
    where a channel has the year's alone."""
    found: dict[str, dict[str, list[str]]] = {}
    rows = main_rows(release, areas)
    for channel, row in rows.items():
        if has_share(row):
            part = say("headline.part", share=quote_share(row["share_pct"]), channel=name_channel(channel))
            found.setdefault(row["period_code"], {}).setdefault(name_area(row), []).append(part)
    if not found:
        is_withheld = all(row["share_pct"] and not row["share_cv_band_code"] for row in rows.values())
        return say("headline.withheld" if rows and is_withheld and areas == WHOLE else "headline.none")
    return " ".join(headline_of(period, found[period]) for period in sorted(found, reverse=True))


def headline_of(period: str, of_area: Mapping[str, list[str]]) -> str:
    """The finding of a period.

    Args:
        of_area: by area the share of each channel.
    """
    parts = [
        say("headline.area", parts=languages.join_parts(parts), area=area) for area, parts in of_area.items()
    ]
    return say("headline", period=name_period(period), parts=say("between").join(parts))


def cards(release: PublishedRelease) -> list[ChannelCard]:
    """E-mail, SMS and calls: a card for each channel with a row, and one that says there is none."""
    rows = main_rows(release)
    found = []
    for group in CHANNELS:
        own = [channel for channel in rows if channel.split("_")[0] == group]
        found += [channel_card(release, channel, rows[channel]) for channel in own]
        if not own:
            found.append(ChannelCard(head_channel(group), "", "", say("card.none"), "", ""))
    return found


def channel_card(release: PublishedRelease, channel: str, row: Row) -> ChannelCard:
    share = quote_share(row["share_pct"]) if has_share(row) else ""
    base = say("card.base", channel=name_channel(channel)) if share else ""
    name, period = head_channel(channel), row["period_code"]
    return ChannelCard(
        name if period == release.period else f"{name} ({name_period(period)})",
        share,
        base,
        volume_sentence(row),
        change_sentence(release, row),
        say("card.reliability", band=name_band(row["cv_band_code"])),
    )


def volume_sentence(row: Row) -> str:
    if not may_be_quoted(row["cv_band_code"]):
        return say("unquoted" if row["cv_band_code"] else "unquoted.withheld")
    given = {
        "estimate": quote(row["estimate"]),
        "unit": say(f"short.{row['unit_code']}"),
        "area": name_area(row),
        "quantity": say(f"quantity.{row['quantity_code']}"),
    }
    if not has_interval(row):
        return say("card.volume_only", **given)
    return say("card.volume", **given, **ends_of(row))


def change_rows(release: PublishedRelease) -> pl.DataFrame:
    """Changes of spam as filters saw it, of the unit that stands for a channel."""
    return release.last("volume_change").filter(
        pl.col("definition_code") == "OPERATOR",
        pl.col("unit_code").is_in(UNITS),
        pl.col("quantity_code") == QUANTITIES[-1],
        pl.col("match_code") == "with_before",
        pl.col("change_pct").is_not_null(),
    )


def quoted_change(release: PublishedRelease, volume: Row) -> Row | None:
    """The change of a volume, if the volume may be quoted and its change is published."""
    if not may_be_quoted(volume["cv_band_code"]):
        return None
    same = (pl.col(name) == volume[name] for name in (AREA, "channel_code"))
    rows = change_rows(release).filter(*same)
    return rows.row(0, named=True) if rows.height else None


def change_sentence(release: PublishedRelease, volume: Row) -> str:
    row = quoted_change(release, volume)
    if row is None:
        return say("card.no_change")
    given = {
        "change": languages.format_change(row["change_pct"]),
        "before": name_period(row["earlier_period_code"]),
    }
    if not row["change_code"]:
        return say("card.change_only", **given)
    return say(f"card.change.{row['change_code']}", **given, **change_ends(row))


def change_ends(row: Row) -> dict[str, str]:
    """Both ends of a change."""
    return {end: languages.format_change(row[f"change_{end}_pct"]) for end in ("low", "high")}


def answered_sentences(release: PublishedRelease) -> list[str]:
    """Sentences on who answered on volumes, by channel."""
    return [answered_sentence("answered.part", channel, row) for channel, row in main_rows(release).items()]


def answered_on_spending(release: PublishedRelease) -> list[str]:
    rows = total_spending(release.last("investment")).filter(pl.col(AREA).is_in(WHOLE))
    return [
        answered_sentence("answered.spent", channel, own.row(0, named=True))
        for channel, own in split_by_channel(rows)
    ]


def answered_sentence(key: str, channel: str, row: Row) -> str:
    return say(
        key,
        channel=head_channel(channel),
        holdings=name_holdings(row["holdings_class_code"]),
        coverage=name_class(row["coverage_class_code"]),
        area=name_area(row),
        frame=row["frame_country_count"],
        of=row["area_country_count"],
    )


def money(release: PublishedRelease) -> list[str]:
    """Spending and costs of countermeasures, by channel."""
    costs = release.last("countermeasure_cost").filter(
        pl.col(AREA).is_in(WHOLE), pl.col("strategy_code") == ALL, pl.col("cost_component_code") == "stated"
    )
    spent = total_spending(release.last("investment")).filter(pl.col(AREA).is_in(WHOLE))
    found = [
        money_sentence(key, channel, own.row(0, named=True))
        for key, rows in (("money.cost", costs), ("money.spent", spent))
        for channel, own in split_by_channel(rows)
    ]
    return [*found, say("money.apart")] if found else [say("why_money")]


def money_sentence(key: str, channel: str, row: Row) -> str:
    given = {"channel": lead_channel(channel), "area": name_area(row)}
    if why := why_unquoted(row):
        return say(f"{key}_unquoted", **given, why=say(f"money.why.{why}"))
    period = name_period(row["period_code"])
    estimate = quote_before_noun(row["estimate"])
    return say(key, **given, estimate=estimate, period=period, **ends_of(row))


def why_unquoted(row: Row) -> str:
    """Why no sentence has an amount; empty where one may. A band that is not published may be a good one."""
    if not row["cv_band_code"]:
        return "band"
    if not may_be_quoted(row["cv_band_code"]):
        return "low"
    return "" if has_interval(row) else "interval"


# --- what is new, what is unsure --------------------------------------------------------------------


def count_revisions(release: PublishedRelease) -> dict[str, int]:
    """Count protected figures that are new, revised, unchanged, or stand as they were."""
    count: dict[str, int] = {}
    for rows in release.tables.values():
        if "revision_code" in rows.columns:
            for code, number in rows.group_by("revision_code").len().rows():
                count[code] = count.get(code, 0) + number
    return count


def whats_new(release: PublishedRelease) -> list[str]:
    """Sentences on revisions and on the next release."""
    return [revisions(release), next_release(release.period)]


def next_release(period: str) -> str:
    after = period_of(last_day(period) + dt.timedelta(days=1), "quarter")
    return say("new.next", period=name_period(after))


def revisions(release: PublishedRelease) -> str:
    count = count_revisions(release)
    if not sum(number for code, number in count.items() if code != "NEW"):
        return say("new.first")
    given = {
        name: languages.format_count(count.get(name.upper(), 0))
        for name in ("new", "revised", "same", "stands")
    }
    found = say("new.count", all=languages.format_count(sum(count.values())), **given)
    if not release.logged:
        return found
    logged = {
        word: languages.format_count(release.logged.get(kind, 0))
        for word, kind in (("changed", "changed"), ("added", "new"), ("gone", "gone"))
    }
    return f"{found} {say('new.log', **logged)}"


def count_low(rows: pl.DataFrame) -> int:
    """Count rows that no sentence may have."""
    may_be = pl.col("cv_band_code").map_elements(may_be_quoted, pl.Boolean, skip_nulls=False)
    return rows.filter(~may_be).height


def whats_unsure(release: PublishedRelease) -> list[str]:
    """Each source of doubt in a sentence, with its size in every channel."""
    volume, main = release.tables["spam_volume"], main_rows(release)
    low = {"all": volume.height, "low": count_low(volume)}
    found = [say("unsure.low", **{name: languages.format_count(count) for name, count in low.items()})]
    sizes = {
        "unsure.silent": {channel: name_class(row["silent_class_code"]) for channel, row in main.items()}
    }
    for key, table, column, code in (
        ("unsure.type", "spam_type", "spam_type_code", "UNK"),
        ("unsure.source", "spam_source", "source_region_code", UNKNOWN),
    ):
        rows = release.last(table).filter(pl.col(AREA).is_in(WHOLE), pl.col(column) == code)
        parts = {channel: better_quantity(own).row(0, named=True) for channel, own in split_by_channel(rows)}
        sizes[key] = {
            channel: quote_share(row["share_pct"]) for channel, row in parts.items() if has_share(row)
        }
    sizes["unsure.subscriptions"] = {
        channel: languages.format_whole_percent(share)
        for channel, row in main.items()
        if (share := subscriptions_share(row)) is not None
    }
    found += [say(key, parts=join_sizes(each)) for key, each in sizes.items() if each]
    return [*found, *filter(None, (unsure_intervals(release), unsure_changes(release)))]


def join_sizes(sizes: Mapping[str, str]) -> str:
    """Channels, each with its size: e-mail 12%, SMS 9% and IP calls 3%."""
    return languages.join_parts([f"{name_channel(channel)} {size}" for channel, size in sizes.items()])


def unsure_intervals(release: PublishedRelease) -> str:
    """Assumption behind all intervals, if the release has any."""
    has_any = any(rows["estimate_low"].count() for rows in release.tables.values() if "estimate_low" in rows)
    return say("unsure.intervals") if has_any else ""


def unsure_changes(release: PublishedRelease) -> str:
    """Basis of intervals of changes, if the release has any change."""
    return say("unsure.change") if release.tables["volume_change"]["change_pct"].count() else ""


def subscriptions_share(row: Row) -> float | None:
    """Return the part of an interval's squared width due to errors of subscriptions, in percent."""
    terms = [row[name] for name in ("area_factor", "rates_variance", *KNOWN_ERRORS)]
    if None in terms:
        return None
    factor, rates, subscriptions, days = map(float, terms)
    whole = factor * rates + subscriptions + days
    return 100 * subscriptions / whole if whole > 0 and subscriptions else None


# --- titles -----------------------------------------------------------------------------------------


def volume_title(channel: str, rows: pl.DataFrame) -> str:
    """The finding of a chart of volumes: that of all countries, if it may be quoted."""
    row = whole_row(rows)
    if row is None or not may_be_quoted(row["cv_band_code"]) or not has_share(row):
        return say("volume.plain", channel=head_channel(channel))
    return say(
        "volume.title",
        channel=head_channel(channel),
        estimate=quote(row["estimate"]),
        unit=say(f"short.{row['unit_code']}"),
        area=name_area(row),
        share=quote_share(row["share_pct"]),
    )


def rate_title(channel: str, rows: pl.DataFrame) -> str:
    row = whole_row(rows)
    if row is None or not may_be_quoted(row["cv_band_code"]) or not row["rate_per_subscription"]:
        return say("rate.plain", channel=head_channel(channel))
    return say(
        "rate.title",
        channel=head_channel(channel),
        rate=quote(row["rate_per_subscription"]),
        unit=say(f"short.{row['unit_code']}"),
        area=name_area(row),
    )


def comparison_title(channel: str, own: Row, whole: Row) -> str:
    """An area's share of spam beside that of all countries together, if both may be quoted."""
    given = {"channel": head_channel(channel), "area": name_area(own), "whole": name_area(whole)}
    if not (has_share(own) and has_share(whole)):
        return say("beside.plain", **given)
    shares = {"share": quote_share(own["share_pct"]), "other": quote_share(whole["share_pct"])}
    return say("beside.title", **given, **shares)


def money_title(key: str, channel: str, row: Row | None) -> str:
    if row is None or not may_be_quoted(row["cv_band_code"]):
        return say(f"{key}.plain", channel=head_channel(channel))
    given = {"channel": head_channel(channel), "area": name_area(row)}
    return say(f"{key}.title", **given, estimate=quote_before_noun(row["estimate"]))


def part_title(channel: str, rows: pl.DataFrame, names: dict[str, str], column: str) -> str:
    """Write which part comes first, as far as intervals allow.

    Args:
        rows: the parts of one area with their ranks.
    """
    given = {"channel": lead_channel(channel), "area": name_area(rows.row(0, named=True))}
    first = rows.filter(pl.col("rank_from") == "1").to_dicts()
    if len(first) == 1 and has_share(first[0]):
        return say(
            "part.first", **given, part=names[first[0][column]], share=quote_share(first[0]["share_pct"])
        )
    if len(first) > 1:
        return say("part.open", **given, parts=languages.join_parts([names[row[column]] for row in first]))
    return say("part.plain", **given)


def whole_row(rows: pl.DataFrame) -> Row | None:
    """The row of all countries together."""
    own = rows.filter(pl.col(AREA).is_in(WHOLE))
    return own.row(0, named=True) if own.height else None


def protected_counts(release: PublishedRelease) -> tuple[int, int]:
    """Count protected estimates, and those of low reliability."""
    own = [
        rows for name, rows in release.tables.items()
        if public_contract(f"public.{name}").protect is not None and "cv_band_code" in rows.columns
    ]  # fmt: skip
    return sum(rows.height for rows in own), sum(count_low(rows) for rows in own)
