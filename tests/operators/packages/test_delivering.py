"""Packages from an operator to the study's inbox, and the study's answers back, on one machine's folders."""

import datetime as dt
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.base.store.lake import Lake
from jobs.operators.packages import packaging
from jobs.operators.packages.deliveries import TABLE, Delivery, list_package_problems
from tests.base.packages.test_packages import fingerprint, keys  # noqa: F401
from tests.support.in_process import Run, command_line_of
from tests.support.servers import S3, Ssh
from tests.support.submission_lake import NORTH, put_gold

NAME = "north-mail_2026-Q4.zip"
OPERATOR = """
[lake]
root = "lake"
[submission]
inbox = "{inbox}"
{more}
"""
OPERATOR += NORTH + "subscribers = 1000\n"
STUDY = """
[lake]
root = "lake"
[study]
respondents = "respondents.csv"
inbox = "{inbox}"
{more}
"""
RESPONDENTS = """respondent_id,name,role,country,holding,operator_ids,language,size_class
north,North,O,FJI,north,north-mail,en,S1
"""


class Parties:
    """An operator and the study, each with settings and a lake of its own, and the folder between them."""

    def __init__(self, folder: Path, observatory: Run) -> None:
        self.folder, self.observatory = folder, observatory
        self.inbox, self.receipts = folder / "exchange" / "inbox", folder / "exchange" / "receipts"
        for name in ("operator", "study", "exchange/inbox"):
            (folder / name).mkdir(parents=True)
        put_gold(folder / "operator" / "lake", "north-mail")
        (folder / "study" / "respondents.csv").write_text(RESPONDENTS)
        self.write_settings()

    def write_settings(
        self,
        operator: str = "",
        study: str = "require_signature = false",
        inbox: str = "../exchange/inbox",
    ) -> None:
        for who, text, more in (("operator", OPERATOR, operator), ("study", STUDY, study)):
            (self.folder / who / "observatory.toml").write_text(text.format(more=more, inbox=inbox))

    def submit(self, *words: str) -> Any:
        output = ("--output", self.folder / "out")
        return self.run("operator", "submit", "--period", "2026-Q4", *output, *words)

    def run(self, who: str, *words: object) -> Any:
        return self.observatory(*words, "--config", self.folder / who / "observatory.toml")

    def answers(self) -> list[Any]:
        return [json.loads(file.read_bytes())["receipt"] for file in sorted(self.receipts.glob("*.json"))]

    def known(self) -> list[dict[str, Any]]:
        return Lake(str(self.folder / "operator" / "lake")).read(TABLE).sort("sent_at").to_dicts()


@pytest.fixture
def parties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Parties:
    # Great Expectations has tests of its own, and takes seconds.
    monkeypatch.setattr(packaging, "validate_gold", lambda *_, **__: None)
    return Parties(tmp_path, command_line_of(monkeypatch, capsys, width=80))


def words_of(told: Any) -> str:
    return " ".join((told.out + told.err).split())


@pytest.mark.long
def test_a_package_is_sent_received_and_not_sent_again(parties: Parties) -> None:
    told = parties.submit()
    assert told.code == 0 and "Sent: " in told.out, told
    assert [file.name for file in parties.inbox.iterdir()] == [NAME]
    told = parties.run("operator", "status")
    assert f"{NAME} {dt.datetime.now(dt.UTC):%Y-%m-%d} no answer yet" in words_of(told)
    assert "`observatory receipts --operator north-mail` asks for the study's answer" in words_of(told)
    told = parties.run("operator", "receipts")
    assert (told.code, "has not answered" in told.err) == (5, True), told
    told = parties.submit()
    assert told.code == 0 and "the same counts were sent" in told.out and "no answer yet" in told.out, told

    assert parties.run("study", "study", "load").code == 0
    (answer,) = parties.answers()
    (sent,) = parties.known()
    assert (answer["answer"], answer["delivered_sha256"]) == ("received", sent["delivered_sha256"])
    before = {file: file.stat().st_mtime_ns for file in parties.receipts.iterdir()}
    assert parties.run("study", "study", "load").code == 0
    # An answer that says the same stays as it is.
    assert {file: file.stat().st_mtime_ns for file in parties.receipts.iterdir()} == before

    assert "Who answered was not verified" in words_of(parties.run("operator", "receipts"))
    told = parties.run("operator", "receipts", "--json")
    (row,) = json.loads(told.out)
    assert (told.code, row["delivery_code"], row["period_code"]) == (0, "received", "2026-Q4"), told
    told = parties.run("operator", "status")
    assert "received" in words_of(told) and sent["delivered_sha256"][:12] in told.out, told
    assert "receipts --operator" not in told.out
    # What was received needs no other sending, wherever the file is by now.
    (parties.inbox / NAME).unlink()
    assert "nothing was sent again" in parties.submit().out
    assert list(parties.inbox.iterdir()) == []
    # Late logs make other counts, which are sent.
    later = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    put_gold(parties.folder / "operator" / "lake", "north-mail", computed=later)
    assert "Sent: " in parties.submit().out
    assert len(parties.known()) == 2


def test_a_refusal_comes_back_with_its_reasons_until_it_is_mended(parties: Parties) -> None:
    assert parties.submit().code == 0
    parties.write_settings(study='keyring = "keys"')
    assert parties.run("study", "study", "load").code == 2
    (answer,) = parties.answers()
    assert answer["answer"] == "refused" and "it is not signed" in answer["reasons"][0]
    told = parties.run("operator", "receipts")
    assert (told.code, "it is not signed" in words_of(told)) == (1, True), told
    told = parties.run("operator", "status")
    assert "the study refused north-mail_2026-Q4.zip on" in words_of(told)
    assert "`observatory submit --operator north-mail --period 2026-Q4` sends it again" in words_of(told)
    # The study gives in: its answer to the same file changes.
    parties.write_settings()
    assert parties.run("study", "study", "load").code == 0
    assert parties.run("operator", "receipts").code == 0
    assert [each["delivery_code"] for each in parties.known()] == ["received"]


def test_a_refusal_says_nothing_to_whom_the_operator_may_not_be(parties: Parties) -> None:
    """Whoever reaches the inbox could send a package in another's name, to learn how the study sees it."""
    assert parties.submit().code == 0
    respondents = parties.folder / "study" / "respondents.csv"
    respondents.write_text(RESPONDENTS.replace("north-mail", "north-mail-2"))
    told = parties.run("study", "study", "load")
    assert "did you mean 'north-mail-2'?" in words_of(told)
    (answer,) = parties.answers()
    assert answer["reasons"] == [
        "unknown operator 'north-mail': no respondent of the study's list answers for it"
    ]


def test_what_lies_there_is_replaced_whole_and_what_is_half_sent_is_not_seen(
    parties: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> list[str]:
        return sorted(file.name for file in parties.inbox.iterdir() if not file.name.startswith("."))

    seen = []
    replace = os.replace

    def look_first(old: Any, new: Any) -> None:
        if Path(new).parent == parties.inbox:
            seen.append(listed())
        replace(old, new)

    monkeypatch.setattr(os, "replace", look_first)
    assert parties.submit().code == 0
    assert seen == [[]] and listed() == [NAME]


def test_an_inbox_that_is_not_there_is_named(parties: Parties) -> None:
    shutil.rmtree(parties.inbox)
    told = parties.submit()
    assert (told.code, "[submission] inbox: " in words_of(told)) == (2, True), told
    assert "the folder is not there" in words_of(told)
    assert parties.known() == []
    told = parties.submit("--no-send")
    assert (told.code, "To send: " in told.out) == (0, True), told


@pytest.fixture
def signed(parties: Parties, keys: Path) -> Iterator[Parties]:  # noqa: F811
    """Let both parties sign: the operator as north, the study as other."""
    (parties.folder / "study" / "keys").mkdir()
    shutil.copy(keys / "north.asc", parties.folder / "study" / "keys" / "north.asc")
    shutil.copy(keys / "other.asc", parties.folder / "operator" / "study.asc")
    parties.write_settings(
        operator='sign = "north@north.example"\nstudy_key = "study.asc"',
        study='keyring = "keys"\nreceipt_key = "other@north.example"',
    )
    yield parties


def test_answers_count_by_the_studys_signature_alone(signed: Parties) -> None:
    assert signed.submit().code == 0
    assert signed.run("study", "study", "load").code == 0
    (file,) = signed.receipts.iterdir()
    good = file.read_bytes()
    unsigned = json.dumps(json.loads(good) | {"signature": None}).encode()
    forged = json.loads(good)
    forged["receipt"] |= {"answer": "refused", "reasons": ["go away"]}
    for wrong, why in (
        (unsigned, "it is not signed"),
        (json.dumps(forged).encode(), "the signature is not good"),
        (b"{", "it is no receipt that can be read"),
        (good.replace(b"receipt 1", b"receipt 2"), "install the study's version"),
    ):
        file.write_bytes(wrong)
        told = signed.run("operator", "receipts")
        assert (told.code, why in words_of(told)) == (2, True), told
        assert [each["delivery_code"] for each in signed.known()] == ["sent"]
    file.write_bytes(good)
    told = signed.run("operator", "receipts")
    assert told.code == 0 and "not verified" not in told.out, told
    (row,) = signed.known()
    assert row["signer_fingerprint"] == fingerprint("other")
    assert (row["is_signed"], row["delivery_code"]) == (True, "received")


def test_an_answer_by_another_key_or_to_another_file_does_not_count(signed: Parties) -> None:
    assert signed.submit().code == 0
    signed.write_settings(
        operator='sign = "north@north.example"\nstudy_key = "study.asc"',
        study='keyring = "keys"\nreceipt_key = "north@north.example"',
    )
    assert signed.run("study", "study", "load").code == 0
    told = signed.run("operator", "receipts")
    assert (told.code, "the signature is not good" in words_of(told)) == (2, True), told
    # A good answer to an earlier file under the name of this one's.
    signed.write_settings(
        operator='sign = "north@north.example"\nstudy_key = "study.asc"',
        study='keyring = "keys"\nreceipt_key = "other@north.example"',
    )
    assert signed.run("study", "study", "load").code == 0
    (earlier,) = signed.receipts.iterdir()
    later = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    put_gold(signed.folder / "operator" / "lake", "north-mail", computed=later)
    assert signed.submit().code == 0
    sent = signed.known()[-1]
    earlier.rename(earlier.with_name(f"{sent['delivered_sha256']}.json"))
    told = signed.run("operator", "receipts")
    assert (told.code, "it answers another file" in words_of(told)) == (2, True), told


def test_a_package_that_gets_its_signature_later_is_sent(signed: Parties) -> None:
    signed.write_settings(study='keyring = "keys"')
    assert signed.submit().code == 0
    told = signed.submit("--sign", "north@north.example")
    assert "Sent: " in told.out, told
    assert [each["is_signed"] for each in signed.known()] == [False, True]


@pytest.fixture(params=["ssh", "store"])
def remote(
    request: pytest.FixtureRequest, parties: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Parties]:
    """Let both parties reach the inbox by SFTP, or in an object store."""
    server: Ssh | S3 = Ssh(tmp_path / "ssh") if request.param == "ssh" else S3(tmp_path / "s3")
    if isinstance(server, S3):
        url = "s3://logs/to-the-study/inbox"
        for name, value in server.credentials().items():
            monkeypatch.setenv(name, value)
    else:
        url = server.url(str(parties.inbox))
    parties.write_settings(server.access(), f"require_signature = false\n{server.access()}", url)
    yield parties
    server.kill()


@pytest.mark.remote
def test_packages_and_answers_go_by_sftp_and_s3(remote: Parties, tmp_path: Path) -> None:
    assert f"No package in {'s3' if not list(tmp_path.glob('ssh')) else 'sftp'}://" in words_of(
        remote.run("study", "study", "load")
    )
    told = remote.submit()
    assert (told.code, "Sent: " in told.out) == (0, True), told
    assert "nothing was sent again" in remote.submit().out
    assert remote.run("operator", "receipts").code == 5
    told = remote.run("study", "study", "load")
    assert (told.code, "loaded" in told.out) == (0, True), told
    receipts = Lake(str(tmp_path / "study" / "lake")).read("study.submission_receipt")
    assert receipts["file_name"].to_list() == [NAME]
    told = remote.run("operator", "receipts")
    assert (told.code, "received" in told.out) == (0, True), told
    # A refusal comes back with its reason.
    settings = tmp_path / "study" / "observatory.toml"
    settings.write_text(settings.read_text().replace("require_signature = false", 'keyring = "keys"'))
    put_gold(tmp_path / "operator" / "lake", "north-mail", computed=dt.datetime(2026, 11, 21, tzinfo=dt.UTC))
    assert remote.submit().code == 0
    told = remote.run("study", "study", "load")
    assert (told.code, f"inbox/{NAME}: it is not signed" in words_of(told)) == (2, True), told
    told = remote.run("operator", "receipts")
    assert (told.code, "it is not signed" in words_of(told)) == (1, True), told


def test_each_operator_may_have_a_folder_of_its_own(parties: Parties) -> None:
    """Each operator logs in by SFTP and sees nothing of the others."""
    for who in ("north", "south"):
        (parties.folder / "exchange" / who / "inbox").mkdir(parents=True)
    parties.write_settings(inbox="../exchange/north/inbox")
    settings = parties.folder / "study" / "observatory.toml"
    settings.write_text(settings.read_text().replace("/north/", "/*/"))
    assert parties.submit().code == 0
    assert parties.run("study", "study", "load").code == 0
    assert not (parties.folder / "exchange" / "south" / "receipts").exists()
    assert parties.run("operator", "receipts").code == 0
    # A file that is named is answered as those of the inbox are.
    parties.write_settings(study='keyring = "keys"', inbox="../exchange/north/inbox")
    named = parties.folder / "exchange" / "north" / "inbox" / NAME
    assert parties.run("study", "study", "load", named).code == 2
    file = next((parties.folder / "exchange" / "north" / "receipts").iterdir())
    assert json.loads(file.read_bytes())["receipt"]["answer"] == "refused"


def test_silence_is_a_problem_after_some_days() -> None:
    at = dt.datetime(2026, 12, 5, 12, tzinfo=dt.UTC)
    sent = Delivery("a", "2026-11", "a.zip", "1", "2", "in", at, True, "sent", None, [], [], None)
    assert list_package_problems([sent], [], at + dt.timedelta(days=14, hours=1), 14) == []
    (found,) = list_package_problems([sent], [], at + dt.timedelta(days=15), 14)
    assert found.text.startswith("operator 'a': the study has not answered a.zip, sent 2026-12-05")
    assert found.step.startswith("`observatory receipts --operator a`")
    assert sent.describe_answer(at + dt.timedelta(days=15)) == "no answer for 15\N{NO-BREAK SPACE}days"
