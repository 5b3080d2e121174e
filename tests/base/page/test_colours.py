"""The colours of pictures are those of the style, and can be read."""

import re

from jobs.base.page import colours
from jobs.base.page.templates import SHARED


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_stands_out_from_white() -> None:
    style = (SHARED / "page.css").read_text(encoding="utf-8")
    of_style = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", style))
    for name in ("ink", "muted", "accent"):
        assert 1.05 / (luminance(of_style[name]) + 0.05) >= 4.5, name
    drawn = (colours.ACCENT, colours.MUTED, colours.INK, colours.BAND)
    assert drawn == tuple(of_style[name] for name in ("accent", "muted", "ink", "tint"))
