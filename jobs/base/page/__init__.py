"""Parts of a page that pages share: blocks, charts and maps as SVG, templates. Data in, HTML out; it reads no
table.

Only report, site and desk import it.
"""
