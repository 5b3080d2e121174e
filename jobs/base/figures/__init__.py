"""Areas, channels and rules of counting that figures refer to, and how figures are put into words.

Any room above may import it.
"""
