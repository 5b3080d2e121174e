"""The officer's desk: a study begun, its frame built, its round of answers watched, its letters written,
and figures given back.

Only commands import it.
"""
