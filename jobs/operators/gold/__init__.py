"""Kernels of the gold tables, one module each, and what several of them share.

Any room above may import it.
"""
