"""The two roles of the base for expressions: what it reads as solver and as proposer, and how well it plays them."""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..measures.accuracy import by_difficulty
from ..policy.policy import Policy
from ..run.streams import generator
from ..stages.solve import solve
from ..tasks import KINDS, Expressions, test_set
from ..tasks.base import INDUCTION_PAIRS
from ..tasks.expressions.language import BASE, MAX_PROGRAM, Input, Tree, apply, depth, evaluate, parse, trace
from ..tasks.expressions.problem import ExpressionProblem
from ..tasks.expressions.proposals import (
    Proposal,
    Triplet,
    inputs_text,
    proposal,
    proposal_text,
    proposer_prompt,
    read_inputs,
)

REFERENCES = (
    0,
    0,
    1,
    1,
    2,
    3,
)  # how many triplets a prompt that was read shows: one of these; three of the longest fit the context
CARELESS_EXPRESSIONS = {
    2: 0.35,
    3: 0.6,
    4: 0.7,
    5: 0.75,
}  # how often an operation that many levels deep came out one too many in what was read
ASKED_SHARE = 0.5  # and names a depth so often
PROPOSALS = 300  # of each kind in the card


def role_text(
    roles: dict[str, dict[int, float]], slips: Mapping[int, float], rng: random.Random, stream: int, index: int
) -> tuple[str, str]:
    """(prompt, completion) number `index`: a solver's, or a proposer's.

    `roles` gives each role, kind and depth its share; `slips` is how careless a solver of deductions is.
    """
    choices = {(role, levels): share for role, shares in roles.items() for levels, share in shares.items()}
    role, levels = rng.choices(list(choices), list(choices.values()))[0]
    part, kind = role.split()
    task = Expressions(kind)
    problem = task.problem(stream, index, levels)
    if part == "propose":
        return _proposed(problem, rng)
    if kind != "deduction":
        return problem.prompt, task.solution(problem)
    return problem.prompt, careless_trace(parse(problem.program), problem.inputs[0], rng, slips)


def careless_trace(tree: Tree, at: Input, rng: random.Random, slips: Mapping[int, float] = CARELESS_EXPRESSIONS) -> str:
    """A trace by a writer who often writes one too many at an operation on something in brackets; `slips` says how
    often at an operation so many levels deep, never if it does not.

    What follows is worked out from what was written.
    """
    return _written_down(tree, at, rng, slips)[0]


def _written_down(tree: Tree, at: Input, rng: random.Random, slips: Mapping[int, float]) -> tuple[str, int]:
    if isinstance(tree, str):
        return trace(tree, at), evaluate(tree, at)
    (left, a), (right, b) = (_written_down(side, at, rng, slips) for side in (tree.left, tree.right))
    value = (apply(tree.sign, a, b) + (rng.random() < slips.get(depth(tree), 0.0))) % BASE
    sides = [side if len(side) == 1 else f"({side})" for side in (left, right)]
    return f"{sides[0]}{tree.sign}{sides[1]}={value}", value


def _proposed(problem: ExpressionProblem, rng: random.Random) -> tuple[str, str]:
    """What a proposer writes to set this problem.

    The references are unrelated to it, and half of the prompts name its depth.
    """
    if problem.kind == "induction":
        return proposer_prompt("induction", program=problem.program), inputs_text(_spread(rng))
    levels = problem.difficulty if rng.random() < ASKED_SHARE else None
    references = [_reference(rng) for _ in range(rng.choice(REFERENCES))]
    return proposer_prompt(problem.kind, levels=levels, references=references), proposal_text(_triplet(problem))


def _spread(rng: random.Random) -> list[Input]:
    """PAIRS inputs, all different and the first of them no less spread than the rest: x goes up by 3,
    modulo BASE, and y is random.
    """
    start = rng.randrange(BASE)
    return [((start + 3 * step) % BASE, rng.randrange(BASE)) for step in range(INDUCTION_PAIRS)]


def _triplet(problem: ExpressionProblem) -> Triplet:
    return Triplet(problem.program, problem.inputs[0], evaluate(parse(problem.program), problem.inputs[0]))


def _reference(rng: random.Random) -> Triplet:
    problem = Expressions().problem(rng.randrange(10**9), 0, rng.choice((1, 1, 2, 2, 3, 4)))
    return _triplet(problem)


def measured_roles(policy: Policy) -> dict[str, Any]:
    """For the card: `solver`, accuracy by kind and depth, greedy and sampled.

    `proposer`, what becomes of texts sampled at temperature 1.
    """
    solver = {kind: _solved(policy, Expressions(kind)) for kind in KINDS}
    return {"solver": solver, "proposer": {**_asked(policy), "induction": _inputs(policy)}}


def _solved(policy: Policy, task: Expressions) -> dict[str, dict[str, float]]:
    tests = test_set(task, 100)
    sampling = {"greedy": {}, "sampled": {"temperature": 1.0, "generator": generator(0, 0, "card")}}
    return {
        name: by_difficulty(tests, [verdict.correct for verdict in solve(policy, task, tests, **options).verdicts])
        for name, options in sampling.items()
    }


def _sampled(policy: Policy, prompts: list[str], longest: int) -> list[str]:
    return policy.sample(prompts, temperature=1.0, max_new_tokens=longest + 1, generator=generator(0, 1, "card")).texts


def _asked(policy: Policy) -> dict[str, Any]:
    """Shares of proposals, one a prompt, with as many references as were read: `valid`, each fault, distinct ones.

    And depths, wanted or not.
    """
    rng, report = random.Random(0), {}
    for kind in KINDS[:2]:
        references = [
            [_reference(rng) for _ in range(REFERENCES[index % len(REFERENCES)])] for index in range(PROPOSALS)
        ]
        plain = [proposer_prompt(kind, references=some) for some in references]
        named = [proposer_prompt(kind, levels=1 + index % 5, references=some) for index, some in enumerate(references)]
        free, wanted = (_proposals(policy, prompts) for prompts in (plain, named))
        valid = [made.triplet for made in free if made.valid]
        met = [made.valid and depth(parse(made.triplet.program)) == 1 + index % 5 for index, made in enumerate(wanted)]
        depths = Counter(depth(parse(triplet.program)) for triplet in valid)
        report[kind] = {
            "valid": len(valid) / PROPOSALS,
            "distinct": len(set(valid)) / max(1, len(valid)),
            "depths": {str(levels): count / len(valid) for levels, count in sorted(depths.items())},
            "faults": {
                str(fault): count / PROPOSALS for fault, count in Counter(made.fault for made in free).items() if fault
            },
            "valid_when_named": sum(made.valid for made in wanted) / PROPOSALS,
            "named_depth_met": {str(1 + level): sum(met[level::5]) / len(met[level::5]) for level in range(5)},
        }
    return report


def _proposals(policy: Policy, prompts: list[str]) -> list[Proposal]:
    return [proposal(text) for text in _sampled(policy, prompts, MAX_PROGRAM + len(" 4,7"))]


def _inputs(policy: Policy) -> dict[str, float]:
    tests = test_set(Expressions(), PROPOSALS // 3, (1, 2, 3))
    texts = _sampled(
        policy, [proposer_prompt("induction", program=problem.program) for problem in tests], 4 * INDUCTION_PAIRS - 1
    )
    return {"valid": sum(read_inputs(text) is not None for text in texts) / len(texts)}


def roles_text(card: dict[str, Any]) -> list[str]:
    """Lines for the card: a table of the solver's accuracies, and one of the proposer."""
    levels = list(card["solver"]["deduction"]["greedy"])
    percent = lambda values: " | ".join(f"{100 * value:.0f}" for value in values)
    proposer = card["proposer"]
    slips = ", ".join(f"{levels} deep: {100 * share:.0f} %" for levels, share in card["recipe"]["careless"].items())
    return [
        "",
        f"In the worked-out deductions that it read, an operation came out one too many so often: {slips or 'never'}.",
        "",
        "The three kinds of problems, accuracy in % by depth:",
        "",
        "| | " + " | ".join(levels) + " |",
        "|---|" + "---|" * len(levels),
        *(
            f"| {kind}, {how} | {percent(by.values())} |"
            for kind, hows in card["solver"].items()
            for how, by in hows.items()
        ),
        "",
        f"As a proposer, sampled at temperature 1, {PROPOSALS} texts of each kind, in %:",
        "",
        "| | valid | distinct among the valid | valid when a depth is named | named depth met, "
        + ", ".join(levels)
        + " |",
        "|---|---|---|---|---|",
        *(
            (
                f"| {kind} | {percent([row['valid'], row['distinct'], row['valid_when_named']])} | "
                f"{percent(row['named_depth_met'].values()).replace(' |', ',')} |"
            )
            for kind, row in proposer.items()
            if kind != "induction"
        ),
        "",
        *(
            f"- depths proposed for {kind}: "
            + ", ".join(f"{level}: {100 * share:.0f} %" for level, share in row["depths"].items())
            for kind, row in proposer.items()
            if kind != "induction"
        ),
        f"- ten distinct inputs for induction: {100 * proposer['induction']['valid']:.0f} %",
    ]
