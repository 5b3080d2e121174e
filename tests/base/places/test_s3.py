"""Additions to s3fs by the file system of a lake in an object store."""

from typing import Any

import pytest
import s3fs
from botocore.exceptions import FlexibleChecksumError

from jobs.base.places import s3


@pytest.mark.parametrize(("mismatches", "is_read"), [(0, True), (2, True), (3, False)])
def test_what_does_not_match_its_checksum_is_read_again(
    monkeypatch: pytest.MonkeyPatch, mismatches: int, is_read: bool
) -> None:
    left = [FlexibleChecksumError(error_msg="another version")] * mismatches

    async def read(*_: Any, **__: Any) -> bytes:
        if left:
            raise left.pop()
        return b"{}"

    monkeypatch.setattr(s3fs.S3FileSystem, "_cat_file", read)
    monkeypatch.setattr(s3, "AGAIN", 0)
    files = s3.LakeFiles(anon=True, skip_instance_cache=True)
    if is_read:
        assert files.cat_file("logs/lake/lock.json") == b"{}" and not left
    else:
        with pytest.raises(FlexibleChecksumError):
            files.cat_file("logs/lake/lock.json")
