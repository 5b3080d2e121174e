"""The state of a lake: sources, missing days, held rules, health.

Only commands, report and DAGs import it.
"""
