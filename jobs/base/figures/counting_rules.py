"""Rules of counting that several rooms apply; docs/counting.md has all of them."""

import datetime as dt

# The operators' own definition of spam: what their measures against it stopped or marked.
OPERATOR = "OPERATOR"
# The measure that is the denominator of shares of spam: recipients and attempts.
ATTEMPTED = "attempted"
# The directions that totals over operators add. Outbound mail is another operator's inbound mail.
RECEIVED = ["inbound", "internal"]
# The measure of ref.measure that each side's unit of traffic between two countries belongs to. An attempt
# that a receiver refuses before there is a message is a recipient to the sender; an attempt of the sender's
# own client never left it. Messages are left out: one with recipients in two countries is counted under one.
SENT_MEASURES = {"recipient": "attempted", "segment": "segments", "call": "calls"}
RECEIVED_MEASURES = SENT_MEASURES | {"attempt": "attempted"}
# Stages at which the content was there, so that a filter could look at it.
CONTENT_SEEN = ["content", "delivery"]
# SQL for recipients at these stages: the units that a filter's error is measured on.
HAD_CONTENT = f"unit_code = 'recipient' AND stage_code IN ({', '.join(map(repr, CONTENT_SEEN))})"
# Outcomes in which a message did not get to the user, and those that a measure against spam may decide.
STOPPED = ["rejected", "discarded", "quarantined", "deferred"]
ACTED = [*STOPPED, "tagged"]
# A temporary failure and a retry within this time count once: as one attempt of a mail, or one SMS.
RETRIED_WITHIN = dt.timedelta(hours=24)
