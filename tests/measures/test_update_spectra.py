"""Rank, spectrum and directions of an update, against updates that are built to have them."""

import math

import pytest
import torch

from spkit.measures.update_spectra import Sides, matrix_update

ROWS, COLUMNS, K = 40, 30, 3  # a tenth of 30 directions is principal


def drawn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def before():
    return drawn(0, ROWS, COLUMNS)


@pytest.fixture
def frame(before):
    left, _, right = torch.linalg.svd(before, full_matrices=True)
    return left, right.T


@pytest.mark.parametrize("rank", [1, 2, 7, 30])
def test_an_update_of_known_rank_and_spectrum(before, rank):
    """Equal singular values: effective and stable rank are the rank, and directions share the energy evenly."""
    left, right = (torch.linalg.qr(drawn(seed, side, rank))[0] for seed, side in ((1, ROWS), (2, COLUMNS)))
    found = matrix_update(before, before + 0.5 * left @ right.T)
    assert found.rank == rank and found.full == 30
    assert found.effective_rank == pytest.approx(rank, rel=1e-6) and found.stable_rank == pytest.approx(rank)
    assert found.singular_values[:rank].tolist() == pytest.approx([0.5] * rank)
    assert found.energy(0.1) == pytest.approx(min(1, K / rank)) and found.energy(0) == pytest.approx(1 / rank)


def test_effective_and_stable_rank_of_an_uneven_spectrum():
    before = torch.zeros(4, 4)
    found = matrix_update(before, torch.diag(torch.tensor([2.0, 1.0, 1.0, 0.0])))
    assert found.rank == 3 and found.stable_rank == pytest.approx(6 / 4)
    assert found.effective_rank == pytest.approx(math.exp(0.5 * math.log(2) + 2 * 0.25 * math.log(4)))
    assert found.energy(0.5) == pytest.approx(5 / 6)


def test_rounding_makes_a_full_rank_of_a_rank_of_one():
    before = 0.05 * drawn(3, ROWS, COLUMNS)
    found = matrix_update(before, before + 1e-4 * torch.outer(drawn(4, ROWS), drawn(5, COLUMNS)))
    assert found.rank == 1 and found.rank_bfloat16 == 30


def test_an_update_within_the_principal_subspaces_overlaps_wholly(before, frame):
    left, right = frame[0][:, :K], frame[1][:, :K]
    found = matrix_update(before, before + left @ drawn(6, K, K) @ right.T)
    assert (found.overlap.left, found.overlap.right, found.both) == pytest.approx((1, 1, 1))
    found = matrix_update(before, before + left @ drawn(6, K, COLUMNS))  # on the left alone
    assert found.overlap.left == pytest.approx(1) and found.overlap.right < 0.5
    assert found.both == pytest.approx(found.overlap.right)


def test_an_update_outside_of_them_overlaps_not_at_all_and_turns_nothing(before, frame):
    left, right = frame[0][:, K:], frame[1][:, K:]
    found = matrix_update(before, before + 0.01 * left @ drawn(7, ROWS - K, COLUMNS - K) @ right.T)
    assert (found.overlap.left, found.overlap.right, found.both) == pytest.approx((0, 0, 0), abs=1e-20)
    assert (found.rotation.left, found.rotation.right) == pytest.approx((0, 0), abs=1e-5)


def test_a_random_update_overlaps_as_chance_says(before):
    found = [matrix_update(before, before + drawn(seed, ROWS, COLUMNS)) for seed in range(100, 200)]
    mean = lambda of: sum(map(of, found)) / len(found)
    assert found[0].chance == Sides(K / ROWS, K / COLUMNS)
    assert mean(lambda m: m.overlap.left) == pytest.approx(K / ROWS, rel=0.05)
    assert mean(lambda m: m.overlap.right) == pytest.approx(K / COLUMNS, rel=0.05)
    assert mean(lambda m: m.both) == pytest.approx(K * K / ROWS / COLUMNS, rel=0.15)


@pytest.mark.parametrize("degrees", [0.01, 3.0, 40.0, 90.0])
def test_a_principal_direction_that_is_turned_by_a_known_angle(degrees):
    before = torch.diag(torch.tensor([5.0, 4.0, 2.0, 1.0], dtype=torch.float64))
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = torch.eye(4, dtype=torch.float64)
    turn[1:3, 1:3] = torch.tensor(
        [[c, -s], [s, c]], dtype=torch.float64
    )  # of the second direction, which is principal, and the third
    found = matrix_update(before, turn @ before, principal=0.5)
    assert found.rotation.left == pytest.approx(degrees, rel=1e-4) and found.rotation.right == pytest.approx(
        0, abs=1e-5
    )
    assert found.spectral_drift == pytest.approx(0, abs=1e-12)
    found = matrix_update(before, before @ turn.T, principal=0.5)
    assert found.rotation.right == pytest.approx(degrees, rel=1e-4) and found.rotation.left == pytest.approx(
        0, abs=1e-5
    )


def test_the_spectral_drift_is_the_norm_of_the_singular_values_change():
    before, after = torch.diag(torch.tensor([4.0, 3.0, 0.0])), torch.diag(torch.tensor([3.0, 4.0, 1.0]))
    assert matrix_update(before, after).spectral_drift == pytest.approx(1 / 5)
    assert matrix_update(torch.zeros(3, 3), torch.zeros(3, 3)).spectral_drift == 0


def test_the_masks_count_changed_weights_among_the_smallest_and_the_principal_ones():
    before = torch.full((10, 10), 0.01)
    before[0] = 1.0  # of rank one: the largest of the first direction are the first row
    before[9] = 0.001
    change = lambda *rows: torch.zeros(10, 10).index_fill_(0, torch.tensor(rows), 0.5)
    shares = lambda update: (lambda m: (m.in_principal, m.in_low))(matrix_update(before, before + update, 0.1, 0.1))
    assert shares(change(0)) == (1, 0) and shares(change(9)) == (0, 1) and shares(change(4)) == (0, 0)
    assert shares(change(0, 9, 4, 5)) == (0.25, 0.25)
    assert shares(torch.zeros(10, 10)) == (None, None)
    assert shares(torch.full((10, 10), 0.5)) == (0.1, 0.1)


def test_an_update_of_nothing():
    found = matrix_update(torch.ones(3, 2), torch.ones(3, 2))
    assert found.rank == found.rank_bfloat16 == 0
    assert found.effective_rank is found.stable_rank is found.overlap is found.both is found.energy(0.1) is None
