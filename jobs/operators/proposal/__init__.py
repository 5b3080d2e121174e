"""Settings proposed from an operator's logs.

Only commands import it.
"""
