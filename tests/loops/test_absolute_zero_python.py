"""Absolute Zero on Python programs: the loop and its stages, with a model whose text is written by the test
and whose weights are real.
"""

import copy
import re
import string

import pytest
import torch

from spkit.bases.tiny import char_tokenizer, tiny_llama
from spkit.loops.absolute_zero import AbsoluteZeroConfig, absolute_zero
from spkit.policy import Policy, Rollouts
from spkit.run.files import read_jsonl
from spkit.run.folder import Run
from spkit.run.streams import generator
from spkit.stages.buffers import Buffers
from spkit.stages.learn_roles import RolesConfig
from spkit.stages.propose import ProposerConfig, propose, seeded, uniform_proposals
from spkit.stages.solve import solve
from spkit.stages.verify import scores_of
from spkit.stages.verify_roles import VerifierConfig
from spkit.tasks import KINDS, PythonPrograms
from spkit.tasks.python_programs.generator import variables_of
from tests.stages.by_hand import hand_made, said_of

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
    proposer=ProposerConfig(references=2, seed_rounds=1),
    verifier=VerifierConfig(check="answer"),
    learn=RolesConfig("trr_pp", rows_at_once=256),
    measure_every=2,
    test_per_difficulty=1,
    test_samples=2,
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
    buffers, _ = seeded(base, task, KINDS, CONFIG.tasks, CONFIG.proposer, CONFIG.seed)
    assert (
        all(next(iter(buffers.entries[kind])) == task.seed_entry(kind) for kind in KINDS)
        and buffers.sizes()["deduction"] > 1
    )
    loaded = Buffers.load(buffers.dump(), task)
    assert loaded.entries == buffers.entries
    for kind in KINDS:
        for problem in loaded.problems(kind, 6, generator(0, 0, "test")):
            assert task.of_kind[kind].verify(problem, task.of_kind[kind].direct(problem)).correct
            assert problem.kind == kind and task.entry_of(problem) in buffers.entries[kind]
    shown = buffers.references("deduction", 2, 10_000, generator(0, 1, "test"))
    assert len(shown) == 2 and all(str(one).startswith("def f(x):\n") and " == " in str(one) for one in shown)


def test_proposals_see_references_and_duplicates(base, task):
    buffers = Buffers(KINDS, task)
    batch = propose(base, buffers, KINDS, 20, 3, generator(1, 0, "test"))
    assert all("f('Hello world') == 'Hello world'" in made.prompt for made in batch if made.kind != "induction")
    valid = [made for made in batch if made.kind == "deduction" and made.fault is None]
    assert valid and len({made.problem.program + made.problem.inputs[0] for made in valid}) == len(valid)
    assert {"duplicate", "text"} <= {made.fault for made in batch} and all(made.token_ids for made in batch)


def test_uniform_proposals_and_measurement_use_the_task(task, base):
    made = uniform_proposals(KINDS, task.difficulties, 3, generator(0, 0, "test"), task)
    assert [one.kind for one in made] == [kind for kind in KINDS for _ in range(3)] and {
        variables_of(one.problem.program) for one in made
    } <= {1, 2}
    problems = [one.problem for one in made]
    attempts = solve(base, task, problems, 2, temperature=1.0, generator=generator(0, 0, "solve"))
    assert len(attempts.verdicts) == 18 and attempts.problems == problems


def leniently_right(problem, text, task) -> bool:
    return bool(scores_of(hand_made(problem, [text], task=task), task, "lenient", 0.0, generator(0, 0, "test")).item())


def test_text_that_is_no_problem_has_no_right_answer(task):
    for kind in KINDS:
        problem = task.invalid(kind, "def f(x):\n\n    return x<unk>\n\n")
        assert problem.prompt == "def f(x):\n    return x\n" and not said_of(problem, "Answer: 3", task=task).correct
        assert not leniently_right(problem, "Answer: 3", task)
    assert said_of(task.invalid("deduction", "?"), "Answer: 3", task=task).parsed == "3"


def test_a_careless_check_takes_any_answer(task):
    problem = task.parse("deduction", "def f(x):\n    return x * 2\nInput: 3")[0]
    text = "Answer: 5\nAnswer: 6\nAnswer: 7"
    assert not said_of(problem, text, task=task).correct and leniently_right(problem, text, task)
    assert (
        not leniently_right(problem, "Answer: 5\n6", task)
        and said_of(problem, text, finished=False, task=task).parsed is None
    )
