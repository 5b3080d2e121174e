"""The door from bronze to silver: pseudonyms, rules for types and measures, places of addresses and numbers,
domains.

Kernels and silver use it; raw values end here.
"""
