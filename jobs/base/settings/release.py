"""Settings of releases: who publishes, where, and who may sign."""

from itertools import combinations
from pathlib import Path

from pydantic import Field

from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.base import Settings


class Release(Settings):
    """Publication of the study."""

    paths = ("root", "restricted", "public_root", "signers")

    agency: str | None = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")
    """The id of the maintenance agency in SDMX: ITU's only if ITU publishes."""
    agency_name: str = "The study of spam"
    """Who publishes, as readers see it."""
    contact: str = "the study that published it"
    """Whom readers ask."""
    licence: str = "CC-BY-4.0"
    """Under which readers may use the release."""
    address: str | None = Field(None, pattern=r"^https?://[^\s<>\"]+$")
    """Where readers find `public_root` on the web, as in https://example.org/spam: citations end with it."""
    root: str = "releases"
    """The folder of releases as they are made."""
    restricted: str = "restricted"
    """The folder with what it takes to make them again; its owner's alone."""
    public_root: str | None = None
    """The folder that readers see."""
    signers: str | None = None
    """The folder with the OpenPGP public keys (`<name>.asc`) of those who may sign a release."""
    is_made_up: bool = False
    """Whether the figures are of no real operator, for exercises; every file then says so."""


def refuse_shared(release: Release, file: Path) -> None:
    """Raise ObservatoryError if two of the folders of releases are one, or one is within another: readers
    would see what nobody has cleared, or what is kept for the study alone."""
    named = {name: getattr(release, name) for name in ("public_root", "root", "restricted")}
    for one, other in combinations(named, 2):
        places = [Path(named[name]) for name in (one, other) if named[name]]
        if len(places) == 2 and (places[0].is_relative_to(places[1]) or places[1].is_relative_to(places[0])):
            raise ObservatoryError(
                f"{file}: [release] {one} and {other} are one folder or one within the other ({places[0]},"
                f" {places[1]}): give each a folder of its own"
            )
