"""Methods of statistics on plain numbers and frames: weights, intervals, prevalence, sampling, sensitivity,
imputation.

It knows no table. Any room above may import it.
"""
