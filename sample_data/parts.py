"""Types and sources of the made-up membership's spam: what each operator's packages say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jobs.study.estimates.steps.rows import MEASURES

if TYPE_CHECKING:
    from sample_data.membership import Population

# Types of a channel, with how much of its spam is of each; what remains has no known type.
TYPES = {
    "EMAIL": {
        "AD.retail": 8, "AD.pharma": 4, "AD.adult": 2, "FRAUD.advance-fee": 3, "FRAUD.impersonation": 2,
        "MALWARE.attach": 1, "PHISH.mail": 6,
    },
    "SMS": {"AD.gambling": 3, "AD.retail": 4, "FRAUD.loan": 3, "PHISH.smish": 8},
    "VOICE_IP": {"PHONE.robocall": 6, "PHONE.wangiri": 2, "PHISH.vish": 3},
}  # fmt: skip
UNTYPED, UNKNOWN = "UNK", "_U"
# How alike operators' mixtures are; how often an operator's filter has no rule for a type.
ALIKE, LACKING = 0.8, 0.15
# The countries that most spam comes from, with their part of it; an operator sees a few of them, some from
# its own country and some from nobody knows where.
SOURCES = {"USA": 9, "CHN": 7, "RUS": 6, "BRA": 4, "IND": 4, "VNM": 3, "DEU": 3, "NGA": 2, "ZAF": 2, "EGY": 2}
OWN, NOBODY = 8, 2


def type_shares(people: Population, channel: str, seed: int) -> tuple[list[str], np.ndarray]:
    """The types of a channel, UNTYPED last, and which share of its spam each operator has of them."""
    random = np.random.default_rng([seed, *b"types", *channel.encode()])
    codes = [*TYPES[channel], UNTYPED]
    level = np.array([*TYPES[channel].values(), 0.2 * sum(TYPES[channel].values())], dtype=float)
    drawn = random.gamma(ALIKE * level, 1.0, (len(people.spam), len(level)))
    drawn[:, :-1] *= random.random((len(people.spam), len(level) - 1)) >= LACKING
    return codes, drawn / drawn.sum(axis=1, keepdims=True)


def source_shares(people: Population, channel: str, seed: int) -> tuple[list[str], np.ndarray]:
    """Countries that spam of a channel is observed from, UNKNOWN last, and which share of its spam each
    operator has of them."""
    random = np.random.default_rng([seed, *b"sources", *channel.encode()])
    own = sorted(set(people.country.tolist()))
    codes = [*own, UNKNOWN]
    place = {code: at for at, code in enumerate(codes)}
    found = np.zeros((len(people.spam), len(codes)))
    known = [code for code in SOURCES if code in place]
    drawn = random.gamma(ALIKE * np.array([SOURCES[code] for code in known]), 1.0, (len(found), len(known)))
    found[:, [place[code] for code in known]] = drawn
    at = np.array([place[code] for code in people.country.tolist()])
    found[np.arange(len(found)), at] += random.gamma(ALIKE * OWN, 1.0, len(found))
    found[:, -1] = random.gamma(ALIKE * NOBODY, 1.0, len(found))
    return codes, found / found.sum(axis=1, keepdims=True)


def rows_in_parts(
    submissions: Sequence[dict[str, object]],
    people: Population,
    of: tuple[list[str], np.ndarray],
    column: str,
    has_clean: bool,
) -> list[dict[str, object]]:
    """Messages that came in to each operator in each month, in parts that add up.

    Args:
        has_clean: what is no spam has the parts of spam, too; without it, it has the last one.
    """
    codes, shares = of
    place = {name: at for at, name in enumerate(people.respondent)}
    total: dict[tuple[str, ...], list[int]] = {}
    for row in submissions:
        if row["respondent_id"] in place and row["direction_code"] == "inbound":
            key = tuple(
                str(row[name])
                for name in (
                    "respondent_id", "country_code", "period_code", "channel_code", "direction_code",
                    "unit_code", "definition_code",
                )
            )  # fmt: skip
            cell = total.setdefault(key, [0, 0, 0])
            for at, name in enumerate(MEASURES):
                cell[at] += int(str(row[name]))
    rows = []
    for key, (units, certain, possible) in total.items():
        share = shares[place[key[0]]]
        of_spam = np.floor(certain * share).astype(int)
        doubtful, clean = (
            np.floor(count * share * has_clean).astype(int)
            for count in (possible - certain, units - possible)
        )
        for counts, whole in ((of_spam, certain), (doubtful, possible - certain), (clean, units - possible)):
            counts[-1] += whole - counts.sum()
        for at in np.flatnonzero(of_spam + doubtful + clean):
            spam, undecided = int(of_spam[at]), int(doubtful[at])
            rows.append(
                dict(
                    zip(
                        ("respondent_id", "country_code", "period_code", "channel_code", "direction_code",
                         "unit_code", "definition_code"),
                        key, strict=True,
                    )
                )
                | {column: codes[at]}
                | dict(
                    zip(MEASURES, (spam + undecided + int(clean[at]), spam, spam + undecided), strict=True)
                )
            )  # fmt: skip
    return rows
