"""The study: estimates over operators, from their answers and packages.

Only commands and release import it.
"""
