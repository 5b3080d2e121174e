"""The made-up membership: the same bytes each time, and estimates that know its truth."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs
import pytest

from jobs.base.figures.areas import GROUPS
from jobs.base.packages.counts import ROUTE, VOLUME, find_disagreements
from jobs.base.packages.quality import QUALITY
from jobs.base.tables.contracts import conform_frame, polars_schema, reference_table
from jobs.base.tables.csv_tables import read_table
from jobs.study.estimates import mirror, volume_change
from jobs.study.estimates.figures_of_others import DAYS as DAYS_WORKED
from jobs.study.estimates.figures_of_others import MONEY, public_spending
from jobs.study.estimates.respondent_figure import CELL, LOGS
from jobs.study.estimates.spam_volume import estimate_cells
from jobs.study.estimates.steps.rows import MEASURES
from jobs.study.estimates.steps.sample import Reference
from jobs.study.questionnaire.definition import form_for
from sample_data.membership import BEFORE, FOLDER, countries, write


@pytest.mark.long
def test_the_committed_membership_is_what_its_generator_writes(tmp_path: Path) -> None:
    write(tmp_path)
    names = {file.name for file in FOLDER.iterdir()}
    assert names == {file.name for file in tmp_path.iterdir()}
    for name in names:
        assert pl.read_csv(tmp_path / name).equals(pl.read_csv(FOLDER / name)), name


def test_some_forms_waive_confidentiality_for_all_answers_and_some_for_a_line() -> None:
    answers = read_table(FOLDER, "study.questionnaire_answer")
    form = ["respondent_id", "period_code"]
    general = answers.filter(pl.col("indicator_code") == "sp904")
    assert {"W1", "W2"} == set(general["value"])
    assert {"2026", "2026-Q4"} == set(general["period_code"])
    lines = answers.filter((pl.col("waiver") != "W0") & (pl.col("indicator_code") != "sp904"))
    of_line = lines.join(general, on=form, how="anti")
    assert set(of_line["indicator_code"]) == {"sp303.EMAIL.attempted", "sp305.SMS.attempted"}
    assert len(general) < 0.06 * answers.select(form).n_unique()


def test_some_packages_waive_confidentiality() -> None:
    whose = read_table(FOLDER, "study.submission").select("respondent_id", "channel_code", "waiver").unique()
    waived = whose.drop_nulls("waiver")
    assert set(waived["waiver"]) == {"W1", "W2"} and set(waived["channel_code"]) == {
        "EMAIL",
        "SMS",
        "VOICE_IP",
    }
    assert waived.height < 0.06 * whose.height


def test_administrations_give_public_money_as_the_form_asks() -> None:
    """Each question of money and days is answered by administrations of every class, in parts that add up."""
    answers = read_table(FOLDER, "study.questionnaire_answer").filter(pl.col("role_code") == "A")
    form = form_for("A")
    assert set(answers["indicator_code"]) <= set(form.indicators)
    of_money = answers.filter(pl.col("question_code").is_in([*MONEY, DAYS_WORKED]))
    class_of = dict(countries().select("country_code", "development_code").rows())
    seen = {
        (class_of[country], asked)
        for country, asked in of_money.select("country_code", "question_code").rows()
    }
    every = (*MONEY, DAYS_WORKED)
    assert seen == {(kind, question) for kind in set(class_of.values()) for question in every}
    given = {
        who: dict(rows.select("indicator_code", "value").rows())
        for (who,), rows in of_money.group_by("respondent_id")
    }
    assert 20 < len(given) < answers["respondent_id"].n_unique()
    totals = 0
    for values in given.values():
        for relation in form.relations:
            if relation.target in values:
                totals += 1
                parts = [Decimal(values[part]) for part in relation.parts if part in values]
                assert not parts or sum(parts) == Decimal(values[str(relation.target)]), relation
    assert totals > len(given)
    rows = public_spending(
        answers, read_table(FOLDER, "ref.price_level"), reference_table("ref.investment_assumption")
    )
    assert rows.height == of_money.height and rows["country_code"].n_unique() == len(given)


DAYS = {"2026-10": 31, "2026-11": 30, "2026-12": 31}
LABELLED = frozenset({"OPERATOR"})
BY = ["respondent_id", "period_code", "channel_code", "unit_code", "definition_code"]
REFERENCE = Reference(
    read_table(FOLDER, "ref.operator_frame"),
    read_table(FOLDER, "ref.denominator"),
    reference_table("ref.country"),
    reference_table("ref.country_group"),
)


def months() -> pl.DataFrame:
    """Return the submissions of the quarter, by month."""
    return read_table(FOLDER, "study.submission").filter(pl.col("period_code").is_in(list(DAYS)))


def whole_months() -> pl.DataFrame:
    """Submissions with the days that logs lack made up, as jobs.study.estimates.steps.days does it."""
    days, of = pl.col("day_count"), pl.col("period_code").replace_strict(DAYS)
    return (
        months()
        .filter(10 * days >= 9 * of)
        .with_columns(((2 * pl.col(name) * of + days) // (2 * days)).alias(name) for name in MEASURES)
    )


def logs(channel: str) -> pl.DataFrame:
    """Return the logs' counts of incoming recipients of a channel, added up over stages and outcomes, and
    audits."""
    certain, possible, units = (pl.col(name).sum() for name in ("spam_certain", "spam_possible", "units"))
    given = whole_months().filter(pl.col("channel_code") == channel, pl.col("direction_code") == "inbound")
    return (
        given.group_by(BY)
        .agg(
            pl.col(*MEASURES).sum(),
            pl.col("subscriptions", "day_count").max(),
            content_seen=units,
            flagged=certain,
            undecided=possible - certain,
            passed=units - possible,
        )
        .with_columns(pl.lit(0, pl.Int64).alias(name) for name in ("certain_before", "undecided_before"))
        .with_columns(answer_status_code=pl.lit(None, pl.String))
        .join(read_table(FOLDER, QUALITY), on=BY[:3], how="left")
    )


def answers(channel: str, question: str) -> pl.DataFrame:
    """Return the answers of the channel's operators on spam and on all, in the columns of logs()."""
    asked = {f"sp205.{channel}": "units", f"{question}.{channel}.attempted": "spam_certain"}
    given = read_table(FOLDER, "study.questionnaire_answer").filter(pl.col("indicator_code").is_in(asked))
    return (
        given.with_columns(pl.col("indicator_code").replace_strict(asked), pl.col("value").cast(pl.Int64))
        .pivot("indicator_code", index=["respondent_id", "period_code"], values="value")
        .with_columns(
            spam_possible="spam_certain",
            channel_code=pl.lit(channel),
            unit_code=pl.lit("attempted"),
            definition_code=pl.lit("OPERATOR"),
            subscriptions=pl.lit(None, pl.Int64),
            day_count=pl.lit(None, pl.Int64),
            answer_status_code=pl.lit("A"),
        )
    )


def quarter(
    rows: list[dict[str, Any]], channel: str, quantity: str = "spam_certain"
) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Spam of the quarter by area: what is estimated, and the truth."""
    truth = {
        area: value
        for area, of, figure, value in pl.read_csv(FOLDER / "truth.csv.gz").rows()
        if of == channel and figure == quantity
    }
    found = {
        str(row["area_code"]): row
        for row in rows
        if row["period_code"] == "2026-Q4" and row["quantity_code"] == quantity
    }
    return found, truth


def volume_rows(figures: pl.DataFrame) -> list[dict[str, Any]]:
    return estimate_cells(figures, REFERENCE, LABELLED).cast({cs.decimal(): pl.Float64}).to_dicts()


@pytest.mark.long
@pytest.mark.parametrize("channel", ["EMAIL", "SMS"])
def test_world_regions_and_groups_are_estimated_around_the_truth(channel: str) -> None:
    """Spam as filters saw it, and with their errors, which of SMS is over a third more."""
    volumes = logs(channel)
    rows = volume_rows(volumes)
    if channel == "EMAIL":
        assert rows == volume_rows(volumes.sort("respondent_id", descending=True))
    for quantity in ("spam_certain", "spam_corrected"):
        found, truth = quarter(rows, channel, quantity)
        wide = [area for area, row in found.items() if row["area_kind_code"] != "country"]
        assert {"WORLD", "AFR", *GROUPS} <= set(wide) and len(found) == 193 + 13
        for area in wide:
            assert found[area]["estimate_low"] <= truth[area] <= found[area]["estimate_high"], area
        assert sum(found[name]["estimate"] for name in ("AFR", "AMS", "ARB", "ASP", "CIS", "EUR")) == (
            pytest.approx(found["WORLD"]["estimate"], rel=1e-3)
        )
    if channel == "SMS":
        assert truth["WORLD"] > 1.3 * quarter(rows, channel)[1]["WORLD"]
    # About a third of those with logs have an audit, some of one month in three.
    world = found["WORLD"]
    assert 0.25 < world["audit_count"] / world["respondent_count"] < 0.45
    assert 0 < world["audit_pct"] < 45


@pytest.mark.long
@pytest.mark.parametrize(("channel", "question", "alone"), [("EMAIL", "sp303", 15), ("SMS", "sp305", 15)])
def test_small_operators_that_only_answer_are_in_the_estimates(
    channel: str, question: str, alone: int
) -> None:
    """Three operators of e-mail with logs of a part of a month, who answered beside them, are in them,
    too."""
    given = logs(channel).with_columns(unit_code=pl.lit("attempted"))
    told = answers(channel, question)
    volumes = pl.concat([given, told], how="diagonal")
    found, truth = quarter(volume_rows(volumes), channel)
    without, _ = quarter(volume_rows(given), channel)
    assert found["WORLD"]["answer_count"] == alone
    assert found["WORLD"]["respondent_count"] == without["WORLD"]["respondent_count"] + alone
    assert found["SIDS"]["answer_count"] > 0 and 0 < found["SIDS"]["answer_pct"] < 100
    for area, row in found.items():
        if row["area_kind_code"] != "country":
            assert row["estimate_low"] <= truth[area] <= row["estimate_high"], area


def test_some_logs_lack_days_and_what_is_estimated_does_not() -> None:
    """Without looking at days the e-mail of those that lack some would be lower by as much."""
    given = months().filter(pl.col("direction_code") == "inbound")
    month = given.select("respondent_id", "period_code", "channel_code", "day_count").unique()
    lacking = month.filter(pl.col("day_count") < pl.col("period_code").replace_strict(DAYS))
    few = lacking.filter(pl.col("day_count") < 27)
    assert set(lacking["channel_code"]) == {"EMAIL"}
    assert lacking.height - few.height > 10 and few.height > 3
    by = ["respondent_id", "channel_code"]
    near = whole_months().filter(pl.col("direction_code") == "inbound").group_by(*by, "period_code").agg(
        pl.col("units").sum(), pl.col("day_count").first()
    )  # fmt: skip
    of_lacking = near.join(lacking, on=[*by, "period_code"], how="semi")
    # Months of one operator differ by what all operators' do, a few percent.
    beside = of_lacking.join(near.join(lacking, on=[*by, "period_code"], how="anti"), on=by)
    ratio = beside["units"].sum() / beside["units_right"].sum()
    assert ratio == pytest.approx(1, abs=0.04)


def test_routes_add_up_to_volumes() -> None:
    """The study holds a package to it."""
    texts = pl.col("channel_code") == "SMS"
    tables = {VOLUME: months().filter(texts), ROUTE: read_table(FOLDER, ROUTE).filter(texts)}
    assert find_disagreements(tables) == []
    assert set(tables[ROUTE]["respondent_id"]) == set(tables[VOLUME]["respondent_id"])
    assert set(tables[ROUTE]["direction_code"]) == {"inbound", "outbound"}


def test_grey_routes_show_in_the_mirror() -> None:
    """Messages that come in by bulk senders never left their country by one; hubs have both sides."""
    routes, frame = (read_table(FOLDER, table) for table in (ROUTE, "ref.operator_frame"))
    found = conform_frame(mirror.transform(routes, frame, reference_table("ref.country")), "study.mirror")
    for side in ("sent", "received"):
        assert found[f"{side}_coverage_pct"].is_between(0, 100, closed="right").all()
    all_, hub, aggregator = (
        found.filter(pl.col("link_code") == link) for link in ("_T", "hub", "aggregator")
    )
    assert all_.height > 20 and set(all_["conf_status_code"]) == {"N"}
    assert set(aggregator["discrepancy_pct"]) == {-100}
    assert aggregator.height > 10
    both = hub.filter(pl.col("sent_units") > 0, pl.col("received_units") > 0)
    assert both.height > 0.8 * hub.height
    assert (both["discrepancy_units"] != 0).all()


def test_the_change_since_the_quarter_before_is_estimated_around_the_truth() -> None:
    """The change differs by class of countries: spam grows most where countries are least developed."""
    truth = pl.read_csv(FOLDER / "truth.csv.gz").filter(pl.col("channel_code") == "EMAIL")
    of = {name: dict(rows.select("area_code", "value").rows()) for (name,), rows in truth.group_by("figure")}
    before = read_table(FOLDER, "study.submission").filter(
        pl.col("period_code") == BEFORE, pl.col("channel_code") == "EMAIL"
    )
    now = logs("EMAIL").select("respondent_id", "period_code", *CELL, *MEASURES, "day_count", "subscriptions")
    then = before.group_by("respondent_id", "period_code", *CELL).agg(
        pl.col(*MEASURES).sum(), pl.col("day_count", "subscriptions").max()
    )
    figures = pl.concat([now, then.select(now.columns)]).with_columns(
        answer_status_code=pl.lit(None, pl.String), given_by_code=pl.lit(LOGS)
    )
    assert before["respondent_id"].n_unique() > 300
    found = volume_change.transform(
        figures, pl.DataFrame(schema=polars_schema("study.spam_volume")), REFERENCE
    )
    rows = found.filter(
        pl.col("change_pct").is_not_null(), pl.col("quantity_code") == "spam_certain"
    ).to_dicts()
    changes = {row["area_code"]: row for row in rows}
    assert {"WORLD", "AFR", "EUR", "LDC", "SIDS"} <= set(changes)
    for area, row in changes.items():
        true = 100 * (of["spam_certain"][area] / of["spam_certain_before"][area] - 1)
        assert row["change_low_pct"] <= true <= row["change_high_pct"], (area, true, row)
    assert changes["LDC"]["change_low_pct"] > changes["EUR"]["change_high_pct"]
    assert changes["LDC"]["change_code"] == "rise" and changes["EUR"]["change_code"] == "unclear"
