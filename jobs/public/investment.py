"""public.investment: estimated yearly spending against spam of the world, regions and groups, protected."""

from jobs.public.tables import coarsen_rows as transform

__all__ = ["transform"]
