"""The state of a lake: sources, missing days, held rules, health.

Only commands and DAGs import it.
"""
