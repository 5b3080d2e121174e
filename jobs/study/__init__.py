"""The study: estimates over operators, from their answers and packages.

Any room above may import it.
"""
