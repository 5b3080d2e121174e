"""A release in SDMX: structures and data in SDMX-ML 2.1, data in SDMX-CSV 2.0, written by pysdmx.

Each table is a dataflow with a structure of its own. Its dimensions are the contract's, REF_AREA and
TIME_PERIOD among them, and MEASURE, which says which of the table's measures an observation is; attributes
stand with each observation. pysdmx checks neither codes nor keys: release_table() did. A table without rows
has a structure and no data: pysdmx and other readers refuse a message without observations.
"""

import datetime as dt
import re
from collections.abc import Sequence
from functools import lru_cache

import polars as pl
from pysdmx.io import write_sdmx
from pysdmx.io.format import Format
from pysdmx.io.pd import PandasDataset
from pysdmx.model import (
    Code,
    Codelist,
    Component,
    Components,
    Concept,
    ConceptScheme,
    Dataflow,
    DataStructureDefinition,
    DataType,
    Organisation,
    Role,
    Schema,
)
from pysdmx.model.message import Header

from jobs.study.release.about import About
from jobs.study.release.released_tables import (
    AREA,
    ReleasedTable,
    description_of,
    format_rows,
    published_codes,
)

VERSION, SCHEME, SCHEME_NAME = "1.0", "CS_SPAM", "Concepts of the spam study"
MEASURE, VALUE, TIME = "MEASURE", "OBS_VALUE", "TIME_PERIOD"
# Names of concepts that SDMX has in common for all domains.
COMMON = {AREA: "REF_AREA", "period_code": TIME}
# What an id of SDMX 2.1 may not hold.
NO_ID = re.compile(r"[^A-Za-z0-9_@$-]")
# Characters that pysdmx 1.21.0 does not write as they are, like others that do not print: its writer of data
# takes Python's repr() of each text and then makes each apostrophe a quotation mark.
# Its header escapes nothing.
UNSAFE = frozenset("&<>\"'\\⟦")
MARKED = re.compile("⟦([0-9a-f]+)⟧")


def concept_of(column: str) -> str:
    """The concept of a column: OBS_STATUS of obs_status_code."""
    return COMMON.get(column, column.removesuffix("_code").upper())


def code_id(code: str) -> str:
    """A code as SDMX may write it."""
    return NO_ID.sub("_", code)


@lru_cache
def mark_text(text: str) -> str:
    """A text whose unsafe characters are numbers between marks, which pysdmx leaves alone; encode_xml() makes
    them character references."""
    return "".join(f"⟦{ord(each):x}⟧" if each in UNSAFE or not each.isprintable() else each for each in text)


def encode_xml(text: str | None) -> bytes:
    assert text is not None
    return MARKED.sub(r"&#x\1;", text).encode("utf-8")


def describe_concepts(tables: Sequence[ReleasedTable]) -> dict[str, str]:
    """Every concept of the release, by id, with its name."""
    named = {MEASURE: "Which measure an observation is", VALUE: "Value of the measure"}
    for table in tables:
        named |= {concept_of(each.field.name): description_of(each.field.name) for each in table.columns}
    for table in tables:
        for name in table.measures:
            named.pop(concept_of(name), None)
    return dict(sorted(named.items()))


def build_concepts(tables: Sequence[ReleasedTable], agency: str) -> dict[str, Concept]:
    """Build the concepts of describe_concepts() for pysdmx."""
    urn = f"urn:sdmx:org.sdmx.infomodel.conceptscheme.Concept={agency}:{SCHEME}({VERSION})."
    return {
        name: Concept(id=name, name=mark_text(described), urn=urn + name)
        for name, described in describe_concepts(tables).items()
    }


def list_codes(tables: Sequence[ReleasedTable]) -> dict[str, dict[str, str]]:
    """The codes of each concept with their names: whole lists, and the measures of all tables."""
    found: dict[str, dict[str, str]] = {MEASURE: {}}
    for table in tables:
        for each in table.columns:
            listed = published_codes(each)
            if each.role == "measure":
                found[MEASURE][concept_of(each.field.name)] = each.field.description
            elif listed is not None:
                found[concept_of(each.field.name)] = listed
    return {concept: dict(sorted(codes.items())) for concept, codes in sorted(found.items())}


def build_codelists(tables: Sequence[ReleasedTable], agency: str) -> dict[str, Codelist]:
    """Build the code lists of list_codes() for pysdmx."""
    return {
        concept: Codelist(
            id=f"CL_{concept}",
            name=name_of_list(concept),
            agency=agency,
            version=VERSION,
            items=[Code(id=code_id(code), name=mark_text(name)) for code, name in codes.items()],
        )
        for concept, codes in list_codes(tables).items()
    }


def name_of_list(concept: str) -> str:
    return concept.replace("_", " ").capitalize()


def components_of(
    table: ReleasedTable, concepts: dict[str, Concept], lists: dict[str, Codelist]
) -> Components:
    """Dimensions in the contract's order with MEASURE and TIME_PERIOD last, the value, and attributes."""

    def make_component(
        name: str, role: Role, kind: DataType = DataType.STRING, is_needed: bool = True
    ) -> Component:
        level = "O" if role == Role.ATTRIBUTE else None
        return Component(
            name, is_needed, role, concepts[name], kind, local_codes=lists.get(name), attachment_level=level
        )

    named = [(concept_of(each.field.name), each) for each in table.columns]
    dimensions = [name for name, each in named if each.role == "dimension" and name != TIME]
    attributes = [name for name, each in named if each.role == "attribute"]
    return Components(
        [
            *(make_component(name, Role.DIMENSION) for name in [*dimensions, MEASURE]),
            make_component(TIME, Role.DIMENSION, DataType.PERIOD),
            make_component(VALUE, Role.MEASURE, DataType.DOUBLE),
            *(make_component(name, Role.ATTRIBUTE, is_needed=False) for name in attributes),
        ]
    )


def list_observations(table: ReleasedTable, order: list[str]) -> pl.DataFrame:
    """A row for each measure that has a value.

    Args:
        order: the ids of the structure's components.
    """
    rows = table.rows.select(each.field.name for each in table.columns)
    written = pl.DataFrame(format_rows(rows), schema=dict.fromkeys(rows.columns, pl.String), orient="row")
    coded = [
        pl.col(each.field.name).str.replace_all(NO_ID.pattern, "_")
        for each in table.columns
        if each.role != "measure" and published_codes(each) is not None
    ]
    written = written.with_columns(coded)
    others = [name for name in written.columns if name not in table.measures]
    long = (
        written.unpivot(table.measures, index=others, variable_name=MEASURE, value_name=VALUE)
        .filter(pl.col(VALUE) != "")
        .with_columns(pl.col(MEASURE).replace_strict({name: concept_of(name) for name in table.measures}))
        .rename({name: concept_of(name) for name in others})
    )
    return long.select(order).sort(order)


def build_files(tables: Sequence[ReleasedTable], about: About) -> dict[str, bytes]:
    """The files under sdmx/, by name."""
    concepts = build_concepts(tables, about.agency)
    lists = build_codelists(tables, about.agency)
    scheme = ConceptScheme(
        id=SCHEME, name=SCHEME_NAME, agency=about.agency, version=VERSION,
        items=list(concepts.values()),
    )  # fmt: skip
    structures: list[object] = [*lists.values(), scheme]
    found: dict[str, bytes] = {}
    for table in tables:
        named, described = table.name.upper(), mark_text(table.contract.description)
        components = components_of(table, concepts, lists)
        definition = DataStructureDefinition(
            id=f"DSD_{named}", name=described, agency=about.agency, version=VERSION, components=components
        )
        flow = Dataflow(
            id=f"DF_{named}", name=described, agency=about.agency, version=VERSION, structure=definition
        )
        structures += [definition, flow]
        observed = list_observations(table, [each.id for each in components])
        if observed.is_empty():
            continue
        schema = Schema(
            context="dataflow", agency=about.agency, id=flow.id, version=VERSION, components=components
        )
        data = observed.to_pandas().replace("", None)
        as_csv = PandasDataset(structure=schema, data=data)
        as_xml = PandasDataset(structure=schema, data=data.map(mark_text, na_action="ignore"))
        text = write_sdmx(as_csv, Format.DATA_SDMX_CSV_2_0_0)
        assert text is not None
        found[about.file_name(table.name, "csv")] = text.encode("utf-8")
        text = write_sdmx(as_xml, Format.DATA_SDMX_ML_2_1_STR, header=build_header(about, named))
        found[about.file_name(table.name, "xml")] = encode_xml(text)
    text = write_sdmx(structures, Format.STRUCTURE_SDMX_ML_2_1, header=build_header(about, "STRUCTURE"))
    return found | {about.file_name("structure", "xml"): encode_xml(text)}


def build_header(about: About, what: str) -> Header:
    """A message's header: no clock, no random id. Made-up figures are a test in the sense of SDMX."""
    day = about.day
    return Header(
        id=f"{about.agency}_{about.period}_{about.version}_{what}".replace(".", "_"),
        test=about.is_made_up,
        prepared=dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC),
        sender=Organisation(id=about.agency, name=mark_text(about.agency_name)),
    )
