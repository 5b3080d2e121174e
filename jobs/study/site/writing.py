"""The site written: every file in memory first, then the folder, so that there is never half a site."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import LANGUAGES, RIGHT_TO_LEFT, current, use_language
from jobs.base.page.templates import SHARED, render_template
from jobs.study.release.folders import OPEN_FILE, OPEN_FOLDER, make_folder, site_of
from jobs.study.site.about_pages import about_pages, publisher_of
from jobs.study.site.pages import SUBJECTS, Page, main_pages
from jobs.study.site.published_release import PublishedRelease, read_release
from jobs.study.site.texts import load_texts, page_file, say

TEMPLATES = Path(__file__).parent / "templates"
SUMS = "files.sha256"
# The pages that every page leads to, in order.
NAVIGATION = ("index", *SUBJECTS, "areas", "quality", "method", "dictionary", "glossary", "data")


def write_site(folder: Path, output: Path) -> str:
    """Write the site of a release; the digest of its list of files. An earlier site there is replaced.

    Raises ObservatoryError for what is no whole release of this program's form, or if output lies in it or
    holds something else.
    """
    if output.resolve().is_relative_to(folder.resolve()):
        raise ObservatoryError(f"{output} lies in the release, which never changes: name another --output")
    if output.exists() and not is_site(output):
        raise ObservatoryError(f"{output} exists and is no site: name a folder that does not exist yet")
    release = read_release(folder)
    is_public = release.published_date is not None and output.resolve() == site_of(folder.resolve())
    files = site_files(release, folder, is_public)
    new = output.with_name(f".{output.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    for name, data in files.items():
        file = new / name
        make_folder(file.parent, OPEN_FOLDER)
        file.write_bytes(data)
        file.chmod(OPEN_FILE)
    if output.exists():
        shutil.rmtree(output)
    new.rename(output)
    return hashlib.sha256(files[SUMS]).hexdigest()


def is_site(folder: Path) -> bool:
    """Return whether a folder is empty or holds a site."""
    return folder.is_dir() and ((folder / SUMS).is_file() or not any(folder.iterdir()))


def site_files(release: PublishedRelease, folder: Path, is_public: bool) -> dict[str, bytes]:
    """The site's files by name: pages, their style, the tables as the release has them, and all digests.

    Args:
        is_public: it stands where readers find all releases.
    """
    texts: dict[str, str] = {}
    for language in LANGUAGES:
        with use_language(language):
            pages = [*main_pages(release), *about_pages(release, folder)]
            texts |= {page_file(page.name): render_page(release, page, is_public) for page in pages}
    files = {name: text.encode("utf-8") for name, text in texts.items()}
    files["style.css"] = read_style()
    copied = [*release.files.values(), *([release.workbook] if release.workbook else [])]
    files |= {f"data/{file.name}": file.read_bytes() for file in copied}
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())]
    return files | {SUMS: "".join(lines).encode("utf-8")}


def read_style() -> bytes:
    return (SHARED / "page.css").read_bytes() + (TEMPLATES / "site.css").read_bytes()


def file_in(language: str, name: str) -> str:
    with use_language(language):
        return page_file(name)


def render_page(release: PublishedRelease, page: Page, is_public: bool) -> str:
    """A page of a release in the present language."""
    about = publisher_of(release)
    return render_text(
        page,
        release.is_made_up,
        [say("footer", **about), say("digest", **about)],
        about=about,
        navigation=[(name, say(f"page.{name}")) for name in NAVIGATION],
        is_front=page.name == "index",
        releases=f"../../{page_file('index')}" if is_public else "",
        files={name: file.name for name, file in release.files.items()},
        workbook=release.workbook.name if release.workbook else "",
    )


def render_text(page: Page, is_made_up: bool, foot: Sequence[str], **given: Any) -> str:
    """A page in the present language.

    Args:
        foot: what stands below it.
    """
    language = current.get()
    return render_template(
        TEMPLATES,
        "site.html.j2",
        page=page,
        say=say,
        language=language,
        direction="rtl" if language in RIGHT_TO_LEFT else "ltr",
        page_file=page_file,
        languages=[(code, load_texts(code)["language"], file_in(code, page.name)) for code in LANGUAGES],
        is_made_up=is_made_up,
        foot=foot,
        **given,
    )
