"""How a lake fares: sources, missing days, held rules, health.

`status`, the page and Airflow read it.
"""
