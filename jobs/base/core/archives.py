"""Zip archives that others send: one that names millions of files is refused before its list is read."""

import io
import struct
import zipfile
import zlib

# Bytes of the list of an archive's files: some hundred files with long names.
LARGEST_LIST = 64 * 2**10
END, END_SIZE, LARGEST_COMMENT = b"PK\5\6", 22, 2**16
ZIP64 = b"PK\6\7"
# What reading a damaged archive raises.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    # A damaged name.
    UnicodeDecodeError,
)


class Damaged(Exception):
    """An archive or a workbook that cannot be read; the text says why."""


def open_archive(data: bytes) -> zipfile.ZipFile:
    """The archive in a file's bytes. Raises Damaged if it is none, or names more files than LARGEST_LIST
    bytes hold."""
    place = end_of(data)
    if place < 0:
        raise Damaged("File is not a zip file")
    (size,) = struct.unpack_from("<L", data, place + 12)
    if size > LARGEST_LIST or data[place - 20 : place - 16] == ZIP64:
        raise Damaged("it names too many files")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except DAMAGED as error:
        raise Damaged(str(error)) from None


def end_of(data: bytes) -> int:
    """Find the record that ends an archive, as zipfile does; -1 without one."""
    place = len(data) - END_SIZE
    if place >= 0 and data[place : place + 4] == END and data[-2:] == b"\0\0":
        return place
    place = data.rfind(END, max(len(data) - END_SIZE - LARGEST_COMMENT, 0))
    return place if place + END_SIZE <= len(data) else -1
