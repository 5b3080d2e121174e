"""The operators' wing: from their logs to gold, to a page, and to a package for the study."""
