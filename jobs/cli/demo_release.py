"""The release with which `observatory demo` ends: of the made-up membership, cleared, signed and published.

The demo plays every part: it chooses p, answers for the administrations, and makes the key that signs. All of
that is kept under build/, and each step is taken once.
"""

import datetime as dt
import gzip
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import openpyxl
import polars as pl

from jobs.base.core.machine import HOME
from jobs.base.core.numbers import exact_number
from jobs.base.packages import signing
from jobs.base.settings.config import Observatory
from jobs.study.estimates.steps.rows import MEASURES
from jobs.study.public.secret import FILE, VALUE
from jobs.study.release import clearance, manifest, production, publishing, signatures
from jobs.study.release.folders import signature_of, site_of, versions_in
from jobs.study.site.clearance_sheet import build_sheet
from jobs.study.site.releases import write_releases
from jobs.study.site.writing import write_site

PERIOD = "2026-Q4"
# The day on which the sample's administrations have answered; each revision is published a month later.
AT = dt.datetime(2027, 3, 15, tzinfo=dt.UTC)
MONTH = dt.timedelta(days=31)
# The operators whose counts a revision corrects, of three holdings: of fewer no figure would change.
CORRECTED = ("phl-sms-2", "tjk-sms-4", "mne-sms-1")
DEADLINE = dt.date(2027, 3, 1)
BY = "the demo"
ANSWERED = (
    clearance.AGREED,
    "",
    "filled in by the demo, for an administration that is made up",
    "2027-02-15",
)
UNASKED = "a made-up membership has no administration that could be asked"
SIGNER = "Made-up signer of the sample study <signer@example.org>"


@dataclass(frozen=True)
class DemoRelease:
    """The release of the made-up study.

    Attributes:
        folder: where the release is, published or as it was made.
        is_new: made just now.
        question_count: how many administrations were asked.
        unasked_count: how many countries without one have rows.
        is_published: False where there is no gpg to sign with.
    """

    folder: Path
    digest: str
    is_new: bool
    question_count: int
    unasked_count: int
    is_published: bool


def release_demo(settings: Observatory, membership: Path, say: Callable[[str], None]) -> DemoRelease:
    """Make, clear, sign and publish a release of the lake's estimates; steps already taken are skipped."""
    use_demo_p()
    settings = settings_at_release(settings, membership)
    roots = settings.release
    assert roots.public_root is not None and roots.signers is not None, "the sample's settings name both"
    found = production.find_release_of_estimates(settings, PERIOD)
    version = found or production.make_release(settings, PERIOD, False, say).about.version
    folder, own = (Path(root) / PERIOD / version for root in (roots.root, roots.restricted))
    public_root = Path(roots.public_root)
    target = public_root / PERIOD / version
    digest = manifest.verify_release(folder)
    cleared = clear_demo(settings, own, digest)
    if shutil.which("gpg"):
        index = public_root / manifest.INDEX
        if not (target.is_dir() and publishing.is_listed(public_root, Path(roots.restricted))):
            sign_demo(folder, Path(roots.signers))
            at = AT + MONTH * len(versions_in(public_root, PERIOD))
            publishing.publish_release(folder, own, public_root, Path(roots.signers), BY, at)
            write_releases(public_root, Path(roots.restricted))
        if not signatures.statement_signature(index).is_file():
            with use_demo_keys():
                signatures.sign_statement(index, SIGNER)
    is_published = target.is_dir()
    shown = target if is_published else folder
    if not site_of(shown).is_dir():
        say("release: site")
        write_site(shown, site_of(shown))
    return DemoRelease(
        shown,
        digest,
        found is None,
        sum(bool(each.administration) for each in cleared.asked.values()),
        len(cleared.unasked),
        is_published,
    )


def correct_membership(membership: Path, corrected: Path) -> None:
    """Write the membership's files with twice the counts of three operators, as if they had sent the logs
    of one of two servers; once."""
    if corrected.is_dir():
        return
    with tempfile.TemporaryDirectory(dir=corrected.parent) as folder:
        new = Path(folder) / "membership"
        shutil.copytree(membership, new)
        for file in new.glob("*.csv.gz"):
            rows = pl.read_csv(file, infer_schema=False)
            if not {*MEASURES} <= {*rows.columns}:
                continue
            times = pl.when(pl.col("respondent_id").is_in(CORRECTED)).then(2).otherwise(1)
            counts = [(times * pl.col(each).cast(pl.Int64)).alias(each) for each in MEASURES]
            file.write_bytes(gzip.compress(rows.with_columns(counts).write_csv().encode(), mtime=0))
        new.rename(corrected)


def settings_at_release(settings: Observatory, membership: Path) -> Observatory:
    """The settings on the day of the release, with the membership's frame and denominators."""
    return settings.model_copy(
        update={
            "lake": settings.lake.model_copy(update={"read_at": AT}),
            "study": settings.study.model_copy(update={"files": str(membership)}),
        }
    )


def use_demo_p() -> None:
    """The sample study's own p: chosen once, kept under build/, readable by its user alone.

    From 5 to below 12: at 15 the sample's areas alone reveal a contribution, and nothing may leave.
    """
    if not (os.environ.get(VALUE) or os.environ.get(FILE)):
        file = keep_secret("p_pct", lambda: exact_number(5 + secrets.randbelow(700) / 100))
        os.environ[FILE] = str(file)


def keep_secret(name: str, choose: Callable[[], str]) -> Path:
    """A file under build/, readable by its user alone, whose text is chosen once."""
    file = HOME / "secrets" / name
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as new:
            new.write(choose())
        os.chmod(new.name, 0o600)
        os.replace(new.name, file)
    return file


def clear_demo(settings: Observatory, folder: Path, digest: str) -> clearance.Clearance:
    """The clearance of the release: the demo agrees for every administration of the sample, and decides on
    each country without one."""
    before = clearance.read_clearance(folder)
    if before and before.digest == digest and not before.waited:
        return before
    about, tables = production.read_kept_release(folder)
    asked = clearance.make_clearance(
        folder,
        tables,
        digest,
        production.list_administrations(settings),
        DEADLINE,
        production.list_languages(settings),
        partial(build_sheet, about=about, digest=digest, deadline=DEADLINE, return_address=None),
    )
    with tempfile.TemporaryDirectory() as returned:
        file = Path(returned) / clearance.UNASKED_FILE
        lines = [f"{each.country},published,{BY},{UNASKED}" for each in asked.unasked]
        file.write_text("\n".join(["country,decision,by,reason", *lines, ""]), encoding="utf-8")
        if lines:
            clearance.decide_unasked(folder, file, AT)
        names = [each.country for each in asked.asked.values() if each.administration]
        files = [Path(returned) / f"{country.lower()}.xlsx" for country in names]
        for file in files:
            book = openpyxl.load_workbook(folder / clearance.SHEETS / file.name)
            for row, text in enumerate(ANSWERED, clearance.FIRST + 1):
                book[clearance.ANSWER].cell(row, 2, text)
            book.save(file)
        return clearance.load_answers(folder, files, AT)


def sign_demo(folder: Path, signers: Path) -> None:
    """Sign a release with the demo's own key, and add the public key to the signers."""
    with use_demo_keys():
        if signing.run_gpg("--list-secret-keys", SIGNER).returncode:
            alone = ("--passphrase", "", "--pinentry-mode", "loopback")
            signing.run_gpg(*alone, "--quick-generate-key", SIGNER, "ed25519", "sign", "never")
        signers.mkdir(parents=True, exist_ok=True)
        (signers / "made-up.asc").write_bytes(signing.run_gpg("--armor", "--export", SIGNER).stdout)
        if not signature_of(folder).is_file():
            signatures.sign_release(folder, SIGNER)


@contextmanager
def use_demo_keys() -> Iterator[None]:
    """While it lasts, GnuPG has the demo's own key. Its home gets a short link: GnuPG's sockets need a short
    path."""
    home = HOME / "secrets" / "gnupg"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = os.environ.get("GNUPGHOME")
    with tempfile.TemporaryDirectory(prefix="keys-") as short:
        (Path(short) / "home").symlink_to(home)
        os.environ["GNUPGHOME"] = f"{short}/home"
        try:
            yield
        finally:
            subprocess.run(["gpgconf", "--kill", "all"], check=False, capture_output=True)
            if before is None:
                del os.environ["GNUPGHOME"]
            else:
                os.environ["GNUPGHOME"] = before
