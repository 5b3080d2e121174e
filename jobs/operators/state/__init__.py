"""The state of a lake: sources, missing days, held rules, packages that were sent, health.

Only commands, report and DAGs import it.
"""
