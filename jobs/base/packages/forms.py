"""Forms of packages that a study reads: the current one, and the one before, brought to the current one.

Any other form is refused. A column that a form lacks holds what
its table's contract says (`added`); a table that it lacks has no rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.base.core.errors import ObservatoryError
from jobs.base.packages.costs import COST
from jobs.base.packages.counts import ROUTE
from jobs.base.packages.package import FILES, FORM, columns_of, contract_digest


@dataclass(frozen=True)
class PackageForm:
    """A form of packages. digest: of the contracts that its packages were made by. without: the tables that
    they do not have; lacks: the columns that their tables do not have."""

    name: str
    digest: str
    without: tuple[str, ...] = ()
    lacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def name_files(self) -> dict[str, str]:
        """The tables of a package by the names of their files."""
        return {name: table for name, table in FILES.items() if table not in self.without}

    def list_columns(self, table: str) -> list[str]:
        """The columns of a table's file."""
        return [name for name in columns_of(table) if name not in self.lacks.get(table, ())]


def known_forms() -> list[PackageForm]:
    """The forms that a study reads, this one first."""
    return [
        PackageForm(FORM, contract_digest()),
        PackageForm(
            "spam-observatory submission 6",
            "8c3cc88d197ef049749c2f964c173ddaff439b14157e3d8f37c20ab7e2934d17",
            without=(COST,),
            lacks={ROUTE: ("transit_code",)},
        ),
    ]


def find_form(name: str) -> PackageForm:
    """The form of this name. Raises ObservatoryError for another."""
    forms = known_forms()
    for form in forms:
        if form.name == name:
            return form
    raise ObservatoryError(
        f"it is of the form '{name}', and this study reads {' and '.join(repr(each.name) for each in forms)}:"
        " bring both sides to the same release, and submit again"
    )
