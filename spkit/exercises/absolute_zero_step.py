"""The check of the exercise of notebook 01 in which the reader writes one step of Absolute Zero.

It runs on the policy of `canned_policy`, whose completions are written out. The rows that it learned from, what it
attempted and stored, and the change of every weight are compared with those of arXiv:2505.03335 (equations 4 and 8) and
of the usual mistakes.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..policy import Example, Policy
from ..policy.training import completion_logprobs
from ..stages.buffers import Buffers
from ..stages.solve import solve
from ..tasks import Kind, Proposable, load_task
from .canned_policy import ATTEMPTS_EACH, STEP_KINDS, WRITTEN_PROPOSALS, CannedPolicy, canned_policy
from .checking import Mistake, attempted, compare, compare_lists


class LearnedRow(NamedTuple):
    """What a step learned from: who wrote `text`, and what it was worth."""

    kind: str
    role: str
    text: str
    reward: float
    advantage: float


class Made(NamedTuple):
    """A proposal with its problem, None if it is none."""

    kind: Kind
    prompt: str
    text: str
    token_ids: list[int]
    problem: Any


@dataclass(frozen=True)
class StepParts:
    """A step of Absolute Zero, and what a reader may write in place of each of its parts."""

    reads: Callable[[bool, object], bool] = lambda finished, fault: finished
    lets_in: Callable[[str | None], bool] = lambda fault: fault is None
    known_copies: bool = True
    batch_copies: bool = True
    gate: bool = True
    scores: Callable[[bool, bool], float] = lambda correct, readable: 1.0 if correct else -0.5 if readable else -1.0
    earns: Callable[[float], float] = lambda r: 1 - r if 0 < r < 1 else 0.0
    invalid: float | None = -1.0
    aligned: bool = True
    cell: Callable[[str, str], Hashable] = lambda kind, role: (kind, role)
    spread: Callable[[np.ndarray], float] = lambda x: x.std(ddof=1)
    stores: bool = True
    loss: Callable[[Tensor, Tensor, Tensor], Tensor] = lambda logprobs, A, mask: (
        -((A[:, None] * logprobs * mask).sum() / mask.sum())
    )
    learns: Callable[[LearnedRow], bool] = lambda row: True
    whole: bool = False  # the prompt is learned, too
    forgets: bool = True  # the gradient of the step before
    steps: int = 1

    def step(
        self,
        policy: Policy,
        task: Proposable,
        buffers: Buffers,
        optimizer: torch.optim.Optimizer,
        count: int,
        k: int,
        draw: torch.Generator,
    ) -> list[LearnedRow]:
        """The rows that it learned from."""
        made = [one for kind in STEP_KINDS for one in self._propose(policy, task, buffers, kind, count, draw)]
        solved = [one for one in made if one.problem is not None]
        attempts = solve(policy, task, [one.problem for one in solved], k, temperature=1.0, generator=draw)
        rows = [
            (solved[i // k].kind, "solver", text, self.scores(said.correct, said.parsed is not None))
            for i, (text, said) in enumerate(zip(attempts.rollouts.texts, attempts.verdicts))
        ]
        examples = [(prompt, ids) for prompt, ids in zip(attempts.rollouts.prompts, attempts.rollouts.token_ids)]
        rates = attempts.correct.double().mean(1).tolist()
        valid = [one.problem is not None and bool(one.problem.inputs) for one in made]
        rate = dict(
            zip([i for i, one in enumerate(made) if one.problem is not None] if self.aligned else range(99), rates)
        )
        for i, one in enumerate(made):
            reward = self.earns(rate.get(i, 0.0)) if valid[i] else self.invalid
            if reward is not None:
                rows.append((one.kind, "proposer", one.text, reward))
                examples.append((one.prompt, one.token_ids))
        if self.stores:
            for one, there in zip(made, valid):
                if there:
                    buffers.add(one.problem)
        learned = self._compared(rows)
        for _ in range(self.steps):
            self._update(policy, optimizer, learned, examples)
        return learned

    def _propose(
        self, policy: Policy, task: Proposable, buffers: Buffers, kind: Kind, count: int, draw: torch.Generator
    ) -> list[Made]:
        prompt, made, seen = task.proposer_prompt(kind), [], set()
        limit = policy.tokens_for(task.longest_proposal, task.chars_per_token)
        drawn = policy.sample([prompt], count, temperature=1.0, max_new_tokens=limit, generator=draw)
        for text, ids, finished in zip(drawn.texts, drawn.token_ids, drawn.finished):
            problem, fault = task.parse(kind, text) if self.reads(finished, None) else (None, "text")
            if problem is not None:
                entry = task.entry_of(problem)
                copy = (self.known_copies and buffers.has(kind, entry)) or (self.batch_copies and entry in seen)
                seen.add(entry)
                if copy or not self.lets_in(fault):
                    continue
            elif not self.gate:
                problem = task.invalid(kind, text)
            made.append(Made(kind, prompt, text, ids, problem))
        return made

    def _compared(self, rows: Sequence[tuple[str, str, str, float]]) -> list[LearnedRow]:
        cells: dict[Hashable, list[float]] = {}
        for kind, role, _, reward in rows:
            cells.setdefault(self.cell(kind, role), []).append(reward)
        learned = []
        for kind, role, text, reward in rows:
            x = np.array(cells[self.cell(kind, role)])
            flat = x.max() == x.min()
            learned.append(LearnedRow(kind, role, text, reward, 0.0 if flat else (reward - x.mean()) / self.spread(x)))
        return learned

    def _update(
        self,
        policy: Policy,
        optimizer: torch.optim.Optimizer,
        learned: Sequence[LearnedRow],
        examples: Sequence[tuple[str, list[int]]],
    ) -> None:
        chosen = [i for i, row in enumerate(learned) if self.learns(row)]
        texts = [Example(policy.prompt_ids(examples[i][0]), examples[i][1]) for i in chosen]
        if self.whole:
            texts = [Example(one.prompt[:1], one.prompt[1:] + one.completion) for one in texts]
        logprobs, mask = completion_logprobs(policy.model, texts, policy.pad_id)
        advantages = torch.tensor([learned[i].advantage for i in chosen], dtype=logprobs.dtype)
        if self.forgets:
            optimizer.zero_grad()
        self.loss(torch.where(mask, logprobs, 0.0), advantages, mask).backward()
        optimizer.step()


RIGHT_STEP = StepParts()
STEP_ROW_MISTAKES = {
    (
        "one baseline serves all rows; proposer and solver are rewarded on different scales, and the kinds are not "
        "equally hard: compare within a task and role."
    ): replace(RIGHT_STEP, cell=lambda kind, role: "all"),
    "there is one baseline a role; deduction and abduction are not equally hard: compare within a task and role.": (
        replace(RIGHT_STEP, cell=lambda kind, role: role)
    ),
    "there is one baseline a task, for proposer and solver together; compare within a task and role.": (
        replace(RIGHT_STEP, cell=lambda kind, role: kind)
    ),
    "this subtracts the mean of a cell and does not divide by its standard deviation.": (
        replace(RIGHT_STEP, spread=lambda x: 1.0)
    ),
    "the standard deviation has n in its denominator; n - 1 is asked for.": (
        replace(RIGHT_STEP, spread=lambda x: x.std())
    ),
    "an invalid proposal earns 0 here, as much as a problem that is too easy; it costs 1.": (
        replace(RIGHT_STEP, invalid=0.0)
    ),
    (
        "the proposer earns 1 for an invalid proposal, as if it were a problem that nobody solves: nothing would "
        "be proposed so gladly. It costs 1."
    ): replace(RIGHT_STEP, invalid=1.0),
    "invalid proposals are left out; the proposer is to learn from them, at a reward of -1.": (
        replace(RIGHT_STEP, invalid=None)
    ),
    "where r is 0 the proposer earns 1, so that what nobody can solve earns most; for r = 0 and r = 1 it earns 0.": (
        replace(RIGHT_STEP, earns=lambda r: 1 - r)
    ),
    "-0.5 where r is 0 or 1 is what the published code gives; the equation, and this exercise, say 0.": (
        replace(RIGHT_STEP, earns=lambda r: 1 - r if 0 < r < 1 else -0.5)
    ),
    "the proposer earns r, the more the easier its problem; it earns 1 - r.": (
        replace(RIGHT_STEP, earns=lambda r: r if 0 < r < 1 else 0.0)
    ),
    (
        "the solve rates are given to the first proposals in order; those that are no problem have none, and shift the "
        "others. Keep with each problem which proposal it came from."
    ): replace(RIGHT_STEP, aligned=False),
    "there is no gate: texts that are no problem are attempted; only valid problems go to the solver.": (
        replace(RIGHT_STEP, gate=False)
    ),
    "a program that is kept for the test split is solved and learned from; leave out what has the fault `held out`.": (
        replace(RIGHT_STEP, lets_in=lambda fault: True)
    ),
    "copies are not dropped, neither of stored problems nor within the batch.": (
        replace(RIGHT_STEP, known_copies=False, batch_copies=False)
    ),
    "a copy of a problem that is stored already is not dropped: ask `buffers.has`.": (
        replace(RIGHT_STEP, known_copies=False)
    ),
    "a problem that is proposed twice in one batch is solved twice; the second is a copy.": (
        replace(RIGHT_STEP, batch_copies=False)
    ),
    "a proposal that was cut off is read all the same; where `finished` is false there is no problem.": (
        replace(RIGHT_STEP, reads=lambda finished, fault: True)
    ),
    "the solver earns 1 or 0; a wrong answer that can be read has -0.5 and one that cannot has -1.": (
        replace(RIGHT_STEP, scores=lambda correct, readable: float(correct))
    ),
    "wrong answers all have -0.5; one that cannot be read has -1.": (
        replace(RIGHT_STEP, scores=lambda correct, readable: 1.0 if correct else -0.5)
    ),
    "valid problems are not stored: `buffers.add` each of them, whatever it earned.": replace(RIGHT_STEP, stores=False),
}
STEP_UPDATE_MISTAKES = {
    "the weights have not moved: after `backward` comes `optimizer.step()`.": replace(RIGHT_STEP, steps=0),
    "the sign is missing: this makes good attempts less likely. A loss is to be made small.": replace(
        RIGHT_STEP, loss=lambda logprobs, A, mask: (A[:, None] * logprobs * mask).sum() / mask.sum()
    ),
    "the gradient of the step before is still there: `optimizer.zero_grad()` first.": replace(
        RIGHT_STEP, forgets=False
    ),
    "this is the sum over tokens; the mean over all completion tokens is asked for.": replace(
        RIGHT_STEP, loss=lambda logprobs, A, mask: -(A[:, None] * logprobs * mask).sum()
    ),
    "this is the sum over tokens divided by the rows; divide by the completion tokens.": replace(
        RIGHT_STEP, loss=lambda logprobs, A, mask: -(A[:, None] * logprobs * mask).sum() / len(A)
    ),
    "this is a mean over rows of means over tokens; one mean over all completion tokens.": replace(
        RIGHT_STEP, loss=lambda logprobs, A, mask: -(A * (logprobs * mask).sum(1) / mask.sum(1)).mean()
    ),
    "padding is in the denominator: divide by the completion tokens, mask.sum().": replace(
        RIGHT_STEP, loss=lambda logprobs, A, mask: -(A[:, None] * logprobs * mask).mean()
    ),
    "the advantages are left out: every row is made more likely.": replace(
        RIGHT_STEP, loss=lambda logprobs, A, mask: -(logprobs * mask).sum() / mask.sum()
    ),
    "only rows with an advantage above 0 are learned from; what failed is to become less likely.": replace(
        RIGHT_STEP, learns=lambda row: row.advantage > 0
    ),
    "the solver's rows alone are learned from; the one policy plays both roles.": replace(
        RIGHT_STEP, learns=lambda row: row.role == "solver"
    ),
    "the proposer's rows alone are learned from; the one policy plays both roles.": replace(
        RIGHT_STEP, learns=lambda row: row.role == "proposer"
    ),
    "the prompt is learned, too; nobody sampled it: the completion's tokens alone.": replace(RIGHT_STEP, whole=True),
    "these are two updates; one is asked for.": replace(RIGHT_STEP, steps=2),
}
AzStep = Callable[..., Sequence[Sequence[Any]]]


def _world(step: AzStep) -> tuple[list[Sequence[Any]], CannedPolicy, Buffers, Tensor]:
    """The rows of one step in the written world, its policy and buffers, and how every weight changed."""
    task, policy = load_task("expressions"), canned_policy()
    buffers, weights = Buffers(STEP_KINDS, task), list(policy.model.parameters())
    optimizer = torch.optim.SGD(weights, lr=1.0)
    before = [one.detach().clone() for one in weights]
    for one in weights:
        one.grad = torch.full_like(one, 0.01)
    count = len(WRITTEN_PROPOSALS["deduction"])
    rows = attempted("az_step", step)(
        policy, task, buffers, optimizer, count, ATTEMPTS_EACH, torch.Generator().manual_seed(0)
    )
    moved = torch.cat([(one.detach() - old).flatten() for one, old in zip(weights, before)])
    return [*rows], policy, buffers, moved


def _step_facts(step: AzStep) -> Callable[[], list[tuple]]:
    def facts() -> list[tuple]:
        rows, policy, buffers, _ = _world(step)
        if odd := next(
            (row for row in rows if not isinstance(row, Sequence) or len(row) != len(LearnedRow._fields)), None
        ):
            raise Mistake(f"az_step: a row is ({', '.join(LearnedRow._fields)}), not {odd!r}.")
        learned = [(*row[:3], round(float(row[3]), 6), round(float(row[4]), 6) + 0.0) for row in rows]
        stored = [("stored", kind, *entry) for kind, entries in buffers.entries.items() for entry in entries]
        return [*learned, *stored, *(("attempted", prompt) for prompt in policy.asked)]

    return facts


@cache
def _mistaken_rows(said: str) -> list[tuple]:
    return _step_facts(STEP_ROW_MISTAKES[said].step)()


@cache
def _mistaken_update(said: str) -> np.ndarray:
    return _world(STEP_UPDATE_MISTAKES[said].step)[3].numpy()


def check_az_step(answer: AzStep) -> None:
    """`answer(policy, task, buffers, optimizer, count, k, draw)`: one step of Absolute Zero on both kinds.

    It trains the policy, stores the problems, and returns the rows that it learned from, each (kind, role, text,
    reward, advantage). Rows and stored problems are compared first, then the change of the weights.
    """
    facts = {said: partial(_mistaken_rows, said) for said in STEP_ROW_MISTAKES}
    compare_lists("az_step", answer=_step_facts(answer), right=_step_facts(RIGHT_STEP.step), known=facts, cases=[()],
                  key=lambda fact: fact)  # fmt: skip
    moved = lambda step: lambda: _world(step)[3].numpy()
    updates = {said: partial(_mistaken_update, said) for said in STEP_UPDATE_MISTAKES}
    compare("az_step, the update", moved(answer), moved(RIGHT_STEP.step), updates, [()])
