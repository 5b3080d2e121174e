"""Labels that an operator has from elsewhere, given as knowledge: they decide what definitions count."""

from pathlib import Path

import polars as pl
import pytest

from jobs.operators.build.run import Run
from jobs.operators.ingest.source_options import load_with_options
from tests.support.study import run_again
from tests.whole.test_near_duplicates import BEGIN, SETTINGS, mail

SOURCE = """
[[operator.source]]
id = "labels"
url = "labels*.csv"
format = "knowledge"
"""
NAMES = ["message_id", "recipient", "is_malicious", "commercial_code", "consent_code", "is_exempt"]
NAMES += ["is_optout_present"]
# A phishing mail, an invitation from a friend, and an advertisement of which it is known that nobody asked
# for it, but not whether it had a way out.
LABELS = [
    ("m0@shop.example", "ann0@heron.example", "true", "none", "none", "false", "false"),
    ("m1@shop.example", "Ann1@Heron.example", "false", "none", "inferred", "", ""),
    ("m2@shop.example", "ann2@heron.example", "false", "primary", "none", "", ""),
]


def counted(work: Run) -> dict[tuple[str, str], tuple[int, int]]:
    """Certain and possible recipients of each operator and definition."""
    rows = work.lake.read("gold.spam_volume_daily", where=pl.col("unit_code") == "recipient")
    sums = rows.group_by("operator_id", "definition_code").agg(pl.col("spam_certain", "spam_possible").sum())
    return {(row[0], row[1]): (row[2], row[3]) for row in sums.rows()}


@pytest.mark.long
def test_labels_from_elsewhere_change_what_definitions_count(tmp_path: Path) -> None:
    """Two operators with the same log, the second with labels."""
    lines = [line for number in range(4) for line in mail(number, "Hello")[0]]
    (tmp_path / "main.log").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    (tmp_path / "rspamd.log").write_text("", encoding="utf-8")
    rows = [f"{BEGIN:%F},{','.join(label)}" for label in LABELS]
    text = "\n".join([",".join(["day", *NAMES]), *rows]) + "\n"
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    operator = SETTINGS[SETTINGS.index("[[operator]]") :]
    informed = operator.replace('id = "heron"', 'id = "informed"').replace(
        'holding = "heron"', 'holding = "i"'
    )
    file = tmp_path / "observatory.toml"
    file.write_text(SETTINGS + informed + SOURCE, encoding="utf-8")
    found = counted(run_again(load_with_options(file)))
    asked = ("OPERATOR", "SPAM_ACT_2003", "CASL", "CAN_SPAM")
    # Of four mails nothing is known.
    assert {name: found["heron", name] for name in asked} == {
        "OPERATOR": (0, 0),
        "SPAM_ACT_2003": (0, 4),
        "CASL": (0, 4),
        "CAN_SPAM": (0, 4),
    }
    assert {name: found["informed", name] for name in asked} == {
        # What the filter did stays what it did.
        "OPERATOR": (0, 0),
        # The phishing mail is spam, the invitation is none; the advertisement may have been exempt, and the
        # mail without a label may be anything.
        "SPAM_ACT_2003": (1, 3),
        # Of what is not commercial these laws say nothing.
        "CASL": (0, 2),
        "CAN_SPAM": (0, 2),
    }
