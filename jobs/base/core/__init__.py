"""What every room needs: errors, contracts and code lists, periods, words and number formats, SQL conditions
and merge rules.

It imports no other room. Any room above may import it.
"""
