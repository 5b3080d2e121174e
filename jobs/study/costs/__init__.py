"""Computation of a cost figure of the study's tables, for `observatory cost explain`.

Only commands import it.
"""
