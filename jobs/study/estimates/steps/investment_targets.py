"""Targets that spending is compared with: rows of ref.investment_target, from the command line, the
settings, or else the values that this project assumes."""

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.study import Gap
from jobs.base.tables.contracts import Row, polars_schema

TABLE = "ref.investment_target"
# Each target with its setting, and the assumption that holds without one.
TARGETS = {
    "norm": ("norm", "norm_per_subscription"),
    "middle": (None, "middle_share"),
    "top": (None, "top_share"),
    "best": ("best_share", "best_share"),
}
COMMAND_LINE, SETTINGS = "the command line", "the settings, [study.gap]"
ASSUMED = "investment_assumption.csv (a placeholder of this project, without authority)"


# Codes of the list `target_authority`.
AUTHORITIES = {SETTINGS: "study", COMMAND_LINE: "trial"}


def authority_code(source: str) -> str:
    """Return the code of who chose a target, by the source that ref.investment_target has of it."""
    return AUTHORITIES.get(source, "none")


def read_targets(options: Gap, settings: Gap, assumed: pl.DataFrame) -> pl.DataFrame:
    """The targets in force.

    Args:
        options: what the command line says; it comes before the settings.
    """
    rows: list[Row] = []
    wanted: list[str] = [*(options.targets or settings.targets or TARGETS)]
    for target in wanted:
        name, code = TARGETS[target]
        chosen, source = value_of(assumed, code), ASSUMED
        for gap, said in ((settings, SETTINGS), (options, COMMAND_LINE)):
            if name and getattr(gap, name) is not None:
                chosen, source = getattr(gap, name), said
        of_channel = chosen if isinstance(chosen, dict) else {"_T": chosen}
        rows += [
            {"target_code": target, "channel_code": channel, "target_value": value, "source": source}
            for channel, value in of_channel.items()
        ]
    return pl.DataFrame(rows, schema=polars_schema(TABLE))


def channel_targets(chosen: pl.DataFrame, channel: str) -> dict[str, tuple[float, str]]:
    """Each target's value and source for a channel: its own row, else that of all channels."""
    found = {
        target: (value, source)
        for target, of, value, source in chosen.select(
            "target_code", "channel_code", "target_value", "source"
        ).rows()
        if of == "_T"
    }
    of_this_channel = chosen.filter(pl.col("channel_code") == channel)
    return found | {
        target: (value, source)
        for target, value, source in of_this_channel.select("target_code", "target_value", "source").rows()
    }


def value_of(assumed: pl.DataFrame, code: str) -> float:
    found = assumed.filter(pl.col("assumption_code") == code)
    if found.is_empty():
        raise ObservatoryError(f"investment_assumption.csv has no row {code}")
    return float(found["central"][0])
