"""Batches of landed pieces: which pieces the ledger lacks, and which batches were begun."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jobs.base.core.disk import replace_file
from jobs.base.core.errors import ObservatoryError
from jobs.base.engine.tasks import Engine, StagedFrame
from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator
from jobs.base.store.lake import Lake
from jobs.base.store.table_files import NewFile
from jobs.operators.ingest.manifest import open_landing, read_manifest


@dataclass(frozen=True)
class Ingested:
    """The batches that were written, and what of their rows lies in staging for silver: frames by bucket, and
    the files of bronze tables that hold the same rows.

    Attributes:
        unreadable: what cannot be read again, for a person.
    """

    batches: tuple[str, ...] = ()
    frames: tuple[StagedFrame, ...] = ()
    files: tuple[NewFile, ...] = ()
    unreadable: tuple[str, ...] = ()

    def __add__(self, later: Ingested) -> Ingested:
        """Add what later batches gave; a batch that was read again is named once."""
        return Ingested(
            tuple(dict.fromkeys(self.batches + later.batches)),
            self.frames + later.frames,
            self.files + later.files,
            self.unreadable + later.unreadable,
        )


@dataclass(frozen=True)
class Ingest:
    """The input of a bronze stage.

    Attributes:
        staging: where tasks leave rows for silver, by one of so many buckets; None where no silver stage
            follows.
    """

    lake: Lake
    settings: Observatory
    operators: list[Operator]
    engine: Engine
    staging: str | None = None
    buckets: int = 1
    done: Any = lambda count, of: None


def pending_pieces(lake: Lake, operators: Iterable[Operator]) -> dict[str, int]:
    """The landed pieces that the ledger lacks, by their key, with their bytes."""
    fs, area = open_landing(lake.root)
    done = ledgered_pieces(lake)
    there = {key: piece.bytes for key, *_, piece in landed_pieces(fs, area, operators)}
    for key, size in there.items():
        if done.get(key, size) != size:
            operator, source, piece_id = key.split("/", 2)
            raise ObservatoryError(
                f"operator '{operator}', source '{source}': piece {piece_id} of landing has {size:,} bytes,"
                f" and {done[key]:,} of them were read: landing was changed, or its manifest was lost once."
                " Put the folder back from a copy. Without one, `observatory renew --anew` lets the next run"
                " count anew what is landed"
            )
    return {key: size for key, size in there.items() if key not in done}


def refuse_missing_pieces(ingest_id: str, keys: set[str]) -> None:
    if keys:
        raise ObservatoryError(
            f"batch {ingest_id} cannot be read again: {len(keys)} of its pieces, such as {min(keys)}, are no "
            "longer in landing, or their source no longer in the settings. Put them back."
        )


def record_intent(fs: Any, area: str, ingest_id: str, keys: set[str], again: bool = False) -> None:
    """Record what a batch is to be made of, so that the next run can finish it.

    Args:
        again: the ledger has these pieces, and they are to be read once more.
    """
    intent = {"ingest_id": ingest_id, "pieces": sorted(keys), "again": again}
    replace_file(fs, f"{intents_of(area)}/{ingest_id}.json", json.dumps(intent).encode())


def has_intent(lake: Lake) -> bool:
    """Return whether a batch was begun and is not finished."""
    fs, area = open_landing(lake.root)
    fs.invalidate_cache()
    return bool(fs.glob(f"{intents_of(area)}/*.json"))


def intents_of(area: str) -> str:
    """The folder that names batches that are not finished."""
    return f"{area.removesuffix('/landing')}/_intent"


def ledgered_pieces(lake: Lake) -> dict[str, int]:
    """Operator, source and piece of all that the ledger has, as one key each, with the piece's bytes."""
    rows = lake.read("bronze.file", columns=["operator_id", "source_id", "piece_id", "piece_bytes"]).rows()
    return {"/".join(row[:3]): row[3] for row in rows}


def landed_pieces(
    fs: Any, area: str, operators: Iterable[Operator]
) -> Iterator[tuple[str, Any, Any, Any, Any]]:
    """Every landed piece: its key, operator, source, stream and the piece itself."""
    for operator in operators:
        for source in operator.source:
            for stream in read_manifest(fs, f"{area}/{operator.id}/{source.id}"):
                for piece in stream.pieces:
                    yield f"{operator.id}/{source.id}/{piece.piece_id}", operator, source, stream, piece
