"""What both wings rest on: contracts, settings, the lake and its engines, statistics, the form of packages.

It imports no wing.
"""
