"""A task whose answer is one digit, and a policy that knows the answers it is given."""

import torch

from spkit.policy import Rollouts
from spkit.tasks import Problem, Task, Verdict


class OneDigit(Task):
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
