"""Channels that have something in common (list `channel`)."""

from __future__ import annotations

# Counted as calls, whatever carries them.
CALLS = ("VOICE_CS", "VOICE_IP", "VIDEO_IP")
# What records of SIP are about, whose keys are made of Call-IDs; an instant message has one as a call has.
NAMED_BY_CALL_ID = (*CALLS, "IM")
