"""Methods of statistics on plain numbers and frames: weights, intervals, prevalence, sampling, sensitivity,
imputation.

They know no table; whatever estimates may import them.
"""
