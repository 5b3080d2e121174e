"""Samples for people to label: drawn, written as sheets, read back. `observatory audit` uses it."""
