"""Decoding with two policies: two-token distributions by hand, a slow decoder that reads again, the ends 0 and 1."""

import json
import math
from dataclasses import dataclass, replace

import pytest
import torch

from spkit.claims.terms import Number
from spkit.measures.swapped_decoding import decode_swapped
from spkit.measures.token_swap import token_swap
from spkit.policy import load_policy
from spkit.run.errors import SpkitError
from spkit.run.streams import generator
from spkit.tasks import Problem, Task, Verdict, load_task, test_set
from tests.conftest import make_policy
from tests.measures.bigrams import bigram_policy

BASE = {"p": {"a": 0.9, "b": 0.1}, "a": {"c": 0.6, "d": 0.4}, "b": {"c": 0.6, "d": 0.4}}
TRAINED = {"p": {"a": 0.2, "b": 0.8}, "a": {"c": 0.45, "d": 0.55}, "b": {"c": 0.55, "d": 0.45}}
ENDS = {"c": {".": 1.0}, "d": {".": 1.0}}
FIRST = 0.2 * math.log(0.2 / 0.9) + 0.8 * math.log(0.8 / 0.1)
AFTER_A = 0.45 * math.log(0.45 / 0.6) + 0.55 * math.log(0.55 / 0.4)


@dataclass(frozen=True)
class Copies(Task):
    """The right completion is the answer itself."""

    def for_problem(self, problem):
        return self

    def max_completion_chars(self, difficulty):
        return 4

    def verify(self, problem, completion):
        return Verdict(completion == problem.answer, float(completion == problem.answer), completion, 0)


def pair():
    return [bigram_policy({**table, **ENDS}, "pabcd") for table in (BASE, TRAINED)]


def ask(count, answer="bc"):
    return [Problem("p", answer, 1)] * count


def written(writer, other, rule, trained_writes=False, count=1, **options):
    options = {"max_new_tokens": 5, **options}
    return decode_swapped(writer, other, ["p"] * count, rule, trained_writes=trained_writes, **options)


def test_the_divergence_is_that_of_the_text_as_it_is_written():
    base, trained = pair()
    nowhere = lambda place: torch.zeros_like(place.differs)
    (text,) = written(base, trained, nowhere)
    assert text.text == "ac" and text.finished and text.swapped == [False] * 3 and text.changes == 0
    assert text.divergence == pytest.approx([FIRST, AFTER_A, 0], abs=1e-5)
    assert text.differs == [True, True, False], "after a the trained policy would write d"
    (text,) = written(trained, base, nowhere, trained_writes=True)
    assert text.text == "bc" and text.divergence[0] == pytest.approx(FIRST, abs=1e-5), "the same direction"
    (text,) = written(base, trained, lambda place: place.divergence > 0.5)
    assert text.text == "bc", "after the swapped b, both write c: a swap afterwards, in the base's own text, gives bd"
    assert text.swapped == [True, False, False] and text.changes == 1
    (text,) = written(base, trained, lambda place: place.divergence < 0.5)
    assert text.text == "ad" and text.swapped == [False, True, True] and text.changes == 1


def test_a_swap_at_a_third_of_the_positions_brings_all_back():
    base, trained = pair()
    found = token_swap(base, trained, Copies(), ask(30), 1 / 3, 0, held_out=ask(7))
    assert found["accuracy"] == {"base": 0, "trained": 1} and found["gain"] == 1
    ours = found["base_writes"]
    values = torch.tensor([FIRST, AFTER_A, 0.0] * 7)
    assert ours["threshold"] == pytest.approx(values.quantile(2 / 3).item(), abs=1e-5)
    assert ours["most_changed"] == pytest.approx(
        {"accuracy": 1, "of_gain": 1, "swapped_share": 1 / 3, "changed_share": 1 / 3, "swaps": 1}
    )
    chance = ours["random"]
    assert chance["swaps"] == 1, "one position, too, and every completion has three tokens"
    assert 0.1 < chance["accuracy"] < 0.6, "the first of three positions is met in a third of 30"
    assert ours["minus_random"]["mean"] == pytest.approx(1 - chance["accuracy"])
    assert ours["minus_random"]["low"] > 0
    back = found["trained_writes"]
    assert back["most_changed"]["accuracy"] == 0 and back["most_changed"]["of_gain"] == 1
    assert Number("base_writes.most_changed.of_gain").of(json.loads(json.dumps(found))) == 1
    again = token_swap(base, trained, Copies(), ask(30), 1 / 3, 0, held_out=ask(7))
    assert again == found, "a seed, a result"
    assert token_swap(base, trained, Copies(), ask(30), 1 / 3, 1, held_out=ask(7)) != found


def test_random_positions_meet_the_one_that_matters_as_often_as_chance_says():
    base, trained = pair()
    found = token_swap(base, trained, Copies(), ask(400), 1 / 3, 0, held_out=ask(7))["base_writes"]
    assert abs(found["random"]["accuracy"] - 1 / 3) < 4 * math.sqrt(1 / 3 * 2 / 3 / 400)
    assert found["random"]["changed_share"] == pytest.approx(found["random"]["accuracy"] / 3 + (1 / 3) ** 2, abs=0.03)


def test_as_many_changes_at_random_disagreements():
    """Both places of the base's text differ. Where the answer is `ad` the second alone is to be swapped: the largest
    difference is the wrong place, and with 1 of every 3 positions the arm by size gets nothing right.
    """
    base, trained = pair()
    found = token_swap(base, trained, Copies(), ask(400, "ad"), 1 / 3, 0, held_out=ask(7))["base_writes"]
    assert found["most_changed"]["accuracy"] == 0 and found["disagreeing"]["accuracy"] == 0, "every one is swapped"
    wide = {"p": {"a": 0.9, "b": 0.1}, "a": {"c": 0.9, "d": 0.1}, "b": {"c": 0.9, "d": 0.1}, **ENDS}
    other = {"p": {"a": 0.1, "b": 0.9}, "a": {"c": 0.2, "d": 0.8}, "b": {"c": 0.2, "d": 0.8}, **ENDS}
    two = (bigram_policy(table, "pabcd") for table in (wide, other))
    found = token_swap(*two, Copies(), ask(400, "bc"), 1 / 3, 0, held_out=ask(7))["base_writes"]
    assert found["most_changed"]["accuracy"] == 1, "of two disagreements the first is the larger"
    assert abs(found["disagreeing"]["accuracy"] - 1 / 4) < 4 * math.sqrt(1 / 4 * 3 / 4 / 400), "swapped, and then not"
    assert abs(found["disagreeing"]["swaps"] - 1) < 4 * math.sqrt(2 * 1 / 4 / 400)
    assert found["minus_disagreeing"]["mean"] == pytest.approx(1 - found["disagreeing"]["accuracy"])


def slow(writer, other, prompt, threshold, trained_writes, limit):
    """The same, one prompt at a time, reading the whole text again at every token, in float64."""
    writer, other = (policy.clone() for policy in (writer, other))
    models = [policy.model.double() for policy in (writer, other)]
    ids, swapped = writer.prompt_ids(prompt), []
    begin = len(ids)
    while len(ids) < begin + limit and (len(ids) == begin or ids[-1] not in writer.stop_ids):
        with torch.no_grad():
            ours, theirs = (model(torch.tensor([ids])).logits[0, -1].log_softmax(-1) for model in models)
        p, q = (ours, theirs) if trained_writes else (theirs, ours)
        swapped.append(bool((p.exp() * (p - q)).sum() > threshold))
        ids.append(int((theirs if swapped[-1] else ours).argmax()))
    return ids[begin:], swapped


@pytest.mark.parametrize(("trained_writes", "sampler"), [(False, "growing"), (True, "growing"), (True, "static")])
def test_lock_step_is_the_slow_decoder_that_reads_again(trained_writes, sampler):
    one, other = (replace(make_policy(seed), sampler=sampler) for seed in (0, 1))
    prompts = [f"{a}+{b}=" for a, b in [(1, 2), (123, 4), (98765, 43210), (7, 7)]]
    rule = lambda place: place.divergence > 1.5
    found = decode_swapped(one, other, prompts, rule, trained_writes=trained_writes, max_new_tokens=16)
    for prompt, text in zip(prompts, found, strict=True):
        assert (text.token_ids, text.swapped) == slow(one, other, prompt, 1.5, trained_writes, 16)
    assert 0 < sum(sum(text.swapped) for text in found) < sum(len(text.swapped) for text in found)
    assert len({len(text.token_ids) for text in found}) > 1 or not any(text.finished for text in found)


def test_at_the_ends_it_is_one_policy_alone_on_a_shipped_model():
    base, task = load_policy("expressions"), load_task("expressions")
    trained = base.clone()
    with torch.no_grad():
        noise = torch.randn(trained.model.lm_head.weight.shape, generator=torch.Generator().manual_seed(0))
        trained.model.lm_head.weight.add_(0.05 * noise)
    problems = test_set(task, 4)
    prompts = [problem.prompt for problem in problems]
    pair = {"base": base, "trained": trained}
    greedy = {name: one.sample(prompts, temperature=0.0, max_new_tokens=60) for name, one in pair.items()}
    always = lambda place: torch.ones_like(place.differs)
    never = lambda place: torch.zeros_like(place.differs)
    for rule, name in ((never, "base"), (always, "trained")):
        texts = decode_swapped(base, trained, prompts, rule, trained_writes=False, max_new_tokens=60)
        assert [text.token_ids for text in texts] == greedy[name].token_ids
        assert [text.text for text in texts] == greedy[name].texts
        assert [text.finished for text in texts] == greedy[name].finished
    assert greedy["base"].texts != greedy["trained"].texts
    none, all_of_it = (token_swap(base, trained, task, problems, share, 0) for share in (0, 1))
    for side, own, given in (("base_writes", "base", "trained"), ("trained_writes", "trained", "base")):
        assert none[side]["most_changed"]["accuracy"] == none["accuracy"][own]
        assert all_of_it[side]["most_changed"]["accuracy"] == none["accuracy"][given]
        assert all_of_it[side]["random"]["swapped_share"] == 1 and none[side]["threshold"] is None


def test_sampling_alone_is_what_the_policy_samples(policy):
    prompts = ["1+2=", "123+456=", "1+2="]
    drawn = policy.sample(prompts, max_new_tokens=20, generator=generator(3, 0, "swap"))
    uniform = torch.rand(3, 20, generator=generator(3, 0, "swap"))
    never = lambda place: torch.zeros_like(place.differs)
    options = dict(trained_writes=False, max_new_tokens=20, temperature=1.0, uniform=uniform)
    texts = decode_swapped(policy, make_policy(1), prompts, never, **options)
    assert [text.token_ids for text in texts] == drawn.token_ids


@pytest.mark.parametrize("sampler", ["growing", "static"])
def test_a_policy_swapped_with_itself_writes_what_it_would(policy, sampler):
    policy = replace(policy, sampler=sampler)
    always = lambda place: torch.ones_like(place.differs)
    texts = decode_swapped(policy, policy, ["1+2=", "33+4="], always, trained_writes=True, max_new_tokens=20)
    expected = policy.sample(["1+2=", "33+4="], temperature=0.0, max_new_tokens=20)
    assert [text.token_ids for text in texts] == expected.token_ids
    assert max(max(text.divergence) for text in texts) < 1e-5 and not any(text.changes for text in texts)


def test_sampling_with_swaps_draws_from_the_other_policy():
    base, trained = pair()
    uniform = torch.rand(4000, 5, generator=generator(0, 0, "swap"))
    texts = written(base, trained, lambda place: place.divergence > 0.5, count=4000, temperature=1.0, uniform=uniform)
    share = sum(text.text[0] == "b" for text in texts) / 4000
    assert abs(share - 0.8) < 4 * math.sqrt(0.8 * 0.2 / 4000)
    after = [text.text[1] == "c" for text in texts if text.text[0] == "a"]
    assert abs(sum(after) / len(after) - 0.6) < 4 * math.sqrt(0.6 * 0.4 / len(after)), "the base's own, not swapped"


def test_what_cannot_be_swapped_is_refused(policy):
    base, trained = pair()
    for share, problems in ((-0.1, ask(1)), (1.1, ask(1)), (math.nan, ask(1)), (0.5, [])):
        with pytest.raises(SpkitError, match="share from 0 to 1"):
            token_swap(base, trained, Copies(), problems, share, 0, held_out=ask(1))
    with pytest.raises(SpkitError, match="no held-out problem"):
        token_swap(base, trained, Copies(), ask(1), 0.5, 0, held_out=[])
    with pytest.raises(SpkitError, match="different tokens"):
        token_swap(base, policy, Copies(), ask(1), 0.5, 0, held_out=ask(1))
    same = token_swap(base, base, Copies(), ask(2), 0.5, 0, held_out=ask(2))
    assert same["gain"] == 0 and same["base_writes"]["random"]["of_gain"] is None
