"""Contents of landing, as a test compares them with logs."""

from pathlib import Path

import fsspec

from jobs.operators.ingest.packed import ENDING, open_landed


def data_of(path: str | Path) -> bytes:
    """The bytes of a landed piece, unpacked."""
    with open_landed(fsspec.filesystem("file"), str(path)) as file:
        return file.read()


def unpack(path: Path) -> Path:
    """Leave a piece as earlier versions landed it: as it came. Its manifest still names it as it was."""
    plain = path.with_name(path.name.replace(ENDING, ""))
    plain.write_bytes(data_of(path))
    path.unlink()
    return plain
