"""The comparison that the other tests rely on."""

import math

import numpy as np
import pytest
import torch

from tests.helpers import apart


@pytest.mark.parametrize("size", [1e-6, 1.0, 17.0, 1e6])
def test_a_difference_counts_by_the_size_of_what_is_compared(size):
    values = size * torch.linspace(-1, 0.5, 7)
    assert apart(values, values.double() * (1 + 1e-4)) == pytest.approx(1e-4, rel=1e-2)
    assert apart(values, values + size * 1e-3) == pytest.approx(1e-3, rel=1e-2)
    assert apart(list(values), values.numpy()) == 0


def test_zeros_are_equal_and_what_is_not_a_number_is_not():
    assert apart(torch.zeros(3), np.zeros(3)) == 0
    assert math.isnan(apart(torch.tensor([1.0, math.nan]), torch.ones(2)))
    with pytest.raises(AssertionError, match="numbers against"):
        apart(torch.ones(3), torch.ones(2))
