"""What every room needs: reading SQL conditions, merging parts of tables, sketches, checksums.

Any room may import it; it imports nothing of jobs/ but contracts and errors.
"""
