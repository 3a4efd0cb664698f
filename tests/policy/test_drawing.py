"""Draws from a large vocabulary against the plain way, and at its edges."""

import pytest
import torch

from spkit.policy import drawing
from spkit.policy.drawing import choose, drawn


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("vocabulary", [drawing.LARGE_VOCABULARY, 49_152, 50_257])
def test_blocks_give_the_tokens_of_the_whole(temperature, vocabulary):
    noise = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(400, vocabulary, generator=noise, dtype=torch.float64)
    uniform = torch.rand(400, generator=noise, dtype=torch.float64)
    chosen, scores = drawn(logits, uniform, temperature)
    assert chosen.tolist() == choose(logits, uniform, temperature).tolist()
    assert torch.allclose(scores, logits.log_softmax(-1).gather(1, chosen[:, None]).squeeze(1), atol=1e-12)
    single, scores = drawn(logits.float(), uniform.float(), temperature)
    assert (single == chosen).float().mean() > 0.98 and scores.dtype == torch.float32


def test_an_impossible_token_is_never_drawn():
    """At both ends of the uniform numbers, with most of the vocabulary impossible, its first and last tokens too."""
    logits = torch.full((3, drawing.LARGE_VOCABULARY + 7), -torch.inf)
    logits[:, [300, 301, 5000]] = torch.tensor([0.1, -20.0, 0.3])
    uniform = torch.tensor([0.0, 0.5, 1 - 2**-24])
    chosen, scores = drawn(logits, uniform, 1.0)
    assert chosen.tolist() == [300, 5000, 5000] and scores.isfinite().all()


def test_what_is_not_a_number_stays_so():
    logits = torch.full((2, drawing.LARGE_VOCABULARY), torch.nan)
    chosen, scores = drawn(logits, torch.tensor([0.0, 0.9]), 1.0)
    assert (chosen < drawing.LARGE_VOCABULARY).all() and scores.isnan().all()
