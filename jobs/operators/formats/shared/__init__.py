"""Functions and columns that kernels of several families share."""
