"""`observatory sniff`: what a log is, and what ingesting it would give. Stores nothing, starts no JVM.

    files.py        which files are one log, and what is wrong with those that cannot be read
    recognising.py  which format each file is of
    reading.py      blocks of a file in an order that is a fair sample whenever it stops
    tally.py        what the kernels make of the blocks: lines, patterns, bronze rows
    counting.py     messages, recipients and attempts by the counting rules, as far as one log tells
    zones.py        the zone that stamps were written in
    documents.py    formats of whole documents, such as reports
    looking.py      all of it for one log, first answer first
    proposal.py     the source to paste into the settings, or a profile to start from
    drawing.py      the terminal's view, with figures.py; machine.py the same as JSON
    command.py      from arguments to what is printed

Nothing here may import Spark: a person waits for the first answer.
"""
