"""Code that the DAGs share: schedules, commands and alerts, and jobs for spark-submit.

Only DAGs import it.
"""
