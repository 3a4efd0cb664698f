"""What the tests of the stages share."""

import pytest

from spkit.policy import Policy, load_policy
from spkit.stages.buffers import Buffers
from spkit.stages.propose import ProposerConfig, seeded
from spkit.tasks import KINDS
from tests.stages.by_hand import TASK


@pytest.fixture(scope="session")
def proposer() -> Policy:
    """The shipped model that proposes and solves expressions."""
    return load_policy("expressions")


@pytest.fixture(scope="session")
def buffers(proposer) -> Buffers:
    """What it proposes at the start; no test adds to them."""
    return seeded(proposer, TASK, KINDS, 8, ProposerConfig(seed_rounds=2), 0)[0]


@pytest.fixture(scope="session")
def adder() -> Policy:
    """The shipped model that adds."""
    return load_policy("sums")
