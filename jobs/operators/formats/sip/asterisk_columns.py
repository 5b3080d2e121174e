"""Columns of Asterisk's call detail records: the orders in which they come, row by row."""

import polars as pl

FIXED = [
    *("accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata"),
    *("start", "answer", "end", "duration", "billsec", "disposition", "amaflags"),
]
_LINKED = ["peeraccount", "linkedid", "sequence"]
CUSTOM = [
    *("clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer"),
    *("end", "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield"),
]
_NEEDED = {"src", "dst", "start", "disposition"}
_MOST = len(FIXED) + 5
SECONDS = r"^\d{1,9}(?:\.\d+)?$"
DISPOSITION = r"^[A-Z][A-Z ]*$"
_UNIQUE = r"^(?:[\w.-]+-)?\d{9,10}\.\d+$"


def read_rows(lines: pl.Series) -> pl.DataFrame:
    """The values of lines that are RFC 4180, as columns 0 to _MOST; a value in the last means too many."""
    schema = {str(place): pl.String for place in range(_MOST + 1)}
    if lines.is_empty():
        return pl.DataFrame(schema=schema)
    values = pl.read_csv(
        (lines.str.join("\n")[0] + "\n").encode(),
        has_header=False,
        schema=schema,
        infer_schema=False,
        missing_columns="insert",
        truncate_ragged_lines=True,
    )
    if len(values) != len(lines):
        raise AssertionError(f"{len(lines)} lines were read as {len(values)} rows of CSV")
    return values


def name_values(values: pl.DataFrame, names: list[str] | None) -> pl.DataFrame:
    """Each row's values under their names, as `_name`, and `_is_shaped`: it can have so many."""
    # An empty value without quotes is null, but only times can be that.
    count = pl.max_horizontal(
        pl.when(pl.col(name).is_not_null()).then(place + 1) for place, name in enumerate(values.columns)
    )
    values = values.with_columns(_count=count.fill_null(0).cast(pl.Int64))
    if names is not None:
        places = {name: pl.col(str(place)) for place, name in enumerate(names[: _MOST + 1])}
        is_shaped = (pl.col("_count") == len(names)) & pl.lit(set(names) >= _NEEDED)
    else:
        extra = [pl.col(str(len(FIXED) + place)) for place in range(5)]
        surplus = pl.col("_count") - len(FIXED)
        is_linked = surplus >= len(_LINKED)
        values = values.with_columns(
            _is_linked=is_linked, _own=surplus - pl.when(is_linked).then(len(_LINKED)).otherwise(0)
        )
        # With one of the two settings, the value shows which.
        is_unique = (pl.col("_own") == 2) | extra[0].str.contains(_UNIQUE).fill_null(False)
        userfield = pl.when(pl.col("_own") == 2).then(extra[1]).when(~is_unique).then(extra[0])
        linkedid = pl.coalesce(
            *(pl.when(pl.col("_own") == own).then(extra[own + _LINKED.index("linkedid")]) for own in range(3))
        )
        fixed = {name: pl.col(str(place)) for place, name in enumerate(FIXED)} | {
            "uniqueid": pl.when((pl.col("_own") > 0) & is_unique).then(extra[0]),
            "userfield": pl.when(pl.col("_own") > 0).then(userfield),
            "linkedid": pl.when("_is_linked").then(linkedid),
        }
        own = {name: pl.col(str(place)) for place, name in enumerate(CUSTOM)}
        values = values.with_columns(_is_custom=_is_custom())
        places = {
            name: pl.when("_is_custom").then(own.get(name)).otherwise(column)
            for name, column in fixed.items()
        }
        least = pl.when("_is_custom").then(len(CUSTOM) - 3).otherwise(len(FIXED))
        is_shaped = pl.col("_count").is_between(least, _MOST)
    missing = {name: pl.lit(None, dtype=pl.String) for name in [*FIXED, "uniqueid", "userfield", "linkedid"]}
    return values.select(
        *(expression.alias(f"_{name}") for name, expression in (missing | places).items()),
        _is_shaped=is_shaped,
    )


def _is_custom() -> pl.Expr:
    """Return whether a row has the order of cdr_custom.conf.sample: a duration where cdr_csv has the end."""
    duration, billed, disposition = (
        pl.col(str(CUSTOM.index(name))) for name in ("duration", "billsec", "disposition")
    )
    is_row = (
        duration.str.contains(SECONDS) & billed.str.contains(SECONDS) & disposition.str.contains(DISPOSITION)
    )
    is_head = (pl.col("0") == "clid") & (disposition == "disposition")
    return (is_row | is_head).fill_null(False)
