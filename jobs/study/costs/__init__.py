"""How a cost figure of the study's tables was computed, for `observatory cost explain`.

Only commands import it.
"""
