"""Channels that have something in common (list `channel`)."""

from __future__ import annotations

# Counted as calls, whatever carries them.
CALLS = ("VOICE_CS", "VOICE_IP", "VIDEO_IP")
