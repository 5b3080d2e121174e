"""The base of both wings: contracts, settings, the lake and its engines, statistics, the form of packages.

It imports no wing.
"""
