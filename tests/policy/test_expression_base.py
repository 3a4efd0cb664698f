"""The base for expressions: what it reads, and that the shipped one plays both roles as its card says."""

import json
import random
from collections import Counter

import pytest

from spkit.policy import load_policy, shipped_models
from spkit.policy.expression_base import PROPOSALS, measured_roles, role_text
from spkit.policy.pretrain import RECIPES, reading
from spkit.policy.tiny import char_tokenizer
from spkit.tasks import Expressions, load_task, test_set
from spkit.tasks.expression_language import fingerprint, parse, split_of
from spkit.tasks.expression_proposals import proposal, read_inputs
from spkit.tasks.expressions import KINDS

RECIPE = RECIPES["expressions"]
READ = [reading(RECIPE, load_task("expressions"), 0, index) for index in range(4000)]


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
            "new " * (part == "propose") + kind.replace("deduction", "ded").replace("abduction", "abd").replace("induction", "ind")
        ] == pytest.approx(4000 * sum(shares.values()), rel=0.25)


def test_the_base_never_reads_a_test_function():
    held_out = {fingerprint(parse(problem.program)) for kind in KINDS for problem in test_set(Expressions(kind), 50)}
    shown = {text for read in READ for text in programs(*read)}
    assert len(shown) > 2000 and all(split_of(parse(text)) == "train" for text in shown)
    assert not held_out & {fingerprint(parse(text)) for text in shown}


def test_the_texts_of_a_proposer_are_valid_proposals():
    proposed = [(prompt, completion) for prompt, completion in READ if prompt.startswith("new")]
    for prompt, completion in proposed:
        assert read_inputs(completion) if prompt.startswith("new ind") else proposal(completion).fault is None
    named = [(prompt, completion) for prompt, completion in proposed if prompt[8:9].isdigit() and prompt[9] in ";>"]
    assert named and all(proposal(completion, depths=[int(prompt[8])]).valid for prompt, completion in named)


def test_texts_repeat_and_fit_the_model():
    tokenizer = char_tokenizer(RECIPE.alphabet, RECIPE.context)
    assert all(tokenizer.unk_token_id not in tokenizer(prompt + completion)["input_ids"] for prompt, completion in READ)
    assert max(len(prompt) + len(completion) for prompt, completion in READ) < RECIPE.context
    assert role_text(RECIPE.roles, random.Random(5), -1, 7) == role_text(RECIPE.roles, random.Random(5), -1, 7)


def test_the_shipped_base_plays_both_roles_as_its_card_says():
    card = json.loads((shipped_models()["expressions"] / "card.json").read_text())
    measured = measured_roles(load_policy("expressions"))
    for kind in KINDS:
        for how, by_depth in card["solver"][kind].items():
            assert measured["solver"][kind][how] == pytest.approx(by_depth, abs=0.05)
    for kind in KINDS[:2]:
        assert measured["proposer"][kind]["valid"] == pytest.approx(card["proposer"][kind]["valid"], abs=10 / PROPOSALS)
    greedy = card["solver"]["deduction"]["greedy"]
    assert min(greedy["1"], greedy["2"]) > 0.8 and max(greedy["3"], greedy["4"], greedy["5"]) < 0.4
    assert all(card["proposer"][kind]["valid"] > 0.8 for kind in KINDS[:2])
