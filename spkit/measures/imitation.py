"""How far a policy is from the reference writers, computed where their distribution is known and
estimated from samples elsewhere.
"""

import math
from collections import Counter
from collections.abc import Sequence

import torch

from ..policy import Policy
from ..run.errors import SpkitError
from ..tasks import Problem, Replies
from ..tasks.replies import rare_replies
from .tokens import mean_over_tokens, token_entropy


def distance_to_references(policy: Policy, task: Replies, asked: Sequence[Problem]) -> dict[str, float]:
    """Exact, by scoring every reply that a reference writer may put to these problems, with the right total
    and with a careless one.

    Means over problems: `kl` is KL(p_data || policy) in nats a reply; `valid`, the policy's mass on what reference
    writers put; `rare`, its mass on the least likely tenth of them relative to the writers' own (1 is right, 0 is
    lost). `right` is the share of the right total in the policy's mass on well-formed replies.
    """
    tables = [task.chances(problem) for problem in asked]
    listed = [list(table | task.right(problem) | task.wrong_replies(problem)) for problem, table in zip(asked, tables)]
    mass = _mass(policy, asked, listed)
    kl = [sum(p * (math.log(p) - row[reply]) for reply, p in table.items()) for table, row in zip(tables, mass)]
    of = lambda row, replies: math.fsum(math.exp(row[reply]) for reply in replies)
    tails = [rare_replies(table) for table in tables]
    right = [of(row, task.right(problem)) for problem, row in zip(asked, mass)]
    wrong = [of(row, task.wrong_replies(problem)) for problem, row in zip(asked, mass)]
    mean = lambda values: math.fsum(values) / len(asked)
    return {
        "kl": mean(kl),
        "valid": mean(of(row, table) for row, table in zip(mass, tables)),
        "rare": mean(of(row, tail) / sum(tail.values()) for row, tail in zip(mass, tails)),
        "right": math.fsum(right) / math.fsum(right + wrong),
    }


def _mass(policy: Policy, asked: Sequence[Problem], listed: Sequence[Sequence[str]]) -> list[dict[str, float]]:
    """The policy's log-probability of every listed reply to each problem."""
    rows = [(i, reply) for i, replies in enumerate(listed) for reply in replies]
    scores = policy.logprobs([asked[i].prompt for i, _ in rows], [policy.completion_ids(reply) for _, reply in rows])
    mass: list[dict[str, float]] = [{} for _ in asked]
    for (i, reply), score in zip(rows, scores):
        mass[i][reply] = float(score.double().sum())
    return mass


def sample_statistics(
    policy: Policy, prompts: Sequence[str], completions: Sequence[list[int]], finished: Sequence[bool]
) -> dict[str, float]:
    """Of the policy's own samples: mean `length` in tokens, `finish_rate`, `entropy` (nats a token),
    `distinct_2` (see `distinct_n`).
    """
    return {
        "length": sum(map(len, completions)) / len(completions),
        "finish_rate": sum(finished) / len(finished),
        "entropy": mean_over_tokens(token_entropy(policy, prompts, completions)),
        "distinct_2": distinct_n(completions, 2),
    }


def distinct_n(completions: Sequence[Sequence[int]], n: int) -> float:
    """Different n-grams of tokens over all of them (Li et al. 2016, arXiv:1510.03055): low where samples repeat each
    other; 0 if there are none.

    It falls with the number of samples, so compare equal numbers only.
    """
    grams = Counter(tuple(ids[i : i + n]) for ids in completions for i in range(len(ids) - n + 1))
    return len(grams) / max(1, grams.total())


def discriminator_auc(real: Sequence[float], generated: Sequence[float]) -> float:
    """Chance that a real reply has the higher reward than a generated one, ties counting half: 0.5 cannot tell
    them apart, 1 always can.

    The area under the ROC curve, as Mann and Whitney's U divided by the number of pairs. Raises SpkitError
    if one class is missing.
    """
    if not len(real) or not len(generated):
        raise SpkitError(
            "a discriminator needs replies of both classes: give at least one real and one generated reward"
        )
    difference = (
        torch.tensor(real, dtype=torch.float64)[:, None] - torch.tensor(generated, dtype=torch.float64)[None, :]
    )
    return float(((difference > 0).double() + 0.5 * (difference == 0).double()).mean())
