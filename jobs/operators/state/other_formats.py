"""Sources with too many quarantined lines whose files look like another format than the one they name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from jobs.base.settings.config import Observatory
from jobs.operators.ingest.file_formats import format_notes
from jobs.operators.ingest.manifest import UnreadableManifest, open_landing, read_manifest
from jobs.operators.ingest.packed import open_landed

if TYPE_CHECKING:
    from expectations import native

# Bytes of a file that a format is recognised by, as when it is pulled.
HEAD = 64 << 10


def other_formats(
    settings: Observatory, results: Iterable[native.Result], noted: Collection[str] = ()
) -> list[str]:
    """The likely format of the newest file of each source over the limit, as when it was pulled.

    Args:
        noted: notes of a pull, which name files by their whole paths; they are not repeated.
    """
    from expectations.ledger import WITHIN_LIMIT

    over = {
        (each["operator_id"], each["source_id"])
        for result in results
        if result.rule == WITHIN_LIMIT
        for each in result.examples
    }
    return [
        where + note
        for operator in settings.operator
        for source in operator.source
        if (operator.id, source.id) in over and source.format != "auto"
        for note in notes_on(settings, operator.id, source.id, source.format, bool(source.options))
        for where in (f"operator '{operator.id}', source '{source.id}': ",)
        if not any(one.startswith(where) and one.endswith(note) for one in noted)
    ]


def notes_on(settings: Observatory, operator: str, source: str, kind: str, has_options: bool) -> list[str]:
    """Notes on a source whose newest file does not look like its format."""
    fs, area = open_landing(settings.lake.root)
    try:
        streams = read_manifest(fs, f"{area}/{operator}/{source}")
    except UnreadableManifest:
        return []
    pieces = [each.pieces[0] for each in streams if each.pieces and each.format == kind and not each.removed]
    if not pieces:
        return []
    newest = max(pieces, key=lambda piece: (piece.landed_at, piece.newest_at, piece.file_name))
    with open_landed(fs, newest.path) as file:
        return format_notes(newest.file_name, kind, file.read(HEAD), has_options)
