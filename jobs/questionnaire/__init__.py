"""The questionnaire: forms for respondents, and the answers that they return.

Only commands, release and submission import it.
"""
