"""Samples for people to label: drawn, written as sheets, read back, for `observatory audit`.

Only commands import it.
"""
