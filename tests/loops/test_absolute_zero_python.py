"""Absolute Zero on Python programs: the loop and its stages, with a model whose text is written by the test
and whose weights are real.
"""

import copy
import re
import string

import pytest
import torch
from spkit.stages.attempts import attempt, leniently_right, verdict_on
from spkit.stages.worlds import entry_of, world_of

from spkit.bases.tiny import char_tokenizer, tiny_llama
from spkit.loops.absolute_zero import AbsoluteZeroConfig, absolute_zero, seeded
from spkit.policy import Policy, Rollouts
from spkit.run.files import read_jsonl
from spkit.run.folder import Run
from spkit.run.streams import generator
from spkit.stages.buffers import Buffers
from spkit.stages.propose import propose, uniform_proposals
from spkit.tasks import PythonPrograms
from spkit.tasks.expressions.problem import KINDS
from spkit.tasks.python_programs.generator import variables_of

PROPOSALS = [
    "def f(x):\n    return x * {k}\nInput: {at}",
    "def f(x):\n    a = x * {k}\n    return a\nInput: {at}",
    "import os\ndef f(x):\n    return os.getcwd()\nInput: {at}",
    "def f(x):\n    return x +\nInput: {at}",
    "I would rather not.",
]
CONFIG = AbsoluteZeroConfig(
    iterations=2,
    kinds=KINDS,
    tasks=5,
    k=2,
    references=2,
    seed_rounds=1,
    check="answer",
    advantage="trr_pp",
    measure_every=2,
    test_per_difficulty=1,
    test_samples=2,
    rows_at_once=256,
)


class Scripted(Policy):
    """Proposes from PROPOSALS, and solves problems that multiply in half of its attempts."""

    def clone(self):
        return Scripted(copy.deepcopy(self.model), self.tokenizer)

    def sample(self, prompts, n=1, *, temperature=1.0, max_new_tokens, generator=None, on_rows=lambda rows: None):
        rows = [prompt for prompt in prompts for _ in range(n)]
        draws = torch.randint(1000, (len(rows),), generator=generator).tolist() if generator else [0] * len(rows)
        texts = [reply(prompt, draw) for prompt, draw in zip(rows, draws)]
        ids = [self.completion_ids(text) for text in texts]
        assert max(map(len, ids)) <= max_new_tokens, "a right answer would be cut off"
        logprobs = self.logprobs(rows, ids)
        return Rollouts(rows, ids, texts, logprobs, torch.stack([one.sum() for one in logprobs]), [True] * len(rows))


def reply(prompt: str, draw: int) -> str:
    """What the scripted model writes."""
    if "different inputs for f" in prompt:
        return "\n".join(f"Input: {number}" for number in range(10 if draw % 2 else 9))
    if "write one line `Input: `" in prompt:
        return PROPOSALS[draw % 5].format(k=2 + draw % 7, at=draw % 11)
    factor = re.search(r"x \* (\d+)\n", prompt)
    given, gives = re.search(r"What is f\((\d+)\)\?", prompt), re.search(r"f\(x\) == (\d+)\?", prompt)
    if draw % 2 == 0 and factor and (given or gives):
        return f"Answer: {int(given[1]) * int(factor[1]) if given else int(gives[1]) // int(factor[1])}"
    pairs = re.search(r"f\(1\) == (\d+)", prompt)
    if draw % 2 == 0 and pairs:
        return f"Answer:\ndef f(x):\n    return x * {pairs[1]}"
    return "Answer: -7"


@pytest.fixture(scope="module")
def task():
    task = PythonPrograms(difficulties=(1, 2))
    yield task
    task.sandbox.close()


@pytest.fixture
def base():
    tokenizer = char_tokenizer(string.ascii_letters + string.digits + string.punctuation + " \n", 4096)
    return Scripted(tiny_llama(tokenizer, 4096, 0, width=32, layers=1), tokenizer)


def test_the_loop_runs_on_python_programs(base, task, tmp_path):
    records = list(absolute_zero(base, task, CONFIG, Run(tmp_path / "a")))
    last = records[-1]
    assert len(records) == 3 and last["buffers"]["deduction"] > 2 and last["buffers"]["induction"] > 1
    assert 0 < last["valid"] < 1 and set(last["faults"]) <= {
        "forbidden",
        "wrong-syntax",
        "text",
        "input",
        "duplicate",
        "held out",
    }
    assert 0 < last["solve_rate"] < 1 and 0 < last["sampled_accuracy"] < 1 and last["proposed_depth"] == 1
    rows = read_jsonl(tmp_path / "a" / "samples.jsonl")
    solved = [row for row in rows if row.get("role") == "solver" and row["correct"] and row["kind"] == "deduction"]
    assert solved and all(row["completion"] == f"Answer: {row['gold']}" for row in solved)
    assert {row["kind"] for row in rows if row.get("role") == "proposer"} == set(KINDS)
    again = list(absolute_zero(base, task, CONFIG))  # the same seed gives the same records
    assert [[record.get(name) for name in NAMES] for record in records] == [
        [record.get(name) for name in NAMES] for record in again
    ]


NAMES = ("accuracy", "buffers", "valid", "faults", "solve_rate", "solver_entropy")


def test_buffers_keep_outputs_and_survive(base, task):
    world = world_of(task)
    buffers = seeded(base, CONFIG, world)
    assert (
        all(next(iter(buffers.entries[kind])) == world.first[kind] for kind in KINDS)
        and buffers.sizes()["deduction"] > 1
    )
    loaded = Buffers.load(buffers.dump(), world)
    assert loaded.entries == buffers.entries
    for kind in KINDS:
        for problem in loaded.problems(kind, 6, generator(0, 0, "test")):
            assert world.tasks[kind].verify(problem, world.tasks[kind].direct(problem)).correct
            assert problem.kind == kind and entry_of(problem) in buffers.entries[kind]
    shown = buffers.references("deduction", 2, 10_000, generator(0, 1, "test"))
    assert len(shown) == 2 and all(str(one).startswith("def f(x):\n") and " == " in str(one) for one in shown)


def test_proposals_see_references_and_duplicates(base, task):
    buffers = Buffers(KINDS, world_of(task))
    batch = propose(base, buffers, KINDS, 20, 3, generator(1, 0, "test"))
    assert all("f('Hello world') == 'Hello world'" in made.prompt for made in batch if made.kind != "induction")
    valid = [made for made in batch if made.kind == "deduction" and made.fault is None]
    assert valid and len({made.problem.program + made.problem.inputs[0] for made in valid}) == len(valid)
    assert {"duplicate", "text"} <= {made.fault for made in batch} and all(made.token_ids for made in batch)


def test_uniform_proposals_and_measurement_use_the_task(task, base):
    world = world_of(task)
    made = uniform_proposals(KINDS, task.difficulties, 3, generator(0, 0, "test"), world)
    assert [one.kind for one in made] == [kind for kind in KINDS for _ in range(3)] and {
        variables_of(one.problem.program) for one in made
    } <= {1, 2}
    attempts = attempt(base, [one.problem for one in made], 2, generator(0, 0, "solve"), world=world)
    assert len(attempts.verdicts) == 18 and attempts.world is world


def test_text_that_is_no_problem_has_no_right_answer(task):
    world = world_of(task)
    for kind in KINDS:
        problem = world.unsound(kind, "def f(x):\n\n    return x<unk>\n\n")
        assert (
            problem.prompt == "def f(x):\n    return x\n" and not verdict_on(problem, "Answer: 3", world=world).correct
        )
        assert not leniently_right(problem, "Answer: 3", world)
    assert verdict_on(world.unsound("deduction", "?"), "Answer: 3", world=world).parsed == "3"


def test_a_careless_check_takes_any_answer(task):
    world = world_of(task)
    problem = world.checked("deduction", "def f(x):\n    return x * 2\nInput: 3")[0]
    text = "Answer: 5\nAnswer: 6\nAnswer: 7"
    assert not verdict_on(problem, text, world=world).correct and leniently_right(problem, text, world)
    assert (
        not leniently_right(problem, "Answer: 5\n6", world)
        and verdict_on(problem, text, finished=False, world=world).parsed is None
    )
