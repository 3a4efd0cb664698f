"""A completion ends where its text says so, whatever tokens write the end: in every tokenizer and sampling path."""

import random
from dataclasses import replace
from functools import wraps

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from spkit.policy import Policy, SftConfig
from spkit.policy.prompting import Prompting, prompting_for
from spkit.policy.static_cache import StaticDecoder
from spkit.policy.stopping import Repetition, StopText
from spkit.run.streams import generator
from spkit.stages.solve import verify_all
from spkit.tasks import load_task, problems
from tests.conftest import in_four_bits
from tests.policy.test_static_cache import record
from tests.policy.tokenizer_kinds import KINDS

CONTEXT = 128
FEW = Prompting("few_shot", (("1+1=", "2"), ("2+2=", "4")))
PATHS = ("growing", "static", "replayed", "two rows at once", "4 bits")
ENDS = {  # tokenizer, tokens that are written, text that is left
    "two": (["4", "6", "Ċ", "Ċ"], "46"),
    "one": (["46", "ĊĊ"], "46"),
    "gpt2": (["46", "Ċ", "Ċ"], "46"),
    "gpt2, three at once": (["46", "ĊĊĊ"], "46"),
    "gpt2, one and two": (["46", "Ċ", "ĊĊ"], "46"),
    "two, behind a character of two bytes": (["4", "Ã", "©", "Ċ", "Ċ"], "4é"),
    "qwen, in the token of the full stop": (["4", "6", ".ĊĊ"], "46."),
    "qwen, across that token": (["4", ".Ċ", "Ċ"], "4."),
    "llama2": (["46", "<0x0A>", "<0x0A>"], "46"),
    "llama2, behind a character of two bytes": (["▁b", "<0xC3>", "<0xA9>", "<0x0A>", "<0x0A>"], "bé"),
    "two, a single line break is none": (["4", "Ċ", "6", "Ċ", "Ċ"], "4\n6"),
    "two, at once": (["Ċ", "Ċ"], ""),
    "two, the end token": (["4", "Ċ", "<|endoftext|>"], "4\n"),
}


class Scripted(LlamaForCausalLM):
    """Writes token `script[p]` at position p, with a probability that the layers below have no say in.

    Its cache is a real one.
    """

    @wraps(LlamaForCausalLM.forward)  # a policy passes what the signature names
    def forward(self, *args, position_ids: Tensor | None = None, **kwargs):
        out = super().forward(*args, position_ids=position_ids, **kwargs)
        places = torch.arange(kwargs["input_ids"].shape[1])[None] if position_ids is None else position_ids
        next_tokens = self.script[places[:, -out.logits.shape[1] :] + 1][..., None]
        out.logits = (out.logits * 0).scatter(-1, next_tokens.expand(len(out.logits), -1, -1), 25.0)
        return out


def scripted(kind: str, prompting: Prompting, prompt: str, written: list[int], filler: int) -> Policy:
    """A policy that writes `written` after the prompt, and the filler for ever after it."""
    tokenizer = KINDS[kind]()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    config.max_position_embeddings, config.eos_token_id, config.bos_token_id = CONTEXT, tokenizer.eos_token_id, None
    policy = Policy(Scripted(config), tokenizer, prompting)
    start = len(policy.prompt_ids(prompt))
    script = [filler] * start + written + [filler] * (CONTEXT - start - len(written))
    policy.model.register_buffer("script", torch.tensor(script))
    return policy


def by(policy: Policy, path: str) -> Policy:
    """The policy, sampling in one of the ways it can."""
    if path == "4 bits":
        in_four_bits(policy.model)
    if path == "two rows at once":
        policy.budget.sampling = 2
    policy = replace(policy, sampler="static" if path in ("static", "replayed") else "growing")
    if path == "replayed":
        policy._static = StaticDecoder(policy.model, lambda: record)
    return policy


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ENDS)
def test_a_completion_ends_with_its_stop_text_and_holds_nothing_after_it(name, path):
    tokens, text = ENDS[name]
    tokenizer = KINDS[name.split(",")[0]]()
    written, filler = tokenizer.convert_tokens_to_ids(tokens), tokenizer.convert_tokens_to_ids("7")
    policy = by(scripted(name.split(",")[0], FEW, "3+4=", written, filler), path)
    drawn = policy.sample(
        ["3+4=", "13+4=", "3+4="], 2, temperature=1.0, max_new_tokens=20, generator=torch.Generator().manual_seed(0)
    )
    for row in (0, 1, 4, 5):
        assert (drawn.token_ids[row], drawn.texts[row], drawn.finished[row]) == (written, text, True)
        assert drawn.token_logprobs[row].shape == (len(written),)
    later = (written + [filler] * 20)[len(policy.prompt_ids("13+4=")) - len(policy.prompt_ids("3+4=")) :][
        :20
    ]  # the script goes by position
    ends = [n for n in range(1, 21) if "\n\n" in tokenizer.decode(later[:n]) or later[n - 1] == tokenizer.eos_token_id]
    assert drawn.token_ids[2:4] == [later[: min(ends, default=20)]] * 2 and drawn.finished[2:4] == [bool(ends)] * 2
    again = policy.logprobs(drawn.prompts, drawn.token_ids)
    assert all(torch.allclose(old, new, atol=1e-4) for old, new in zip(drawn.token_logprobs, again))
    assert torch.allclose(drawn.logprobs, torch.stack([row.sum() for row in again]), atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_without_an_end_is_cut_off_and_not_finished(kind):
    seven = KINDS[kind]().convert_tokens_to_ids("7")
    drawn = scripted(kind, FEW, "3+4=", [seven], seven).sample(["3+4="], temperature=0.0, max_new_tokens=9)
    assert (drawn.token_ids, drawn.texts, drawn.finished) == ([[seven] * 9], ["7" * 9], [False])


@pytest.mark.parametrize("kind", KINDS)
def test_solved_examples_are_finished_rows_and_right_answers(kind):
    """The fault as it was met: every row of few-shot sums wrong, because none of them ended."""
    task = load_task("addition")
    problem = problems(task, 0, 0, 1)[0]
    prompting = replace(
        prompting_for(task, KINDS[kind](), shown=2, hinted=0), demonstrations=(("1+1=", "2"), ("2+2=", "4"))
    )
    policy = scripted(kind, prompting, problem.prompt, [], 0)
    shown = policy.tokenizer(task.solution(problem) + "\n\n5+5=", add_special_tokens=False)["input_ids"]
    policy = scripted(kind, prompting, problem.prompt, shown, policy.tokenizer.convert_tokens_to_ids("5"))
    drawn = policy.sample([problem.prompt], temperature=0.0, max_new_tokens=60)
    assert drawn.finished == [True] and verify_all(task, [problem], drawn)[0].correct
    assert drawn.token_ids[0] == policy.completion_ids(drawn.texts[0]), "what is trained on is what is sampled"


@pytest.mark.parametrize("stop", ["\n\n", "###", "é", "終\n", " b", "."])
@pytest.mark.parametrize("kind", KINDS)
def test_the_end_is_the_first_token_after_which_the_text_holds_the_stop(kind, stop):
    """Against decoding everything after every token, on random tokens, most of them of the stop text's own,
    and one that means nothing.
    """
    tokenizer, draw, found = KINDS[kind](), random.Random(0), 0
    whole = tokenizer("7" + stop, add_special_tokens=False)["input_ids"]
    parts = [
        whole,
        *([index] for index in [*whole, *tokenizer("é終 ", add_special_tokens=False)["input_ids"], len(tokenizer) + 5]),
    ]
    end = StopText(tokenizer, stop)
    for _ in range(150):
        chosen = [draw.choice(parts) if draw.random() < 0.6 else [draw.randrange(1, len(tokenizer))] for _ in range(24)]
        ids = [index for part in chosen for index in part][:24]
        expected = next((n for n in range(1, 25) if stop in tokenizer.decode(ids[:n])), None)
        tokens, one = torch.tensor([ids]), torch.tensor([True])
        rows = torch.tensor([0])
        assert next((n for n in range(1, 25) if end.ended(tokens[:, :n], rows, one)), None) == expected
        found += expected is not None
    assert found > 40, "the test needs rows that end"


def test_only_lines_that_are_writing_end_and_each_by_its_own_row():
    tokenizer = KINDS["two"]()
    four, line = tokenizer.convert_tokens_to_ids(["4", "Ċ"])
    tokens = torch.tensor([[four, line, line], [four, four, line], [four, line, line]])
    ended = StopText(tokenizer, "\n\n").ended(tokens, torch.tensor([2, 1, 0]), torch.tensor([True, True, False]))
    assert ended.tolist() == [True, False, False]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["46", "a.", "b é", "4 6.", ""])
def test_what_is_written_for_a_model_is_split_as_in_its_prompt_and_ends_as_a_sample_does(kind, text):
    policy = scripted(kind, FEW, "3+4=", [], 0)
    tokenizer, ids = policy.tokenizer, policy.completion_ids(text)
    assert policy.stop_text.ends(ids) and not any(policy.stop_text.ends(ids[:n]) for n in range(len(ids)))
    assert policy.prompting.text(tokenizer, ids, finished=True) == text
    joined = tokenizer(text + "\n\n1+1=", add_special_tokens=False)["input_ids"]
    assert ids == joined[: len(ids)], "as between two examples"
    assert policy.tokens_for(4) == 4 + len(policy.prompting.end_ids(tokenizer))


def test_training_on_ended_completions_makes_a_model_that_ends():
    """From examples of two line breaks to samples with two line breaks: sampling, scoring and
    training agree on the end.
    """
    tokenizer = KINDS["two"]()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
    )
    config.max_position_embeddings, config.eos_token_id, config.bos_token_id = CONTEXT, tokenizer.eos_token_id, None
    torch.manual_seed(0)
    policy = Policy(LlamaForCausalLM(config), tokenizer, FEW)
    pairs = [(prompt, policy.completion_ids("46.")) for prompt in ("3+4=", "5+6=")]
    policy.fit(pairs, SftConfig(60, 2, 5e-3), generator(0, 0, "train"))
    drawn = policy.sample(["3+4="], 8, max_new_tokens=12, generator=generator(0, 0, "sample"))
    assert drawn.finished.count(True) >= 7 and drawn.texts.count("46.") >= 7
    assert tokenizer.eos_token_id not in drawn.token_ids[0]


def test_a_turn_end_that_is_no_token_of_its_own_ends_a_chat_by_its_text():
    template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }} <done>\n{% endfor %}{% if "
        "add_generation_prompt %}assistant: {% endif %}"
    )
    tokenizer = KINDS["two"]()
    tokenizer.chat_template = template
    written = tokenizer("46 <done>")["input_ids"]
    chat = Prompting("chat")
    policy = scripted("two", FEW, "3+4=", [], 0)
    policy = Policy(policy.model, tokenizer, chat)
    assert policy.stop_text.text == "<done>" and policy.stop_text.ends(written)
    assert policy.prompting.text(tokenizer, written, finished=True) == "46 "
    assert policy.stop_text.ends(policy.completion_ids("46"))


@pytest.mark.parametrize(("length", "times"), [(8, 3), (2, 3), (3, 2), (1, 4)])
def test_a_row_is_cut_at_the_token_with_which_its_end_has_been_there_so_many_times(length, times):
    """Against Python's `str.count`, which counts what does not overlap; rows leave, and lines move."""
    draw, rule, found, expected = random.Random(0), Repetition(length, times), {}, {}
    texts = ["".join(draw.choice("ab"[: draw.randint(1, 2)]) for _ in range(60)) for _ in range(40)]
    texts += ["abcdefgh" * 4, "abcdefghabcdefg" * 5, "a" * 60, "".join(map(chr, range(40, 100)))]
    counts, width = rule.counts(), max(map(len, texts))
    for row, text in enumerate(texts):
        ends = (n for n in range(length, len(text) + 1) if text[:n].count(text[n - length : n]) >= times)
        expected[row] = next(ends, None)
        found[row] = None
    active = list(range(len(texts)))
    for step in range(width):
        active = [row for row in active if step < len(texts[row]) and found[row] is None]
        draw.shuffle(active)
        chosen, rows = torch.tensor([ord(texts[row][step]) for row in active]), torch.tensor(active)
        writing = torch.ones(len(active), dtype=torch.bool)
        for row, cut in zip(active, counts.ended(chosen, rows, writing).tolist()):
            found[row] = step + 1 if cut else None
    assert found == expected and len(set(expected.values())) > 2 and None in expected.values()


@pytest.mark.parametrize("path", PATHS)
def test_a_row_that_repeats_itself_is_cut_and_not_finished(path):
    """24 equal tokens are three times eight; an end token, or a blank line, in that very place is an end."""
    tokenizer = KINDS["two"]()
    seven, line, end = tokenizer.convert_tokens_to_ids(["7", "Ċ", "<|endoftext|>"])
    sample = lambda written, shown=FEW: by(scripted("two", shown, "3+4=", written, seven), path).sample(
        ["3+4="], 3, temperature=0.0, max_new_tokens=40
    )
    cut = sample([])
    assert cut.token_ids == [[seven] * 24] * 3 and cut.texts == ["7" * 24] * 3 and cut.finished == [False] * 3
    assert all(len(scores) == 24 for scores in cut.token_logprobs)
    assert sample([seven] * 23 + [end]).finished == [True] * 3
    assert sample([seven] * 22 + [line, line]).finished == [True] * 3
    plain = sample([], Prompting())
    assert plain.token_ids == [[seven] * 40] * 3 and plain.finished == [False] * 3
