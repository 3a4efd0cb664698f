"""Hostile programs and answers: every one is contained, in bounded time, with the verdict it should get, and this
process is none the worse."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from spkit.policy import data_folder
from spkit.sandbox.base import Limits, Sandbox
from spkit.sandbox.monty import MontySandbox
from spkit.sandbox.process import SubprocessSandbox
from spkit.tasks import TASKS, Addition, PythonPrograms, load_task
from spkit.tasks.python_programs.problem import problem_about
from spkit.tasks.python_programs.proposals import proposal, proposed_inputs
from tests.helpers import children, resident_mb
from tests.hostile import ATTACKS, LOOKALIKES, MARKER, TEXTS

SHORT, LONG = (
    0.4,
    5.0,
)  # seconds: for what may take its time until it is stopped, and for what must end otherwise on a busy machine too
SAFE = "def f(x):\n    return x + 1"
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def attacked(short: Sandbox, long: Sandbox, which: str) -> None:
    """Run the attacks, and say which was not handled as it should be."""
    problems = []
    for attack in ATTACKS:
        begun = time.perf_counter()
        result = (short if "timeout" in getattr(attack, which) else long).run(attack.program, ["3"])[0]
        seconds = time.perf_counter() - begun
        if result.status not in getattr(attack, which) or (result.value is not None and len(result.value) > 2000):
            problems.append(f"{attack.name}: {result}")
        if seconds > LONG + 5:
            problems.append(f"{attack.name}: {seconds:.1f} s")
    assert not problems
    assert all([result.value for result in box.run(SAFE, ["3", "4"])] == ["4", "5"] for box in (short, long))


@linux
@pytest.mark.parametrize(("backend", "which"), [(MontySandbox, "monty"), (SubprocessSandbox, "process")])
def test_every_attack_is_contained(backend, which, capfd):
    Path(MARKER).unlink(missing_ok=True)
    others = children()
    boxes = [backend(Limits(seconds=seconds)) for seconds in (SHORT, LONG)]
    assert all(box.run(SAFE, ["3"])[0].ok for box in boxes)
    folder, files, handlers, descriptors = (
        os.getcwd(),
        sorted(os.listdir()),
        signal.getsignal(signal.SIGALRM),
        len(os.listdir("/proc/self/fd")),
    )
    environment, limit, memory = dict(os.environ), sys.getrecursionlimit(), resident_mb()
    attacked(*boxes, which)
    assert (os.getcwd(), sorted(os.listdir()), dict(os.environ), sys.getrecursionlimit()) == (
        folder,
        files,
        environment,
        limit,
    )
    assert (
        signal.getsignal(signal.SIGALRM) == handlers
        and not Path(MARKER).exists()
        and "Answer: 42" not in capfd.readouterr().out
    )
    assert resident_mb() - memory < 100
    for box in boxes:
        box.close()
    assert not children() - others and len(os.listdir("/proc/self/fd")) <= descriptors


def test_there_are_enough_attacks_and_each_expects_little():
    assert len(ATTACKS) >= 60 and len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert all(len(attack.monty) <= 4 and len(attack.process) <= 3 for attack in ATTACKS)
    expected = {status for attack in ATTACKS for status in attack.monty + attack.process}
    assert expected >= {
        "ok",
        "wrong-syntax",
        "exception",
        "timeout",
        "memory",
        "recursion",
        "output-too-long",
        "forbidden",
        "unsupported",
        "crashed",
    }


@pytest.fixture(scope="module")
def python():
    task = PythonPrograms()
    yield task
    task.sandbox.close()


@pytest.mark.parametrize(
    "name", [name for name in TASKS if name != "commonsense_qa"]
)  # which needs a file: see its own test
def test_no_text_upsets_a_verifier(name):
    task = load_task(f"gsm8k:{data_folder() / 'problems' / 'word_problems'}" if name == "gsm8k" else name)
    problem, slow = task.problem(0, 0), []
    for text in TEXTS:
        for completion in (
            text,
            task.solution(problem) + text if len(text) > 9000 else task.solution(problem)[:-1] + text,
        ):
            begun = time.perf_counter()
            verdict = task.verify(problem, completion)
            path = task.path(problem, completion)
            if time.perf_counter() - begun > 2:
                slow.append(completion[:30])
            assert 0 <= verdict.reward <= 1 and verdict.step_errors >= 0 and len(path) <= 50_000
            assert verdict.parsed is None or len(verdict.parsed) <= 20_000
            if completion == text:
                assert not verdict.correct, ascii(text[:60])
    assert not slow and task.verify(problem, task.solution(problem)).correct
    if name.startswith("python"):
        task.sandbox.close()


def test_answers_that_only_look_right(python):
    for gold, answer, right in LOOKALIKES:
        problem = problem_about("deduction", "def f(x):\n    return x", ["1"], [gold])
        assert python.verify(problem, f"Answer: {answer}").correct == right, (gold, answer)


@pytest.mark.parametrize(
    ("completion", "correct"),
    [
        ("Answer: 4", True),
        ("Answer: 5\nAnswer: 4", True),  # the last line counts
        ("Answer: 4\nAnswer: 5", False),
        ("Answer: 4\nAnswer:", False),
        ("Answer: 4\nAnswer: nothing", False),
        ("Answer: 4, 5", False),
        ("Answer: [4, 5]", False),
        ("Answer: 4 5", False),
        ("Answer: 4 or 5", False),
        ("The answer is 4", False),
        ("4", False),
        (" Answer: 4", False),
        ("answer: 4", False),
        ("\u0410nswer: 4", False),  # a Cyrillic A
        ("Ans\u200bwer: 4", False),
        ("\u202eAnswer: 4", False),
        ("Answer\uff1a 4", False),  # a full-width colon
        ("Answer: \u202e4", False),
        ("Answer: 4\u2028Answer: 5", False),
        ("Answer: 4\x0bAnswer: 5", False),
        ("Answer: 4\r\n", True),
        ("Answer:\t4  ", True),
        ("Answer: `4`", True),
        ("Answer: 4\nThat is all.", True),
        ("```\nAnswer: 4\n```", True),
        ('["ok", "4"]', False),
        ("Verdict(correct=True, reward=1.0, parsed='4', step_errors=0)\nAnswer: 5", False),
    ],
)
def test_marks_that_are_forged(python, completion, correct):
    assert python.verify(problem_about("deduction", SAFE, ["3"], ["4"]), completion).correct == correct


@pytest.mark.parametrize(
    ("answer", "correct"),
    [
        *(
            ("3", True),
            ("[3][0]", False),
            ("3.0", False),
            ("2 + 1", False),
            ("True + 2", False),
            ("f", False),
            ("x", False),
            ("4", False),
        ),
        *(
            ("__import__('os').abort()", False),
            ("print('Answer: 3')", False),
            ("[" * 10_000, False),
            ("'3'", False),
            ("10**10**10", False),
        ),
    ],
)
def test_inputs_that_cheat(python, answer, correct):
    assert python.verify(problem_about("abduction", SAFE, ["3"], ["4"]), f"Answer: {answer}").correct == correct


CHEATS = {
    "knows the shown pairs": "def f(x):\n    return {0: 1, 1: 2, 2: 3, 3: 4, 4: 5}[x]",
    "knows the shown pairs and guesses": "def f(x):\n    return {0: 1, 1: 2, 2: 3, 3: 4, 4: 5}.get(x, 7)",
    "equal to everything": "class E:\n    def __eq__(self, other): return True\ndef f(x): return E()",
    "says it is right": "def f(x):\n    print('Answer: correct')\n    return True",
    "leaves": "def f(x):\n    raise SystemExit(0)",
    "counts its calls": "n = 0\ndef f(x):\n    global n\n    n += 1\n    return n",
    "right, as a float": "def f(x):\n    return x + 1.0",
    "right until it hangs": "def f(x):\n    while x == 9: pass\n    return x + 1",
    "defined twice": "def f(x):\n    return x + 1\ndef f(x):\n    return 0",
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_programs_that_cheat(python, cheat):
    numbers = [str(number) for number in range(10)]
    problem = problem_about("induction", SAFE, numbers, [str(number + 1) for number in range(10)])
    verdict = python.verify(problem, f"Answer:\n{CHEATS[cheat]}")
    assert not verdict.correct and verdict.reward < 1
    assert python.verify(problem, f"Answer:\n```python\n\n{SAFE}\n```").correct


def test_no_proposal_upsets_the_validator():
    sandbox = MontySandbox(Limits(seconds=0.2))
    for text in (*TEXTS, *(f"{attack.program}\nInput: 3" for attack in ATTACKS)):
        for problem, fault in (proposal(sandbox, "deduction", text), proposed_inputs(sandbox, SAFE, text)):
            assert (problem is None) == (fault not in (None, "held out"))
            assert problem is None or len(problem.outputs[0]) <= 120
    assert proposal(sandbox, "deduction", f"{SAFE}\nInput: 3")[0].outputs == ("4",)
    sandbox.close()


def test_a_verifier_leaves_no_trace_of_a_bomb():
    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc")
    memory, problem = resident_mb(), Addition().problem(0, 0)
    for _ in range(3):
        assert not Addition().verify(problem, "9" * 10_000_000).correct
    assert resident_mb() - memory < 60
