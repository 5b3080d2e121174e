"""The publication: a release as a folder of pages, from its published tables alone.

Only commands and desk import it.
"""
