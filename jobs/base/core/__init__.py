"""The core that every room needs: errors, periods, codes, files and this machine.

It imports no other room. Any room above may import it.
"""
