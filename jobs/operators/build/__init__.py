"""From bronze to gold: the stages, their tasks and checks, and which days they compute.

Any room above may import it.
"""
