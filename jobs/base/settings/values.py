"""Checks of single values: networks, paths, file suffixes, amounts of memory, repeats."""

import ipaddress
import re
import zoneinfo

from pydantic import AfterValidator

from jobs.base.core.choices import check_choice

UNITS = {"": 1, "B": 1} | {
    f"{prefix}{unit}": base**power
    for power, prefix in enumerate("KMGT", start=1)
    for unit, base in (("B", 1000), ("iB", 1024))
}


def check_network(text: str) -> str:
    """The network itself if it is one; else an error with the nearest one."""
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{error}{nearest_network(text)}") from None
    return text


def nearest_network(text: str) -> str:
    """A hint such as `; did you mean '192.0.2.0/24'?` where only the bits after the prefix are wrong."""
    try:
        return f"; did you mean '{ipaddress.ip_network(text, strict=False)}'?"
    except ValueError:
        return "; write it as in 192.0.2.0/24 or 2001:db8::/32"


def refuse_control_characters(text: str) -> str:
    """The text if it has no control characters, such as NUL, which no path may have."""
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise ValueError(f"{text!r} has a control character; write a path or a URL")
    return text


def read_by_suffix(*suffixes: str) -> AfterValidator:
    """The check of a file's name: it ends in one of those, by which it is read."""

    def check_suffix(file: str) -> str:
        if not file.endswith(suffixes):
            raise ValueError(f"'{file}' must end in {', '.join(suffixes)}: by that it is read")
        return file

    return AfterValidator(check_suffix)


def check_zone(name: str) -> str:
    """The name itself if it is a time zone of the IANA; else an error with the nearest one."""
    return check_choice(name, zoneinfo.available_timezones(), "time zone")


def refuse_repeats(values: list[str], what: str) -> None:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{what} '{value}' stands twice")


def parse_bytes(text: str) -> int:
    """The bytes that a text such as 2GB (10^9) or 1.5 GiB (2^30) states; without a unit, bytes."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    units = {name.upper(): size for name, size in UNITS.items()}
    if not found or found.group(2).upper() not in units:
        raise ValueError(f"'{text}' is no amount of memory; write a number and a unit, as in 2GB or 512MiB")
    return int(float(found.group(1)) * units[found.group(2).upper()])
