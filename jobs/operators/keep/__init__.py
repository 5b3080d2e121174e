"""Keeping, removing and renewing the contents of a lake, and its owner.

Any room above may import it.
"""
