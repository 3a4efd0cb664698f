"""The stage of the learned verifier against labels written by hand and an AUC by counting pairs."""

import itertools

import pytest

from spkit.policy import SftConfig, load_policy
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.run.streams import generator
from spkit.stages.solve import Sample, draw_samples
from spkit.stages.verify_learned import ScorerConfig, first_labels, judge, quality, shares_by_beginning
from spkit.tasks import load_task, problems
from spkit.tasks.base import Problem


@pytest.fixture(scope="module")
def sums():
    return load_task("sums")


def sample(task, prompt, answer, text):
    problem = Problem(prompt, answer, prompt.count("+") + 1)
    return Sample(problem, [], text, task.verify(problem, text), text)


PROMPT, ANSWER = "1+2+4=", "7"
TEXTS = ("1+2:3;3+4:7;7", "1+2:3;3+4:8;8", "1+2:4;4+4:8;8", "2+4:6;6+1:7;7")


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("1+2:3;3+4:7;7", [True, True, True]),
        ("1+2:3;3+4:8;8", [True, False, False]),
        ("1+2:4;4+4:8;8", [False, True, False]),
        ("1+2:3;7", [True, False]),
        ("1+2:3;3+4:7;8", [True, True, False]),
        ("nonsense", [False]),
    ],
)
def test_steps_are_flagged_as_by_hand(sums, text, flags):
    problem = Problem(PROMPT, ANSWER, 3)
    assert sums.step_verdicts(problem, text) == flags
    assert all(flags) == (sums.verify(problem, text).reward == 1)


def test_labels_of_a_vote_are_shares_among_those_that_begin_alike(sums):
    samples = [sample(sums, PROMPT, ANSWER, text) for text in TEXTS]
    assert shares_by_beginning(sums, samples, [True, False, False, True]) == [
        [0.5, 1.0, 1.0],
        [0.5, 0.0, 0.0],
        [0.0, 0.0, 0.0],
        [1.0, 1.0, 1.0],
    ]


def test_labels_of_the_checker_are_its_flags(sums):
    samples = [sample(sums, PROMPT, ANSWER, text) for text in TEXTS]
    labels = first_labels(sums, samples, 4, ScorerConfig("checker"), generator(0, 1, "scorer"))
    assert labels == [[1, 1, 1], [1, 0, 0], [0, 1, 0], [1, 1, 1]]


def test_quality_counts_pairs(sums):
    samples = [sample(sums, PROMPT, ANSWER, text) for text in TEXTS]
    scores, right = [0.9, 0.6, 0.2, 0.6], [True, False, False, True]
    pairs = [
        (a > b) + (a == b) / 2 for (a, x), (b, y) in itertools.product(zip(scores, right), repeat=2) if x and not y
    ]
    found = quality(samples, scores, [score > 0.5 for score in scores])
    assert found["auc"] == found["auc_within"] == pytest.approx(sum(pairs) / len(pairs))
    assert (found["precision"], found["recall"], found["accepted"]) == (pytest.approx(2 / 3), 1.0, 0.75)
    none = quality(samples[:1], [0.1], [False])
    assert (none["auc"], none["precision"], none["recall"]) == (None, None, 0.0)


def test_off_is_nothing_and_a_fixed_one_is_not_trained_again(sums):
    policy = load_policy("sums")
    batch = problems(sums, 0, 0, 5)
    samples = draw_samples(policy, sums, batch, 2, 1.0, generator(0, 1, "grow"), Run())
    draw = generator(0, 1, "scorer")
    assert judge(None, policy, sums, samples, 2, ScorerConfig(), draw, Run()) == (None, None, {})
    quick = ScorerConfig("checker", sft=SftConfig(steps=2, batch_size=4))
    scorer, accepted, report = judge(None, policy, sums, samples, 2, quick, draw, Run())
    assert len(accepted) == len(samples) and report["scorer"]["labelled"] == 10
    same, again, report = judge(scorer, policy, sums, samples, 2, quick, draw, Run())
    assert same is scorer and again == accepted and "labelled" not in report["scorer"]


def test_a_task_that_marks_no_steps_is_refused():
    addition = load_task("addition")
    with pytest.raises(SpkitError, match="does not say which of the steps are right"):
        addition.step_verdicts(addition.problem(0, 0), "1")
    with pytest.raises(SpkitError, match="problems"):
        ScorerConfig(problems=0)
