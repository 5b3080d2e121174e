"""Assemble bronze rows again, to find the rules that decided: silver keeps the result, not the rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from jobs.base.tables.matching import split_places
from jobs.operators.build.settings_tables import read_reference
from jobs.operators.explain.search import LakeSearch, day_span
from jobs.operators.formats.registry import KERNELS
from jobs.operators.protect import pseudonyms, refusal_types, rules, signatures
from jobs.operators.protect.countermeasures import (
    NO_MEASURE,
    countermeasure_of_refusals,
    countermeasure_of_verdicts,
)
from jobs.operators.protect.message_types import places_of_verdicts, primary_rule
from jobs.operators.protect.numbering import add_e164
from jobs.operators.protect.operators import Protection
from jobs.operators.protect.pseudonym_keys import replace_key
from jobs.operators.protect.rules import MeasureRule, Rules, TypeRule
from jobs.operators.silver.assembling import add_key, raw_rows
from jobs.operators.silver.frames import TRANSMISSION, VERDICT
from jobs.operators.silver.pipeline import count_once

KEY = {TRANSMISSION: "transmission_hash", VERDICT: "verdict_hash"}
TIME = {TRANSMISSION: "first_at", VERDICT: "verdict_at"}
# Formats whose records complete each other, each with the other one.
PARTNERS = {name: each.completed_by for name, each in KERNELS.items() if each.completed_by}
PARTNERS |= {other: name for name, other in PARTNERS.items()}
Formats = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class DecidingRules:
    """The rules that decided on a row of silver.

    Attributes:
        measure: the rule of the measure that acted.
        type: the rule that gave the type. Both None without a rule.
        types: all rules on types that matched.
    """

    measure: MeasureRule | None
    type: TypeRule | None
    types: tuple[TypeRule, ...]


def assembly_groups(search: LakeSearch, bronze: Formats) -> dict[str, pl.DataFrame]:
    """The bronze rows that share an assembly key with these, which are assembled together, by format."""
    found: dict[str, list[pl.DataFrame]] = {}
    for name, rows in bronze.items():
        days = day_span([rows], KERNELS[name].lookback_days, KERNELS[name].lookback_days)
        keys = pl.col("assembly_key").is_in(rows["assembly_key"].unique().implode())
        for each in (name, *([PARTNERS[name]] if name in PARTNERS else ())):
            found.setdefault(each, []).append(search.find_rows(f"bronze.{each}", keys, days))
    place = ["stream_id", "offset", "assembly_key"]
    return {name: pl.concat(parts).unique(place, maintain_order=True) for name, parts in found.items()}


def assemble_groups(
    protections: Sequence[Protection], table: str, groups: Formats
) -> list[tuple[pl.DataFrame, pl.DataFrame, Rules]]:
    """Assemble whole groups of bronze rows to rows of a silver table.

    For each format and channel or engine: the raw rows, the same rows protected and with their key, and the
    rules that were in force.

    Args:
        protections: one for each key; a row of the lake has the pseudonyms of one of them.
    """
    kind = "channel_code" if table == TRANSMISSION else "engine_code"
    whole, _ = count_once(groups)
    parts = []
    for name, bronze in whole.items():
        if bronze.is_empty() or table not in KERNELS[name].silver_rows:
            continue
        raw = raw_rows(table, name, whole)
        for loaded, of_time in rules.split_by_rules(raw, TIME[table]):
            for part in of_time.partition_by("format_code", kind):
                for protection in protections:
                    shielded = pseudonyms.PROTECT[table](part, protection)
                    parts.append((part, add_key(table, shielded), loaded))
    return parts


def silver_keys(search: LakeSearch, table: str, bronze: Formats) -> list[str]:
    """The keys of the silver rows that these bronze rows are assembled to: of their groups' rows those whose
    time contains the time of one of the bronze rows."""
    groups = assembly_groups(search, bronze)
    found: list[str] = []
    times = pl.concat(rows["first_at"] for rows in bronze.values())
    for _, rows, _ in assemble_groups(operator_protections(search), table, groups):
        first, last = TIME[table], "last_at" if table == TRANSMISSION else TIME[table]
        for key, begin, end in rows.select(KEY[table], first, last).iter_rows():
            if times.is_between(begin, end).any():
                found.append(key)
    return found


def find_decisions(search: LakeSearch, groups: Formats) -> dict[str, DecidingRules]:
    """The rules that decided on each transmission and verdict, by its key."""
    protections = operator_protections(search)
    found: dict[str, DecidingRules] = {}
    for raw, rows, loaded in assemble_groups(protections, TRANSMISSION, groups):
        found.update(zip(rows[KEY[TRANSMISSION]], decide_transmissions(search, raw, loaded), strict=True))
    for raw, rows, loaded in assemble_groups(protections, VERDICT, groups):
        found.update(zip(rows[KEY[VERDICT]], decide_verdicts(raw, loaded), strict=True))
    return found


def operator_protections(search: LakeSearch) -> list[Protection]:
    """The protection under each key."""
    protection = Protection.read_operators(read_reference(search.settings, "ref.operator"))
    return [replace_key(protection, period.key_file) for period in search.settings.key_periods]


def decide_transmissions(search: LakeSearch, raw: pl.DataFrame, loaded: Rules) -> list[DecidingRules]:
    engine, channel = str(raw["format_code"][0]), str(raw["channel_code"][0])
    own = next(
        each for each in operator_protections(search)[0].spaces if each.operator_id == search.operator.id
    )
    frame = add_e164(raw, own, "sender", "recipient")
    acted = countermeasure_of_refusals(pseudonyms.join_replies(frame), loaded)
    places = refusal_types.places_of_transmissions(frame, loaded)
    return name_rules(loaded, engine, channel, acted["rule_id"], places)


def decide_verdicts(raw: pl.DataFrame, loaded: Rules) -> list[DecidingRules]:
    engine = str(raw["engine_code"][0])
    acted = countermeasure_of_verdicts(raw["action"], raw["symbols"], engine, loaded, raw["is_spam"])
    subject = signatures.decode_subjects(raw["subject"])
    places = places_of_verdicts(raw["symbols"], engine, "EMAIL", loaded, raw["action"], subject)
    return name_rules(loaded, engine, "EMAIL", acted["rule_id"], places)


def name_rules(
    loaded: Rules, engine: str, channel: str, acted: pl.Series, places: pl.Series
) -> list[DecidingRules]:
    """The rules of each row.

    Args:
        acted: the ids of rules on measures.
        places: those of rules on types.
    """
    measures = {rule.rule_id: rule for rule in rules.measure_rules(loaded, engine, channel)}
    scope = rules.type_rules(loaded, engine, channel)
    found = []
    for rule_id, matched in zip(acted, places, strict=True):
        measure = measures.get(rule_id)
        if measure is not None and measure.countermeasure_code == NO_MEASURE:
            measure = None
        types = [scope[place] for place in split_places(matched or "")]
        found.append(DecidingRules(measure, primary_rule(types), tuple(dict.fromkeys(types))))
    return found
