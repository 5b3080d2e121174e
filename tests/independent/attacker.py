"""An attacker of its own: what anyone, the next largest holding, or the administration of the largest other
country, who knows all operators of it, can compute of a large contribution.

It reads the published CSV files of all releases and what anyone may know (tests/independent/maps.py). Each
figure bounds a weighted sum of contributions by its rounding; classes of non-response bound it further; order
constraints, sums of parts and prices link the series of a respondent; a published CV or interval bounds a
quadratic form, so that it is a cone. For each target it asks for both ends of the interval by linear
programs (HiGHS), to which tangents of the cones that their solution violates are added, and where these
leave it open by a second-order program (Clarabel). Cones of published variances are drawn with the true
ratios of regions' classes, which nobody is given. What they alone find is sought once more with ratios that
follow from contributions: where some that are farther away give every published figure and no larger
variance, nobody finds it. Those ends are counted apart.

It imports nothing of the project. The truth is given, to say how near an interval comes: of contributions
that nobody protects it is what each holding has of itself.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import clarabel
import highspy
import numpy as np
import polars as pl
from scipy.sparse import csc_array, csc_matrix, csr_array, vstack
from scipy.special import stdtrit

from tests.independent.maps import WORLD, Array, Known, RatesCell, Survey

Codes = tuple[str, ...]
Terms = dict[int, float]
VOLUMES, MONEY = "spam_volume", "investment"
# Of each table the columns that name a series.
SERIES: Mapping[str, Codes] = {
    "spam_volume": ("unit_code", "definition_code", "quantity_code"),
    "volume_change": ("unit_code", "definition_code", "quantity_code", "match_code"),
    "spam_type": ("unit_code", "definition_code", "quantity_code", "spam_type_code"),
    "spam_source": ("unit_code", "definition_code", "quantity_code", "source_region_code"),
    "spam_route": ("unit_code", "definition_code", "quantity_code", "origin_region_code", "link_code"),
    "investment": ("strategy_code", "component_code", "conversion_code"),
    "countermeasure_cost": ("strategy_code", "cost_component_code", "conversion_code"),
}
ORDER = ("spam_certain", "spam_possible", "units")
CORRECTED, TOTAL, TOGETHER = "spam_corrected", "_T", "_S"
AREAS = {"001": WORLD, "199": "LDC", "432": "LLDC", "722": "SIDS"}
# Lower and upper edges of the classes of non-response, in percent.
SILENT: Mapping[str, tuple[float | None, float | None]] = {
    "UNDER_10": (None, 10), "10_25": (10, 25), "25_50": (25, 50), "50_75": (50, 75), "FROM_75": (75, None),
}  # fmt: skip
BANDS = {"acceptable": 0.166, "caution": 0.333}
# What an interval is made of, and its ends.
INTERVAL = ("estimate", "area_factor", "rates_variance", "rates_freedom", "subscriptions_variance",
            "days_variance", "estimate_low", "estimate_high")  # fmt: skip
LARGE = 0.25
ANYONE, ALL_SERIES = "", ""
# Who knows all operators of a country.
ADMINISTRATION = "administration of "
# Targets of which an end is this many times as far as p are taken for free; how exact cones are held.
FAR, HELD, FIRST_CUTS, MOST_CUTS = 1.5, 1e-6, 12, 60
# How many steps of orders and sums a series is sought to move with, before all move.
BOUND = 2
# How often ratios move, and by how much of its size a row may be broken then.
MOVES, BROKEN = 8, 1e-7


@dataclass(frozen=True)
class Release:
    """A release as anyone has it: tables by name, as their CSV files hold them, what is known of the world,
    and the contributions behind it. Of these the list of respondents and their subscriptions are public, and
    the amounts are the truth."""

    tables: Mapping[str, pl.DataFrame]
    known: Known
    contribution: pl.DataFrame


@dataclass(frozen=True)
class Found:
    """An end of an interval that is within p of a contribution.

    Attributes:
        side: low or high.
        off: how near, as a share of it.
        with_cones: it is farther without them.
    """

    attacker: str
    holding: str
    table: str
    series: str
    period: str
    area: str
    side: str
    off: float
    with_cones: bool


@dataclass
class Report:
    """asked: pairs of target and attacker. administrations: those among the attackers. rows: figures that
    were read. moved: ends that only who is given the true ratios of cells finds. unlike: figures that the
    own maps do not give from the truth, which would make the rest worthless."""

    asked: int = 0
    rows: int = 0
    moved: int = 0
    cones: int = 0
    intervals: int = 0
    programs: int = 0
    second: int = 0
    found: list[Found] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    administrations: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Cone:
    """A quadratic form that a published number bounds: |base + rows @ change| <= most + line @ change, of
    changes from the truth; most 1 and no line but for a cell whose ratio moves."""

    base: Array
    rows: csr_array
    most: float = 1.0
    line: csr_array | None = None

    def holds(self, change: Array) -> bool:
        return bool(np.linalg.norm(self.base + self.rows @ change) <= 1 + HELD)

    def reach(self, change: Array) -> float:
        """Return the part of a change that is within the cone."""
        moved = self.rows @ change
        square, line, spare = moved @ moved, self.base @ moved, max(1.0 - self.base @ self.base, 0.0)
        if square + 2 * line <= spare:
            return 1.0
        return float((np.sqrt(line**2 + square * spare) - line) / square)


@dataclass(frozen=True)
class PublishedError:
    """|matrix @ contributions| <= most.

    Attributes:
        cells: those of a variance of rates, of which the matrix has the true ratios.
    """

    matrix: Array
    of: Sequence[Terms]
    most: float
    cells: Sequence[RatesCell] = ()


@dataclass(frozen=True)
class Target:
    """Contributions of a holding to a figure.

    Attributes:
        others: who asks, beside anyone.
    """

    holding: str
    others: tuple[str, ...]
    table: str
    series: str
    period: str
    area: str
    terms: tuple[tuple[int, float], ...]
    truth: float


def read_release(data: Path, basis: Path) -> Release:
    """A release from its folder of CSV files.

    Args:
        basis: the restricted folder of what it was made from.
    """
    tables = {file.name.split(".")[0]: pl.read_csv(file, infer_schema=False) for file in data.glob("*.csv")}
    names = ("ref.operator_frame", "ref.denominator", "ref.country", "ref.country_group", "ref.price_level")
    known = Known(*(pl.read_parquet(basis / f"{name}.parquet") for name in names))
    return Release(tables, known, pl.read_parquet(basis / "study.contribution.parquet"))


# --- unknowns ----------------------------------------------------------------------------------------


class Unknowns:
    """Unknowns of a block: nonnegative amounts of respondents. A contribution that a later release changed is
    another unknown, one that stayed is the same.

    Attributes:
        nested: pairs of definitions of which the first is within the second.
        prices: US dollars for one international dollar, by country.
    """

    def __init__(self, nested: Sequence[tuple[str, str]], prices: Mapping[str, float]) -> None:
        self.nested, self.prices = nested, prices
        self.truth: list[float] = []
        self.holding: list[set[str]] = []
        self.of: dict[tuple[object, ...], int] = {}
        self.less: set[tuple[tuple[tuple[int, float], ...], tuple[tuple[int, float], ...]]] = set()

    def unknown(self, holding: str, value: float, *key: object) -> int:
        """The unknown of a respondent's amount; a new one if its value is another."""
        name = (*key, value)
        if name not in self.of:
            self.of[name] = len(self.truth)
            self.truth.append(value)
            self.holding.append(set())
        self.holding[self.of[name]].add(holding)
        return self.of[name]

    def express(
        self, table: str, person: tuple[str, str, str], values: Mapping[Codes, float]
    ) -> dict[Codes, Terms]:
        """The contributions of a respondent (name, holding, country) to a period (in values' keys alone) as
        sums of unknowns; adds what orders them."""
        if table == MONEY:
            return self.express_money(person, values)
        if table == "countermeasure_cost":
            parts = {codes: self.own(person, table, codes, value) for codes, value in values.items()}
            return self.expand(values, parts, 1, {"stated": ("marginal", "fixed")})
        return self.express_traffic(table, person, values)

    def own(self, person: tuple[str, str, str], *key: object) -> Terms:
        *name, value = key
        at = self.unknown(person[1], float(value), person[0], *name)  # type: ignore[arg-type]
        self.holding[at].add(ADMINISTRATION + person[2])
        return {at: 1.0}

    def express_money(
        self, person: tuple[str, str, str], values: Mapping[Codes, float]
    ) -> dict[Codes, Terms]:
        """Market prices are parity times the country's price."""
        parity = {codes: value for codes, value in values.items() if codes[2] == "ppp"}
        found = {codes: self.own(person, MONEY, codes, value) for codes, value in parity.items()}
        found = self.expand(parity, found, 1, {TOTAL: ("capital", "operating")})
        price = self.prices.get(person[2])
        for codes, value in values.items():
            if codes[2] != "market":
                continue
            same = (*codes[:2], "ppp")
            if price is not None and near(price * parity.get(same, math.nan), value):
                found[codes] = {at: price * by for at, by in found[same].items()}
            else:
                found[codes] = self.own(person, MONEY, codes, value)
        return found

    def expand(
        self, values: Mapping[Codes, float], found: dict[Codes, Terms], at: int, sums: Mapping[str, Codes]
    ) -> dict[Codes, Terms]:
        """Replace totals by sums of what they are made of, where that holds: of components, then
        strategies."""
        made = dict(found)
        for total, parts in sums.items():
            for codes in values:
                of = [(*codes[:at], part, *codes[at + 1 :]) for part in parts]
                if (
                    codes[at] == total
                    and all(each in values for each in of)
                    and near(sum(values[each] for each in of), values[codes])
                ):
                    made[codes] = add_terms(made[each] for each in of)
        for codes in values:
            if codes[0] == TOTAL:
                of = [each for each in values if each[0] != TOTAL and each[1:] == codes[1:]]
                if of and near(sum(values[each] for each in of), values[codes]):
                    made[codes] = add_terms(made[each] for each in of)
        return made

    def express_traffic(
        self, table: str, person: tuple[str, str, str], values: Mapping[Codes, float]
    ) -> dict[Codes, Terms]:
        """Volumes, matched volumes and parts of volumes."""
        found: dict[Codes, Terms] = {}
        whole: dict[Codes, Terms] = {}
        for codes, value in values.items():
            is_whole = table in (VOLUMES, "volume_change") or all(code == TOTAL for code in codes[3:])
            traffic = "any" if codes[2] == "units" else codes[1]
            key = (codes[0], traffic, codes[2]) if is_whole else (table, *codes)
            found[codes] = self.own(person, *key, value)
            if is_whole:
                whole[codes[:3]] = found[codes]
        for codes in values:
            if len(codes) > 3 and table not in ("volume_change",) and TOGETHER in codes[3:4]:
                self.sum_parts(codes, values, found)
        self.order_traffic({codes[:3]: values[codes] for codes in values if codes[:3] in whole}, whole)
        return found

    def sum_parts(self, codes: Codes, values: Mapping[Codes, float], found: dict[Codes, Terms]) -> None:
        """All parts together are the sum of parts, and the whole, too, of who sent all; else at most that."""
        if len(codes) == 4:
            of = [each for each in values if each[:3] == codes[:3] and each[3] not in (TOTAL, TOGETHER)]
            # Of FRAUD.loan and FRAUD.lottery FRAUD is the sum.
            for family in {(*each[:3], each[3].split(".")[0]) for each in of if "." in each[3]} & set(of):
                of.remove(family)
                found[family] = add_terms(found[each] for each in of if each[3].startswith(f"{family[3]}."))
        else:
            of = [each for each in values if each[:4] == codes[:4] and each[4] != TOTAL]
            if codes[4] != TOTAL:
                return
        total = (*codes[:3], *[TOTAL] * (len(codes) - 3))
        if of and near(sum(values[each] for each in of), values[codes]):
            found[codes] = add_terms(found[each] for each in of)
        if total in values:
            if near(values[total], values[codes]):
                self.same(found[total], found[codes])
            else:
                self.at_most(found[codes], found[total])

    def order_traffic(self, values: Mapping[Codes, float], found: Mapping[Codes, Terms]) -> None:
        """certain <= possible <= units, recipients <= attempted, narrow <= wide."""
        for codes in found:
            unit, definition, quantity = codes
            above = (
                [(unit, definition, more) for more in ORDER[ORDER.index(quantity) + 1 :]]
                if quantity in ORDER
                else []
            )
            if unit == "recipient" and quantity in ORDER:
                above.append(("attempted", definition, quantity))
            if quantity in ORDER[:2]:
                above += [(unit, wide, quantity) for narrow, wide in self.nested if narrow == definition]
            for other in above:
                if other in found and values[codes] <= values[other]:
                    self.at_most(found[codes], found[other])

    def at_most(self, less: Terms, more: Terms) -> None:
        if less != more and self.value(less) <= self.value(more):
            self.less.add((tuple(sorted(less.items())), tuple(sorted(more.items()))))

    def same(self, one: Terms, other: Terms) -> None:
        if one != other:
            for pair in ((one, other), (other, one)):
                self.less.add((tuple(sorted(pair[0].items())), tuple(sorted(pair[1].items()))))

    def value(self, terms: Mapping[int, float]) -> float:
        return sum(by * self.truth[at] for at, by in terms.items())


def near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-6 * max(abs(one), abs(other), 1.0)


def add_terms(parts: Iterable[Terms]) -> Terms:
    found: Terms = defaultdict(float)
    for terms in parts:
        for at, by in terms.items():
            found[at] += by
    return dict(found)


# --- programs ----------------------------------------------------------------------------------------


class Programs:
    """Linear programs over changes of unknowns from the truth, each in units of its scale, with cuts.

    The first row holds the target, so that nothing is asked that is farther than FAR times p.
    """

    def __init__(self, rows: csr_array, low: Array, high: Array, truth: Array, scale: Array) -> None:
        self.truth, self.scale, self.rows, self.low, self.high = truth, scale, rows, low, high
        self.count = 0
        matrix = csc_array(vstack([csr_array((1, len(truth))), rows]))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(truth), matrix.shape[0]
        lp.col_cost_ = np.zeros(len(truth))
        self.least, self.most = -truth / scale, np.full(len(truth), 1e5)
        lp.col_lower_, lp.col_upper_ = self.least, self.most
        lp.row_lower_ = np.concatenate([[-np.inf], low])
        lp.row_upper_ = np.concatenate([[np.inf], high])
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = (
            matrix.indptr,
            matrix.indices,
            matrix.data,
        )
        # Without the banner that highspy.Highs prints.
        self.highs = highspy._core._Highs()
        for name, value in (
            ("output_flag", False),
            ("threads", 1),
            ("presolve", "off"),
            ("primal_feasibility_tolerance", 1e-9),
            ("small_matrix_value", 1e-12),
        ):
            self.highs.setOptionValue(name, value)
        self.highs.passModel(lp)
        self.target: Array = np.array([], dtype=np.int32)

    def know(self, seen: Array) -> None:
        """Let an attacker know its own contributions: they do not change."""
        columns = np.arange(len(self.truth), dtype=np.int32)
        least, most = self.least.copy(), self.most.copy()
        least[seen] = most[seen] = 0.0
        self.highs.changeColsBounds(len(columns), columns, least, most)

    def solve(self, gain: Array, limit: float) -> Array:
        """The change of greatest gain, up to a limit."""
        for at in self.target:
            self.highs.changeCoeff(0, int(at), 0.0)
        self.target = np.flatnonzero(gain).astype(np.int32)
        for at in self.target:
            self.highs.changeCoeff(0, int(at), float(gain[at]))
        self.highs.changeRowBounds(0, -np.inf, limit)
        columns = np.arange(len(gain), dtype=np.int32)
        self.highs.changeColsCost(len(gain), columns, -gain)
        self.count += 1
        self.highs.run()
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self.highs.clearSolver()
            self.highs.run()
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise AssertionError(f"a program ends with {self.highs.getModelStatus()}")
        return np.array(self.highs.getSolution().col_value)

    def cut(self, cone: Cone, change: Array) -> bool:
        """Add the tangent of a cone where a point is at its edge or outside it; whether it is."""
        at = cone.base + cone.rows @ change
        size = float(np.linalg.norm(at))
        if size <= 1 - HELD:
            return False
        normal = at / size
        row = cone.rows.T @ normal
        of = np.flatnonzero(np.abs(row) > 1e-11).astype(np.int32)
        top = np.abs(row[of]).max()
        self.highs.addRow(-np.inf, (1 - float(normal @ cone.base)) / top, len(of), of, row[of] / top)
        return True

    def drop_cuts(self) -> None:
        first, end = 1 + len(self.low), self.highs.getNumRow()
        if end > first:
            self.highs.deleteRows(end - first, np.arange(first, end, dtype=np.int32))


def solve_second_order(
    programs: Programs, gain: Array, seen: Array, limit: float, cones: Sequence[Cone]
) -> Array:
    """The change of greatest gain by Clarabel, up to a limit."""
    free = np.setdiff1d(np.arange(len(programs.truth)), seen)
    rows = programs.rows[:, free]
    has_any = np.diff(rows.indptr) > 0
    finite_high, finite_low = has_any & np.isfinite(programs.high), has_any & np.isfinite(programs.low)
    eye = csr_array((np.ones(len(free)), (np.arange(len(free)), np.arange(len(free)))))
    parts = [rows[finite_high], -rows[finite_low], -eye, csr_array(gain[free][None])]
    bounds = [programs.high[finite_high], -programs.low[finite_low], -programs.least[free], [limit]]
    kinds = [clarabel.NonnegativeConeT(sum(each.shape[0] for each in parts))]
    for cone in cones:
        line = csr_array((1, len(gain))) if cone.line is None else cone.line
        parts += [-line[:, free], -cone.rows[:, free]]
        bounds += [[cone.most], cone.base]
        kinds.append(clarabel.SecondOrderConeT(1 + len(cone.base)))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    solver = clarabel.DefaultSolver(
        csc_matrix((len(free), len(free))), -gain[free], csc_matrix(vstack(parts)), np.concatenate(bounds),
        kinds, settings,
    )  # fmt: skip
    solution = solver.solve()
    if str(solution.status) not in ("Solved", "AlmostSolved"):
        raise AssertionError(f"the second solver ends with {solution.status}")
    found = np.zeros(len(gain))
    found[free] = solution.x
    return found


class Ratios:
    """Published variances of rates, with ratios of cells that follow from contributions.

    With T the weighted sum of a cell's contributions, N that of its subscriptions and S the sum of w y²/x, a
    variance says that the sum over cells of N² S/T² - N is at most v U. That is no cone; but norms
    sqrt(S) <= r T of each cell are, and where the sum of (N r)² is at most that of N and v U, all within them
    is possible. Each r is set anew at what was found, and what the sum leaves is spread over them.
    """

    def __init__(self, programs: Programs, errors: Sequence[PublishedError]) -> None:
        self.programs = programs
        self.norms: list[csr_array] = []
        self.lines: list[csr_array] = []
        self.base: list[Array] = []
        sizes, owner, self.most, still = [], [], [], set[int]()
        for error in errors:
            parts, spare = [], error.most**2
            for cell in error.cells:
                rows = sparse([error.of[at] for at in cell.of], len(programs.truth))
                y = rows @ programs.truth
                rows = csr_array(rows.multiply(programs.scale[None]))
                total, norm = float(cell.weight @ y), float(np.linalg.norm(np.sqrt(cell.weight / cell.x) * y))
                if total <= 0:
                    # Where nobody has anything it stays so.
                    still |= set(rows.indices.tolist())
                    continue
                spare += cell.total
                parts.append((cell.total * norm / total) ** 2)
                by = np.sqrt(cell.weight / cell.x) / norm
                self.base.append(by * y)
                self.norms.append(csr_array(rows.multiply(by[:, None])))
                self.lines.append(csr_array((rows.T @ cell.weight)[None] / total))
            if sum(parts) > spare * (1 + 1e-9):
                # Another series' variance stands in.
                for of in (self.base, self.norms, self.lines):
                    del of[len(of) - len(parts) :]
                continue
            owner += [len(self.most)] * len(parts)
            sizes += parts
            self.most.append(spare)
        self.size, self.owner, self.still = np.array(sizes), np.array(owner, dtype=int), sorted(still)

    def widen(self, ratio: Array) -> Array:
        """Ratios that use up what each variance allows, from some within it."""
        used = np.bincount(self.owner, self.size * ratio**2, len(self.most))
        return ratio * np.sqrt(np.array(self.most) / used)[self.owner]

    def measure(self, change: Array) -> Array:
        """Each cell's sqrt(S)/T at a change, in parts of that of the truth."""
        return np.array([
            float(np.linalg.norm(base + norm @ change)) / (1 + float((line @ change)[0]))
            for base, norm, line in zip(self.base, self.norms, self.lines, strict=True)
        ])  # fmt: skip

    def reach(self, gain: Array, seen: Array, enough: float) -> float:
        """Return how far a target moves, by a change held against every row and variance; at least 0."""
        known, best = np.union1d(seen, np.array(self.still, dtype=int)), 0.0
        ratio = self.widen(np.ones(len(self.size)))
        for _ in range(MOVES):
            cones = [
                Cone(base, norm, float(r), csr_array(line * r))
                for base, norm, line, r in zip(self.base, self.norms, self.lines, ratio, strict=True)
            ]
            change = solve_second_order(self.programs, gain, known, FAR * enough, cones)
            change = np.maximum(change, self.programs.least)
            now, found = self.measure(change), self.programs.rows @ change
            used = np.bincount(self.owner, self.size * now**2, len(self.most))
            inside = (found >= self.programs.low - BROKEN) & (found <= self.programs.high + BROKEN)
            if inside.all() and (used <= np.array(self.most) * (1 + BROKEN)).all() and not change[seen].any():
                best = max(best, float(gain @ change))
            if best >= enough:
                break
            ratio = self.widen(now)
        return best


# --- the attack --------------------------------------------------------------------------------------


def attack(
    releases: Sequence[Release],
    p: float,
    nested: Sequence[tuple[str, str]] = (),
    base_year: int = 2025,
    own_errors: bool = False,
) -> Report:
    """Ask for every large contribution in all releases together.

    Args:
        p: as a share.
        nested: pairs of definitions of which the first is within the second.
        base_year: of the prices of amounts.
        own_errors: ends and bands are of the study's own errors, as releases once had them.
    """
    report = Report()
    prices = {name: price for each in releases for name, price in price_of(each.known, base_year).items()}
    for block in list_blocks(releases):
        Block(releases, block, nested, prices, report, own_errors).ask(p)
    return report


def price_of(known: Known, base_year: int) -> dict[str, float]:
    if known.price_level is None:
        return {}
    rates = known.price_level.filter(pl.col("price_year") == base_year).select(
        "country_code", pl.col("ppp_rate").cast(pl.Float64), pl.col("market_rate").cast(pl.Float64)
    )
    return {country: parity / market for country, parity, market in rates.rows()}


def list_blocks(releases: Sequence[Release]) -> list[tuple[str, str, bool]]:
    """Table, channel and whether of corrected spam, of what any release has figures of."""
    found = set()
    for release in releases:
        for table, rows in release.tables.items():
            if table not in SERIES or not rows.height:
                continue
            quantity = rows["quantity_code"] if "quantity_code" in rows.columns else [""] * rows.height
            found |= {(table, channel, each == CORRECTED)
                      for channel, each in zip(rows["channel_code"], quantity, strict=True)}  # fmt: skip
    return sorted(found)


class Block:
    """The equations of a table and channel. Parts and matched volumes have the volumes beside them."""

    def __init__(
        self,
        releases: Sequence[Release],
        block: tuple[str, str, bool],
        nested: Sequence[tuple[str, str]],
        prices: Mapping[str, float],
        report: Report,
        own_errors: bool,
    ) -> None:
        self.report, self.own_errors = report, own_errors
        self.table, self.channel, self.is_corrected = block
        self.tables = {self.table} | (
            {VOLUMES} if self.table not in (VOLUMES, MONEY, "countermeasure_cost") else set()
        )
        self.unknowns = Unknowns(nested, prices)
        self.surveys: dict[object, Survey] = {}
        self.area_names = dict(AREAS)
        self.equations: list[tuple[Terms, float, float]] = []
        self.errors: dict[str, list[PublishedError]] = defaultdict(list)
        self.variances: set[tuple[object, ...]] = set()
        self.targets: dict[tuple[object, ...], Target] = {}
        # Of a series and gain the points that are far enough.
        self.far: dict[tuple[str, bytes], list[Array]] = defaultdict(list)
        for release in releases:
            self.read(release)

    def read(self, release: Release) -> None:
        """The unknowns and figures of a release."""
        self.area_names |= dict(release.known.country.select("m49", "iso3").rows())
        rows = release.contribution.filter(
            pl.col("table_name").is_in([f"study.{name}" for name in self.tables])
            & (pl.col("channel_code") == self.channel)
            & (pl.col("series").str.contains(CORRECTED, literal=True) == self.is_corrected)
        )
        terms: dict[tuple[str, str], dict[str, dict[str, Terms]]] = defaultdict(lambda: defaultdict(dict))
        facts: dict[str, tuple[str, str, str]] = {}
        given: dict[tuple[str, str, str], dict[str, float | None]] = defaultdict(dict)
        amount: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
        waived: set[tuple[str, str, str, str]] = set()
        columns = ("table_name", "period_code", "respondent_id", "holding_id", "country_code", "series",
                   "contribution", "own_subscriptions", "is_waived")  # fmt: skip
        people: dict[tuple[str, str, tuple[str, str, str]], dict[Codes, float]] = defaultdict(dict)
        for name, period, person, holding, country, series, value, own, is_waived in rows.select(
            columns
        ).rows():
            table = name.removeprefix("study.")
            people[table, period, (person, holding, country)][tuple(series.split("/"))] = float(value)
            given[table, period, series][person] = own
            amount[table, period, series][person] = float(value)
            facts[person] = (person, holding, country)
            if is_waived:
                waived.add((table, period, series, person))
        for (table, period, person), values in people.items():
            # Unknowns of another period are others.
            keyed = (f"{person[0]} {period}", person[1], person[2])
            for codes, of in self.unknowns.express(table, keyed, values).items():
                terms[table, period]["/".join(codes)][person[0]] = of
        for table in self.tables:
            if table not in release.tables:
                continue
            public = release.tables[table].filter(pl.col("channel_code") == self.channel)
            if "stands_from" in public.columns:
                public = public.filter(pl.col("stands_from").is_null() | (pl.col("stands_from") == ""))
            for row in public.to_dicts():
                series = "/".join(row[name] for name in SERIES[table])
                key = (table, row["period_code"], series)
                if (CORRECTED in series) != self.is_corrected or key not in given:
                    continue
                survey = self.survey(release.known, given[key], row["period_code"])
                of = [terms[table, row["period_code"]][series][name] for name in survey.respondents]
                truth = np.array([amount[key][name] for name in survey.respondents])
                self.read_row(row, key, survey, of, truth, facts, waived)

    def name_area(self, code: str) -> str:
        """The study's code of a published one; areas that the frame has in part have an ending of their
        own."""
        own = code.removesuffix("_STUDY").removeprefix("ITU_")
        return self.area_names.get(own, own)

    def survey(self, known: Known, given: Mapping[str, float | None], period: str) -> Survey:
        key = (id(known), period, frozenset(given.items()))
        if key not in self.surveys:
            self.surveys[key] = Survey(known, given, self.channel, period)
        return self.surveys[key]

    def read_row(
        self,
        row: Mapping[str, str | None],
        key: tuple[str, str, str],
        survey: Survey,
        of: list[Terms],
        truth: Array,
        facts: Mapping[str, tuple[str, str, str]],
        waived: set[tuple[str, str, str, str]],
    ) -> None:
        """Read a published row, and seek the contributions in it."""
        table, period, series = key
        area = self.name_area(str(row["area_code"]))
        value = float(str(row["estimate"]))
        factors = survey.coefficients(area)
        digits = 2 if table == "countermeasure_cost" or self.is_corrected else 3
        half = 0.005 + (0.5 * 10.0 ** (math.floor(math.log10(value)) - digits + 1) if value else 0.0)
        now = float(factors @ truth)
        self.report.rows += 1
        if abs(now - value) > half * (1 + 1e-6) + 1e-9 * value:
            self.report.unlike.append(f"{table} {period} {series} {area}: {value} and not {now}")
            return
        if all(row.get(name) for name in INTERVAL):
            self.report.intervals += 1
            self.report.unlike += self.misstated(row, survey, area)
        self.equations.append((weigh(factors, of), value - half, value + half))
        inside = survey.inside(area)[survey.answers].astype(float)
        silent = row.get("silent_class_code")
        if silent:
            for edge, sign in zip(SILENT[silent], (-1.0, 1.0), strict=True):
                if edge is not None:
                    rest = sign * (inside - (1 - edge / 100) * factors)
                    if (rest @ truth) >= -1e-9 * value:
                        self.equations.append((weigh(rest, of), 0.0, np.inf))
        self.add_cones(row, (table, series), area, survey, of, truth, value, half)
        if table == self.table and value > 0:
            self.add_targets(key, area, survey, of, truth, factors, inside, facts, waived, now)

    @staticmethod
    def misstated(row: Mapping[str, str | None], survey: Survey, area: str) -> list[str]:
        """List the ends of a row's interval that do not follow from its other columns and from denominators,
        as anyone makes them: nothing of the operators' own may be in an interval."""
        value, factor, variance, freedom, subscriptions, days, low, high = (
            float(str(row[name])) for name in INTERVAL
        )
        found = []
        if abs(subscriptions - survey.subscription_error(area)) > 1e-3 * subscriptions + 1e-12:
            found.append(f"{area}: {subscriptions} and not {survey.subscription_error(area)}")
        reach = float(stdtrit(freedom, 0.975)) * math.sqrt(factor * variance + subscriptions + days)
        for end, own in ((low, value / math.exp(0.9 * reach)), (high, value * math.exp(1.3 * reach))):
            if reach < 5 and abs(end - own) > 0.0101 * own:
                found.append(f"{area}: {end} and not {own}")
        return found

    def add_cones(
        self,
        row: Mapping[str, str | None],
        where: tuple[str, str],
        area: str,
        survey: Survey,
        of: list[Terms],
        truth: Array,
        value: float,
        half: float,
    ) -> None:
        """Add the cone of a published error: a CV of public terms by v, or an interval by the error that
        makes it, which is at least the linearised one."""
        if row.get("rates_variance"):
            # All rows of a series have the same one.
            name = (*where, id(survey), row["rates_variance"])
            if name in self.variances:
                return
            self.variances.add(name)
            matrix, unit = survey.rates_map(truth)
            most, cells = math.sqrt(float(str(row["rates_variance"])) * unit), survey.rates_cells()
        elif not self.own_errors or not survey.is_ratio(area):
            return
        else:
            bounds = []
            t = float(stdtrit(survey.most_freedom(), 0.975))
            ends = [row.get("estimate_high"), row.get("estimate_low")]
            for figure in (value - half, value + half):
                own = [figure * BANDS[str(row["cv_band_code"])]] if row.get("cv_band_code") in BANDS else []
                if ends[0] and float(ends[0]) > figure > 0:
                    own.append(figure * math.log(float(ends[0]) / figure) / t)
                if ends[1] and 0 < float(ends[1]) < figure:
                    own.append(figure * math.log(figure / float(ends[1])) / t)
                if own:
                    bounds.append(min(own))
            if len(bounds) < 2:
                return
            matrix, most, cells = survey.error_map(area), max(bounds), []
        self.errors[where[1]].append(PublishedError(matrix, of, most, cells))

    def add_targets(
        self,
        key: tuple[str, str, str],
        area: str,
        survey: Survey,
        of: list[Terms],
        truth: Array,
        factors: Array,
        inside: Array,
        facts: Mapping[str, tuple[str, str, str]],
        waived: set[tuple[str, str, str, str]],
        now: float,
    ) -> None:
        """Holdings with more than LARGE of a figure, beside the next largest of it and the administration of
        the other country with the largest share."""
        share: dict[str, float] = defaultdict(float)
        of_country: dict[str, float] = defaultdict(float)
        own: dict[str, list[int]] = defaultdict(list)
        for at, name in enumerate(survey.respondents):
            if inside[at]:
                share[facts[name][1]] += factors[at] * truth[at] / now
                own[facts[name][1]].append(at)
                of_country[facts[name][2]] += factors[at] * truth[at] / now
        ordered = sorted(share, key=lambda name: -share[name])
        for holding in ordered:
            if share[holding] <= LARGE:
                break
            others = [name for name in ordered if name != holding][:1]
            at_home = {facts[survey.respondents[at]][2] for at in own[holding]}
            abroad = sorted(of_country.keys() - at_home, key=lambda name: (-of_country[name], name))
            others += [ADMINISTRATION + name for name in abroad[:1]]
            if all((*key, survey.respondents[at]) in waived for at in own[holding]):
                continue
            terms = tuple(sorted(add_terms(of[at] for at in own[holding]).items()))
            value = float(truth[own[holding]].sum())
            if value > 0 and terms:
                self.targets.setdefault(
                    (terms, holding, *others),
                    Target(holding, tuple(others), key[0], key[2], key[1], area, terms, value),
                )

    # --- programs -------------------------------------------------------------------------------------

    def ask(self, p: float) -> None:
        """Ask for each target as anyone, as the next largest holding, and as an administration."""
        if not self.targets:
            return
        programs = self.build_programs()
        cones: dict[str, list[Cone]] = {}
        for target in sorted(self.targets.values(), key=lambda each: each.series):
            about = ALL_SERIES if self.table == MONEY else target.series
            if about not in cones:
                # Of one series after the other, since they are large.
                cones = {about: list(self.build_cones(about, programs))}
            attackers = [
                each
                for each in (ANYONE, *target.others)
                if not any(each in self.unknowns.holding[at] for at, _ in target.terms)
            ]
            self.report.asked += len(attackers)
            self.report.administrations |= {each for each in attackers if each.startswith(ADMINISTRATION)}
            for side, sign in (("high", 1.0), ("low", -1.0)):
                gain = np.zeros(len(programs.truth))
                for at, by in target.terms:
                    gain[at] = sign * by * programs.scale[at] / target.truth
                if not self.is_far_for_all(programs, gain, attackers, p, (about, cones.get(about, []))):
                    for attacker in attackers:
                        self.ask_pair(programs, target, attacker, (side, gain), p, cones.get(about, []))
        self.report.programs += programs.count

    def build_programs(self) -> Programs:
        """The equations over changes from the truth, each with entries of size 1."""
        truth = np.array(self.unknowns.truth)
        typical = float(np.median(truth[truth > 0])) if (truth > 0).any() else 1.0
        scale = np.maximum(truth, max(1e-3 * typical, 1.0))
        lines = list(self.equations)
        for less, more in sorted(self.unknowns.less):
            lines.append((add_terms([dict(more), {at: -by for at, by in less}]), 0.0, np.inf))
        matrix = sparse([terms for terms, _, _ in lines], len(truth))
        now = matrix @ truth
        matrix = csr_array(matrix.multiply(scale[None]))
        size = np.maximum(abs(matrix).max(axis=1).toarray().ravel(), 1e-300)
        low, high = (np.array([line[at] for line in lines]) for at in (1, 2))
        return Programs(
            csr_array(matrix.multiply(1 / size[:, None])),
            np.minimum((low - now) / size, 0.0),
            np.maximum((high - now) / size, 0.0),
            truth,
            scale,
        )

    def build_cones(self, series: str, programs: Programs) -> Iterator[Cone]:
        """The cones of a series. One that the truth is not in says something else, such as a v that stands in
        for one that would reveal."""
        of_series = (
            [each for of in self.errors.values() for each in of]
            if series == ALL_SERIES
            else self.errors[series]
        )
        for each in of_series:
            rows = csr_array(csr_array(each.matrix) @ sparse(each.of, len(programs.truth)))
            base = rows @ programs.truth
            if not len(base) or each.most <= 0:
                continue
            if np.linalg.norm(base) > each.most * (1 + 1e-9):
                self.report.unequal.append(f"{series}: {np.linalg.norm(base) / each.most:.4f}")
                continue
            self.report.cones += 1
            yield Cone(base / each.most, csr_array(rows.multiply(programs.scale[None] / each.most)))

    def is_far_for_all(
        self,
        programs: Programs,
        gain: Array,
        attackers: Sequence[str],
        p: float,
        of_series: tuple[str, Sequence[Cone]],
    ) -> bool:
        """Return whether one point that is p away keeps what any of the attackers has: found before, for the
        same target, or now, as one who has all of it would ask.

        Args:
            of_series: its name and its cones.
        """
        about, cones = of_series
        seen = np.flatnonzero([not names.isdisjoint(attackers) for names in self.unknowns.holding])
        found = self.far[about, gain.round(12).tobytes()]
        if any(not point[seen].any() for point in found):
            return True
        point = self.move_series(programs, gain, seen, p, cones)
        if point is None:
            programs.know(seen)
            off, point, _ = self.ask_end(programs, gain, seen, p, cones, is_proved=False)
            if off < p or point is None:
                return False
        found.append(point)
        return True

    def move_series(
        self, programs: Programs, gain: Array, seen: Array, p: float, cones: Sequence[Cone]
    ) -> Array | None:
        """A point that is p away and moves one series and those that orders and sums bind to it, then those
        that are bound to these, and no other: a program of a fraction of the unknowns finds it mostly."""
        orders = programs.rows[len(self.equations) :]
        moved = np.unique(np.concatenate([np.flatnonzero(gain), *(cone.rows.indices for cone in cones)]))
        for _ in range(BOUND):
            moved = np.union1d(moved, orders[np.diff(orders[:, moved].indptr) > 0].indices)
            if 2 * len(moved) > len(gain):
                break
            still = np.setdiff1d(np.arange(len(gain)), np.setdiff1d(moved, seen))
            found = solve_second_order(programs, gain, still, FAR * p, cones)
            if gain @ found >= p:
                return found
        return None

    def ask_pair(
        self,
        programs: Programs,
        target: Target,
        attacker: str,
        end: tuple[str, Array],
        p: float,
        cones: Sequence[Cone],
    ) -> None:
        """Ask an attacker for an end: its side and gain."""
        side, gain = end
        seen = np.flatnonzero([attacker in names for names in self.unknowns.holding])
        programs.know(seen)
        off, _, with_cones = self.ask_end(programs, gain, seen, p, cones)
        if off < p and with_cones and self.moves_far(programs, gain, seen, p):
            self.report.moved += 1
        elif off < p:
            self.report.found.append(
                Found(attacker, target.holding, target.table, target.series, target.period, target.area,
                      side, off, with_cones)
            )  # fmt: skip

    def ask_end(
        self,
        programs: Programs,
        gain: Array,
        seen: Array,
        p: float,
        cones: Sequence[Cone],
        is_proved: bool = True,
    ) -> tuple[float, Array | None, bool]:
        """Return how far a target moves, a point that shows it where it is far enough, and whether cones were
        asked: lines alone come first."""
        point = programs.solve(gain, FAR * p)
        off = float(gain @ point)
        # On the way from the truth to a point that is in no cone there may be one that is far enough.
        nearer = point * min(1.0, p / off) if off > 0 else point
        if off < p or all(cone.holds(nearer) for cone in cones):
            return off, nearer, False
        return *self.ask_cones(programs, gain, seen, p, cones, is_proved), True

    def moves_far(self, programs: Programs, gain: Array, seen: Array, p: float) -> bool:
        """Return whether contributions that are p away give every published figure and no larger variance of
        any series, at their own ratios."""
        errors = [each for of in self.errors.values() for each in of]
        # Of the study's own errors no ratios move: what they prove stays found.
        return all(each.cells for each in errors) and Ratios(programs, errors).reach(gain, seen, p) >= p

    def ask_cones(
        self,
        programs: Programs,
        gain: Array,
        seen: Array,
        p: float,
        cones: Sequence[Cone],
        is_proved: bool,
    ) -> tuple[float, Array | None]:
        """Return how far a target moves within cones, and a point that shows it. Tangents are added to the
        linear program; where a few do not show it, the second solver does. A result that is too near is
        proved by more tangents, where that is wanted."""
        try:
            off, point = self.cut_cones(programs, gain, p, cones, FIRST_CUTS)
            if off < math.inf:
                return off, point
            self.report.second += 1
            found = solve_second_order(programs, gain, seen, FAR * p, cones)
            if gain @ found >= p * (1 - 1e-3):
                return float(gain @ found), found
            if not is_proved:
                return 0.0, None
            return self.cut_cones(programs, gain, p, cones, MOST_CUTS)
        finally:
            programs.drop_cuts()

    @staticmethod
    def cut_cones(
        programs: Programs, gain: Array, p: float, cones: Sequence[Cone], count: int
    ) -> tuple[float, Array | None]:
        """Return how far a target moves, if so many rounds of tangents show that it is at least p, by a point
        within all cones, or less; else infinity."""
        for _ in range(count):
            point = programs.solve(gain, FAR * p)
            off = float(gain @ point)
            if off < p:
                return off, None
            parts = [cone.reach(point) for cone in cones]
            if off * min(parts) >= p:
                return off * min(parts), point * min(parts)
            for cone, part in zip(cones, parts, strict=True):
                if part < 1:
                    programs.cut(cone, part * point)
        return math.inf, None


def weigh(factors: Array, of: Sequence[Terms]) -> Terms:
    return add_terms({at: by * factor for at, by in terms.items()}
                     for factor, terms in zip(factors.tolist(), of, strict=True) if factor)  # fmt: skip


def sparse(lines: Sequence[Mapping[int, float]], count: int) -> csr_array:
    starts = np.cumsum([0, *map(len, lines)])
    at = np.array([each for terms in lines for each in terms], dtype=int)
    by = np.array([each for terms in lines for each in terms.values()], dtype=float)
    return csr_array((by, at, starts), (len(lines), count))
