"""Period codes: a month as 2026-11, a quarter as 2026-Q4, a year as 2026."""

import calendar
import datetime as dt
import re
from collections.abc import Iterable

from jobs.base.core.errors import ObservatoryError

# A month with logs on fewer of its days does not count. Counts of missing days are taken from the others, so
# at most a tenth of a figure is: answers and logs that differ by a tenth agree, too (agree_pct of
# ref.investment_assumption). Three days of thirty are a week-end and a day; if those have half of a weekday's
# traffic, the scaled total is 5% off.
LEAST_DAYS_PCT = 90

PERIOD = re.compile(r"([12][0-9]{3})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?")


def months_of(period_code: str) -> tuple[str, ...]:
    """The months of a period, first to last. Raises ObservatoryError for what is no period."""
    found = PERIOD.fullmatch(period_code)
    if not found:
        raise ObservatoryError(
            f"'{period_code}' is no period: write a month as 2026-11, a quarter as 2026-Q4, a year as 2026"
        )
    year, quarter, month = found.groups()
    if month:
        return (period_code,)
    first, last = (3 * int(quarter) - 2, 3 * int(quarter)) if quarter else (1, 12)
    return tuple(f"{year}-{number:02d}" for number in range(first, last + 1))


def last_day(period_code: str) -> dt.date:
    """The last day of a period: the day whose country groups a figure of the period is for."""
    year, month = map(int, months_of(period_code)[-1].split("-"))
    return dt.date(year, month, calendar.monthrange(year, month)[1])


def covers_month(days: int, part_count: int) -> bool:
    """Return whether so many days of a month stand for all of it."""
    return 100 * days >= LEAST_DAYS_PCT * part_count


def count_days(period_code: str) -> int:
    """Count the days of a period."""
    return sum(last_day(month).day for month in months_of(period_code))


def period_bounds(period_code: str) -> tuple[dt.date, dt.date]:
    """The first and the last day of a period."""
    return dt.date.fromisoformat(f"{months_of(period_code)[0]}-01"), last_day(period_code)


def period_of(day: dt.date, length: str) -> str:
    """The period that a day lies in.

    Args:
        length: month, quarter or year.
    """
    ways = {"month": f"{day:%Y-%m}", "quarter": f"{day.year}-Q{(day.month + 2) // 3}", "year": f"{day.year}"}
    return ways[length]


def periods_with(months: Iterable[str]) -> list[str]:
    """The months themselves, and the quarters and years of which all months are among them."""
    present = sorted(set(months))
    wholes = {f"{month[:4]}-Q{(int(month[5:]) + 2) // 3}" for month in present} | {
        month[:4] for month in present
    }
    return present + sorted(whole for whole in wholes if set(months_of(whole)) <= set(present))


def period_divisions(period_code: str) -> list[tuple[str, ...]]:
    """The parts that make up a period: a quarter's months; a year's months, and its quarters."""
    months = months_of(period_code)
    if len(months) == 1:
        return []
    quarters = tuple(f"{period_code}-Q{number}" for number in range(1, 5))
    return [months] if len(months) == 3 else [months, quarters]


def period_before(period_code: str) -> str:
    """The period of the same length that ends where this one begins."""
    months = months_of(period_code)
    year, number = int(period_code[:4]), int(months[0][5:])
    if len(months) == 12:
        return f"{year - 1}"
    year, number = (year - 1, number + 12) if number == 1 else (year, number)
    return f"{year}-Q{(number - 1) // 3}" if len(months) == 3 else f"{year}-{number - 1:02d}"


def periods_within(periods: Iterable[str]) -> set[str]:
    """The periods, and the years of which all quarters are among them."""
    present = set(periods)
    years = {period[:4] for period in present}
    return present | {year for year in years if set(period_divisions(year)[1]) <= present}


def last_period(periods: Iterable[str]) -> str | None:
    """The period that ends last; of several the longest."""
    return max(periods, key=lambda code: (last_day(code), len(months_of(code))), default=None)


def latest_with_logs(counts: Iterable[tuple[str, int, int]]) -> str | None:
    """The latest period that any logs cover: a year that few answered ends no earlier than its quarters.

    Args:
        counts: periods with how many respondents stand behind a figure, and how many of them only answered.
            Without logs it is the latest period.
    """
    found = list(counts)
    return last_period(code for code, all_told, answers in found if all_told > answers) or last_period(
        code for code, *_ in found
    )
