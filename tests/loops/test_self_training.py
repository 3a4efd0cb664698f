"""The loops that fine-tune on what a verifier keeps: each test names the mistake it would catch."""

from dataclasses import replace

import pytest
import torch

from spkit.loops import rest as rest_module
from spkit.loops.collapse import CollapseConfig, collapse, training_text
from spkit.loops.rest import RestConfig, above, rest, tau_of
from spkit.loops.rest_em import RestEmConfig, rest_em
from spkit.loops.rft import RftConfig, rft
from spkit.policy import Policy, SftConfig, load_policy
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.stages.solve import Sample, draw_samples
from spkit.tasks import Verdict, load_task, problems
from tests.helpers import whole
from tests.stages.by_hand import SAME

TASK = load_task("sums")
QUICK = SftConfig(steps=2, batch_size=8, learning_rate=3e-4)
EM = RestEmConfig(
    iterations=2, problems=15, k=4, sft=QUICK, validate_every=1, validation_problems=5, test_per_difficulty=2
)
REST = RestConfig(iterations=2, problems=15, k=4, sft=QUICK, test_per_difficulty=2, real=5)
COLLAPSE = CollapseConfig(iterations=2, problems=20, sft=QUICK, test_per_difficulty=2)


@pytest.fixture(scope="module")
def base() -> Policy:
    return load_policy("sums")


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_rest_em_restarts_from_the_base_asks_the_same_problems_and_replaces_its_data(base, trained_on):
    before = base.fingerprint()
    list(rest_em(base, TASK, EM))
    (first, pairs, _), (second, later, _) = trained_on
    assert first == second == before == base.fingerprint()
    asked = {p.prompt for p in problems(TASK, 0, 0, 15)}
    assert {prompt for prompt, _ in pairs} | {prompt for prompt, _ in later} <= asked
    trained_on.clear()
    list(rest_em(base, TASK, replace(EM, restart="last", validation_problems=0)))
    assert trained_on[0][0] == before != trained_on[1][0]


def test_rest_em_accumulates_if_asked_to(base, trained_on):
    list(rest_em(base, TASK, replace(EM, validation_problems=0)))
    (_, first, _), (_, second, _) = trained_on
    trained_on.clear()
    list(rest_em(base, TASK, replace(EM, accumulate=True, validation_problems=0)))
    assert trained_on[0][1] == first and trained_on[1][1] == first + second


def test_rft_is_one_round_on_distinct_right_paths(base, trained_on):
    rows = list(rft(base, TASK, RftConfig(problems=15, k=6, sft=QUICK, test_per_difficulty=2)))
    assert [row["iteration"] for row in rows] == [0, 1] and len(trained_on) == 1
    by_prompt = {p.prompt: p for p in problems(TASK, 0, 0, 15)}
    end = base.tokenizer.eos_token_id
    texts = [(prompt, base.tokenizer.decode([i for i in ids if i != end])) for prompt, ids in trained_on[0][1]]
    verdicts = [TASK.verify(by_prompt[prompt], text) for prompt, text in texts]
    assert texts and all(v.correct and v.step_errors == 0 for v in verdicts)
    assert (
        len({(prompt, TASK.path(by_prompt[prompt], text)) for prompt, text in texts}) == len(texts) == rows[1]["kept"]
    )


def test_thresholds_do_nothing_with_a_reward_of_0_or_1(base):
    drawn = draw_samples(base, TASK, problems(TASK, 0, 0, 60), 4, 1.0, draw(), Run())
    mean = sum(s.verdict.correct for s in drawn) / len(drawn)
    kept = [above(drawn, tau, "correct") for tau in (mean, 0.7, 0.9, 0.999)]
    assert all(one == kept[0] == [s for s in drawn if s.verdict.correct] for one in kept)
    sizes = [len(above(drawn, tau, "graded")) for tau in (0.0, 0.4, 0.6, 0.9)]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 4


def test_a_threshold_is_exceeded_not_met():
    half = Sample(SAME[0].problem, [1], "x", Verdict(False, 0.5, None, 1), "x")
    assert (
        above([half], 0.5, "graded") == []
        and above([half], 0.49, "graded") == [half]
        and above([half], 0.0, "correct") == []
    )


@pytest.mark.parametrize(
    ("rule", "threshold", "kept"),
    [
        ("above_mean", 0.0, [0.75, 1.0, 1.0]),  # the mean is 0.58
        ("above_mean", 0.8, [1.0, 1.0]),
        ("fixed", 0.0, [0.25, 0.5, 0.75, 1.0, 1.0]),
        ("fixed", 0.25, [0.5, 0.75, 1.0, 1.0]),
        ("quantile", 0.0, [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]),
        ("quantile", 0.5, [0.75, 1.0, 1.0]),
        ("quantile", 0.9, [1.0, 1.0]),  # never nothing: the best are kept, with all their equals
    ],
)
def test_what_each_rule_of_a_threshold_keeps(rule, threshold, kept):
    rewards = (1.0, 0.0, 0.25, 0.5, 0.75, 1.0)
    samples = [Sample(SAME[0].problem, [1], "x", Verdict(False, reward, None, 1), "x") for reward in rewards]
    tau = tau_of(samples, threshold, RestConfig(threshold_rule=rule))
    assert sorted(s.verdict.reward for s in above(samples, tau, "graded")) == kept


def test_rest_goes_on_from_the_last_policy_more_gently_with_real_data_and_fresh_problems(base, trained_on):
    rows = list(rest(base, TASK, replace(REST, thresholds=(0.0, 0.95))))
    assert (
        len(trained_on) == 4
        and len({start for start, *_ in trained_on}) == 4
        and trained_on[0][0] == base.fingerprint()
    )
    assert [update.learning_rate for *_, update in trained_on] == [3e-4, 1.5e-4] * 2
    real = rest_module.real_data(base, TASK, REST)
    assert len(real) == 5 and all(pair in pairs for _, pairs, _ in trained_on for pair in real)
    for row, start in zip(rows[1:], (0, 15)):
        assert row["improve"][0]["tau"] == row["mean_reward"] > 0 and row["improve"][1]["tau"] == 0.95
        asked = {p.prompt for p in problems(TASK, 0, start, 15)} | {prompt for prompt, _ in real}
        pairs = trained_on[2 * (start > 0)][1]
        assert {prompt for prompt, _ in pairs} <= asked
    assert rows[1]["improve"][0]["kept"] >= rows[1]["improve"][1]["kept"] == rows[1]["kept"] > 0


@pytest.mark.whole
def test_collapse_regimes_read_what_they_say(base, trained_on):
    texts = {}
    for regime in ("replace", "accumulate", "mix"):
        trained_on.clear()
        run = Run()
        list(collapse(base, TASK, replace(COLLAPSE, regime=regime, real_share=0.25), run))
        texts[regime] = [pairs for _, pairs, _ in trained_on]
        real, first, second = (run.stored(i) for i in range(3))
        assert [len(real), len(first), len(second)] == [20, 20, 20]
        expected = {
            "replace": [first, second],
            "accumulate": [real + first, real + first + second],
            "mix": [real[:5] + first[5:], real[:5] + second[5:]],
        }
        assert texts[regime] == expected[regime]
        starts = [start for start, *_ in trained_on]
        assert starts[0] == base.fingerprint() != starts[1]
    assert training_text(run, 2, replace(COLLAPSE, regime="mix")) == real[:2] + second[2:]  # 10 % by default


def test_collapse_measures_against_the_writers(base):
    row = next(collapse(base, TASK, replace(COLLAPSE, iterations=0, test_per_difficulty=20)))
    assert 1 < row["perplexity_floor"] < row["perplexity"] < 1.3
    assert (
        0 < row["tail_mass_real"] < 0.1
        and 0 <= row["tail_mass"] < 0.3
        and 0.3 < row["readable"] <= 1
        and row["entropy"] > 0
    )
    with pytest.raises(SpkitError, match="'addition' has no known distribution"):
        next(collapse(base, load_task("addition"), COLLAPSE))


@pytest.mark.parametrize(
    "loop, config",
    [
        (rest_em, replace(EM, test_samples=2, measure_train=True, extrapolate=True)),
        *whole((rest, REST), (collapse, COLLAPSE)),
    ],
)
def test_the_same_seed_gives_the_same_records_and_another_seed_others(base, loop, config):
    once, again, other = (
        [
            {key: value for key, value in row.items() if key != "seconds"}
            for row in loop(base, TASK, replace(config, seed=seed, iterations=1))
        ]
        for seed in (0, 0, 1)
    )
    assert once == again and once[1] != other[1]
    common = {"iteration", "accuracy", "accuracy_by_difficulty", "wrong_steps_rate"}
    assert common <= set(once[0]) <= set(once[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RestEmConfig(restart="bse"), "restart must be one of base, last, not 'bse'"),
        (lambda: RestEmConfig(problems=0), "problems must be 1 or more, not 0"),
        (lambda: RestConfig(thresholds=(0.9, 0.1)), r"thresholds must lie within \[0, 1\) and not fall"),
        (lambda: RestConfig(thresholds=(0.5, 1.0)), "thresholds must lie"),
        (lambda: RestConfig(thresholds=(-0.1, 0.5)), "thresholds must lie"),
        (lambda: RestConfig(thresholds=()), "thresholds must lie"),
        (lambda: RestConfig(threshold_rule="adaptive"), "threshold_rule must be one of above_mean, fixed, quantile"),
        (lambda: RestConfig(reward="gold"), "reward must be one of graded, correct"),
        (lambda: RftConfig(temperature=-1), "temperature must be 0 or more"),
        (lambda: CollapseConfig(regime="mixed"), "regime must be one of replace, accumulate, mix"),
        (lambda: CollapseConfig(real_share=1.0), r"real_share must be in \[0, 1\)"),
    ],
)
def test_bad_settings_are_one_sentence(make, message):
    with pytest.raises(SpkitError, match=message):
        make()
