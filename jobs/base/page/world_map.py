"""The map of sources: land as dots, and a circle for each country, as SVG.

The projection is Equal Earth (Savric, Patterson and Jenny 2018): what is as large on the map is as large on
the globe. There are no borders. world/land.txt is the map itself, a character for each dot, taken from
Natural Earth's land at 1:110m (public domain, as in world-atlas 2.0.2); world/position.csv has a country's
middle, rounded to a degree, from the countries at 1:50m there, and for those without a shape from the tz
database.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.sax.saxutils import quoteattr

from markupsafe import Markup, escape

from jobs.base.core.languages import format_compact
from jobs.base.core.numbers import round_significant
from jobs.base.page.colours import ACCENT, INK, MUTED
from jobs.base.tables.contracts import read_csv_rows

FILES = Path(__file__).parent / "world"
LAND = "#cfd5da"
ALWAYS = 3
NORTH = 83.7  # the latitude of the upper edge
FACTORS = (1.340264, -0.081106, 0.000893, 0.003796)
NOTE = (
    "A circle's area is {}; its place is the middle of the country's largest part, to the degree."
    " Positions are approximate: neither they nor the dots of land imply any position on borders or on the"
    " status of a territory. Land and positions: Natural Earth and tz database, public domain."
)


@dataclass(frozen=True)
class MapCountry:
    """A country on the map: its name, its middle in degrees, and its spam."""

    name: str
    latitude: int
    longitude: int
    value: int


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps_box(self, other: Box) -> bool:
        is_beside = self.right <= other.left or other.right <= self.left
        return not (is_beside or self.bottom <= other.top or other.bottom <= self.top)


@cache
def load_land() -> tuple[str, ...]:
    return tuple((FILES / "land.txt").read_text(encoding="utf-8").split())


@cache
def load_positions() -> dict[str, tuple[int, int]]:
    rows = read_csv_rows(FILES / "position.csv")
    return {row["iso3"]: (int(row["latitude"]), int(row["longitude"])) for row in rows}


def project_point(latitude: float, longitude: float) -> tuple[float, float]:
    """East and north of the middle of the map, in radii of the globe."""
    a, b, c, d = FACTORS
    t = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    slope = a + 3 * b * t**2 + t**6 * (7 * c + 9 * d * t**2)
    east = 2 * math.sqrt(3) / 3 * math.radians(longitude) * math.cos(t) / slope
    return east, t * (a + b * t**2 + t**6 * (c + d * t**2))


def place_in_pixels(latitude: float, longitude: float, width: float, size: float = 0) -> tuple[float, float]:
    """Pixels from the upper left corner; a circle of that size stays whole at the edges."""
    per_radius = width / (2 * project_point(0, 180)[0])
    east, north = project_point(latitude, longitude)
    x, y = width / 2 + east * per_radius, (project_point(NORTH, 0)[1] - north) * per_radius
    height = width * len(load_land()) / len(load_land()[0])
    return min(max(x, size + 1), width - size - 1), min(max(y, size + 1), height - size - 1)


def draw_map(places: list[MapCountry], title: str, width: int, labels: int) -> Markup:
    """The map as SVG.

    Args:
        labels: how many of the largest places are named, where there is room.
    """
    pitch = width / len(load_land()[0])
    height = len(load_land()) * pitch
    dots = "".join(
        f"M{(column + 0.5) * pitch:.1f} {(row + 0.5) * pitch:.1f}h0"
        for row, line in enumerate(load_land())
        for column, point in enumerate(line)
        if point == "#"
    )
    ordered = sorted((p for p in places if p.value > 0), key=lambda p: (-p.value, p.name))
    largest = ordered[0].value if ordered else 1
    # On a phone all is drawn larger.
    is_small = width < 600
    radius = (0.042 if is_small else 0.034) * width
    sizes = [(place, max(radius * math.sqrt(place.value / largest), 1.6)) for place in ordered]
    body = [
        f'<path d="{dots}" fill="none" stroke="{LAND}" stroke-linecap="round"'
        f' stroke-width="{pitch * (0.8 if is_small else 0.62):.2f}"/>'
    ]
    for place, size in sizes:
        x, y = place_in_pixels(place.latitude, place.longitude, width, size)
        body.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" fill="{ACCENT}" fill-opacity="0.72"'
            ' stroke="#fff" stroke-width="1"/>'
        )
    body += draw_scale(largest, radius, height)
    body += place_names(sizes, width, labels, Box(0, height - radius * 2.8, radius * 4 + 90, height))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" role="img"'
    return Markup(f'{head} aria-label={quoteattr(title)} font-size="13">' + "".join(body) + "</svg>")


def place_names(sizes: list[tuple[MapCountry, float]], width: float, labels: int, taken: Box) -> list[str]:
    """Names beside the largest circles: on the right, the left, above or below, where nothing is yet."""
    circles = []
    for place, size in sizes:
        x, y = place_in_pixels(place.latitude, place.longitude, width, size)
        circles.append((place, x, y, size, Box(x - size, y - size, x + size, y + size)))
    used = [taken]
    drawn: list[str] = []
    for place, x, y, size, own in circles[:labels]:
        long = 7.2 * len(place.name)
        spots = [
            (x + size + 4, y + 4.5, "start", Box(x + size + 2, y - 9, x + size + 6 + long, y + 9)),
            (x - size - 4, y + 4.5, "end", Box(x - size - 6 - long, y - 9, x - size - 2, y + 9)),
            (x, y - size - 5, "middle", Box(x - long / 2, y - size - 18, x + long / 2, y - size - 1)),
            (x, y + size + 14, "middle", Box(x - long / 2, y + size + 1, x + long / 2, y + size + 18)),
        ]
        # Small circles may lie under a name; it is ringed in white.
        large = [box for _, _, _, r, box in circles if box is not own and r >= 5]
        inside = [s for s in spots if s[3].left >= 0 and s[3].right <= width and s[3].top >= 0]
        free = [spot for spot in inside if not any(spot[3].overlaps_box(other) for other in used)]
        clear = [spot for spot in free if not any(spot[3].overlaps_box(other) for other in large)]
        # The largest are named even if that means to write on another circle.
        for tx, ty, anchor, box in (clear or (free if len(drawn) < ALWAYS else []))[:1]:
            used.append(box)
            drawn.append(
                f'<text x="{tx:.1f}" y="{ty:.1f}" text-anchor="{anchor}" fill="{INK}"'
                f' paint-order="stroke" stroke="#fff" stroke-width="3.5" stroke-linejoin="round">'
                f"{escape(place.name)}</text>"
            )
    return drawn


def draw_scale(largest: int, radius: float, height: float) -> list[str]:
    """Two circles of known size in the lower left corner."""
    drawn, x = [], 4.0
    for value in dict.fromkeys(int(round_significant(part, 1)) for part in (largest / 10, largest)):
        if value <= 0:
            continue
        size = radius * math.sqrt(value / largest)
        drawn.append(
            f'<circle cx="{x + size:.1f}" cy="{height - radius * 1.3:.1f}" r="{size:.1f}" fill="none"'
            f' stroke="{MUTED}"/>'
        )
        x += 2 * size + 5
        text = format_compact(value)
        drawn.append(
            f'<text x="{x:.1f}" y="{height - radius * 1.3 + 4.5:.1f}" fill="{MUTED}">{escape(text)}</text>'
        )
        x += 8.0 * len(text) + 10
    return drawn
