"""The option `--received` of the commands that load packages and forms."""

import datetime as dt
from typing import Annotated

import typer

from jobs.base.core.errors import ObservatoryError

Received = Annotated[
    dt.datetime | None,
    typer.Option(
        "--received",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help="When they came in, UTC. Default: when each file was last saved.",
    ),
]


def parse_received(received: dt.datetime | None, now: dt.datetime) -> dt.datetime | None:
    """Raises ObservatoryError for a time in the future."""
    at = received.replace(tzinfo=dt.UTC) if received else None
    if at is not None and (wrong := describe_future("--received", at, now)):
        raise ObservatoryError(*wrong)
    return at


def describe_future(name: str, at: dt.datetime, now: dt.datetime) -> list[str]:
    """A line if a time of receipt is in the future, else none: no later correction would count before it."""
    if at <= now:
        return []
    return [
        f"{name}: {at:%Y-%m-%dT%H:%M} is in the future; it is {now:%Y-%m-%dT%H:%M} UTC now. Give the time at"
        " which the files came in as --received"
    ]
