"""The form of packages: tables, manifest, signatures, receipts, and the folders that packages pass through.

Any room above may import it. It is all that passes from one wing to the other.
"""
