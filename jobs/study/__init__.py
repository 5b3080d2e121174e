"""The study: estimates over operators, from their answers and submissions."""
