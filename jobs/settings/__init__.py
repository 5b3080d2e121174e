"""observatory.toml as a model: read, checked, and completed from the environment.

Every room but core, stats, protect and formats may import it.
"""
