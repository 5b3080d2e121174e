"""Forms of packages that a study reads: the current one, and the one before, brought to the current one.

Any other form is refused. Development versions made forms 1 to 6, so that form 7 has none before it. A form
that replaces it adds its description to FORMER, which then has one entry: the tables and columns that its
packages lack. A missing table has no rows; a missing column holds the value that `lacks` states.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.base.core.errors import ObservatoryError
from jobs.base.packages.package import FILES, FORM, columns_of, contract_digest


@dataclass(frozen=True)
class PackageForm:
    """A form of packages.

    Attributes:
        digest: of the contracts that its packages were made by.
        without: the tables that they do not have.
        lacks: by table, the columns that its files do not have, with the value of each row.
    """

    name: str
    digest: str
    without: tuple[str, ...] = ()
    lacks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def name_files(self) -> dict[str, str]:
        """The tables of a package by the names of their files."""
        return {name: table for name, table in FILES.items() if table not in self.without}

    def list_columns(self, table: str) -> list[str]:
        """The columns of a table's file."""
        return [name for name in columns_of(table) if name not in self.lacks.get(table, {})]


# The form before, once this version's is released and another follows it.
FORMER: tuple[PackageForm, ...] = ()


def find_form(name: str) -> PackageForm:
    """The form of this name. Raises ObservatoryError for another."""
    # The forms that a study reads, this one first.
    forms = [PackageForm(FORM, contract_digest()), *FORMER]
    for form in forms:
        if form.name == name:
            return form
    raise ObservatoryError(
        f"it is of the form '{name}', and this study reads {' and '.join(repr(each.name) for each in forms)}:"
        " bring both sides to the same release, and submit again"
    )
