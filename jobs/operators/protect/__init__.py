"""Protection between bronze and silver: pseudonyms, rules for types and measures, places of addresses and
numbers, domains.

Raw identifiers end here. Any room above may import it.
"""
