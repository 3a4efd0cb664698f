"""Rows that write the same few texts, computed once: what `Policy.sample` draws row by row with the same numbers."""

import pytest
import torch

from spkit.policy import alike
from spkit.policy.alike import sample_alike, spelling_logprobs
from spkit.policy.stopping import StopText
from spkit.run.errors import NotFinite, SpkitError
from tests.stages.players import legal_player, random_player

PROMPTS = ["kuhn card j, choose x b>", "nim", "kuhn card k, played x b, choose f c>"]
LONGEST = 4


def numbers():
    return torch.Generator().manual_seed(7)


@pytest.mark.parametrize("policy", [random_player(2, sharp=3), legal_player()], ids=["random", "legal"])
@pytest.mark.parametrize("at_once", [1, 2, 64])
def test_every_row_writes_what_sampling_row_by_row_writes(policy, at_once, monkeypatch):
    rows = torch.arange(600) % 3
    by_row = policy.sample([PROMPTS[p] for p in rows], max_new_tokens=LONGEST, generator=numbers())
    monkeypatch.setattr(alike, "rows_at_once", lambda *args: at_once)
    found, which = sample_alike(policy, PROMPTS, rows, torch.rand((600, LONGEST), generator=numbers()))
    for name in ("prompts", "token_ids", "texts", "finished"):
        assert [getattr(found, name)[w] for w in which] == getattr(by_row, name), name
    assert torch.allclose(found.logprobs[which], by_row.logprobs, atol=1e-4)
    assert len(set(zip(found.prompts, map(tuple, found.token_ids)))) == len(found), "each once"
    assert len({len(ids) for ids in found.token_ids}) > 1 and len(found) < 600


def test_a_stop_text_ends_a_row_as_it_does_there():
    policy = random_player(2, sharp=0).clone()
    policy.stop_text = StopText(policy.tokenizer, "k")
    rows = torch.zeros(300, dtype=torch.long)
    by_row = policy.sample(["x"] * 300, max_new_tokens=3, generator=numbers())
    found, which = sample_alike(policy, ["x"], rows, torch.rand((300, 3), generator=numbers()))
    assert [found.token_ids[w] for w in which] == by_row.token_ids
    assert [found.finished[w] for w in which] == by_row.finished and 10 < sum(by_row.finished) < 100


def test_no_rows_and_bad_prompts_and_bad_weights():
    found, which = sample_alike(random_player(), [], torch.zeros(0, dtype=torch.long), torch.rand(0, 2))
    assert len(found) == len(which) == 0
    with pytest.raises(SpkitError, match="does not know"):
        sample_alike(random_player(), ["#"], torch.zeros(1, dtype=torch.long), torch.rand(1, 2))
    broken = random_player().clone()
    with torch.no_grad():
        broken.model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(NotFinite, match="NaN"):
        sample_alike(broken, PROMPTS, torch.arange(3), torch.rand(3, 2))


@pytest.mark.parametrize("at_once", [1, 4, 64])
def test_spellings_are_as_likely_as_the_model_says_of_each_whole_text(at_once, monkeypatch):
    policy = random_player(2, sharp=3)
    spellings = [[policy.completion_ids(move) for move in moves] for moves in (("x", "b"), ("a1", "a2", "b"), ("k",))]
    monkeypatch.setattr(alike, "rows_at_once", lambda *args: at_once)
    found = spelling_logprobs(policy, PROMPTS, spellings)
    assert [len(one) for one in found] == [2, 3, 1]
    for prompt, some, scores in zip(PROMPTS, spellings, found):
        whole = policy.logprobs([prompt] * len(some), some)
        assert scores.tolist() == pytest.approx([one.double().sum().item() for one in whole], abs=1e-4)
    assert len({score for one in found for score in one.tolist()}) == 6, "none is as likely as another"
