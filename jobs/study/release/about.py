"""The description of a release: period, version, agency, licence."""

import datetime as dt
import re
from dataclasses import dataclass

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.periods import last_day

VERSION = re.compile(r"^v(\d{1,3})\.(\d{1,3})\.(\d{1,3})$")
PERIOD = re.compile(r"^20\d\d-Q[1-4]$")
MADE_UP = "made-up"


@dataclass(frozen=True)
class About:
    """A release's own data. Nothing of it is taken from a clock.

    Attributes:
        period: a quarter; the fourth carries its year.
        version: v<major>.<minor>.<patch>.
        agency: the id of the maintenance agency in SDMX.
        code: version of the software.
        is_made_up: the figures are of no real operator, which every file says.
        address: where readers find the folder of all releases, if it is known.
    """

    period: str
    version: str
    agency: str
    agency_name: str
    contact: str
    licence: str
    code: str
    is_made_up: bool = False
    address: str | None = None

    def __post_init__(self) -> None:
        parts_of(self.version)
        if not PERIOD.match(self.period):
            raise ObservatoryError(f"'{self.period}' is no quarter: a release is of one, such as 2026-Q4")

    @property
    def name(self) -> str:
        return f"{self.period}/{self.version}"

    @property
    def own_address(self) -> str | None:
        """Return the address of this release's pages."""
        return f"{self.address.rstrip('/')}/{self.name}-site/" if self.address else None

    @property
    def title(self) -> str:
        year, quarter = self.period.split("-Q")
        title = f"Spam and the cost of countering it, quarter {quarter} of {year}"
        return f"MADE-UP FIGURES, of no real operator: {title}" if self.is_made_up else title

    @property
    def periods(self) -> tuple[str, ...]:
        """The periods whose rows the release carries."""
        year, quarter = self.period.split("-Q")
        return (year, self.period) if quarter == "4" else (self.period,)

    @property
    def day(self) -> dt.date:
        """The last day of the period: the date that formats ask for and that no clock gives."""
        return last_day(self.period)

    def file_name(self, stem: str, kind: str) -> str:
        """The name of a file of the release; one with made-up figures says so."""
        return f"{stem}.{MADE_UP}.{kind}" if self.is_made_up else f"{stem}.{kind}"


def parts_of(version: str) -> tuple[int, int, int]:
    """The three numbers of a version."""
    found = VERSION.match(version)
    if not found:
        raise ObservatoryError(f"'{version}' is no version of a release; write it as v1.0.0")
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


def next_version(versions: list[str], is_major: bool) -> str:
    """The version after these of one period: a revision is a minor one, a change of method a major one."""
    if not versions:
        return "v1.0.0"
    major, minor, _ = max(map(parts_of, versions))
    return f"v{major + 1}.0.0" if is_major else f"v{major}.{minor + 1}.0"
