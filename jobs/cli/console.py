"""Where commands print: tables and results to `out`, progress and problems to `err`."""

from __future__ import annotations

import os
from typing import Any

from rich.console import Console

out = Console(soft_wrap=False)
err = Console(stderr=True, soft_wrap=True)


def wide_console(**options: Any) -> Console:
    """A console for results; a piped one, which has no width of its own, as wide as a large terminal."""
    console = Console(soft_wrap=False, **options)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console
