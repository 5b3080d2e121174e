"""A log of each format with an identifier in each field that may hold one, as sources of one operator."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from jobs.base.settings import config
from jobs.operators.ingest.source_options import load_with_options
from tests.support.samples import CANARIES
from tests.support.samples.forms import Canaries
from tests.support.whole_runs import operator_toml, source_toml

OWN = (
    'domains = ["isp.example"]\nnetworks = ["127.0.0.0/8"]\nnumber_prefixes = ["35799"]\n'
    "subscribers = { EMAIL = 9000, SMS = 9000, VOICE_IP = 9000, IM = 9000 }\n"
    '[[operator.link]]\nname = "HUB"\nkind = "hub"\n'
)
NETWORKS = "prefix,country_code,asn,as_name\n198.51.100.0/24,CHE,64500,Net\n2001:db8::/32,CHE,64501,Six\n"


def write_log(log: Canaries, folder: Path, entries: Iterable[str]) -> str:
    """Write entries of the log; the source's url."""
    if not log.is_files:
        name = f"{log.name}{log.suffix}"
        (folder / name).write_text(log.head + "".join(entries))
        return name
    (folder / log.name).mkdir()
    for number, text in enumerate(entries):
        (folder / log.name / f"{number:04d}{log.suffix}").write_text(text)
    return f"{log.name}/*{log.suffix}"


def source_of(log: Canaries) -> str:
    return log.name.replace("_", "-")


def canary_settings(folder: Path, everywhere: bool = False) -> config.Observatory:
    """Write the logs of every format and their settings; the lake is in the same folder.

    Args:
        everywhere: with canaries in all fields, whatever belongs there, so that many lines are in quarantine;
            one entry of seven, which have all forms of canaries in turn.
    """
    (folder / "networks.csv").write_text(NETWORKS)
    sources = []
    for log in CANARIES:
        entries = islice(log.everywhere(), 0, None, 7) if everywhere else (text for text, _ in log.entries())
        url = write_log(log, folder, entries)
        sources.append(source_toml(source_of(log), url, log.within or log.kernel, log.options))
    limits = "[limits]\nquarantined_pct = 100\n\n" if everywhere else ""
    (folder / "observatory.toml").write_text(
        f'[lake]\nroot = "lake"\n\n{limits}[location]\nranges = "networks.csv"\n\n'
        + operator_toml("op", "Op", "CHE", "op", "CHF", OWN, *sources)
    )
    return load_with_options(folder / "observatory.toml", lake_root=str(folder / "lake"))
