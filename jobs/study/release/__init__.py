"""Releases: made from public tables alone, cleared, signed, published, verified and withdrawn.

Only commands, desk and site import it.
"""
