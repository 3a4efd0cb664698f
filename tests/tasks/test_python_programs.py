"""Python programs: the generator against CPython, the verifiers, and what proposals become."""

import ast
import json
import random
import subprocess
import sys
from collections import Counter

import pytest

from spkit.run.errors import SpkitError
from spkit.sandbox.base import Limits
from spkit.sandbox.literals import canonical, read_literal, same
from spkit.sandbox.monty import MontySandbox
from spkit.sandbox.process import SubprocessSandbox
from spkit.tasks import KINDS, PythonPrograms, load_task, problems, test_set
from spkit.tasks.base import INDUCTION_PAIRS, INDUCTION_SHOWN
from spkit.tasks.python_programs.generator import (
    INPUT_TYPES,
    MAX_VARIABLES,
    STEPS,
    random_input,
    random_program,
    variables_of,
)
from spkit.tasks.python_programs.problem import MAX_VALUE, PythonProblem, problem_about, read_program, split_of_proposed
from spkit.tasks.python_programs.proposals import (
    PythonTriplet,
    inputs_text,
    proposal,
    proposal_text,
    proposed_inputs,
    proposer_prompt,
)

TASK, ABDUCTION, INDUCTION = (
    load_task(name) for name in ("python_programs", "python_programs-abduction", "python_programs-induction")
)
BATCH = """
import json, sys
def values(program, text):
    space = {}
    exec(program, space)
    return repr(space["f"](eval(text)))
json.dump([[values(program, text) for text in inputs] for program, inputs in json.load(sys.stdin)], sys.stdout)
"""


@pytest.fixture(scope="module", autouse=True)
def closed():
    yield
    for task in (TASK, ABDUCTION, INDUCTION):
        task.sandbox.close()


def in_cpython(batch: list[tuple[str, tuple[str, ...]]]) -> list[list[str]]:
    """The values of our own programs at their inputs, in one CPython process."""
    command = [sys.executable, "-I", "-c", BATCH]
    done = subprocess.run(command, input=json.dumps(batch), capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def thousand() -> list[PythonProblem]:
    """1,050 problems of induction, of all difficulties that can be asked for but the first, each with ten inputs."""
    return [INDUCTION.problem(1, index, 2 + index % (MAX_VARIABLES - 1)) for index in range(1050)]


def test_outputs_are_what_cpython_says(thousand):
    assert len({problem.program for problem in thousand}) >= 1000
    for problem, outputs in zip(thousand, in_cpython([(problem.program, problem.inputs) for problem in thousand])):
        assert [canonical(output) for output in outputs] == [canonical(output) for output in problem.outputs], (
            problem.program
        )
        assert (
            all(same(*pair) for pair in zip(outputs, problem.outputs, strict=True))
            and len(set(problem.inputs)) == INDUCTION_PAIRS
        )


def test_the_subprocess_sandbox_makes_the_same_problems():
    other = PythonPrograms("induction", backend="subprocess")
    assert [other.problem(3, index) for index in range(10)] == [INDUCTION.problem(3, index) for index in range(10)]


def test_every_step_of_the_generator_is_used_and_total(thousand):
    text = "\n".join(problem.program for problem in thousand)
    assert all(f"    {name} = " in text for name in "abcdefgh")
    for mark in (
        "for ",
        "if ",
        "else:",
        ".get(",
        "[::",
        "enumerate",
        "sorted",
        ".join",
        "range(",
        "zip(",
        ".replace(",
        "+= 1",
        ".values()",
    ):
        assert text.count(mark) > 10, mark
    inputs = {
        "int": ["0", "-1", "7", "999999", "-999999"],
        "list": ["[]", "[0]", "[-5, -5]", "[99, -99, 0, 7, 7, 7, 1, 2]"],
        "str": ["''", "'a'", "'zz!'", "'ABC 12'"],
    }
    rng, batch = random.Random(0), []
    for index in range(600):
        program = random_program(rng, 1 + index % MAX_VARIABLES)
        batch.append((program.text, tuple(inputs[program.takes])))
    values = in_cpython(batch)  # raises if a program does
    assert max(len(value) for row in values for value in row) < 10**6
    assert len(STEPS) >= 14 and len({repr(row) for row in values}) > 450


def test_steps_are_what_cpython_sees_on_the_way(thousand):
    asked_for = thousand[:200]
    batch = [
        (
            problem.program.rpartition("\n")[0] + f"\n    return [{', '.join(name for name, _ in problem.steps)}]",
            problem.inputs[:1],
        )
        for problem in asked_for
    ]
    for problem, (values,) in zip(asked_for, in_cpython(batch)):
        assert [canonical(repr(value)) for value in ast.literal_eval(values)] == [
            canonical(value) for _, value in problem.steps
        ]
        assert same(problem.steps[-1][1], problem.outputs[0])


def test_difficulty_is_the_number_of_variables(thousand):
    for problem in thousand:
        body = ast.parse(problem.program).body[0].body
        names = {target.id for statement in body if isinstance(statement, ast.Assign) for target in statement.targets}
        assert problem.difficulty == len(names) == variables_of(problem.program) == len(problem.steps)
    assert (
        variables_of(
            "import math\nT = 3\n\ndef f(x):\n  a = 1\n  if a == x:\n    b = 2\n  a = 2\n  c=3\n  c += 1\n "
            " return a\n\nd = 4"
        )
        == 2
    )
    assert variables_of("def f(x): return x") == variables_of("") == variables_of("def f(x):\n    return x == 2") == 1


@pytest.mark.parametrize("task", [TASK, ABDUCTION, INDUCTION], ids=lambda task: task.kind)
def test_every_solution_is_right(task):
    for problem in problems(task, 2, 0, 100):
        text = task.solution(problem)
        verdict = task.verify(problem, text)
        assert verdict.correct and verdict.reward == 1 and verdict.step_errors == 0
        assert task.verify(problem, task.direct(problem)).correct
        assert (
            len(text) <= task.max_completion_chars(problem.difficulty)
            and "\n\n" not in text + problem.prompt
            and problem.prompt.endswith("\n")
        )
        assert (
            task.verify(problem, f"Let me think.\n{text}").correct
            and not task.verify(problem, f"{text}\nAnswer: [object()]").correct
        )
        hint = task.hint(problem)
        assert (
            problem.answer in hint
            and hint.endswith(problem.prompt.rpartition("\n")[0].rpartition("\n")[2] + "\n")
            and "\n\n" not in hint
        )
        assert all(len(value) <= MAX_VALUE for value in (*problem.outputs, *(value for _, value in problem.steps)))


def test_a_written_example():
    problem = problem_about(
        "deduction",
        "def f(x):\n    a = x[1:]\n    b = sum(a)\n    return b",
        ["[1, 2, 3]"],
        ["5"],
        (("a", "[2, 3]"), ("b", "5")),
    )
    assert problem.prompt == "def f(x):\n    a = x[1:]\n    b = sum(a)\n    return b\nWhat is f([1, 2, 3])?\n"
    assert TASK.solution(problem) == "a = [2, 3]\nb = 5\nAnswer: 5"
    assert TASK.hint(problem).endswith("\n    return b\nThe answer is\n5\nWhat is f([1, 2, 3])?\n")
    for text, correct, errors, reward in [
        ("a = [2, 3]\nb = 5\nAnswer: 5", True, 0, 1.0),
        ("a = [2,3]\nAnswer: 5", True, 1, 2 / 3),  # b is missing
        ("a = [1, 2]\nb = 5\nAnswer: 5", True, 1, 2 / 3),
        ("a = [1, 2]\na = [2, 3]\nb = 5\nAnswer: 5", True, 0, 1.0),  # put right
        ("a = [2, 3]\nb = 6\nAnswer: 6", False, 1, 1 / 3),
        ("Answer: 5", True, 0, 1 / 3),
        ("Answer: 6", False, 0, 0.0),
        ("a = [2, 3]\nb = 5\nc = 7\nAnswer: 5", True, 0, 1.0),  # a remark of one's own
    ]:
        verdict = TASK.verify(problem, text)
        assert (verdict.correct, verdict.step_errors) == (correct, errors) and verdict.reward == pytest.approx(
            reward
        ), text


def test_any_input_that_gives_the_output_is_right():
    problem = problem_about("abduction", "def f(x):\n    return sorted(x)[-2:]", ["[3, 1, 2]"], ["[2, 3]"])
    for answer in ("[3, 1, 2]", "[2, 3]", "(2, 3)", "{3: 0, 2: 0}", "[2.0, 3]", "[3, 2.5]", "[True, 2, 3]"):
        said = sorted(read_literal(answer))[-2:]
        assert ABDUCTION.verify(problem, f"Answer: {answer}").correct == same(repr(said), "[2, 3]"), answer
    found = 0
    for problem in problems(
        ABDUCTION, 4, 0, 60
    ):  # the other inputs of the same program, by the outputs CPython gives them
        pairs = INDUCTION.problem(4, found, problem.difficulty)
        own = problem_about("abduction", pairs.program, pairs.inputs, pairs.outputs)
        for given, output in zip(pairs.inputs, pairs.outputs):
            assert ABDUCTION.verify(own, f"Answer: {given}").correct == same(output, pairs.outputs[0])
        found += 1
    assert found == 60


def test_induction_asks_for_the_hidden_pairs():
    numbers = [str(number) for number in range(INDUCTION_PAIRS)]
    problem = problem_about(
        "induction", "def f(x):\n    return x * 2", numbers, [str(2 * number) for number in range(INDUCTION_PAIRS)]
    )
    assert problem.prompt.count("==") == INDUCTION_SHOWN and "def" not in problem.prompt
    for body, correct, errors in [
        ("return x + x", True, 0),
        ("return {0: 0, 1: 2, 2: 4, 3: 6, 4: 8}.get(x, 0)", False, 0),
        ("return x * 2 if x > 4 else 0", True, 4),
        ("return x", False, 4),
        ("return str(x * 2)", False, 5),
    ]:
        verdict = INDUCTION.verify(problem, f"Answer:\ndef f(x):\n    {body}")
        assert (verdict.correct, verdict.step_errors) == (correct, errors), body
    assert INDUCTION.verify(
        problem, "It doubles.\nAnswer:\n```python\ndef g(x):\n    return x\n\n\ndef f(x):\n    return g(x) * 2\n```"
    ).correct
    assert INDUCTION.verify(problem, "Answer: lambda x: x * 2").parsed is None


def test_votes_do_not_see_spacing():
    problem = TASK.problem(0, 1, 1)
    assert {TASK.verify(problem, f"Answer: {text}").parsed for text in ("[1,2]", "[1, 2]", "[ 1 , 2 ]")} == {"[1, 2]"}


def test_item_depends_on_seed_and_index_only():
    once = problems(TASK, 7, 0, 30)
    assert once == [PythonPrograms().problem(7, index) for index in reversed(range(30))][::-1]
    assert once != problems(TASK, 8, 0, 30)
    kinds = [task.problem(7, 3) for task in (TASK, ABDUCTION, INDUCTION)]
    assert len({problem.program for problem in kinds}) == 1 and [problem.kind for problem in kinds] == list(KINDS)


def behaviour(found: list[PythonProblem]) -> set[str]:
    """What the programs do at forty inputs of their type, in CPython: one text a program."""
    rng = random.Random(1)
    tries = {takes: [repr(random_input(rng, takes)) for _ in range(40)] for takes in INPUT_TYPES}
    types = [problem.program.partition("(x: ")[2].partition(")")[0] for problem in found]
    rows = in_cpython([(problem.program, tries[takes]) for problem, takes in zip(found, types)])
    return {f"{takes} {row}" for takes, row in zip(types, rows)}


def test_train_and_test_programs_do_not_do_the_same():
    train = [TASK.problem(seed, index) for seed in range(2) for index in range(200)]
    tests = test_set(TASK, 20)
    assert not {problem.program for problem in train} & {problem.program for problem in tests} and len(tests) == 100
    assert not behaviour(train) & behaviour(tests)
    for problem in tests[::10]:
        assert (
            split_of_proposed(
                TASK.sandbox, problem.program.replace("    return", "    z = 0\n    return"), problem.inputs[0]
            )
            == "test"
        )
    for problem in train[::30]:
        assert split_of_proposed(TASK.sandbox, problem.program, problem.inputs[0]) == "train"


def test_bad_input_is_one_sentence():
    with pytest.raises(SpkitError, match="1 to 8 variables, not 9"):
        TASK.problem(0, 0, 9)
    with pytest.raises(SpkitError, match="no kind 'guess' of python_programs"):
        PythonPrograms("guess")
    with pytest.raises(SpkitError, match="induction has 10 inputs, not 1"):
        problem_about("induction", "def f(x):\n    return x", ["1"], ["1"])
    with pytest.raises(SpkitError, match="no program"):
        proposer_prompt("deduction", program="def f(x): return x")


@pytest.fixture(scope="module", params=[MontySandbox, SubprocessSandbox])
def sandbox(request):
    box = request.param(Limits(seconds=0.5))
    yield box
    box.close()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("def f(x):\n    return x + 1\nInput: 3", None),
        ("```python\nimport math\n\ndef f(x):\n    return math.gcd(x, 6)\n```\nInput: `4`", None),
        ("Here it is:", "text"),
        ("def g(x):\n    return 1\nInput: 3", "text"),
        ("def f(x):\n    return 1", "text"),
        ("def f(x):\n    return 1\n" + "    # long\n" * 100 + "Input: 3", "text"),
        ("def f(x):\n    return x\nInput: y", "input"),
        ("def f(x):\n    return x\nInput: " + repr("a" * 200), "input"),
        ("def f(x)\n    return x\nInput: 3", "wrong-syntax"),
        ("def f(x):\n    return x / 0\nInput: 3", "exception"),
        ("def f(x):\n    while True: pass\nInput: 3", "timeout"),
        ("def f(x):\n    return f(x)\nInput: 3", "recursion"),
        ("def f(x):\n    return 'a' * 200\nInput: 3", "output-too-long"),
        ("def f(x):\n    return lambda: x\nInput: 3", "unsupported"),
        ("def f(x):\n    pass\nInput: 3", "nothing"),
        ("import random\ndef f(x):\n    return random.random()\nInput: 3", "forbidden"),
        ("def f(x):\n    return id(x)\nInput: 3", "forbidden"),
        ("def f(x):\n    return str(lambda: x)\nInput: 3", "nondeterministic"),
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_proposals(sandbox, text, fault):
    problem, found = proposal(sandbox, "abduction", text)
    assert found == fault and (problem is None) == (fault is not None)
    assert problem is None or problem.kind == "abduction"


def test_what_is_generated_can_be_proposed_and_test_programs_are_held_out():
    faults = Counter()
    for index in range(40):
        for split in ("train", "test"):
            problem = TASK.problem(5, index, split=split)
            triplet = PythonTriplet(problem.program, problem.inputs[0], problem.outputs[0])
            made, fault = proposal(TASK.sandbox, "deduction", proposal_text(triplet))
            assert (made.program, made.inputs, made.outputs, made.difficulty) == (
                problem.program,
                problem.inputs,
                problem.outputs,
                problem.difficulty,
            )
            assert str(triplet) in proposer_prompt("deduction", references=[triplet])
            faults[split, fault] += 1
    assert faults == {("train", None): 40, ("test", "held out"): 40}


def test_proposals_of_induction():
    program = "def f(x):\n    return 10 // (x - 3)"
    inputs = [str(number) for number in range(4, 14)]
    problem, fault = proposed_inputs(TASK.sandbox, program, inputs_text(inputs))
    assert (
        fault is None
        and problem.inputs == tuple(inputs)
        and problem.outputs[:2] == ("10", "5")
        and program in proposer_prompt("induction", program=program)
    )
    for wrong, why in [
        (inputs[:9], "input"),
        ([*inputs[:9], "4"], "input"),
        ([*inputs[:9], "x"], "input"),
        ([*inputs[:9], "3"], "exception"),
    ]:
        assert proposed_inputs(TASK.sandbox, program, inputs_text(wrong)) == (None, why)


def test_a_program_is_read_without_its_frame():
    assert read_program("Sure!\n```python\ndef f(x):\n\n    return x  \n```") == "Sure!\ndef f(x):\n    return x"
    assert read_program("x = 1") is None and read_program("\0") is None
