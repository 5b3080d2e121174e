"""Pieces of landing: smaller than their logs, and read from any byte on; documents as they came."""

import io
from pathlib import Path

import fsspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.operators.ingest import packed
from jobs.operators.ingest.chunks import Chunks
from jobs.operators.ingest.packed import DamagedPiece, landed_size, open_landed, open_packer
from tests.support.examples import examples

LOCAL = fsspec.filesystem("file")


def written(path: Path, blocks: list[bytes]) -> str:
    with path.open("wb") as out, open_packer(out) as packer:
        for block in blocks:
            packer.write(block)
    return str(path)


@examples(60)
@given(
    blocks=st.lists(st.binary(max_size=300), max_size=12),
    frame=st.sampled_from([1, 7, 64, 1024]),
    reads=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 700)), max_size=8),
)
def test_any_range_reads_as_the_bytes_that_were_written(
    tmp_path_factory: pytest.TempPathFactory,
    blocks: list[bytes],
    frame: int,
    reads: list[tuple[int, int]],
) -> None:
    whole = b"".join(blocks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "FRAME", frame)
        path = written(tmp_path_factory.mktemp("packed") / "a-0.log.zst", blocks)
        assert landed_size(LOCAL, path) == len(whole)
        with open_landed(LOCAL, path) as file:
            assert file.read() == whole
            for start, size in reads:
                file.seek(start)
                assert file.read(size) == whole[start : start + size]
            file.seek(0)
            assert file.readlines() == io.BytesIO(whole).readlines()
            assert file.seek(0, io.SEEK_END) == len(whole) and file.read(1) == b""
    # Any program that reads zstd reads it, and so does a pull of what was set aside.
    with zstandard.ZstdDecompressor().stream_reader(
        io.BytesIO(Path(path).read_bytes()), read_across_frames=True
    ) as stream:
        assert stream.read() == whole
    chunks = Chunks(io.BytesIO(Path(path).read_bytes()))
    assert b"".join(chunks.read_whole_lines(True)) == whole and chunks.damage is None


def test_documents_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a-0.document").write_bytes(b"one\ntwo\n")
    path = str(tmp_path / "a-0.document")
    assert landed_size(LOCAL, path) == 8
    with open_landed(LOCAL, path) as file:
        assert file.read() == b"one\ntwo\n"


@pytest.mark.parametrize("keep", [0, 5, 40, -1])
def test_a_piece_that_was_cut_is_named(tmp_path: Path, keep: int) -> None:
    path = Path(written(tmp_path / "a-0.log.zst", [b"a line\n" * 100]))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedPiece, match="a-0.log.zst was cut or changed") as found:
        open_landed(LOCAL, str(path))
    assert isinstance(found.value, ObservatoryError) and found.value.exit_code == 2


def test_a_frame_that_was_changed_is_named(tmp_path: Path) -> None:
    path = Path(written(tmp_path / "a-0.log.zst", [bytes(range(256)) * 9]))
    data = bytearray(path.read_bytes())
    data[20] ^= 0xFF
    path.write_bytes(data)
    with open_landed(LOCAL, str(path)) as file, pytest.raises(DamagedPiece):
        file.read()


def test_nothing_is_left_running_where_writing_fails(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), open_packer(Full()) as packer:
        for _ in range(9):
            packer.write(b"x" * packed.FRAME)
