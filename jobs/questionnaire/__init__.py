"""The questionnaire kit: forms for respondents, and what they answered."""
