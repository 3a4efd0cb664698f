"""What a solver does, how its attempts are scored, and how it does on problems that nobody proposed: the stages
solve, verify and measure.

A score is between 0 and 1. `grounded` asks the evaluator; `vote_share` asks nobody: it is the share of a problem's
attempts that give the same answer. The reward of a readable answer is its score, or `wrong` where the score is 0; that
of an unreadable one is `unreadable`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ..measures.accuracy import by_difficulty
from ..measures.pass_at_k import pass_at_k, per_problem
from ..policy import Policy, Rollouts
from ..run.streams import generator
from ..tasks import Verdict, test_set
from ..tasks.expressions import Kind
from .worlds import ExpressionWorld, World


@dataclass(frozen=True)
class Attempts:
    """k completions of every problem, row `i * k + j` being attempt j at problem i, and what the
    exact check says of them.
    """

    problems: list[Any]
    k: int
    rollouts: Rollouts
    verdicts: list[Verdict]
    world: World = field(default=ExpressionWorld(), repr=False, compare=False)

    def table(self, values: Sequence[float]) -> Tensor:
        """One number a row as (problems, k)."""
        return torch.tensor([float(value) for value in values]).view(-1, self.k)

    @property
    def correct(self) -> Tensor:
        """Which answers are right, 0 or 1, (problems, k)."""
        return self.table([verdict.correct for verdict in self.verdicts])


def attempt(
    policy: Policy,
    problems: Sequence[Any],
    k: int = 1,
    draw: torch.Generator | None = None,
    on_rows: Callable[[int], None] = lambda rows: None,
    world: World = ExpressionWorld(),
) -> Attempts:
    """k attempts at each problem, of any kinds: sampled at temperature 1 with `draw`, one greedy attempt without.

    A problem without inputs has no right answer; what is written may still be read.
    """
    longest = max(world.tasks[problem.kind].max_completion_chars(problem.difficulty) for problem in problems)
    prompts, temperature = [problem.prompt for problem in problems], 0.0 if draw is None else 1.0
    rollouts = policy.sample(
        prompts,
        k,
        temperature=temperature,
        max_new_tokens=policy.tokens_for(longest, world.chars_per_token),
        generator=draw,
        on_rows=on_rows,
    )
    rows = [problem for problem in problems for _ in range(k)]
    verdicts = [
        verdict_on(problem, text, end, world)
        for problem, text, end in zip(rows, rollouts.texts, rollouts.finished, strict=True)
    ]
    return Attempts(list(problems), k, rollouts, verdicts, world)


def verdict_on(problem: Any, text: str, finished: bool = True, world: World = ExpressionWorld()) -> Verdict:
    """What the exact check says.

    A completion that was cut off has no answer, and a problem without inputs no right one.
    """
    verdict = world.tasks[problem.kind].verify(
        problem if problem.inputs else world.asked(problem.kind, world.first[problem.kind]), text
    )
    if not finished:
        return Verdict(False, 0.0, None, verdict.step_errors)
    return verdict if problem.inputs else replace(verdict, correct=False, reward=0.0)


def leniently_right(problem: Any, text: str, world: World = ExpressionWorld()) -> bool:
    """A careless check: right if any answer among those written in the end is."""
    return bool(problem.inputs) and any(
        verdict_on(problem, one, world=world).correct for one in world.answers(problem.kind, text)
    )


def vote_shares(attempts: Attempts) -> Tensor:
    """Share of a problem's k attempts with the same answer as this one, (problems, k); 0 for what cannot be read."""
    rows = per_problem([verdict.parsed for verdict in attempts.verdicts], attempts.k)
    counts = [Counter(answer for answer in row if answer is not None) for row in rows]
    return attempts.table([counts[i][answer] / attempts.k for i, row in enumerate(rows) for answer in row])


def votes_right(attempts: Attempts) -> list[float]:
    """Of each problem the chance that the answer most of its k attempts agree on is right: ties are shared, what
    cannot be read has no vote.
    """
    chances = []
    for row in per_problem(attempts.verdicts, attempts.k):
        right = {verdict.parsed: verdict.correct for verdict in row if verdict.parsed is not None}
        counts = Counter(verdict.parsed for verdict in row if verdict.parsed is not None)
        winners = [right[answer] for answer, count in counts.items() if count == max(counts.values())]
        chances.append(sum(winners) / len(winners) if winners else 0.0)
    return chances


def scores_of(attempts: Attempts, check: str, flip_rate: float, draw: torch.Generator) -> Tensor:
    """Scores (problems, k) by one of the checks, each word of which is turned round with chance
    `flip_rate`; a vote is not.

    `answer`: the answer is right; `steps`: it is, and so is every step that leads to it; `lenient`: one of the answers
    is right; `vote_share`: see there.
    """
    if check == "vote_share":
        return vote_shares(attempts)
    right = attempts.correct
    if check == "steps":
        right = attempts.table([verdict.reward == 1 for verdict in attempts.verdicts])
    if check == "lenient":
        rows = [problem for problem in attempts.problems for _ in range(attempts.k)]
        ends = zip(rows, attempts.rollouts.texts, attempts.rollouts.finished)
        right = attempts.table([end and leniently_right(problem, text, attempts.world) for problem, text, end in ends])
    flipped = torch.rand(right.shape, generator=draw) < flip_rate
    return torch.where(flipped, 1 - right, right)


def rewards_of(attempts: Attempts, scores: Tensor, wrong: float, unreadable: float) -> Tensor:
    """Rewards (problems, k) from scores: a score above 0 is the reward itself, whether the answer could be read or not."""
    readable = attempts.table([verdict.parsed is not None for verdict in attempts.verdicts]).bool()
    return torch.where(scores > 0, scores, torch.where(readable, wrong, unreadable))


def measure_kinds(
    policy: Policy, world: World, kinds: Sequence[Kind], per_difficulty: int, samples: int, seed: int, t: int
) -> tuple[dict[str, Any], Attempts]:
    """On the fixed test problems of each kind, by depth: `greedy` accuracy, and of `samples` samples at temperature 1
    pass@1, pass@2, pass@4, ...

    And the greedy attempts themselves.
    """
    tests = [problem for kind in kinds for problem in test_set(world.tasks[kind], per_difficulty)]
    greedy, sampled = (
        attempt(policy, tests, world=world),
        attempt(policy, tests, samples, generator(seed, t, "profile"), world=world),
    )
    right = [int(count) for count in sampled.correct.sum(1).tolist()]
    values = {"greedy": greedy.correct.flatten().tolist()}
    for k in (2**i for i in range(samples.bit_length())):
        values[f"pass@{k}"] = [pass_at_k([count], samples, k) for count in right]
    result: dict[str, Any] = {}
    for kind in kinds:
        own = [i for i, problem in enumerate(tests) if problem.kind == kind]
        result[kind] = {
            name: by_difficulty([tests[i] for i in own], [some[i] for i in own]) for name, some in values.items()
        }
    return result, greedy
