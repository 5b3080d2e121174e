"""Where a lake lies: a folder of this machine, or a prefix of a bucket in an object store that speaks S3."""

import importlib.util
import os
from typing import Any

from jobs.base.core.errors import ObservatoryError
from jobs.base.places.store_errors import StoreRefused

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
        # The lock imports this module before it is known whether there is a lake.
        import fsspec

        return fsspec.core.url_to_fs(root)
    refuse_missing_package()
    from jobs.base.places.s3 import lake_files

    fs = lake_files()
    return fs, fs._strip_protocol(plain_url(root))


def store_options(root: str) -> Options:
    """How delta-rs and Polars reach a lake; None for a folder."""
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
    """Whether a bucket keeps earlier versions of objects that are replaced or removed."""
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
