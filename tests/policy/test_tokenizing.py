"""A checkpoint of ours reads texts as it was trained to; another's is checked."""

import json

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from spkit.bases.quiet import RECIPES_OF_QUIET
from spkit.bases.recipes import RECIPES
from spkit.bases.small import bpe_tokenizer, small_qwen2
from spkit.bases.two_skills import RECIPES_OF_TWO_SKILLS
from spkit.bases.words import CARD_TESTS, WORDS_ALONE
from spkit.claims.bases import OTHER_BASES
from spkit.measures.accuracy import accuracy
from spkit.policy import Policy, load_policy, shipped_models
from spkit.policy.tokenizing import SPLITTING_PROBE, first_difference
from spkit.stages.solve import solve
from spkit.tasks import load_task, test_set
from tests.conftest import make_policy
from tests.helpers import whole

ROWS = {"words": {"word_problems": "greedy", "python_programs": "hinted"}}  # code is where a wrong tokenizer shows
ROWS |= {name: {RECIPES[name].task: "hinted" if RECIPES[name].hinted_share else "greedy"} for name in RECIPES}
TASKS = {name: tuple(rows) for name, rows in ROWS.items()} | {"words": tuple(WORDS_ALONE), "quiet": ("chains",)}
CODE = "def f(x):\n    y = x + 12\n    return y\n\nWhat is f(3)?\n"


def test_every_shipped_model_is_here():
    others = {base for bases in OTHER_BASES.values() for base in bases}
    made = {*ROWS, *RECIPES_OF_QUIET, "quiet-seed1", *RECIPES_OF_TWO_SKILLS}
    assert made | others == set(shipped_models())


@pytest.mark.parametrize("name", [*(name for name in TASKS if name != "words"), *whole("words")])
def test_shipped_models_read_every_prompt_as_their_file_says(name):
    file, policy = Tokenizer.from_file(str(shipped_models()[name] / "tokenizer.json")), load_policy(name)
    for task in map(load_task, TASKS[name]):
        for problem in test_set(task, CARD_TESTS):
            for text in (problem.prompt, task.hint(problem), task.solution(problem)):
                assert policy.tokenizer(text)["input_ids"] == file.encode(text).ids


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_every_card_is_measured_again(name):
    """The two lowest difficulties of it, which take seconds; 0.05 is four problems of 80."""
    card, policy = json.loads((shipped_models()[name] / "card.json").read_text()), load_policy(name)
    for named, how in ROWS[name].items():
        task, said = load_task(named), card["tasks"][named][how] if "tasks" in card else card[how]
        easy = tuple(task.difficulties)[:2]
        tests = test_set(task, CARD_TESTS if "tasks" in card else 100, easy)
        prompts = [task.hint(problem) if how == "hinted" else problem.prompt for problem in tests]
        found = accuracy(tests, solve(policy, task, tests, prompts=prompts).verdicts)["accuracy_by_difficulty"]
        expected = [said["accuracy_by_difficulty"][str(difficulty)] for difficulty in easy]
        assert list(found.values()) == pytest.approx(expected, abs=0.05), (name, named)


def qwen2_with_its_own_rules() -> Policy:
    """Of the kind for which transformers has a tokenizer of its own, which keeps indentation together
    where this one does not.
    """
    tokenizer = bpe_tokenizer([CODE] * 20, 300, 128)
    return Policy(small_qwen2(tokenizer, 128, 0, width=64, layers=1), tokenizer)


def test_what_we_saved_reads_texts_as_before(tmp_path):
    policy = qwen2_with_its_own_rules()
    policy.save(tmp_path / "whole")
    again = load_policy(tmp_path / "whole")
    assert all(
        again.tokenizer(text)["input_ids"] == policy.tokenizer(text)["input_ids"] for text in (CODE, *SPLITTING_PROBE)
    )
    assert (
        again.tokenizer.eos_token_id == policy.tokenizer.eos_token_id
        and again.tokenizer.pad_token_id == policy.tokenizer.pad_token_id
    )
    pytest.importorskip("peft")
    from spkit.policy.lora import LoraSettings

    load_policy(tmp_path / "whole", lora=LoraSettings(rank=2)).clone().save(tmp_path / "adapter")
    adapted = load_policy(tmp_path / "adapter")
    assert adapted.prompt_ids(CODE) == policy.prompt_ids(CODE)


def test_an_adapter_keeps_its_tokenizer_where_its_base_is_read_otherwise(tmp_path):
    """As an adapter of a model of the hub, read with the class of transformers when the adapter was trained."""
    pytest.importorskip("peft")
    from spkit.policy.lora import LoraSettings

    policy = qwen2_with_its_own_rules()
    policy.model.save_pretrained(tmp_path / "base")
    policy.tokenizer.save_pretrained(tmp_path / "base")
    base = load_policy(tmp_path / "base", lora=LoraSettings(rank=2))
    base.clone().save(tmp_path / "adapter")
    assert load_policy(tmp_path / "adapter").prompt_ids(CODE) == base.prompt_ids(CODE) != policy.prompt_ids(CODE)


def test_a_foreign_folder_that_is_read_otherwise_than_its_file_says_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("spkit.run.progress._compared", lambda: False)
    for name, policy in {"qwen2": qwen2_with_its_own_rules(), "llama": make_policy()}.items():
        policy.model.save_pretrained(tmp_path / name)
        policy.tokenizer.save_pretrained(tmp_path / name)
        load_policy(tmp_path / name)
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("spkit:")]
        assert len(said) == (name == "qwen2")
        if said:
            assert (
                "is read with Qwen2Tokenizer of transformers, which cuts" in said[0]
                and "than its tokenizer.json does" in said[0]
            )
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path / "qwen2")
    assert tokenizer(CODE)["input_ids"] == qwen2_with_its_own_rules().tokenizer(CODE)["input_ids"], (
        "what the sentence advises"
    )


@pytest.mark.parametrize("change", ["digits", "spaces", "words", "normal form", "special tokens"])
def test_the_probe_sees_what_rules_differ_in(change):
    byte = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = byte
    learned.train_from_iterator(
        ["12345 they'll say it's x\n\n    na naive HTTPServer (a)!=b->c"] * 20,
        trainers.BpeTrainer(vocab_size=400, show_progress=False),
    )
    other = Tokenizer.from_str(learned.to_str())
    if change == "digits":
        other.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte])
    elif change == "spaces":
        other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    elif change == "words":
        other.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Punctuation("isolated"), byte])
    elif change == "normal form":
        learned.normalizer, other.normalizer = normalizers.NFD(), normalizers.NFC()
    else:
        learned.add_special_tokens(["<|turn|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=other)
    assert first_difference(tokenizer, learned) is not None and first_difference(tokenizer, other) is None
