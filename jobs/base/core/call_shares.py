"""Shares of spam in a filter's calls: what it flagged, what logs leave undecided, what it let pass."""

CALLS = ("flagged", "undecided", "passed")
ENDS = ("", "_low", "_high")
# The column with the share of spam in each call.
CALL_SHARES = tuple(f"{call}_spam_share" for call in CALLS)
SHARES = tuple(f"{share}{end}" for share in CALL_SHARES for end in ENDS)
# The share of what nobody labelled: half of it counts, and in the interval all of it or none.
UNTOLD = (0.5, 0.0, 1.0)
