"""The formats there are, by name."""

from __future__ import annotations

from types import ModuleType

from jobs.formats import (
    amavis,
    asterisk,
    delimited,
    dmarc,
    exim,
    feedback,
    jasmin,
    kamailio,
    kamailio_flat,
    kannel,
    kannel_smsbox,
    knowledge,
    opendkim,
    opendmarc_history,
    postfix,
    rspamd,
    rspamd_clickhouse,
    rspamd_history,
    sendmail,
    spamassassin,
)

# Formats of lines, which offer parse().
FORMATS: dict[str, ModuleType] = {
    module.FORMAT: module
    for module in (
        postfix,
        exim,
        sendmail,
        rspamd,
        rspamd_history,
        rspamd_clickhouse,
        spamassassin,
        amavis,
        opendkim,
        opendmarc_history,
        kannel,
        kannel_smsbox,
        jasmin,
        delimited,
        kamailio,
        kamailio_flat,
        asterisk,
    )
}
# Filters whose lines stand in the logs of other formats.
COMPANIONS: tuple[ModuleType, ...] = tuple(module for module in FORMATS.values() if hasattr(module, "WITHIN"))
# Formats of whole documents, which offer read() and not parse().
DOCUMENTS: dict[str, ModuleType] = {module.FORMAT: module for module in (dmarc, feedback, knowledge)}
# All of them.
KERNELS: dict[str, ModuleType] = FORMATS | DOCUMENTS
# Below this, a sample is of no format that is known here.
SURE_ENOUGH = 0.5


def sniff(sample: bytes) -> tuple[str | None, float]:
    """The format that recognises the sample best, and how sure it is; None when none is sure enough."""
    name, confidence = max(
        ((name, module.sniff(sample)) for name, module in KERNELS.items()), key=lambda pair: pair[1]
    )
    return (name, confidence) if confidence >= SURE_ENOUGH else (None, confidence)
