"""What is measured with a policy: several samples a problem, entropy, perplexity and the train-test gap."""

import math

import pytest
import torch

from spkit.measures.accuracy import (
    accuracy,
    mean_over_tokens,
    perplexity,
    solve,
    token_entropy,
    train_test_gap,
    verify_all,
)
from spkit.policy import Rollouts
from spkit.run.errors import SpkitError
from spkit.tasks import Problem, Verdict
from tests.conftest import make_policy
from tests.helpers import apart

PROMPTS = ["1+2=", "123+456=", "98765+43210=", "1+2="]
COMPLETIONS = ["3", "3+6+0:09;2+5+0:07;1+4+0:05;579", "141975", ""]


class OneDigit:
    """A task whose answer is one digit, so that a random policy is right now and then."""

    def max_completion_chars(self, difficulty):
        return 1

    def verify(self, problem, completion):
        return Verdict(completion == problem.answer, float(completion == problem.answer), completion[:1] or None, 0)


class Reader:
    """A policy that knows the answers it is given and writes `?` to other prompts."""

    def __init__(self, known):
        self.known = known

    def tokens_for(self, characters, per_token):
        return characters + 1

    def sample(self, prompts, n, *, on_rows, **options):
        return rollouts([self.known.get(prompt, "?") for prompt in prompts for _ in range(n)])


def rollouts(texts, finished=True):
    return Rollouts(texts, [[]] * len(texts), texts, [], torch.zeros(len(texts)), [finished] * len(texts))


def problems(count, difficulty=1, first=0):
    return [Problem(f"{difficulty}+{i}=", str(i % 10), difficulty) for i in range(first, first + count)]


def uniform_policy():
    policy = make_policy()
    with torch.no_grad():
        policy.model.model.norm.weight.zero_()
    return policy


def test_samples_of_a_problem_stay_together(policy):
    asked, n = problems(5), 7
    drawn, verdicts = solve(policy, OneDigit(), asked, n, temperature=1.0, generator=torch.Generator().manual_seed(0))
    assert drawn.prompts == [problem.prompt for problem in asked for _ in range(n)]
    by_hand = [
        text == asked[row // n].answer and end for row, (text, end) in enumerate(zip(drawn.texts, drawn.finished))
    ]
    assert [verdict.correct for verdict in verdicts] == by_hand


def test_each_sample_is_checked_against_its_own_problem():
    asked = problems(3)
    known = {"hint 0": "0", "hint 1": "2", "hint 2": "2"}
    _, verdicts = solve(Reader(known), OneDigit(), asked, 2, prompts=list(known), temperature=1.0)
    assert [verdict.correct for verdict in verdicts] == [True, True, False, False, True, True]
    assert not any(
        verdict.correct for verdict in verify_all(OneDigit(), asked, rollouts(["0", "1", "2"], finished=False))
    )
    with pytest.raises(ValueError):
        verify_all(OneDigit(), asked, rollouts(["0"] * 6))


def test_one_greedy_completion_a_problem_is_the_default(policy):
    drawn, verdicts = solve(policy, OneDigit(), problems(4))
    assert len(drawn) == len(verdicts) == 4
    assert drawn.texts == policy.sample([p.prompt for p in problems(4)], temperature=0.0, max_new_tokens=2).texts
    with pytest.raises(SpkitError, match="8 greedy completions of a problem are 8 copies"):
        solve(policy, OneDigit(), problems(4), 8)


def direct_entropy(policy, prompt, ids):
    """Entropy before each token from a forward pass of its prefix alone, in float64."""
    read, entropies = policy.prompt_ids(prompt), []
    model = policy.clone().model.double()
    for i in range(len(ids)):
        with torch.no_grad():
            scores = model(torch.tensor([read + ids[:i]])).logits[0, -1].log_softmax(-1)
        entropies.append(float(-(scores.exp() * scores).sum()))
    return entropies


def test_token_entropy_is_that_of_each_prefix_alone(policy):
    completions = [policy.completion_ids(text) for text in COMPLETIONS]
    rows = token_entropy(policy, PROMPTS, completions)
    for prompt, ids, row in zip(PROMPTS, completions, rows, strict=True):
        assert row.dtype == torch.float32 and apart(row, direct_entropy(policy, prompt, ids)) < 1e-5
    alone = [token_entropy(policy, [prompt], [ids])[0] for prompt, ids in zip(PROMPTS, completions)]
    assert apart(rows, alone) < 1e-5, "padding and batches change nothing"
    values = torch.cat(rows)
    assert 0 <= values.min() < 0.5 < values.max() <= math.log(len(policy.tokenizer)), (
        "the test needs sure and unsure tokens"
    )


def test_entropy_and_perplexity_of_uniform_logits():
    policy = uniform_policy()
    pairs = [(prompt, policy.completion_ids(text)) for prompt, text in zip(PROMPTS, COMPLETIONS)]
    entropies = token_entropy(policy, *zip(*pairs))
    assert mean_over_tokens(entropies) == pytest.approx(math.log(len(policy.tokenizer)), rel=1e-6)
    assert perplexity(policy, pairs) == pytest.approx(len(policy.tokenizer), rel=1e-6)


def test_a_token_that_cannot_follow_leaves_the_entropy_finite(policy):
    policy.model.lm_head.register_forward_hook(
        lambda module, args, logits: logits.index_fill(-1, torch.tensor([0]), -math.inf)
    )
    entropy = token_entropy(policy, ["1+2="], [policy.completion_ids("3")])[0]
    assert entropy.isfinite().all()


def test_entropy_is_the_mean_surprise_of_sampled_tokens(policy):
    drawn = policy.sample(["1+2="], 4_000, max_new_tokens=1, generator=torch.Generator().manual_seed(0))
    entropy = token_entropy(policy, ["1+2="], [drawn.token_ids[0]])[0].item()
    assert abs(entropy + drawn.logprobs.mean().item()) < 4 * drawn.logprobs.std().item() / 4_000**0.5


def test_perplexity_is_the_exponential_of_hugging_faces_loss(policy):
    pairs = [(prompt, policy.completion_ids(text)) for prompt, text in zip(PROMPTS, COMPLETIONS)]
    total = count = 0
    for prompt, ids in pairs:
        read = policy.prompt_ids(prompt)
        with torch.no_grad():
            loss = policy.model(torch.tensor([read + ids]), labels=torch.tensor([[-100] * len(read) + ids])).loss
        total, count = total + loss.item() * len(ids), count + len(ids)
    assert perplexity(policy, pairs) == pytest.approx(math.exp(total / count), rel=1e-4)


def test_the_mean_is_over_tokens():
    assert mean_over_tokens([torch.tensor([1.0]), torch.tensor([2.0, 3.0, 6.0]), torch.tensor([])]) == 3
    for nothing in ([], [torch.tensor([])]):
        with pytest.raises(SpkitError, match="no completion token"):
            mean_over_tokens(nothing)


def test_the_gap_is_what_is_known_by_heart():
    train = problems(8) + problems(2, difficulty=2)
    test = problems(4, first=20) + problems(4, difficulty=2, first=20)
    by_heart = {problem.prompt: problem.answer for problem in train}
    assert train_test_gap(Reader(by_heart), OneDigit(), train, test) == {"train": 1.0, "test": 0.0, "gap": 1.0}
    easy = {problem.prompt: problem.answer for problem in train + test if problem.difficulty == 1}
    assert train_test_gap(Reader(easy), OneDigit(), train, test) == {"train": 0.5, "test": 0.5, "gap": 0.0}, (
        "each difficulty weighs the same"
    )
    seen = [Verdict(problem.prompt in easy, 0.0, None, 0) for problem in train]
    assert accuracy(train, seen)["accuracy"] == 0.5


def test_the_gap_compares_the_same_difficulties(policy):
    for train, test in [(problems(2), problems(2, difficulty=2)), ([], [])]:
        with pytest.raises(SpkitError, match="compare the same ones"):
            train_test_gap(policy, OneDigit(), train, test)
