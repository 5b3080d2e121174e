"""What commands show on a terminal or in a pipe; main.py names them, and each group of commands has a module.
Imports of every other room are allowed; no room imports this one."""
