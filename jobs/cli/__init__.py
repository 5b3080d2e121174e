"""What commands show on a terminal or in a pipe. Imports of every other room are allowed; no room imports
this one."""
