"""The lake: its tables in Delta, where they lie, who writes them, and the record of runs.

Any room above may import it.
"""
