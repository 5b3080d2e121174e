"""The route picture: a Sankey diagram in three columns, as SVG.

Flows are (origin, link, destination, value). A node is as tall as what flows through it, so that what
enters a node in the middle leaves it. One flow is highlighted; what is unknown is grey.
"""

from collections import defaultdict
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from markupsafe import Markup, escape

from jobs.base.core.numbers import format_part
from jobs.base.figures.words import OTHER, UNKNOWN
from jobs.base.page.colours import ACCENT, INK, MUTED

FLOW, PALE, NODE, PALE_NODE = "#b8c2cc", "#e6e7e8", "#4b5661", "#b4b7ba"
BAR, GAP, SLOT = 9, 9, 19


@dataclass(frozen=True)
class Flow:
    """One route: a code in each of the three columns, and what takes it."""

    codes: tuple[str, str, str]
    value: int


@dataclass
class Node:
    """A code in a column. y and height in pixels.

    Attributes:
        taken: how far its left and right side are used.
    """

    column: int
    code: str
    value: int
    y: float = 0.0
    height: float = 0.0
    taken: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Ribbon:
    """A flow from a node to one of the next column."""

    start: Node
    end: Node
    value: int
    is_highlighted: bool


def largest_known_route(flows: list[Flow]) -> Flow | None:
    """The largest route that is known from end to end."""
    vague = {UNKNOWN, OTHER, "unknown"}
    known = [flow for flow in flows if not vague & set(flow.codes)]
    return min(known, key=lambda flow: (-flow.value, flow.codes), default=None)


def place_nodes(flows: list[Flow], height: float, slot: float = SLOT) -> tuple[list[dict[str, Node]], float]:
    """The nodes of each column, placed from the largest down, and the height they need."""
    total = sum(flow.value for flow in flows)
    columns: list[dict[str, Node]] = []
    for column in range(3):
        values: dict[str, int] = defaultdict(int)
        for flow in flows:
            values[flow.codes[column]] += flow.value
        order = sorted(
            values, key=lambda code: (code in (UNKNOWN, "unknown"), code == OTHER, -values[code], code)
        )
        columns.append({code: Node(column, code, values[code]) for code in order})
    deepest = 0.0
    for nodes in columns:
        y = 0.0
        for node in nodes.values():
            node.height = height * node.value / total
            room = max(node.height, slot)
            node.y = y + (room - node.height) / 2
            y += room + GAP
        deepest = max(deepest, y - GAP)
    for nodes in columns:
        used = sum(max(node.height, slot) + GAP for node in nodes.values()) - GAP
        for node in nodes.values():
            node.y += (deepest - used) / 2
    return columns, deepest


def add_ribbons(flows: list[Flow], columns: list[dict[str, Node]], shown: Flow | None) -> list[Ribbon]:
    """Flows between neighbouring columns, added up; the highlighted route stays apart."""
    added: dict[tuple[int, str, str, bool], int] = defaultdict(int)
    for flow in flows:
        for left in (0, 1):
            added[left, flow.codes[left], flow.codes[left + 1], flow == shown] += flow.value
    ranks = [{code: rank for rank, code in enumerate(nodes)} for nodes in columns]
    order = sorted(
        added, key=lambda key: (key[0], ranks[key[0]][key[1]], ranks[key[0] + 1][key[2]], not key[3])
    )
    return [Ribbon(columns[k[0]][k[1]], columns[k[0] + 1][k[2]], added[k], k[3]) for k in order]


def draw_sankey(
    flows: list[Flow], names: list[dict[str, str]], title: str, width: int, margin: int
) -> Markup:
    """The diagram as SVG.

    With a margin the outer labels stand beside the diagram, without one on it.

    Args:
        names: by code, for each column.
    """
    flows = [flow for flow in flows if flow.value > 0]
    total = sum(flow.value for flow in flows)
    shown = largest_known_route(flows)
    columns, height = place_nodes(flows, 300.0 if margin else 340.0, SLOT if margin else 34.0)
    per_pixel = (300.0 if margin else 340.0) / total
    xs = (margin, (width - BAR) / 2, width - margin - BAR)
    paths: list[tuple[bool, str]] = []
    for ribbon in add_ribbons(flows, columns, shown):
        thick = ribbon.value * per_pixel
        y0, y1 = ribbon.start.y + ribbon.start.taken[1], ribbon.end.y + ribbon.end.taken[0]
        ribbon.start.taken = (ribbon.start.taken[0], ribbon.start.taken[1] + thick)
        ribbon.end.taken = (ribbon.end.taken[0] + thick, ribbon.end.taken[1])
        is_vague = {ribbon.start.code, ribbon.end.code} & {UNKNOWN, "unknown"}
        colour = ACCENT if ribbon.is_highlighted else PALE if is_vague else FLOW
        x0, x1 = xs[ribbon.start.column] + BAR, xs[ribbon.end.column]
        shape = ribbon_path(x0, y0, x1, y1, max(thick, 0.6))
        paths.append((ribbon.is_highlighted, f'<path d="{shape}" fill="{colour}" fill-opacity="0.8"/>'))
    body = [path for _, path in sorted(paths, key=lambda path: path[0])]
    for column, nodes in enumerate(columns):
        for node in nodes.values():
            fill = PALE_NODE if node.code in (UNKNOWN, "unknown") else NODE
            body.append(
                f'<rect x="{xs[column]:.1f}" y="{node.y:.1f}" width="{BAR}"'
                f' height="{max(node.height, 1):.1f}" fill="{fill}"/>'
            )
    for column, nodes in enumerate(columns):
        for node in nodes.values():
            body.append(
                draw_label(node, names[column].get(node.code, node.code), xs[column], total, margin > 0)
            )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -8 {width} {height + 16:.0f}" role="img"'
    return Markup(f'{head} aria-label={quoteattr(title)} font-size="13">' + "".join(body) + "</svg>")


def ribbon_path(x0: float, y0: float, x1: float, y1: float, thick: float) -> str:
    middle = (x0 + x1) / 2
    y2, y3 = y1 + thick, y0 + thick
    return (
        f"M{x0:.1f},{y0:.1f}C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
        f"V{y2:.1f}C{middle:.1f},{y2:.1f} {middle:.1f},{y3:.1f} {x0:.1f},{y3:.1f}Z"
    )


def draw_label(node: Node, name: str, x: float, total: int, is_outside: bool) -> str:
    """Name and share: one line beside the diagram, two lines on it."""
    is_left = node.column == 0
    if is_outside:
        at, anchor = (x - 7, "end") if is_left else (x + BAR + 7, "start")
    else:
        at, anchor = (x - 5, "end") if node.column == 2 else (x + BAR + 5, "start")
    y = node.y + node.height / 2
    share = f'<tspan fill="{MUTED}"{{}}>{format_part(node.value, total)}</tspan>'
    if is_outside:
        text = f'<tspan fill="{INK}">{escape(name)}</tspan> ' + share.format("")
        y += 4.5
    else:
        text = f'<tspan fill="{INK}">{escape(name)}</tspan>' + share.format(f' x="{at:.1f}" dy="15"')
        y -= 3
    return (
        f'<text x="{at:.1f}" y="{y:.1f}" text-anchor="{anchor}" paint-order="stroke" stroke="#fff"'
        f' stroke-width="4" stroke-linejoin="round">{text}</text>'
    )
