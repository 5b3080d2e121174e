"""One message, attempt or call from its log lines to gold's cells, for the operator who has the key.

Only commands and reconcile import it.
"""
