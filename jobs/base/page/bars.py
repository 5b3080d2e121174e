"""Bars from zero as SVG: one for each value, with names below, or small ones for a cell of a table."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import quoteattr

from markupsafe import Markup, escape

from jobs.base.core.numbers import format_compact
from jobs.base.page.colours import ACCENT, GRID, INK, MUTED

# The colour of a small bar for nothing.
EMPTY = "#d9dde1"


def draw_bars(values: Sequence[int], unit: str, names: Mapping[int, str], title: str, width: int) -> Markup:
    """A bar for each value, the largest value with its unit at its line.

    Args:
        names: by the place of a bar, below it.
    """
    high, left, top = 110, 8, 16
    step, most = (width - left) / len(values), max([*values, 1])
    body = [
        f'<rect x="{left + place * step:.1f}" y="{top + high * (1 - value / most):.1f}"'
        f' width="{step - 2:.1f}" height="{high * value / most:.1f}" fill="{MUTED}"/>'
        for place, value in enumerate(values)
    ]
    body.append(f'<path d="M{left},{top + high + 0.5}H{width}" stroke="{MUTED}" stroke-width="1"/>')
    body.append(f'<path d="M{left},{top - 0.5}H{width}" stroke="{GRID}" stroke-width="1"/>')
    label = escape(f"{format_compact(most)} {unit}")
    body.append(f'<text x="{left}" y="{top - 4}" fill="{MUTED}">{label}</text>')
    body += [
        f'<text x="{left + place * step:.1f}" y="{top + high + 16}" fill="{INK}">{escape(name)}</text>'
        for place, name in names.items()
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {high + top + 20}" role="img"'
    return Markup(f'{head} aria-label={quoteattr(title)} font-size="12">' + "".join(body) + "</svg>")


def draw_sparkline(values: Sequence[int], title: str) -> Markup:
    """A small bar for each value, a low grey one for zero."""
    top, step, high = max([*values, 1]), 6, 22
    bars = []
    for place, value in enumerate(values):
        tall = max(high * value / top, 2) if value else 1
        bars.append(
            f'<rect x="{place * step}" y="{high - tall:.1f}" width="4" height="{tall:.1f}"'
            f' fill="{ACCENT if value else EMPTY}"/>'
        )
    size = f'viewBox="0 0 {len(values) * step - 2} {high}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(title)}>'
    return Markup(head + "".join(bars) + "</svg>")
