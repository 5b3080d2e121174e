"""SDMX of a release, read by other programs and held to its schemas."""

from pathlib import Path

import sdmx
from pysdmx.io import read_sdmx

from tests.support.release import made


def test_another_program_reads_the_sdmx(tmp_path: Path) -> None:
    files = made()
    for name in ("structure.xml", "spam_volume.xml"):
        (tmp_path / name).write_bytes(files[f"sdmx/{name}"])
    structure = sdmx.read_sdmx(tmp_path / "structure.xml")
    definition = structure.structure["DSD_SPAM_VOLUME"]
    found = sdmx.to_pandas(sdmx.read_sdmx(tmp_path / "spam_volume.xml", dsd=definition))
    by = found.index.names
    assert set(by) == {
        "REF_AREA", "CHANNEL", "UNIT", "DEFINITION", "QUANTITY", "MEASURE", "TIME_PERIOD",
    }  # fmt: skip
    assert found.xs(("001", "ESTIMATE"), level=("REF_AREA", "MEASURE")).to_list() == [17.2e9]
    assert len(found) == 4 * 3
    assert {"001", "ITU_AFR", "242"} <= {code.id for code in structure.codelist["CL_REF_AREA"]}
    assert {agency.maintainer.id for agency in structure.codelist.values()} == {"SPAMSTAT"}


def test_the_sdmx_is_valid_by_its_schemas() -> None:
    files = made()
    for name in ("structure.xml", "spam_volume.xml"):
        assert read_sdmx(files[f"sdmx/{name}"].decode(), validate=True)
    assert "Test>false<" in files["sdmx/structure.xml"].decode()
    assert b"dataflow,SPAMSTAT:DF_SPAM_VOLUME(1.0),I,001," in files["sdmx/spam_volume.csv"]
