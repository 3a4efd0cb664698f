"""Epiplexity: a stream with something to learn against one without and one of noise; exactness, and what is refused."""

import math
import random
from dataclasses import replace

import pytest
import torch

from spkit.bases.tiny import char_tokenizer, tiny_llama
from spkit.measures.epiplexity import ObserverConfig, cost, epiplexity, shuffled_stream, split
from spkit.policy import Policy, SftConfig
from spkit.policy.training import one_pass
from spkit.run.errors import SpkitError

LENGTH = 16
TOKENIZER = char_tokenizer("0123456789=", 32)
CONFIG = ObserverConfig(train_tokens=640, validation_tokens=160, passes=20, batch_size=4, learning_rate=3e-3)
QUICK = ObserverConfig(train_tokens=100, validation_tokens=50, passes=2, batch_size=4)


def stream(kind: str, count: int = 100, seed: int = 0) -> list[tuple[str, list[int]]]:
    """Prompts of three digits.

    Completions are their first digit repeated, digits by chance, or a count by threes from the first digit.
    """
    draw, pairs = random.Random(f"{kind}/{seed}"), []
    for _ in range(count):
        prompt = f"{draw.randrange(1000):03d}="
        text = {
            "constant": lambda first: first * LENGTH,
            "noise": lambda first: "".join(draw.choice("0123456789") for _ in range(LENGTH)),
            "structured": lambda first: "".join(str((int(first) + 3 * j) % 10) for j in range(LENGTH)),
        }[kind](prompt[0])
        pairs.append((prompt, TOKENIZER(text)["input_ids"]))
    return pairs


def fresh(seed: int = 0) -> Policy:
    return Policy(tiny_llama(TOKENIZER, 32, seed, width=64, layers=2), TOKENIZER)


@pytest.fixture(scope="module")
def observer() -> Policy:
    """One that has read a digit repeated, and digits by chance, and never counted."""
    policy = fresh()
    read = stream("constant", 500, seed=1) + stream("noise", 500, seed=1)
    policy.fit(read, SftConfig(steps=200, batch_size=32, learning_rate=3e-3), torch.Generator().manual_seed(0))
    return policy


@pytest.fixture(scope="module")
def found(observer):
    return {kind: epiplexity(observer, stream(kind), CONFIG) for kind in ("constant", "noise", "structured")}


@pytest.mark.whole
def test_only_the_structured_stream_has_much_to_learn(found):
    assert found["structured"].S > 5 * max(found["constant"].S, found["noise"].S, 50)
    assert found["constant"].H < 0.3, "too easy: nothing to learn and nothing unknown"
    assert found["noise"].H == pytest.approx(math.log2(10), abs=0.2), "too hard: all of it stays unknown"
    assert found["structured"].passes[-1].H < 1.0, "it was learned: what was never read is known too"


@pytest.mark.whole
def test_without_selection_noise_that_is_read_often_fools_it(observer, found):
    last = found["noise"].passes[-1]
    assert last.S > 0.3 * CONFIG.train_tokens * math.log2(10) and last.S > 5 * found["noise"].S
    assert last.H > found["noise"].H + 0.5 and last.MDL > found["noise"].MDL
    short = replace(CONFIG, passes=3)
    taken, best = (epiplexity(observer, stream("noise"), replace(short, select=select)) for select in (False, True))
    assert taken.passes == best.passes == found["noise"].passes[:3]
    assert taken.chosen == 3 and (taken.S, taken.H) == (best.passes[2].S, best.passes[2].H)
    assert best.MDL == min(one.MDL for one in best.passes)


def test_the_numbers_are_what_algorithm_1_adds_up(observer):
    """Once more by plain loops: one pass, one text at a time, log-probabilities from the model's own forward."""
    config = replace(QUICK, passes=1, batch_size=1)
    result, (train, validation) = (
        epiplexity(observer, stream("structured"), config),
        split(observer, stream("structured"), config),
    )
    policy = observer.clone()
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=config.learning_rate, weight_decay=0.0)

    def bits(example):
        ids, n = torch.tensor([example.prompt + example.completion]), len(example.completion)
        scores = policy.model(ids[:, :-1]).logits[0, -n:].log_softmax(-1)
        return -scores[range(n), example.completion].sum() / math.log(2)

    lengths = [len(example.prompt) + len(example.completion) for example in train]
    online = 0.0
    for (index,) in one_pass(lengths, 1, torch.Generator().manual_seed(config.seed)):
        now = bits(train[index])
        online += now.item()
        optimizer.zero_grad()
        (now * math.log(2) / len(train[index].completion)).backward()
        torch.nn.utils.clip_grad_norm_(policy.model.parameters(), config.clip)
        optimizer.step()
    with torch.no_grad():
        left, held_out = (sum(bits(example).item() for example in part) for part in (train, validation))
    assert result.online == pytest.approx(online, rel=1e-3) and result.S == pytest.approx(online - left, rel=1e-3)
    assert result.H == pytest.approx(held_out / 50, rel=1e-3) and result.MDL == pytest.approx(result.S / 100 + result.H)


def test_tokens_are_exact_and_the_parts_disjoint(observer):
    pairs = stream("noise")
    for train_tokens, validation_tokens in ((100, 50), (1, 1), (16, 32), (1201, 333)):
        train, validation = split(observer, pairs, ObserverConfig(train_tokens, validation_tokens))
        assert sum(len(example.completion) for example in train) == train_tokens
        assert sum(len(example.completion) for example in validation) == validation_tokens
        texts = [tuple(example.completion) for example in (*train, *validation)]
        assert len(set(texts)) == len(texts)
        whole = {tuple(ids) for _, ids in pairs}
        assert sum(text not in whole for text in texts) <= 2, "only the last completion of each part is cut"


def test_the_order_of_the_stream_changes_nothing_and_the_observer_stays_as_it_is(observer):
    before, pairs = observer.fingerprint(), stream("structured")
    mixed = random.Random(1).sample(pairs, len(pairs))
    assert epiplexity(observer, pairs, QUICK) == epiplexity(observer, mixed, QUICK)
    assert observer.fingerprint() == before
    assert epiplexity(observer, pairs, replace(QUICK, seed=1)) != epiplexity(observer, pairs, QUICK)


def test_bits_of_a_blind_observer_are_known():
    """All logits equal: log2 of the vocabulary for every completion token, prompts for free."""
    blind = fresh()
    with torch.no_grad():
        blind.model.model.norm.weight.zero_()
    train, _ = split(blind, stream("noise"), QUICK)
    assert cost(blind, train) == pytest.approx(100 * math.log2(len(TOKENIZER)), rel=1e-6)
    assert cost(blind, train, rows_at_once=3) == pytest.approx(cost(blind, train))


def test_the_shuffled_control_keeps_the_texts_and_breaks_the_pairs():
    pairs = [(f"{i:03d}=", [i]) for i in range(7)]
    control = shuffled_stream(pairs, 3)
    assert [prompt for prompt, _ in control] == [prompt for prompt, _ in pairs]
    assert sorted(ids for _, ids in control) == [ids for _, ids in pairs]
    assert all(mine != other for mine, other in zip(pairs, control)) and control != shuffled_stream(pairs, 4)
    assert shuffled_stream(pairs[:1]) == pairs[:1] and shuffled_stream([]) == []


@pytest.mark.whole
def test_completions_of_other_prompts_leave_less_to_know(observer, found):
    control = epiplexity(observer, shuffled_stream(stream("structured")), CONFIG)
    assert (
        min(one.H for one in control.passes) > found["structured"].passes[-1].H + 0.1
    )  # the first digit can no longer be known


@pytest.mark.parametrize(
    ("pairs", "config", "message"),
    [
        (stream("noise", 5), QUICK, "the stream has 80 completion tokens and 150 are needed, in whole pairs"),
        (
            stream("noise", 10),
            replace(QUICK, validation_tokens=50, train_tokens=110),
            "160 completion tokens and 160 are needed, in whole pairs",
        ),
        ([], QUICK, "the stream has 0 completion tokens"),
        ([("1=", [])], QUICK, "a completion of the stream is empty"),
        ([("1=", [3] * 40)], QUICK, "the observer reads 32 tokens and the completion of '1=' goes beyond"),
        ([("", [3])], QUICK, "the prompt is empty"),
        ([("1=", [14])] * 9, QUICK, "the stream has token 14 and the observer knows 0 to 13"),
    ],
)
def test_streams_that_cannot_be_read_are_refused(pairs, config, message, observer):
    with pytest.raises(SpkitError, match=message):
        epiplexity(observer, pairs, config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_tokens": 0}, "train_tokens must be 1 or more, not 0"),
        ({"passes": 0}, "passes must be 1 or more"),
        ({"learning_rate": math.nan}, "learning_rate must be a positive number, not nan"),
        ({"clip": 0.0}, "clip must be a positive number"),
    ],
)
def test_bad_settings_are_one_sentence(change, message):
    with pytest.raises(SpkitError, match=message):
        ObserverConfig(**change)
