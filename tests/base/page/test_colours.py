"""The colours of pictures are those of the style, and can be read."""

import re

import pytest

from jobs.base.page import colours
from jobs.base.page.templates import SHARED


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


STYLE = (SHARED / "page.css").read_text(encoding="utf-8")
# The style's variables, for light screens and paper, and for dark screens.
LIGHT, DARK = (
    dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6});", block)) for block in re.findall(r":root {.*?}", STYLE)
)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(scheme: dict[str, str]) -> None:
    ground = luminance(scheme["paper"].ljust(7, "f"))
    for name in ("ink", "muted", "accent"):
        lighter, darker = sorted((luminance(scheme[name]), ground), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, name


def test_pictures_have_the_colours_of_the_style_which_dark_screens_replace() -> None:
    drawn = (colours.ACCENT, colours.MUTED, colours.INK, colours.BAND)
    assert drawn == tuple(LIGHT[name] for name in ("accent", "muted", "ink", "tint"))
    replaced = dict(re.findall(r'svg \[fill="(#\w+)"\] { fill: var\(--(\w+)\)', STYLE))
    assert all(replaced[colour] in DARK for colour in drawn)
