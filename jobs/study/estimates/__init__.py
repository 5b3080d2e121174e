"""Estimates over operators, from their answers and packages: a module for each study table.

Only commands, costs and release import it.
"""
