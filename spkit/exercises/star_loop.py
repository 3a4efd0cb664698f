"""The check of the exercise of notebook 02 in which the reader writes STaR's loop.

The loop runs on a policy that is written out here in place of a model: what it answers depends on the prompt and on how
often it was trained, so an iteration takes milliseconds. It notes what it is asked and what it is trained on, and these
notes, with the records, are compared with those of STaR (arXiv:2203.14465, Algorithm 1) and of its usual mistakes.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice
from typing import Any

import torch

from ..loops.star import StarConfig
from ..policy import Rollouts, SftConfig
from ..policy.rollouts import Pair
from ..run.folder import Run
from ..run.streams import generator
from ..stages.learn_sft import fine_tune
from ..stages.measure import measure
from ..stages.solve import Sample, solve
from ..tasks import Addition, Problem, Task, problems, test_set
from .checking import Mistake, attempted, compare_lists

Fact = tuple[object, ...]
StarLoop = Callable[[Any, Task, StarConfig], Iterator[Mapping[str, Any]]]


@dataclass
class StarNotes:
    """What a loop did: facts, and the random states before and after each update."""

    iteration: int = 0
    facts: list[Fact] = field(default_factory=list)
    states: list[tuple[bytes, bytes]] = field(default_factory=list)

    def note(self, *fact: object) -> None:
        """One more fact of the iteration under way."""
        self.facts.append((f"iteration {self.iteration}", *fact))

    def drawn(self, draw: torch.Generator, seed: int) -> None:
        """Where the numbers of an update come from; some are drawn."""
        before = bytes(draw.get_state().tolist())
        torch.rand(1, generator=draw)
        wanted = bytes(generator(seed, self.iteration, "learn").get_state().tolist())
        source = "the generator of this seed and iteration" if before == wanted else "another generator"
        if self.states and before in (self.states[0][0], self.states[-1][1]):
            source = "that of iteration 1" if before == self.states[0][0] else "that of the iteration before, continued"
        if self.iteration > 1:  # in the first, where a loop makes its generator is its own affair
            self.note("rows are drawn with", source)
        self.states.append((before, bytes(draw.get_state().tolist())))


@dataclass
class WrittenPolicy:
    """Adds up to `level` digits right without a hint; with one the base nearly always does, a trained one never.

    Some right answers have a wrong step before them. Training makes the level one higher.
    """

    notes: StarNotes
    seed: int
    name: str = "the base"
    level: int = 2
    context: int = 512

    def tokens_for(self, characters: int, per_token: float = 1) -> int:
        """A token a character, and the end."""
        return characters + 1

    def completion_ids(self, text: str, finished: bool = True) -> list[int]:
        """Code points."""
        return list(map(ord, text))

    def sample(self, prompts: Sequence[str], n: int = 1, **sampling: Any) -> Rollouts:
        """Completions as `Policy.sample` gives them."""
        asked = [prompt for prompt in prompts for _ in range(n)]
        for prompt in asked:
            self.notes.note(self.name, "is asked", prompt)
        texts = [self._answer(prompt) for prompt in asked]
        nothing = [torch.zeros(len(text)) for text in texts]
        sums = torch.zeros(len(texts))
        return Rollouts(asked, [*map(self.completion_ids, texts)], texts, nothing, sums, [True] * len(texts))

    def _answer(self, prompt: str) -> str:
        first, second = (int(number) for number in re.findall(r"\d+", prompt)[:2])
        problem = Problem(f"{first}+{second}=", str(first + second), len(str(first)))
        chance = zlib.crc32(problem.prompt.encode())
        hinted = "#" in prompt
        right = (self.name == "the base" and chance % 4 > 0) if hinted else problem.difficulty <= self.level
        *steps, answer = Addition().solution(problem).split(";")
        if chance % 3 == 0:
            steps[0] = steps[0][:-1] + str((int(steps[0][-1]) + 1) % 10)
        return ";".join([*steps, answer if right else str(first + second + 1)])

    def clone(self) -> "WrittenPolicy":
        """A copy with the same notes."""
        return WrittenPolicy(self.notes, self.seed, self.name, self.level)

    def fit(
        self,
        pairs: Sequence[Pair],
        update: SftConfig,
        draw: torch.Generator,
        on_step: Callable[[int, float], None] = lambda step, loss: None,
    ) -> dict[str, float]:
        """Note what is trained on."""
        self.notes.note("trains", self.name)
        self.notes.note("optimizer steps", update.steps)
        for prompt, ids in pairs:
            self.notes.note("trains on", prompt, "".join(map(chr, ids)))
        self.notes.drawn(draw, self.seed)
        self.name, self.level = f"the policy of iteration {self.notes.iteration}", self.level + 1
        return {"steps": update.steps, "loss_first": 1.0, "loss_last": 0.5}


@dataclass(frozen=True)
class StarParts:
    """STaR's loop, and what a reader may write in place of each of its parts."""

    start: Callable[[Any, Any], Any] = lambda base, policy: base
    reader: Callable[[Any, Any], Any] = lambda base, policy: base
    solver: Callable[[Any, Any], Any] = lambda base, policy: policy
    first: Callable[[int, int], int] = lambda t, count: (t - 1) * count
    accepts: Callable[[Sample], bool] = lambda sample: sample.verdict.correct
    hinted_accepts: Callable[[Sample], bool] = lambda sample: sample.verdict.correct
    retried: Callable[[list[Problem], list[Problem]], list[Problem]] = lambda failed, batch: failed
    prompt: Callable[[Task, Problem], str] = lambda task, problem: problem.prompt
    draws: Callable[[int], Callable[[int], torch.Generator]] = lambda seed: lambda t: generator(seed, t, "learn")
    steps: Callable[[StarConfig, int], SftConfig] = lambda config, t: config.sft(t)
    measured: Callable[[Any, Any], Any] = lambda before, after: after
    base_record: bool = True
    failures: bool = False  # failures' own completions are trained on too

    def loop(self, base: Any, task: Task, config: StarConfig) -> Iterator[dict[str, Any]]:
        """One record an iteration."""
        look = lambda one: measure(one, task, config.test_per_difficulty, Run())["accuracy"]
        policy, count, draw = base, config.problems_per_iteration, self.draws(config.seed)
        if self.base_record:
            yield {"iteration": 0, "accuracy": look(base)}
        for t in range(1, config.iterations + 1):
            batch = problems(task, config.seed, self.first(t, count), count)
            tried = solve(self.solver(base, policy), task, batch).samples(task)
            kept = [one for one in tried if self.accepts(one)]
            again = self.retried([one.problem for one in tried if not self.accepts(one)], batch)
            hints = [task.hint(problem) for problem in again]
            hinted = solve(self.reader(base, policy), task, again, prompts=hints).samples(task)
            rescued = [one for one in hinted if self.hinted_accepts(one)]
            pairs = [one.pair for one in (tried if self.failures else kept)]
            pairs += [(self.prompt(task, one.problem), one.token_ids) for one in rescued]
            before = policy
            policy, _ = fine_tune(self.start(base, policy), pairs, self.steps(config, t), draw(t), Run())
            shown = look(self.measured(before, policy))
            yield {"iteration": t, "accuracy": shown, "kept": len(kept), "rationalized": len(rescued)}


def _seed_alone(seed: int) -> Callable[[int], torch.Generator]:
    return lambda t: torch.Generator().manual_seed(seed)


def _continued(seed: int) -> Callable[[int], torch.Generator]:
    draw = torch.Generator().manual_seed(seed)
    return lambda t: draw


STAR_LOOP_MISTAKES = {
    (
        "this trains from the last policy; Algorithm 1 goes back to the base in every iteration, so that an error of "
        "one iteration is not trained on for ever."
    ): StarParts(start=lambda base, policy: policy),
    (
        "the hint is left in the training prompt; the model then learns to read hints, which nobody shows at test "
        "time. Train on the problem's own prompt."
    ): StarParts(prompt=lambda task, problem: task.hint(problem)),
    "this rationalizes right answers too; a hint is for what failed.": StarParts(retried=lambda failed, batch: batch),
    "every hinted completion is kept, wrong ones too; the answer check is for both kinds.": StarParts(
        hinted_accepts=lambda sample: True
    ),
    "failures' own completions are trained on as well; only right ones are.": StarParts(failures=True),
    "nothing is rationalized: what failed is to be tried again with the answer shown.": StarParts(
        retried=lambda failed, batch: []
    ),
    (
        "one generator goes on from iteration to iteration; a run that was killed and continued would draw other "
        'numbers. Make it from (seed, t): generator(config.seed, t, "learn").'
    ): StarParts(draws=_continued),
    (
        "every iteration draws the same numbers, from the seed alone; make the generator from (seed, t): "
        'generator(config.seed, t, "learn").'
    ): StarParts(draws=_seed_alone),
    "every iteration asks the same problems; those of iteration t start at (t - 1) * problems_per_iteration.": (
        StarParts(first=lambda t, count: 0)
    ),
    "this skips problems: iteration 1 starts at t * problems_per_iteration, and 0 is where they begin.": StarParts(
        first=lambda t, count: t * count
    ),
    "the base tries the problems in every iteration, and nothing that was learned is used; the last policy tries.": (
        StarParts(solver=lambda base, policy: base)
    ),
    (
        "the last policy reads the hints; here that is the base's part: one round of training on prompts without "
        "hints, and these small models no longer read one."
    ): StarParts(reader=lambda base, policy: policy),
    "this checks the steps too (reward == 1); STaR looks at the final answer alone.": StarParts(
        accepts=lambda sample: sample.verdict.reward == 1, hinted_accepts=lambda sample: sample.verdict.reward == 1
    ),
    "the steps do not grow: iteration t takes config.sft(t), not that of iteration 1.": StarParts(
        steps=lambda config, t: config.sft(1)
    ),
    "this is one iteration behind with the steps: config.sft(1) is that of the first.": StarParts(
        steps=lambda config, t: config.sft(t + 1)
    ),
    "the record shows the policy before its update; measure after it.": StarParts(
        measured=lambda before, after: before
    ),
    "the base's own record is missing: yield iteration 0 before the loop.": StarParts(base_record=False),
}
RECORDED = ("iteration", "accuracy", "kept", "rationalized")


def _facts_of(loop: StarLoop) -> Callable[[StarConfig], list[Fact]]:
    """What a loop does with the written policy: notes without test problems, and its records."""

    def observed(config: StarConfig) -> list[Fact]:
        task, notes = Addition(), StarNotes()
        tests = {problem.prompt for problem in test_set(task, config.test_per_difficulty)}
        records = attempted("star_loop", loop)(WrittenPolicy(notes, config.seed), task, config)
        if not isinstance(records, Iterator):
            raise Mistake("star_loop: `yield` a record after each iteration; a loop is a generator here.")
        for record in islice(records, config.iterations + 2):
            notes.note("record", *_recorded(record, notes.iteration))
            notes.iteration += 1
        return [fact for fact in notes.facts if fact[-1] not in tests]

    return observed


def _recorded(record: object, t: int) -> list[tuple[str, float]]:
    names = RECORDED if t else RECORDED[:2]
    if not isinstance(record, Mapping):
        raise Mistake(f"star_loop: a record is a dict, not {record!r}.")
    if missing := [name for name in names if name not in record]:
        raise Mistake(f"star_loop: the record of iteration {t} has no {', '.join(missing)}.")
    return [(name, round(float(record[name]), 6)) for name in names]


@cache
def _mistaken_facts(said: str, config: StarConfig) -> list[Fact]:
    return _facts_of(STAR_LOOP_MISTAKES[said].loop)(config)


def check_star_loop(answer: StarLoop) -> None:
    """`answer(base, task, config)`, a generator: STaR with rationalization by the base, one record an iteration, the
    base's first. It runs on a policy that answers from a list, for two seeds.
    """
    cases = [
        (StarConfig(iterations=3, problems_per_iteration=40, steps=10, seed=s, test_per_difficulty=4),) for s in (0, 7)
    ]
    known = {said: partial(_mistaken_facts, said) for said in STAR_LOOP_MISTAKES}
    compare_lists("star_loop", _facts_of(answer), _facts_of(StarParts().loop), known, cases, lambda fact: fact)
