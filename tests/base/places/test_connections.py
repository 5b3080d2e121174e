"""Connections of Airflow: read in both of its forms, and never repeated in a message."""

import json

import pytest

from jobs.base.places.connections import HostConnection, read_connection
from jobs.base.places.file_systems import open_place
from jobs.base.settings.access import Access, check_access

SECRET = "a+secret/of:tests"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(
            {
                "conn_type": "sftp", "host": "tsb.example.org", "port": 2222, "login": "north",
                "password": SECRET, "extra": {"key_file": "/etc/key"},
            }
        ),
        json.dumps(
            {
                "conn_type": "sftp", "host": "tsb.example.org", "port": "2222", "login": "north",
                "password": SECRET, "extra": '{"key_file": "/etc/key"}',
            }
        ),
        "sftp://north:a%2Bsecret%2Fof%3Atests@tsb.example.org:2222/?key_file=%2Fetc%2Fkey",
        "sftp://north:a%2Bsecret%2Fof%3Atests@tsb.example.org:2222/?__extra__=%7B%22key_file%22%3A+%22%2Fetc%2Fkey%22%7D",
    ],
    ids=["json", "json with text", "uri", "uri with json"],
)  # fmt: skip
def test_both_forms_of_airflow_are_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TSB", text)
    found = read_connection("tsb")
    assert found == HostConnection("tsb.example.org", 2222, "north", SECRET, {"key_file": "/etc/key"})
    assert SECRET not in repr(found)


@pytest.mark.parametrize("text", [SECRET, f'{{"password": "{SECRET}"', f"sftp://x:{SECRET}@[", "[1]"])
def test_what_is_neither_form_is_not_repeated(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TSB", text)
    with pytest.raises(ValueError, match="AIRFLOW_CONN_TSB is neither JSON nor a URI") as told:
        read_connection("tsb")
    assert "secret" not in str(told.value) and told.value.__cause__ is None


def test_airflow_writes_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.models import Connection

    made = Connection(
        conn_id="tsb", conn_type="sftp", host="tsb.example.org", port=2222, login="north", password=SECRET,
        extra='{"key_file": "/etc/key"}',
    )  # fmt: skip
    for text in (made.as_json(), made.get_uri()):
        monkeypatch.setenv("AIRFLOW_CONN_TSB", text)
        assert read_connection("tsb") == HostConnection(
            "tsb.example.org", 2222, "north", SECRET, {"key_file": "/etc/key"}
        )


def test_a_connection_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_MY_SFTP", raising=False)
    with pytest.raises(ValueError, match="connection 'my_sftp' is not there: .* set AIRFLOW_CONN_MY_SFTP"):
        open_place("sftp:///var/log/mail.log", Access(connection="my_sftp"))


def test_the_secrets_of_one_host_go_to_no_other() -> None:
    named = HostConnection(host="mx1.example.org", port=2222)
    assert named.choose_host(None, None) == ("mx1.example.org", 2222)
    assert named.choose_host("mx1.example.org", None) == ("mx1.example.org", 2222)
    assert HostConnection().choose_host("mx2.example.org", 22) == ("mx2.example.org", 22)
    for host, port in (("mx2.example.org", None), ("mx1.example.org", 22)):
        with pytest.raises(ValueError, match=r"its connection is to mx1.example.org"):
            named.choose_host(host, port)
    with pytest.raises(ValueError, match="neither its URL nor its connection names a host"):
        HostConnection().choose_host(None, None)


def test_a_role_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="role_arn"):
        HostConnection(extra={"role_arn": "arn:aws:iam::1:role/x"}).list_credentials()


def test_a_connection_is_for_hosts_alone() -> None:
    check_access("sftp:///var/log/mail.log", Access(connection="mx1"))
    check_access("s3://logs/*", Access(connection="store"))
    with pytest.raises(ValueError, match="connection is for sftp:// and ssh:// and s3://"):
        check_access("/var/log/mail.log", Access(connection="mx1"))
    with pytest.raises(ValueError, match="pattern"):
        Access(connection="a b")
