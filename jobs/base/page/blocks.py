"""The parts of a page: sections of blocks; a block is a picture or bars, with its table and its CSV."""

from dataclasses import dataclass, field

from markupsafe import Markup


@dataclass(frozen=True)
class Part:
    """A piece of a bar, in percent of its width.

    Attributes:
        kind: certain, undecided, other, rest, range or dot.
    """

    kind: str
    start: float
    width: float


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        sub: a smaller second line.
        bar: parts beside the text.
        picture: SVG after it.
        language: of the text, where the page has another, which may run from right to left.
        link: what the heading of a row leads to.
    """

    text: str
    sub: str = ""
    bar: tuple[Part, ...] | None = None
    tone: str = ""  # muted, strong, good or bad
    picture: Markup | None = None
    language: str = ""
    link: str = ""


@dataclass(frozen=True)
class Column:
    """A column's heading.

    Attributes:
        kind: text or number; minor ones are left out on a phone.
    """

    name: str
    kind: str = "number"
    is_minor: bool = False


@dataclass(frozen=True)
class Table:
    """The first cell of each row is its heading.

    Attributes:
        total: how many rows there are where only some show.
        axis: what the left end, any places between, and the right end of every bar of the table stand for.
    """

    caption: str
    columns: list[Column]
    rows: list[list[Cell]]
    total: int | None = None
    axis: tuple[str, ...] = ()

    @property
    def minor_columns(self) -> list[str]:
        """The columns that a narrow screen has no room for."""
        return [column.name for column in self.columns if column.is_minor]


@dataclass(frozen=True)
class Picture:
    """SVG for wide screens and, where another shape is needed, for narrow ones."""

    svg: Markup
    narrow: Markup | None = None
    heading: str = ""


@dataclass(frozen=True)
class Block:
    """One figure.

    Attributes:
        csv: the name of the file that holds its numbers.
        half: two fit beside each other.
        finding: what it shows, a sentence that is its title in place of the heading.
        is_table_open: the table stands below the pictures, for who would otherwise not know their numbers.
    """

    heading: str
    table: Table
    csv: str
    pictures: list[Picture] = field(default_factory=list)
    note: str = ""
    half: bool = False
    is_table_open: bool = False
    finding: str = ""

    @property
    def title(self) -> str:
        return self.finding.removesuffix(".") or self.heading


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        finding: sentences that are of no single block.
        missing: sentences that name what has no figure.
        is_annex: its tables are folded away.
    """

    id: str
    title: str
    finding: str
    blocks: list[Block] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)
    is_annex: bool = False


# The axis of bars that show shares of all.
SHARES = ("0%", "50%", "100%")


def stack_parts(*parts: tuple[str, float], scale: float) -> tuple[Part, ...]:
    """Parts one after the other, in units of which `scale` fill the bar."""
    placed, start = [], 0.0
    for kind, size in parts:
        if size > 0 and scale > 0:
            placed.append(Part(kind, round(100 * start / scale, 3), round(100 * size / scale, 3)))
        start += size
    return tuple(placed)


def range_bar(low: float, middle: float, high: float, scale: float) -> tuple[Part, ...]:
    """A range with its middle marked."""
    if scale <= 0:
        return ()
    low, middle, high = (round(100 * value / scale, 3) for value in (low, middle, high))
    return Part("range", low, round(high - low, 3)), Part("dot", middle, 0)


def number_cell(text: str, tone: str = "") -> Cell:
    return Cell(text, tone=tone)
