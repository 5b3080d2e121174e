"""Logs as both programs read them: bronze rows by this project's kernels, and the lines for the other."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.formats.shared.wrapped import unwrap_sample
from jobs.operators.sniff import sampled_blocks
from jobs.operators.sniff.files import LogFile, logs_of
from jobs.operators.sniff.recognition import separate_files
from jobs.operators.sniff.survey import survey_log

NEVER = math.inf


@dataclass
class Logs:
    """The logs of a comparison, read.

    Attributes:
        format: of the mail server's log.
        files: those of it, each with its stream.
        bronze: rows by format, of all files.
        problems: of files that could not be read.
    """

    format: str | None = None
    files: list[tuple[str, LogFile]] = field(default_factory=list)
    bronze: dict[str, pl.DataFrame] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def read_blocks(self) -> Iterator[bytes]:
        """The whole lines of the mail server's log, decompressed and unwrapped, in the order of its files."""
        for _, file in self.files:
            found = sampled_blocks.read_blocks(file, sampled_blocks.Progress(), lambda: NEVER)
            for block in sorted(found, key=lambda block: block.offset):
                yield unwrap_sample(block.data)

    def read_frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Frames of offset and line of the mail server's log, each with its stream."""
        for stream, file in self.files:
            for block in sampled_blocks.read_blocks(file, sampled_blocks.Progress(), lambda: NEVER):
                yield stream, frame_lines(block.data, block.offset).select("offset", "line")


def read_logs(arguments: list[str], servers: tuple[str, ...]) -> Logs:
    """Read logs whole.

    Args:
        servers: the formats of mail servers that can be compared.
    """
    found, problems = logs_of(arguments, NEVER)
    logs = Logs(problems=[str(problem) for problem in problems])
    frames: dict[str, list[pl.DataFrame]] = {}
    for log in found:
        parts, wrong = separate_files(log, None)
        logs.problems += map(str, wrong)
        for part, recognised in parts:
            *_, answer = survey_log(part, recognised, NEVER, has_totals=False)
            logs.problems += map(str, answer.problems)
            if answer.tally is None:
                continue
            for name, rows in answer.tally.bronze_rows().items():
                frames.setdefault(name, []).append(rows)
            if answer.format in servers and logs.format in (None, answer.format):
                logs.format = answer.format
                names = zip(answer.streams, answer.recognised, strict=True)
                logs.files += [(stream, each.file) for stream, each in names]
    logs.bronze = {name: pl.concat(parts) for name, parts in frames.items()}
    return logs
