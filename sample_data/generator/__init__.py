"""A small simulated world of mail and SMS operators.

world      the event loop, networks, traffic over the day
logfile    log files in time order, with the stamps and the rotation of real servers
truth      what happened, counted by the rules of the study
profiles   who the operators are and what traffic they see
mail       Postfix with Rspamd: sessions, verdicts, the queue, deliveries, bounces
sms        Kannel: messages over links, delivery reports, refusals

Nothing here reads a log: truth is told by the world, never parsed from what was written.
"""
