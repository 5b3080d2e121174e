"""Settings: every error names the file, the setting and the nearest right one."""

from pathlib import Path
from typing import Any

import pytest

from jobs.base.core import machine
from jobs.base.core.errors import ObservatoryError
from jobs.base.settings import config
from jobs.base.settings.node import EngineSettings
from jobs.base.settings.operator import Link
from jobs.operators.ingest.source_options import load_with_options
from tests.conftest import ROOT

SETTINGS = """
[lake]
root = "lake"

[[operator]]
id = "hill-mail"
name = "Hill mail"
country = "CHE"
holding = "hill"
currency = "CHF"
domains = ["hill.example"]
networks = ["192.0.2.0/24", "2001:db8::/32"]
number_prefixes = ["+999100"]

[[operator.link]]
name = "HUB-1"
kind = "hub"

[[operator.source]]
id = "mx1"
url = "logs/mail.log*"
format = "postfix"
time_zone = "Europe/Zurich"

[[operator.fixed_cost]]
name = "licence"
countermeasure = "CONTENT_FILTER"
channel = "EMAIL"
low = 1
central = 2
high = 3
"""
SECOND_SOURCE = '[[operator.source]]\nid = "mx1"\nurl = "b"\n\n[[operator.source]]\nid = "mx1"'
SECOND_OPERATOR = """[[operator]]
id = "hill-mail"
name = "B"
country = "FRA"
holding = "b"
currency = "EUR"

[[operator]]
id"""


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OBSERVATORY_LAKE_ROOT", raising=False)
    monkeypatch.delenv("OBSERVATORY_ENGINE_MEMORY", raising=False)
    monkeypatch.delenv("OBSERVATORY_ENGINE_WORKERS", raising=False)


def load(folder: Path, right: str = "", wrong: str = "", **overrides: Any) -> config.Observatory:
    """The settings above with one place changed."""
    assert right in SETTINGS
    file = folder / "observatory.toml"
    file.write_text(SETTINGS.replace(right, wrong, 1) if right else SETTINGS, encoding="utf-8")
    return load_with_options(file, **overrides)


def engine(folder: Path, right: str, wrong: str, **overrides: Any) -> tuple[int, int]:
    """The bytes and workers that settings with one place changed give the engine."""
    found = load(folder, right, wrong, **overrides).engine
    return found.memory_bytes, found.workers


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("[lake]", "[lakes]", "[lakes]: unknown setting 'lakes'; did you mean 'lake'?"),
        ("root", "rot", "[lake] rot: unknown setting 'rot'; did you mean 'root'?"),
        (
            "country",
            "contry",
            "[operator] 'hill-mail' contry: unknown setting 'contry'; did you mean 'country'?",
        ),
        ("country", "contry", "[operator] 'hill-mail' country: this setting is missing"),
        ("operator.source", "operator.sorce", "unknown setting 'sorce'; did you mean 'source'?"),
        ('url = "logs/mail.log*"', "", "[operator] 'hill-mail' source 'mx1' url: this setting is missing"),
        ("url", "ulr", "[operator] 'hill-mail' source 'mx1' ulr: unknown setting 'ulr'; did you mean 'url'?"),
        (
            "kind",
            "kinds",
            "[operator] 'hill-mail' link 'HUB-1' kinds: unknown setting 'kinds'; did you mean 'kind'?",
        ),
        (
            '"CHE"',
            '"che"',
            "[operator] 'hill-mail' country: unknown country (ISO 3166-1 alpha-3) 'che'; did you mean 'CHE'?",
        ),
        # Of two letters it is the alpha-2 code of a country, and China is not near.
        *(
            (
                '"CHE"',
                f'"{code}"',
                f"country: unknown country (ISO 3166-1 alpha-3) '{code}'; did you mean '{right}'?",
            )
            for code, right in (("CH", "CHE"), ("ch", "CHE"), ("AT", "AUT"), ("UK", "GBR"), ("SE", "SWE"))
        ),
        ('"CHF"', '"CHFF"', "'hill-mail' currency: unknown currency (ISO 4217) 'CHFF'; did you mean 'CHF'?"),
        ('"postfix"', '"postfx"', "source 'mx1' format: unknown format 'postfx'; did you mean 'postfix'?"),
        ("Zurich", "Zürich", "time_zone: unknown time zone 'Europe/Zürich'; did you mean 'Europe/Zurich'?"),
        ('"hub"', '"hubs"', "link 'HUB-1' kind: unknown kind of link 'hubs'; did you mean 'hub'?"),
        ('"hub"', '"zzz"', "unknown kind of link 'zzz'; known are: aggregator, botnet-asn, hub,"),
        (
            "192.0.2.0/24",
            "192.0.2.7/24",
            "networks: 192.0.2.7/24 has host bits set; did you mean '192.0.2.0/24'?",
        ),
        (
            "192.0.2.0/24",
            "192.0.2.0/33",
            "'192.0.2.0/33' does not appear to be an IPv4 or IPv6 network; write it as",
        ),
        (
            "+999100",
            "+999x",
            "number prefix '+999x' must be digits that begin with the country's code, as in +4477",
        ),
        (
            '"HUB-1"',
            '"192.0.2.7/24"',
            "link '192.0.2.7/24' name: 192.0.2.7/24 has host bits set; did you mean '192.0.2.0/24'?",
        ),
        ("+999100", "0991", "number prefix '0991' must be digits that begin with the country's code"),
        (
            'time_zone = "Europe/Zurich"',
            'numbers = "nation"',
            "numbers: Input should be 'e164' or 'national'",
        ),
        (
            'time_zone = "Europe/Zurich"',
            'numbers = "national"',
            "numbers is for asterisk, delimited, jasmin,",
        ),
        ('"hill-mail"', '"Hill Mail"', "'Hill Mail' may hold small letters, digits and hyphens only"),
        (
            '[[operator.source]]\nid = "mx1"',
            SECOND_SOURCE,
            "source id of operator 'hill-mail' 'mx1' stands twice",
        ),
        ("[[operator]]\nid", SECOND_OPERATOR, "operator id 'hill-mail' stands twice"),
        ("central = 2", "central = 5", "'licence': low, central and high of cost 'licence' must not fall"),
        ("low = 1", "low = -1", "fixed_cost 'licence' low: Input should be greater than or equal to 0"),
        (
            "CONTENT_FILTER",
            "CONTENT_FILTR",
            "unknown countermeasure 'CONTENT_FILTR'; did you mean 'CONTENT_FILTER'?",
        ),
        (
            '"EMAIL"',
            '"EMIAL"',
            "fixed_cost 'licence' channel: unknown channel 'EMIAL'; did you mean 'EMAIL'?",
        ),
        ('root = "lake"', "open_days = 0", "[lake] open_days: Input should be greater than or equal to 1"),
        (
            'root = "lake"',
            "open_days = 1000000000",
            "[lake] open_days: Input should be less than or equal to 3660",
        ),
        ('root = "lake"', r'root = "la\u0000ke"', "[lake] root: 'la\\x00ke' has a control character"),
        ("mail.log", r"mail\u0000.log", "source 'mx1' url: "),
        ("central = 2", "central = inf", "fixed_cost 'licence' central: Input should be a finite number"),
        ("central = 2", "central = nan", "fixed_cost 'licence' central: Input should be a finite number"),
        (
            'holding = "hill"',
            'holding = "hill"\nsubscribers = 9223372036854775808',
            "Input should be less than or equal to 1000000000000",
        ),
        (
            'holding = "hill"',
            'holding = "hill"\nsubscribers = { EMAIL = 9223372036854775808 }',
            "Input should be less than or equal to 1000000000000",
        ),
        ('domains = ["hill.example"]', 'domains = "hill.example"', "domains: Input should be a valid list"),
        ('[lake]\nroot = "lake"', 'lake = "lake"', "lake: Input should be a valid dictionary"),
        ("[lake]", "[lake", "not TOML: Expected ']'"),
        (
            '"postfix"',
            '"kannel"\noptions = { access_log_format = "%t|%l|%p|%P|%f" }',
            "[operator] 'hill-mail' source 'mx1' options access_log_format: unknown escape code '%f'",
        ),
        (
            '"postfix"',
            '"kannel"\noptions = { access_log_formt = "%t" }',
            "options unknown option 'access_log_formt'; did you mean 'access_log_format'?",
        ),
        (
            '"postfix"',
            '"postfix"\noptions = { colour = "red" }',
            "options unknown option 'colour'; this format takes none",
        ),
        (
            '"postfix"',
            '"asterisk"\noptions = { usegmttime = true }',
            "options unknown option 'usegmttime'; did you mean 'usegmtime'?",
        ),
        ('"postfix"', '"auto"\noptions = { clean = true }', "options belong to one format: name it"),
    ],
)
def test_an_error_names_file_setting_and_the_right_one(
    tmp_path: Path, right: str, wrong: str, told: str
) -> None:
    with pytest.raises(ObservatoryError) as error:
        load(tmp_path, right, wrong)
    lines = str(error.value).splitlines()
    assert all(line.startswith(f"{tmp_path / 'observatory.toml'}: ") for line in lines)
    assert any(told in line for line in lines), lines
    assert error.value.exit_code == 2


def test_a_wrong_number_of_subscribers_is_named_once(tmp_path: Path) -> None:
    for wrong in ("-1", "9223372036854775808", '"many"', "{ EMAIL = -1 }", "{ EMAIL = 1, PIGEON = 2 }"):
        with pytest.raises(ObservatoryError) as error:
            load(tmp_path, 'currency = "CHF"', f'currency = "CHF"\nsubscribers = {wrong}')
        (line,) = str(error.value).splitlines()
        assert "[operator] 'hill-mail' subscribers" in line
        assert "constrained" not in line and "dict" not in line, line


def test_a_byte_order_mark_and_windows_line_ends_are_no_error(tmp_path: Path) -> None:
    file = tmp_path / "observatory.toml"
    file.write_bytes(b"\xef\xbb\xbf" + SETTINGS.replace("\n", "\r\n").encode())
    assert load_with_options(file).operator[0].id == "hill-mail"


def test_every_error_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "observatory.toml"
    file.write_text(SETTINGS.replace("CHE", "CHX").replace("postfix", "postfx"), encoding="utf-8")
    with pytest.raises(ObservatoryError) as error:
        load_with_options(file)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_a_file_that_is_no_settings_file(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "observatory.toml"
    if kind == "folder":
        file.mkdir()
    elif kind == "binary":
        file.write_bytes(b"\xff\xfe\x00")
    told = {
        "missing": "no such settings file. Name one with --config",
        "folder": "cannot be read",
        "binary": "not TOML",
    }
    with pytest.raises(ObservatoryError) as error:
        load_with_options(file)
    assert str(error.value).startswith(f"{file}: ")
    assert told[kind] in str(error.value)


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    settings = load(tmp_path, "[lake]", '[location]\nranges = "../ranges.csv"\n\n[lake]')
    assert settings.lake.root == str(tmp_path / "lake")
    assert settings.operator[0].source[0].url == str(tmp_path / "logs" / "mail.log*")
    assert settings.location is not None
    assert settings.location.ranges == str(tmp_path.parent / "ranges.csv")


def test_a_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert load(tmp_path, 'root = "lake"', 'root = "~/lake"').lake.root == "/home/ann/lake"
    source = load(tmp_path, "logs/mail.log*", "~/logs/mail.log*").operator[0].source[0]
    assert source.url == "/home/ann/logs/mail.log*"
    # A folder of such a name, and no user.
    source = load(tmp_path, "logs/mail.log*", "~no-user/mail.log").operator[0].source[0]
    assert source.url == str(tmp_path / "~no-user" / "mail.log")


@pytest.mark.parametrize(
    "url", ["s3a://bucket/lake", "s3a:bucket/lake", "sftp://mx.example/var/log/mail.log"]
)
def test_urls_and_absolute_paths_stay(tmp_path: Path, url: str) -> None:
    if url.startswith("s3a"):
        assert load(tmp_path, 'root = "lake"', f'root = "{url}"').lake.root == url
    assert load(tmp_path, "logs/mail.log*", url).operator[0].source[0].url == url
    assert load(tmp_path, 'root = "lake"', 'root = "file:/srv/lake"').lake.root == "/srv/lake"


def test_argument_over_environment_over_file_over_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(tmp_path, 'root = "lake"', "").lake.root == str(tmp_path / "build" / "lake")
    assert load(tmp_path).lake.root == str(tmp_path / "lake")
    assert load(tmp_path).engine.workers == machine.usable_cores()
    table = ("[lake]", '[engine]\nmemory = "3GB"\nworkers = 3\n\n[lake]')
    assert engine(tmp_path, *table) == (3_000_000_000, 3)
    monkeypatch.setenv("OBSERVATORY_LAKE_ROOT", "/srv/environment")
    monkeypatch.setenv("OBSERVATORY_ENGINE_MEMORY", "5000000000")
    monkeypatch.setenv("OBSERVATORY_ENGINE_WORKERS", "5")
    assert load(tmp_path).lake.root == "/srv/environment"
    assert engine(tmp_path, *table) == (5_000_000_000, 5)
    assert load(tmp_path, lake_root="/srv/argument").lake.root == "/srv/argument"
    assert engine(tmp_path, *table, memory="7GB", workers=7) == (7_000_000_000, 7)
    with pytest.raises(ObservatoryError, match="lake: Input should be a valid dictionary"):
        load(tmp_path, '[lake]\nroot = "lake"', 'lake = "lake"')


def test_prefixes_lose_their_plus_sign(tmp_path: Path) -> None:
    assert load(tmp_path).operator[0].number_prefixes == ["999100"]


def test_a_fixed_cost_may_serve_all_measures(tmp_path: Path) -> None:
    assert load(tmp_path, "CONTENT_FILTER", "_T").operator[0].fixed_cost[0].countermeasure == "_T"


FILTER_QUALITY = """[[operator.filter_quality]]
channel = "EMAIL"
spam_tested = 100
spam_flagged = 90
ham_tested = 100
ham_flagged = 2
source = "own test, 2026"

"""


def test_a_filter_may_have_been_tested_elsewhere(tmp_path: Path) -> None:
    place = "[[operator.fixed_cost]]"
    (found,) = load(tmp_path, place, FILTER_QUALITY + place).operator[0].filter_quality
    assert (found.spam_flagged, found.ham_tested) == (90, 100)
    for change, told in [
        (("spam_flagged = 90", "spam_flagged = 101"), "spam_flagged must not be more than spam_tested"),
        (
            ("spam_flagged = 90", "spam_flagged = 2"),
            "flags no larger share of spam than of ham corrects nothing",
        ),
        (("ham_tested = 100", "ham_tested = 0"), "ham_tested: Input should be greater than or equal to 1"),
    ]:
        with pytest.raises(ObservatoryError, match=told):
            load(tmp_path, place, FILTER_QUALITY.replace(*change) + place)
    with pytest.raises(
        ObservatoryError, match="filter_quality channel of operator 'hill-mail' 'EMAIL' stands"
    ):
        load(tmp_path, place, FILTER_QUALITY * 2 + place)


def test_an_operator_by_its_id(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert config.choose_operators(settings) == settings.operator
    assert [operator.id for operator in config.choose_operators(settings, "hill-mail")] == ["hill-mail"]
    with pytest.raises(ObservatoryError, match="unknown operator 'hil-mail'; did you mean 'hill-mail'?"):
        config.choose_operators(settings, "hil-mail")


def test_the_sample_settings_are_right() -> None:
    settings = load_with_options(ROOT / "sample_data" / "observatory.toml")
    assert len({operator.country for operator in settings.operator}) >= 4
    assert all(Path(source.url).is_absolute() for operator in settings.operator for source in operator.source)


def test_a_link_says_what_its_kind_leaves_open(tmp_path: Path) -> None:
    kinds = {kind: Link(name="X", kind=kind) for kind in ("on-net", "peer", "hub", "aggregator", "sip-trunk")}
    assert {kind: (link.scope_code, link.traffic_code) for kind, link in kinds.items()} == {
        "on-net": ("national", "p2p"),
        "peer": (None, "p2p"),
        "hub": ("international", None),
        "aggregator": (None, "a2p"),
        "sip-trunk": (None, None),
    }
    said = Link(name="X", kind="hub", scope="national", traffic="a2p", networks=["234-15"])
    assert (said.scope_code, said.traffic_code) == ("national", "a2p")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            '[location]\nranges = "ranges.zip"',
            "[location] ranges: 'ranges.zip' must end in .csv, .parquet, .mmdb",
        ),
        ('[location]\nnumber_ranges = "n.mmdb"', "number_ranges: 'n.mmdb' must end in .csv, .parquet"),
        ('[location]\ndate = "2026-13-01"', "[location] date: "),
    ],
)
def test_tables_of_ranges_are_told_by_their_suffix(tmp_path: Path, settings: str, told: str) -> None:
    with pytest.raises(ObservatoryError) as error:
        load(tmp_path, "[lake]", f"{settings}\n\n[lake]")
    assert told in str(error.value)


def test_links_and_their_networks_are_checked(tmp_path: Path) -> None:
    link = '[[operator.link]]\nname = "X"\nkind = "peer"\n'
    for lines, told in (
        (link + 'networks = ["23415"]\n', "'23415' is no MCC-MNC; write it as in 234-15"),
        (link + link, "link name of operator 'hill-mail' 'X' stands twice"),
        (link + 'scope = "abroad"\n', "link 'X' scope: "),
    ):
        with pytest.raises(ObservatoryError) as error:
            load(tmp_path, "[[operator.source]]", f"{lines}\n[[operator.source]]")
        assert told in str(error.value)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ('"2GB"', 2_000_000_000),
        ('"2 GiB"', 2 << 30),
        ('"1.5gib"', 3 << 29),
        ('"512MB"', 512_000_000),
        ('"300000000"', 300_000_000),
        ("300_000_000", 300_000_000),
    ],
)
def test_memory_has_a_unit_or_is_bytes(tmp_path: Path, text: str, size: int) -> None:
    assert engine(tmp_path, "[lake]", f"[engine]\nmemory = {text}\n\n[lake]")[0] == size


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            'memory = "lots"',
            "[engine] memory: 'lots' is no amount of memory; write a number and a unit, as in",
        ),
        ('memory = "2 parsecs"', "[engine] memory: '2 parsecs' is no amount of memory"),
        ('memory = "-2GB"', "[engine] memory: '-2GB' is no amount of memory"),
        ('memory = "2"', "[engine] memory: memory is 2, less than the least that the engine works in, 256MB"),
        ("memory = 2.5", "[engine] memory: memory must be a text with a unit"),
        ("memory = true", "[engine] memory: memory must be a text with a unit"),
        ("workers = 0", "[engine] workers: Input should be greater than or equal to 1"),
        ('workers = "many"', "[engine] workers: Input should be a valid integer"),
        ("workers = 100000", "[engine] workers: Input should be less than or equal to 1024"),
        ('name = "embeded"', "[engine] name: unknown engine 'embeded'; did you mean 'embedded'?"),
        ('name = "dask"', "[engine] name: unknown engine 'dask'; known are: embedded, inline, spark"),
        ('memroy = "2GB"', "[engine] memroy: unknown setting 'memroy'; did you mean 'memory'?"),
    ],
)
def test_a_wrong_engine_setting_is_named(tmp_path: Path, lines: str, told: str) -> None:
    with pytest.raises(ObservatoryError) as error:
        load(tmp_path, "[lake]", f"[engine]\n{lines}\n\n[lake]")
    assert f"{tmp_path / 'observatory.toml'}: {told}" in str(error.value)


def test_a_lake_by_a_connection_is_for_one_machine(tmp_path: Path) -> None:
    file = tmp_path / "observatory.toml"
    lake = '[lake]\nroot = "s3://spam/lake"\naccess = { connection = "lake_store" }\n'
    file.write_text(lake)
    assert load_with_options(file).lake.access.connection == "lake_store"
    file.write_text(f'{lake}[engine]\nname = "spark"\n')
    with pytest.raises(ObservatoryError) as error:
        load_with_options(file)
    assert str(error.value).startswith(f"{file}: [lake] access: a connection reaches the program that")


@pytest.mark.parametrize(
    ("workers", "has", "gives"),
    [(2, 24_000_000_000, 8_000_000_000), (2, 6_000_000_000, 3_000_000_000), (64, 100_000_000, 256_000_000)],
)
def test_memory_is_half_of_what_there_is_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch, workers: int, has: int, gives: int
) -> None:
    monkeypatch.setattr(machine, "usable_memory", lambda: has)
    assert EngineSettings(workers=workers).memory_bytes == gives


@pytest.mark.parametrize("version", [1, 2])
def test_the_limits_of_a_container_bind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """The lowest limit of the process's cgroup and of all above it counts."""
    listed = tmp_path / "listed"
    listed.write_text("0::/a/b\n" if version == 2 else "4:memory:/a/b\n3:cpu,cpuacct:/a/b\n")
    files = (
        {"a/memory.max": "700000000", "a/b/memory.max": "max", "a/b/cpu.max": "150000 100000"}
        if version == 2
        else {
            "memory/a/memory.limit_in_bytes": "700000000",
            "memory/a/b/memory.limit_in_bytes": "9223372036854771712",
            "cpu/a/b/cpu.cfs_quota_us": "150000",
            "cpu/a/b/cpu.cfs_period_us": "100000",
        }
    )
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "LISTED", listed)
    assert machine.usable_memory() == 700_000_000
    assert machine.usable_cores() == 1


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        ('public_root = "releases"', "public_root and root"),
        ('public_root = "out"\nroot = "./out/made"', "public_root and root"),
        ('public_root = "out"\nrestricted = "out/kept"', "public_root and restricted"),
        ('root = "restricted/made"', "root and restricted"),
    ],
)
def test_folders_of_releases_lie_apart(folders: str, told: str, tmp_path: Path) -> None:
    """Readers would otherwise see what nobody has cleared, or what is kept for the study alone."""
    file = tmp_path / "observatory.toml"
    file.write_text(f"[release]\n{folders}\n")
    with pytest.raises(ObservatoryError, match=rf"toml: \[release\] {told} are one folder or one"):
        load_with_options(file)
    file.write_text('[release]\nroot = "out"\nrestricted = "out-kept"\npublic_root = "public"\n')
    assert load_with_options(file).release.public_root == str(tmp_path / "public")
