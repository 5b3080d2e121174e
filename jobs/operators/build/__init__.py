"""What a run does: the bronze, silver and gold stage, their tasks and checks, retention, renewal.

It joins engine, ingest and the kernels. Any room above may import it.
"""
