"""Great Expectations on tables of a lake, and the latest result of each rule.

Any room above may import it.
"""
