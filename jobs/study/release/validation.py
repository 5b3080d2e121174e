"""Great Expectations evaluates the public tables; its results are published with them."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from expectations.evaluation import Evaluated, evaluate
from jobs.base.checks.evaluating import refuse_broken_expectations

# What differs from one evaluation to the next: a release made twice has the same bytes.
PASSING = ("id", "result_url", "meta", "suite_parameters", "exception_info")


def validate_public(public: Mapping[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """The results of the suites of the public tables. Raises ValidationHeld if an expectation is broken."""
    found = evaluate(dict(sorted(public.items())))
    refuse_broken_expectations(found, "No release was made.")
    return strip_clocks(found)


def strip_clocks(found: Sequence[Evaluated]) -> list[dict[str, Any]]:
    """Results as a release holds them, without clocks and what only this machine has."""
    return [
        drop_passing(each.result) | {"results": [expectation_of(one) for one in each.result["results"]]}
        for each in found
    ]


def expectation_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """The result of one expectation."""
    about = result["expectation_config"]
    arguments = {name: value for name, value in about["kwargs"].items() if name != "batch_id"}
    return drop_passing(result) | {"expectation_config": drop_passing(about) | {"kwargs": arguments}}


def drop_passing(about: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in about.items() if name not in PASSING}
