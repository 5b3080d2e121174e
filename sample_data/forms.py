"""Made-up forms of administrations: what they answer on law, measures, exchange, complaints and help needed.

They have numbers of their own and change nothing of the rest. The shares are invented and say nothing of any
country: developed countries have laws and measures more often, the others need help more often.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from jobs.questionnaire.definition import all_questions, list_options

# Of administrations those that answer, by class; a little below operators' large ones.
ANSWERED = {"DEVELOPED": 0.8, "DEVELOPING": 0.65, "LDC": 0.55}
# Of those that answer how many give each law, in the order of the form's list.
LAWS = {
    "DEVELOPED": (0.45, 0.3, 0.2, 0.03, 0.02),
    "DEVELOPING": (0.3, 0.1, 0.2, 0.3, 0.1),
    "LDC": (0.15, 0.05, 0.1, 0.55, 0.15),
}
# How often yes or a number above 0 is answered, by question and class; by line it differs a little.
OFTEN = {
    "sp601": {"DEVELOPED": 0.75, "DEVELOPING": 0.5, "LDC": 0.3},
    "sp605": {"DEVELOPED": 0.35, "DEVELOPING": 0.25, "LDC": 0.15},
    "sp606": {"DEVELOPED": 0.7, "DEVELOPING": 0.45, "LDC": 0.3},
    "sp801": {"DEVELOPED": 0.9, "DEVELOPING": 0.6, "LDC": 0.35},
    "sp902": {"DEVELOPED": 0.7, "DEVELOPING": 0.35, "LDC": 0.1},
    "sp903": {"DEVELOPED": 0.15, "DEVELOPING": 0.5, "LDC": 0.75},
}
LAW, CHANNELS = "sp901", ("EMAIL", "SMS")
LEFT_OUT = 0.05


def administration_answers(countries: pl.DataFrame, seed: int) -> list[tuple[str, str, str, str]]:
    """What all administrations answer that return a form: respondent, country, line and answer.

    countries: with their class, as jobs.core.areas.classify_countries() gives them.
    """
    random = np.random.default_rng([seed, *b"administrations"])
    lines = [
        (question, line)
        for question in all_questions()
        for line in question.indicators
        if question.id in (*OFTEN, LAW) and line.channel in (None, *CHANNELS)
    ]
    shift = {line.code: random.normal(0, 0.5) for _, line in lines}
    found = []
    for country, development in countries.select("country_code", "development_code").rows():
        if random.random() >= ANSWERED[development]:
            continue
        for question, line in lines:
            chance, left_out, number = random.random(), random.random(), int(random.geometric(0.02))
            if left_out < LEFT_OUT:
                continue
            if question.id == LAW:
                edges = np.cumsum(LAWS[development])[:-1]
                value = list_options(question)[int(np.searchsorted(edges, chance))]
            else:
                often = OFTEN[question.id][development]
                is_yes = chance < 1 / (1 + (1 - often) / often * np.exp(-shift[line.code]))
                value = ("yes" if is_yes else "no") if question.kind == "yesno" else str(number * is_yes)
            found.append((f"{country.lower()}-gov", country, line.code, value))
    return found
