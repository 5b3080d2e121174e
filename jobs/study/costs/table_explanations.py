"""Figures of the study's tables, explained: what was answered, and how it was scaled to all operators."""

from dataclasses import fields, replace

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_number, formula_number
from jobs.base.core.periods import last_day
from jobs.base.costs.figure import (
    Estimate,
    Explained,
    FormulaStep,
    Scope,
    input_of,
)
from jobs.base.costs.investment_assumptions import PARAMETERS, list_assumptions
from jobs.base.costs.model_figures import explain_published, matching_figures
from jobs.base.costs.price_year import PriceBasis
from jobs.base.costs.user_models import POINTS, list_user_models
from jobs.base.figures import words
from jobs.base.figures.areas import COUNTRY
from jobs.base.settings.config import Observatory
from jobs.base.tables.contracts import Row, read_contract, reference_table, stage_tables
from jobs.base.tables.validity import rows_on_day
from jobs.study.costs.breakdown import divide, group_by_area, rows_beside
from jobs.study.costs.facts import (
    ASSUMPTION,
    PARAMETER,
    assumed_value,
    assumption_input,
    channel_name,
    estimate_in,
    estimate_of,
    figure_scope,
    list_facts,
    name_units,
    parameter_input,
    strategy_name,
)
from jobs.study.costs.row_explanation import explain_row
from jobs.study.costs.study_rows import StudyRow, computed_when, read_figure, versions_of
from jobs.study.estimates.steps.sample import Reference

FRAME = tuple(f"ref.{field.name}" for field in fields(Reference))
# Currencies of conversions; the international dollar has no code of ISO 4217.
CURRENCY = {"market": "USD", "ppp": "international dollars", "mixed": "dollars, international for labour"}
UNIT = {
    "market": "USD per year",
    "ppp": "international dollars per year",
    "mixed": "dollars per year, international for labour",
}
ESTIMAND = {"_T": "investment", "capital": "investment", "operating": "operating_cost", "posts": "quantity"}
ANNUAL = "purchase*share*rate/(1-(1+rate)**-life)"


def explain_study(name: str, settings: Observatory, conversion: str | None = None) -> Explained:
    """The figure of this name, at a conversion where one is asked for. Raises ObservatoryError where the lake
    has none such, with the nearest."""
    of = read_figure(name, settings, stage_tables("study"), conversion)
    # A function of this module, where the table has one.
    explained: Explained = globals().get(f"explain_{read_contract(of.table).name}", explain_row)(of)
    return explained


# --- what is spent ----------------------------------------------------------------------------------


def explain_investment(study_row: StudyRow) -> Explained:
    row = study_row.row
    component, conversion = row["component_code"], row["conversion_code"]
    is_money = component != "posts"
    unit = UNIT[conversion] if is_money else "full-time posts"
    what = {
        "_T": "Spending against spam", "capital": "Capital cost against spam, a year",
        "operating": "Running cost against spam", "posts": "Posts that counter spam",
    }[component]  # fmt: skip
    days = formula_number(assumed_value("days_per_post"))
    posts = FormulaStep("Each respondent", "person_days/days_per_post", f"person_days/{days}", "y")
    steps = [*(money_steps(study_row) if is_money else [posts]), *total_steps(row, unit)]
    used = [parameter_input(code) for code in PARAMETERS] if is_money else [assumption_input("days_per_post")]
    tables = ("study.investment_account", "study.questionnaire_answer", "study.submission")
    return Explained(
        name=study_row.name,
        title=f"{what} in {study_row.area}, {words.format_period(row['period_code'])}: {channel_name(row)},"
        f" {strategy_name(row)}",
        estimand_code=ESTIMAND[component],
        unit=unit,
        currency_code=CURRENCY[conversion] if is_money else None,
        scope=figure_scope(study_row, (row["channel_code"], row["strategy_code"]), (component, conversion)),
        facts=list_facts(study_row, unit, "messages or calls"),
        compared=computed_when(study_row),
        estimate=estimate_of(row),
        steps=steps,
        inputs=used,
        versions=versions_of(study_row, *tables, *FRAME, "ref.price_level", PARAMETER, ASSUMPTION),
        divided=divide(study_row),
        assumptions=figure_assumptions(is_money),
    )  # fmt: skip


def figure_assumptions(is_money: bool) -> list[str]:
    if is_money:
        return list_assumptions(reference_table(PARAMETER), reference_table(ASSUMPTION))
    return [*RESPONSE, "Posts are divided among channels and strategies in proportion to spending."]


RESPONSE = [
    "Operators that did not answer spend as much for each subscription as respondents of their region, class"
    " and size; the line on others shows the estimate if they spend less or more.",
]


def money_steps(study_row: StudyRow) -> list[FormulaStep]:
    """List the steps from a respondent's spending to dollars of the base year."""
    base = int(assumed_value("base_year"))
    component, conversion = study_row.row["component_code"], study_row.row["conversion_code"]
    parts = {"_T": f"{ANNUAL}+labour+other", "capital": ANNUAL, "operating": "labour+other"}[component]
    # Labour and the rest apart: they are priced differently.
    price = {
        "market": f"amount*deflator_{base}/deflator_of_year/market_rate_{base}",
        "ppp": f"amount*deflator_{base}/deflator_of_year/ppp_rate_{base}",
        "mixed": f"(labour/ppp_rate_{base}+rest/market_rate_{base})*deflator_{base}/deflator_of_year",
    }[conversion]
    steps = [
        FormulaStep("Each respondent, in its own currency, summed over assets", parts, parts, "y"),
        FormulaStep(f"In prices and at rates of {base}: deflated first, then converted", price, price, "y"),
    ]  # fmt: skip
    whole = {
        each["component_code"]: each for each in rows_beside(study_row, "component_code").rows(named=True)
    }
    if component == "_T" and {"capital", "operating"} <= whole.keys():
        amounts = [float(whole[each]["estimate"]) for each in ("capital", "operating")]
        formula = "+".join(formula_number(round(each)) for each in amounts)
        steps.append(FormulaStep("Its components", "capital+operating", formula, format_number(sum(amounts))))
    return steps


def total_steps(row: Row, unit: str) -> list[FormulaStep]:
    """List the steps from what respondents reported to all operators."""
    estimate, reported = float(row["estimate"]), float(row["reported"])
    steps = []
    if row["per_subscription"] is not None:
        formula = (
            "subscriptions*sum(w*y)/sum(w*x)"
            if row["area_kind_code"] != COUNTRY
            else "reported+subscriptions_of_others*rate"
        )
        numbers = f"{row['subscriptions']}*{formula_number(float(row['per_subscription']))}"
        if row["area_kind_code"] == COUNTRY and row.get("audit_count") is not None:
            # What is reported is only what needs no audit.
            formula = "sum(y)+subscriptions_of_others*rate"
            numbers = formula
        elif row["area_kind_code"] == COUNTRY:
            numbers = f"{formula_number(round(reported, 2))}+{formula_number(round(estimate - reported, 2))}"
        steps.append(FormulaStep("All operators", formula, numbers, f"{format_number(estimate)} {unit}"))
    return steps


# --- what is missing --------------------------------------------------------------------------------


def explain_investment_gap(study_row: StudyRow) -> Explained:
    row = study_row.row
    spend, necessary = float(row["spend"]), float(row["necessary"])
    missing = max(necessary - spend, 0.0)
    again = "The lake holds the same." if abs(missing - float(row["gap"])) <= 0.02 else (
        f"The lake holds {format_number(row['gap'])}: `observatory study estimate` computes it again."
    )  # fmt: skip
    norm = f"{row['subscriptions']}*{formula_number(float(row['target_per_subscription']))}"
    spent = formula_number(round(spend, 2))
    steps = [
        FormulaStep(
            "What the target costs",
            "subscriptions*target_per_subscription",
            norm,
            f"{format_number(necessary)} USD per year",
        ),
        FormulaStep(
            "The gap",
            "max(necessary-spend,0)",
            f"max({formula_number(round(necessary, 2))}-{spent},0)",
            f"{format_number(missing)} USD per year",
        ),
    ]
    tables = ("study.investment", "study.investment_account", "study.submission")
    return Explained(
        name=study_row.name,
        title=f"Investment gap of {study_row.area}, {row['period_code']}: {channel_name(row)}, target"
        f" {words.lower_first(words.code_name('investment_target', row['target_code']))}",
        estimand_code="investment",
        unit="USD per year",
        currency_code="USD",
        scope=figure_scope(study_row, (row["channel_code"], "_T"), (row["target_code"],)),
        facts=[
            ("target", f"{format_number(row['target_per_subscription'])} USD for each subscription and"
                       " year"),
            ("spent", f"{format_number(spend)} USD, {spending_interval(row)}:"
                      f" study.investment/{row['period_code']}/{row['area_code']}/{row['channel_code']}"),
        ],
        compared=f"{again} {computed_when(study_row)}",
        estimate=estimate_in(row, "gap"),
        steps=steps,
        inputs=[parameter_input(code) for code in PARAMETERS],
        versions=versions_of(
            study_row, *tables, "ref.operator_frame", "ref.price_level", PARAMETER, ASSUMPTION
        ),
        divided=group_by_area(study_row, "gap"),
        assumptions=[*row["assumptions"], *figure_assumptions(is_money=True)],
    )  # fmt: skip


def spending_interval(row: Row) -> str:
    if row["spend_low"] is None:
        return "of one respondent, without interval"
    return f"{format_number(row['spend_low'])} to {format_number(row['spend_high'])}"


# --- what administrations answered ------------------------------------------------------------------

PUBLIC = {
    "sp701": "Assets bought by", "sp704": "Assets in use by", "sp705": "Running cost of",
    "sp711": "Public money for national means, stated by",
}  # fmt: skip


def explain_public_spending(study_row: StudyRow) -> Explained:
    """An amount as it was answered: without an interval, since nothing of it is estimated."""
    row = study_row.row
    stated, dollars = float(row["told_amount"]), float(row["market_amount"])
    base, price = int(assumed_value("base_year")), f"{row['currency_code']} of {row['period_code']}"
    part = row["part_code"] or "_T"
    code = row["country_code"]
    return Explained(
        name=study_row.name,
        title=f"{PUBLIC[row['question_code']]} the administration {row['respondent_id']} of"
        f" {words.country_name(code)}, {row['period_code']}: {row['indicator_code']}",
        estimand_code="investment",
        unit="USD per year",
        currency_code="USD",
        # A country is its own area: what two administrations of one answered may be the same money.
        scope=Scope(
            study_row.table, code, row["period_code"], (part, "_T"), (row["question_code"],),
            frozenset({code})
        ),
        facts=[
            ("stated", f"{format_number(stated)} {price}"),
            ("also", f"{format_number(row['ppp_amount'])} international dollars of {base}"),
        ],
        compared=computed_when(study_row),
        estimate=Estimate(dollars, dollars, dollars),
        steps=[
            FormulaStep("In dollars", f"stated*deflator_{base}/deflator_of_year/market_rate_{base}",
                 f"{formula_number(stated)}*{formula_number(dollars / stated if stated else 0.0)}",
                 f"{format_number(dollars)} USD"),
        ],
        versions=versions_of(study_row, "study.questionnaire_answer", "ref.price_level", ASSUMPTION),
        assumptions=[
            "It is the stated amount, not annualised or scaled up. Other questions may cover the same money.",
            "It is not part of operators' spending and is never added to it.",
        ],
    )  # fmt: skip


# --- how much spam ----------------------------------------------------------------------------------


def explain_spam_volume(study_row: StudyRow) -> Explained:
    row = study_row.row
    unit = name_units(row["unit_code"])
    # The unit last: two units may be added where a measure holds both.
    quantity = (row["definition_code"], row["quantity_code"], row["unit_code"])
    is_corrected = row["quantity_code"] == "spam_corrected"
    sources = ("study.submission_quality",) if is_corrected else ()
    granted = AUDITED if is_corrected else []
    corrected = "certain_before+undecided_before/2+flagged*F+undecided*U+passed*P"
    formula = corrected if is_corrected else "sum(units*days/days_with_logs)"
    step = FormulaStep("Each respondent, inbound and internal, months added up", formula, formula, "y")
    return Explained(
        name=study_row.name,
        title=f"{words.code_name('quantity', row['quantity_code'])} in {study_row.area},"
        f" {words.format_period(row['period_code'])}: {channel_name(row)},"
        f" {words.definition_name(row['definition_code'], last_day(row['period_code']))}",
        estimand_code="quantity",
        unit=unit,
        currency_code=None,
        scope=figure_scope(study_row, (row["channel_code"], "_T"), quantity),
        facts=list_facts(study_row, unit, ""),
        compared=computed_when(study_row),
        estimate=estimate_of(row),
        steps=[step, *total_steps(row, unit)],
        versions=versions_of(study_row, "study.submission", *sources, *FRAME),
        divided=divide(study_row),
        assumptions=[*(text.replace("spend", "have") for text in RESPONSE), *granted],
    )


AUDITED = [
    "F, U and P are the shares of spam in what a filter flagged, left undecided and passed: by an operator's"
    " own audit or test; an operator without one takes, in each replicate, those of an audited operator; in"
    " the estimate, their mean.",
    "A test elsewhere is the same one in all months and calls of its operator.",
    "Labels are right, what was not labelled is like what was, and a month's shares hold for all of it.",
    "Filters of operators without an audit err like those of the audited: who was audited is drawn again in"
    " each replicate (Rubin and Schenker 1986).",
    "What was refused before there was content is spam as it was counted, for no label is of it: half of what"
    " logs leave undecided of it, and in replicates from none to all.",
]


# --- what published models say ----------------------------------------------------------------------


def explain_cost(study_row: StudyRow) -> Explained:
    """The published figure, and whether the lake holds the same points of it."""
    short = f"{study_row.row['model_code']}/{study_row.row['output_code']}"
    if not matching_figures(short):
        raise ObservatoryError(
            f"figure '{study_row.name}': ref.cost_model has no {short} any more: `observatory study estimate`"
            " computes study.cost again"
        )
    published = explain_published(short)
    stored = study_row.row[study_row.row["estimand_code"]]
    points = [stored[each] for each in ("p05", "p50", "p95")]
    same = published.points is None and points == [None] * 3 or (
        published.points is not None
        and [round(each, 4) for each in published.points] == [None if p is None else float(p) for p in points]
    )  # fmt: skip
    held = "holds the same points" if same else (
        "holds other points: the model or its parameters have changed since. `observatory study estimate`"
        " computes it again"
    )  # fmt: skip
    return replace(
        published,
        name=study_row.name,
        facts=[
            *published.facts,
            ("in the lake", f"study.cost, column {study_row.row['estimand_code']}, {held}"),
        ],
        versions=[*published.versions, *versions_of(study_row)],
        others=[],
    )


MODELLED = [
    "It is modelled, not measured. It is never added to the measured cost of countermeasures, to spending or"
    " to another model's figure: models value the same time, nuisance and harm in different ways.",
    "Spam is what operators' filters call spam, all together: private and business users are not told apart.",
]
REACHING = {
    "estimate": "",
    "upper": "All spam that was counted is taken to have reached users: no published share says how much of"
    " it does.",
    "neither": "All scams that were counted are taken to have reached users, and scams of unknown type are"
    " missing.",
}


def explain_user_cost(study_row: StudyRow) -> Explained:
    """A model's cost of the study's spam to users, or a published total in base-year prices."""
    row = study_row.row
    base = int(assumed_value("base_year"))
    price = ("ref.price_index", ASSUMPTION)
    if row["driver"] is None:
        published = explain_published(row["user_cost_code"].replace(".", "/"))
        restated = f"{format_number(row['modelled_p50'])} USD of {base}; it is of the world and no area"
        return replace(
            published,
            name=study_row.name,
            facts=[*published.facts, ("restated", restated)],
            versions=[*published.versions, *versions_of(study_row, *price)],
            others=[],
            assumptions=MODELLED[:1],
            is_modelled=True,
        )
    day = last_day(row["period_code"])
    parameters = rows_on_day(reference_table(PARAMETER), day)
    model = next(
        (
            each
            for each in list_user_models(parameters, PriceBasis(base, "USD"))
            if each.code == row["user_cost_code"]
        ),
        None,
    )
    if model is None:
        raise ObservatoryError(
            f"figure '{study_row.name}': {PARAMETER} has no {row['user_cost_code']} any more: `observatory"
            " study estimate` computes study.user_cost again"
        )
    spam, each = (float(row[name]) for name in ("spam_units", "unit_cost_p50"))
    factor = row["hour_factor"]
    formula, numbers = "spam*cost_of_each", f"{formula_number(spam)}*{formula_number(each)}"
    if factor is not None:
        formula, numbers = f"{formula}*wages", f"{numbers}*{formula_number(factor)}"
    points = tuple(float(row[f"modelled_{point}"]) for point in POINTS)
    facts = [
        ("rests on", f"{words.code_name('user_basis', row['user_basis_code'])}: "
         + words.lower_first(words.code_description("user_basis", row["user_basis_code"]))),
        ("borne by", row["cost_bearer"]),
        ("of", f"{format_number(spam)} certain spam; how sure that is comes on top of the points"),
    ]  # fmt: skip
    if row["hours_p50"] is not None:
        hours = " to ".join(format_number(row[f"hours_{point}"]) for point in ("p05", "p95"))
        facts.append(("time", f"{format_number(row['hours_p50'])} hours (5 to 95%: {hours})"))
        facts.append(
            ("wages", f"{format_number(factor)} of those that the model values an hour at" if factor else
             "of some country not known: the hour is the model's own")
        )  # fmt: skip
    if model.row["note"]:
        facts.append(("note", model.row["note"]))
    return Explained(
        name=study_row.name,
        title=f"{row['description']}: {study_row.area}, {words.format_period(row['period_code'])},"
        f" {channel_name(row)}",
        estimand_code=row["estimand_code"],
        unit=f"USD over {row['period_code']}, in prices of {base}",
        currency_code="USD",
        scope=figure_scope(study_row, (row["channel_code"], "_T"), (row["user_cost_code"],)),
        facts=facts,
        compared=computed_when(study_row),
        central=points[1],
        points=(points[0], points[1], points[2]),
        bound_code=row["bound_code"],
        steps=[
            FormulaStep("Spam times what each costs", formula, numbers, f"{format_number(points[1])} USD"),
            FormulaStep(f"Each, in prices of {model.year}", model.row["driver_formula"],
                        model.row["driver_formula"], f"{format_number(each)} USD of {base}"),
        ],
        inputs=[input_of(each, each["parameter_code"]) for each in model.inputs],
        versions=versions_of(study_row, "study.spam_volume", "study.spam_type", "ref.price_level",
                             PARAMETER, *price),
        assumptions=[*MODELLED, *filter(None, [REACHING[row["bound_code"]]])],
        is_modelled=True,
    )  # fmt: skip
