"""Stages from bronze to gold, their tasks and checks, and the days that they compute.

Any room above may import it.
"""
