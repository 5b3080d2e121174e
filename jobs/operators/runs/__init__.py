"""A run: bronze, silver and gold one after the other, filter quality, and lineage.

Any room above may import it.
"""
