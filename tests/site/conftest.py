"""The built site and a browser, once for all tests of the site."""

from pathlib import Path

import pytest

from .built import built_site


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    return built_site(tmp_path_factory.mktemp("built") / "site")
