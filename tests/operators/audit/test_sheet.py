"""Sheets of labels that are small and grow."""

from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.operators.audit import sheet
from tests.study.questionnaire.test_loading import FAR_ROW
from tests.support.bombs import part_of, run_limited, with_parts

pytestmark = pytest.mark.long

LABELS = """
import sys
from pathlib import Path
from jobs.operators.audit import sheet
from jobs.base.core.errors import ObservatoryError
try:
    print(len(sheet.read_sheet(Path(sys.argv[1]))))
except ObservatoryError as error:
    print(error)
"""


def test_a_sheet_of_labels_with_a_cell_far_away_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "labels.xlsx"
    sheet.write_xlsx([{"operator_id": "a", "sample_id": "s"}], file)
    assert len(sheet.read_sheet(file)) == 1
    part = "xl/worksheets/sheet1.xml"
    data = part_of(file.read_bytes(), part).replace(b"</sheetData>", FAR_ROW + b"</sheetData>")
    file.write_bytes(with_parts(file.read_bytes(), {part: data}))
    with pytest.raises(ObservatoryError, match="XFD1048576 lies far outside of the sheet"):
        sheet.read_sheet(file)
    done = run_limited(LABELS, file, seconds=30)
    assert "XFD1048576 lies far outside of the sheet" in done.stdout, done.stderr[-500:]
