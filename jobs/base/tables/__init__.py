"""Contracts of tables, and all that derives from them: schemas, checksums, merge rules, SQL conditions.

Any room above may import it.
"""
