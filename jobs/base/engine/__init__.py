"""Engines that run tasks. The seam is jobs/base/engine/tasks.py.

It imports no kernel; stages give it tasks. Any room above may import it.
"""
