"""A small writer of MaxMind DB files, so that tests need no database of anyone's.

Format: a binary tree of records of 32 bits, sixteen null bytes, the data section, the marker, metadata
(MaxMind DB File Format Specification 2.0).
"""

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"
MAP, STRING, UINT16, UINT32, UINT64, ARRAY = 7, 2, 5, 6, 9, 11


def write_maxmind(file: Path, records: dict[str, dict[str, Any]], kind: str, built: dt.datetime) -> None:
    """Write networks that do not overlap, with a record each; IPv4 lies at ::/96."""
    nodes: list[list[int | bytes | None]] = [[None, None]]
    for text, record in records.items():
        network = ipaddress.ip_network(text)
        length = network.prefixlen + (96 if network.version == 4 else 0)
        bits = f"{int(network.network_address):0128b}"[:length]
        place = 0
        for bit in bits[:-1]:
            following = nodes[place][int(bit)]
            if not isinstance(following, int):
                nodes.append([None, None])
                following = nodes[place][int(bit)] = len(nodes) - 1
            place = following
        nodes[place][int(bits[-1])] = encoded(record)
    data, tree = bytearray(), bytearray()
    for node in nodes:
        for value in node:
            if value is None:
                pointer = len(nodes)
            elif isinstance(value, int):
                pointer = value
            else:
                pointer = len(nodes) + 16 + len(data)
                data += value
            tree += pointer.to_bytes(4, "big")
    metadata = encoded(
        {
            "binary_format_major_version": (UINT16, 2),
            "binary_format_minor_version": (UINT16, 0),
            "build_epoch": (UINT64, int(built.timestamp())),
            "database_type": kind,
            "description": {"en": kind},
            "ip_version": (UINT16, 6),
            "languages": ["en"],
            "node_count": len(nodes),
            "record_size": (UINT16, 32),
        }
    )
    file.write_bytes(bytes(tree) + bytes(16) + bytes(data) + MARKER + metadata)


def encoded(value: Any) -> bytes:
    """A value of the data section; a number is given its type by a pair."""
    if isinstance(value, dict):
        return control(MAP, len(value)) + b"".join(
            encoded(key) + encoded(each) for key, each in value.items()
        )
    if isinstance(value, list):
        return control(ARRAY, len(value)) + b"".join(map(encoded, value))
    if isinstance(value, str):
        return control(STRING, len(value.encode())) + value.encode()
    kind, number = value if isinstance(value, tuple) else (UINT32, value)
    body = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return control(kind, len(body)) + body


def control(kind: int, size: int) -> bytes:
    """Return the bytes before a value: its type and size, the size above 28 in a byte of its own."""
    assert size < 285, "longer values have longer sizes, which no test needs"
    short, rest = (size, b"") if size < 29 else (29, bytes([size - 29]))
    # Types above 7 stand in a second byte.
    return (bytes([short, kind - 7]) if kind > 7 else bytes([kind << 5 | short])) + rest
