"""Output of `observatory study check` about the study's countries."""

from pathlib import Path

from jobs.base.settings.config import load_settings
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import read_contract, rows_frame
from jobs.cli.study.study_check import describe_missing
from jobs.study.desk.study_folder import begin_study
from tests.support.delta import write_delta

VOLUME = "study.spam_volume"


def test_countries_outside_the_study_are_counted_where_the_files_have_them(tmp_path: Path) -> None:
    begin_study(tmp_path, ["KEN", "NPL"], 2026)
    row = "ken-mail,ken-mail,KEN,EMAIL,SMALL,1000,2026-01-01"
    names = "respondent_id,holding_id,country_code,channel_code,size_code,subscriptions,valid_from,source"
    (tmp_path / "files" / "operator_frame.csv").write_text(f"{names}\n{row},made up\n", encoding="utf-8")
    rows = rows_frame([{"period_code": "2026-Q4"}], VOLUME)
    lake = tmp_path / "study-lake"
    write_delta(lake / VOLUME.replace(".", "/"), rows, list(read_contract(VOLUME).partition_by))
    settings = tmp_path / "observatory.toml"
    neither, operator = describe_missing(Lake(str(lake)), load_settings(settings))
    assert neither.startswith("EMAIL in 2026-Q4: 1\u00a0country with no operator in the frame")
    assert neither.endswith("figures do not hold them: NPL")
    assert operator.endswith("their operators' own subscriptions stand: KEN")
    with (tmp_path / "files" / "denominator.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{code},2026,EMAIL,5,,,,,made up\n" for code in ("KEN", "FJI", "GHA"))
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace(', "NPL"', ""), encoding="utf-8")
    (others,) = describe_missing(Lake(str(lake)), load_settings(settings))
    assert "2\u00a0countries" in others and others.endswith("at the rate of others: all outside the study")
