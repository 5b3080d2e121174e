"""Hosts whose files are read and written: by SFTP, and object stores that speak S3.

The key of an SSH host must be known already: none is added.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import fsspec

from jobs.base.places.host_connections import HostConnection, read_connection
from jobs.base.settings.access import HTTP, S3, SFTP, Access

# Seconds: a host that does not answer, or a connection on which nothing moves, is away.
CONNECT, SILENT = 20, 60


def open_place(url: str, access: Access) -> tuple[Any, str]:
    """The file system of a URL, and the pattern of names in it. Raises ImportError, ValueError, and errors of
    connections."""
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme in SFTP:
        return open_sftp(url, access)
    if scheme in S3:
        from jobs.base.places.s3 import connect_s3

        fs = connect_s3(access)
        return fs, fs._strip_protocol(url)
    return fsspec.core.url_to_fs(url)


def open_sftp(url: str, access: Access) -> tuple[Any, str]:
    from sshfs import SSHFileSystem

    place = fsspec.utils.infer_storage_options(url)
    named = read_connection(access.connection) if access.connection else HostConnection()
    host, port = named.choose_host(place.get("host"), place.get("port"))
    user = place.get("username") or named.login
    keys = [access.key] if access.key else named.list_keys()
    fs = SSHFileSystem(
        host,
        **({"username": user} if user else {}),
        **({"port": port} if port else {}),
        **({"client_keys": keys} if keys else {}),
        **({"password": named.password} if named.password and not keys else {}),
        # sshfs asks for no check at all; () stands for the files of OpenSSH.
        known_hosts=access.known_hosts or named.find_known_host(host, port) or (),
        connect_timeout=CONNECT,
        login_timeout=SILENT,
        keepalive_interval=SILENT // 4,
        keepalive_count_max=3,
        skip_instance_cache=True,
    )
    return fs, place["path"]


def is_remote(url: str) -> bool:
    return url.partition("://")[0] in (*SFTP, *S3, *HTTP)


def needed_extra(url: str) -> str:
    """What installs a package that a URL needs."""
    extra = "sftp" if url.partition("://")[0] in SFTP else "s3"
    return f"Install it with `make setup-sources`, or with pip as spam-observatory[{extra}]"


def find_missing_bucket(fs: Any, pattern: str) -> str | None:
    """What is wrong with the bucket of a pattern that no object matches: a listing does not tell."""
    if "s3" not in fs.protocol:
        return None
    bucket = pattern.partition("/")[0]
    try:
        fs.call_s3("head_bucket", Bucket=bucket)
    except (FileNotFoundError, PermissionError) as error:
        return f"bucket '{bucket}' is not there, or not for these credentials: {error}"
    return None


def written_at(info: Mapping[str, Any]) -> dt.datetime | None:
    """When a listing says that a file was written, UTC."""
    at = info.get("LastModified") or info.get("mtime")
    return at.astimezone(dt.UTC) if isinstance(at, dt.datetime) else None
