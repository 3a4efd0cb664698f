"""The streams that observers read, and what is made of what they say."""

from dataclasses import replace

import pytest

from spkit.claims import INFORMATION_CLAIMS
from spkit.claims.learnable_information import FROZEN
from spkit.claims.observers import InformationConfig, SizesConfig, noise_or_rule, right_solutions, sizes
from spkit.loops.absolute_zero import AbsoluteZeroConfig, absolute_zero
from spkit.policy import load_policy
from spkit.run.folder import Run, read_jsonl
from spkit.tasks import load_task

BY_ID = {claim.id: claim for claim in INFORMATION_CLAIMS}
SMALL = AbsoluteZeroConfig(iterations=3, tasks=12, k=4, measure_every=3, test_per_difficulty=2, test_samples=8)


def looks(first: float, last: float) -> list[dict]:
    rows = [{"played_iteration": t, "S": S, "H": 0.1, "depth": 2.0} for t, S in ((3, first), (60, last))]
    return [{"iteration": 0}, *({"iteration": i + 1, **row} for i, row in enumerate(rows))]


def test_the_rule_is_always_three_more_and_noise_is_any_digit():
    task, policy, config = load_task("expressions"), load_policy("expressions"), SizesConfig(texts=200)
    texts = {
        name: [policy.tokenizer.decode(ids[:-1]) for _, ids in noise_or_rule(policy, task, name, config)]
        for name in ("rule", "noise")
    }
    right = [task.solution(task.problem(0, index, 1)) for index in range(200)]
    shift = {name: [(int(text[-1]) - int(gold[-1])) % 10 for text, gold in zip(texts[name], right)] for name in texts}
    assert set(shift["rule"]) == {3} and set(shift["noise"]) == set(range(10))
    assert all(text[:-1] == gold[:-1] for name in texts for text, gold in zip(texts[name], right))
    noise = noise_or_rule(policy, task, "noise", config)
    assert noise_or_rule(policy, task, "noise", config) == noise
    assert noise_or_rule(policy, task, "noise", replace(config, seed=1)) != noise


def test_the_effects_are_what_the_criteria_say():
    rows = [(1, 900, 200), (8, 1500, 300), (64, 1000, 900)]
    sizes = [{"iteration": i + 1, "rank": r, "rule": rule, "noise": noise} for i, (r, rule, noise) in enumerate(rows)]
    runs = {"observers": [{"iteration": 0}, *sizes]}
    order, hump = (BY_ID[id].measure(runs) for id in ("observer-order", "observer-hump"))
    assert order["effect"] == pytest.approx(0.1) and hump["effect"] == pytest.approx(0.5)
    assert hump["rows"] == [{"rank": rank, "noise": noise, "rule": rule} for rank, rule, noise in rows]
    runs = {"az-information-frozen": looks(400, 100), "az-information": looks(300, 350)}
    effects = {id: BY_ID[id].measure(runs)["effect"] for id in BY_ID if id.startswith("az")}
    assert effects["az-information"] == pytest.approx(0.05) and effects["az-information-frozen"] == pytest.approx(0.3)
    assert effects["az-information-learned"] == pytest.approx(0.25)
    kept = BY_ID["az-information"].measure(runs)["rows"]
    assert kept[-1] == {"iteration": 60, "S": 350, "H": 0.1, "depth": 2.0}, "the iteration that was played"


def test_the_frozen_stream_differs_in_the_proposer_alone():
    frozen, learned = FROZEN.loop, InformationConfig().loop
    assert frozen.proposer.kind == "frozen" and replace(frozen, proposer=learned.proposer) == learned


def test_observers_of_each_rank_read_both_streams():
    pytest.importorskip("peft")
    observer = replace(SizesConfig().observer, train_tokens=200, validation_tokens=60, passes=1)
    config = SizesConfig(ranks=(1, 2), texts=60, observer=observer)
    _, *records = sizes(load_policy("expressions"), load_task("expressions"), config)
    assert [record["rank"] for record in records] == [1, 2]
    assert all({"noise", "rule"} < set(record) for record in records)


def test_the_gauge_reads_the_right_solutions_of_the_last_iterations(tmp_path):
    base, task = load_policy("expressions"), load_task("expressions")
    list(absolute_zero(base, task, SMALL, Run(tmp_path)))
    rows = [row for row in read_jsonl(tmp_path / "samples.jsonl") if row.get("role") == "solver" and row["correct"]]
    for after, window, steps in ((3, 2, {2, 3}), (2, 2, {1, 2}), (2, 1, {2})):
        right = [(row["prompt"], row["completion"]) for row in rows if row["step"] in steps]
        pairs = right_solutions(base, tmp_path, after, window)
        assert [(prompt, base.tokenizer.decode(ids[:-1])) for prompt, ids in pairs] == right and len(right) > 5
