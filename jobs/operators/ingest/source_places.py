"""Where a source's files lie: on this machine, another host, an object store or a web server."""

from typing import Any

from jobs.base.settings.access import HTTP, Access
from jobs.base.store.hosts import open_place
from jobs.operators.ingest.http_files import HttpFiles


def open_source(url: str, access: Access) -> tuple[Any, str]:
    """The file system of a source's URL, and the pattern of names in it. Raises ImportError, ValueError,
    source_errors()."""
    if url.partition("://")[0] not in HTTP:
        return open_place(url, access)
    files = HttpFiles(url, access)
    return files, files.pattern
