"""Landing whose first pieces retention removed: their logs are still known, and nothing lands twice."""

import gzip
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import fsspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import LandingLost
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.operators.build import batches
from jobs.operators.build.ranges import ranges_of
from jobs.operators.ingest.manifest import REMOVED, read_manifest, write_manifest
from jobs.operators.ingest.parsing import read_ranges
from jobs.operators.ingest.pull import Pulled
from jobs.operators.ingest.rebuilding import rebuild_manifest
from jobs.operators.ingest.removing import remove_pieces
from tests.operators.ingest.test_ingest import bodies
from tests.operators.ingest.test_pull import NOW, REPORT, Site, text
from tests.support.examples import examples
from tests.support.landed import data_of

FS = fsspec.filesystem("file")


def folder_of(site: Site) -> str:
    return f"{site.lake}/landing/a/mx1"


def remove(site: Site, count: int) -> list[str]:
    """Remove the first pieces of each stream; their ids."""
    going = [piece.piece_id for stream in site.streams for piece in stream.pieces[:count]]
    remove_pieces(FS, folder_of(site), set(going))
    return going


def held(site: Site) -> list[bytes]:
    """Return landing's content of each stream, after a removal."""
    found = []
    for stream in site.streams:
        content = b""
        for piece in stream.pieces:
            assert piece.offset == stream.removed_bytes + len(content)
            content += data_of(piece.path)
        assert stream.bytes == stream.removed_bytes + len(content)
        found.append(content)
    return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A log that was pulled in three pieces."""
    made = Site(tmp_path)
    for last in (60, 120, 180):
        made.write("mail.log", text(*range(last)))
        assert made.pull().pieces == 1
    return made


@pytest.mark.parametrize("removed", [1, 2, 3])
def test_the_log_grows_on_and_its_rotations_are_known(site: Site, removed: int) -> None:
    assert len(remove(site, removed)) == removed
    assert held(site) == [text(*range(60 * removed, 180))]
    assert len(list(Path(folder_of(site)).glob("*.log.zst"))) == 3 - removed
    assert site.pull() == Pulled()
    site.rename("mail.log", "mail.log.1")
    site.write("mail.log.2.gz", gzip.compress(text(*range(180))))
    assert site.pull() == Pulled()
    site.write("mail.log.1", text(*range(200)))
    assert (site.pull().pieces, held(site)) == (1, [text(*range(60 * removed, 200))])
    # The copy of the shorter state is one still.
    assert site.pull() == Pulled()


def test_shorter_copies_are_known_up_to_the_ends_of_pieces(site: Site) -> None:
    remove(site, 2)
    site.write("mail.log.save", text(*range(60)))
    site.write("mail.log.backup", text(*range(120)))
    # Beyond what was removed, landing has the bytes.
    site.write("mail.log.cut", text(*range(150)))
    assert site.pull() == Pulled()
    # One that goes another way is another log.
    other = text(*range(120)) + text(*range(170, 190))
    site.write("mail.log.other", other)
    assert (site.pull().pieces, held(site)) == (1, [text(*range(120, 180)), other])
    assert site.pull() == Pulled()


def test_a_copy_that_ends_where_nothing_is_known_is_a_log_of_its_own(site: Site) -> None:
    """A copy may go on in another way: none of its lines is lost, and those of closed days are late."""
    remove(site, 2)
    site.write("mail.log.part", text(*range(90)))
    assert site.pull().pieces == 1
    assert site.pull() == Pulled()


def test_short_logs_are_known_too(tmp_path: Path) -> None:
    """Logs shorter than a mark are looked up by their first bytes."""
    made = Site(tmp_path)
    for last in (3, 6, 9):
        made.write("mail.log", text(*range(last)))
        made.pull()
    remove(made, 2)
    for name, last in (("mail.log.a", 3), ("mail.log.b", 6), ("mail.log.c", 8), ("mail.log.d", 9)):
        made.write(name, text(*range(last)))
    assert made.pull() == Pulled()
    made.write("mail.log.e", text(*range(4)))
    assert made.pull().pieces == 1


def test_documents_stay_known(tmp_path: Path) -> None:
    made = Site(tmp_path, "*.xml", "dmarc")
    made.write("a.xml", REPORT)
    made.pull()
    remove(made, 1)
    assert not list(Path(folder_of(made)).glob("*.document"))
    made.write("b.xml", REPORT)
    assert made.pull() == Pulled()


def test_a_manifest_that_was_made_again_has_no_digests_of_pieces(site: Site) -> None:
    streams = site.streams
    for piece in streams[0].pieces:
        piece.sha256 = None
    write_manifest(FS, folder_of(site), streams)
    remove(site, 2)
    ends = {str(len(text(*range(last)))): text(*range(last)) for last in (60, 120)}
    assert site.streams[0].removed == {end: hashlib.sha256(data).hexdigest() for end, data in ends.items()}
    assert site.pull() == Pulled()


def test_killed_anywhere_and_done_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    going = {piece.piece_id for piece in site.streams[0].pieces[:2]}
    writes: list[str] = []
    for fail_at in range(3):
        left = fail_at

        def write_or_die(*given: Any, **named: Any) -> None:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            writes.append(named.get("name", "manifest"))
            write_manifest(*given, **named)

        with monkeypatch.context() as killed:
            killed.setattr("jobs.operators.ingest.removing.write_manifest", write_or_die)
            killed.setattr("jobs.operators.ingest.removing.files_of", lambda *given: 1 / 0)
            with pytest.raises((KeyboardInterrupt, ZeroDivisionError)):
                remove_pieces(FS, folder_of(site), going)
        # What the manifest has is there.
        assert b"".join(held(site)) in (text(*range(180)), text(*range(120, 180)))
    assert writes[-2:] == [REMOVED, "manifest"]
    remove_pieces(FS, folder_of(site), going)
    assert held(site) == [text(*range(120, 180))]
    assert len(list(Path(folder_of(site)).glob("*.log.zst"))) == 1
    assert site.pull() == Pulled()


def ledgered(site: Site, piece_ids: list[str]) -> None:
    """Put pieces into the ledger."""
    streams = {piece.piece_id: (stream, piece) for stream in site.streams for piece in stream.pieces}
    rows = [
        {
            "operator_id": "a",
            "source_id": "mx1",
            "stream_id": stream.stream_id,
            "piece_id": piece.piece_id,
            "offset": piece.offset,
            "file_name": piece.file_name,
            "format_code": stream.format,
            "piece_bytes": piece.bytes,
            "landed_at": NOW,
            "ingest_id": "1",
            **dict.fromkeys(("line_count", "record_count", "ignored_count", "quarantined_count"), 0),
        }
        for stream, piece in (streams[each] for each in piece_ids)
    ]
    Lake(str(site.lake)).append(rows_frame(rows, "bronze.file"), "bronze.file")


def test_a_lost_manifest_is_made_again_without_what_was_removed(site: Site) -> None:
    (stream,) = site.streams
    ledgered(site, [piece.piece_id for piece in stream.pieces])
    remove(site, 2)
    before = site.streams
    Path(folder_of(site), "manifest.json").unlink()
    assert site.pull() == Pulled()
    assert site.streams == before
    # A piece that is gone and was not removed is lost.
    Path(folder_of(site), "manifest.json").unlink()
    Path(before[0].pieces[0].path).unlink()
    (problem,) = site.pull().problems
    assert "1 piece " in problem and before[0].pieces[0].piece_id in problem


def test_a_lost_manifest_of_a_log_that_grew_since_is_refused(site: Site) -> None:
    ledgered(site, [piece.piece_id for piece in site.streams[0].pieces])
    remove(site, 2)
    site.write("mail.log", text(*range(200)))
    site.pull()
    ledgered(site, [site.streams[0].pieces[-1].piece_id])
    Path(folder_of(site), "manifest.json").unlink()
    with pytest.raises(LandingLost, match="grown since"):
        rebuild_manifest(FS, folder_of(site), str(site.lake), "a", "mx1", lambda kind, tail, at: at)


def test_what_was_landed_and_not_read_when_the_manifest_was_lost_is_kept(site: Site) -> None:
    ledgered(site, [piece.piece_id for piece in site.streams[0].pieces])
    remove(site, 2)
    site.write("mail.log", text(*range(200)))
    site.pull()
    Path(folder_of(site), "manifest.json").unlink()
    (site.logs / "mail.log").unlink()
    site.write("mail.log.x", text(*range(500, 510)))
    assert site.pull().problems == []
    assert sorted(held(site)) == sorted(
        [text(*range(120, 180)), text(*range(180, 200)), text(*range(500, 510))]
    )


def test_lines_after_a_removed_heading_keep_their_columns(tmp_path: Path) -> None:
    """Rows of ClickHouse get their columns from a line of an earlier piece."""
    insert, first, second = bodies()[:3]
    made = Site(tmp_path, "*.log", "rspamd_clickhouse")
    for body in (insert + first, insert + first + second):
        made.write("rspamd.log", body)
        made.pull()

    def last_piece() -> pl.DataFrame:
        *_, piece = batches.landed_pieces(FS, f"{made.lake}/landing", [made.operator])
        [part] = ranges_of([piece])
        [parsed] = read_ranges(FS, [part], "1")
        return parsed.rows["rspamd_clickhouse"]

    before = last_piece()
    assert before.height == 1
    remove(made, 1)
    assert made.streams[0].heading == insert.decode().strip()
    assert last_piece().equals(before)


@examples(15)
@given(cuts=st.lists(st.integers(0, 40), min_size=1, max_size=5), data=st.data())
def test_any_life_of_a_log_lands_its_bytes_once_whatever_was_removed(cuts: list[int], data: Any) -> None:
    """A log that grows in any steps, of which pieces go at any time, under any names."""
    with tempfile.TemporaryDirectory() as folder:
        made = Site(Path(folder))
        landed = removed = 0
        for number, cut in enumerate(sorted(cuts)):
            name = data.draw(st.sampled_from(["mail.log", "mail.log.1", "mail.log.2"]), label="name")
            for old in made.logs.iterdir():
                old.unlink()
            made.write(name, text(*range(cut)))
            pulled = made.pull()
            assert pulled.problems == []
            landed += pulled.bytes
            assert landed == len(text(*range(cut)))
            if made.streams:
                pieces = len(made.streams[0].pieces)
                remove(made, data.draw(st.integers(0, pieces), label="removed"))
                removed = made.streams[0].removed_bytes
                assert held(made) == [text(*range(cut))[removed:]]
            if data.draw(st.booleans(), label="is the manifest read again") and number:
                assert read_manifest(FS, folder_of(made)) == made.streams
                assert made.pull() == Pulled()
