"""Erasing subscribers: where a lake names them, and that what is erased stays so.

Any room above may import it.
"""
