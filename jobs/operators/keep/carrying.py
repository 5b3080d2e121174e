"""Rows that a renewal keeps: silver and gold of days whose logs landing no longer holds.

Silver can be computed anew for days that begin after the last record that landing lost, and later than that
by the longest life of a message. Silver and gold of earlier days are kept. Under another key, or in another
form, silver is not: its pseudonyms would match none of the new ones. Gold is then kept up to the first day
for which its messages, and those of the days that it looks at, are all computed anew, and at most up to its
newest day.
"""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import polars as pl

from jobs.base.core.disk import replace_file
from jobs.base.store.lake import Lake, any_of
from jobs.base.store.table_files import DamagedTable
from jobs.base.tables.contracts import list_tables, read_contract
from jobs.operators.build import removed
from jobs.operators.formats.registry import KERNELS
from jobs.operators.ingest.manifest import open_landing
from jobs.operators.silver.frames import SILVER

# Written before anything goes, so that a renewal that was killed goes on by it.
PLAN = "_renewal/plan.json"
VOLUME = "gold.spam_volume_daily"
DAY = dt.timedelta(days=1)
Until = dict[str, str]


@dataclass(frozen=True)
class Carried:
    """By operator: the day before which rows of silver stay, and of gold; the day before which landing lacks
    records; and the first day that silver can be computed of. lost: tables of gold without columns that each
    row needs now: none of it can stay."""

    silver: Until = field(default_factory=dict)
    gold: Until = field(default_factory=dict)
    records: Until = field(default_factory=dict)
    whole: Until = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def days_of(self, table: str) -> Until:
        return self.gold if table.startswith("gold.") else self.silver

    @property
    def tables(self) -> list[str]:
        """The tables of which rows may stay."""
        gold = [each for each in list_tables() if each.startswith("gold.") and each not in self.lost]
        return [each for each in (*SILVER, *gold) if self.days_of(each)]


def plan_carrying(lake: Lake, is_silver_kept: bool) -> Carried:
    """What is to stay; what a renewal that was killed had planned."""
    fs, file = lake.own_file(PLAN)
    if fs.exists(file):
        return Carried(**json.loads(fs.cat_file(file)))
    records, newest = find_lost_days(lake), newest_gold(lake)
    # The longest life of a message: of one that began before, landing has a part.
    life = max(kernel.lookback_days for kernel in KERNELS.values()) * DAY + DAY
    # Days before these were kept before, and are computed by no run.
    settled = removed.settled_in_gold(lake)
    whole, gold = {}, {}
    for operator in sorted(records.keys() & newest.keys()):
        # What is newer than all that stays is computed in any case.
        last, first = newest[operator] + DAY, records[operator] + life
        kept = settled.get(operator, first)
        whole[operator] = min(max(first, kept) if is_silver_kept else first, last)
        gold[operator] = whole[operator]
        if not is_silver_kept:
            gold[operator] = min(max(first + removed.looks_back(), kept), last)
    return Carried(
        silver=as_text(whole if is_silver_kept else {}),
        gold=as_text(gold),
        records=as_text(records),
        whole=as_text(whole),
        lost=[table for table in list_tables() if table.startswith("gold.") and lacks_columns(lake, table)],
    )


def has_plan(lake: Lake) -> bool:
    """Whether a renewal was killed that had begun."""
    fs, file = lake.own_file(PLAN)
    return bool(fs.exists(file))


def write_plan(lake: Lake, carried: Carried) -> None:
    replace_file(*lake.own_file(PLAN), json.dumps(asdict(carried)).encode())


def find_lost_days(lake: Lake) -> removed.Days:
    """By operator the day after the last record that the ledger has and landing lacks: what retention removed
    from it, and what else is gone; or that an earlier renewal found so."""
    fs, area = open_landing(lake.root)
    files = fs.find(area) if fs.exists(area) else []
    there = {path.rpartition("/")[2].partition(".")[0] for path in files}
    found: removed.Days = {}
    ledger = read_ledger(lake)
    if ledger is not None:
        gone = ledger.filter(~pl.col("piece_id").is_in(list(there))).drop_nulls("last_event_date")
        found = dict(gone.group_by("operator_id").agg(pl.col("last_event_date").max() + DAY).rows())
    for operator, day in removed.removed_before(lake, removed.RECORDS).items():
        found[operator] = max(day, found.get(operator, day))
    return found


def read_ledger(lake: Lake) -> pl.DataFrame | None:
    """Which operator's piece has records until which day; None where the ledger is damaged, so that it is
    known of retention and of earlier renewals alone what landing lacks."""
    try:
        return lake.read("bronze.file", columns=["operator_id", "piece_id", "last_event_date"])
    except DamagedTable:
        return None


def newest_gold(lake: Lake) -> removed.Days:
    """By operator the newest day of gold."""
    found: removed.Days = {}
    for file in lake.files(VOLUME):
        of = dict(file.partition)
        operator, day = str(of["operator_id"]), dt.date.fromisoformat(str(of["period_date"]))
        found[operator] = max(day, found.get(operator, day))
    return found


def lacks_columns(lake: Lake, table: str) -> bool:
    """Whether a table was written without columns that each row needs now."""
    if not lake.exists(table):
        return False
    stored = {each.name for each in lake.open_table(table).schema().fields}
    return not stored.issuperset(read_contract(table).not_null)


def carry_rows(lake: Lake, carried: Carried) -> list[str]:
    """Take out of silver and gold what is computed anew; the tables that keep rows."""
    kept = [table for table in carried.tables if lake.exists(table)]
    for table in kept:
        lake.delete(table, " OR ".join(conditions_of(table, carried.days_of(table))))
    return kept


def conditions_of(table: str, days: Until) -> Iterator[str]:
    """The conditions of rows that go: days from then on, and operators of which nothing stays. Of months that
    of the last day that stays is kept: it is computed again if any of its days is."""
    period = str(read_contract(table).period)
    yield f"NOT ({any_of('operator_id', sorted(days))})"
    for operator, day in sorted(days.items()):
        whose = any_of("operator_id", [operator])
        if period == "period_code":
            month = f"{dt.date.fromisoformat(day) - DAY:%Y-%m}"
            yield f"({whose} AND {period} > '{month}')"
        else:
            yield f"({whose} AND {period} >= '{day}')"


def as_text(days: removed.Days) -> Until:
    return {operator: day.isoformat() for operator, day in sorted(days.items())}
