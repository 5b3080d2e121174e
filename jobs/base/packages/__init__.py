"""Packages of monthly counts that operators send to the study: made, signed, verified and loaded.

Only commands, release and study import it.
"""
