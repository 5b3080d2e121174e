"""A lake of an older form, or under former keys, made one of this form and the present keys: computed tables
go, and are computed anew from landing.

Tables that are computed from nothing, such as audits, answers, packages and their receipts, stay as they are:
landing cannot give them back.
"""

import json
import shutil
from pathlib import Path

from jobs.core.checksum import fingerprint_periods
from jobs.core.contracts import list_tables, read_contract
from jobs.core.disk import replace_file
from jobs.core.errors import ObservatoryError
from jobs.engine import record
from jobs.engine.lake import Lake, is_local
from jobs.engine.lock import as_only_writer
from jobs.engine.mark import FORM, MARK, refuse_form
from jobs.engine.together import undo_unfinished
from jobs.settings.config import Observatory
from jobs.stages import lake_keys, removed, vacuum
from jobs.stages.validations import FOLDER as VALIDATION


def is_kept(table: str) -> bool:
    """Whether a table is computed from nothing that is in the lake, and is no record of what was."""
    about = read_contract(table)
    return table != "meta.run" and about.layer in ("silver", "study", "meta") and not about.reads


def find_lost(lake: Lake, settings: Observatory) -> list[str]:
    """A line for each operator of whose logs landing no longer holds the first: what a renewal loses."""
    kept = settings.retention.landing
    return [
        f"operator '{operator}': landing no longer holds what was pulled before {day} ([retention] landing"
        f" = {kept}). Figures of the days before are lost, and those of the first days after are too low."
        for operator, day in sorted(removed.removed_before(lake, removed.LANDING).items())
    ]


def to_keep(lake: Lake, settings: Observatory | None = None, is_anew: bool = False) -> list[str]:
    """The tables that stay when a lake is renewed. Raises ObservatoryError if there is nothing to renew: it
    has this version's form, and the keys of the settings' operators. is_anew: renew it all the same."""
    if not is_local(lake.root):
        raise ObservatoryError(
            f"{lake.root}: renew works on a folder of this machine. Copy what landing cannot give back to a"
            " new root by hand: silver/audit_*, study/submission*, study/questionnaire_answer,"
            " study/finding_decision"
        )
    kept = [table for table in list_tables() if is_kept(table) and lake.exists(table)]
    # A renewal that was killed may have marked the lake and named no versions yet.
    is_half = bool(kept) and not lake.exists("meta.run")
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
    root, kept = Path(lake.root), to_keep(lake, settings, is_anew)
    undo_unfinished(lake)
    vacuum.finish(lake)
    # What is computed anew is whole again, as far as landing goes.
    landed = {
        operator: day.isoformat() for operator, day in removed.removed_before(lake, removed.LANDING).items()
    }
    for table in list_tables():
        if read_contract(table).layer != "ref" and table not in kept:
            shutil.rmtree(lake.path(table), ignore_errors=True)
    for folder in ("_intent", "_staging", VALIDATION):
        shutil.rmtree(root / folder, ignore_errors=True)
    about = {"form": FORM} | ({"removed": {removed.LANDING: landed}} if landed else {})
    replace_file(*lake.own_file(MARK), json.dumps(about).encode())
    if kept:
        now = record.utc_now()
        partitions = []
        for table in kept:
            if read_contract(table).period is not None and "operator_id" in read_contract(table).columns:
                partitions += record.find_differing(
                    table, fingerprint_periods(lake.read(table), table), {}, (), {}
                )[1]
        record.add_stage(lake, record.new_run_id(now), "renew", now, kept, partitions)
    return kept
