"""The site written: every file in memory first, then the folder, so that there is never half a site."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import LANGUAGES, RIGHT_TO_LEFT, current, use_language
from jobs.base.page.templates import SHARED, render_template
from jobs.study.release.folders import OPEN_FILE, OPEN_FOLDER, make_folder
from jobs.study.site.about_pages import about_pages, publisher_of
from jobs.study.site.pages import SUBJECTS, Page, main_pages
from jobs.study.site.reading import PublishedRelease, read_release
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
    files = site_files(read_release(folder), folder)
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
    """Whether a folder is empty or holds a site."""
    return folder.is_dir() and ((folder / SUMS).is_file() or not any(folder.iterdir()))


def site_files(release: PublishedRelease, folder: Path) -> dict[str, bytes]:
    """The site's files by name: pages, their style, the tables as the release has them, and all digests."""
    texts: dict[str, str] = {}
    for language in LANGUAGES:
        with use_language(language):
            pages = [*main_pages(release), *about_pages(release, folder)]
            texts |= {page_file(page.name): render_page(release, page) for page in pages}
    files = {name: text.encode("utf-8") for name, text in texts.items()}
    files["style.css"] = (SHARED / "page.css").read_bytes() + (TEMPLATES / "site.css").read_bytes()
    copied = [*release.files.values(), *([release.workbook] if release.workbook else [])]
    files |= {f"data/{file.name}": file.read_bytes() for file in copied}
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())]
    return files | {SUMS: "".join(lines).encode("utf-8")}


def file_in(language: str, name: str) -> str:
    with use_language(language):
        return page_file(name)


def render_page(release: PublishedRelease, page: Page) -> str:
    """A page in the present language."""
    language = current.get()
    given: dict[str, Any] = publisher_of(release)
    return render_template(
        TEMPLATES,
        "site.html.j2",
        page=page,
        say=say,
        about=given,
        language=language,
        direction="rtl" if language in RIGHT_TO_LEFT else "ltr",
        page_file=page_file,
        languages=[(code, load_texts(code)["language"], file_in(code, page.name)) for code in LANGUAGES],
        is_made_up=release.is_made_up,
        navigation=[(name, say(f"page.{name}")) for name in NAVIGATION],
        files={name: file.name for name, file in release.files.items()},
        workbook=release.workbook.name if release.workbook else "",
    )
