"""Exit codes of commands that failed, from the errors of their tasks."""

from __future__ import annotations

import re

# How BashOperator and SparkSubmitOperator report the exit code.
EXIT_CODE = re.compile(r"^Bash .* non-zero exit code (\d+)|^Cannot execute: .*?\. Error code is: (\d+)\.")


class CommandFailed(Exception):
    """A command of the pipeline ended with an exit code that is none of its results."""

    def __init__(self, exit_code: int, command: str, said: str) -> None:
        super().__init__(f"`{command}` ended with exit code {exit_code}:\n{said}")
        self.exit_code = exit_code


def exit_code(error: BaseException) -> int | None:
    """The exit code of the command that a task failed with; None where no command ended."""
    if isinstance(error, CommandFailed):
        return error.exit_code
    found = EXIT_CODE.search(str(error))
    return int(found.group(found.lastindex or 0)) if found else None
