"""The model that stands in for one of the hub, trained once a session."""

import pytest

from spkit.tasks import load_task
from tests.policy.hub_like import save_model


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory):
    pytest.importorskip("bitsandbytes")
    return save_model(tmp_path_factory.mktemp("hub") / "small", load_task("addition"), steps=300)
