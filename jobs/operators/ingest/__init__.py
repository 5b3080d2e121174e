"""Path from sources to landing (pull, pieces and their manifest) and from pieces to bronze rows.

Any room above may import it.
"""
