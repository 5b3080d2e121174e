"""Engines that run tasks, tables in Delta, locks, and the record of runs. The seam is jobs/engine/tasks.py.

It knows no kernel; stages give it tasks.
"""
