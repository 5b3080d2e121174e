"""Counts of a mail log beside another program's, each difference explained by a rule.

Only commands import it.
"""
