"""Options that several commands take."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Option("--config", help="The settings file.")]
OperatorId = Annotated[str | None, typer.Option("--operator", help="One operator, by its id. Default: all.")]


class SpendingTarget(StrEnum):
    """A target that spending is compared with."""

    norm = "norm"
    middle = "middle"
    top = "top"
    best = "best"
