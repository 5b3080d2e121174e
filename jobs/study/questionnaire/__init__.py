"""The questionnaire: forms for respondents, and the answers that they return.

Any room above may import it.
"""
