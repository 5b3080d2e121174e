"""What a lake keeps, removes and renews, and whose it is.

Any room above may import it.
"""
