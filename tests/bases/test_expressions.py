"""The base for expressions: what it reads, and that the shipped one plays both roles as its card says."""

import json
import random
from collections import Counter

import pytest

from spkit.bases.expressions import CARELESS_EXPRESSIONS, REFERENCES, careless_trace, role_text
from spkit.bases.recipes import RECIPES, example_text
from spkit.bases.tiny import char_tokenizer
from spkit.measures.accuracy import by_difficulty
from spkit.policy import load_policy, shipped_models
from spkit.run.streams import generator
from spkit.stages.solve import solve
from spkit.tasks import KINDS, Expressions, load_task, test_set
from spkit.tasks.base import INDUCTION_PAIRS
from spkit.tasks.expressions.language import MAX_DEPTH, MAX_PROGRAM, fingerprint, parse, split_of_tree
from spkit.tasks.expressions.problem import step_errors
from spkit.tasks.expressions.proposals import (
    Triplet,
    inputs_text,
    proposal,
    proposal_text,
    proposer_prompt,
    read_inputs,
)

RECIPE = RECIPES["expressions"]
READ = [example_text(RECIPE, load_task("expressions"), 0, index) for index in range(4000)]


def programs(prompt: str, completion: str) -> list[str]:
    """Every program that a text shows: asked about, shown as a reference, proposed or found."""
    head, *references = prompt.rstrip(">").split(";")
    words = [*head.split(" ")[1:2], *(reference.split(" ")[0] for reference in references), *completion.split(" ")[:1]]
    return [word for word in words if set("xy") & set(word)]


def test_the_recipe_is_a_distribution_over_both_roles_and_every_kind():
    assert sum(share for shares in RECIPE.roles.values() for share in shares.values()) == pytest.approx(1)
    assert set(RECIPE.roles) == {f"{role} {kind}" for role in ("solve", "propose") for kind in KINDS}
    seen = Counter(prompt[:7] if prompt.startswith("new") else prompt[:3] for prompt, _ in READ)
    for role, shares in RECIPE.roles.items():
        part, kind = role.split()
        assert seen[
            "new " * (part == "propose")
            + kind.replace("deduction", "ded").replace("abduction", "abd").replace("induction", "ind")
        ] == pytest.approx(4000 * sum(shares.values()), rel=0.25)


def test_the_base_never_reads_a_test_function():
    held_out = {fingerprint(parse(problem.program)) for kind in KINDS for problem in test_set(Expressions(kind), 50)}
    shown = {text for read in READ for text in programs(*read)}
    assert len(shown) > 2000 and all(split_of_tree(parse(text)) == "train" for text in shown)
    assert not held_out & {fingerprint(parse(text)) for text in shown}


def test_the_texts_of_a_proposer_are_valid_proposals():
    proposed = [(prompt, completion) for prompt, completion in READ if prompt.startswith("new")]
    for prompt, completion in proposed:
        assert read_inputs(completion) if prompt.startswith("new ind") else proposal(completion).fault is None
    named = [(prompt, completion) for prompt, completion in proposed if prompt[8:9].isdigit() and prompt[9] in ";>"]
    assert named and all(proposal(completion, depths=[int(prompt[8])]).valid for prompt, completion in named)


def test_careless_writers_are_one_too_many_as_often_as_stated_and_carry_it_on():
    rng = random.Random(0)
    for levels in (1, 2, 3, 5):
        tree = parse("(" * (levels - 1) + "x+y" + ")+1" * (levels - 1))
        slips = [step_errors(tree, (2, 3), careless_trace(tree, (2, 3), rng)) for _ in range(1000)]
        assert sum(slips) / 1000 == pytest.approx(
            sum(CARELESS_EXPRESSIONS.get(level, 0) for level in range(2, levels + 1)), abs=0.12
        )
    assert careless_trace(parse("(x+y)-1"), (2, 3), random.Random(1)) in ("(2+3=5)-1=4", "(2+3=5)-1=5")


def test_texts_repeat_and_fit_the_model():
    tokenizer = char_tokenizer(RECIPE.alphabet, RECIPE.context)
    assert all(tokenizer.unk_token_id not in tokenizer(prompt + completion)["input_ids"] for prompt, completion in READ)
    assert max(len(prompt) + len(completion) for prompt, completion in READ) < RECIPE.context
    first, second = (role_text(RECIPE.roles, {}, random.Random(5), -1, 7) for _ in range(2))
    assert first == second


def test_the_longest_texts_of_both_roles_fit_the_model():
    reference = Triplet("y" * MAX_PROGRAM, (9, 9), 9)
    proposer = proposer_prompt("deduction", levels=MAX_DEPTH, references=[reference] * max(REFERENCES)) + proposal_text(
        reference
    )
    given = proposer_prompt("induction", program=reference.program) + inputs_text([(9, 9)] * INDUCTION_PAIRS)
    solvers = [
        len(f"ded {reference.program} 9,9>") + Expressions(kind).max_completion_chars(levels)
        for kind in KINDS
        for levels in range(1, MAX_DEPTH + 1)
    ]
    assert max(len(proposer), len(given), *solvers) < RECIPE.context


@pytest.fixture(scope="module")
def shipped():
    return load_policy("expressions"), json.loads((shipped_models()["expressions"] / "card.json").read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_base_solves_as_its_card_says(shipped, kind):
    policy, card = shipped
    tests = test_set(Expressions(kind), 100, (1, 2, 3))
    measured = by_difficulty(tests, [verdict.correct for verdict in solve(policy, Expressions(kind), tests).verdicts])
    stated = card["solver"][kind]["greedy"]
    assert measured == pytest.approx({level: stated[level] for level in measured}, abs=0.05)


def test_the_shipped_base_does_short_programs_and_hardly_deeper_ones(shipped):
    solver = shipped[1]["solver"]
    greedy, sampled = solver["deduction"]["greedy"], solver["deduction"]["sampled"]
    assert greedy["1"] > 0.9 and 0.75 < greedy["2"] and 0.05 < greedy["3"] < 0.4 and sampled["2"] < 0.8
    assert max(greedy["4"], greedy["5"]) < 0.25, "near the 0.1 of a random digit"
    assert solver["abduction"]["greedy"]["1"] > 0.8


@pytest.mark.parametrize("kind", KINDS[:2])
def test_the_shipped_base_proposes_as_its_card_says(shipped, kind):
    policy, card = shipped
    texts = policy.sample(
        [proposer_prompt(kind)], 200, max_new_tokens=MAX_PROGRAM + 5, generator=generator(7, 0, "test")
    ).texts
    made = [proposal(text) for text in texts]
    valid = sum(one.valid for one in made) / len(made)
    assert valid > 0.8 and valid == pytest.approx(card["proposer"][kind]["valid"], abs=0.1)
    assert len({one.triplet for one in made if one.valid}) > 0.8 * valid * len(made)


def test_the_shipped_base_proposes_inputs(shipped):
    policy, card = shipped
    texts = policy.sample(
        [proposer_prompt("induction", program="x+(y*3)")],
        100,
        max_new_tokens=4 * INDUCTION_PAIRS,
        generator=generator(7, 0, "test"),
    ).texts
    valid = sum(read_inputs(text) is not None for text in texts) / len(texts)
    assert valid == pytest.approx(card["proposer"]["induction"]["valid"], abs=0.15)
