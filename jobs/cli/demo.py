"""The command `observatory demo`: the sample study, from logs to the report page and a release."""

from __future__ import annotations

import os
import secrets
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.base.core.errors import ObservatoryError, raise_problems
from jobs.base.core.machine import HOME
from jobs.base.settings import config
from jobs.cli.arguments import Config
from jobs.cli.console import err, out, show_steps
from jobs.cli.operators.pipeline import Stage, pull_all, run_with_progress
from jobs.cli.operators.report import write_report

if TYPE_CHECKING:
    import polars as pl

    from jobs.base.settings.config import Observatory
    from jobs.operators.build.run import Run

MEMBERSHIP = Path("sample_data/membership")


def demo(
    config_file: Config = Path("sample_data/observatory.toml"),
    output: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("build/report"),
    membership: Annotated[
        Path, typer.Option(help="Folder of the made-up membership that is estimated.")
    ] = MEMBERSHIP,
    revision: Annotated[
        bool, typer.Option("--revision", help="Then correct three operators' logs, and publish the revision.")
    ] = False,
) -> None:
    """Run the sample study on this machine, from logs to the report page and a release of made-up figures."""
    from jobs.cli.demo_release import correct_membership
    from jobs.cli.operators.main_figures import main_tables, read_estimates, world_tables
    from jobs.cli.study.study_change import change_tables
    from jobs.cli.study.study_costs import cost_tables
    from jobs.cli.study.study_parts import route_tables, source_tables, type_tables
    from jobs.cli.study.study_spending import public_spending_table

    if revision and membership != MEMBERSHIP:
        raise ObservatoryError(f"--revision corrects operators of {MEMBERSHIP}: give it without --membership")
    use_demo_key()
    corrected = HOME / "membership-corrected"
    # What is revised stays so.
    membership = corrected if membership == MEMBERSHIP and corrected.is_dir() else membership
    settings = config.load_settings(config_file)
    problems = pull_all(settings, None, is_followed=True)
    work, _ = run_with_progress(settings, None, [each.value for each in Stage])
    estimate_demo(work, membership)
    read = partial(read_estimates, work.lake)
    for table in (
        *main_tables(work.lake),
        *world_tables(read("study.spam_volume"), read_truth(membership)),
        *change_tables(read("study.volume_change")),
        *type_tables(read("study.spam_type")),
        *source_tables(read("study.spam_source")),
        *route_tables(read("study.spam_route")),
        *cost_tables(read("study.countermeasure_cost")),
        *public_spending_table(read("study.public_spending")),
    ):
        out.print(table)
    raise_problems(problems)
    write_report(work.lake, settings, output)
    show_release(settings, membership)
    if revision:
        correct_membership(membership, corrected)
        estimate_demo(work, corrected)
        show_release(settings, corrected)


def estimate_demo(work: Run, membership: Path) -> None:
    """Estimate the study of the sample's membership, unless the lake holds the estimates already."""
    from jobs.study.estimates.steps import study_stage

    if study_stage.is_current(work.lake, work.settings, membership):
        return
    with err.status("study") as status:
        study_stage.land_folder(work.lake, membership, work.run_id)
        study_stage.estimate_tables(work.lake, work.settings, membership, work.run_id, status.update)


def read_truth(membership: Path) -> pl.DataFrame:
    """The true values of the made-up membership; no rows if its folder has none."""
    import polars as pl

    columns = {"area_code": pl.String, "channel_code": pl.String, "figure": pl.String, "value": pl.Float64}
    file = membership / "truth.csv.gz"
    return pl.read_csv(file, schema=columns) if file.is_file() else pl.DataFrame(schema=columns)


def use_demo_key() -> None:
    """The sample study's own key: made once, kept under build/, readable by its user alone."""
    from jobs.base.core.key_names import KEY, KEY_FILE
    from jobs.cli.demo_release import keep_secret

    if not (os.environ.get(KEY) or os.environ.get(KEY_FILE)):
        os.environ[KEY_FILE] = str(keep_secret("pseudonym.key", lambda: secrets.token_hex(32)))


def show_release(settings: Observatory, membership: Path) -> None:
    """Release the estimates, and print where the release is and how anyone checks it."""
    from jobs.cli.demo_release import release_demo
    from jobs.study.release.folders import site_of

    with show_steps("release") as show_step:
        found = release_demo(settings, membership, show_step)
    folder = shorten_path(found.folder)
    out.say(f"Release of made-up figures: {folder}")
    out.say(f"digest {found.digest}")
    out.say(f"Site: {site_of(folder) / 'index.html'}")
    out.print(
        f"The demo itself agreed for {found.question_count} made-up administrations, and decided on"
        f" {found.unasked_count} countries that have none.",
        highlight=False,
    )
    if not found.is_published:
        out.print(
            "It is neither signed nor published, because gpg is not installed: install GnuPG (apt install"
            " gnupg) and run the demo again.",
            highlight=False,
        )
        return
    out.print("A key that the demo made signed it. Anyone can check the release:", highlight=False)
    signers = shorten_path(Path(str(settings.release.signers)))
    out.say(f"observatory release verify {folder} --signers {signers}")


def shorten_path(path: Path) -> Path:
    """The path relative to the current folder, if it is inside."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
