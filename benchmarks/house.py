"""The shape of the house in numbers: `python -m benchmarks.house`.

Lines, imports between the wings, circles, parameters, lists of tables, formats of numbers, words of
documents. It reads the working tree and asserts nothing; with --circles, as `make check` calls it, it looks
for circles of imports alone and fails if there is one. For functions that radon rates D or worse it needs
`radon`, which no other command does: pip install radon.
"""

import ast
import csv
import importlib.util
import io
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.tools import ROOT
from jobs.base.core.program import find_sources

JOBS = ROOT / "jobs"
NUMBERS = JOBS / "base" / "core" / "numbers.py"
WINGS = ("operators", "study")
# A constant of at least so many names of tables is a list of tables.
LISTED = 4
LISTING_ROOMS = ("gold", "estimates", "public", "build")
TABLE = re.compile(r"(ref|meta|bronze|silver|gold|study|public)\.[a-z_]+")
NUMERIC = ("int", "bigint", "smallint", "tinyint", "double", "float", "decimal", "long")
# Functions by these names write a number for people.
WRITES = re.compile(r"^(format|show|write)_(\w+_)?(\w+)$")
# A format of a number in an f-string, or in a call of format().
SPECIFIER = re.compile(r"^[-+<>^ ]?[0-9]*,?(\.[0-9]*)?[efg%]?$")


def python_files(folder: str = "jobs") -> list[Path]:
    return find_sources(f"{folder}/**/*.py")


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def count_lines(*patterns: str) -> int:
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in find_sources(*patterns))


def read_imports() -> dict[str, set[str]]:
    """By module of jobs/, schemas/ and expectations/ the modules of these that it imports."""
    files = [file for top in ("jobs", "schemas", "expectations") for file in python_files(top)]
    names = {module_name(file) for file in files}
    found: dict[str, set[str]] = {}
    for file in files:
        own = found.setdefault(module_name(file), set())
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{each.name}" for each in node.names}
                own |= inner & names
                if inner - names and node.module in names:
                    own.add(node.module)
            elif isinstance(node, ast.Import):
                own |= {each.name for each in node.names} & names
    return {name: to - {name} for name, to in found.items()}


def part_of(module: str) -> str:
    """The wing, the base or the commands that a module is in; rules of contracts are of the base."""
    parts = module.split(".")
    if parts[0] == "jobs":
        return parts[1] if len(parts) > 1 else "jobs"
    return "base" if parts[0] == "expectations" else parts[0]


def count_crossings(imports: dict[str, set[str]]) -> Counter[tuple[str, str]]:
    """Imports from part to part, by module that imports and module that is imported."""
    pairs = ((part_of(own), part_of(other)) for own, to in imports.items() for other in to)
    return Counter((own, other) for own, other in pairs if own != other)


def find_circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(imports.get(name, ())):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = [stack.pop()]
            while group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    sys.setrecursionlimit(10_000)
    for name in sorted(imports):
        if name not in index:
            visit(name)
    return sorted(found)


def transforms() -> Iterator[tuple[int, str]]:
    """Parameters of each transform() of a table, most first."""
    found = []
    for file in python_files():
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name == "transform":
                each = node.args
                found.append(
                    (len(each.args) + len(each.kwonlyargs) + len(each.posonlyargs), module_name(file))
                )
    return iter(sorted(found, reverse=True))


def hand_lists() -> list[str]:
    """Constants of gold, study and public that name LISTED tables or more, or modules of so many."""
    found = []
    for file in python_files():
        if not {*LISTING_ROOMS, "study"} & set(file.relative_to(JOBS).parts):
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            names = {
                each.value
                for each in ast.walk(node.value)
                if isinstance(each, ast.Constant)
                and isinstance(each.value, str)
                and TABLE.fullmatch(each.value)
            }
            if len(names) >= LISTED:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                found.append(f"{module_name(file)}.{ast.unparse(target)} ({len(names)})")
    return found


def number_writers() -> tuple[set[str], int, set[str]]:
    """Functions named for writing that hold a format of a number; all such formats; their modules.

    The module of numbers is left out, and so are coordinates of drawings and plain counts (`{:,}` and
    `{:+,}`)."""
    functions, specifiers, modules = set(), 0, set()
    for file in python_files():
        if file == NUMBERS or JOBS / "base" / "page" in file.parents:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and WRITES.match(node.name) and list_formats(node):
                functions.add(f"{module_name(file)}.{node.name}")
        here = len(list_formats(tree))
        specifiers += here
        if here:
            modules.add(module_name(file))
    return functions, specifiers, modules


def list_formats(tree: ast.AST) -> list[str]:
    return [
        text
        for node in ast.walk(tree)
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None
        for text in [
            "".join(str(each.value) for each in ast.walk(node.format_spec) if isinstance(each, ast.Constant))
        ]
        if SPECIFIER.match(text) and text.strip("<>^+0123456789,")
    ]


def columns_without_unit() -> tuple[int, int]:
    """Numeric columns of fields.yaml, and those of them without a unit."""
    fields = yaml.safe_load((ROOT / "schemas" / "fields.yaml").read_text(encoding="utf-8"))
    numeric = [about for about in fields.values() if str(about["type"]).split("(")[0] in NUMERIC]
    return len(numeric), sum(not about.get("unit") for about in numeric)


def rated_d() -> str:
    if importlib.util.find_spec("radon") is None:
        return "- (pip install radon)"
    command = [sys.executable, "-m", "radon", "cc", "-n", "D", str(JOBS)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return str(len(re.findall(r"^\s+[FMC] ", told, re.MULTILINE)))


def sizes_of_folders() -> list[str]:
    """Folders of more than twenty modules, without __init__.py."""
    count = Counter(file.parent for file in python_files() if file.name != "__init__.py")
    return [f"{folder.relative_to(ROOT)} ({n})" for folder, n in sorted(count.items()) if n > 20]


def words_of(*patterns: str) -> int:
    return sum(len(file.read_text(encoding="utf-8").split()) for file in find_sources(*patterns))


def main() -> None:
    imports = read_imports()
    if sys.argv[1:] == ["--circles"]:
        circles = [", ".join(circle) for circle in find_circles(imports)]
        sys.exit("\n".join(["These modules import each other:", *circles]) if circles else 0)
    crossings = count_crossings(imports)
    sql = sum(
        len(re.findall(r"\bpl\.sql_expr\(", file.read_text(encoding="utf-8"))) for file in python_files()
    )
    numeric, without = columns_without_unit()
    writers, specifiers, places = number_writers()
    lists = hand_lists()
    most = list(transforms())[:3]
    anything = sum(
        len(re.findall(r"dict\[str, Any\]", file.read_text(encoding="utf-8"))) for file in python_files()
    )
    names = defaultdict(int, crossings)
    rows: list[tuple[str, object]] = [
        ("lines of Python in jobs/", count_lines("jobs/**/*.py")),
        (
            "lines of YAML, templates, benchmarks",
            count_lines(
                "schemas/**/*.yaml", "jobs/**/*.yaml", "jobs/**/*.j2", "jobs/**/*.css", "benchmarks/**/*.py"
            ),
        ),
        ("modules of jobs/", len(python_files())),
        (
            "folders beside each other in jobs/",
            sum((each / "__init__.py").exists() for each in JOBS.iterdir()),
        ),
        ("folders of more than 20 modules", ", ".join(sizes_of_folders())),
        ("imports operators -> study", names["operators", "study"]),
        ("imports study -> operators", names["study", "operators"]),
        ("imports base -> wings", names["base", "operators"] + names["base", "study"]),
        ("circles between modules", len(find_circles(imports))),
        *(("  ", ", ".join(circle)) for circle in find_circles(imports)),
        ("most parameters of a transform", ", ".join(f"{n} {name.rpartition('.')[2]}" for n, name in most)),
        ("lists of tables in gold, study, public", len(lists)),
        *(("  ", each) for each in lists),
        ("functions that write numbers, elsewhere", len(writers)),
        ("formats of numbers elsewhere, in modules", f"{specifiers} in {len(places)}"),
        ("numeric columns, without a unit", f"{numeric}, {without}"),
        ("calls of pl.sql_expr", sql),
        ("functions that radon rates D or worse", rated_d()),
        ("dict[str, Any]", anything),
        ("words of decisions", words_of("docs/decisions/*.md")),
        ("words of CONTRIBUTING and operator's guide", words_of("CONTRIBUTING.md", "docs/operator.md")),
        ("words of docs/, decisions left out", words_of("docs/*.md", "docs/dev/*.md")),
    ]
    table = io.StringIO()
    csv.writer(table, delimiter="\t", lineterminator="\n").writerows(rows)
    print(table.getvalue().expandtabs(48), end="")


if __name__ == "__main__":
    main()
