"""Formats of whole documents, such as reports in XML or mail: a file is read as one or more documents.

Such a format has DOCUMENTS = True and read(data, file_name, source, limit_bytes), which yields documents
that have either rows or a reason_code. It unpacks what it reads by itself: it is offered bytes as they lie.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from jobs.formats import Source
from jobs.formats.registry import FORMATS
from jobs.sniff.files import File

# No report is larger; what unpacks to more is refused by the format.
LARGEST = 64 << 20


@dataclass
class Documents:
    """What the documents of a log's files gave."""

    documents: int = 0
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    files_read: int = 0
    examples: dict[str, str] = field(default_factory=dict)


def document_formats() -> dict[str, ModuleType]:
    return {name: module for name, module in FORMATS.items() if getattr(module, "DOCUMENTS", False)}


def count(kernel: Any, file: File, source: Source, into: Documents) -> None:
    """Add the documents of one file."""
    with file.open() as raw:
        data = raw.read(LARGEST)
    name = file.name.rsplit("/", 1)[-1]
    into.files_read += 1
    for document in kernel.read(data, name, source, LARGEST):
        into.documents += 1
        reason = getattr(document, "reason_code", None)
        if reason:
            into.reasons[reason] += 1
            into.examples.setdefault(reason, name)
        else:
            into.rows += number_of_rows(document)


def number_of_rows(document: Any) -> int:
    rows = getattr(document, "rows", None)
    if rows is None:
        return 0
    return rows.height if hasattr(rows, "height") else len(rows)
