"""Figures that a study of few holdings can publish, for the table in docs/tsb.md: generated studies.

python -m benchmarks.small_studies [STUDIES]     prints the table; about a minute for eight of each

Every ITU region has the same number of holdings that answer, and a third as many that do not, of countries
chosen at random, about three to a country; sizes and rates have heavy tails. One quarter of e-mail by the
operators' own definition; p is 9.3; areas that reveal a contribution are left out.
"""

import sys

import numpy as np
import polars as pl

from jobs.base.tables.contracts import reference_table
from jobs.study.public.gate import make_public_tables
from tests.support import small_study
from tests.support.small_study import Operator, Small

P_PCT, ANSWERING = 9.3, 0.75
HOLDINGS = (3, 5, 8, 12)
USABLE = ("acceptable", "caution")
KINDS = ("world", "region", "group", "country")


def draw_study(seed: int, holdings: int) -> Small:
    """A study with so many holdings that answer in each region."""
    random = np.random.default_rng([29, seed, holdings])
    members = reference_table("ref.country").filter(pl.col("itu_member") & pl.col("itu_region").is_not_null())
    operators = []
    for region in sorted(set(members["itu_region"])):
        asked = round(holdings / ANSWERING)
        listed = members.filter(itu_region=region)["iso3"].sort().to_list()
        chosen = random.permutation(listed)[: -(-asked // 3)]
        for number in range(asked):
            country = str(chosen[number % len(chosen)])
            size = int(np.exp(random.normal(12.5, 1.0)))
            figures = small_study.figures_of(size, random) if number < holdings else None
            name = f"{country.lower()}-{number}"
            operators.append(Operator(name, country, f"holding-{name}", size, figures))
    return Small(tuple(operators))


def count_published(small: Small) -> dict[str, int]:
    """Count the areas of each kind that have a figure of certain spam, and the areas other than countries
    that have one with a coefficient of variation under 33.3%."""
    basis = small_study.basis(small, "2026-Q4/v1.0.0")
    made = make_public_tables(basis, [], (small_study.PERIOD,), P_PCT, leave_out_areas=True)
    rows = made.public["public.spam_volume"].filter(quantity_code="spam_certain")
    found = {kind: rows.filter(area_kind_code=kind).height for kind in KINDS}
    is_usable = (pl.col("area_kind_code") != "country") & pl.col("cv_band_code").is_in(USABLE)
    return found | {"usable": rows.filter(is_usable).height}


def main(studies: int) -> None:
    print(f"means of {studies} studies each")
    for holdings in HOLDINGS:
        counts = pl.DataFrame([count_published(draw_study(seed, holdings)) for seed in range(studies)])
        print(holdings, {name: round(float(value), 1) for name, value in counts.mean().to_dicts()[0].items()})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
