"""Estimates over operators, from their answers and packages: a module for each study table.

Only commands, costs, desk and release import it.
"""
