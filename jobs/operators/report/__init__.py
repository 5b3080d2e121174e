"""The report page: figures from gold, its sections and charts, and the files it is written to.

Only commands import it.
"""
