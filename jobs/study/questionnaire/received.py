"""The option `--received` of the commands that load packages and forms."""

import datetime as dt
from typing import Annotated

import typer

Received = Annotated[
    dt.datetime | None,
    typer.Option(
        "--received",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help="When they came in, UTC. Default: when each file was last saved.",
    ),
]


def to_utc(received: dt.datetime | None) -> dt.datetime | None:
    return received.replace(tzinfo=dt.UTC) if received else None
