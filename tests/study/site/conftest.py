"""A site of a release with rows in every table; and the release of the study of twelve countries."""

from types import SimpleNamespace

import pytest

from jobs.study.site.writing import write_site
from tests.study.release.conftest import estimated, made
from tests.support.site_release import write_whole

__all__ = ["estimated", "made"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """release, site: their folders. digest: of the site."""
    folder = tmp_path_factory.mktemp("drawn")
    release, site = write_whole(folder / "releases"), folder / "site"
    return SimpleNamespace(release=release, site=site, digest=write_site(release, site))
