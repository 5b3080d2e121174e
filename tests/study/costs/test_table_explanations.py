"""`observatory cost` on what models say that spam costs users: what it rests on, and what is added to it."""

from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.costs.model_figures import explain_published
from jobs.base.costs.sums import sum_figures
from jobs.base.settings import config
from jobs.base.stats.formula import evaluate_formula
from jobs.study.costs.table_explanations import explain_study
from tests.support.in_process import Run, cost_command
from tests.support.study_lake import write_study

TIME = "study.user_cost/2026-Q4/LDC/EMAIL/user_seconds_per_spam_email"
ENERGY = "study.user_cost/2026-Q4/LDC/EMAIL/user_energy_wh_per_spam_email"
CALLS = "study.user_cost/2026-Q4/LDC/VOICE_CS"
PRINTED = "study.user_cost/2021/WORLD/SMS"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


def test_each_figure_says_on_what_it_rests(
    settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    observatory: Run = cost_command(settings, monkeypatch, capsys)
    for name, parts in {
        TIME: (
            "rests on Published model: a published cost or time for each message or call",
            "of 10 M certain spam",
            "wages 0.05 of those that the model values an hour at",
            "It is modelled, not measured.",
            "email_spam_reaching_share",
            "user_hour_value",
        ),
        ENERGY: ("rests on Judgement: ", "electricity_kwh"),
        CALLS: ("≤", "All spam that was counted is taken to have reached users", "borne by user"),
        PRINTED: ("printed 7.9 bn USD per year", "restated 9.386 bn USD of 2025; it is of the world"),
    }.items():
        told = observatory("explain", name, width=80)
        assert (told.code, told.err) == (0, "")
        assert max(map(len, told.out.splitlines())) <= 80 and "…" not in told.out
        words = " ".join(told.out.split())
        for part in parts:
            assert part in words, (part, told.out)


def test_the_first_step_gives_the_median(settings: Path) -> None:
    for name in (TIME, ENERGY, CALLS):
        found = explain_study(name, config.load_settings(settings))
        assert found.points is not None
        assert evaluate_formula(found.steps[0].numbers, {}) == pytest.approx(found.points[1], rel=1e-4)


@pytest.mark.parametrize("other", [TIME, ENERGY, CALLS, PRINTED, "study.investment/2026/LDC/EMAIL"])
def test_nothing_is_added_to_it(settings: Path, other: str) -> None:
    pair = [explain_study(name, config.load_settings(settings)) for name in (TIME, other)]
    for figures in (pair, pair[::-1], [pair[0], explain_published("rao_reiley_2012/user_cost")]):
        with pytest.raises(ObservatoryError, match="is modelled: it stands beside what was measured"):
            sum_figures(figures)
