"""Two counts of the same thing, and the way from one to the other, rule by rule."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class OtherCounts:
    """Counts of the other program, by kind.

    Attributes:
        rounding: by how much one may be below the true count.
    """

    counts: dict[str, int]
    rounding: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class BridgeStep:
    """A rule of this project, and how many lines or units it accounts for: added to the other's count, or
    taken from it where it is less than zero."""

    rule: str
    count: int


@dataclass(frozen=True)
class Bridge:
    """One kind of count.

    Attributes:
        theirs: the other program's figure; None where it was not run.
        lines: how many lines there are by its definition.
        ours: this project's count of what comes nearest, which `counts` names.
    """

    kind: str
    counts: str
    theirs: int | None
    lines: int
    ours: int
    steps: tuple[BridgeStep, ...]
    rounding: int = 0

    @property
    def unexplained(self) -> int:
        """The difference that no rule explains: 0 when the two counts differ by rules alone."""
        begin = self.lines if self.theirs is None else self.theirs
        left = self.ours - begin - sum(step.count for step in self.steps)
        return 0 if self.theirs is not None and -self.rounding <= left <= self.rounding else left


def list_bridge_steps(
    less: Iterable[tuple[str, int]], more: Iterable[tuple[str, int]]
) -> tuple[BridgeStep, ...]:
    """The rules that take lines away, and those that add units, the largest first."""
    found = [BridgeStep(rule, -count) for rule, count in less] + [
        BridgeStep(rule, count) for rule, count in more
    ]
    return tuple(
        sorted((step for step in found if step.count), key=lambda step: (-abs(step.count), step.rule))
    )
