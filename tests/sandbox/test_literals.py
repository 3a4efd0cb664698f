import ast
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spkit.sandbox.literals import MAX_BRACKETS, MAX_CHARS, NotLiteral, canonical, literal_text, read_literal, same
from tests.hostile import LOOKALIKES


@pytest.mark.parametrize(("gold", "answer", "right"), LOOKALIKES)
def test_answers_that_look_alike(gold, answer, right):
    assert same(gold, answer) == right == same(answer, gold)


def random_value(rng: random.Random, depth: int = 0):
    """Nested at random, with what is easily taken for something else."""
    kind = rng.randrange(10 if depth < 4 else 7)
    if kind < 7:
        values = [
            rng.randint(-9, 9),
            rng.random(),
            True,
            False,
            None,
            1.0,
            0,
            -0.5,
            10**30,
            "".join(rng.choices("a'\"\\\n\t{[(é\u202e", k=3)),
            b"a'\xff",
        ]
        return rng.choice(values)
    items = [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    keys = [rng.choice([index, str(index), (index, "a")]) for index in range(len(items))]
    return {7: items, 8: tuple(items), 9: dict(zip(keys, items))}[kind] if rng.random() < 0.9 else set(keys)


def exactly(one, other) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, (list, tuple)):
        return all(map(exactly, one, other))
    if isinstance(one, dict):
        return all(exactly(value, other[key]) for key, value in one.items())
    return True


def test_values_survive_and_agree_with_python():
    rng, equal, told_apart = random.Random(0), 0, 0
    values = [random_value(rng) for _ in range(3000)]
    for value in values:
        text = literal_text(value)
        assert exactly(read_literal(text), value) and exactly(ast.literal_eval(text), value)
    for one, other in zip(values, rng.sample(values, len(values))):
        equal += same(repr(one), repr(other))
        told_apart += one == other and not same(repr(one), repr(other))
        assert same(repr(one), repr(other)) == exactly(one, other)
    assert equal > 20 and told_apart > 5  # 1, 1.0 and True among them


def test_order_of_dicts_is_kept_in_text_and_ignored_in_comparison():
    assert literal_text({2: 1, 1: 2}) == "{2: 1, 1: 2}" and canonical("{2: 1, 1: 2}") == "{1: 2, 2: 1}"
    assert literal_text({3, "a", 1}) == literal_text({"a", 1, 3})


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "x",
            "f(1)",
            "1 + 1",
            "1 if 1 else 2",
            "[x for x in y]",
            "lambda: 1",
            "f'1'",
            "...",
            "1j",
            "0x10",
            "1_000",
            "*a",
            "a.b",
            "not 1",
        ),
        *(
            "[1",
            "1]",
            "[1)",
            "{1: }",
            "{**a}",
            "'a",
            "'a\nb'",
            "--1",
            "~1",
            "{[]}",
            "{{}: 1}",
            "{1, {2}}",
            "1 2",
            "\0",
            "'\0",
            "\ud800",
            "'\ud800'",
        ),
        *(
            "'\\N{NO SUCH NAME}'",
            "'\\x0'",
            "9" * 5000,
            "[" * (MAX_BRACKETS + 1) + "]" * (MAX_BRACKETS + 1),
            "1" + " " * MAX_CHARS,
        ),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_what_is_no_literal(text):
    with pytest.raises(NotLiteral):
        read_literal(text)
    assert canonical(text) is None and not same(text, text)


@pytest.mark.parametrize(
    "value",
    [object(), lambda: 1, 1j, frozenset([1]), range(3), type, [object()], {1: iter([])}, 10**6000, bool.__new__],
    ids=lambda value: type(value).__name__,
)
def test_values_without_a_literal(value):
    with pytest.raises(NotLiteral):
        literal_text(value)


def test_subclasses_do_not_pass_for_what_they_are_not():
    class Liar(int):
        def __repr__(self):
            return "42"

    with pytest.raises(NotLiteral):
        literal_text([Liar(7)])
    cycle = []
    cycle.append(cycle)
    with pytest.raises(NotLiteral, match="deep"):
        literal_text(cycle)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000_000,
        "7" * 10_000_000,
        "[" * 9999,
        "-" * 9999,
        "'" * 9999,
        "'\\" * 4999,
        "{" * 40 + ",:" * 4000,
        "1e" * 4999,
    ],
    ids=lambda text: text[:3],
)
def test_bombs_are_quick(text):
    begun = time.perf_counter()
    assert canonical(text) is None
    assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize(
    "text",
    ["[1,]" * 2000, "1" + "[0]" * 3000, "(1)" * 3000, "'a'[0]" * 1500, "{}" * 4000, "set()" * 1500, "1 1", "[1 [2]]"],
)
def test_values_behind_one_another_are_not_compiled(text, monkeypatch):
    monkeypatch.setattr(
        ast, "parse", lambda *rest, **options: pytest.fail("a chain of subscripts can overflow the compiler's stack")
    )
    assert canonical(text) is None


def test_a_small_stack_is_enough():
    """In a process of its own, for it would take this one with it."""
    texts = [
        "[" * MAX_BRACKETS + "]" * MAX_BRACKETS,
        "'a' " * 2000,
        "[1,]" * 2000,
        "[" + "1," * 4000 + "]",
        "-" * 9999,
        "1:" * 4999,
    ]
    program = (
        "import sys, threading, json\nfrom spkit.sandbox.literals import canonical\nthreading.stack_size(256 * 1024)\n"
    )
    program += (
        "thread = threading.Thread(target=lambda: [canonical(text) for text in "
        "json.load(sys.stdin)])\nthread.start(); thread.join()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(texts), text=True, cwd=Path(__file__).parents[2], timeout=60
    )
    assert done.returncode == 0


def test_an_unknown_escape_is_no_warning(recwarn):
    assert read_literal("'\\d'") == "\\d" and not recwarn.list
