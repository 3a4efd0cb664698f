"""The world in which the step of Absolute Zero of an exercise is checked: a policy whose completions are written out.

Its network is small, random and in float64, and has log-probabilities and gradients of its own. It proposes texts of
every kind that a gate must know, and attempts the valid ones with a given share of success.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from ..bases.tiny import tiny_llama
from ..policy import Policy, Rollouts, load_policy
from ..tasks import Kind, Proposable, load_task

STEP_KINDS: tuple[Kind, ...] = ("deduction", "abduction")
# a proposal; whether it ended by itself; how its four attempts go: Right, Wrong, Unreadable, Cut off behind the answer
WRITTEN_PROPOSALS = {
    "deduction": (
        ("x+ 3,7", True, ""),
        ("(x+y)*3 2,7", True, "RWUW"),
        ("x 4,7", True, "RRRW"),
        ("x+y 2,3", True, "RRRR"),
        ("x*(y-2) 5,9", True, "WWUW"),
        ("x+y 2,3", True, "RRRR"),
        ("y*y 3,4", False, "RRWW"),
        ("(x-3)*y 1,2", True, "RRWW"),
        ("x*y 6,7", True, "RCRU"),
    ),
    "abduction": (
        ("y-x 2,8", True, "RRRW"),
        ("y-+ 2,5", True, ""),
        ("x*x 3,1", True, "RUUU"),
        ("3-x 9,1", True, "UWUW"),
        ("y-x 2,8", True, "RRRW"),
        ("x*y 1,a", True, ""),
        ("y+x 4,4", True, "RRWU"),
        ("(x+2)+y 7,7", True, "RRRR"),
        ("x*x 4,", True, ""),
    ),
}
ATTEMPTS_EACH = 4


@dataclass
class CannedPolicy(Policy):
    """A network that is trained; its completions are written out. It notes the prompts of problems that it is asked."""

    asked: list[str] = field(default_factory=list)

    def sample(self, prompts: Sequence[str], n: int = 1, **sampling: Any) -> Rollouts:
        """The proposals in order, and the attempts in theirs, with the network's own log-probabilities."""
        rows, turn = [prompt for prompt in prompts for _ in range(n)], {}
        self.asked += [prompt for prompt in rows if not prompt.startswith("new ")]
        texts, ended = [], []
        for prompt in rows:
            turn[prompt] = turn.get(prompt, -1) + 1
            text, finished = _written(prompt, turn[prompt])
            texts.append(text)
            ended.append(finished)
        ids = [self.completion_ids(text, finished) for text, finished in zip(texts, ended)]
        scores = self.logprobs(rows, ids)
        return Rollouts(rows, ids, texts, scores, torch.stack([one.sum() for one in scores]), ended)


def canned_policy() -> CannedPolicy:
    """A new one; always the same weights."""
    tokenizer = _tokenizer()
    return CannedPolicy(tiny_llama(tokenizer, 192, seed=1, width=32, layers=1, spread=0.3).double(), tokenizer)


@cache
def _tokenizer() -> PreTrainedTokenizerBase:
    return load_policy("expressions").tokenizer


@cache
def _written(prompt: str, turn: int) -> tuple[str, bool]:
    task = load_task("expressions")
    if prompt.startswith("new "):
        made = WRITTEN_PROPOSALS["deduction" if prompt.startswith("new ded") else "abduction"]
        return made[turn % len(made)][:2]
    for kind in STEP_KINDS:
        for text, _, marks in WRITTEN_PROPOSALS[kind]:
            problem, _ = task.parse(kind, text)
            if problem is not None and problem.prompt == prompt:
                return _attempt(task.of_kind[kind], problem, marks[turn % ATTEMPTS_EACH])
    return "=", True  # of a text that is no problem


def _attempt(task: Proposable, problem: Any, mark: str) -> tuple[str, bool]:
    right = task.solution(problem)
    others = [right[: -len(problem.answer)] + digit + problem.answer[1:] for digit in "0123456789"]
    verdicts = {text: task.verify(problem, text) for text in others}
    wrong = next(text for text, said in verdicts.items() if said.parsed is not None and not said.correct)
    return {"R": right, "C": right, "W": wrong, "U": right + "="}[mark], mark != "C"
