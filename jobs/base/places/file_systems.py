"""File systems: of a lake, in a folder or in an object store that speaks S3, and of hosts whose files are
read and written, also by SFTP.

The key of an SSH host must be known already: none is added. fsspec is loaded where files are opened alone:
the lock imports this module before it is known whether there is a lake.
"""

import datetime as dt
import importlib.util
import os
from collections.abc import Mapping
from typing import Any

from jobs.base.core.errors import ObservatoryError
from jobs.base.places.connections import CONNECT, SILENT, HostConnection, read_connection
from jobs.base.places.store_errors import StoreRefused
from jobs.base.settings.access import HTTP, S3, SFTP, Access

# What DeltaTable and Polars are given for a folder: nothing.
Options = dict[str, str] | None


def is_local(root: str) -> bool:
    return "://" not in root or root.startswith(f"file:{os.sep}{os.sep}")


def plain_url(root: str) -> str:
    """A root as Python's libraries write it."""
    return root.replace("s3a://", "s3://").rstrip("/")


def open_store(root: str) -> tuple[Any, str]:
    """The file system of a lake's root, or of a folder in it, and its path there. Raises ObservatoryError
    where what reads it is not installed."""
    if is_local(root):
        import fsspec

        return fsspec.core.url_to_fs(root)
    refuse_missing_package()
    from jobs.base.places.s3 import lake_files

    fs = lake_files()
    return fs, fs._strip_protocol(plain_url(root))


def store_options(root: str) -> Options:
    """Return the options by which delta-rs and Polars reach a lake; None for a folder."""
    if is_local(root):
        return None
    refuse_missing_package()
    from jobs.base.places.s3 import table_options

    return table_options(plain_url(root).partition("://")[2].partition("/")[0])


def refuse_missing_bucket(fs: Any, path: str) -> None:
    """Raise ObservatoryError where an object store does not have a lake's bucket."""
    if "file" not in fs.protocol:
        try:
            fs.call_s3("head_bucket", Bucket=path.partition("/")[0])
        except FileNotFoundError as error:
            raise StoreRefused(
                f"[lake] root: bucket '{path.partition('/')[0]}' is not there: {error}. Make it, or correct"
                " [lake] root or access"
            ) from None


def keeps_versions(fs: Any, bucket: str) -> bool:
    """Return whether a bucket keeps earlier versions of objects that are replaced or removed."""
    try:
        return bool(fs.call_s3("get_bucket_versioning", Bucket=bucket).get("Status") == "Enabled")
    except NotImplementedError:
        return False


def refuse_missing_package() -> None:
    if importlib.util.find_spec("s3fs") is None:
        raise ObservatoryError(
            "[lake] root: s3:// needs the package s3fs, which the default installation does not contain."
            " `make setup-sources` installs it. Or name a folder"
        )


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
    import fsspec

    return fsspec.core.url_to_fs(url)


def open_sftp(url: str, access: Access) -> tuple[Any, str]:
    import fsspec
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
    """Say how to install the package that a URL needs."""
    extra = "sftp" if url.partition("://")[0] in SFTP else "s3"
    return f"Install it with `make setup-sources`, or with pip as spam-observatory[{extra}]"


def find_missing_bucket(fs: Any, pattern: str) -> str | None:
    """Say what is wrong with the bucket of a pattern that no object matches: a listing does not show it."""
    if "s3" not in fs.protocol:
        return None
    bucket = pattern.partition("/")[0]
    try:
        fs.call_s3("head_bucket", Bucket=bucket)
    except (FileNotFoundError, PermissionError) as error:
        return f"bucket '{bucket}' is not there, or not for these credentials: {error}"
    return None


def written_at(info: Mapping[str, Any]) -> dt.datetime | None:
    """Return the time at which a file was written, as a listing has it, UTC."""
    at = info.get("LastModified") or info.get("mtime")
    return at.astimezone(dt.UTC) if isinstance(at, dt.datetime) else None
