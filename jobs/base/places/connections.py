"""Connections to other hosts: their errors, and the variable that holds one of Airflow's.

Libraries of connections are loaded where they are used alone. Airflow imports this module, too.
"""

import sys

from jobs.base.core.errors import Away, ObservatoryError, SourceLost


def connection_errors() -> tuple[type[Exception], ...]:
    """What connections raise beside errors of the operating system. Their libraries are loaded where they are
    used alone."""
    found: list[type[Exception]] = [SourceLost]
    if asyncssh := sys.modules.get("asyncssh"):
        found.append(asyncssh.Error)
    if botocore := sys.modules.get("botocore.exceptions"):
        found += [botocore.BotoCoreError, botocore.ClientError]
    return tuple(found)


def describe_lasting(error: Exception) -> str | None:
    """What to do about an error that does not pass by itself; None where it may."""
    asyncssh, botocore = sys.modules.get("asyncssh"), sys.modules.get("botocore.exceptions")
    if asyncssh and isinstance(error, asyncssh.HostKeyNotVerifiable):
        return (
            "The host's key is not among the known ones, or it is another than before. Compare its"
            " fingerprint with the one that the host's administrator names, then write it to known_hosts, as"
            " `ssh` does at the first login"
        )
    if asyncssh and isinstance(error.__cause__ or error, asyncssh.PermissionDenied):
        return "The host refuses the user or its key. `ssh -v` to the same host says which keys it offers"
    if botocore and isinstance(error, botocore.NoCredentialsError | botocore.PartialCredentialsError):
        return "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write a profile to ~/.aws/credentials"
    return None


def classify_problem(error: Exception, problem: str) -> str:
    """A problem that an error makes: one that may pass by itself, unless access is denied or the host says
    that there is no such file."""
    advice = describe_lasting(error)
    is_lasting = isinstance(error, PermissionError | ObservatoryError)
    if advice:
        return f"{problem}. {advice}."
    return problem if is_lasting else Away(problem)


def variable_of(connection: str) -> str:
    """The variable that holds a connection, by its id, as Airflow itself reads it."""
    return f"AIRFLOW_CONN_{connection.upper()}"
