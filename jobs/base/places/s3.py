"""An object store that speaks S3, through s3fs; only a lake or logs that lie in one load this module."""

import asyncio
import os
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import s3fs
from botocore.exceptions import FlexibleChecksumError
from fsspec.asyn import sync, sync_wrapper

from jobs.base.core.errors import ObservatoryError
from jobs.base.places import held_leases
from jobs.base.places.connections import CONNECT, SILENT, HostConnection, read_connection
from jobs.base.places.store_errors import find_store_error
from jobs.base.settings.access import Access, lake_access

# Seconds: a request to a lake that is tried again ends before a lease does (jobs/base/store/lease.py).
LAKE_CONNECT, LAKE_SILENT = 5, 15
TRIES = 3
# Seconds until what did not match its checksum is read again.
AGAIN = 0.1
# One request for ranges of a file; a log's tail is seldom longer. A part of what is written to a lake cannot
# be smaller than its block.
BLOCK, LAKE_BLOCK = 1 << 20, 5 << 20
WRITES = {"put_object", "copy_object", "delete_object", "delete_objects", "complete_multipart_upload"}


class LakeFiles(s3fs.S3FileSystem):
    """The objects of a lake. A store that refuses or is away is an error for a person, and a writer that lost
    its lease writes no more."""

    async def _call_s3(self, method: str, *parts: Any, **named: Any) -> Any:
        if method in WRITES and (held := held_leases.find_doubtful(named.get("Bucket"), named.get("Key"))):
            await asyncio.get_running_loop().run_in_executor(None, held.check)
        try:
            return await super()._call_s3(method, *parts, **named)
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:
            found = find_store_error(error)
            raise found or error from error

    async def _cat_file(self, path: str, *parts: Any, **named: Any) -> bytes:
        """The bytes of an object. While another replaces it, a store that keeps objects as files may send the
        checksum of one version with the bytes of the other: then it is read again."""
        for _ in range(TRIES - 1):
            try:
                return bytes(await super()._cat_file(path, *parts, **named))
            except FlexibleChecksumError:
                await asyncio.sleep(AGAIN)
        return bytes(await super()._cat_file(path, *parts, **named))

    call_s3 = sync_wrapper(_call_s3)


def connect_s3(access: Access, kind: type[Any] = s3fs.S3FileSystem) -> Any:
    """A new connection to an object store."""
    named = read_connection(access.connection) if access.connection else HostConnection()
    region = access.region or named.extra.get("region_name")
    own = LAKE_CONNECT, LAKE_SILENT, LAKE_BLOCK
    connect, silent, block = own if kind is LakeFiles else (CONNECT, SILENT, BLOCK)
    style = (
        {} if access.path_style is None else {"addressing_style": "path" if access.path_style else "virtual"}
    )
    fs = kind(
        **named.list_credentials(),
        endpoint_url=access.endpoint or named.extra.get("endpoint_url"),
        profile=access.profile,
        client_kwargs={"region_name": region} if region else {},
        config_kwargs={
            "s3": style,
            "connect_timeout": connect,
            "read_timeout": silent,
            "retries": {"mode": "standard", "total_max_attempts": TRIES},
        },
        default_block_size=block,
        default_fill_cache=False,
        skip_instance_cache=True,
        # Other processes write, too.
        use_listings_cache=False,
        # More would first ask how long each object is.
        max_concurrency=1,
    )
    # botocore tries again, with longer and longer pauses.
    fs.retries = 1
    return fs


def lake_files() -> Any:
    """The file system of a lake in an object store."""
    try:
        return connect_once(lake_access(), os.getpid())
    except ValueError as error:
        raise ObservatoryError(f"[lake] access: {error}") from None


@lru_cache(maxsize=4)
def connect_once(access: Access, process: int) -> Any:
    return connect_s3(access, LakeFiles)


def table_options(bucket: str) -> dict[str, str]:
    """Return the options by which delta-rs and Polars reach a lake's bucket: as s3fs does, with its
    credentials."""
    fs = lake_files()
    fs.connect()
    credentials = sync(fs.loop, frozen_credentials, fs)
    found = {
        "aws_region": str(fs.s3.meta.region_name),
        "aws_conditional_put": "etag",
        "connect_timeout": f"{LAKE_CONNECT}s",
        "timeout": f"{LAKE_SILENT}s",
        "max_retries": str(TRIES),
        "retry_timeout": f"{TRIES * LAKE_SILENT}s",
    }
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    found |= {name: value for name, value in zip(names, credentials, strict=False) if value}
    endpoint, _, is_path = describe_store()
    if endpoint:
        scheme, _, host = endpoint.partition("://")
        found |= {
            "aws_endpoint_url": endpoint if is_path else f"{scheme}://{bucket}.{host}",
            "aws_virtual_hosted_style_request": str(not is_path).lower(),
            "aws_allow_http": str(scheme == "http").lower(),
        }
    return found


def describe_store() -> tuple[str | None, str, bool]:
    """Describe the lake's store: its URL, None for AWS' own; its region; whether the bucket is a part of the
    path and not of the host's name."""
    fs = lake_files()
    fs.connect()
    about = fs.s3.meta
    host = str(urlsplit(about.endpoint_url).hostname)
    is_own = host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    # Whether a host is named by its address: then no bucket can stand before it.
    is_path = lake_access().path_style is True or (":" in host or host.replace(".", "").isdigit())
    return None if is_own else about.endpoint_url, str(about.region_name), is_path


async def frozen_credentials(fs: Any) -> tuple[str | None, ...]:
    """Key, secret and token: those of a connection, or of AWS' usual chain; nothing where it has none."""
    if fs.key:
        return fs.key, fs.secret, fs.token
    found = await fs.session.get_credentials()
    return tuple(await found.get_frozen_credentials())[:3] if found else ()
