"""Names of mobile networks: MCC-MNC of Rec. ITU-T E.212."""


def is_mcc_mnc(code: str) -> bool:
    """Return whether it is a mobile country code and a mobile network code, as in 234-15."""
    country, _, network = code.partition("-")
    digits = country + network
    return digits.isascii() and digits.isdigit() and len(country) == 3 and len(network) in (2, 3)
