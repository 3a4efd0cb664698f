"""The streams that observers of other sizes read, and what is made of what they say."""

import pytest

from spkit.claims import streams
from spkit.claims.streams import SizesConfig, ahead, faded, hump, ordered, stream
from spkit.policy import load_policy
from spkit.tasks import load_task


def test_the_rule_is_always_three_more_and_noise_is_any_digit():
    task, policy, config = load_task("expressions"), load_policy("expressions"), SizesConfig(texts=200)
    texts = {
        name: [policy.tokenizer.decode(ids[:-1]) for _, ids in stream(policy, task, name, config)]
        for name in ("rule", "noise")
    }
    right = [task.solution(task.problem(0, index, 1)) for index in range(200)]
    shift = {name: [(int(text[-1]) - int(gold[-1])) % 10 for text, gold in zip(texts[name], right)] for name in texts}
    assert set(shift["rule"]) == {3} and set(shift["noise"]) == set(range(10))
    assert all(text[:-1] == gold[:-1] for name in texts for text, gold in zip(texts[name], right))
    assert stream(policy, task, "noise", config) == stream(policy, task, "noise", config)
    assert stream(policy, task, "noise", config) != stream(policy, task, "noise", SizesConfig(seed=1, texts=200))


def test_the_effects_are_what_the_criteria_say():
    rows = [
        {"rank": 1, "rule": 900, "noise": 200},
        {"rank": 8, "rule": 1500, "noise": 300},
        {"rank": 64, "rule": 1000, "noise": 900},
    ]
    runs = {"observers": [{"rows": rows}]}
    assert ordered(runs)["effect"] == pytest.approx(0.1) and hump(runs)["effect"] == pytest.approx(0.5)
    frozen, learned = [{"S": 400}, {"S": 100}], [{"S": 300}, {"S": 350}]
    runs = {"az-information-frozen": [{"rows": frozen}], "az-information": [{"rows": learned}]}
    assert faded(runs)["effect"] == pytest.approx(0.3) and ahead(runs)["effect"] == pytest.approx(0.25)


def test_observers_of_each_rank_read_both_streams():
    from dataclasses import replace

    pytest.importorskip("peft")
    config = SizesConfig(
        ranks=(1, 2),
        texts=60,
        observer=replace(SizesConfig().observer, train_tokens=200, validation_tokens=60, passes=1),
    )
    (record,) = streams.sizes(load_policy("expressions"), load_task("expressions"), config, None)
    assert [row["rank"] for row in record["rows"]] == [1, 2] and all(
        {"noise", "rule"} < set(row) for row in record["rows"]
    )
