"""The economist's door: how a cost figure came about, and which figures may be added."""
