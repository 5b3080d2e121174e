"""Packages as the study takes them: judged, loaded and answered.

Any room above may import it.
"""
