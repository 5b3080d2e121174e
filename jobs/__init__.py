"""The Spam Observatory's jobs: from operators' logs to what is published of them."""

import time

# When the program began, for commands that promise when they end (monotonic seconds).
STARTED = time.monotonic()
