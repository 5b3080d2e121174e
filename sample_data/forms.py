"""Made-up forms: what administrations answer on law, measures, exchange, complaints, help needed and public
money, and what operators answer in shares.

They have numbers of their own and change nothing of the rest. The shares are invented and say nothing of any
country: developed countries have laws and measures more often, the others need help more often.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from jobs.study.questionnaire.definition import list_options, list_questions

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
# Of these administrations those that give money and days; staff who counter spam, a median of posts.
GIVES = {"DEVELOPED": 0.6, "DEVELOPING": 0.45, "LDC": 0.35}
POSTS = {"DEVELOPED": 9.0, "DEVELOPING": 4.0, "LDC": 1.5}
DAYS_OF_POST, DAYS = 220, "sp706"
# Money over the pay of that staff: a median, and how it divides. An administration's registers and reporting
# centres cost more than its own equipment.
MONEY = {
    "sp701": (0.3, {"SERVER": 3, "SOFTWARE": 4, "PROBE": 2, "OTHER": 1}),
    "sp704": (0.8, {"SERVER": 4, "SOFTWARE": 4, "PROBE": 2}),
    "sp705": (1.5, {"LICENCE": 3, "STAFF": 13, "HOSTING": 2, "EDUCATION": 2}),
    "sp711": (1.2, {"SERVER": 1, "PROBE": 3, "REGISTER": 5, "OTHER": 1}),
}
# How a question of money is answered.
ANSWERED_BY = {"whole": 0.3, "parts": 0.15, "both": 0.4, "nothing": 0.15}


def administration_answers(countries: pl.DataFrame, seed: int) -> list[tuple[str, str, str, str]]:
    """Answers of all administrations that return a form, but for money: respondent, country, line, answer.

    Args:
        countries: with their class, as jobs.base.figures.areas.classify_countries() gives them.
    """
    random = np.random.default_rng([seed, *b"administrations"])
    lines = [
        (question, line)
        for question in list_questions()
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


def administration_money(
    administrations: Sequence[tuple[str, str, str]], daily_pay: Mapping[str, float], seed: int
) -> list[tuple[str, str, str, str]]:
    """Answers of these administrations on money and days that give it: respondent, country, line, answer.

    Args:
        administrations: respondent, country and class.
        daily_pay: by country, in its own currency.
    """
    random = np.random.default_rng([seed, *b"public money"])
    found = []
    for respondent, country, development in administrations:
        chance, posts = random.random(), POSTS[development] * float(random.lognormal(0, 0.7))
        days = round(posts * DAYS_OF_POST)
        told = {DAYS: days}
        for question, (share, parts) in MONEY.items():
            whole = share * days * daily_pay[country] * float(random.lognormal(0, 0.5))
            shares = random.dirichlet(ALIKE * np.array(list(parts.values())) / sum(parts.values()))
            how = random.choice(list(ANSWERED_BY), p=list(ANSWERED_BY.values()))
            amounts = {
                f"{question}.{part}": round(whole * of) for part, of in zip(parts, shares, strict=True)
            }
            told |= amounts if how in ("parts", "both") else {}
            told |= {f"{question}._T": sum(amounts.values())} if how in ("whole", "both") else {}
        if chance < GIVES[development]:
            found += [(respondent, country, line, str(value)) for line, value in told.items()]
    return found


# Of the operators that answer those that fill in the shares; concentration of shares around their mean.
FILLED, ALIKE = 0.3, 12
# What divides a whole, by channel: mean shares.
DIVIDED = {
    "sp401": {
        "EMAIL": {"AD": 45, "FRAUD": 12, "PHISH": 18, "MALWARE": 8, "OTHER": 5, "UNK": 12},
        "SMS": {"AD": 40, "FRAUD": 20, "PHISH": 25, "PHONE": 5, "UNK": 10},
    },
    "sp501": {
        "EMAIL": {"on-net": 4, "peer": 10, "internet": 80, "unknown": 6},
        "SMS": {"on-net": 10, "peer": 15, "hub": 15, "aggregator": 35, "sim-farm": 15, "unknown": 10},
    },
    "sp602": {
        "EMAIL": {"equipment": 4, "network": 61, "service": 10, "filtering": 22, "feedback": 3},
        "SMS": {"equipment": 10, "network": 30, "service": 15, "filtering": 35, "feedback": 10},
    },
}
# Of the strategies how many operators have measures of each, by size.
DEPLOYED = {
    "equipment": {"SMALL": 0.2, "MEDIUM": 0.4, "LARGE": 0.6},
    "network": {"SMALL": 0.8, "MEDIUM": 0.9, "LARGE": 0.98},
    "service": {"SMALL": 0.4, "MEDIUM": 0.7, "LARGE": 0.9},
    "filtering": {"SMALL": 0.6, "MEDIUM": 0.85, "LARGE": 0.95},
    "feedback": {"SMALL": 0.1, "MEDIUM": 0.35, "LARGE": 0.7},
}
RECOMMENDATIONS = {"EMAIL": ("X1231", "X1240", "X1241"), "SMS": ("X1231", "X1242", "X1247")}
# Single shares: mean in percent.
SINGLE = {"sp308": 0.4, "sp402": 15.0}
OF_CHANNEL = {"EMAIL": {"sp603": 70.0, "sp802": 4.0}, "SMS": {"sp507.SMS": 8.0, "sp802": 6.0}}
NAMED = ("USA", "CHN", "IND", "BRA", "RUS", "VNM", "DEU", "NGA")


def operator_answers(
    respondents: Sequence[tuple[str, str, str]], channel: str, seed: int
) -> list[tuple[str, str, str, str]]:
    """Answers in shares of operators that fill them in: respondent, country, line and answer.

    Args:
        respondents: who answers, with country and size class.
    """
    random = np.random.default_rng([seed, *b"shares", *channel.encode()])
    found = []
    for respondent, country, size in respondents:
        told: dict[str, str] = {}
        is_filled = random.random() < FILLED
        has = {name: bool(random.random() < of_size[size]) for name, of_size in DEPLOYED.items()}
        for name, is_there in has.items():
            told[f"sp601.{channel}.{name}"] = "yes" if is_there else "no"
        for question, of_channel in DIVIDED.items():
            mean = {
                name: share for name, share in of_channel[channel].items() if question != "sp602" or has[name]
            }
            if mean:
                told |= divided(f"{question}.{channel}", mean, random)
        for question, share in SINGLE.items():
            told[f"{question}.{channel}"] = drawn_share(share, random)
        for line, share in OF_CHANNEL[channel].items():
            told[line] = drawn_share(share, random)
        for code in RECOMMENDATIONS[channel]:
            told[f"sp605.{code}"] = "yes" if random.random() < 0.4 else "no"
        for code in ("NATIONAL", "INDUSTRY", "CERT", "FOREIGN"):
            told[f"sp606.{code}"] = "yes" if random.random() < 0.5 else "no"
        told[f"sp504.{channel}"] = str(random.choice(["OBSERVED", "CLAIMED"], p=[0.7, 0.3]))
        shares = np.round(np.sort(random.dirichlet(np.full(8, 1.5)))[::-1][:3] * 80, 1)
        for rank, (name, part) in enumerate(
            zip(random.choice(NAMED, 3, replace=False), shares, strict=True), start=1
        ):
            told[f"sp502.{channel}.{rank}"], told[f"sp503.{channel}.{rank}"] = str(name), str(part)
        if is_filled:
            found += [(respondent, country, line, value) for line, value in told.items()]
    return found


def divided(line: str, mean: dict[str, int], random: np.random.Generator) -> dict[str, str]:
    """Shares of a line that add up to 100."""
    weights = np.array(list(mean.values()), dtype=float)
    shares = np.round(100 * random.dirichlet(ALIKE * weights / weights.sum() + 0.05), 1)
    shares[np.argmax(shares)] += 100 - shares.sum()
    return {f"{line}.{name}": f"{share:.1f}" for name, share in zip(mean, shares, strict=True)}


def drawn_share(mean: float, random: np.random.Generator) -> str:
    return f"{100 * random.beta(ALIKE * mean / 100, ALIKE * (1 - mean / 100)):.2f}"
