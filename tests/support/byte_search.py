"""Contents of a file, also packed: archives opened, columns of Parquet unpacked."""

import io
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping

import pyarrow.parquet as pq

# A number by itself, not within a digest or a word.
NUMBER = re.compile(rb"(?<![0-9A-Za-z.])\d+(?:\.\d+)?(?![0-9A-Za-z])")


def contents(name: str, data: bytes) -> Iterator[bytes]:
    """The bytes of a file and of all that is packed in it; of Parquet values and metadata, too."""
    yield name.encode()
    yield data
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield archive.comment
            for each in archive.infolist():
                yield each.extra + each.comment
                yield from contents(each.filename, archive.read(each))
    if data[:4] == b"PAR1":
        file = pq.ParquetFile(io.BytesIO(data))
        yield repr(file.metadata.to_dict()).encode()
        yield repr(file.metadata.metadata).encode()
        for column in file.read().columns:
            values = column.to_pylist()
            yield "\n".join(map(str, values)).encode()
            yield b"".join(struct.pack("<d", float(each)) for each in values if is_number(each))


def is_number(value: object) -> bool:
    return isinstance(value, int | float) or type(value).__name__ == "Decimal"


def found_in(
    files: Mapping[str, bytes], texts: Iterable[str], numbers: Iterable[float]
) -> dict[str, set[str]]:
    """Return the texts, and the numbers as text or 8 bytes, that stand in each file."""
    words = re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))).encode())
    exact = {float(each) for each in numbers}
    packed = {form(each): each for each in exact for form in FORMS if fits(form, each)}
    found: dict[str, set[str]] = {}
    for name, data in files.items():
        for part in contents(name, data):
            hits = {each.decode() for each in words.findall(part)}
            hits |= {str(each) for each in {float(text) for text in NUMBER.findall(part)} & exact}
            hits |= {str(each) for coded, each in packed.items() if coded in part}
            if hits:
                found.setdefault(name, set()).update(hits)
    return found


def double(value: float) -> bytes:
    return struct.pack("<d", value)


def whole(value: float) -> bytes:
    return struct.pack("<q", int(value))


FORMS = (double, whole)


def fits(form: object, value: float) -> bool:
    """Small numbers, as 8 bytes, would be found by chance."""
    return form is double or (value.is_integer() and value >= 2**16)
