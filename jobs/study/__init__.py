"""The study's wing: from packages and answers to estimates, and to a protected and attacked release."""
