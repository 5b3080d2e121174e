"""The questionnaire: forms for respondents, and the answers that they return.

Only commands and submission import it.
"""
