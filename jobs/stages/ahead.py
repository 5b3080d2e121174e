"""Processes that a run will need, started while it still pulls: their imports take longer than small logs."""

from __future__ import annotations

from jobs.engine import embedded
from jobs.settings.node import Engine
from jobs.stages import validator


def start(engine: Engine, new_bytes: int) -> None:
    """Start what a run of so many new bytes of logs needs, without waiting for it. May be called again."""
    has_workers = engine.name != "spark" and new_bytes > embedded.LITTLE
    if has_workers:
        embedded.begin()
    if not has_workers or embedded.has_room_beside(engine.memory_bytes, engine.workers):
        validator.prepare()
