"""What the tests of the loops share."""

import pytest

from spkit.policy import Policy


@pytest.fixture
def trained_on(monkeypatch):
    """What `fit` was called with: (fingerprint of the policy before, pairs, config), one entry a call."""
    calls, fit = [], Policy.fit

    def spy(self, pairs, config, *args):
        calls.append((self.fingerprint(), list(pairs), config))
        return fit(self, pairs, config, *args)

    monkeypatch.setattr(Policy, "fit", spy)
    return calls
