"""Share of a sample that a format recognises."""

from jobs.operators.formats.shared.sample_shares import share_of_lines


def test_empty_lines_and_those_left_aside_are_not_counted() -> None:
    sample = b"a 1\n\n  \nb 2\n# note\n\xff 3\n"
    assert share_of_lines(sample, r"\d$") == 0.75
    assert share_of_lines(sample, r"\d$", aside="^#") == 1.0
    assert share_of_lines(b"\n", r"\d$") == 0.0
