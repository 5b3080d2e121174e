"""What every room needs: errors, contracts and code lists, periods, words and number formats, SQL conditions
and merge rules.

It imports no other room; all others may import it.
"""
