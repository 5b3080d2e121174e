"""`observatory sniff`: a log's format, and what ingesting it would give. Stores nothing, needs no settings.

Only commands, proposal and reconcile import it.

    files.py        which files are one log, and what is wrong with those that cannot be read
    recognition.py  which format each file is of
    sampled_blocks.py      blocks of a file in an order that is a fair sample whenever it stops
    tally.py        what the kernels make of the blocks, or of whole documents: lines, patterns, bronze rows,
                    and which of the ignored lines look like refusals
    silver.py       silver of these rows by the kernels of a run, in memory: what is counted, what is left out
    zones.py        the zone that stamps were written in
    log_clocks.py   the zones and clocks of several logs, by the ids that they share
    survey.py       all of it for one log, first answer first
    proposal.py     the source to paste into the settings, or a profile to start from
    drawing.py      the terminal's view, with kinds.py; json_output.py the same as JSON
    command.py      from arguments to what is printed

A person waits for the first answer: what only the totals need is imported after it.
"""
