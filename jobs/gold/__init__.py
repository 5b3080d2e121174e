"""Kernels of the gold tables, one module each, and what several of them share.

Stages, explain and the page may import it.
"""
