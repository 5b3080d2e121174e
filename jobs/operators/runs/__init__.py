"""A run: bronze, silver and gold one after the other, filter quality, and lineage.

Any room above may import it.
"""

# Modules that engines import before the tasks of a run.
PRELOAD = (f"{__name__}.preload",)
