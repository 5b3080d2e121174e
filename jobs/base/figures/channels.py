"""Channels that have something in common (list `channel`)."""

# Counted as calls, whatever carries them.
CALLS = ("VOICE_CS", "VOICE_IP", "VIDEO_IP")
