"""Tables that may leave: the gate, and a transform for each published table. Contracts are in schemas/public.

Nothing else writes public tables; whatever is shown to others reads them alone.

Any room above may import it.
"""
