"""The page of all releases, beside index.json at the root of what is public: which version to use of each
period, and which were withdrawn and why. Pages of a version stay as they were published, so that this one
alone says that a newer version stands."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.base.core.languages import LANGUAGES, format_day, use_language
from jobs.base.page.blocks import Cell, Table
from jobs.study.release import manifest
from jobs.study.release.about import About, parts_of
from jobs.study.release.folders import ABOUT, site_of
from jobs.study.release.publishing import replace_file
from jobs.study.site.cells import text_column
from jobs.study.site.figures import SiteFigure
from jobs.study.site.pages import Page, PageSection
from jobs.study.site.sentences import name_period, next_release
from jobs.study.site.texts import page_file, say
from jobs.study.site.writing import read_style, render_text

Listed = Mapping[str, Any]
COMMAND = f"observatory release verify {manifest.INDEX} --signers KEYS"


def write_releases(public_root: Path, restricted_root: Path) -> None:
    """Draw index.json in six languages. Publisher and contact are those of the newest release."""
    listed = sorted(
        manifest.read_statement(public_root / manifest.INDEX)["releases"],
        key=lambda each: (each["period"], parts_of(each["version"])),
        reverse=True,
    )
    abouts = [read_about(restricted_root / each["period"] / each["version"]) for each in listed]
    files = {"style.css": read_style()}
    for language in LANGUAGES:
        with use_language(language):
            files[page_file("index")] = render_releases(listed, abouts).encode("utf-8")
    for name, data in files.items():
        replace_file(public_root / name, data)


def read_about(restricted: Path) -> About:
    """Details a release gives of itself; of a withdrawn one nothing else is left."""
    return About(**json.loads((restricted / ABOUT).read_bytes())["about"])


def render_releases(listed: Sequence[Listed], abouts: Sequence[About]) -> str:
    """The page in the present language."""
    to_use = {each["period"]: each["version"] for each in listed if each["is_current"]}
    is_made_up = all(each.is_made_up for each in abouts)
    columns = [text_column(f"releases.{each}") for each in ("release", "day", "state")]
    rows = [
        [
            # Where all are made up, the band above the page says so.
            Cell(name_release(each, about.is_made_up and not is_made_up), link=link_to(each)),
            Cell(name_day(each["published_at"]), tone="day"),
            Cell(describe_state(each, to_use)),
        ]
        for each, about in zip(listed, abouts, strict=True)
    ]
    title, (about, *_) = say("releases.table"), abouts
    sections = [
        PageSection(texts=[say("esms.8.text"), next_release(about.period)]),
        PageSection(figures=[SiteFigure("", title, "", Table(title, columns, rows))]),
        PageSection(texts=[say("releases.check")], code=COMMAND, links=[(manifest.INDEX, manifest.INDEX)]),
    ]
    lead = say("releases.none")
    if current := [each for each in listed if each["is_current"]]:
        lead = say("releases.newest", name=name_release(current[0]))
    return render_text(
        Page("index", say("releases"), lead, sections),
        is_made_up,
        [say("esms.1.text", publisher=about.agency_name, contact=about.contact)],
        about=None,
        navigation=(),
        is_front=False,
        releases="",
    )


def name_release(listed: Listed, is_made_up: bool = False) -> str:
    name = say("releases.name", period=name_period(listed["period"]), version=listed["version"])
    return f"{name} – {say('made_up')}" if is_made_up else name


def name_day(at: str) -> str:
    return format_day(dt.datetime.fromisoformat(at).date())


def link_to(listed: Listed) -> str:
    """The front page of a release's site; one that was withdrawn has none."""
    if listed["status"] == "withdrawn":
        return ""
    return site_of(Path(listed["period"], listed["version"])).joinpath(page_file("index")).as_posix()


def describe_state(listed: Listed, to_use: Mapping[str, str]) -> str:
    """Return whether to use a version. Marks keep the direction of the reason, which is in any language."""
    if listed["status"] == "withdrawn":
        reason = f"\u2068{listed['reason']}\u2069"
        return say("releases.withdrawn", day=name_day(listed["withdrawn_at"]), reason=reason)
    if listed["is_current"]:
        return say("releases.current")
    return say("releases.newer", version=to_use[listed["period"]])
