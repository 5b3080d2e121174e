"""Commands for an operator's logs and lake."""
