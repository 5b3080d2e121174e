"""Packages as an operator makes them: gold's counts, protected, signed, and sent to the study.

Any room above may import it.
"""
