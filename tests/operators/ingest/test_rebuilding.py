"""A manifest of landing that is lost or broken: it is rebuilt, or the source is refused with what to do."""

import gzip
import json
import shutil
import sys
from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.cli import main as command_line
from jobs.operators.ingest.manifest import Stream, open_landing, read_manifest
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.state import status
from jobs.operators.state.sources import source_rows
from tests.operators.ingest.test_clock import NOW, Site, message

pytestmark = pytest.mark.long

DAY = "2026-11-23"


def folder_of(site: Site) -> Path:
    return Path(site.lake.root) / "landing" / "a" / "mx1"


def streams_of(site: Site) -> list[Stream]:
    fs, area = open_landing(site.lake.root)
    return read_manifest(fs, f"{area}/a/mx1")


def problems_of(site: Site) -> list[str]:
    return pull_operator(site.settings.operator[0], site.lake.root, NOW).problems


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "{",
        *(
            pytest.param(text, marks=pytest.mark.long)
            for text in ("", '{"streams": [{"stream_id": 1}]}', '{"streams": 7}')
        ),
    ],
)
def test_a_lost_manifest_is_rebuilt_and_growth_counts(tmp_path: Path, broken: str | None) -> None:
    site = Site(tmp_path)
    site.add(message(1, DAY))
    site.add(message(2, DAY))
    before = streams_of(site)
    manifest = folder_of(site) / "manifest.json"
    manifest.unlink() if broken is None else manifest.write_text(broken)
    site.add(message(3, DAY))
    assert len(site.recipients()) == 3
    (stream,) = streams_of(site)
    assert [(piece.offset, piece.bytes) for piece in stream.pieces[:2]] == [
        (piece.offset, piece.bytes) for piece in before[0].pieces
    ]
    assert (stream.stream_id, stream.head, stream.format) == (before[0].stream_id, before[0].head, "postfix")
    assert [piece.file_name for piece in stream.pieces] == ["mail.log"] * 3
    # Copies and rotations are known as before.
    with gzip.open(f"{site.log}.1.gz", "wb") as file:
        file.write(site.log.read_bytes())
    assert problems_of(site) == []
    assert len(streams_of(site)) == 1


def test_what_was_landed_and_never_read_counts_too(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.log.write_text(message(1, DAY))
    assert problems_of(site) == []
    (folder_of(site) / "manifest.json").unlink()
    site.add(message(2, DAY))
    assert len(site.recipients()) == 2
    # Its log is still there, and says more of it than landing does.
    (stream,) = streams_of(site)
    assert {piece.file_name for piece in stream.pieces} == {"mail.log"}


def test_what_was_landed_and_is_no_longer_at_its_source_counts_too(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.add(message(1, DAY))
    grown = message(1, DAY) + message(2, DAY)
    site.log.write_text(grown)
    assert problems_of(site) == []
    site.log.write_text(message(4, DAY) + message(5, DAY))
    assert problems_of(site) == []
    (folder_of(site) / "manifest.json").unlink()
    site.log.write_text(message(7, DAY))
    site.add("")
    assert len(site.recipients()) == 5
    assert not list(folder_of(site).glob("*.orphan"))
    assert len(streams_of(site)) == 3
    site.log.write_text(grown + message(8, DAY))
    site.add("")
    assert len(site.recipients()) == 6


def test_a_landing_that_is_gone_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path)
    site.add(message(1, DAY))
    shutil.copytree(folder_of(site), tmp_path / "copy")
    shutil.rmtree(folder_of(site))
    with site.log.open("a") as file:
        file.write(message(2, DAY))
    (problem,) = problems_of(site)
    for word in ("'a'", "'mx1'", "manifest", "1 piece", "Put", "copy", "observatory renew --anew"):
        assert word in problem
    assert not list(folder_of(site).glob("*.log*"))
    (told,) = status.list_problems(site.lake, site.settings, {"a"})
    assert "manifest" in told and "'mx1'" in told
    # With the copy all is as it was.
    shutil.copytree(tmp_path / "copy", folder_of(site), dirs_exist_ok=True)
    site.add("")
    assert len(site.recipients()) == 2
    figures = site.counted()
    # Without one the lake is renewed: figures of days that landing lacks stay, and the log, which is landed
    # again, adds nothing to them.
    shutil.rmtree(folder_of(site))
    given = ["observatory", "renew", "--anew", "--yes", "--config", str(site.file)]
    monkeypatch.setattr(sys, "argv", given)
    with pytest.raises(SystemExit) as left:
        command_line.main()
    assert not left.value.code
    site.add("")
    assert figures and site.counted() == figures


def test_a_piece_of_other_bytes_than_were_read_stops_the_run(tmp_path: Path) -> None:
    """A lake may hold such a piece if its manifest was lost before it could be rebuilt."""
    site = Site(tmp_path)
    site.add(message(1, DAY))
    (piece,) = streams_of(site)[0].pieces
    Path(piece.path).write_text(message(1, DAY) + message(2, DAY))
    found = json.loads((folder_of(site) / "manifest.json").read_text())
    found["streams"][0]["pieces"][0]["bytes"] *= 2
    (folder_of(site) / "manifest.json").write_text(json.dumps(found))
    with pytest.raises(ObservatoryError) as refused:
        site.run()
    for word in (piece.piece_id, "'a'", "'mx1'", "observatory renew --anew"):
        assert word in str(refused.value)


def test_a_broken_manifest_stops_a_run_that_does_not_pull(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.add(message(1, DAY))
    (folder_of(site) / "manifest.json").write_text("{")
    with pytest.raises(ObservatoryError, match="observatory pull"):
        site.run()
    assert "manifest" in "".join(status.list_problems(site.lake, site.settings, {"a"}))
    (row,) = source_rows(site.lake, site.settings, site.settings.operator)
    assert (row.waiting, row.next_step) == (
        0,
        "`observatory pull --operator a` makes the lost manifest of landing again",
    )
    assert problems_of(site) == []
    site.run()
