"""Kernels of the silver tables: rows of all formats joined into messages.

Any room above may import it.
"""
