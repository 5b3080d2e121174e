"""The questionnaire: forms for respondents, and the answers that they return.

Only commands, release, study and submission import it.
"""
