"""Number of examples that a property test tries: a share of what it asks for, by the profile of the run."""

from typing import Any

import hypothesis


def examples(count: int, **more: Any) -> hypothesis.settings:
    """Ask Hypothesis for this number of examples; in `make test` for a fifth of them (tests/conftest.py has
    the profiles)."""
    # Hypothesis's own default is 100; that of a profile is its share of it.
    share = hypothesis.settings.default.max_examples / 100
    return hypothesis.settings(max_examples=max(round(count * share), 3), **more)
