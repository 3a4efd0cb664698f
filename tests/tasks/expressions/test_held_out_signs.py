"""Expressions of some signs alone: what they ask, what their gate holds out, and what is left to measure transfer."""

from spkit.tasks import load_task, problems, test_set
from spkit.tasks.expressions import Expressions
from spkit.tasks.expressions.language import depth, parse, signs_of

NARROW = load_task("expressions-plus-minus")


def test_problems_have_the_signs_alone_and_the_default_task_is_as_it_was():
    assert NARROW.name == "expressions-plus-minus" and Expressions().name == "expressions"
    assert NARROW.of_kind["abduction"].name == "expressions-plus-minus-abduction"
    asked = problems(NARROW, 0, 0, 200) + test_set(NARROW, 20)
    assert {sign for one in asked for sign in signs_of(parse(one.program))} == {"+", "-"}
    assert {one.difficulty for one in asked} == {1, 2, 3, 4}
    # written by the version before there were signs to choose
    assert Expressions().problem(0, 4).prompt == "ded 2-((6+((y+x)+x))*(y-x)) 5,7>"


def test_signs_of_a_program_by_hand():
    assert signs_of(parse("x")) == set() and signs_of(parse("(x+y)*(y-3)")) == {"+", "*", "-"}


def test_the_gate_holds_out_other_signs_and_deeper_programs():
    deep = "((((x+y)-x)+y)-3)-x"
    for text, fault in (("x+y 1,2", None), ("x*y 1,2", "held out"), (f"{deep} 1,2", "held out"), ("x+ 1,2", "program")):
        problem, found = NARROW.parse("deduction", text)
        assert found == fault and (problem is None) == (fault == "program")
    assert depth(parse(deep)) == 5 and Expressions().parse("deduction", f"{deep} 1,2")[1] is None
    assert Expressions().parse("deduction", "x*y 1,2")[1] is None


def test_what_transfers_is_apart_from_what_is_trained_on():
    found = NARROW.transfers(10)
    assert all("*" in one.program for one in found["operators"]) and {one.difficulty for one in found["harder"]} == {
        5,
        6,
    }
    assert {one.kind for one in found["abduction"]} == {"abduction"}
    assert not any("*" in one.program for one in found["harder"] + found["abduction"])
    counts = [sum(one.difficulty == levels for one in found["operators"]) for levels in (1, 2, 3, 4)]
    assert counts == [10] * 4 and not Expressions().transfers(3)["operators"]
    assert load_task("chains").transfers(2) == {} or set(load_task("chains").transfers(2)) == {"harder"}
