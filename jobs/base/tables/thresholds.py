"""Thresholds of disclosure control that contracts name, and the edges of published shares.

The reasons are in docs/disclosure.md; jobs/study/disclosure applies them.
"""

# So many holdings have to be behind a figure; behind one of money.
HOLDINGS, MONEY_HOLDINGS = 3, 5
# So many members have to answer before a share of answers leaves as a class between these edges, in percent.
MEMBERS, SHARE_EDGES = 9, (25, 50, 75)
