"""The first five minutes: from logs without settings to a report page, or to a settings file.

Only commands import it.
"""
