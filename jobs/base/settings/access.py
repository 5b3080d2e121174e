"""Access to the logs of another host, and to a lake in an object store."""

import os
from urllib.parse import urlsplit

from pydantic import Field

from jobs.base.settings.base import Settings

SFTP, S3, HTTP = ("sftp", "ssh"), ("s3", "s3a"), ("http", "https")
# How workers learn what [lake] access says.
LAKE_ACCESS = "OBSERVATORY_LAKE_ACCESS"


class Access(Settings):
    """Access to a host, where the usual files and variables do not define it: `~/.ssh` with its config and
    agent; for S3, AWS' usual chain of variables, `~/.aws` and the machine's role."""

    paths = ("key", "known_hosts")

    connection: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,250}$")
    """The id of one of Airflow's connections, which has host, user and secrets. Airflow's tasks hand it on;
    elsewhere the variable `AIRFLOW_CONN_<ID>` has it, as Airflow reads it. Over HTTP it is the only way."""
    key: str | None = None
    """SFTP: the file of a private key."""
    known_hosts: str | None = None
    """SFTP: the file of the hosts whose keys are known."""
    endpoint: str | None = None
    """S3: the URL of the service."""
    region: str | None = None
    """S3: the region."""
    path_style: bool | None = None
    """S3: whether the bucket is a part of the path and not of the host's name."""
    profile: str | None = None
    """S3: a profile of AWS' own files."""


def check_drop_folder(url: str) -> str:
    """The place of a folder through which files are exchanged. Raises ValueError where it can be none."""
    scheme, there, rest = url.partition("://")
    if there and scheme not in (*SFTP, *S3):
        raise ValueError(f"'{url}' is no place for packages: name a folder, an sftp:// or an s3:// URL")
    if there and not rest.partition("/")[2].strip("/"):
        raise ValueError(
            f"'{url}' names no folder: write it as in {scheme}://{rest.strip('/')}/inbox. Answers lie in"
            " `receipts` beside it"
        )
    return url


OF_SCHEME = {
    **dict.fromkeys(SFTP, frozenset({"connection", "key", "known_hosts"})),
    **dict.fromkeys(S3, frozenset({"connection", "endpoint", "region", "path_style", "profile"})),
    **dict.fromkeys(HTTP, frozenset({"connection"})),
}


def check_access(url: str, access: Access) -> None:
    """Raises ValueError where a URL has a password, or the access says what the URL's kind does not take."""
    scheme = url.partition("://")[0] if "://" in url else ""
    # Before pydantic repeats the input: messages and logs show a URL.
    if scheme in HTTP and "@" in urlsplit(url).netloc:
        raise ValueError(
            "a URL with a user or password is refused, since messages and logs show it. Name one of Airflow's"
            ' connections, which has them: access = { connection = "…" }'
        )
    if scheme in OF_SCHEME and urlsplit(url).password is not None:
        raise ValueError(
            "a URL with a password is refused, since messages and logs show it. Use a key or an agent"
        )
    wrong = sorted(access.model_fields_set - OF_SCHEME.get(scheme, frozenset()))
    if wrong:
        takers = [f"{each}://" for each, names in OF_SCHEME.items() if wrong[0] in names]
        raise ValueError(f"access: {wrong[0]} is for {' and '.join(takers)}")


def hide_query(url: str) -> str:
    """A URL as messages show it: what stands after `?` over HTTP may be a token."""
    before, asks, _ = url.partition("?")
    return f"{before}?…" if asks and url.partition("://")[0] in HTTP else url


def use_lake_access(access: Access) -> None:
    """Let this process and its workers reach the lake as the settings say."""
    if access.model_fields_set:
        os.environ[LAKE_ACCESS] = access.model_dump_json(exclude_unset=True)
    else:
        os.environ.pop(LAKE_ACCESS, None)


def lake_access() -> Access:
    """Return the access to the lake of the settings that were read last."""
    return Access.model_validate_json(os.environ.get(LAKE_ACCESS) or "{}")
