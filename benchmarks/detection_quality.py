"""Quality of campaigns, bypass and types, on traffic and texts whose truth is known.

    python -m benchmarks.detection_quality [--choose] [--campaign-seeds 102 103] [--bypass-seeds 2 3 4]

Campaigns: precision is the share of pairs of messages found in one campaign that are of one, recall the
share of pairs of one campaign that are found in one; large campaigns have most pairs. Mail is told apart by
what its log has: a filter's hashes, subjects, or the envelope alone. Bypass: messages with a sign, found and
true.

Types: precision is the share of texts with a type that have the right one, recall the share of spam that
has the right one, by words alone (benchmarks/type_quality.py).

One likeness of SMS texts and seven thresholds of the SIM box (three for SMS, four for calls) were chosen by
such figures, each on the seed that is named; --choose goes through the choices again (it takes some
minutes). All other thresholds are judgement: no seed chose them. Figures are reported of other seeds.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks import bypass_quality, type_quality
from jobs.base.tables.contracts import reference_table
from tests.support import campaign_truth, mail_truth

# What was found, its seed or language, precision and recall.
Line = tuple[str, str, float, float]
MAIL = {
    "hashes": "mail campaigns, by a filter's hashes",
    "subjects": "mail campaigns, by subjects",
    "envelopes": "mail campaigns, by envelopes",
}


def of_texts(seeds: tuple[int, ...]) -> Iterator[Line]:
    rows = campaign_truth.found(seeds)
    for seed in seeds:
        chosen = " (chosen on)" if seed == campaign_truth.CHOSEN_ON else ""
        yield "SMS campaigns", f"{seed}{chosen}", *campaign_truth.worth(rows.filter(seed=seed))


def of_mail(seeds: tuple[int, ...]) -> Iterator[Line]:
    rows = mail_truth.found(seeds)
    for tells, name in MAIL.items():
        mine = rows.filter(tells=tells)
        for seed in seeds:
            yield name, str(seed), *campaign_truth.worth(mine.filter(seed=seed))
        # An operator's name has its seed: no pair is of two.
        yield name, "all of them", *campaign_truth.worth(mine)


def of_bypass(seeds: tuple[int, ...], folder: Path) -> Iterator[Line]:
    parameter = reference_table("ref.bypass_parameter")
    for unit, seed in itertools.product(bypass_quality.GRID, seeds):
        chosen = " (chosen on)" if seed == bypass_quality.CHOSEN_ON else ""
        made, operator, truth = bypass_quality.traffic(seed, folder, unit)
        counts = bypass_quality.told(made, operator, parameter, truth)
        for code in sorted({code for code, is_true, is_found in counts if is_true or is_found}):
            name = f"bypass, {code}" + (" of calls" if unit == "call" else "")
            yield name, f"{seed}{chosen}", *bypass_quality.quality(counts, code)


def print_choices(folder: Path) -> None:
    """Print each choice of a threshold again, with its figures."""
    for asked, (precision, recall) in campaign_truth.curve(campaign_truth.CHOSEN_ON).items():
        score = bypass_quality.f1(precision, recall)
        print(f"least_similarity {asked:.2f} on seed {campaign_truth.CHOSEN_ON}:", end=" ")
        print(f"precision {precision:.4f}  recall {recall:.4f}  F1 {score:.4f}")
    rows = reference_table("ref.bypass_parameter")
    for unit in bypass_quality.GRID:
        found, score = bypass_quality.best(bypass_quality.CHOSEN_ON, folder, unit)
        print(f"SIM box, {unit}, on seed {bypass_quality.CHOSEN_ON}: {found}, F1 {score:.3f}")
        of_unit = rows.filter(unit_code=unit).select("parameter_code", pl.col("value").cast(pl.Float64))
        shipped = dict(of_unit.iter_rows())
        differing = {name: shipped[name] for name in found if shipped[name] != found[name]}
        print(f"ref.bypass_parameter has {differing or 'the same'}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    campaign_seeds = (campaign_truth.CHOSEN_ON, *campaign_truth.REPORTED_ON)
    bypass_seeds = bypass_quality.REPORTED_ON
    parser.add_argument("--choose", action="store_true", help="go through the choices of thresholds again")
    parser.add_argument("--campaign-seeds", type=int, nargs="+", default=campaign_seeds)
    parser.add_argument("--bypass-seeds", type=int, nargs="+", default=bypass_seeds)
    arguments = parser.parse_args()
    table = Table("what", "seed, language", title="What is found, and true", title_justify="left")
    for name in ("precision", "recall"):
        table.add_column(name, justify="right")
    with TemporaryDirectory() as folder:
        if arguments.choose:
            print_choices(Path(folder))
        campaigns = tuple(arguments.campaign_seeds)
        lines = [*of_texts(campaigns), *of_mail(campaigns)]
        lines += of_bypass(tuple(arguments.bypass_seeds), Path(folder))
    lines += type_quality.by_language()
    for what, seed, precision, recall in lines:
        table.add_row(what, seed, f"{precision:.3f}", f"{recall:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
