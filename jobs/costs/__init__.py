"""`observatory cost`: how a cost figure came about, and which figures may be added.

figure.py       what a figure is, whichever kind it is of
published.py    figures of published models
month.py        figures of an operator's month, from the lake
month_steps.py  the formulas behind such a month
simulation.py   a month's cost, point by point
prices.py       what effort is priced with
study.py        rows of the study's tables by name, from the lake
study_figures.py  figures of the study's tables
study_facts.py  what explanations of such figures share
study_parts.py  what such a figure consists of
adding.py       which figures may be added, and their sum
drawing.py      how they look on a terminal
"""
