"""Rows of wholes and of all parts together have names in a release."""

from __future__ import annotations

import pytest

from jobs.core.series import ALL, PARTS
from jobs.public.contracts import public_contract, public_tables
from jobs.release.released import list_of

PARTED = [table for table in public_tables() if "part_factor" in public_contract(table).schema]


@pytest.mark.parametrize("table", PARTED)
def test_the_codes_of_wholes_are_known(table: str) -> None:
    listed = [list_of(each) for each in public_contract(table).columns if each.role == "dimension"]
    assert any({ALL, PARTS} <= set(codes) for codes in listed if codes is not None)
