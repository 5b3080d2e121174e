"""The command `observatory reconcile`: two counts of the same logs, and the rules that lead from one to the
other."""

import json
from dataclasses import asdict, dataclass
from types import ModuleType

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.operators.reconcile import eximstats, mail_bridges, pflogsumm
from jobs.operators.reconcile.bridge import Bridge
from jobs.operators.reconcile.compared_logs import read_logs
from jobs.operators.reconcile.units import count_log

# The formats of mail servers that can be compared, each with the program that counts its log, and what is
# compared.
PROGRAMS: dict[str, ModuleType] = {"postfix": pflogsumm, "exim": eximstats}
COMPARED = {"postfix": mail_bridges.bridge_postfix, "exim": mail_bridges.bridge_exim}


@dataclass(frozen=True)
class Reconciled:
    """A comparison with another program, a bridge for each of its figures.

    Attributes:
        version: of the other program; None where it is not installed.
        problems: of files.
    """

    program: str
    package: str
    version: str | None
    bridges: list[Bridge]
    problems: list[str]

    def dump_json(self) -> str:
        bridges = [asdict(bridge) | {"unexplained": bridge.unexplained} for bridge in self.bridges]
        found = {"program": self.program, "version": self.version, "counts": bridges}
        return json.dumps(found, indent=1)


def reconcile_logs(arguments: list[str], printed: str | None = None) -> Reconciled:
    """Count logs.

    Raises ObservatoryError where no log is of a mail server that can be compared.

    Args:
        printed: what the other program printed of them, in place of running it.
    """
    logs = read_logs(arguments, tuple(PROGRAMS))
    if logs.format is None:
        known = " or ".join(sorted(PROGRAMS))
        raise ObservatoryError(
            "\n".join(
                [
                    *logs.problems,
                    f"no log of {known} among these files: `observatory sniff` says what they are",
                ]
            )
        )
    program = PROGRAMS[logs.format]
    version = program.read_version() if printed is None else program.PROGRAM
    if version is not None and printed is None:
        printed = program.run_program(logs.read_blocks())
    figures = None if printed is None else program.read_figures(printed)
    lines = [
        program.label_lines(frame).with_columns(stream_id=pl.lit(stream))
        for stream, frame in logs.read_frames()
    ]
    found = count_log(logs.bronze, logs.format)
    log = mail_bridges.ComparedLog(found, pl.concat(lines), figures, program.PROGRAM, program.SERVICES)
    bridges = COMPARED[logs.format](log)
    return Reconciled(program.PROGRAM, program.PACKAGE, version, bridges, logs.problems)
