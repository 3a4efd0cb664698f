"""Grow, filter, improve, and the loops on them: each test names the mistake it would catch."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from spkit.loops import rest as rest_module
from spkit.loops.collapse import CollapseConfig, collapse, training_text
from spkit.loops.rest import RestConfig, above, rest
from spkit.loops.rest_em import RestEmConfig, rest_em
from spkit.loops.rft import RftConfig, rft
from spkit.measures.accuracy import mean_over_tokens, solve, token_entropy
from spkit.policy import Policy, SftConfig, load_policy
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.stages import learn_sft as core
from spkit.stages.learn_sft import (
    Filter,
    Sample,
    capped,
    count,
    distinct,
    grow,
    improve,
    improve_to_best,
    keep,
    profile,
    validation_set,
)
from spkit.tasks import Problem, Verdict, load_task, problems, test_set
from spkit.tasks.sums import order_text

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


def sample(order: list[int], prompt: str = "7+15+8=", wrong: bool = False) -> Sample:
    text = order_text(order) + ("1" if wrong else "")
    problem = Problem(prompt, str(sum(int(n) for n in prompt[:-1].split("+"))), prompt.count("+") + 1)
    return Sample(problem, [order[0]], text, TASK.verify(problem, text), TASK.path(problem, text))


SAME = [sample([7, 15, 8]), sample([15, 7, 8]), sample([8, 7, 15])]  # the first two differ in text and not in path


def test_copies_are_known_by_path_and_of_one_problem_only():
    assert distinct(SAME) == [SAME[0], SAME[2]]
    other = sample([7, 15, 8], "7+8+15=")
    assert distinct([SAME[0], other]) == [SAME[0], other]


def test_the_cap_counts_what_is_left_after_copies_are_dropped():
    kept = keep(SAME, 3, Filter(cap=2), draw())
    assert kept == [SAME[0], SAME[2]] != capped(SAME, 2)
    assert keep(SAME, 3, Filter(cap=1, unique=False), draw()) == [SAME[0]]
    two_problems = [*SAME, *[sample([8, 9], "8+9=")] * 3]
    assert Counter(s.problem.prompt for s in keep(two_problems, 3, Filter(cap=1), draw())) == {"7+15+8=": 1, "8+9=": 1}


def test_wrong_answers_are_never_kept_and_the_control_does_not_look(base):
    batch = problems(TASK, 0, 0, 60)
    grown = grow(base, TASK, batch, 4, 1.0, draw(), Run())
    right = keep(grown, 4, Filter(cap=2), draw())
    assert right and all(s.verdict.correct for s in right)
    control = keep(grown, 4, Filter("random", cap=2), draw(1))
    assert len(control) == len(right) and len({(s.problem.prompt, s.path) for s in control}) == len(control)
    assert max(Counter(s.problem.prompt for s in control).values()) <= 2
    pool = capped(distinct(grown), 2)
    expected = sum(s.verdict.correct for s in pool) / len(pool)
    share = sum(s.verdict.correct for s in control) / len(control)
    assert abs(share - expected) < 0.2 and share < 0.9
    assert control != keep(grown, 4, Filter("random", cap=2), draw(2))


def test_samples_of_a_problem_stand_together_and_end_at_most_once(base, monkeypatch):
    batch, end = problems(TASK, 0, 0, 6), base.tokenizer.eos_token_id
    grown = grow(base, TASK, batch, 3, 1.0, draw(), Run())
    assert [s.problem for s in grown] == [p for p in batch for _ in range(3)]
    assert all(s.token_ids.count(end) == 1 and s.token_ids[-1] == end for s in grown if s.verdict.correct)
    monkeypatch.setattr(type(TASK), "max_completion_chars", lambda self, difficulty: 3)
    cut = grow(base, TASK, batch, 3, 1.0, draw(), Run())
    assert all(
        end not in s.token_ids and not s.verdict.correct and s.verdict.reward == 0 for s in cut if len(s.text) == 4
    )
    assert any(len(s.text) == 4 for s in cut)


def test_nothing_kept_leaves_the_start_as_it_is(base):
    for policy, learned in (
        improve(base, [], QUICK, draw(), Run()),
        improve_to_best(base, TASK, [], QUICK, draw(), Run(), 1, validation_set(TASK, 5)),
    ):
        assert policy.fingerprint() == base.fingerprint() and policy is not base and learned == {}


@pytest.mark.parametrize(
    ("curve", "best"), [([0.1, 0.5, 0.3, 0.5], 2), ([0.6, 0.5, 0.3, 0.5], 1), ([0.1, 0.2, 0.3, 0.4], 4)]
)
def test_the_weights_of_the_best_step_are_handed_back_the_earliest_of_equals(base, monkeypatch, curve, best):
    seen = []

    def look(problems, verdicts):
        return {"accuracy": curve[len(seen) - 1]}

    def watch(policy, *args, **kwargs):
        seen.append(policy.fingerprint())
        return None, []

    monkeypatch.setattr(core, "solve", watch)
    monkeypatch.setattr(core, "accuracy", look)
    pairs = [(p.prompt, base.completion_ids(TASK.solution(p))) for p in problems(TASK, 0, 0, 8)]
    policy, learned = improve_to_best(
        base, TASK, pairs, replace(QUICK, steps=4), draw(), Run(), 1, validation_set(TASK, 5)
    )
    assert len(set(seen)) == 4 and policy.fingerprint() == seen[best - 1]
    assert (learned["best_step"], learned["validation"], learned["steps"]) == (best, max(curve), 4)


def test_validation_and_test_problems_are_never_trained_on():
    trained = {p.prompt for seed in range(3) for p in problems(TASK, seed, 0, 2000)}
    hard = {p.prompt for p in validation_set(TASK, 100) if p.difficulty > 3}
    assert hard and not hard & trained
    assert not {tuple(sorted(p.prompt[:-1].split("+"))) for p in test_set(TASK, 50)} & {
        tuple(sorted(p[:-1].split("+"))) for p in trained
    }


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
    grown = grow(base, TASK, problems(TASK, 0, 0, 60), 4, 1.0, draw(), Run())
    mean = sum(s.verdict.correct for s in grown) / len(grown)
    kept = [above(grown, tau, "correct") for tau in (mean, 0.7, 0.9, 0.999)]
    assert all(one == kept[0] == [s for s in grown if s.verdict.correct] for one in kept)
    sizes = [len(above(grown, tau, "graded")) for tau in (0.0, 0.4, 0.6, 0.9)]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 4


def test_a_threshold_is_exceeded_not_met():
    half = Sample(SAME[0].problem, [1], "x", Verdict(False, 0.5, None, 1), "x")
    assert (
        above([half], 0.5, "graded") == []
        and above([half], 0.49, "graded") == [half]
        and above([half], 0.0, "correct") == []
    )


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


def test_profile_says_what_the_samples_say(base):
    tests = test_set(TASK, 4)
    result = profile(base, TASK, tests, 4, draw(3))
    rollouts, verdicts = solve(base, TASK, tests, n=4, temperature=1.0, generator=draw(3))
    rows = [verdicts[i : i + 4] for i in range(0, len(verdicts), 4)]
    assert (
        result["pass_at_k"]["1"]
        == pytest.approx(sum(v.correct for v in verdicts) / len(verdicts))
        == result["maj_at_k"]["1"]
    )
    assert result["pass_at_k"]["4"] == pytest.approx(sum(any(v.correct for v in row) for row in rows) / len(rows))
    paths = [
        {TASK.path(p, rollouts.texts[4 * i + j]) for j in range(4) if rows[i][j].correct} for i, p in enumerate(tests)
    ]
    assert result["distinct_correct"] == pytest.approx(sum(map(len, paths)) / len(paths))
    assert result["entropy"] == pytest.approx(
        mean_over_tokens(token_entropy(base, rollouts.prompts, rollouts.token_ids))
    )


def test_counts_are_of_what_was_grown_and_kept():
    grown = [*SAME, sample([7, 15, 8], wrong=True), *[sample([8, 9], "8+9=", wrong=True)] * 4]
    kept = [SAME[0], grown[3]]
    row = count(grown, kept)
    assert (row["problems"], row["samples_drawn"], row["kept"], row["used"]) == (2, 8, 2, 0.5)
    assert row["sampled_accuracy"] == 3 / 8 and row["distinct_right"] == 2 and row["kept_wrong_rate"] == 0.5
    assert row["kept_by_difficulty"] == {"3": 1.0} and row["mean_reward"] == pytest.approx((3 + 1 / 3 + 0) / 8)
    assert count([], [])["kept"] == 0


@pytest.mark.parametrize(
    "loop, config",
    [(rest_em, replace(EM, test_samples=2, measure_train=True, extrapolate=True)), (rest, REST), (collapse, COLLAPSE)],
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
        (lambda: RestConfig(thresholds=(0.5, 0.5)), r"thresholds must rise within \[0, 1\)"),
        (lambda: RestConfig(thresholds=(0.9, 0.1)), "thresholds must rise"),
        (lambda: RestConfig(thresholds=(0.5, 1.0)), "thresholds must rise"),
        (lambda: RestConfig(thresholds=()), "thresholds must rise"),
        (lambda: RestConfig(reward="gold"), "reward must be one of graded, correct"),
        (lambda: RftConfig(temperature=-1), "temperature must be 0 or more"),
        (lambda: CollapseConfig(regime="mixed"), "regime must be one of replace, accumulate, mix"),
        (lambda: CollapseConfig(real_share=1.0), r"real_share must be in \[0, 1\)"),
        (lambda: Filter("gld"), "verifier must be one of gold"),
        (lambda: Filter(cap=0), "cap must be 1 or more, not 0"),
        (lambda: Filter(flip_rate=2), "flip_rate must be between 0 and 1"),
    ],
)
def test_bad_settings_are_one_sentence(make, message):
    with pytest.raises(SpkitError, match=message):
        make()
