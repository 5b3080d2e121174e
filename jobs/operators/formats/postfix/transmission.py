"""Counts Postfix's bronze rows: one transmission per queue file and recipient, or refused attempt.

A queue file gives one row per recipient as first given (orig_to before to), so that an alias counts
once: the last status in time of each address, and of an alias's addresses the outcome of highest
precedence. A queue file that qmgr never took and nobody refused is no message yet: the client gave
up, or its lines are still to come. What was refused after DATA names at most one recipient.

A session gives one row per (sender, recipient) that it was refused for, or one without a recipient
when it was refused before RCPT. A postscreen session counts when it failed a test (PREGREET, DNSBL,
a command test, a deny list) and did not pass; one that only hung up, or only connected, does not.

`queue` and `previous_queue` are host|queue id: a re-injection does not tell the instance of the queue
that it names. Two instances of one host may share a short queue id at one time; long ids do not.

Rows of one assembly_key must come together; nothing else is needed.
"""

import polars as pl

from jobs.operators.formats.postfix.assembly import assemble
from jobs.operators.formats.postfix.attempts import of_screens, of_sessions
from jobs.operators.formats.postfix.deliveries import of_queue_files
from jobs.operators.formats.postfix.held import settle
from jobs.operators.formats.shared.fields import as_mail


def transmissions(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """What silver takes, with the columns of TRANSMISSION. Raw identifiers."""
    frame = bronze.collect()
    if (frame["row_code"] == "held").any():
        frame = assemble(settle(frame.lazy())).collect()
    parts = [of_queue_files(frame), of_sessions(frame), of_screens(frame)]
    return as_mail(parts, "postfix")
