"""The sample study, run once for all tests that look at it."""

import datetime as dt
from pathlib import Path

from jobs.base.settings import config
from jobs.base.store.lake import Lake
from jobs.operators.build.run import Run
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs.runner import run_stages
from tests.conftest import ROOT


def run_study(root: Path, only: str | None = None) -> Run:
    """Pull and run the sample study into a lake of its own."""
    settings = load_with_options(ROOT / "sample_data" / "observatory.toml", lake_root=str(root))
    return run_again(settings, only)


def run_again(settings: config.Observatory, only: str | None = None) -> Run:
    work = pull_again(settings, only)
    run_stages(work)
    return work


def pull_again(settings: config.Observatory, only: str | None = None) -> Run:
    """Pull what is new; the run that is to compute it."""
    now = dt.datetime.now(dt.UTC)
    operators = config.choose_operators(settings, only)
    for operator in operators:
        assert pull_operator(operator, settings.lake.root, now).problems == []
    lake, run_id = Lake(settings.lake.root), f"{now:%Y%m%dT%H%M%S.%f}"
    return Run(lake, settings, operators, run_id, report_step=lambda text: None)
