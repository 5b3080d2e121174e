"""Connections to other hosts: those of Airflow, by which a host is reached, and errors of connections.

The variable AIRFLOW_CONN_<ID> has a connection, as JSON or as a URI, in the form in which Airflow itself
reads it. Airflow's tasks hand it on so, whichever of its backends has it: no secret stands in the settings,
on a command line or in a log, and no message repeats what the variable holds.

Libraries of connections are loaded where they are used alone. Airflow imports this module, too.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from jobs.base.core.errors import Away, ObservatoryError, SourceLost

# Seconds: a host that does not answer, or a connection on which nothing moves, is away.
CONNECT, SILENT = 20, 60
# Of a connection of AWS that this program does not use, and that would give it other rights than it seems.
UNUSED = ("role_arn", "assume_role_method", "assume_role_kwargs")


def connection_errors() -> tuple[type[Exception], ...]:
    """Return the errors that connections raise beside those of the operating system. Their libraries are
    loaded where they are used alone."""
    found: list[type[Exception]] = [SourceLost]
    if asyncssh := sys.modules.get("asyncssh"):
        found.append(asyncssh.Error)
    if botocore := sys.modules.get("botocore.exceptions"):
        found += [botocore.BotoCoreError, botocore.ClientError]
    return tuple(found)


def describe_lasting(error: Exception) -> str | None:
    """Say what to do about an error that does not pass by itself; None where it may."""
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


@dataclass(frozen=True, repr=False)
class HostConnection:
    """A connection: for SSH a host, a user and its key or password; for S3 a key's id and secret."""

    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def choose_host(self, host: str | None, port: int | None) -> tuple[str, int | None]:
        """The host and port of a URL, or those of the connection where the URL names none. Raises ValueError
        where both name one, and not the same: the secrets of one host are not for another."""
        if host and self.host and (host != self.host or (port and self.port and port != self.port)):
            raise ValueError(
                f"its connection is to {self.host}, and its URL names {host}: leave the host out of the URL,"
                " as in sftp:///var/log/mail.log, or name the same"
            )
        if not (host or self.host):
            raise ValueError("neither its URL nor its connection names a host")
        return str(host or self.host), port or self.port

    def list_keys(self) -> list[Any]:
        """The private keys for SSH: of a file, or as text."""
        if file := self.extra.get("key_file"):
            return [str(file)]
        if text := self.extra.get("private_key"):
            import asyncssh

            return [asyncssh.import_private_key(str(text), self.extra.get("private_key_passphrase"))]
        return []

    def find_known_host(self, host: str, port: int | None) -> Any:
        """The host's key as asyncssh checks it; None where the connection has none. Airflow's default
        `no_host_key_check` does not count: each key is checked."""
        key = self.extra.get("host_key")
        if not key:
            return None
        import asyncssh

        # Airflow takes a key without its kind for one of RSA.
        kind = "" if " " in str(key).strip() else "ssh-rsa "
        place = host if port in (None, 22) else f"[{host}]:{port}"
        return asyncssh.import_known_hosts(f"{place} {kind}{key}\n")

    def list_credentials(self) -> dict[str, Any]:
        """The credentials of S3 as s3fs takes them; none where AWS' usual chain has them."""
        if wrong := [name for name in UNUSED if self.extra.get(name)]:
            raise ValueError(
                f"its connection has {wrong[0]}, which is not used here: give the machine or the profile that"
                " role"
            )
        found = {"key": self.login, "secret": self.password, "token": self.extra.get("aws_session_token")}
        return {name: value for name, value in found.items() if value}


def read_connection(connection: str) -> HostConnection:
    """A connection by its id. Raises ValueError without what the variable holds."""
    text = os.environ.get(variable_of(connection))
    if not text:
        raise ValueError(
            f"connection '{connection}' is not there: make it in Airflow, whose tasks hand it on, or set"
            f" {variable_of(connection)}, as JSON or as a URI"
        )
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else parse_uri(text)
        extra = found.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else dict(extra)
        port = found.get("port")
        return HostConnection(
            found.get("host") or None,
            int(port) if port else None,
            found.get("login") or None,
            found.get("password") or None,
            extra,
        )
    except (ValueError, TypeError, AttributeError):
        raise ValueError(
            f"connection '{connection}': {variable_of(connection)} is neither JSON nor a URI as Airflow"
            " writes them: `airflow connections get --output json` shows one"
        ) from None


def parse_uri(text: str) -> dict[str, Any]:
    """The parts of a connection's URI: type://login:password@host:port/schema?extra."""
    parts = urlsplit(text)
    if not parts.scheme:
        raise ValueError("no URI")
    extra: Any = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "__extra__" in extra:
        extra = json.loads(extra["__extra__"])
    return {
        "host": unquote(parts.hostname or ""),
        "port": parts.port,
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "extra": extra,
    }
