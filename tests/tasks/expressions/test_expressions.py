"""The task of expressions: every kind of problem and verdict, the splits, and what a proposer may write."""

import random
from collections import Counter

import pytest

from spkit.run.errors import SpkitError
from spkit.tasks import KINDS, Expressions, load_task, problems, test_set
from spkit.tasks.base import INDUCTION_PAIRS, INDUCTION_SHOWN
from spkit.tasks.expressions.language import (
    MAX_DEPTH,
    apply,
    evaluate,
    fingerprint,
    parse,
    random_program,
    split_of_tree,
    trace,
    tree_text,
)
from spkit.tasks.expressions.problem import problem_about, step_errors
from spkit.tasks.expressions.proposals import (
    SEED,
    Triplet,
    inputs_text,
    proposal,
    proposal_text,
    proposer_prompt,
    read_inputs,
    read_proposal,
)

PROGRAM = "(x+y)*(y-3)"  # at 4,7: (4+7)*(7-3) = 1*4 = 4
DEDUCTION = problem_about("deduction", PROGRAM, [(4, 7)])
ABDUCTION = problem_about("abduction", PROGRAM, [(4, 7)])
INDUCTION = problem_about("induction", "x+y", [(i, 3) for i in range(INDUCTION_PAIRS)])
HOSTILE = [
    "",
    " ",
    "(" * 10_000_000,
    "4" * 10_000_000,
    "=" * 150,
    ";" * 150,
    "٤",
    "٤,٧",
    "4\n",
    "x" * 199,
    "\x00",
    "__import__('os').abort()",
    "9" * 100 + ",1",
]


def test_prompts_and_answers():
    assert (DEDUCTION.prompt, DEDUCTION.answer, DEDUCTION.difficulty) == ("ded (x+y)*(y-3) 4,7>", "4", 2)
    assert (ABDUCTION.prompt, ABDUCTION.answer, ABDUCTION.difficulty) == ("abd (x+y)*(y-3) 4>", "4,7", 2)
    assert (INDUCTION.prompt, INDUCTION.answer, INDUCTION.difficulty) == (
        "ind 0,3:3 1,3:4 2,3:5 3,3:6 4,3:7>",
        "x+y",
        1,
    )
    task = Expressions()
    assert task.solution(DEDUCTION) == "(4+7=1)*(7-3=4)=4" and task.solution(ABDUCTION) == "(4+7=1)*(7-3=4)=4;4,7"
    assert (
        task.hint(DEDUCTION) == "ded (x+y)*(y-3) 4,7#4>"
        and task.direct(ABDUCTION) == "4,7"
        and task.solution(INDUCTION) == "x+y"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_solution_is_right_in_every_step(kind):
    task = Expressions(kind)
    for levels in range(1, MAX_DEPTH + 1):
        for index in range(60):
            problem = task.problem(3, index, levels)
            assert (
                problem.difficulty == levels
                and problem.kind == kind
                and len(problem.inputs) == (INDUCTION_PAIRS if kind == "induction" else 1)
            )
            for text in (task.solution(problem), task.direct(problem)):
                verdict = task.verify(problem, text)
                assert verdict.correct and verdict.step_errors == 0 and len(text) <= task.max_completion_chars(levels)
            assert task.verify(problem, task.solution(problem)).reward == 1.0


@pytest.mark.parametrize(
    ("completion", "correct", "errors", "reward"),
    [
        ("(4+7=1)*(7-3=4)=4", True, 0, 1.0),
        ("4", True, 0, 1 / 4),  # no steps to be wrong, and only the answer earns anything
        ("(4+7)*(7-3)=4", True, 3, 1 / 4),  # nothing is worked out
        ("(4+7=1)*(7-3)=4", True, 2, 2 / 4),  # what comes after the place where it parts from the program is not read
        ("(4+7=2)*(7-3=2)=4", True, 2, 2 / 4),  # two slips that cancel
        ("(4+7=2)*(7-3=4)=8", False, 1, 2 / 4),  # one slip, carried on faithfully
        ("(4+7=1)*(7-3=4)=5", False, 1, 2 / 4),
        ("(4+7=1)*(7-3=4)=4=4", True, 1, 3 / 4),  # something follows
        ("(4+y=1)*(7-3=4)=4", True, 3, 1 / 4),
        ("(4+6=0)*(7-3=4)=0", False, 1, 2 / 4),  # another input than the one that was given
        ("(4+7=1)+(7-3=4)=5", False, 2, 1 / 4),  # another sign
        ("(4+7=1)*(7-3=4)=04", False, 2, 1 / 4),
        ("(4+7=1)*(7-3=4)=-6", False, 1, 2 / 4),
        ("(4+7=1)*(7-3=4)=٤", False, 1, 2 / 4),  # a digit of another script
        ("(4+7=1)*(7-3=4)=", False, 1, 2 / 4),
        ("(((4=)))=4", True, 3, 1 / 4),
    ],
)
def test_verdicts_of_deduction(completion, correct, errors, reward):
    verdict = Expressions().verify(DEDUCTION, completion)
    assert (verdict.correct, verdict.step_errors, verdict.reward) == (correct, errors, pytest.approx(reward))


@pytest.mark.parametrize(
    ("completion", "correct", "errors", "reward"),
    [
        ("(4+7=1)*(7-3=4)=4;4,7", True, 0, 1.0),
        ("(9+7=6)*(7-3=4)=4;9,7", True, 0, 1.0),  # another input with the same output
        ("4,7", True, 0, 1 / 4),
        ("9,7", True, 0, 1 / 4),
        ("(4+7=1)*(7-3=4)=4;9,7", True, 1, 3 / 4),  # the input is right, and it is another one that was checked
        ("(1+7=8)*(7-3=4)=2;1,7", False, 0, 3 / 4),  # a faithful check, of an input that does not give 4
        ("(1+7=8)*(7-3=4)=4;1,7", False, 1, 2 / 4),  # a check bent to the wanted output
        (";4,7", True, 3, 1 / 4),
        ("(4+7=1)*(7-3=4)=4;47", False, 3, 0.0),
        ("(4+7=1)*(7-3=4)=4;4,7;", False, 3, 0.0),
        ("(4+7=1)*(7-3=4)=4", False, 0, 0.0),
        ("4,17", False, 0, 0.0),
    ],
)
def test_verdicts_of_abduction(completion, correct, errors, reward):
    verdict = Expressions("abduction").verify(ABDUCTION, completion)
    assert (verdict.correct, verdict.step_errors, verdict.reward) == (correct, errors, pytest.approx(reward))
    assert verdict.parsed in (None, completion[-3:])


@pytest.mark.parametrize(
    ("completion", "correct", "errors", "reward"),
    [
        ("x+y", True, 0, 1.0),
        ("y+x", True, 0, 1.0),
        ("x+3", True, 0, 1.0),  # y is 3 in every pair, so that nothing tells these apart
        ("x*1", False, 5, 0.0),
        ("(x+y)", False, 0, 0.0),  # not in the language's one form
        ("x+y ", False, 0, 0.0),
        ("x**y", False, 0, 0.0),
    ],
)
def test_verdicts_of_induction(completion, correct, errors, reward):
    verdict = Expressions("induction").verify(INDUCTION, completion)
    assert (verdict.correct, verdict.step_errors, verdict.reward) == (correct, errors, pytest.approx(reward))


def test_induction_is_judged_by_the_hidden_half():
    shown, hidden = [(x, 0) for x in range(INDUCTION_SHOWN)], [(x, 1) for x in range(INDUCTION_SHOWN, INDUCTION_PAIRS)]
    problem, task = problem_about("induction", "x+y", shown + hidden), Expressions("induction")
    fits = task.verify(problem, "x")  # has every shown output right, and no hidden one
    assert not fits.correct and fits.step_errors == 0 and fits.reward == pytest.approx(5 / 6)
    other = task.verify(
        problem_about(
            "induction", "x", [(x, 1) for x in range(INDUCTION_SHOWN)] + [(x, 0) for x in range(INDUCTION_SHOWN)]
        ),
        "x+y",
    )
    assert other.correct is True or other.step_errors == INDUCTION_SHOWN


@pytest.mark.parametrize("problem", [DEDUCTION, ABDUCTION, INDUCTION], ids=KINDS)
def test_hostile_text_is_wrong_and_nothing_worse(problem):
    task = Expressions(problem.kind)
    for text in [*HOSTILE, *(random_text(seed) for seed in range(500))]:
        verdict = task.verify(problem, text)
        assert 0 <= verdict.reward < 1 and len(task.path(problem, text)) <= 200
        assert not verdict.correct or verdict.parsed in ("4", "x+3", "y+x", "x+y") or verdict.parsed[1] == ","
        assert read_inputs(text) is None and (text == "" or not proposal(text).valid or parse(text.split(" ")[0]))


def random_text(seed: int) -> str:
    rng = random.Random(seed)
    return "".join(rng.choice("xy0123456789()+-*=;,: ") for _ in range(rng.randrange(40)))


def test_a_verdict_is_perfect_only_for_the_trace():
    seen = Counter()
    for index in range(1500):
        rng, task = random.Random(index), Expressions(("deduction", "abduction")[index % 2])
        problem = task.problem(1, index, 1 + index % 4)
        text = list(task.solution(problem))
        for _ in range(rng.choice([0, 1, 1, 2])):
            text[rng.randrange(len(text))] = rng.choice("0123456789+-*()=;,")
        verdict, tree = task.verify(problem, "".join(text)), parse(problem.program)
        inputs = [(x, y) for x in range(10) for y in range(10)] if problem.kind == "abduction" else problem.inputs
        perfect = {
            trace(tree, at) + f";{at[0]},{at[1]}" * (problem.kind == "abduction")
            for at in inputs
            if evaluate(tree, at) == evaluate(tree, problem.inputs[0])
        }
        assert (
            (verdict.reward == 1.0)
            == (verdict.correct and verdict.step_errors == 0 and len(text) > 3)
            == ("".join(text) in perfect)
        )
        seen[verdict.correct, verdict.step_errors > 0] += 1
    assert min(seen[True, False], seen[True, True], seen[False, True]) > 50


def test_item_i_depends_on_seed_and_i_only():
    for kind in KINDS:
        task = Expressions(kind)
        assert problems(task, 3, 10, 5) == [load_task(task.name).problem(3, 10 + i) for i in range(5)]
        assert problems(task, 3, 0, 9) != problems(task, 4, 0, 9)
    assert [problem.difficulty for problem in problems(Expressions(), 0, 0, 10)] == [1, 2, 3, 4, 5] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_splits_share_no_function(kind):
    task = Expressions(kind)
    held_out = test_set(task, 60)
    train, test = ({fingerprint(parse(p.program)) for p in some} for some in (problems(task, 0, 0, 400), held_out))
    assert not train & test and len(held_out) == 300
    assert all(split_of_tree(parse(problem.program)) == "test" for problem in held_out)
    assert all(len(values) > 1 for values in map(set, train | test)), "no program is constant"


def test_the_plainest_functions_and_the_seed_are_for_training():
    assert all(
        split_of_tree(parse(text)) == "train" for text in ("x", "y", "x+y", "y+x", "x-y", "y-x", "x*y", SEED.program)
    )
    assert SEED == proposal(proposal_text(SEED)).triplet and evaluate(parse(SEED.program), SEED.at) == SEED.output


def test_lucky_answers_are_rare():
    """One slip in an inner operation of a program that is 4 deep ends in the right value in about one case of ten.

    No output is common.
    """
    rng, lucky, answers = random.Random(0), [], Counter()
    for index in range(800):
        problem = Expressions().problem(0, index, 4)
        answers[problem.answer] += 1
        slipped, text = rng.choice(list(slips(parse(problem.program), problem.inputs[0])))
        lucky.append(slipped == int(problem.answer))
        assert text == problem.program
    assert sum(lucky) / len(lucky) < 0.15 and max(answers.values()) / len(lucky) < 0.2


def slips(tree, at):
    """What comes out if one operation below the outermost is off by something, for each such operation."""
    inner = [side for side in (tree.left, tree.right) if not isinstance(side, str)]
    for side in inner:
        for off in range(1, 10):
            wrong = (evaluate(side, at) + off) % 10
            values = [wrong if one is side else evaluate(one, at) for one in (tree.left, tree.right)]
            yield apply(tree.sign, *values), tree_text(tree)


def test_proposer_prompts():
    triplets = [Triplet("x", (4, 7), 4), Triplet("x+y", (1, 2), 3)]
    assert proposer_prompt("deduction") == "new ded>" and proposer_prompt("abduction", levels=3) == "new abd 3>"
    assert proposer_prompt("deduction", levels=3, references=triplets) == "new ded 3;x 4,7:4;x+y 1,2:3>"
    assert proposer_prompt("induction", program="x+y") == "new ind x+y>"
    for kind, options, message in (
        ("induction", {}, "given a program and nothing else"),
        ("induction", {"program": "x", "levels": 2}, "given a program and nothing else"),
        ("deduction", {"program": "x"}, "given a program and nothing else"),
        ("deduction", {"levels": 7}, "0 to 6 deep, not 7"),
        ("reduction", {}, "choose one of deduction, abduction, induction"),
    ):
        with pytest.raises(SpkitError, match=message):
            proposer_prompt(kind, **options)


def test_a_valid_proposal_becomes_a_triplet_with_the_output_of_the_evaluator():
    rng, taken = random.Random(0), Counter()
    for _ in range(500):
        program, at = (
            tree_text(random_program(rng, rng.randrange(MAX_DEPTH + 1))),
            (rng.randrange(10), rng.randrange(10)),
        )
        made = proposal(f"{program} {at[0]},{at[1]}")
        assert made.valid and made.triplet == Triplet(program, at, evaluate(parse(program), at))
        assert made.fault == ("held out" if split_of_tree(parse(program)) == "test" else None)
        assert proposal_text(made.triplet) == f"{program} {at[0]},{at[1]}" and str(made.triplet).endswith(
            f":{made.triplet.output}"
        )
        assert problem_about("deduction", program, [at]).answer == str(made.triplet.output)
        taken[made.fault] += 1
    assert 0.05 < taken["held out"] / 500 < 0.25


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x+y 4,7", None),
        ("x+y 1,2", "duplicate"),
        ("x*y 1,2", "depth"),
        ("x+y+x 4,7", "program"),
        ("x//y 4,7", "program"),
        (" 4,7", "program"),
        ("x+y 4,10", "input"),
        ("x+y 4,7:1", "input"),
        ("x+y ٤,٧", "input"),
        ("x+y", "text"),
        ("x+y  4,7", "text"),
        ("x+y 4,7 ", "text"),
        ("", "text"),
        ("(" * 10_000_000, "text"),
        ("x+y 4,7" * 1_000_000, "text"),
    ],
)
def test_what_can_be_wrong_with_a_proposal(text, fault):
    depths = (1,) if "*" not in text else (2, 3)
    made = proposal(text, seen={("x+y", (1, 2))}, depths=depths)
    assert made.fault == fault and made.valid == (fault in (None, "duplicate"))


def test_inputs_for_induction():
    inputs = tuple((i, 9 - i) for i in range(INDUCTION_PAIRS))
    assert read_inputs(inputs_text(inputs)) == inputs
    for text in (
        inputs_text(inputs[:-1]),
        inputs_text(inputs[:-1] + inputs[:1]),
        inputs_text(inputs) + " ",
        inputs_text(inputs).replace(" ", ";"),
    ):
        assert read_inputs(text) is None
    assert read_proposal("x 1,2") == ("x", "1,2")


def test_bad_input_is_refused_in_a_sentence():
    for call, message in (
        (lambda: Expressions().problem(0, 0, 7), "1 to 6 deep, not 7"),
        (lambda: Expressions("reduction"), "choose one of deduction, abduction, induction"),
        (lambda: problem_about("induction", "x", [(1, 2)]), "induction has 10 inputs, not 1"),
        (lambda: problem_about("deduction", "x", []), "deduction has 1 input, not 0"),
        (lambda: problem_about("deduction", "x/y", [(1, 2)]), "not a program"),
        (lambda: problem_about("deduction", "x", [(10, 2)]), "x and y are 0 to 9"),
    ):
        with pytest.raises(SpkitError, match=message):
            call()


def test_steps_are_judged_as_they_were_written():
    tree = parse("((x+1)+1)+1")
    assert step_errors(tree, (1, 0), "((1+1=2)+1=3)+1=4") == 0
    assert step_errors(tree, (1, 0), "((1+1=3)+1=4)+1=5") == 1  # one slip, and what follows from it
    assert step_errors(tree, (1, 0), "((2+1=3)+1=4)+1=5") == 1
    assert step_errors(tree, (1, 0), "((1+1=2)+1=3)+1=4 and more") == 1
    assert step_errors(tree, (1, 0), "") == 3 and step_errors("x", (1, 0), "1") == 0
