"""Where the key of pseudonyms comes from: names of environment variables."""

# The key itself, or the file that holds it.
KEY = "OBSERVATORY_PSEUDONYM_KEY"
KEY_FILE = "OBSERVATORY_PSEUDONYM_KEY_FILE"
