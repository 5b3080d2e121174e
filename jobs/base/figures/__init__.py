"""What figures are of, and how they are put into words: areas, channels, rules of counting.

Any room above may import it.
"""
