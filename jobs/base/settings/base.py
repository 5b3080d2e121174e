"""The base of all tables of settings: unknown settings are refused, and none changes once it is read.

The docstring of a class says what its table is for, and the one below a setting what it does: `make derived`
writes docs/settings.md from them.
"""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from jobs.base.core.choices import check_choice
from jobs.base.tables.contracts import list_codes

# Ten years.
MOST_DAYS = 3660
StaleDays = Annotated[float, Field(gt=0, le=MOST_DAYS)]
# Ids are names of folders, with a prefix: no file system takes more than 255 bytes.
Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=128)]


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    # The settings that name a file, a folder or a URL, relative to the settings file.
    paths: ClassVar[tuple[str, ...]] = ()


def code_of(codelist: str, what: str, *more: str) -> AfterValidator:
    """The check of a setting that is a code of a list.

    Args:
        what: what it is, for messages.
        more: other words that it may be.
    """
    return AfterValidator(lambda code: check_choice(code, {*list_codes(codelist), *more}, what))
