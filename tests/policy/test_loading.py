"""Saving, loading, and the shipped models."""

import json
import sys

import pytest
import torch

from spkit.bases.recipes import RECIPES, example_text, make_tiny_base
from spkit.measures.accuracy import accuracy
from spkit.policy import load_policy, shipped_models
from spkit.run.errors import SpkitError
from spkit.stages.solve import solve
from spkit.tasks import load_task, test_set
from spkit.tasks.addition import operands
from spkit.tasks.sums import terms


def test_save_and_load_give_the_same_policy(policy, tmp_path):
    policy.save(tmp_path / "here")
    loaded = load_policy(tmp_path / "here")
    assert loaded.fingerprint() == policy.fingerprint()
    assert loaded.tokenizer.get_vocab() == policy.tokenizer.get_vocab()
    assert (
        loaded.sample(["1+2="], temperature=0.0, max_new_tokens=9).texts
        == policy.sample(["1+2="], temperature=0.0, max_new_tokens=9).texts
    )


def test_plain_transformers_reads_the_checkpoint(policy, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

    policy.save(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    assert tokenizer.decode(tokenizer("12+34#46=")["input_ids"]) == "12+34#46="
    assert type(AutoModelForCausalLM.from_pretrained(tmp_path)).__name__ == "LlamaForCausalLM"


@pytest.mark.parametrize("damage", ["weights cut", "weights missing", "config cut", "tokenizer missing"])
def test_a_damaged_checkpoint_is_one_sentence(policy, tmp_path, damage):
    policy.save(tmp_path)
    part, how = damage.split()
    name = {"weights": "model.safetensors", "config": "config.json", "tokenizer": "tokenizer.json"}[part]
    path = tmp_path / name
    if how == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.unlink()
    with pytest.raises(SpkitError, match="incomplete or damaged"):
        load_policy(tmp_path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "config.json").write_text("[]"), "is incomplete or damaged"),
        (
            lambda folder: edit(folder / "config.json", num_hidden_layers=3),
            "no weights for model.layers.2.* would be random",
        ),
        (
            lambda folder: edit(folder / "config.json", model_type="own", auto_map={"AutoConfig": "own.C"}),
            "custom code",
        ),
        (lambda folder: (folder / "spkit.json").write_bytes(b"\xff"), "spkit.json is no JSON"),
        (lambda folder: (folder / "spkit.json").write_text("{}"), "spkit.json is not what a run writes"),
    ],
)
def test_what_is_no_sound_checkpoint_is_one_sentence(policy, tmp_path, monkeypatch, damage, said):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("nobody is asked whether to run a model's code"))
    policy.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(SpkitError, match=said):
        load_policy(tmp_path)


def edit(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_an_adapter_without_its_base_or_peft_is_one_sentence(policy, tmp_path, monkeypatch):
    settings = pytest.importorskip("spkit.policy.lora").LoraSettings(rank=2)
    policy.save(tmp_path / "base")
    load_policy(tmp_path / "base", lora=settings).clone().save(tmp_path / "adapter")
    (tmp_path / "base").rename(tmp_path / "moved")
    with pytest.raises(
        SpkitError, match="holds an adapter of the model in .*base, which is gone: put it back, or set base in"
    ):
        load_policy(tmp_path / "adapter")
    monkeypatch.setitem(sys.modules, "spkit.policy.lora", None)
    with pytest.raises(SpkitError, match="LoRA needs the package peft"):
        load_policy(tmp_path / "adapter")


def test_unknown_sources_are_one_sentence(tmp_path):
    with pytest.raises(SpkitError, match="unknown model 'additoin': give one of addition"):
        load_policy("additoin")
    with pytest.raises(SpkitError, match="is not a checkpoint"):
        load_policy(tmp_path)
    with pytest.raises(SpkitError, match="could not load 'nobody/nothing' from the hub"):
        load_policy("nobody/nothing")


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_models_are_what_their_cards_say(name):
    folder = shipped_models()[name]
    card = json.loads((folder / "card.json").read_text())
    policy, task = load_policy(name), load_task(RECIPES[name].task)
    assert 0.1e6 < sum(p.numel() for p in policy.model.parameters()) < 1.5e6
    tests = test_set(task, 100)
    measured = accuracy(tests, solve(policy, task, tests).verdicts)
    assert measured["accuracy"] == pytest.approx(card["greedy"]["accuracy"], abs=0.02)


def test_the_addition_base_is_weak_but_above_chance():
    task, policy = load_task("addition"), load_policy("addition")
    tests = test_set(task, 100)
    plain = accuracy(tests, solve(policy, task, tests).verdicts)
    hinted = accuracy(tests, solve(policy, task, tests, prompts=[task.hint(p) for p in tests]).verdicts)
    assert 0.25 <= plain["accuracy"] <= 0.50
    per_length = list(plain["accuracy_by_difficulty"].values())
    assert per_length[1] > per_length[2] >= per_length[3] >= per_length[4]
    assert hinted["accuracy"] > plain["accuracy"] + 0.1


CONTENT = {
    "addition": lambda prompt: tuple(sorted(operands(prompt))),
    "sums": lambda prompt: tuple(sorted(terms(prompt))),
    "replies": lambda prompt: prompt,
}


@pytest.mark.parametrize(
    "name", [name for name in RECIPES if RECIPES[name].task in CONTENT]
)  # expressions: see test_expression_base
def test_bases_never_read_a_test_problem(name):
    recipe = RECIPES[name]
    task, content = load_task(recipe.task), CONTENT[recipe.task]
    read = [example_text(recipe, task, 0, index)[0] for index in range(5000)]
    assert not {content(problem.prompt) for problem in test_set(task, 100)} & set(map(content, read))
    if recipe.task != "replies":
        longest = max(
            len(str(operands(prompt)[0])) if recipe.task == "addition" else len(terms(prompt)) for prompt in read
        )
        assert longest == max({**recipe.plain, **recipe.hinted})


@pytest.mark.whole
def test_pretraining_repeats_and_writes_a_card(tmp_path, monkeypatch):
    from dataclasses import replace

    from spkit.policy import SftConfig

    small = replace(RECIPES["addition-2digits"], sft=SftConfig(steps=3, batch_size=4))
    monkeypatch.setitem(RECIPES, "addition-2digits", small)
    random_state = torch.random.get_rng_state()
    cards = [make_tiny_base("addition-2digits", tmp_path / str(i)) for i in range(2)]
    assert torch.equal(random_state, torch.random.get_rng_state()), "the global random state is left alone"
    assert load_policy(tmp_path / "0").fingerprint() == load_policy(tmp_path / "1").fingerprint()
    assert (
        cards[0]["tokens"] == cards[1]["tokens"]
        and "3 updates of 4 texts" in (tmp_path / "0" / "README.md").read_text()
    )
    with pytest.raises(SpkitError, match="there is no recipe 'adition'"):
        make_tiny_base("adition", tmp_path / "x")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(SpkitError, match="is no checkpoint"):
        make_tiny_base("addition", tmp_path / "mine")
