"""Renew a lake of an older form, or with former keys: computed tables are removed, and the next run computes
them anew from landing.

What landing cannot give back is kept: tables that are not computed from logs, such as audits, answers,
packages and their receipts, and rows of days whose logs landing no longer holds
(jobs/operators/keep/carrying.py).
"""

import contextlib
import json
from typing import Any

from jobs.base.checks.validations import FOLDER as VALIDATION
from jobs.base.core.disk import replace_file
from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.config import Observatory
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.store.lock import as_only_writer
from jobs.base.store.mark import FORM, MARK, refuse_form
from jobs.base.store.store import open_store
from jobs.base.store.together import undo_unfinished
from jobs.base.tables.checksum import fingerprint_periods
from jobs.base.tables.contracts import list_tables, read_contract
from jobs.operators.build import removed
from jobs.operators.keep import carrying, lake_keys, vacuum


def is_kept(table: str) -> bool:
    """Whether a table is computed from nothing that is in the lake, and is no record of what was."""
    about = read_contract(table)
    return table != "meta.run" and about.layer in ("silver", "study", "meta") and not about.reads


def describe_carried(lake: Lake, settings: Observatory) -> list[str]:
    """A line for each operator of whose logs landing no longer holds the first, on what stays of it; and on
    each table that cannot stay."""
    carried = carrying.plan_carrying(lake, has_same_silver(lake, settings))
    found = [
        f"operator '{operator}': landing lacks records of days before {carried.records[operator]}. Figures of"
        f" the days before {day} stay as they are; later days are computed anew"
        for operator, day in sorted(carried.gold.items())
    ]
    if carrying.read_ledger(lake) is None:
        found.append(
            "bronze.file is damaged: which logs landing lacks is known only of those that vacuum removed."
            " Figures of days whose logs went otherwise are lost"
        )
    return found + [
        f"{table}: written by a version without columns that each row needs now, so days that landing does"
        " not hold are lost. Go on with the version that wrote the lake to keep them"
        for table in carried.lost
        if carried.gold
    ]


def has_same_silver(lake: Lake, settings: Observatory | None) -> bool:
    """Whether rows of silver can stay beside new ones: they have this version's form and the present keys."""
    is_other = settings is not None and bool(lake_keys.other_keys(lake, settings))
    return lake.read_form() == FORM and not is_other


def to_keep(lake: Lake, settings: Observatory | None = None, is_anew: bool = False) -> list[str]:
    """The tables that stay when a lake is renewed. Raises ObservatoryError if there is nothing to renew: it
    has this version's form, and the keys of the settings' operators. is_anew: renew it all the same."""
    kept = [table for table in list_tables() if is_kept(table) and lake.exists(table)]
    # A renewal that was killed may have marked the lake and named no versions yet.
    is_half = (bool(kept) and not lake.exists("meta.run")) or carrying.has_plan(lake)
    form = lake.read_form()
    if form is not None and form > FORM:
        refuse_form(lake.root, form)
    is_other = form == FORM and settings is not None and bool(lake_keys.other_keys(lake, settings))
    if form is None or (form == FORM and not is_half and not is_other and not is_anew):
        raise ObservatoryError(f"{lake.root}: nothing to renew, the lake has the form of this version")
    return kept


@as_only_writer("observatory renew")
def renew_lake(lake: Lake, settings: Observatory | None = None, is_anew: bool = False) -> list[str]:
    """Remove what can be computed again, and mark the lake with this version's form; the tables that stay.

    Killed at any point, it can be run again. The mark comes after all else but the row of meta.run that names
    the versions of the tables that stay.
    """
    kept = to_keep(lake, settings, is_anew)
    undo_unfinished(lake)
    vacuum.finish(lake)
    carried = carrying.plan_carrying(lake, has_same_silver(lake, settings))
    carrying.write_plan(lake, carried)
    known = record.read_state(lake, carried.tables) if carried.silver else {}
    about = marks_of(lake, carried)
    kept += carrying.carry_rows(lake, carried)
    for table in list_tables():
        if read_contract(table).layer != "ref" and table not in kept:
            remove_folder(*open_store(lake.path(table)))
            lake.close_log(table)
    for folder in ("_intent", "_staging", VALIDATION):
        remove_folder(*lake.own_file(folder))
    replace_file(*lake.own_file(MARK), json.dumps(about).encode())
    # The mark says the same.
    remove_folder(*lake.own_file(carrying.PLAN.partition("/")[0]))
    if kept:
        now = record.utc_now()
        partitions = []
        for table in kept:
            if read_contract(table).period is not None and "operator_id" in read_contract(table).columns:
                partitions += record.find_differing(
                    table, fingerprint_periods(lake.read(table), table), {}, (), inputs_of(table, known)
                )[1]
        record.add_stage(lake, record.new_run_id(now), "renew", now, kept, partitions)
    return kept


def marks_of(lake: Lake, carried: carrying.Carried) -> dict[str, Any]:
    """What the lake is to remember of itself: its form, which days are settled, and the keys of the operators
    whose silver stays."""
    layers = {removed.LANDING: as_dates(removed.removed_before(lake, removed.LANDING))}
    if carried.gold:
        layers |= {removed.RECORDS: carried.records, removed.KEPT: carried.whole}
        layers[removed.GOLD] = carried.gold
    if carried.silver:
        # Gold of what stays may be counted again, but for days that could not be before.
        for layer in (removed.SILVER, removed.GOLD):
            former = removed.removed_before(lake, layer)
            layers[layer] = as_dates({of: day for of, day in former.items() if of in carried.silver})
    operators = {
        operator: known | {"sources": [], "source_urls": {}}
        for operator, known in lake.read_notes().get("operators", {}).items()
        if operator in carried.silver
    }
    about = {"removed": {layer: days for layer, days in layers.items() if days}, "operators": operators}
    return {"form": FORM} | {name: found for name, found in about.items() if found}


def as_dates(days: removed.Days) -> dict[str, str]:
    return {operator: day.isoformat() for operator, day in days.items()}


def inputs_of(table: str, known: record.State) -> dict[tuple[str, str], str]:
    """What each operator-period of a table was computed from, as it is on record."""
    return {(operator, period): found for (of, operator, period), (_, found) in known.items() if of == table}


def remove_folder(fs: Any, path: str) -> None:
    """Remove a folder with all that is in it, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        fs.rm(path, recursive=True)
