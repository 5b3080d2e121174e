"""`observatory release` on a study node: from estimates to a published and a withdrawn release, made again to
the byte, and what each step refuses without leaving half a release. Every byte of what leaves is searched: no
respondent, no operator, no holding, no figure of one, no p."""

import datetime as dt
import errno
import fcntl
import io
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import polars as pl
import pytest
import xlsxwriter
from typer.testing import CliRunner

from jobs.base.store.lake import open_lake
from jobs.base.tables.public_contracts import public_contract
from jobs.cli.main import app
from jobs.study.release import clearance
from jobs.study.release.decisions import record_decision
from jobs.study.release.recipe import idle_packages
from tests.independent.derived import compute_again
from tests.study.release.conftest import READ_AT, P
from tests.support.byte_search import found_in
from tests.support.in_process import Run, Told, command_line_of
from tests.support.release import ABOUT, signing_keys
from tests.support.release_study import (
    COUNTRIES,
    P_PCT,
    TODAY,
    Node,
    copied,
    filled_unasked,
    frame,
    texts_of,
    write_node,
)

pytestmark = pytest.mark.long

NAME = "2026-Q4/v1.0.0"

DEADLINE = ("--deadline", "2027-01-31")
BY = ("--by", "A. Officer")
Ask = Callable[[Node], None]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The keys of an officer and of a stranger, in a home of their own, and their public parts."""
    with signing_keys(tmp_path_factory.mktemp("keys")) as found:
        yield found


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`observatory release` at the day of the release, with p set."""
    monkeypatch.setenv(READ_AT, TODAY)
    monkeypatch.setenv(P, P_PCT)
    command = command_line_of(monkeypatch, capsys)
    return lambda *words: command("release", *words)


@pytest.fixture
def node(made: SimpleNamespace, tmp_path: Path) -> Node:
    """A copy of the node with a release."""
    return copied(made.node, tmp_path / "node")


@pytest.fixture
def signing(monkeypatch: pytest.MonkeyPatch, keys: SimpleNamespace, node: Node) -> SimpleNamespace:
    """The keys, where gpg finds them; the node has the officer's public part."""
    monkeypatch.setenv("GNUPGHOME", str(keys.home))
    shutil.copy(keys.folder / "officer.asc", node.folder / "signers" / "officer.asc")
    return keys


def good(told: Told) -> str:
    assert told.code == 0, told.out + told.err
    return flat(told.out)


def refused(told: Told, *texts: str, code: int = 2) -> None:
    """The command ended with this code and said this, on the lines of a narrow terminal."""
    assert told.code == code, told.out + told.err
    said = flat(told.err)
    for text in texts:
        assert text in said, said
    assert P_PCT not in told.out + told.err


def flat(text: str) -> str:
    return " ".join(text.split())


def filled(node: Node, country: str, said: str, reason: str = "") -> Path:
    """A country's sheet, filled in as its administration does."""
    file = node.restricted / NAME / clearance.SHEETS / f"{country.lower()}.xlsx"
    book = openpyxl.load_workbook(file)
    for row, value in enumerate((said, reason, "Ms. A, ministry", "30 Jan 2027"), clearance.FIRST + 1):
        book[clearance.ANSWER].cell(row, 2).value = value
    returned = node.folder / "returned"
    returned.mkdir(exist_ok=True)
    book.save(returned / file.name)
    return returned / file.name


@pytest.fixture
def ask(run: Run, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask the administrations, who may answer until the day before the release's."""

    def clear(node: Node) -> None:
        monkeypatch.setenv(READ_AT, "2027-01-15T12:00:00Z")
        listed = good(run("clear", "make", NAME, *DEADLINE, "--config", node.settings))
        assert "Rows of 6 of 8 countries leave without an administration to ask. Decide on each in" in listed
        good(run("clear", "unasked", NAME, filled_unasked(node, NAME), "--config", node.settings))
        monkeypatch.setenv(READ_AT, TODAY)

    return clear


def files_under(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


# --- the whole way ----------------------------------------------------------------------------------


def test_the_gate_lets_areas_and_some_countries_leave(made: SimpleNamespace) -> None:
    rows = pl.read_csv(made.node.releases / NAME / "data" / "spam_volume.csv", infer_schema=False)
    countries = rows.filter(pl.col("area_kind_code") == "country")["area_name"].unique().sort().to_list()
    bolivia = "Bolivia (Plurinational State of)"
    assert countries == [bolivia, "Fiji", "Ghana", "Kenya", "Malawi", "Peru", "Poland", "Uzbekistan"]
    parts = {f"{code}_STUDY" for code in ("001", "199", "432", "ITU_AFR")}
    assert parts <= set(rows["area_code"])
    # Fiji is the only small island of the study, and has its own rows.
    assert "722_STUDY" not in rows["area_code"]
    said = flat(made.said)
    assert "Held back by one_country: " in said
    assert "Held back by attack: 1 row. The attack found a contribution with them." in said
    assert "Held back by threshold: 18 rows. Too few holdings contributed." in said
    assert f"Next: observatory release clear make {NAME} --deadline DATE" in said
    unasked = "Rows of 8 countries leave. Without an administration in the list of respondents: 6"
    assert unasked in said and "before publication: BOL, GHA, MWI, PER, POL, UZB." in said


def test_every_derived_figure_follows_from_published_ones(made: SimpleNamespace) -> None:
    """Rates, shares and ranks. No money leaves here: tests/independent/test_memberships.py has some."""
    found = compute_again(made.node.releases / NAME / "data")
    assert [each for each in found if each.published != each.own] == []
    assert sum(bool(each.own) for each in found) > 100
    named = {
        each.field.name
        for table in {each.table for each in found}
        for each in public_contract(f"public.{table}").columns
        if each.way == "derived"
    }
    assert {each.column for each in found} == named


def test_a_release_goes_from_estimates_to_readers_and_back(
    node: Node, run: Run, ask: Ask, signing: SimpleNamespace
) -> None:
    config = ("--config", node.settings)
    listed = good(run("list", *config))
    assert "│ 2026-Q4 │ v1.0.0 │ made │ not asked │ │" in listed
    assert f"{NAME} may not leave: the administrations were not asked about this release" in listed
    ask(node)
    sheets = [filled(node, "KEN", "agreed"), filled(node, "FJI", "objected", "our own figures differ")]
    good(run("clear", "load", NAME, *sheets, *config))
    good(run("sign", node.releases / NAME, "--key", signing.officer))
    refused(run("publish", NAME, *BY, *config), "FJI objects: our own figures differ. Record a decision")
    assert not node.public.exists()
    decided = ("--as", "published", "--reason", "agreed by letter", *BY)
    overruled = good(run("clear", "decide", NAME, "fji", *decided, *config))
    assert "overruled" in overruled
    assert f"Next: observatory release publish {NAME} --by NAME" in overruled
    listed = good(run("list", *config))
    assert "│ 2026-Q4 │ v1.0.0 │ made │ 8 of 8 │ │" in listed and "may not leave" not in listed
    refused(run("publish", NAME, "--by", " ", *config), "no name is given: state with --by who decides")
    assert not node.public.exists()
    published = good(run("publish", NAME, *BY, *config))
    assert "Published: " in published and "Rows of 8 countries leave." in published
    unasked = "6 without an administration, published by decision of A. Officer (no focal point is known):"
    assert f"{unasked} BOL, GHA, MWI, PER, POL, UZB" in published and "1 asked and agreed: KEN" in published
    made, public = files_under(node.releases / NAME), files_under(node.public / NAME)
    assert public == made
    site = node.public / f"{NAME}-site"
    assert (
        f"Site: {site / 'index.html'}" in published.replace("\n", "") and (site / "area-404.html").is_file()
    )
    assert "Published on 1 February 2027." in (site / "index.html").read_text("utf-8")
    releases = node.public / "index.html"
    assert f'<a href="{NAME}-site/index.html">' in releases.read_text("utf-8")
    # Broken off after it was listed: the same command writes the pages.
    pages = files_under(node.public)
    shutil.rmtree(site)
    releases.unlink()
    refused(run("publish", NAME, *BY, *config), f"{NAME} is published already")
    assert files_under(node.public) == pages
    assert "published, current" in good(run("list", *config))
    shown = good(run("show", "2026-Q4", *config))
    assert (
        "- 12 countries of the study, 2026-Q4, E-mail, certain spam, recipient: 1,660,000,000 (95%" in shown
    )
    assert f"- {unasked} BOL, GHA, MWI, PER, POL, UZB" in shown
    assert "objection overruled FJI by A. Officer: agreed by letter" in shown
    assert "published by A. Officer: signed by" in shown
    checked = good(run("verify", node.public / NAME, "--signers", node.folder / "signers"))
    assert "files are as the manifest says" in checked and f"Signed by {signing.officer}" in checked
    assert "0 differences" in good(run("diff", node.releases / NAME, node.public / NAME))
    why = ("--reason", "a package was wrong")
    good(run("withdraw", NAME, *BY, *why, *config))
    assert [each.name for each in (node.public / NAME).iterdir()] == ["WITHDRAWN.json"]
    assert not site.exists()
    assert "withdrawn" in good(run("list", *config))
    assert "a package was wrong" in (node.public / "index.json").read_text()
    assert "Withdrawn on 1 February 2027" in releases.read_text("utf-8")
    releases.unlink()
    refused(run("withdraw", NAME, *BY, *why, *config), f"{NAME} is withdrawn already")
    assert "a package was wrong" in releases.read_text("utf-8")


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_readers_can_read_what_is_published_and_nobody_else_what_is_not(
    node: Node, run: Run, ask: Ask, signing: SimpleNamespace, mask: int
) -> None:
    before = os.umask(mask)
    try:
        ask(node)
        good(run("sign", node.releases / NAME, "--key", signing.officer))
        good(run("publish", NAME, *BY, "--config", node.settings))
    finally:
        os.umask(before)
    for each in [*(node.public / "2026-Q4").rglob("*"), node.public / "2026-Q4", node.public]:
        wanted = stat.S_IROTH | (stat.S_IXOTH if each.is_dir() else 0)
        assert each.stat().st_mode & wanted == wanted, each
    for each in [node.restricted, *node.restricted.rglob("*")]:
        assert each.stat().st_mode & 0o077 == 0, each


@pytest.mark.usefixtures("known_gate")
def test_a_release_made_again_on_another_day_elsewhere_has_the_same_bytes(
    node: Node, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(READ_AT, "2028-05-06T07:08:09Z")
    words = ("make", "--period", "2026-Q4", "--again", "v1.0.0", "--config", node.settings)
    good(run(*words, "--output", tmp_path / "elsewhere"))
    assert files_under(tmp_path / "elsewhere" / NAME) == files_under(node.releases / NAME)
    refused(run(*words, "--output", tmp_path / "elsewhere"), "a release is never changed")


def test_two_administrations_see_their_own_rows_alone(node: Node, run: Run, ask: Ask) -> None:
    ask(node)
    for country, name, count in (("ken", "Kenya", 6), ("fji", "Fiji", 6)):
        book = openpyxl.load_workbook(node.restricted / NAME / clearance.SHEETS / f"{country}.xlsx")
        rows = list(book["spam_volume"].iter_rows(min_row=2, values_only=True))
        assert len(rows) == count
        assert {row[2] for row in rows} <= {name}


# --- what `make` refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "text"),
    [
        ("2027-Q1", "2027-Q1 ends on 2027-03-31, and today is 2027-02-01"),
        ("2026-Q3", "the study has no estimates of 2026-Q3; it has 2026-Q4"),
        ("2026", "'2026' is no quarter"),
        ("2026-Q5", "'2026-Q5' is no quarter"),
    ],
)
def test_a_period_that_is_open_or_unknown_is_refused(
    estimated: Node, run: Run, period: str, text: str
) -> None:
    refused(run("make", "--period", period, "--config", estimated.settings), text)
    assert estimated.left() == []


@pytest.fixture
def spoilt(estimated: Node, tmp_path: Path) -> Node:
    """A copy of the node without a release, to be spoilt."""
    return copied(estimated, tmp_path / "spoilt")


def make(run: Run, node: Node) -> Told:
    return run("make", "--period", "2026-Q4", "--config", node.settings)


def test_an_input_that_changed_after_the_estimates_is_refused(spoilt: Node, run: Run) -> None:
    file = spoilt.files / "operator_frame.csv"
    file.write_text(file.read_text().replace("owner-ken-1", "owner-ken-2"))
    told = make(run, spoilt)
    refused(told, "the estimates in the lake are not of the answers", "`observatory study estimate`")
    assert spoilt.left() == []


def test_an_open_finding_is_refused(spoilt: Node, run: Run) -> None:
    lake = open_lake(str(spoilt.folder / "lake"))
    about = {
        "finding_id": "3a5ecfa193", "table_name": "study.spam_volume", "period_code": "2026-Q4",
        "channel_code": "EMAIL", "series": "recipient/OPERATOR/units", "respondent_id": "ken-1",
        "rule_code": "size_class", "contribution": 9e9, "expected_value": 9e6, "ratio": 1000.0,
        "area_code": "AFR", "influence_pct": 43.8,
    }  # fmt: skip
    empty = lake.read("study.finding").clear()
    found = pl.DataFrame([about | {"previous_contribution": None}], schema=empty.schema)
    lake.rewrite(found, "study.finding", {})
    texts = ("1 suspicious figure moves an area by more than 2% and is open", "3a5ecfa193", "--decide")
    refused(make(run, spoilt), *texts)
    assert spoilt.left() == []


def test_a_waiver_of_a_respondent_that_contributed_nothing_is_refused(spoilt: Node, run: Run) -> None:
    """Contributions to other periods do not count."""
    lake = open_lake(str(spoilt.folder / "lake"))
    rows = lake.read("study.contribution")
    is_idle = (pl.col("respondent_id") == "ken-0") & (pl.col("period_code").is_in(["2026-Q4", "2026"]))
    lake.rewrite(rows.filter(~is_idle), "study.contribution", {})
    refused(make(run, spoilt), "ken-0 waived protection and contributed nothing")
    assert spoilt.left() == []


def test_a_waiver_of_a_package_that_counts_nowhere_is_noted(estimated: Node) -> None:
    """A month with few days counts in no estimate; the release need not wait for it."""
    lake = open_lake(str(estimated.folder / "lake"))
    rows = lake.read("study.contribution")
    waived = rows.filter("is_waived")["respondent_id"].unique().sort().to_list()
    assert waived == ["ken-0", "ken-1"] and idle_packages(lake, rows, ABOUT) == []
    (note,) = idle_packages(lake, rows.filter(pl.col("respondent_id") != "ken-1"), ABOUT)
    assert note.startswith("No effect of a waiver: ken-1 waived in its package, of which no month counts")


def test_without_p_nothing_is_made(spoilt: Node, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(P)
    monkeypatch.delenv("OBSERVATORY_P_PCT_FILE", raising=False)
    refused(make(run, spoilt), "no percentage for the p% rule: set OBSERVATORY_P_PCT_FILE")
    monkeypatch.setenv(P, "0.137")
    told = make(run, spoilt)
    refused(told, "OBSERVATORY_P_PCT does not hold a number from 1 to below 100")
    assert "0.137" not in told.err
    assert spoilt.left() == []


def test_a_release_without_its_restricted_folder_is_refused_at_once(node: Node, run: Run) -> None:
    """`[release] restricted` names another folder: the attack would not know the releases before."""
    node.restricted.rename(node.folder / "elsewhere")
    before = node.left()
    text = f"{node.releases / NAME} has no folder under {node.restricted}"
    refused(make(run, node), text, "[release] restricted")
    assert node.left() == before


def test_a_second_make_waits_for_the_first(spoilt: Node, run: Run) -> None:
    with (spoilt.folder / "lake" / "lock.json").open("a+") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        refused(make(run, spoilt), "the lake is locked", code=5)
    assert spoilt.left() == []


@pytest.mark.usefixtures("known_gate")
@pytest.mark.parametrize("after", [0, pytest.param(5, marks=pytest.mark.long), 14])
def test_a_full_disk_leaves_no_half_release(
    spoilt: Node, run: Run, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The disk is full in the restricted folder, and in the release's own."""
    full = full_after(after, monkeypatch)
    refused(make(run, spoilt), "the disk is full", code=5)
    assert full.calls == after + 1
    assert spoilt.left() == []


def full_after(count: int, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Let files be synced so many times; then the disk is full."""
    state = SimpleNamespace(calls=0)

    def fsync(_: int) -> None:
        state.calls += 1
        if state.calls > count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    return state


# --- what `publish` refuses -------------------------------------------------------------------------


def test_publishing_without_clearance_signature_or_signers_is_refused(
    node: Node, run: Run, signing: SimpleNamespace
) -> None:
    publish = ("publish", NAME, *BY, "--config", node.settings)
    refused(run(*publish), "A reader asks the publisher for it")
    good(run("sign", node.releases / NAME, "--key", signing.officer))
    refused(run(*publish), "the administrations were not asked about this release")
    good(run("clear", "make", NAME, "--deadline", "2027-02-20", "--config", node.settings))
    unasked = "countries leave without an administration that was asked: BOL, GHA, MWI, PER, POL, UZB"
    refused(
        run(*publish),
        unasked,
        "no answer yet of 2 administrations, with time until 2027-02-20: FJI, KEN",
    )
    good(run("sign", node.releases / NAME, "--key", signing.stranger))
    refused(run(*publish), "is no signature of this release by any key in")
    assert not node.public.exists()


def test_a_tampered_byte_is_refused(node: Node, run: Run, ask: Ask, signing: SimpleNamespace) -> None:
    ask(node)
    good(run("sign", node.releases / NAME, "--key", signing.officer))
    file = node.releases / NAME / "data" / "spam_volume.csv"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"Ghana", b"Gnana"))
    refused(run("publish", NAME, *BY, "--config", node.settings), "data/spam_volume.csv was changed")
    refused(run("verify", node.releases / NAME), "data/spam_volume.csv was changed")
    refused(run("sign", node.releases / NAME, "--key", signing.officer), "data/spam_volume.csv was changed")
    assert not node.public.exists()


@pytest.mark.parametrize("missing", [1, 0])
def test_a_disk_that_is_full_when_publication_is_recorded_publishes_nothing(
    node: Node, run: Run, ask: Ask, signing: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    """A release that no record names would be unknown to any later attack."""
    ask(node)
    good(run("sign", node.releases / NAME, "--key", signing.officer))
    count = len(files_under(node.releases / NAME))
    full_after(count - missing, monkeypatch)
    refused(run("publish", NAME, *BY, "--config", node.settings), "the disk is full", code=5)
    assert [name for name in node.left() if name.startswith("public/2026")] == []
    monkeypatch.undo()
    monkeypatch.setenv(READ_AT, TODAY)
    good(run("publish", NAME, *BY, "--config", node.settings))


def test_a_publication_that_was_broken_off_is_listed_and_holds_up_the_next_release(
    node: Node, run: Run
) -> None:
    record_decision(
        node.restricted / NAME, "published", "A. Officer", "00", dt.datetime(2027, 2, 1, tzinfo=dt.UTC)
    )
    assert "publication broken off" in good(run("list", "--config", node.settings))
    refused(make(run, node), f"{NAME} is recorded as published and not in")


def test_names_that_are_no_release_are_refused(node: Node, run: Run) -> None:
    config = ("--config", node.settings)
    refused(run("publish", "2026-Q4", *BY, *config), "'2026-Q4' is no release; write it as 2026-Q4/v1.0.0")
    refused(run("show", "2026-Q4/v9.0.0", *config), "v9.0.0 does not exist: `observatory release list`")
    refused(run("show", "2025-Q4", *config), "no release of 2025-Q4 was made here")
    refused(run("verify", node.folder), "is no release: it has no manifest.json")
    refused(run("withdraw", NAME, *BY, "--reason", "x", *config), f"{NAME} is not published under")
    refused(run("clear", "make", NAME, "--deadline", "soon", *config), "--deadline soon: write a day as")
    over = run("clear", "make", NAME, "--deadline", "2027-01-31", *config)
    refused(over, "--deadline 2027-01-31 is over: today is 2027-02-01")
    decided = ("--as", "published", *BY, "--reason", "x")
    refused(run("clear", "decide", NAME, "KEN", *decided, *config), "KEN has no objection to decide on")


def test_a_country_of_two_holdings_that_waived_in_their_packages_leaves(run: Run, tmp_path: Path) -> None:
    node = write_node(tmp_path / "waived", of_packages={"lao-0": "W1", "lao-1": "W2"})
    words = ["study", "estimate", "--with-answers", "--config", str(node.settings)]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    good(make(run, node))
    rows = pl.read_csv(node.releases / NAME / "data" / "spam_volume.csv", infer_schema=False)
    of_laos = rows.filter(pl.col("area_name").str.starts_with("Lao"))
    assert of_laos.height == 6 and set(of_laos["holdings_class_code"]) == {"1_2"}


def test_areas_that_reveal_a_contribution_are_refused_or_left_out(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bolivia's only operator is what landlocked countries have beside the least developed and Uzbekistan,
    which is all of the economies in transition."""
    node = write_node(tmp_path / "few", countries=COUNTRIES | {"BOL": 1})
    words = ["study", "estimate", "--with-answers", "--config", str(node.settings)]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    refused(make(run, node), "no release is made", "refused/2026-Q4-v1.0.0-attack.csv", code=1)
    assert {name.split("/")[1] for name in node.left()} == {"refused"}
    for file in (node.restricted / "refused").iterdir():
        assert P_PCT not in file.read_text() and file.stat().st_mode & 0o077 == 0
    good(run("make", "--period", "2026-Q4", "--leave-out-areas", "--config", node.settings))
    words = ["make", "--period", "2026-Q4", "--again", "v1.0.0", "--output", str(tmp_path / "again")]
    monkeypatch.setenv(READ_AT, "2028-05-06T07:08:09Z")
    good(run(*words, "--config", node.settings))
    # Through the gate itself; in other tests of the second making its answer is that of the first.
    assert files_under(tmp_path / "again" / NAME) == files_under(node.releases / NAME)
    rows = pl.read_csv(node.releases / NAME / "data" / "spam_volume.csv", infer_schema=False)
    areas = set(rows["area_code"])
    left_out = {f"{code}_STUDY" for code in ("199", "432")}
    assert "001_STUDY" in areas and not left_out <= areas


def ids() -> set[str]:
    return texts_of(frame(), ["respondent_id", "holding_id"]) | {P_PCT}


def figures(node: Node) -> set[float]:
    """All numbers that are one respondent's: contributions, counts and subscriptions; what the respondents of
    a country reported together; and p."""
    lake = open_lake(str(node.folder / "lake"))
    numbers = {float(P_PCT), float(P_PCT) / 100}
    for table, columns in (
        ("study.contribution", ["contribution", "own_subscriptions"]),
        ("study.submission", ["units", "spam_certain", "spam_possible", "subscriptions"]),
    ):
        numbers |= {float(each) for each in texts_of(lake.read(table), columns)}
    volume = lake.read("study.spam_volume")
    numbers |= {float(each) for each in texts_of(volume, ["reported"])}
    return {each for each in numbers if each}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_no_byte_of_a_release_is_a_respondents(made: SimpleNamespace) -> None:
    files = files_of(made.node.releases)
    assert len(files) > 20
    numbers = figures(made.node)
    assert len(numbers) > 500
    assert found_in(files, ids(), numbers) == {}
    assert found_in({"said": made.said.encode()}, ids(), numbers) == {}


def test_p_is_in_no_file_of_the_restricted_folder_nor_of_the_lake(made: SimpleNamespace) -> None:
    p = {float(P_PCT), float(P_PCT) / 100}
    assert found_in(files_of(made.node.restricted), {P_PCT}, p) == {}
    assert found_in(files_of(made.node.folder / "lake"), {P_PCT}, p) == {}


def test_a_sheet_holds_its_countrys_rows_alone(made: SimpleNamespace, tmp_path: Path) -> None:
    node = copied(made.node, tmp_path / "node")
    words = ["release", "clear", "make", NAME, "--deadline", "2027-03-01", "--config", str(node.settings)]
    done = CliRunner().invoke(app, words, env={READ_AT: TODAY, P: P_PCT}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    sheets = files_of(node.restricted / NAME / "clearance")
    assert sheets.keys() == {"ken.xlsx", "fji.xlsx", "unasked.csv"}
    assert found_in(sheets, ids(), figures(made.node)) == {}
    volume = pl.read_csv(made.node.releases / NAME / "data" / "spam_volume.csv", infer_schema=False)
    others = texts_of(volume.filter(pl.col("area_code") != "404"), ["area_name"])
    assert found_in({"ken.xlsx": sheets["ken.xlsx"]}, others, []) == {}
    assert found_in({"ken.xlsx": sheets["ken.xlsx"]}, {"Kenya"}, []) != {}


def parquet(rows: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    rows.write_parquet(out, compression="zstd")
    return out.getvalue()


def workbook(rows: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(rows.rows()):
            sheet.write_row(at, 0, [float(each) if not isinstance(each, str) else each for each in row])
    return out.getvalue()


@pytest.mark.parametrize("form", [parquet, workbook, lambda rows: rows.write_csv().encode()])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("study.spam_volume", "reported"), ("study.contribution", "contribution"),
        ("study.contribution", "holding_id"), ("study.submission", "subscriptions"),
    ],
)  # fmt: skip
def test_a_column_that_was_left_in_is_found(
    made: SimpleNamespace, form: Callable[[pl.DataFrame], bytes], table: str, column: str
) -> None:
    rows = open_lake(str(made.node.folder / "lake")).read(table).select(column).drop_nulls()
    data = form(rows)
    assert set(found_in({"left.in": data}, ids(), figures(made.node))) == {"left.in"}
