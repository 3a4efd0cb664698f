"""The language of expressions, checked against Python's own evaluation."""

import random
import re

import pytest

from spkit.run.errors import SpkitError
from spkit.tasks.expressions.language import (
    BASE,
    MAX_DEPTH,
    MAX_OPERATIONS,
    MAX_PROGRAM,
    Operation,
    depth,
    evaluate,
    fingerprint,
    longest_trace,
    operations,
    parse,
    random_program,
    split_of_tree,
    to_python,
    trace,
    tree_text,
)

PROGRAMS = [random_program(random.Random(i), i % (MAX_DEPTH + 1)) for i in range(4000)]


def test_values_are_pythons():
    rng = random.Random(0)
    for tree in PROGRAMS:
        compiled = compile(to_python(tree_text(tree)), "program", "eval")
        for x, y in [(0, 0), (9, 9)] + [(rng.randrange(BASE), rng.randrange(BASE)) for _ in range(4)]:
            assert evaluate(tree, (x, y)) == eval(compiled, {"__builtins__": {}}, {"x": x, "y": y})


def test_a_trace_is_the_program_with_the_value_in_python_behind_every_operation():
    for tree in PROGRAMS[:1500]:
        at = (7, 4)
        text = trace(tree, at)
        assert (
            len(text) <= longest_trace(depth(tree))
            and text.count("=") == operations(tree)
            and text[-1] == str(evaluate(tree, at))
        )
        assert re.sub("=[0-9]", "", text) == tree_text(tree).replace("x", "7").replace("y", "4")
        for _ in range(operations(tree)):
            found = re.search(r"\(([0-9][-+*][0-9])=([0-9])\)|^([0-9][-+*][0-9])=([0-9])$", text)
            work, value = (found[1], found[2]) if found[1] else (found[3], found[4])
            assert eval(to_python(work)) == int(value)
            text = text.replace(found[0], value, 1)


def test_a_program_has_one_tree_and_one_text():
    for tree in PROGRAMS:
        text = tree_text(tree)
        assert parse(text) == tree and tree_text(parse(text)) == text
        assert len(text) == max(1, 4 * operations(tree) - 1) <= MAX_PROGRAM


def test_random_programs_are_as_deep_as_asked_and_no_larger_than_allowed():
    for index, tree in enumerate(PROGRAMS):
        levels = index % (MAX_DEPTH + 1)
        assert depth(tree) == levels and levels <= operations(tree) <= MAX_OPERATIONS
    assert {operations(tree) for tree in PROGRAMS if depth(tree) == 4} == {4, 5}
    assert random_program(random.Random(5), 3) == random_program(random.Random(5), 3)


def test_by_hand():
    tree = parse("(x+y)*(y-3)")
    assert tree == Operation("*", Operation("+", "x", "y"), Operation("-", "y", "3"))
    assert evaluate(tree, (4, 7)) == 4 and evaluate(tree, (1, 2)) == 7  # 3 * -1 is 7 modulo 10
    assert trace(tree, (1, 2)) == "(1+2=3)*(2-3=9)=7" and trace(parse("x-((y*y)+1)"), (4, 7)) == "4-((7*7=9)+1=0)=4"
    assert parse("x") == "x" and trace("x", (4, 7)) == "4" and depth("x") == operations("x") == 0
    assert to_python("x-y") == "(x-y)%10" and evaluate(parse("x-y"), (0, 1)) == 9


def test_equal_functions_fall_on_the_same_side():
    for one, other in (("x+y", "y+x"), ("x*(y+1)", "(x*y)+x"), ("x+x", "2*x"), ("x-x", "y*0"), ("(x+5)-5", "x")):
        assert fingerprint(parse(one)) == fingerprint(parse(other)) and split_of_tree(parse(one)) == split_of_tree(
            parse(other)
        )
    for tree in PROGRAMS[:700]:
        if not isinstance(tree, str) and tree.sign != "-":
            assert split_of_tree(tree) == split_of_tree(Operation(tree.sign, tree.right, tree.left))
    shares = [split_of_tree(tree) == "test" for tree in PROGRAMS]
    assert 0.05 < sum(shares) / len(shares) < 0.2


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x+",
        "+x",
        "-x",
        "x y",
        "xy",
        "12",
        "x+12",
        "(x)",
        "(x+y)",
        "((x+y))*x",
        "x+y+x",
        "x+(y)",
        "x+(y+x",
        "x+y)",
        "x**y",
        "x/y",
        "x//y",
        "x%y",
        "z",
        "X",
        "x +y",
        "x+y\n",
        "x+y#",
        "٣",
        "x+٣",
        "²",
        "x+²",
        "()",
        "x()",
        "\x00",
        "(" * 35,
        ")" * 35,
    ],
)
def test_anything_else_is_no_program(text):
    with pytest.raises(SpkitError, match="not a program"):
        parse(text)


@pytest.mark.parametrize(
    "text", ["(" * 10_000_000, "x" * 10_000_000, "x+(" * 3_000_000 + "y" + ")" * 3_000_000, "x+y" + " " * 100_000]
)
def test_long_text_is_refused_unread(text):
    with pytest.raises(SpkitError, match="at most 9 operations, 35 characters") as caught:
        parse(text)
    assert len(str(caught.value)) < 200


def test_deep_programs_are_refused():
    text = "x"
    for _ in range(MAX_DEPTH + 1):
        text = f"({text})+y" if len(text) > 1 else "x+y"
    with pytest.raises(SpkitError, match="nests at most 6 operations, not 7"):
        parse(text)


def test_random_noise_parses_only_if_python_agrees():
    rng, parsed = random.Random(1), 0
    for _ in range(20000):
        text = "".join(rng.choice("xxyy159()+-*") for _ in range(rng.randint(1, 9)))
        try:
            tree = parse(text)
        except SpkitError:
            continue
        parsed += 1
        assert evaluate(tree, (3, 8)) == eval(to_python(text), {"x": 3, "y": 8})
    assert parsed > 500
