"""`--received`: when what was sent to the study came in. Packages and forms are told of it alike."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

Received = Annotated[
    dt.datetime | None,
    typer.Option(
        "--received",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help="When they came in, UTC; without it when each file was last saved.",
        show_default=False,
    ),
]


def in_utc(received: dt.datetime | None) -> dt.datetime | None:
    return received.replace(tzinfo=dt.UTC) if received else None
