"""Find the rows of yes-or-no answers that would reveal a member's answer, over areas that overlap."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from jobs.study.disclosure.answer_shares import find_hidden

MEMBER, AREA, ANSWER = "member", "area_code", "answer_code"


def hidden_rows(
    inside: pl.DataFrame,
    given: pl.DataFrame,
    line: Sequence[str],
    offered: Callable[[tuple[object, ...]], Sequence[str]],
) -> pl.DataFrame:
    """Decide, by line, area and answer, whether its class of the share may not leave: line, area_code,
    answer_code and is_hidden.

    Args:
        inside: the areas that each member is in.
        given: one answer of each member to each line (columns line).
        offered: the answers of a line that rows are asked for.
    """
    codes = sorted(set(inside[AREA]))
    place = {code: at for at, code in enumerate(codes)}
    # Members that are in the same areas are one set.
    of_member = inside.group_by(MEMBER).agg(areas=pl.col(AREA).unique().sort()).sort("areas", MEMBER)
    sets = of_member.select("areas").unique(maintain_order=True).with_row_index("set")
    member = np.zeros((len(codes), sets.height), dtype=bool)
    for at, areas in sets.rows():
        member[[place[code] for code in areas], at] = True
    known = given.join(of_member.join(sets, on="areas").select(MEMBER, "set"), on=MEMBER)
    rows: list[tuple[object, ...]] = []
    for key, own in known.partition_by(line, as_dict=True, maintain_order=True).items():
        at = own["set"].to_numpy()
        answered = np.bincount(at, minlength=sets.height)
        for code in offered(key):
            chosen = np.bincount(at[(own[ANSWER] == code).to_numpy()], minlength=sets.height)
            hidden = find_hidden(member, chosen, answered).tolist()
            rows += [(*key, area, code, each) for area, each in zip(codes, hidden, strict=True)]
    schema = {**dict.fromkeys((*line, AREA, ANSWER), pl.String), "is_hidden": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")
