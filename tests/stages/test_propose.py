"""Proposals, what is stored of them and which problems are solved: each test names the mistake it would catch."""

from collections import Counter
from dataclasses import replace

import pytest

from spkit.run.errors import SpkitError
from spkit.stages.buffers import Buffers
from spkit.stages.propose import (
    ProposerConfig,
    duplicate_shares,
    proposable,
    proposals_by,
    propose,
    store,
    to_solve,
    uniform_proposals,
)
from spkit.stages.solve import solve
from spkit.stages.verify_roles import VerifierConfig
from spkit.tasks import KINDS, Expressions, load_task
from spkit.tasks.expressions.language import evaluate, parse
from spkit.tasks.expressions.problem import problem_about
from spkit.tasks.expressions.proposals import proposer_prompt
from tests.stages.by_hand import TASK, draw, made, said_of


def test_what_a_text_comes_to():
    assert TASK.parse("deduction", "x+y 1,2")[0] == problem_about("deduction", "x+y", [(1, 2)])
    assert TASK.parse("abduction", "x+y 1,2")[0].prompt == "abd x+y 3>"
    inputs = [(i, 9 - i) for i in range(10)]
    assert TASK.parse("induction", " ".join(f"{x},{y}" for x, y in inputs), "x*y")[0] == problem_about(
        "induction", "x*y", inputs
    )
    assert TASK.parse("induction", "1,2 1,2", "x*y") == (None, "input")
    assert [TASK.parse("deduction", text)[1] for text in ("", "x+ 1,2", "x+y 12", "x+y")] == [
        "text",
        "program",
        "input",
        "text",
    ]
    held = Expressions().problem(0, 0, 3, "test")
    problem, fault = TASK.parse("deduction", f"{held.program} 1,2")
    assert fault == "held out" and problem.program == held.program


def test_a_base_proposes_valid_problems_and_each_kind_is_asked_its_own_way(proposer, buffers):
    before = buffers.sizes()
    batch = propose(proposer, buffers, KINDS, 8, 2, draw())
    assert Counter(one.kind for one in batch) == dict.fromkeys(KINDS, 8) and buffers.sizes() == before
    assert sum(one.valid for one in batch) >= 12
    for one in batch:
        assert one.prompt.startswith(
            f"new {one.kind[:3] if one.kind == 'induction' else {'deduction': 'ded', 'abduction': 'abd'}[one.kind]}"
        )
        if one.kind != "induction":
            shown = one.prompt[:-1].split(";")[1:]
            assert len(shown) == len(set(shown)) == 2
            for reference in shown:
                program, at, output = reference.replace(":", " ").split(" ")
                at = tuple(map(int, at.split(",")))
                assert buffers.has(one.kind, (program, (at,))) and evaluate(parse(program), at) == int(output)
        elif one.valid:
            assert (
                one.prompt == proposer_prompt("induction", program=one.problem.program)
                and len(one.problem.inputs) == 10
            )


def test_proposals_twice_in_a_batch_or_there_already_are_duplicates(proposer, buffers, monkeypatch):
    sample = type(proposer).sample

    def parrot(self, prompts, *args, **kwargs):
        result = sample(self, prompts, *args, **kwargs)
        return replace(result, texts=["x 4,7", "x*x 2,2", "x*x 2,2"], finished=[True] * 3)

    monkeypatch.setattr(type(proposer), "sample", parrot)
    assert [one.fault for one in propose(proposer, Buffers(["deduction"], TASK), ["deduction"], 3, 1, draw())] == [
        "duplicate",
        None,
        "duplicate",
    ]


def test_every_valid_problem_is_stored_once_but_those_held_out(proposer):
    held = Expressions().problem(0, 0, 3, "test")
    store_here = Buffers(KINDS, TASK)
    store(
        store_here,
        [
            made(),
            made(),
            made(fault="duplicate"),
            made(program=None),
            made("abduction"),
            made(program=held.program, fault="held out"),
        ],
    )
    assert store_here.sizes() == {"deduction": 2, "abduction": 2, "induction": 1}
    assert store_here.has("deduction", ("x+y", ((1, 2),))) and not store_here.has(
        "deduction", (held.program, ((1, 2),))
    )


def test_a_short_kind_is_filled_and_new_problems_come_first(buffers):
    batch = [
        made(),
        made(program=None, fault="text"),
        made("abduction"),
        made("abduction", "x-y"),
        made("abduction", "y"),
        made("abduction", "x*y"),
    ]
    problems, origins = to_solve(batch, buffers, KINDS, 4, 0.0, draw())
    assert origins == [0, None, None, None, 2, 3, 4, 5, None, None, None, None]
    assert [problem.kind for problem in problems] == [kind for kind in KINDS for _ in range(4)]
    held = lambda problem: buffers.has(problem.kind, (problem.program, problem.inputs))
    assert all(problem == batch[origin].problem if origin is not None else held(problem)
               for problem, origin in zip(problems, origins))  # fmt: skip


def test_the_gate_keeps_invalid_text_out_unless_it_is_off_or_leaks_and_held_out_ones_always(buffers):
    batch = [made(program=None, fault="program", text=f"x+{i}+ 1,2") for i in range(200)] + [made(fault="held out")]
    met = lambda **gate: to_solve(batch, buffers, ["deduction"], 201, VerifierConfig(**gate).passes, draw())
    passed = {leak: len([o for o in met(leak=leak)[1] if o is not None]) for leak in (0.0, 0.3, 1.0)}
    assert passed[0.0] == 0 and 40 < passed[0.3] < 80 and passed[1.0] == 200
    problems, origins = met(gate="off")
    assert [o for o in origins if o is not None] == list(range(200)) and problems[3] == TASK.invalid(
        batch[3].kind, batch[3].text
    )
    assert (
        problems[3].prompt == "ded x+3+ 1,2>"
        and not said_of(problems[3], "4").correct
        and said_of(problems[3], "4").parsed == "4"
    )


def test_text_with_an_unknown_token_that_passes_the_gate_can_be_asked(proposer):
    problem = TASK.invalid("deduction", "y-(<unk>3*(x 1,9")
    assert (
        problem.prompt == "ded y-(3*(x 1,9>"
        and not solve(proposer, TASK, [problem], 4, temperature=1.0, generator=draw()).correct.any()
    )


def test_a_duplicate_is_a_program_and_kind_that_another_proposal_has():
    batch = [
        made(),
        made(inputs=((3, 4),)),
        made("abduction"),
        made(program="x-y"),
        made(program=None),
        made(program=None),
    ]
    assert duplicate_shares(batch) == [1 / 6, 1 / 6, 0, 0, 0, 0]


def test_depths_of_uniform_proposals_are_uniform_and_no_policy_wrote_them():
    drawn = uniform_proposals(["deduction"], TASK.difficulties, 1000, draw(), TASK)
    depths = Counter(one.problem.difficulty for one in drawn)
    assert sorted(depths) == [1, 2, 3, 4, 5] and min(depths.values()) > 150
    assert not any(one.prompt or one.token_ids for one in drawn)


def test_problems_that_are_static_are_not_proposed(buffers):
    assert proposals_by(ProposerConfig("static"), None, None, buffers, KINDS, 4, draw()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "teacher"}, "kind must be one of learned, frozen, uniform, static, not 'teacher'"),
        ({"reward": "r"}, r"reward must be one of 1-r, 1-2\|r-1/2\|"),
        ({"extremes": "mine"}, "extremes must be one of paper, code"),
        ({"references": -1}, "references must be 0 or more"),
        ({"seed_rounds": -1}, "seed_rounds must be 0 or more"),
        ({"weight": -1.0}, "weight must be 0 or more"),
    ],
)
def test_bad_settings_are_one_sentence(changes, message):
    with pytest.raises(SpkitError, match=message):
        ProposerConfig(**changes)


def test_another_task_has_no_proposer():
    wanted = (
        "Absolute Zero needs a task whose problems can be proposed: expressions, python_programs or stories, not sums"
    )
    with pytest.raises(SpkitError, match=wanted):
        proposable(load_task("sums"), ("deduction",))
