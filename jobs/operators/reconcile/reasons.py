"""The rules of this project that make its counts differ from another program's, in words.

{} stands for the other program's name.
"""

OWN_NOTICES = "the server's own bounces and notices count as no message"
HOP = "hops fold: to a filter and back is one message"
ALIAS = "an alias that a later hop expands is not counted again"
ONCE = "all lines on one recipient count once: retries, aliases"
FOLLOWED = "a temporary refusal that is followed up within 24 hours counts in what followed"
SESSION = "refusals of one session, sender and recipient are one attempt"
WITH_RCPT = "a session's other refusals are none beside those of its recipients"
PASSED = "postscreen let the client pass in the end"
LET_THROUGH = "the message was let through after all"
NO_MESSAGE = "no message came of it: the client went away"
AT_RCPT = "discarded by the RCPT ACL: the line on the recipient counts, not the message's"
WARNING = "reject_warning refuses nothing"
FORWARDED = "forwarded: what follows is another hop"
LATER = "a later try decided: "
COUNTS_AS = "the recipient counts as "
FILTER_ONLY = "recipients that the filter's log names, and the server's does not"
FORM = "lines in a form that {} does not read"
SERVICE = "services under names that {} does not know"
NOT_BEGUN = "messages that came in before these logs begin"
NOT_TAKEN = "refused after DATA: the server logs no arrival of them"
HELD_BEFORE_QUEUE = "held or discarded before they had a queue file"
BY_FILTER = "a filter discarded what the server handed it, which for {} is delivered"
NO_REJECT = {
    "milter-reject": "refused by a milter outside of cleanup, which {} does not count",
    "milter-hold": "held by a milter, which {} does not count",
    "milter-discard": "discarded by a milter, which {} does not count",
    "proxy-reject": "refused by a filter before the queue, which {} does not count",
}
BY_ACL = "discarded by an ACL, in a line that {} does not count"
ON_DELIVERY = "discarded on delivery, which for {} is delivered"
NO_LINE = "refused without a reject line: postscreen's tests, limits"
REFUSED_TOGETHER = "refused after DATA in one line for all recipients"
OUTGOING = "another host refused the server's own connection: {} takes it for a reject"
COPY = "lines that another file holds, too, count once"
# A line that no rule accounts for.
UNKNOWN = ""
