"""observatory.toml as a model: read, checked, and completed from the environment.

Any room above may import it.
"""
