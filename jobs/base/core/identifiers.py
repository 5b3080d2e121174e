"""Personal identifiers in free text: mail addresses, IP addresses, telephone numbers."""

import ipaddress
import re
import unicodedata

MAIL_ADDRESS = re.compile(r"[^\s@<>(),;:]+@[^\s@<>(),;:]+")


DATE = re.compile(r"\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b")


# A telephone number begins with + or 0; a figure does not.
TELEPHONE = re.compile(r"(?<![\w.,/-])\(?(?:\+|0)\)?[ ./-]?\d(?:[ ()./-]{0,2}\d){6,13}(?!\d)")


def has_identifier(words: str) -> bool:
    """Return whether a text contains a mail address, an IP address or a telephone number."""
    # Digits of other scripts as Western ones.
    plain = "".join(str(unicodedata.digit(each, each)) if each.isdigit() else each for each in words)
    if MAIL_ADDRESS.search(plain) or TELEPHONE.search(DATE.sub(" ", plain)):
        return True
    return any(is_ip_address(each.strip("[]().,;:")) for each in plain.split())


def is_ip_address(word: str) -> bool:
    try:
        return bool(ipaddress.ip_address(word)) and not word.startswith("::")
    except ValueError:
        return False
