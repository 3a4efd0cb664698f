"""The small models that read words: what they read, how they are made, and that the shipped one
does what its card says.
"""

import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from spkit.bases import words as small_base
from spkit.bases.small import bpe_tokenizer, small_qwen2
from spkit.bases.words import MIXTURES, PARTS, half_precision, make_base, mixed_reading, read_by
from spkit.measures.accuracy import accuracy
from spkit.policy import SftConfig, load_policy, shipped_models
from spkit.policy.training import Example, sft
from spkit.run.errors import SpkitError
from spkit.run.streams import generator
from spkit.stages.solve import solve
from spkit.tasks import item_rng, load_task, test_set
from spkit.tasks.addition import operands
from spkit.tasks.expressions.language import fingerprint, parse
from spkit.tasks.expressions.language import split_of_tree as split_of_expression
from spkit.tasks.python_programs.problem import split_of_proposed
from spkit.tasks.sums import split_of_terms as split_of_sum
from spkit.tasks.sums import terms
from spkit.tasks.word_problems.task import given
from spkit.tasks.word_problems.task import split_of_calculations as split_of_story
from spkit.tasks.worked import calculations

WORDS = MIXTURES["words-gpu"]
TASKS = read_by(WORDS)
READ = [mixed_reading(WORDS, TASKS, 0, index) for index in range(3000)]
MINI = replace(
    MIXTURES["words"],
    width=64,
    layers=1,
    vocabulary=300,
    sft=SftConfig(steps=4, batch_size=8),
    shares={"sums": 0.5, "word_problems": 0.5},
)


def content(part: str, prompt: str, completion: str) -> set:
    """What makes a text of that part one problem and not another.

    For expressions every program in it, asked about, shown or proposed.
    """
    if part == "word_problems":
        return {tuple(calculation.text for calculation in calculations(completion))}
    if part.startswith("python_programs"):
        text = completion if part.endswith("induction") else prompt
        return {text[text.index("def f(") :].rpartition("    return ")[0]}
    if part == "expressions":
        words = f"{prompt} {completion}".replace(">", " ").replace(";", " ").split(" ")
        return {fingerprint(parse(word)) for word in words if set("xy") & set(word)}
    return {
        {
            "addition": lambda: tuple(sorted(operands(prompt))),
            "sums": lambda: tuple(sorted(terms(prompt))),
            "replies": lambda: prompt,
        }[part]()
    }


@pytest.mark.parametrize("part", PARTS)
def test_no_text_is_a_test_problem_of_any_task(part):
    task = TASKS[part]
    held_out = set().union(*(content(part, problem.prompt, task.solution(problem)) for problem in test_set(task, 30)))
    read = set().union(*(content(part, prompt, completion) for name, prompt, completion in READ if name == part))
    assert len(read) > 30 and held_out and not read & held_out


def test_every_text_is_of_the_train_split():
    sides = {
        "word_problems": lambda prompt, completion: split_of_story(
            [calculation.text for calculation in calculations(completion)]
        ),
        "sums": lambda prompt, completion: split_of_sum(list(terms(prompt))),
        "expressions": lambda prompt, completion: split_of_expression(parse(prompt.split(" ")[1])),
    }
    seen = Counter()
    for part, prompt, completion in READ:
        if part in sides and not prompt.startswith(("new", "ind")):
            seen[part, sides[part](prompt, completion)] += 1
    assert len(seen) == 3 and {side for _, side in seen} == {"train"}
    task = TASKS["python_programs"]
    shown = [
        prompt.partition("\nWhat is f(")
        for part, prompt, _ in READ
        if part == "python_programs" and "The answer is" not in prompt
    ]
    sides = {split_of_proposed(task.sandbox, program, asked.removesuffix(")?\n")) for program, _, asked in shown[:40]}
    assert sides == {"train"}


def test_the_texts_are_mixed_as_the_recipe_says_and_right():
    assert sum(WORDS.shares.values()) == pytest.approx(1)
    counts = Counter(part for part, _, _ in READ)
    for part, share in WORDS.shares.items():
        assert counts[part] == pytest.approx(3000 * share, rel=0.35)
    assert mixed_reading(WORDS, TASKS, 0, 7) == READ[7] != mixed_reading(WORDS, TASKS, 1, 7)
    told = [(prompt, completion) for part, prompt, completion in READ if part == "word_problems"]
    steps = Counter(len(calculations(completion)) for _, completion in told)
    assert steps[1] + steps[2] > 0.8 * len(told) and 0 < steps[4] + steps[5] < 0.05 * len(told)
    assert all(calculation.right for _, completion in told for calculation in calculations(completion))
    assert 0.1 < sum("(The answer is" in prompt for prompt, _ in told) / len(told) < 0.2


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MIXTURES, "words", MINI)
        patch.setattr(small_base, "CARD_TESTS", 1)
        folders = [tmp_path_factory.mktemp("made") / str(number) for number in range(2)]
        state = torch.random.get_rng_state()
        cards = [make_base("words", folder) for folder in folders]
        assert torch.equal(state, torch.random.get_rng_state()), "the global random state is left alone"
    return folders, cards


def test_the_recipe_makes_a_checkpoint_with_a_card_the_same_each_time(made):
    folders, cards = made
    policies = [load_policy(folder) for folder in folders]
    assert policies[0].fingerprint() == policies[1].fingerprint()
    assert {key: value for key, value in cards[0].items() if key != "minutes"} == {
        key: value for key, value in cards[1].items() if key != "minutes"
    }
    assert json.loads((folders[0] / "card.json").read_text())["tasks"].keys() == {"sums", "word_problems"}
    card = (folders[0] / "README.md").read_text()
    assert (
        "32 texts, read once in 4 updates of 8" in card and "| word_problems | 1: 0, 2: 0, 3: 0, 4: 0, 5: 0 |" in card
    )
    assert policies[0].model.config.model_type == "qwen2" and cards[0]["parameters"] == sum(
        p.numel() for p in policies[0].model.parameters()
    )


def test_a_checkpoint_in_half_precision_is_float32_on_a_cpu(made):
    (folder, _), _ = made
    with safe_open(folder / "model.safetensors", "pt") as weights:
        assert {weights.get_slice(name).get_dtype() for name in list(weights.keys())} == {"BF16"}
    policy = load_policy(folder)
    assert {parameter.dtype for parameter in policy.model.parameters()} == {torch.float32}
    before = policy.fingerprint()
    policy.fit(
        [("7+15=", policy.completion_ids("7+15:22;22"))],
        SftConfig(steps=1, learning_rate=1e-5, warmup=0),
        generator(0, 0, "test"),
    )
    assert policy.fingerprint() != before, "an update far smaller than bfloat16 can hold is not lost"


def test_half_precision_follows_the_weights(made, monkeypatch):
    """Autocast with its cache on would train on with the first update's weights: the whole context must
    equal one a forward pass.
    """
    (folder, _), _ = made
    real = torch.autocast
    monkeypatch.setattr(
        torch, "autocast", lambda device, dtype, enabled, **options: real(device, dtype, enabled=True, **options)
    )
    losses = {}
    for how in ("one context", "one a pass"):
        policy = load_policy(folder)
        if how == "one a pass":
            policy.model.forward = real("cpu", torch.bfloat16)(policy.model.forward)
        rows = [Example(policy.prompt_ids("7+15="), policy.completion_ids("7+15:22;22"))] * 4
        losses[how] = []
        with half_precision(torch.device("cpu")) if how == "one context" else nullcontext():
            sft(
                policy.model,
                rows,
                SftConfig(12, 4, 3e-3, warmup=0),
                policy.pad_id,
                generator(0, 0, "test"),
                lambda step, loss, seen=losses[how]: seen.append(loss),
            )
    assert (
        losses["one context"] == pytest.approx(losses["one a pass"], rel=0.02)
        and losses["one context"][-1] < 0.8 * losses["one context"][0]
    )


def test_what_cannot_be_made_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(SpkitError, match="there is no recipe 'wrods': choose one of addition, .*words, words-gpu"):
        make_base("wrods", tmp_path / "a")
    with pytest.raises(SpkitError, match="tiny model, made on the CPU"):
        make_base("addition", tmp_path / "a", device="cuda")
    with pytest.raises(SpkitError, match="there is no device 'gpu'"):
        make_base("words", tmp_path / "a", device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(SpkitError, match="words-gpu is made on a CUDA device, and torch finds none"):
            make_base("words-gpu", tmp_path / "a")
    monkeypatch.setitem(MIXTURES, "words", MINI)
    with pytest.raises(KeyboardInterrupt):
        make_base("words", tmp_path / "a", on_step=lambda step, loss: (_ for _ in ()).throw(KeyboardInterrupt()))
    assert not list(tmp_path.iterdir()), "a pretraining that was stopped leaves nothing"


def test_the_size_for_a_gpu_is_as_announced():
    mixture = MIXTURES["words-gpu"]
    tokenizer = bpe_tokenizer(["Ada buys 3 pens."], 300, mixture.context)
    with torch.device("meta"):
        model = small_qwen2(tokenizer, mixture.context, 0, width=mixture.width, layers=mixture.layers)
    larger = (mixture.vocabulary - len(tokenizer)) * mixture.width
    assert 10e6 < sum(parameter.numel() for parameter in model.parameters()) + larger < 60e6
    assert set(mixture.shares) == set(PARTS) > set(MIXTURES["words"].shares)


def shipped_or_not() -> pytest.MarkDecorator:
    return pytest.mark.skipif("words" not in shipped_models(), reason="no model of this recipe is shipped")


@pytest.fixture(scope="module")
def shipped():
    return load_policy("words"), json.loads((shipped_models()["words"] / "card.json").read_text())


@shipped_or_not()
@pytest.mark.whole
def test_the_shipped_model_does_what_its_card_says(shipped):
    policy, card = shipped
    assert sum(path.stat().st_size for path in shipped_models()["words"].iterdir()) < 6e6
    for name in ("word_problems", "python_programs"):
        task = load_task(name)
        tests = test_set(task, small_base.CARD_TESTS)
        assert accuracy(tests, solve(policy, task, tests).verdicts)["accuracy"] == pytest.approx(
            card["tasks"][name]["greedy"]["accuracy"], abs=0.03
        )


@shipped_or_not()
def test_it_is_above_chance_on_one_and_two_steps_and_not_saturated_on_four_and_five(shipped):
    """Chance: a calculation with two numbers of the question, both and the sign drawn at random."""
    card, task, tests = shipped[1], load_task("word_problems"), test_set(load_task("word_problems"), 200, (1, 2))
    rng, lucky = item_rng("chance"), Counter()
    for problem in tests:
        a, b = rng.sample(sorted(given(problem.prompt)) * 2, 2)
        lucky[problem.difficulty] += {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[rng.choice("+-*/")] == int(
            problem.answer
        )
    greedy = card["tasks"]["word_problems"]["greedy"]["accuracy_by_difficulty"]
    for steps in (1, 2):
        assert greedy[str(steps)] > 0.05 + lucky[steps] / 200
    assert greedy["1"] > greedy["3"] and max(greedy["4"], greedy["5"]) < 0.5
    assert task.base == "words"
