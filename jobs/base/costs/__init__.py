"""`observatory cost`: how a cost figure was computed, and which figures may be added.

Any room above may import it.

figure.py         a figure of any kind
proposed_costs.py  fixed costs proposed from prices
model_figures.py  figures of published models
month.py          figures of an operator's month, from the lake
month_steps.py    the formulas behind such a month
simulation.py     a month's cost, point by point
prices.py         prices of measured effort
price_year.py     published amounts in prices of another year, and another currency
sums.py           which figures may be added, and their sum
drawing.py        how they look on a terminal
"""
