"""Formats of whole documents, such as reports in XML or mail: a file is read as one or more documents.

Such a format has read(data, file_name, source, limit_bytes), which yields documents
that have either rows or a reason_code. It unpacks what it reads by itself: it is offered bytes as they lie.
"""

from collections import Counter
from dataclasses import dataclass, field

from jobs.operators.formats import Source
from jobs.operators.formats.format import DocumentFormat
from jobs.operators.sniff.files import LogFile

# No report is larger; what unpacks to more is refused by the format.
LARGEST = 64 << 20


@dataclass
class Documents:
    """What the documents of a log's files gave."""

    documents: int = 0
    records: int = 0
    ignored: int = 0
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    files_read: int = 0
    examples: dict[str, str] = field(default_factory=dict)


def count_documents(kernel: DocumentFormat, file: LogFile, source: Source, into: Documents) -> None:
    """Add the documents of one file."""
    with file.open_file() as raw:
        data = raw.read(LARGEST)
    name = file.name.rsplit("/", 1)[-1]
    into.files_read += 1
    for document in kernel.read(data, name, source, LARGEST):
        into.documents += 1
        reason = getattr(document, "reason_code", None)
        if reason:
            into.reasons[reason] += 1
            into.examples.setdefault(reason, name)
        elif document.rows:
            into.records += 1
            into.rows += len(document.rows)
        else:
            into.ignored += 1
