"""Rules on the ledger."""

from typing import Any

from expectations import ledger, native
from jobs.base.tables.contracts import rows_frame


def test_the_ledger_conserves_lines_and_limits_quarantine() -> None:
    def file(source: str, lines: int, records: int, ignored: int, quarantined: int) -> dict[str, Any]:
        counts = {"line_count": lines, "record_count": records, "ignored_count": ignored}
        names = {"operator_id": "a", "source_id": source, "format_code": "postfix"}
        return names | counts | {"quarantined_count": quarantined}

    rules = ledger.ledger_rules(5.0, 6, "5%")
    files = [
        file("right", 100, 60, 35, 5),
        file("lost", 100, 60, 34, 5),
        file("lost", 10, 10, 0, 0),
        file("mangled", 100, 60, 34, 6),
        # One report of a stranger is no share.
        file("few", 7, 2, 0, 5),
        # The limit is on a source's lines, those that are no records too.
        file("ignored", 200, 100, 90, 10),
        # The limit is on a source, not on a file.
        file("mostly", 10, 5, 0, 5),
        file("mostly", 990, 990, 0, 0),
    ]

    def broken(*files: dict[str, Any]) -> dict[str, list[str]]:
        shares = ledger.quarantine_share(rows_frame(list(files), ledger.TABLE))
        results = native.check(ledger.TABLE, shares, rules, ledger.KEY)
        return {
            each.rule: [row["source_id"] for row in each.examples] for each in results if not each.is_held
        }

    assert broken(*files) == {
        "lines_conserved": ["lost"],
        "quarantine_within_limit": ["mangled"],
    }
    # A file without a line has no share, and is no violation.
    assert broken(file("empty", 0, 0, 0, 0)) == {}
