"""Rules on what may be published: primary rules over contributions of holdings, and how figures are made
coarse.

Pure functions that import nothing but thresholds. p of the p% rule is an argument everywhere, and stands in
no message.

Only public and estimates import it.
"""
