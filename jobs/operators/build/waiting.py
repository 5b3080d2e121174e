"""Leave the new parts of sources with too many quarantined lines out of silver, until the share falls.

A *part* is what one batch holds of one source. A source over `[limits]` waits with the parts that silver has
not taken; its earlier ones, and all other sources, go on. Parts that wait stay in bronze and in the ledger.
Once the share is within the limit again, because better lines came, the lines were read again or the limit
was raised, silver takes them as if they had just come.

An operator waits as a whole where the ledger does not add up, and where a source over the limit was read
again after silver had taken it: bronze no longer holds the rows that silver has.
"""

from dataclasses import dataclass

import polars as pl

from expectations import ledger, native
from jobs.base.core.numbers import format_pct
from jobs.base.settings.node import LimitSettings
from jobs.base.store.lake import Lake
from jobs.operators.build import windows
from jobs.operators.build.windows import PART


@dataclass(frozen=True)
class WaitingParts:
    """Operators and parts that wait.

    Attributes:
        operators: those that wait as a whole.
        parts: of other operators, one row for each part.
        results: of the ledger's rules.
    """

    operators: frozenset[str]
    parts: pl.DataFrame
    results: tuple[native.Result, ...]


def find_waiting(lake: Lake, limits: LimitSettings, operators: set[str]) -> WaitingParts:
    """The operators and parts that wait, by the ledger that the last finished stage named."""
    where = pl.col("operator_id").is_in(sorted(operators))
    files = lake.read(ledger.TABLE, lake.versions().get(ledger.TABLE), where=where)
    shares = ledger.quarantine_share(files)
    waits, parts, results = frozenset[str](), windows.empty_parts(), []
    written = format_pct(limits.quarantined_pct)
    for each in ledger.ledger_rules(limits.quarantined_pct, limits.quarantined_lines, written):
        broken = shares.filter(~native.holds(each)).sort(ledger.KEY)
        if each.name == ledger.WITHIN_LIMIT:
            broken, parts, rewritten = new_of(lake, files, broken)
            waits |= rewritten
        else:
            waits |= set(broken["operator_id"])
        parts = parts.filter(~pl.col("operator_id").is_in(sorted(waits)))
        result = native.Result(
            ledger.TABLE,
            each.name,
            each.says,
            broken.is_empty(),
            broken.height,
            broken.select(ledger.KEY).head(native.EXAMPLES).cast(pl.String).to_dicts(),
            sorted(set(broken["operator_id"])),
            sorted(f"{operator}/{source}" for operator, source in parts.select(PART[:2]).unique().rows()),
        )
        results.append(result)
    return WaitingParts(waits, parts, tuple(results))


def new_of(
    lake: Lake, files: pl.DataFrame, broken: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, set[str]]:
    """Return the sources over the limit with parts that silver has not taken; the parts that are new; and the
    operators of parts that were read again since silver took them."""
    if broken.is_empty():
        return broken, windows.empty_parts(), set()
    taken = windows.taken_parts(lake)
    parts = files.join(broken, on=PART[:2], how="semi").select(PART).unique(maintain_order=True)
    parts = parts.filter(~taken.is_latest(pl.struct(PART)))
    before = taken.is_ever(pl.struct(PART))
    rewritten = set(parts.filter(before)["operator_id"])
    return broken.join(parts, on=PART[:2], how="semi"), parts.filter(~before), rewritten
