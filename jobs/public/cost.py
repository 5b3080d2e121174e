"""public.cost: costs of spam by published models."""

from jobs.public.tables import coarse as transform

__all__ = ["transform"]
