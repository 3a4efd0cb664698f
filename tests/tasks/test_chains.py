"""Chains: what they come to, how they are split and read, and how likely each kind of character is."""

import itertools
import math
from collections import Counter, defaultdict

import pytest

from spkit.run.errors import SpkitError
from spkit.tasks import Chains, load_task, problems, test_set
from spkit.tasks.chains import CHAIN_OPERANDS, chains_text, floors, kinds_of_characters, running_values

TASK = Chains()


def last_digit(chain: str) -> str:
    """Worked out by Python, one bracket after another."""
    value = int(chain[0])
    for sign, digit in zip(chain[1::2], chain[2::2]):
        value = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[sign](value, int(digit))
    return str(value % 10)


def test_running_values_are_the_last_digits_after_each_operation():
    assert running_values("4+7*3-2") == "131"
    for problem in problems(TASK, 0, 0, 200):
        chain = problem.prompt[:-1]
        assert running_values(chain) == "".join(last_digit(chain[: 2 * n + 1]) for n in (1, 2, 3))
        assert problem.answer == last_digit(chain)


def test_splits_are_disjoint_by_content_and_both_are_used():
    train = {problem.prompt for problem in problems(TASK, 0, 0, 3000)}
    test = {problem.prompt for problem in test_set(TASK, 1000)}
    assert not train & test and len(test) == 1000


def test_every_digit_is_the_answer_equally_often():
    chains = ["".join(parts) for first in "0123456789" for parts in _continued(first, 2)]
    weight = defaultdict(float)
    for chain in chains:
        weight[last_digit(chain)] += math.prod(1 / len(CHAIN_OPERANDS[sign]) for sign in chain[1::2])
    assert max(weight.values()) == pytest.approx(min(weight.values()))


def _continued(first: str, operations: int):
    kinds = [f"{sign}{digit}" for sign, digits in CHAIN_OPERANDS.items() for digit in digits]
    return ((first, *parts) for parts in itertools.product(kinds, repeat=operations))


@pytest.mark.parametrize(
    ("completion", "correct", "reward", "errors"),
    [
        ("(131)1", True, 1.0, 0),
        ("1", True, 0.25, 0),
        ("(hmm)1", True, 0.25, 0),
        ("(+*-)1", True, 0.25, 0),
        ("(171)1", True, 0.75, 1),
        ("(13)1", True, 0.75, 1),
        ("(131)7", False, 0.75, 0),
        ("7", False, 0.0, 0),
        ("", False, 0.0, 0),
        ("(131", False, 0.0, 0),
        ("11", False, 0.0, 0),
        ("1" * 10_000_000, False, 0.0, 0),
    ],
)
def test_what_is_read_of_a_completion(completion, correct, reward, errors):
    problem = next(one for one in _all_like("4+7*3-2"))
    verdict = TASK.verify(problem, completion)
    assert (verdict.correct, verdict.step_errors) == (correct, errors) and verdict.reward == pytest.approx(reward)


def _all_like(chain):
    yield type(TASK.problem(0, 0))(f"{chain}=", running_values(chain)[-1], 3)


def test_solutions_are_right_and_fit():
    for problem in problems(TASK, 0, 0, 50):
        for text in (TASK.solution(problem), TASK.direct(problem)):
            assert TASK.verify(problem, text).correct and len(text) <= TASK.max_completion_chars(3)
        assert TASK.verify(problem, TASK.solution(problem)).reward == 1


def test_a_text_is_chains_with_answers_cut_anywhere():
    texts = [chains_text(TASK, 0, index, 31) for index in range(300)]
    assert all(len(text) == 31 for text in texts) and chains_text(TASK, 0, 7, 31) == texts[7]
    assert len({text.index(";") for text in texts}) > 8
    for text in texts:
        for chain in text.split(";")[1:-1]:
            asked, _, answer = chain.partition("=")
            assert answer == last_digit(asked)
    held_out = {
        chain.partition("=")[0] for i in range(200) for chain in chains_text(TASK, 0, i, 31, "test").split(";")[1:-1]
    }
    assert not held_out & {chain.partition("=")[0] for text in texts for chain in text.split(";")[1:-1]}


def test_kinds_of_characters():
    assert list(kinds_of_characters("3-2=1;4+7*3-2=1;")) == (
        ["number", "sign", "number", "mark", "cut", "mark"]
        + ["number", "sign", "number", "sign", "number", "sign", "number", "mark", "answer", "mark"]
    )


def test_floors_are_the_entropies_of_long_text():
    text = chains_text(TASK, 0, 0, 60_000)
    kinds, counts = list(kinds_of_characters(text)), Counter(kinds_of_characters(text))
    assert counts["answer"] == pytest.approx(len(text) / 10, rel=0.01)
    signs = Counter(character for character, kind in zip(text, kinds) if kind == "sign")
    assert -sum(n / counts["sign"] * math.log(n / counts["sign"]) for n in signs.values()) == pytest.approx(
        floors()["sign"], abs=0.01
    )
    after = defaultdict(Counter)
    for before, character, kind in zip(text, text[1:], kinds[1:]):
        if kind == "number":
            after[before][character] += 1
    spent = sum(-n * math.log(n / sum(own.values())) for own in after.values() for n in own.values())
    assert spent / sum(sum(own.values()) for own in after.values()) == pytest.approx(floors()["number"], abs=0.01)


def test_hints_and_ranges():
    problem = TASK.problem(0, 0)
    assert TASK.hint(problem) == f"{problem.prompt[:-1]}#{problem.answer}=" and load_task("chains") == TASK
    with pytest.raises(SpkitError, match="chains have 1 to 6 operations, not 7"):
        TASK.problem(0, 0, 7)
    with pytest.raises(SpkitError, match="is no chain: write it as"):
        running_values("4+")
