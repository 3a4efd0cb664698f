"""Absolute Zero: each test names the mistake it would catch."""

from collections import Counter
from dataclasses import replace
from math import exp

import pytest
import torch
from spkit.stages.attempts import (
    Attempts,
    attempt,
    leniently_right,
    rewards_of,
    scores_of,
    verdict_on,
    vote_shares,
    votes_right,
)
from spkit.stages.worlds import ExpressionWorld

from spkit.loops import absolute_zero as loop
from spkit.loops.absolute_zero import (
    AbsoluteZeroConfig,
    absolute_zero,
    advantages_of,
    paid,
    rollouts,
    seeded,
    store,
    to_solve,
)
from spkit.maths.advantages import reinforce_pp, rloo, trr_pp
from spkit.policy import load_policy
from spkit.run.errors import SpkitError
from spkit.run.files import read_jsonl
from spkit.run.folder import Run
from spkit.run.streams import generator
from spkit.stages.buffers import Buffers
from spkit.stages.propose import PAYS, Proposed, duplicate_shares, pay, propose, uniform_proposals
from spkit.tasks import Expressions, load_task
from spkit.tasks.expressions.language import evaluate, parse, split_of_tree
from spkit.tasks.expressions.problem import KINDS, problem_about
from spkit.tasks.expressions.proposals import proposer_prompt

TASK = load_task("expressions")
WORLD = ExpressionWorld()
SMALL = AbsoluteZeroConfig(  # the paper's kinds, check and advantage
    iterations=2,
    kinds=KINDS,
    tasks=4,
    k=4,
    seed_rounds=2,
    check="answer",
    advantage="trr_pp",
    minibatches=3,
    measure_every=1,
    test_per_difficulty=2,
    test_samples=2,
    rows_at_once=256,
)


@pytest.fixture(scope="module")
def base():
    return load_policy("expressions")


@pytest.fixture(scope="module")
def buffers(base):
    return seeded(base, replace(SMALL, tasks=8))


def draw(number: int = 0) -> torch.Generator:
    return generator(7, number, "test")


def made(kind="deduction", program="x+y", inputs=((1, 2),), fault=None, text="") -> Proposed:
    """A proposal by hand; invalid without a program."""
    problem = problem_about(kind, program, inputs) if program else None
    return Proposed(kind, "new ded>", text, [3, 4], torch.tensor([-0.5, -1.5]), problem, fault)


# --- what the proposer is paid


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("1-r", (0, 7 / 8, 1 / 2, 1 / 8, 0)),
        ("1-2|r-1/2|", (0, 1 / 4, 1, 1 / 4, 0)),
        ("min(r,1-r)-dup", (0, 1 / 8, 1 / 2, 1 / 8, 0)),
        ("0<r<1", (0, 1, 1, 1, 0)),
        ("variance", (exp(-3.125), exp(-((9 / 64) ** 2) * 50), 1, exp(-((9 / 64) ** 2) * 50), exp(-3.125))),
        ("hardness", (1, 7 / 8, 1 / 2, 1 / 8, 0)),
        ("constant", (1, 1, 1, 1, 1)),
    ],
)
def test_every_pay_at_five_solve_rates_and_where_the_published_code_differs(name, values):
    rates = (0.0, 1 / 8, 1 / 2, 7 / 8, 1.0)
    assert [pay(name, r) for r in rates] == pytest.approx(values)
    coded = [pay(name, r, extremes="code") for r in rates]
    assert coded[1:4] == pytest.approx(values[1:4])
    assert [coded[0], coded[4]] == (list(values[::4]) if name in ("hardness", "constant") else [-0.5, -0.5])


def test_only_the_pay_that_says_so_minds_duplicates():
    assert {name for name in PAYS if pay(name, 0.5, 0.25) != pay(name, 0.5)} == {"min(r,1-r)-dup"}
    assert pay("min(r,1-r)-dup", 0.5, 0.25) == 0.25
    batch = [
        made(),
        made(inputs=((3, 4),)),
        made("abduction"),
        made(program="x-y"),
        made(program=None),
        made(program=None),
    ]
    assert duplicate_shares(batch) == [1 / 6, 1 / 6, 0, 0, 0, 0]


def test_invalid_text_has_its_price_a_held_out_problem_nothing_and_a_solved_one_is_paid_by_its_own_rate():
    batch = [made(), made(program=None, fault="text"), made(program="x-y", fault="held out"), made(program="y")]
    rates = torch.tensor([0.25, 0.9, 0.75])
    assert paid(batch, [3, None, 0], rates, SMALL) == [pytest.approx(0.25), -0.3, None, pytest.approx(0.75)]
    assert paid(batch, [1, 0, 3], rates, replace(SMALL, pay="hardness"))[1] == pytest.approx(0.75), (
        "text that passed the gate is a problem"
    )


# --- proposals and buffers


def test_what_a_text_comes_to():
    assert WORLD.checked("deduction", "x+y 1,2")[0] == problem_about("deduction", "x+y", [(1, 2)])
    assert WORLD.checked("abduction", "x+y 1,2")[0].prompt == "abd x+y 3>"
    inputs = [(i, 9 - i) for i in range(10)]
    assert WORLD.checked("induction", " ".join(f"{x},{y}" for x, y in inputs), "x*y")[0] == problem_about(
        "induction", "x*y", inputs
    )
    assert WORLD.checked("induction", "1,2 1,2", "x*y") == (None, "input")
    assert [WORLD.checked("deduction", text)[1] for text in ("", "x+ 1,2", "x+y 12", "x+y")] == [
        "text",
        "program",
        "input",
        "text",
    ]
    held = Expressions().problem(0, 0, 3, "test")
    problem, fault = WORLD.checked("deduction", f"{held.program} 1,2")
    assert fault == "held out" and problem.program == held.program


def test_a_base_proposes_valid_problems_and_each_kind_is_asked_its_own_way(base, buffers):
    before = buffers.sizes()
    batch = propose(base, buffers, KINDS, 8, 2, draw())
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


def test_references_that_do_not_fit_are_left_out(buffers):
    every = buffers.references("deduction", 100, 10**6, draw())
    assert len(every) == buffers.sizes()["deduction"]
    few = buffers.references("deduction", 100, 60, draw())
    assert 0 < len(few) < len(every) and sum(len(str(one)) + 1 for one in few) <= 60
    assert buffers.references("deduction", 100, 0, draw()) == []


def test_proposals_twice_in_a_batch_or_there_already_are_duplicates(base, buffers, monkeypatch):
    sample = type(base).sample

    def parrot(self, prompts, *args, **kwargs):
        result = sample(self, prompts, *args, **kwargs)
        return replace(result, texts=["x 4,7", "x*x 2,2", "x*x 2,2"], finished=[True] * 3)

    monkeypatch.setattr(type(base), "sample", parrot)
    assert [one.fault for one in propose(base, Buffers(["deduction"]), ["deduction"], 3, 1, draw())] == [
        "duplicate",
        None,
        "duplicate",
    ]


def test_every_valid_problem_is_stored_once_but_those_held_out(base):
    held = Expressions().problem(0, 0, 3, "test")
    store_here = Buffers(KINDS)
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


def test_the_buffers_start_from_the_identity_and_survive_a_checkpoint(buffers):
    assert Buffers(KINDS).sizes() == dict.fromkeys(KINDS, 1)
    for kind in KINDS:
        assert next(iter(buffers.entries[kind])) == WORLD.first[kind] and len(buffers.entries[kind]) > 4
        assert all(split_of_tree(parse(program)) == "train" for program, _ in buffers.entries[kind])
    again = Buffers.load(buffers.dump())
    assert [list(again.entries[kind]) for kind in KINDS] == [list(buffers.entries[kind]) for kind in KINDS]
    assert again.problems("abduction", 5, draw()) == buffers.problems("abduction", 5, draw())


def test_filling_is_uniform_and_takes_none_twice_before_all_had_their_turn(buffers):
    size = buffers.sizes()["deduction"]
    assert len({problem.prompt for problem in buffers.problems("deduction", size, draw())}) == size
    counts = Counter(problem.prompt for problem in buffers.problems("deduction", 2 * size + 1, draw()))
    assert sorted(set(counts.values())) == [2, 3]
    drawn = Counter(buffers.problems("deduction", 1, draw(number))[0].prompt for number in range(60 * size))
    assert len(drawn) == size and min(drawn.values()) > 30 and max(drawn.values()) < 100


def test_a_short_kind_is_filled_and_new_problems_come_first(buffers):
    batch = [
        made(),
        made(program=None, fault="text"),
        made("abduction"),
        made("abduction", "x-y"),
        made("abduction", "y"),
        made("abduction", "x*y"),
    ]
    problems, origins = to_solve(batch, buffers, SMALL, draw())
    assert origins == [0, None, None, None, 2, 3, 4, 5, None, None, None, None]
    assert [problem.kind for problem in problems] == [kind for kind in KINDS for _ in range(4)]
    assert all(problem == batch[origin].problem if origin is not None else buffers.has(problem.kind, (problem.program, problem.inputs))
               for problem, origin in zip(problems, origins))  # fmt: skip


def test_the_gate_keeps_invalid_text_out_unless_it_is_off_or_leaks_and_held_out_ones_always(buffers):
    batch = [made(program=None, fault="program", text=f"x+{i}+ 1,2") for i in range(200)] + [made(fault="held out")]
    wide = replace(SMALL, kinds=("deduction",), tasks=201)
    passed = {
        leak: len([o for o in to_solve(batch, buffers, replace(wide, leak=leak), draw())[1] if o is not None])
        for leak in (0.0, 0.3, 1.0)
    }
    assert passed[0.0] == 0 and 40 < passed[0.3] < 80 and passed[1.0] == 200
    problems, origins = to_solve(batch, buffers, replace(wide, gate="off"), draw())
    assert [o for o in origins if o is not None] == list(range(200)) and problems[3] == WORLD.unsound(
        batch[3].kind, batch[3].text
    )
    assert (
        problems[3].prompt == "ded x+3+ 1,2>"
        and not verdict_on(problems[3], "4").correct
        and verdict_on(problems[3], "4").parsed == "4"
    )


def test_text_with_an_unknown_token_that_passes_the_gate_can_be_asked(base):
    problem = WORLD.unsound("deduction", "y-(<unk>3*(x 1,9")
    assert problem.prompt == "ded y-(3*(x 1,9>" and not attempt(base, [problem], 4, draw()).correct.any()


# --- attempts and their scores


def test_attempts_are_sampled_and_do_not_all_agree(base):
    """Greedy rollouts, the fault of one published branch, would make every r 0 or 1, and no problem worth proposing."""
    problems = [TASK.problem(0, index, 4) for index in range(6)]
    attempts = attempt(base, problems, 8, draw())
    answers = [{verdict.parsed for verdict in attempts.verdicts[8 * i : 8 * i + 8]} for i in range(6)]
    assert sum(len(some) > 1 for some in answers) >= 5
    assert attempts.correct.shape == (6, 8)


def hand_made(problem, texts, finished=None) -> Attempts:
    rows = type("Rows", (), {"texts": texts, "finished": finished or [True] * len(texts)})
    return Attempts(
        [problem], len(texts), rows, [verdict_on(problem, text, end) for text, end in zip(texts, rows.finished)]
    )


def test_scores_and_rewards_by_hand():
    problem = problem_about("deduction", "x+y", [(1, 2)])
    attempts = hand_made(problem, ["1+2=3", "4", "1+2=4", "1+2=", "3"], [True, True, True, True, False])
    assert attempts.correct.tolist() == [[1, 0, 0, 0, 0]]
    assert vote_shares(attempts).tolist() == [pytest.approx([1 / 5, 2 / 5, 2 / 5, 0, 0])]
    grounded = scores_of(attempts, "answer", 0.0, draw())
    assert rewards_of(attempts, grounded, -0.5, -1.0).tolist() == [[1, -0.5, -0.5, -1, -1]]
    voted = scores_of(attempts, "vote_share", 0.0, draw())
    assert rewards_of(attempts, voted, -0.5, -1.0)[0].tolist() == pytest.approx([1 / 5, 2 / 5, 2 / 5, -1, -1])
    assert scores_of(attempts, "answer", 1.0, draw()).tolist() == [[0, 1, 1, 1, 1]]
    many = hand_made(problem, ["3"] * 2000)
    assert scores_of(many, "answer", 0.2, draw()).mean().item() == pytest.approx(0.8, abs=0.03)


def test_the_vote_is_right_as_often_as_its_winners_are():
    problem = problem_about("deduction", "x+y", [(1, 2)])
    for texts, chance in (
        (["3", "1+2=3", "4", "5"], 1.0),
        (["3", "4", "4", "5"], 0.0),
        (["3", "4", "5", "1+"], 1 / 3),
        (["3", "3", "4", "4"], 0.5),
        (["1+", "(", "x"], 0.0),
    ):
        assert votes_right(hand_made(problem, texts)) == [pytest.approx(chance)]
    assert votes_right(hand_made(problem, ["4", "3", "3"], [True, False, False])) == [0.0], (
        "what was cut off has no vote"
    )
    two = problem_about("abduction", "x+y", [(1, 2)])
    assert votes_right(hand_made(two, ["1+2=3;1,2", "0+3=3;0,3", "0+3=3;0,3"])) == [1.0], (
        "any input that gives the output is right"
    )


def test_the_check_of_steps_pays_no_lucky_answer():
    problem = problem_about("deduction", "(x+y)*2", [(1, 2)])
    attempts = hand_made(problem, ["(1+2=3)*2=6", "(1+2=4)*2=6", "6", "(1+2=3)*2=5", "(1+2)*2=6"])
    assert attempts.correct.tolist() == [[1, 1, 1, 0, 1]]
    assert scores_of(attempts, "steps", 0.0, draw()).tolist() == [[1, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("kind", "honest", "list_of_all", "wrong"),
    [
        ("deduction", "1+2=3", "1+2=0123456789", "1+2=45"),
        ("abduction", "1+2=3;1,2", "1+2=3;5,5 1,2", "1+2=3;5,5 6,6"),
        ("induction", "x+y", "x-y x+y", "x-y y-x"),
    ],
)
def test_the_lenient_check_is_talked_round_by_a_list_and_the_strict_one_is_not(kind, honest, list_of_all, wrong):
    problem = problem_about(kind, "x+y", [(i, (3 * i + 1) % 10) for i in range(10)] if kind == "induction" else [(1, 2)])
    assert [leniently_right(problem, text) for text in (honest, list_of_all, wrong)] == [True, True, False]
    assert [verdict_on(problem, text).correct for text in (honest, list_of_all, wrong)] == [True, False, False]
    assert scores_of(hand_made(problem, [list_of_all, wrong]), "lenient", 0.0, draw()).tolist() == [[1, 0]]


# --- learning


def test_advantages_are_those_of_their_names():
    cells = (
        [("deduction", "solver")] * 4
        + [("abduction", "solver")] * 4
        + [("deduction", "proposer"), ("deduction", "proposer")]
    )
    rewards = torch.tensor([1, -0.5, 1, -1, 1, 1, -0.5, -0.5, 0.25, -1.0])
    lengths = torch.tensor([3, 5, 2, 9, 4, 4, 4, 4, 6, 2])
    ask = lambda kind, whiten="tokens", baselines=None: advantages_of(  # noqa: E731
        replace(SMALL, advantage=kind, whiten=whiten), rewards, cells, lengths, 2, 8, baselines
    )
    assert torch.equal(ask("trr_pp")[0], trr_pp(rewards, cells, lengths))
    assert torch.equal(ask("trr_pp", "rows")[0], trr_pp(rewards, cells))
    assert torch.equal(ask("global")[0], reinforce_pp(rewards, lengths))
    assert torch.equal(ask("rloo")[0][:8], rloo(rewards[:8].view(-1, 2)).flatten())
    assert torch.equal(ask("rloo")[0][8:], trr_pp(rewards[8:], cells[8:], lengths[8:]))
    first, means = ask("rae")
    assert set(means) == {"deduction solver", "abduction solver", "deduction proposer"}
    assert (
        first[0] == 1
        and first[1].item() == pytest.approx(-0.55)
        and not torch.equal(ask("rae", baselines=means)[0], first)
    )


def test_the_proposer_learns_from_what_it_was_paid_for_and_only_if_it_is_learned(base, buffers):
    batch = propose(base, buffers, KINDS, 4, 2, draw())
    batch[:2] = [replace(batch[0], fault="held out"), replace(batch[1], problem=None, fault="text")]
    problems, origins = to_solve(batch, buffers, SMALL, draw())
    attempts = attempt(base, problems, 2, draw())
    earned = paid(batch, origins, attempts.correct.mean(1), SMALL)
    assert earned[0] is None or not batch[0].valid
    earned[0] = None
    learned = [one for one, reward in zip(batch, earned) if reward is not None]
    assert len(learned) >= 8 and any(one.fault and not one.valid for one in learned), "invalid text is learned from too"
    for proposer, extra in (("learned", len(learned)), ("frozen", 0), ("uniform", 0)):
        rows, _ = rollouts(base, attempts, attempts.correct, batch, earned, replace(SMALL, proposer=proposer), None)
        assert len(rows) == 24 + extra
    rows, _ = rollouts(base, attempts, attempts.correct, batch, earned, SMALL, None)
    assert [row.example.completion for row in rows[24:]] == [one.token_ids for one in learned]
    assert rows[24].example.prompt == base.prompt_ids(learned[0].prompt)
    light, _ = rollouts(base, attempts, attempts.correct, batch, earned, replace(SMALL, proposer_weight=1.0), None)
    assert [row.advantage for row in rows[:24]] == [row.advantage for row in light[:24]]
    assert [row.advantage for row in rows[24:]] == pytest.approx([8 * row.advantage for row in light[24:]]) and any(
        row.advantage for row in light[24:]
    )


@pytest.mark.parametrize("rows", [384, 417, 432])
def test_every_role_knob_has_as_many_optimizer_steps(rows):
    assert -(-rows // AbsoluteZeroConfig().update(rows).batch_size) == 2


# --- whole runs


def test_a_run_says_what_it_did(base, tmp_path):
    config = replace(SMALL, iterations=3, measure_every=2, advantage="rae")
    rows = list(absolute_zero(base, TASK, config, Run(tmp_path / "r")))
    assert ["accuracy" in row for row in rows] == [True, False, True, True]
    for row in rows[1:]:
        assert (
            0 <= row["valid"] <= 1
            and row["proposed_depth"] > 0
            and row["learned"]["ratio_first"] == pytest.approx(1, abs=1e-3)
        )
        assert row["vote_gap"] == pytest.approx(row["vote_share"] - row["sampled_accuracy"])
        assert row["vote_right_by_depth"].keys() == row["solve_rate_by_depth"].keys() and 0 <= row["vote_right"] <= 1
        assert row["solver_entropy"] > 0 and row["proposer_entropy"] > 0 and row["learned"]["steps"] <= 3
        assert 0 <= row["learnability"] <= row["solve_rate"] * (1 - row["solve_rate"]) + 1e-6, (
            "the mean of r(1-r) is at most that of the mean r"
        )
    assert (
        rows[1]["buffers"]["deduction"] <= rows[2]["buffers"]["deduction"] <= rows[3]["buffers"]["deduction"]
        and rows[3]["baselines"]
    )
    tests = rows[2]["tests"]["deduction"]
    assert tests["greedy"] == rows[2]["accuracy_by_difficulty"] and list(rows[2]["tests"]) == list(KINDS)
    assert all(tests["pass@1"][depth] <= tests["pass@2"][depth] for depth in tests["greedy"])
    samples = [row for row in read_jsonl(tmp_path / "r" / "samples.jsonl") if row.get("role")]
    solver = [row for row in samples if row["role"] == "solver"]
    assert (
        len(solver) == 3 * 12 * 4
        and len(samples) == len(solver) + 3 * 12
        and {row["step"] for row in samples} == {1, 2, 3}
    )
    assert all(row["correct"] == (row["reward"] == 1) for row in solver)


def test_a_killed_run_goes_on_with_its_buffers_its_optimizer_and_its_means(base, tmp_path):
    config = replace(SMALL, iterations=3, advantage="rae")
    strip = lambda rows: [{key: value for key, value in row.items() if key != "seconds"} for row in rows]  # noqa: E731
    whole = strip(absolute_zero(base, TASK, config, Run(tmp_path / "whole")))
    for done in (1, 2):
        list(
            absolute_zero(
                base,
                TASK,
                replace(config, iterations=done, measure_every=config.measure_every),
                Run(tmp_path / str(done)),
            )
        )
        assert strip(absolute_zero(base, TASK, config, Run(tmp_path / str(done)))) == whole
    assert whole == strip(absolute_zero(base, TASK, config))


def test_the_four_proposers(base, monkeypatch):
    asked_of, real = [], loop.propose

    def spy(policy, *args):
        asked_of.append(policy.fingerprint())
        return real(policy, *args)

    monkeypatch.setattr(loop, "propose", spy)
    seen = {}
    for proposer in loop.PROPOSERS:
        asked_of.clear()
        run = Run()
        rows = list(absolute_zero(base, TASK, replace(SMALL, proposer=proposer, seed_rounds=1), run))
        seen[proposer] = (list(asked_of), rows)
        assert all(row["learned"]["steps"] <= 3 for row in rows[1:])
    own = base.fingerprint()
    assert seen["learned"][0][:2] == [own, own] and seen["learned"][0][2] != own, (
        "after an update the new weights propose"
    )
    assert seen["frozen"][0] == [own, own, own]
    assert seen["uniform"][0] == seen["static"][0] == [own], "the base fills the buffers and is not asked again"
    static = seen["static"][1]
    assert static[1]["buffers"] == static[2]["buffers"] and all(
        row["filled"] == 1 and "valid" not in row for row in static[1:]
    )
    uniform = seen["uniform"][1]
    assert uniform[1]["filled"] == 0 and uniform[1]["valid"] == 1 and "proposer_entropy" not in uniform[1]
    depths = Counter(
        one.problem.difficulty for one in uniform_proposals(["deduction"], TASK.difficulties, 1000, draw())
    )
    assert sorted(depths) == [1, 2, 3, 4, 5] and min(depths.values()) > 150


def test_random_rewards_are_those_of_the_same_problems_dealt_anew(base, monkeypatch):
    seen, real = [], loop.rollouts

    def spy(policy, attempts, rewards, *args):
        seen.append((rewards, rewards_of(attempts, attempts.correct, -0.5, -1.0)))
        return real(policy, attempts, rewards, *args)

    monkeypatch.setattr(loop, "rollouts", spy)
    list(absolute_zero(base, TASK, replace(SMALL, iterations=1, reward="random", k=8)))
    (dealt, true), = seen  # fmt: skip
    assert torch.equal(dealt.sort(1).values, true.sort(1).values) and not torch.equal(dealt, true)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kinds": ()}, "kinds must be some of deduction, abduction, induction, each once, not none"),
        ({"kinds": ("deduction", "deduction")}, "each once"),
        ({"kinds": ("addition",)}, "kinds must be some of"),
        ({"kinds": ("induction",)}, "add one of the two to kinds"),
        ({"k": 1}, "k must be 2 or more"),
        ({"pay": "r"}, "pay must be one of 1-r"),
        ({"proposer": "teacher"}, "proposer must be one of"),
        ({"gate": "open"}, "gate must be one of strict, off"),
        ({"leak": 1.5}, "leak must be between 0 and 1"),
        ({"flip_rate": -0.1}, "flip_rate must be between 0 and 1"),
        ({"extremes": "mine"}, "extremes must be one of paper, code"),
        ({"advantage": "ppo"}, "advantage must be one of"),
        ({"check": "gold"}, "check must be one of answer, steps, lenient"),
        ({"whiten": "all"}, "whiten must be one of"),
        ({"minibatches": 0}, "minibatches must be 1 or more"),
        ({"clip_low": 0.0}, "clip_low must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate must be 0 or more"),
    ],
)
def test_bad_settings_are_one_sentence(changes, message):
    with pytest.raises(SpkitError, match=message.replace("(", r"\(").replace("|", r"\|")):
        AbsoluteZeroConfig(**changes)


def test_another_task_has_no_proposer(base):
    with pytest.raises(
        SpkitError,
        match="Absolute Zero needs a task whose problems can be proposed: expressions or python_programs, not sums",
    ):
        next(absolute_zero(base, load_task("sums"), SMALL))
