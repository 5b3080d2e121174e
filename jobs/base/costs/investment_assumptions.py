"""Assumptions behind figures of investment: parameters for what a respondent does not state, draws of them,
and the sentences that state them.

Asset lives, discount rates and the share of an asset are rows of ref.cost_parameter, with 5, 50 and 95%
points; all other assumptions are rows of ref.investment_assumption. An error in a parameter affects every
respondent alike, so a replicate draws each parameter once for all respondents.
"""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_given_share, format_number, join_ends
from jobs.base.stats.estimation import REPLICATES
from jobs.base.stats.sampling import Samples, sample_parameters

# The parameter of each asset's life. Probes are bought as signalling firewalls are, registers as other
# platforms of signalling, and what else there is as servers.
LIFE = {
    "SERVER": "lifetime_years_server",
    "SOFTWARE": "lifetime_years_software",
    "FIREWALL": "lifetime_years_sms_firewall",
    "CALLAUTH": "lifetime_years_voice_platform",
    "PROBE": "lifetime_years_sms_firewall",
    "REGISTER": "lifetime_years_voice_platform",
    "OTHER": "lifetime_years_server",
}
NAMES = {
    "SERVER": "servers",
    "SOFTWARE": "software",
    "FIREWALL": "firewalls",
    "CALLAUTH": "call authentication",
    "PROBE": "probes",
    "REGISTER": "registers",
    "OTHER": "other assets",
}
SHARE = "shared_asset_share"
RATE_DEVELOPED, RATE_DEVELOPING = "discount_rate_real_developed", "discount_rate_real_developing"
PARAMETERS = (*sorted(set(LIFE.values())), RATE_DEVELOPED, RATE_DEVELOPING, SHARE)
SEED = 709


def rate_code(development: str) -> str:
    """The parameter of the discount rate of a country's development class, as jobs/base/figures/areas.py has
    it."""
    return RATE_DEVELOPED if development == "DEVELOPED" else RATE_DEVELOPING


def central_values(parameters: pl.DataFrame) -> dict[str, float]:
    """The central values of PARAMETERS. Raises ObservatoryError if one has no row, or more than one."""
    found = parameters.filter(pl.col("parameter_code").is_in(PARAMETERS))
    for code in PARAMETERS:
        count = found.filter(pl.col("parameter_code") == code).height
        if count != 1:
            raise ObservatoryError(f"cost_parameter.csv has {count} rows {code}: there has to be one")
    return dict(found.select("parameter_code", pl.col("central").cast(pl.Float64)).rows())


def account_assumptions(
    known: Mapping[str, float], assumed: Mapping[str, float], development: str
) -> dict[str, float]:
    """The assumptions for the account of a respondent in a country of this class.

    Args:
        known: from central_values().
        assumed: central values of ref.investment_assumption.
    """
    lives = {f"life_{asset}": known[code] for asset, code in LIFE.items()}
    rate = known[rate_code(development)]
    return {**assumed, **lives, "discount_rate": rate, "asset_share": known[SHARE]}


def draw_parameters(parameters: pl.DataFrame) -> Samples:
    """The central value of each of PARAMETERS, then a draw for each replicate, by Sobol points. All
    respondents, channels and years share the draws."""
    chosen = parameters.filter(pl.col("parameter_code").is_in(PARAMETERS))
    count = 1 << (REPLICATES - 1).bit_length()
    drawn = sample_parameters(chosen, count, SEED)
    # A triangle whose 95% point is 1 reaches above it, and a share does not.
    drawn[SHARE] = np.minimum(drawn[SHARE], 1.0)
    return {
        name: np.concatenate([[value], drawn[name][:REPLICATES]])
        for name, value in central_values(parameters).items()
    }


def list_assumptions(parameters: pl.DataFrame, assumed: pl.DataFrame) -> list[str]:
    """The assumptions of study.investment, as sentences with their values.

    Args:
        parameters: ref.cost_parameter.
        assumed: ref.investment_assumption.
    """
    points = {
        code: (low, middle, high)
        for code, low, middle, high in parameters.filter(pl.col("parameter_code").is_in(PARAMETERS))
        .select("parameter_code", "low", "central", "high")
        .rows()
    }
    chosen = dict(assumed.select("assumption_code", "central").rows())

    def describe_points(code: str, write: Callable[[float], str] = format_number) -> str:
        low, middle, high = map(write, points[code])
        return f"{middle} ({join_ends(low, high)})"

    of_life: dict[str, list[str]] = {}
    for asset, code in LIFE.items():
        of_life.setdefault(code, []).append(NAMES[asset])
    lives = "; ".join(f"{', '.join(names)} {describe_points(code)}" for code, names in of_life.items())
    return [
        f"Amounts are in prices of {int(chosen['base_year'])}: deflated in local currency, then converted at"
        " that year's rates.",
        "Assets are annualised at a real discount rate of"
        f" {describe_points(RATE_DEVELOPED, format_given_share)} in developed countries and"
        f" {describe_points(RATE_DEVELOPING, format_given_share)} in others.",
        f"Assets without a stated life (sp703) last, in years: {lives}.",
        f"Of an asset without a stated share (sp702), {describe_points(SHARE, format_given_share)} of the"
        " cost counts as spent against spam.",
        "Brackets hold 5% and 95% points. Every replicate draws rate, lives and share once for all"
        " respondents, so the interval includes their uncertainty.",
        "The age of assets bought earlier (sp704) is"
        f" {format_number(chosen['earlier_age'])} of their life. Their price is brought to the year's with"
        " the deflator, as far back as price_level reaches.",
        "A sum without parts, and the rest of a sum beyond its parts, counts as other assets or other running"
        " cost.",
        "Spending not divided by channel (sp707) is divided in proportion to subscriptions; a mailbox counts"
        " like a SIM.",
        "Where the cost of staff was not stated, it is person days times the country's wage.",
        "The spending of a respondent that gave only a band, or refused a part, is imputed: lognormal for"
        " each subscription, like that of respondents of its size, inside the band, not below the stated"
        " part, and divided into capital, labour and other like theirs.",
        "Operators that did not answer spend as much for each subscription as respondents of their region,"
        " class and size.",
        "Revenue recovered by blocking is a transfer between operators and is left out.",
    ]
