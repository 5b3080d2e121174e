"""The map: places on land, circles as large as their values, names that do not meet."""

import re

import pytest

from jobs.base.figures import words
from jobs.base.page import world_map


def test_every_member_state_has_a_place_on_the_map() -> None:
    there = world_map.load_positions()
    without = {r["iso3"] for r in words.reference("country") if r["iso3"] not in there}
    assert without == {"BVT"}  # no land in Natural Earth's file, and no time zone
    assert there["NPL"] == (28, 84) and there["FJI"] == (-18, 178)


def test_a_place_on_the_mainland_is_on_land() -> None:
    """The dots and the places are made apart: if the projection of either were off, they would not meet."""
    lines = world_map.load_land()
    width = len(lines[0])
    for code in ("BRA", "AUS", "USA", "CAN", "RUS", "CHN", "IND", "DZA", "COD", "ZAF", "FRA", "SAU", "KAZ"):
        x, y = world_map.place_in_pixels(*world_map.load_positions()[code], width)
        assert lines[int(y)][int(x)] == "#", code


def test_a_circle_is_as_large_as_its_spam_and_whole() -> None:
    places = [world_map.MapCountry("Fiji", -18, 178, 400), world_map.MapCountry("Nepal", 28, 84, 100)]
    svg = world_map.draw_map([*places, world_map.MapCountry("Nauru", 0, 167, 0)], "t", 920, 5)
    circles = re.findall(r'<circle cx="([\d.]+)" cy="[\d.]+" r="([\d.]+)" fill="#', svg)
    assert len(circles) == 2
    (x, large), (_, small) = [(float(x), float(r)) for x, r in circles]
    assert large == pytest.approx(2 * small, abs=0.2)
    assert x + large < 920
    assert ">Fiji<" in svg and ">Nepal<" in svg and "Nauru" not in svg


def test_names_on_the_map_do_not_meet() -> None:
    boxes = [world_map.Box(0, 0, 10, 10), world_map.Box(9, 9, 20, 20), world_map.Box(10, 0, 20, 9)]
    assert boxes[0].overlaps_box(boxes[1]) and not boxes[0].overlaps_box(boxes[2])
    crowd = [world_map.MapCountry(f"Country {n}", 47 + n % 3, 8 + n // 3, 100 - n) for n in range(12)]
    svg = world_map.draw_map(crowd, "t", 920, 12)
    texts = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)" fill="#1d', svg)
    assert 3 <= len(texts) < 12
    assert len(set(texts)) == len(texts)
