"""Commands and what they show on a terminal or in a pipe; main.py names them, and each group has a module.

No room imports it.
"""
