"""public.spam_volume: estimated volume of a period per area, channel, unit, definition and quantity,
protected."""

from jobs.public.tables import coarsen_rows as transform

__all__ = ["transform"]
