"""Cells of CSV files as values of columns, for golden cases."""

import datetime as dt
import json
import zoneinfo
from decimal import Decimal
from typing import Any

import polars as pl


def value_of(text: str, kind: Any) -> Any:
    """A CSV cell as a value of the column's type; an empty cell is null."""
    if text == "":
        return None
    if isinstance(kind, pl.List | pl.Struct):
        return of_json(json.loads(text), kind)
    if kind == pl.Boolean:
        return {"TRUE": True, "FALSE": False}[text]
    if kind.is_integer():
        return int(text)
    if kind.is_float():
        return float(text)
    if isinstance(kind, pl.Decimal):
        return Decimal(text).quantize(Decimal(1).scaleb(-kind.scale))
    if kind == pl.Date:
        return dt.date.fromisoformat(text)
    if isinstance(kind, pl.Datetime):
        return dt.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo("UTC"))
    return text


def of_json(item: Any, kind: Any) -> Any:
    if item is None:
        return None
    if isinstance(kind, pl.List):
        return [of_json(each, kind.inner) for each in item]
    if isinstance(kind, pl.Struct):
        known = {field.name: field.dtype for field in kind.fields}
        assert not set(item) - set(known), f"{item} has more than {list(known)}"
        return {name: of_json(item.get(name), inner) for name, inner in known.items()}
    return value_of(str(item), kind) if isinstance(kind, pl.Decimal) else item
