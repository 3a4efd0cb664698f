"""How prompts are shown, and where completions end."""

import json

import pytest
import torch

from spkit.bases.small import bpe_tokenizer, small_qwen2
from spkit.policy import Policy
from spkit.policy.prompting import Prompting, as_data, from_data, prompting_for
from spkit.run.errors import SpkitError
from spkit.run.streams import DEMONSTRATIONS, generator
from spkit.tasks import load_task, test_set
from tests.hub_like import CHAT

TASK = load_task("addition")
TEXTS = ["12+34=2+4+0:06;1+3+0:04;46\n\n" * 3, "What is the sum? The answer.\n\n", "one\n\ntwo three"]


@pytest.fixture(scope="module")
def tokenizer():
    return bpe_tokenizer(TEXTS, 300, 512)


def test_a_chat_puts_instruction_and_examples_before_the_prompt(tokenizer):
    tokenizer.chat_template = CHAT
    try:
        shown = Prompting("chat", (("1+1=", "2"),), "Add.").show(tokenizer, "3+4=")
        assert (
            tokenizer.decode(shown)
            == "<user>Add.\n\n1+1=<|endoftext|><assistant>2<|endoftext|><user>3+4=<|endoftext|><assistant>"
        )
        alone = Prompting("chat", (), "Add.").show(tokenizer, "3+4=")
        assert tokenizer.decode(alone) == "<user>Add.\n\n3+4=<|endoftext|><assistant>"
    finally:
        tokenizer.chat_template = None


def test_few_shot_examples_stand_before_the_prompt_with_a_blank_line_after_each(tokenizer):
    shown = Prompting("few_shot", (("1+1=", "2"), ("2+2=", "4"))).show(tokenizer, "3+4=")
    assert tokenizer.decode(shown) == "1+1=2\n\n2+2=4\n\n3+4="


def test_a_blank_line_ends_a_few_shot_completion_and_no_other(tokenizer):
    few, plain = Prompting("few_shot", (("1+1=", "2"),)), Prompting()
    assert plain.stop_ids(tokenizer) == {tokenizer.eos_token_id}
    assert few.stop_ids(tokenizer) == {tokenizer.eos_token_id}
    assert (few.stop_text(tokenizer), plain.stop_text(tokenizer)) == ("\n\n", "")
    glued = next(index for index in range(len(tokenizer)) if tokenizer.decode([index]).startswith("\n\n"))
    ids = tokenizer("46")["input_ids"] + [glued]
    assert few.text(tokenizer, ids, finished=True) == "46"
    assert few.end_ids(tokenizer) == [glued]


def test_text_before_a_blank_line_in_the_same_token_counts():
    class Glued:
        eos_token_id = 0

        def decode(self, ids):
            return "".join({1: "46", 2: ".\n\n", 0: "<eos>"}[i] for i in ids)

    few = Prompting("few_shot", (("1+1=", "2"),))
    assert few.text(Glued(), [1, 2], finished=True) == "46."
    assert few.text(Glued(), [1, 0], finished=True) == "46"
    assert few.text(Glued(), [1], finished=False) == "46"


def test_what_is_written_for_the_model_is_what_it_would_have_finished(tokenizer):
    policy = Policy(small_qwen2(tokenizer, 512, 0, width=64, layers=1), tokenizer)
    for prompting in (Prompting(), Prompting("few_shot", (("1+1=", "2"),))):
        one = policy.prompted(prompting)
        ids = one.completion_ids("2+4+0:06;46")
        ended = [
            ids[n - 1] in one.stop_ids or (one.stop_text is not None and one.stop_text.ends(ids[:n]))
            for n in range(1, len(ids) + 1)
        ]
        assert ended == [False] * (len(ids) - 1) + [True]
        assert one.prompting.text(tokenizer, ids, finished=True) == "2+4+0:06;46"


def test_a_completion_of_a_chat_ends_where_the_template_ends_a_turn():
    tokenizer = bpe_tokenizer(TEXTS, 300, 512)  # the end token of a base model is not the one at the end of a turn
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_end|>"]})
    tokenizer.chat_template = CHAT.replace("<|endoftext|>", "<|im_end|>\n")
    turn = tokenizer.convert_tokens_to_ids("<|im_end|>")
    policy = Policy(small_qwen2(tokenizer, 512, 0, width=64, layers=1), tokenizer, Prompting("chat"))
    assert policy.stop_ids == {tokenizer.eos_token_id, turn}
    assert policy.completion_ids("46")[-1] == turn and policy.prompted(Prompting()).stop_ids == {tokenizer.eos_token_id}
    for end in (turn, tokenizer.eos_token_id):
        assert policy.prompting.text(tokenizer, [*tokenizer("46")["input_ids"], end], finished=True) == "46"


def test_what_the_model_itself_calls_an_end_ends_a_completion(tokenizer):
    policy = Policy(small_qwen2(tokenizer, 512, 0, width=64, layers=1), tokenizer)
    policy.model.generation_config.eos_token_id = list(range(len(tokenizer)))
    drawn = policy.sample(["1+2="], 3, max_new_tokens=9, temperature=1.0, generator=torch.Generator().manual_seed(0))
    assert drawn.finished == [True] * 3 and drawn.texts == [""] * 3


def test_demonstrations_are_right_and_never_of_the_test_split(tokenizer):
    prompting = prompting_for(TASK, tokenizer, shown=5, hinted=2)
    assert prompting.kind == "few_shot" and len(prompting.demonstrations) == 7
    tests = {problem.prompt for problem in test_set(TASK, 200)}
    for index, (prompt, solution) in enumerate(prompting.demonstrations):
        problem = TASK.problem(DEMONSTRATIONS, index)
        assert TASK.verify(problem, solution).correct
        assert prompt == (problem.prompt if index < 5 else TASK.hint(problem))
        assert prompt not in tests


def test_a_chat_template_is_used_if_there_is_one(tokenizer):
    with pytest.raises(SpkitError, match="no chat template"):
        prompting_for(TASK, tokenizer, "chat")
    tokenizer.chat_template = CHAT
    try:
        assert prompting_for(TASK, tokenizer).kind == "chat"
    finally:
        tokenizer.chat_template = None


def test_the_prompting_is_part_of_what_a_run_starts_from(policy, tmp_path):
    few = policy.prompted(Prompting("few_shot", (("1+1=", "2"),)))
    assert few.fingerprint() != policy.fingerprint() == policy.prompted(Prompting()).fingerprint()
    few.save(tmp_path)
    from spkit.policy import load_policy

    assert load_policy(tmp_path).prompting == few.prompting
    assert policy.restored(tmp_path).prompting == policy.prompting
    assert from_data(as_data(few.prompting)) == few.prompting


def test_unusable_promptings_are_one_sentence():
    with pytest.raises(SpkitError, match="unknown prompting 'chatty'"):
        Prompting("chatty")
    with pytest.raises(SpkitError, match="plain prompting shows the prompt alone"):
        Prompting("plain", (("1+1=", "2"),))


def test_a_model_with_two_end_tokens_stops_at_both(tokenizer):
    policy = Policy(small_qwen2(tokenizer, 512, 0, width=64, layers=1), tokenizer)
    policy.model.generation_config.eos_token_id = [tokenizer.eos_token_id, 7]
    assert policy.stop_ids == {tokenizer.eos_token_id, 7}
    rollouts = policy.sample(["1+1="] * 40, temperature=1.0, max_new_tokens=60, generator=generator(0, 0, "two ends"))
    ended = [
        (ids, text)
        for ids, text, finished in zip(rollouts.token_ids, rollouts.texts, rollouts.finished)
        if finished and ids[-1] == 7
    ]
    assert ended and all(text == tokenizer.decode(ids[:-1]) for ids, text in ended)


@pytest.mark.parametrize(
    "name", ["expressions", "expressions-abduction", "python_programs", "python_programs-induction"]
)
def test_every_role_and_kind_is_shown_its_own_examples(name, tokenizer):
    """A proposer that is shown solutions writes solutions.

    Here each shown completion is a right one for the prompt before it.
    """
    task = load_task(name)
    prompting = prompting_for(task, tokenizer, shown=3, hinted=0)
    shown = {}
    for kind, solver in task.of_kind.items():
        problem = solver.problem(0, 3, 2)
        for prompt in (
            problem.prompt,
            task.proposer_prompt(kind, program=problem.program if kind == "induction" else None),
        ):
            role = next(role for mark, role in prompting.roles if mark in prompt)
            assert tokenizer.decode(prompting.show(tokenizer, prompt)) == tokenizer.decode(role.show(tokenizer, prompt))
            shown[kind, prompt == problem.prompt] = role
        assert (
            shown[kind, True].instruction == getattr(solver, "instruction", "") and shown[kind, False].instruction == ""
        )
        for index, (prompt, text) in enumerate(shown[kind, True].demonstrations):
            example = solver.problem(DEMONSTRATIONS, index, 1 + index % 2)
            assert prompt == example.prompt and solver.verify(example, text).correct
        for index, (prompt, text) in enumerate(shown[kind, False].demonstrations):
            given = solver.problem(DEMONSTRATIONS, index, 1 + index % 2).program if kind == "induction" else None
            made, fault = task.parse(kind, text, given)
            assert made is not None and fault is None and "\n\n" not in prompt + text
    assert len({role.demonstrations for role in shown.values()}) == 6
    assert from_data(json.loads(json.dumps(as_data(prompting)))) == prompting
