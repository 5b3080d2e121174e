"""Kernels of the silver tables: rows of all formats joined into messages.

Stages, sniff and explain may import it.
"""
