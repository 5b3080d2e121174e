"""What may leave: the contracts of published tables, the gate, and a transform for each table.

Nothing else writes public tables; whatever is shown to others reads them alone.

Any room above may import it.
"""
