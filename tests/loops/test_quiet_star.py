"""Quiet-STaR on the shipped base: it learns what its controls do not, and each control is what it says."""

from dataclasses import replace

import pytest
import torch

from spkit.loops.quiet_star import QuietStarConfig, quiet_star
from spkit.policy import load_policy
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.run.streams import generator
from spkit.stages import learn_thoughts
from spkit.stages.learn_thoughts import (
    ThoughtUpdate,
    chosen_places,
    elsewhere,
    learn_from_thoughts,
    new_adamw,
    new_thinker,
    step_loss,
    written_thoughts,
)
from spkit.stages.texts import texts_of
from spkit.tasks import load_task

TASK = load_task("chains")
SMALL = QuietStarConfig(iterations=2, steps=2, batch_size=3, length=25, test_texts=6)


@pytest.fixture(scope="module")
def base():
    return load_policy("quiet")


def thinker_of(policy):
    return new_thinker(policy, "(", ")", 3, 0)


def trained(base, steps: int = 3, **settings):
    """A thinker after a few steps, and the policy it thinks with."""
    policy = base.clone()
    thinker, update = thinker_of(policy), ThoughtUpdate(batch_size=4, **settings)
    texts = texts_of(policy, TASK, 0, 0, 4 * steps, 25)
    learn_from_thoughts(
        thinker, thinker_of(base), texts, update, new_adamw(thinker, update), generator(0, 1, "think"), Run()
    )
    return thinker, policy


def test_it_starts_as_the_base_and_a_thought_changes_nothing_yet(base):
    (first,) = list(quiet_star(base, TASK, replace(SMALL, iterations=0)))
    for how in ("sampled", "greedy"):
        assert first["nll"] == pytest.approx(first[f"nll_{how}"], abs=1e-5)
    assert set(first["weight"].values()) == {0.0}
    assert set(first["nll"]) == {"all", "answer", "cut", "mark", "number", "sign"}


def test_records_hold_what_the_docstring_promises(base):
    rows = list(quiet_star(base, TASK, SMALL))
    assert [row["iteration"] for row in rows] == [0, 1, 2]
    assert {"loss", "advantage", "useful", "mean_weight"} <= rows[1].keys()
    assert {"accuracy", "nll", "nll_sampled", "right_greedy", "steps_sampled", "weight"} <= rows[0].keys()
    assert rows[1]["advantage"] > 0 and 0 < rows[1]["useful"] < 1


def same(first, second) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_the_head_alone_leaves_the_model_and_the_marks(base):
    thinker, policy = trained(base, learn="head")
    fresh = thinker_of(base)
    assert same(policy.model, base.model) and torch.equal(thinker.marks, fresh.marks)
    assert not same(thinker.head, fresh.head)
    thinker, policy = trained(base)
    assert not same(policy.model, base.model) and not torch.equal(thinker.marks, fresh.marks)


def test_without_thoughts_it_is_training_on_the_text(base):
    thinker, _ = trained(base, thoughts="none")
    policy, ids = base.clone(), texts_of(base, TASK, 0, 0, 4, 25)
    loss, told = step_loss(thinker_of(policy), ids, torch.arange(24), None, ThoughtUpdate(thoughts="none"))
    expected = torch.nn.functional.cross_entropy(
        base.model(input_ids=ids).logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()
    )
    torch.testing.assert_close(loss, expected)
    assert told == {} and same(thinker.head, thinker_of(base).head)


def test_pauses_are_learned_and_the_same_at_every_place(base):
    thinker, _ = trained(base, thoughts="pause")
    assert not torch.equal(thinker.pauses, thinker_of(base).pauses)
    assert torch.equal(trained(base)[0].pauses, thinker_of(base).pauses)


def test_shuffled_thoughts_are_the_same_thoughts_elsewhere():
    thoughts = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5)
    moved = elsewhere(thoughts, torch.Generator().manual_seed(0))
    assert moved.shape == thoughts.shape and not torch.equal(moved, thoughts)
    assert sorted(map(tuple, moved.flatten(0, 2).tolist())) == sorted(map(tuple, thoughts.flatten(0, 2).tolist()))


def test_the_bases_thoughts_are_written_by_the_base(base):
    other, ids, places = trained(base, steps=6)[0], texts_of(base, TASK, 0, 0, 4, 25), torch.arange(24)
    draws = [generator(0, 1, "think") for _ in range(3)]
    by_base = written_thoughts(other, thinker_of(base), ids, places, ThoughtUpdate(thoughts="base"), draws[0])
    of_base = written_thoughts(thinker_of(base), thinker_of(base), ids, places, ThoughtUpdate(), draws[1])
    own = written_thoughts(other, thinker_of(base), ids, places, ThoughtUpdate(), draws[2])
    assert torch.equal(by_base, of_base) and not torch.equal(own, of_base)


def test_one_thought_at_a_place_has_nothing_to_be_compared_with(base):
    rows = list(quiet_star(base, TASK, replace(SMALL, iterations=1, siblings=1)))
    assert rows[1]["advantage"] == rows[1]["useful"] == 0


def test_a_share_of_the_places_is_drawn_in_order_and_never_the_last():
    places = chosen_places(25, 0.5, torch.Generator().manual_seed(0)).tolist()
    assert len(places) == 12 and places == sorted(set(places)) and max(places) < 24
    assert chosen_places(25, 1.0, torch.Generator().manual_seed(0)).tolist() == list(range(24))


def test_text_of_a_task_with_words_is_read_too():
    policy, task = load_policy("words"), load_task("word_problems")
    config = replace(SMALL, iterations=1, start="-", close="-", length=40, test_texts=3)
    rows = list(quiet_star(policy, task, config))
    assert set(rows[1]["nll"]) == {"all", "number", "other"} and "steps_sampled" not in rows[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": "ab"}, "'ab' is not one token of this model: choose --start and --close that are"),
        ({"length": 128}, "texts must have 2 to 127 tokens, not 128"),
    ],
)
def test_what_cannot_be_is_one_sentence(base, settings, message):
    with pytest.raises(SpkitError, match=message):
        list(quiet_star(base, TASK, replace(SMALL, **settings)))


@pytest.mark.parametrize("settings", [{"share": 0.0}, {"text_weight": 2.0}, {"thoughts": "all"}, {"siblings": 0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(SpkitError):
        QuietStarConfig(**settings)


@pytest.mark.whole
def test_in_a_hundred_steps_it_thinks_where_that_helps_and_not_elsewhere(base):
    config = QuietStarConfig(iterations=1, steps=100, test_texts=25)
    (before, after) = quiet_star(base, TASK, config)
    assert before["steps_greedy"] < 0.1 < 0.5 < after["steps_greedy"]
    assert after["accuracy"] > 0.5 and after["right"]["answer"] < 0.3
    assert after["weight"]["answer"] > 0.15 + after["weight"]["sign"]
    assert learn_thoughts.WARMUP < config.steps
