"""Public tables come from the gate alone, and what leaves is made from them alone: over all modules, by what
they import, call and name."""

import ast
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import list_tables
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.public.gate import BY_GATE

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("study.", "public", "jobs.study.release", "_tables", "importlib")
STUDY = frozenset(table for table in list_tables() if table.startswith("study."))
RESPONDENT = frozenset(table for table in STUDY if table.startswith("study.respondent_"))
RESPONDENT_ROOM = "study.estimates"
# Which modules make public rows, by the call, and which write files of a release.
MAKES_ROWS = {
    # The gate, and the modules that contracts name.
    "jobs.study.public.tables.coarsen_rows": {"jobs.study.public.gate"}
    | {
        f"jobs.study.public.{column.by}"
        for table in public_tables()
        for column in public_contract(table).columns
        if column.way == "made" and column.by not in BY_GATE
    },
    "jobs.study.public.gate.transform_rows": {"jobs.study.public.gate"},
    "jobs.study.public.gate.unguarded_tables": {"jobs.study.public.gate"},
    "jobs.study.public.gate.make_public_tables": {"jobs.study.release.production"},
    "jobs.study.release.assembly.files_of": {"jobs.study.release.production"},
    "jobs.study.release.folders.write_folder": {
        "jobs.study.release.production",
        "jobs.study.release.publishing",
    },
    "jobs.study.release.folders.write_release": {"jobs.study.release.production"},
    "jobs.study.release.folders.stage_folder": {
        "jobs.study.release.folders",
        "jobs.study.release.publishing",
    },
    "jobs.study.release.folders.put_in_place": {
        "jobs.study.release.folders",
        "jobs.study.release.publishing",
    },
}
# Which modules load others by names that they put together; each loads those of one room.
LOADS_BY_NAME = {
    "jobs.base.engine.executor",
    "jobs.operators.formats.registry",
    "jobs.operators.gold.kernels",
    "jobs.study.estimates.steps.study_stage",
    "jobs.study.public.gate",
}
# What readers get: the workbook, SDMX, CSV and Parquet, codebook, and what a human approves.
LEAVES = ("assembly", "codebook", "comparing", "released_tables", "sdmx", "summary", "workbook")
# Rooms of the study node's own team, whose work is on study tables, and the one that validates them.
OWN_ROOMS = (
    "jobs.study.estimates.", "jobs.study.packages.", "jobs.study.questionnaire.", "jobs.study.costs.",
    "jobs.base.packages.", "jobs.base.checks.", "jobs.base.costs.", "jobs.operators.packages.",
    "jobs.operators.erase.",
)  # fmt: skip
# Other modules that name a study table, and why they may.
OTHERS = {
    "jobs.study.public.cells": "the gate's own input: contributions",
    "jobs.study.public.intervals": "whether contributions changed, so that a variance has to stand",
    "jobs.study.public.knowledge": "the attack's input: contributions",
    "jobs.study.release.production": "notes on contributions, for the officer",
    "jobs.study.release.recipe": "takes the tables for the gate",
    "jobs.study.desk.next_steps": "says whether anything is loaded and estimated",
    "jobs.study.desk.rounds": "says which respondents answered, for the study's own team",
    "jobs.cli.study.study_readers": "takes a reader's own answers, beside published rows",
    "jobs.cli.demo": "prints figures of the made-up membership",
    "jobs.cli.study.study_results": "prints for the study's own team",
    "jobs.cli.study.study_check": "prints for the study's own team",
    "jobs.cli.study.study_membership": "prints for the study's own team",
    "jobs.cli.cost_sensitivity": "prints for the study's own team",
    "jobs.cli.cost": "costs by published models, of which every row is free",
    "jobs.operators.report.header": "names the command that prints them, and reads none",
    "dags.study_monthly": "assets of what it writes",
}


@dataclass
class Module:
    """A module: its constants by name, what its names were imported from, and the calls and texts in it."""

    tree: ast.Module
    name: str = ""
    imported: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for each in node.names:
                    self.imported[each.asname or each.name] = f"{node.module}.{each.name}"
            elif isinstance(node, ast.Import):
                for each in node.names:
                    self.imported[each.asname or each.name] = each.name

    def full(self, node: ast.expr, own: str) -> str | None:
        """The whole name of what a name or an attribute stands for."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, f"{own}.{node.id}")
        if isinstance(node, ast.Attribute):
            before = self.full(node.value, own)
            return None if before is None else f"{before}.{node.attr}"
        return None

    @cached_property
    def texts(self) -> frozenset[str]:
        """Constant texts, but docstrings."""
        documents = {
            id(node.body[0].value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        return frozenset(
            node.value
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents
        )

    @cached_property
    def constants(self) -> dict[str, set[str]]:
        """The texts in each constant of the module, those of constants before it that it is made of too."""
        found: dict[str, set[str]] = {}
        for node in self.tree.body:
            if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                is_each = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                values = node.value.elts if is_each else [node.value] * len(names)  # type: ignore[attr-defined]
                for name, value in zip(names, values, strict=True):
                    if isinstance(name, ast.Name):
                        texts = (self.texts_of(each, found) for each in ast.walk(value))
                        found[name.id] = set().union(*texts)
        if self.name.startswith("jobs.") and "_tables" in ast.unparse(self.tree):
            # Lists of tables are computed: their values count.
            made = vars(importlib.import_module(self.name))
            for name in found:
                found[name] |= set(list_texts(made[name]))
        return found

    @staticmethod
    def texts_of(node: ast.AST, known: Mapping[str, set[str]]) -> set[str]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return {node.value}
        return known.get(node.id, set()) if isinstance(node, ast.Name) else set()


def list_texts(value: object) -> Iterator[str]:
    """The texts in a constant, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from list_texts(list(value.items()))
    elif isinstance(value, tuple | list | set | frozenset):
        for each in value:
            yield from list_texts(each)


@cache
def modules() -> dict[str, Module]:
    """Every module of the project by its name, but those without a word of what is asked."""
    found = {}
    for folder in ("jobs", "dags"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            text = file.read_text(encoding="utf-8")
            if any(word in text for word in WORDS):
                found[name] = Module(ast.parse(text), name)
    return found


def calls(module: Module, own: str) -> set[str]:
    """Return the names of the two rooms that a module calls or hands on, in full."""
    if not any(
        whole.startswith(("jobs.study.public", "jobs.study.release"))
        for whole in (own, *module.imported.values())
    ):
        return set()
    found = {
        module.full(node, own) for node in ast.walk(module.tree) if isinstance(node, ast.Name | ast.Attribute)
    }
    return {each for each in found if each is not None}


def study_tables(module: Module, others: Mapping[str, Module]) -> set[str]:
    """The study tables that a module names, by itself or by a constant of its own or another one."""
    found = set(module.texts & STUDY).union(*(texts & STUDY for texts in module.constants.values()))
    if "study." in module.texts:
        found.add("study.*")
    named = {*module.imported.values()}
    if named & others.keys():
        # Constants by their module's name.
        walked = (node for node in ast.walk(module.tree) if isinstance(node, ast.Attribute))
        named |= {whole for node in walked if (whole := module.full(node, module.name))}
    for whole in named:
        room, _, name = whole.rpartition(".")
        if room in others:
            found |= others[room].constants.get(name, set()) & STUDY
    return found


def test_nothing_but_the_gate_makes_public_rows_and_nothing_but_a_release_writes_them() -> None:
    found: dict[str, set[str]] = {name: set() for name in MAKES_ROWS}
    for own, module in modules().items():
        for each in calls(module, own) & set(MAKES_ROWS):
            if each.rpartition(".")[0] != own or own in MAKES_ROWS[each]:
                found[each].add(own)
    assert found == MAKES_ROWS


def test_the_gate_alone_takes_the_transforms_of_public_tables() -> None:
    transforms = {f"jobs.study.{table}" for table in public_tables()}
    takers = {
        own
        for own, module in modules().items()
        for each in module.imported.values()
        if each in transforms or each.rpartition(".")[0] in transforms
    }
    assert takers == set()
    loaders = {own for own, module in modules().items() if "importlib" in module.imported.values()}
    assert loaders == LOADS_BY_NAME
    assert not any("jobs.study.public." in module.texts for module in modules().values())


@pytest.mark.parametrize("table", public_tables())
def test_no_lake_takes_a_public_table(table: str, tmp_path: Path) -> None:
    """Neither by a name that is written out, nor by one that is put together."""
    lake, rows = Lake(str(tmp_path / "lake")), pl.DataFrame({"estimate": [1]})
    for write in (
        lambda: lake.append(rows, table),
        lambda: lake.rewrite(rows, table, {}),
        lambda: lake.replace(rows, table, "true"),
    ):
        with pytest.raises(ObservatoryError):
            write()
    named = {own for own, module in modules().items() if module.texts & set(public_tables())}
    assert named == set()


def test_what_leaves_is_made_from_public_tables_alone() -> None:
    readers = {"open_lake", "Lake", "read_tables", "read_table", "frames_in", "read_earlier_release", "Basis"}
    for name in LEAVES:
        module = modules()[f"jobs.study.release.{name}"]
        assert study_tables(module, modules()) == set(), name
        assert not {whole.rpartition(".")[2] for whole in module.imported.values()} & readers, name
        assert "basis" not in module.texts, name


def test_study_tables_are_named_by_the_studys_own_rooms_and_by_those_listed() -> None:
    found = {
        own
        for own, module in modules().items()
        if study_tables(module, modules()) and not own.startswith(OWN_ROOMS)
    }
    assert found == set(OTHERS)


def test_respondents_figures_are_named_where_estimates_are_made_alone() -> None:
    """No module that makes, prints or sends anything else reads what single respondents gave."""
    found = {own for own, module in modules().items() if RESPONDENT & study_tables(module, {})}
    assert f"jobs.{RESPONDENT_ROOM}.respondent_figure" in found
    assert all(own.startswith(f"jobs.{RESPONDENT_ROOM}.") for own in found)
    assert not RESPONDENT & {public_contract(table).source for table in public_tables()}


@pytest.mark.parametrize(
    "text",
    [
        "rows = lake.read('study.spam_volume')",
        "from jobs.study.estimates.contribution import TABLE\nrows = lake.read(TABLE)",
        "from jobs.study.estimates.steps.study_stage import TABLES\nrows = map(lake.read, TABLES)",
        "from jobs.study.estimates.steps import study_stage\nrows = map(lake.read, study_stage.TABLES)",
        "from jobs.study.estimates.steps.study_stage import TABLES as MINE\nrows = map(lake.read, MINE)",
        "rows = lake.read('study.' + name)",
    ],
)
def test_a_module_that_reads_a_study_table_is_found(text: str) -> None:
    assert study_tables(Module(ast.parse(text)), modules())


@pytest.mark.parametrize(
    "text",
    [
        "from jobs.study.public.gate import make_public_tables\nmake_public_tables()",
        "from jobs.study.public.gate import make_public_tables as other\nother()",
        "from jobs.study.public import gate\ngate.make_public_tables()",
        "import jobs.study.public.gate as way\nway.make_public_tables()",
        "from jobs.study.public.gate import make_public_tables\nrun(make_public_tables)",
    ],
)
def test_a_module_that_makes_public_rows_is_found(text: str) -> None:
    assert "jobs.study.public.gate.make_public_tables" in calls(
        Module(ast.parse(text)), "jobs.operators.report.page"
    )
