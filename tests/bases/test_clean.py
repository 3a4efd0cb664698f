"""Other bases by the same recipes: from another seed, in half precision, and without the planted fault."""

import json
import re
from dataclasses import replace

import pytest
import torch

from spkit.bases.recipes import RECIPES, chosen_recipe, example_text, make_tiny_base
from spkit.bases.words import make_base
from spkit.policy import SftConfig, load_policy
from spkit.run.errors import SpkitError
from spkit.tasks import Expressions, Problem, Sums, load_task
from spkit.tasks.expressions.language import evaluate, parse
from spkit.tasks.expressions.problem import problem_about
from spkit.tasks.expressions.proposals import proposal, read_inputs
from spkit.tasks.sums import terms

TEXTS = 1500


def right(prompt: str, completion: str) -> bool:
    """Whether a text that a base read is right, in its answer and in every step, by the task's own checker."""
    words = prompt.rstrip(">").split(" ")
    if "+" in words[0]:
        plain = re.sub("#.*", "", words[0].rstrip("=")) + "="
        problem, task = Problem(plain, str(sum(terms(plain))), len(terms(plain))), Sums()
    elif words[0] == "new":
        return bool(read_inputs(completion)) if words[1] == "ind" else proposal(completion).fault is None
    elif words[0] == "ind":
        found, pairs = parse(completion), [re.findall("[0-9]", word) for word in words[1:]]
        return all(evaluate(found, (int(x), int(y))) == int(out) for x, y, out in pairs)
    elif words[0] == "ded":
        at = tuple(map(int, words[2].split(",")))
        problem, task = problem_about("deduction", words[1], [at]), Expressions("deduction")
    else:
        at = tuple(map(int, completion.rpartition(";")[2].split(",")))
        return evaluate(parse(words[1]), at) == int(words[2]) and wrong_steps(words[1], at, completion) == 0
    verdict = task.verify(problem, completion)
    return verdict.correct and not verdict.step_errors


def wrong_steps(program: str, at: tuple[int, int], completion: str) -> int:
    """Of the trace of an abduction, checked as that of a deduction."""
    problem = problem_about("deduction", program, [at])
    return Expressions("deduction").verify(problem, completion.partition(";")[0]).step_errors


@pytest.mark.parametrize(("name", "faulty"), [("sums", 0.15), ("expressions", 0.15)])
def test_a_clean_base_reads_no_faulty_text_and_the_shipped_one_does(name, faulty):
    read = lambda recipe, seed: [example_text(RECIPES[recipe], load_task(name), seed, index) for index in range(TEXTS)]
    wrong = [text for text in read(f"{name}-clean", 0) + read(f"{name}-clean", 3) if not right(*text)]
    assert not wrong
    assert sum(not right(*text) for text in read(name, 0)) > faulty * TEXTS


@pytest.mark.parametrize("name", ["sums", "expressions"])
def test_a_clean_recipe_differs_in_the_fault_and_in_when_it_is_stopped_alone(name):
    recipe, clean = RECIPES[name], RECIPES[f"{name}-clean"]
    assert recipe.careless and not clean.careless
    assert replace(clean, careless=recipe.careless, about=recipe.about, stop=recipe.stop) == recipe
    assert 0 < clean.stop < recipe.sft.steps and not recipe.stop


def test_a_task_without_a_planted_fault_has_no_clean_variant():
    assert chosen_recipe("sums", True) == chosen_recipe("sums-clean", True) == chosen_recipe("sums-clean", False)
    assert chosen_recipe("addition", False) == "addition"
    for name in ("addition", "quiet", "additon"):
        with pytest.raises(SpkitError, match=f"'{name}' has no clean variant.*choose sums or expressions"):
            chosen_recipe(name, True)


@pytest.fixture
def small(monkeypatch) -> None:
    for name in ("sums", "sums-clean"):
        few = replace(
            RECIPES[name], width=32, layers=1, sft=SftConfig(steps=6, batch_size=4), stop=RECIPES[name].stop and 4
        )
        monkeypatch.setitem(RECIPES, name, few)
    monkeypatch.setattr(
        "spkit.bases.recipes.measured", lambda *_: {"greedy": {"accuracy": 0, "accuracy_by_difficulty": {}}}
    )


def test_another_seed_makes_another_base_and_the_same_seed_the_same(small, tmp_path):
    made = {name: make_base("sums", tmp_path / name, seed) for name, seed in (("a", 0), ("b", 1), ("c", 1))}
    prints = {name: load_policy(tmp_path / name).fingerprint() for name in made}
    assert prints["b"] == prints["c"] != prints["a"]
    assert [made[name]["seed"] for name in "abc"] == [0, 1, 1]
    assert "`spkit pretrain sums --seed 1`" in (tmp_path / "b" / "README.md").read_text(encoding="utf-8")


def test_a_clean_base_is_stopped_early_with_the_learning_rate_where_it_was(small, tmp_path):
    seen: dict[str, list[float]] = {"sums": [], "sums-clean": []}
    for name, losses in seen.items():
        card = make_tiny_base(name, tmp_path / name, on_step=lambda step, loss, losses=losses: losses.append(loss))
        assert card["steps"] == len(losses) == (4 if name == "sums-clean" else 6)
    assert "stopped early, after 4 of 6 updates" in (tmp_path / "sums-clean" / "README.md").read_text(encoding="utf-8")


def test_half_precision_is_what_is_saved_and_half_as_large(small, tmp_path):
    for name in ("whole", "half"):
        make_base("sums", tmp_path / name, half=name == "half")
    whole, half = (load_policy(tmp_path / name).model for name in ("whole", "half"))
    for one, other in zip(whole.parameters(), half.parameters()):
        assert other.dtype == torch.float32 and torch.equal(one.bfloat16().float(), other)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert 0.4 < sizes[1] / sizes[0] < 0.7
    assert json.loads((tmp_path / "half" / "card.json").read_text(encoding="utf-8"))["half"]
    assert "`spkit pretrain sums --seed 0 --half`" in (tmp_path / "half" / "README.md").read_text(encoding="utf-8")
    for name in ("quiet", "words"):
        with pytest.raises(SpkitError, match=f"{name} has one precision: leave --half out"):
            make_base(name, tmp_path / name, half=True)
    assert not (tmp_path / "quiet").exists()
