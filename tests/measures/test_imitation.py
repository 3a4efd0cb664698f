"""Distances to the reference writers, against policies whose distance is known."""

import math

import pytest
import torch

from spkit.measures.imitation import discriminator_auc, distance_to_references, distinct_n, sample_statistics
from spkit.policy import load_policy
from spkit.run.errors import SpkitError
from spkit.run.streams import generator
from spkit.tasks import Replies, problems, test_set

TASK = Replies(wrong=0.1)
ASKED = problems(TASK, 0, 0, 6)


class Known:
    """A policy that gives a reply the probability `of(prompt, reply)`; its token ids are the reply's characters."""

    def __init__(self, of):
        self.of = of

    def completion_ids(self, text):
        return [ord(character) for character in text]

    def logprobs(self, prompts, completions):
        rows = []
        for prompt, ids in zip(prompts, completions, strict=True):
            total = self.of(prompt, "".join(map(chr, ids)))
            split = torch.rand(len(ids), dtype=torch.float64)
            rows.append(math.log(total) * split / split.sum())  # however it is spread over the tokens, the sum counts
        return rows


def chances(prompt):
    return TASK.chances(next(problem for problem in ASKED if problem.prompt == prompt))


def test_the_share_of_right_totals_counts_well_formed_replies_alone():
    clean = Replies()
    found = distance_to_references(Known(lambda prompt, reply: 0.5 * chances(prompt)[reply]), clean, ASKED)
    assert found["right"] == pytest.approx(0.9) and found["valid"] == pytest.approx(0.45)


def test_the_writers_themselves_are_at_distance_zero():
    found = distance_to_references(Known(lambda prompt, reply: chances(prompt)[reply]), TASK, ASKED)
    assert found == pytest.approx({"kl": 0.0, "valid": 1.0, "right": 0.9, "rare": 1.0}, abs=1e-9)


def test_a_policy_that_writes_something_else_half_of_the_time_is_log_2_away():
    found = distance_to_references(Known(lambda prompt, reply: chances(prompt)[reply] / 2), TASK, ASKED)
    assert found == pytest.approx({"kl": math.log(2), "valid": 0.5, "right": 0.9, "rare": 0.5})


def test_a_policy_that_loses_the_tail_is_seen():
    def of(prompt, reply):
        table = chances(prompt)
        return table[reply] if table[reply] > 0.01 else table[reply] / 10

    found = distance_to_references(Known(of), TASK, ASKED)
    assert found["rare"] == pytest.approx(0.1) and found["kl"] > 0.1


def test_the_exact_distance_agrees_with_an_estimate_from_draws():
    base, task = load_policy("replies"), Replies()
    asked = test_set(task, 4)
    exact = distance_to_references(base, task, asked)["kl"]
    draws = [(problem, task.reference(problem, i)) for problem in asked for i in range(150)]
    scores = base.logprobs([problem.prompt for problem, _ in draws], [base.completion_ids(reply) for _, reply in draws])
    ratios = torch.tensor(
        [task.logprob(problem, reply) - float(row.sum()) for (problem, reply), row in zip(draws, scores)]
    )
    assert abs(ratios.mean().item() - exact) < 4 * ratios.std().item() / math.sqrt(len(ratios))


def test_auc_counts_pairs():
    assert discriminator_auc([1.0, 3.0], [0.0, 2.0]) == 0.75
    assert discriminator_auc([1.0], [1.0, 1.0]) == 0.5
    assert discriminator_auc([2.0, 3.0], [0.0]) == 1.0
    draw = generator(0, 0, "auc")
    real, generated = torch.randn(40, generator=draw).tolist(), torch.randn(30, generator=draw).tolist()
    pairs = [(a > b) + 0.5 * (a == b) for a in real for b in generated]
    assert discriminator_auc(real, generated) == pytest.approx(sum(pairs) / len(pairs))
    for one_class in (([], [1.0]), ([1.0], [])):
        with pytest.raises(SpkitError, match="both classes"):
            discriminator_auc(*one_class)


def test_distinct_n_by_hand():
    assert distinct_n([[1, 2, 1, 2]], 2) == 2 / 3
    assert distinct_n([[1, 2], [1, 2]], 2) == 0.5
    assert distinct_n([[1]], 2) == 0.0


def test_sample_statistics_of_samples():
    base, task = load_policy("replies"), Replies()
    prompts = [problem.prompt for problem in test_set(task, 5)]
    rollouts = base.sample(prompts, temperature=1.0, max_new_tokens=6, generator=generator(0, 0, "statistics"))
    found = sample_statistics(base, rollouts.prompts, rollouts.token_ids, rollouts.finished)
    assert 0 < found["finish_rate"] < 1 and found["length"] <= 6
    assert 0 < found["entropy"] < math.log(45) and 0 < found["distinct_2"] <= 1
