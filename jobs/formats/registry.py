"""The formats there are, by name."""

from __future__ import annotations

from types import ModuleType

from jobs.formats import dmarc, feedback, kannel, postfix, rspamd

FORMATS: dict[str, ModuleType] = {module.FORMAT: module for module in (postfix, rspamd, kannel)}
# Formats of whole documents, which offer read() and not parse().
DOCUMENTS: dict[str, ModuleType] = {module.FORMAT: module for module in (dmarc, feedback)}
# Below this, a sample is of no format that is known here.
SURE_ENOUGH = 0.5


def sniff(sample: bytes) -> tuple[str | None, float]:
    """The format that recognises the sample best, and how sure it is; None when none is sure enough."""
    name, confidence = max(
        ((name, module.sniff(sample)) for name, module in FORMATS.items()), key=lambda pair: pair[1]
    )
    return (name, confidence) if confidence >= SURE_ENOUGH else (None, confidence)
