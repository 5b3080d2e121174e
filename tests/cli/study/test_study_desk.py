"""`observatory study init` and `frame`."""

from pathlib import Path

from tests.cli.conftest import Observatory
from tests.support.downloads import itu


def test_a_study_begins_and_says_what_comes_next(observatory: Observatory, tmp_path: Path) -> None:
    begun = observatory("study", "init", tmp_path, "--countries", "KEN,NPL")
    assert begun.code == 0 and "12 files in" in begun.out
    assert "Next: fill in observatory.toml" in begun.out
    for told in (begun.out, (tmp_path / "FILES.md").read_text(encoding="utf-8")):
        assert "by CLDR, and en where none is, or several are. Correct the column language" in told
    checked = observatory("study", "init", tmp_path, "--check")
    assert checked.code == 0 and checked.out in begun.out
    again = observatory("study", "init", tmp_path, "--countries", "KEN")
    assert again.code == 2 and "nothing was written" in again.err


def test_what_is_to_be_given(observatory: Observatory, tmp_path: Path) -> None:
    assert "--check alone" in observatory("study", "init", tmp_path).err
    none = observatory("study", "init", tmp_path, "--check")
    assert none.code == 2 and "begin a study there with" in none.err


def test_a_frame_is_built_and_its_gaps_are_listed(observatory: Observatory, tmp_path: Path) -> None:
    observatory("study", "init", tmp_path, "--countries", "KEN,NPL")
    last = ("--config", tmp_path / "observatory.toml", "--year", "2026")
    empty = observatory("study", "frame", *last)
    assert empty.code == 2 and "sources holds no file" in empty.err
    book = observatory("study", "frame", *last, "--workbook", tmp_path / "sources" / "frame.xlsx")
    assert book.code == 0 and "fill in what no download has" in book.out
    assert observatory("study", "frame", *last, "--workbook", tmp_path / "sent" / "frame.xlsx").code == 0
    listed = "country,operator,service,subscribers\nKEN,Savanna,mobile,5000000\n"
    (tmp_path / "sources" / "operators.csv").write_text(listed, encoding="utf-8")
    itu_file = tmp_path / "sources" / "mobile.csv"
    itu_file.write_text(itu("i271", {("KEN", 2025): 9_000_000}), encoding="utf-8")
    checked = observatory("study", "frame", *last, "--check", "--ask")
    assert checked.code == 0 and "Nothing was written." in checked.out, checked.err
    told = observatory("study", "frame", *last, "--ask")
    assert "subscriptions VOICE_CS" in told.out and "CC BY-NC-SA 3.0 IGO" in told.out
    assert "1\u00a0operator" in told.out
    (tmp_path / "sources" / "operators.csv").write_text(listed.replace("5000000", "5000"), encoding="utf-8")
    assert (
        "ken-savanna is S4, and its 5,000 subscriptions" in observatory("study", "frame", *last, "--ask").out
    )
    assert "no operator of NPL" in observatory("study", "init", tmp_path, "--check").out


def test_nothing_is_written_if_operators_cannot_be_asked(observatory: Observatory, tmp_path: Path) -> None:
    observatory("study", "init", tmp_path, "--countries", "KEN")
    frame = tmp_path / "files" / "operator_frame.csv"
    empty = frame.read_bytes()
    last = ("--config", tmp_path / "observatory.toml", "--year", "2026", "--ask")
    listed = "country,operator,service,subscribers,id\nKEN,Savanna,mobile,5000000,sav.1\n"
    (tmp_path / "sources" / "operators.csv").write_text(listed, encoding="utf-8")
    refused = observatory("study", "frame", *last)
    assert refused.code == 2 and "respondent_id 'sav.1' may hold letters" in refused.err
    assert frame.read_bytes() == empty
    (tmp_path / "respondents.csv").rename(tmp_path / "moved.csv")
    refused = observatory("study", "frame", *last)
    assert refused.code == 2 and "respondents.csv does not exist" in refused.err
    assert frame.read_bytes() == empty
