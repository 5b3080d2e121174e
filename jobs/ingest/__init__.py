"""From sources to landing: pull, pieces and their manifest; and from pieces to bronze rows.

Stages and `sniff` use it.
"""
