"""Access logs of Kannel in formats of operators' own: what is proposed, and that it is marked as a guess."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.operators.formats.kannel import own_layouts as kannel
from jobs.operators.proposal.settings_proposal import propose_from_logs
from jobs.operators.proposal.settings_text import ASSUMED, proposed_answers, settings_text
from jobs.operators.sniff.files import logs_of
from jobs.operators.sniff.recognition import separate_files
from tests.support.examples import examples
from tests.support.in_process import command_line_of

# What a format may have beside the time, the event and both numbers.
MORE = ["i", "n", "A", "F", "c", "d", "L", "b", "U", "u"]
TEXTS = ["hi", "call me back", "pay 5 EUR", "see you", "code 4711", "win|now|free", "a;b;c", "yes, no, maybe"]


def values(chance: random.Random) -> dict[str, str]:
    """One SMS or DLR; texts, senders and ids of many kinds."""
    text = chance.choice(TEXTS)
    event = chance.choice(["Sent SMS", "Receive SMS", "Sent SMS", "FAILED Send SMS", "Receive DLR"])
    number = f"+447700900{chance.randint(0, 999):03d}"
    short = chance.choice(["7726", "+357221", "80808"])
    sender = number if event == "Receive SMS" else chance.choice(["SHOP", "My Bank", short])
    return {
        "t": f"2026-11-24 13:{chance.randint(0, 59):02d}:{chance.randint(0, 59):02d}",
        "l": event,
        "i": chance.choice(["SMPP-A", "hub_2"]),
        "n": chance.choice(["news", "", "alerts"]),
        "A": chance.choice(["acme", "bulk2"]),
        "F": f"{chance.getrandbits(40):x}",
        "p": sender,
        "P": short if event == "Receive SMS" else number,
        "c": "0",
        "d": "31",
        "L": str(len(text)),
        "b": text,
        "U": "0",
        "u": "",
    }


def written(own: str, rows: list[dict[str, str]]) -> bytes:
    lines = [re.sub("%(.)", lambda code, row=row: row[code[1]], own) for row in rows]  # type: ignore[misc]
    return "".join(f"{line}\n" for line in lines).encode()


@examples(200)
@given(
    seed=st.integers(0, 10**6),
    delimiter=st.sampled_from(["|", ";", ",", "\t", "~", " "]),
    more=st.lists(st.sampled_from(MORE), unique=True),
    is_shuffled=st.booleans(),
    is_delimiter_in_texts=st.booleans(),
)
# A column of zeros where a known format has the text.
@example(seed=0, delimiter="|", more=["i", "c"], is_shuffled=False, is_delimiter_in_texts=True)
def test_no_proposal_decodes_a_text_or_a_number_wrongly(
    seed: int, delimiter: str, more: list[str], is_shuffled: bool, is_delimiter_in_texts: bool
) -> None:
    """No proposal misreads, whatever the fields, their order and their delimiter: a format is proposed that
    reads events, texts and numbers as they are, or none."""
    chance = random.Random(seed)
    codes = [code for code in "tlinAFpPcdLbUu" if code in "tlpP" or code in more]
    if is_shuffled:
        chance.shuffle(codes)
    rows = [values(chance) for _ in range(60)]
    if not is_delimiter_in_texts:
        rows = [row for row in rows if delimiter not in row["b"]]
    head = written(delimiter.join(f"%{code}" for code in codes), rows)
    options = kannel.guess_options(head)
    if options is None:
        return
    found = kannel.decode_lines(head, options["access_log_format"], options.get("access_log_clean", True))
    assert len(found) == len(rows) and len(kannel.show_lines(head, options)) == 3
    for line, row in zip(found, rows, strict=True):
        assert line["event"] == row["l"]
        assert line.get("text", row["b"]) == row["b"]
        # Two fields of letters look alike, so that all are shown; a number is in no other field.
        numbers = {row[code] for code in "pP" if re.fullmatch(r"\+?\d{7,}", row[code])}
        assert numbers <= {line["sender"], line["recipient"]}


@pytest.mark.parametrize("own", [own for own in kannel.KNOWN_LAYOUTS if "%t" in own])
def test_formats_in_use_are_proposed(own: str) -> None:
    chance = random.Random(7)
    rows = [row for row in (values(chance) for _ in range(200)) if not set(",;|") & set(row["b"])]
    given = [row | {"B": "", "D": "", "m": "-1", "M": "-1", "C": "-1"} for row in rows]
    options = kannel.guess_options(written(own, given))
    assert options is not None and options["access_log_format"] == own


WRONG = "%t|%l|%i|%n|%p|%P|%b"


def test_fields_that_a_format_leaves_in_the_text_are_no_format(tmp_path: Path) -> None:
    """The sender would be the service, and both numbers part of the text."""
    chance = random.Random(1)
    file = tmp_path / "sms.log"
    file.write_bytes(written(WRONG, [values(chance) for _ in range(40)]))
    found = propose_from_logs([str(file)])
    assert (found.sources, len(found.unknown)) == ([], 1)
    logs, _ = logs_of([str(file)], 1e9)
    ((_, recognised),), _ = separate_files(logs[0])
    assert recognised[0].format is None


@pytest.mark.long
def test_a_proposal_is_marked_wherever_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """sniff, init and report see the same format, call it assumed, and show three lines, nobody's number."""
    monkeypatch.chdir(tmp_path)
    own = "%t|%l|%i|%p|%P|%b"
    chance = random.Random(2)
    rows = [row for row in (values(chance) for _ in range(60)) if "|" not in row["b"]]
    Path("sms.log").write_bytes(written(own, rows))
    (source,) = propose_from_logs(["sms.log"]).sources
    assert (source.format, source.options, len(source.assumed)) == ("kannel", {"access_log_format": own}, 3)
    text = settings_text(propose_from_logs(["sms.log"]), proposed_answers(propose_from_logs(["sms.log"])))
    before, _, _ = text.partition("options = ")
    assert ASSUMED in before.rpartition("format = ")[2]
    run = command_line_of(monkeypatch, capsys)
    sniffed, made = run("sniff", "sms.log"), run("init", "--yes", "sms.log")
    assert (sniffed.code, made.code) == (0, 0)
    for told in (sniffed.out, made.out):
        words = " ".join(told.split())
        assert f"assumed {own}" in words.replace("access_log_format = ", "").replace("assumed:", "assumed")
        assert " ".join(source.assumed[0].split()) in words
        assert max(map(len, told.replace(str(tmp_path), "").splitlines())) <= 80
    assert "7700900" not in sniffed.out + made.out + text
