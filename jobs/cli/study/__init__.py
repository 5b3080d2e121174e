"""Commands for the study: questionnaire, estimates and releases."""
