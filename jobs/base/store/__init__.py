"""The lake: its tables in Delta, who writes them, and the record of runs.

Any room above may import it.
"""
