"""What the DAGs share.

Only dags/ imports it.
"""
