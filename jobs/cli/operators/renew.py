"""The command `observatory renew`: compute a lake anew, such as under another pseudonym key."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.base.core.errors import ObservatoryError
from jobs.cli.arguments import Config
from jobs.cli.console import err, out
from jobs.operators.ingest.source_options import load_with_options


def renew(
    config_file: Config = Path("observatory.toml"),
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before tables are removed.")] = False,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="Also under the same key, for example after a table was damaged."),
    ] = False,
) -> None:
    """Compute a lake anew from landing, such as under another pseudonym key.

    Removes bronze, silver, gold and the study's estimates, which the next runs compute. Keeps landing,
    and what landing cannot give back: audits, answers, packages and their receipts, and the figures of days
    whose logs it no longer holds.
    """
    from jobs.base.store.lake import Lake
    from jobs.operators.keep import renew as renewal

    settings = load_with_options(config_file)
    lake = Lake(settings.lake.root)
    kept = renewal.list_kept(lake, settings, anew)
    out.print(f"Removes every table of {lake.root} but these, and then computes them anew from landing:")
    out.print("\n".join(f"  {table}" for table in kept) or "  (none)")
    for each in renewal.describe_settled(lake):
        err.say(each)
    if not yes and not is_confirmed("Go on?"):
        raise ObservatoryError("nothing was changed; --yes goes on without asking")
    renewal.renew_lake(lake, settings, anew)
    out.print("Done. `observatory run` now computes bronze, silver and gold.")


def is_confirmed(question: str) -> bool:
    """Return whether a person says yes; no where nobody is there to answer."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False
