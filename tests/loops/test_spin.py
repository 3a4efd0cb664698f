"""SPIN: who is scored against whom, and the mistakes of published implementations."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from spkit.loops.spin import SpinConfig, spin
from spkit.policy import load_policy
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.run.streams import generator
from spkit.stages.contrasts import contrast, played
from spkit.stages.learn_preference import Contrast, Update, batches, learn_from_pairs, loss_of_batch
from spkit.stages.references import draw_preferences, draw_references, encode, read_references
from spkit.stages.replies import cut, replies_to
from spkit.tasks import load_task
from tests.helpers import apart, whole

SMALL = SpinConfig(
    iterations=2, references=24, batch_size=8, beta=(1.0,), test_per_difficulty=4, exact_per_difficulty=1
)


@pytest.fixture(scope="module")
def base():
    return load_policy("replies")


@pytest.fixture(scope="module")
def task():
    return load_task("replies")


@pytest.fixture(scope="module")
def real(base, task):
    return encode(base, draw_references(task, 0, 24))


@pytest.mark.parametrize("kind", ["logistic", *whole("chi2", "tspin")])
def test_the_log_ratio_is_exactly_zero_at_the_start_of_every_iteration(base, task, kind):
    records = list(spin(base, task, replace(SMALL, kind=kind, iterations=2)))
    assert [record["learned"]["start_log_ratio"] for record in records[1:]] == [0.0, 0.0]
    assert all(abs(record["held_out_displacement"]["real"]) > 1e-3 for record in records[1:])  # and it moved


def test_the_opponent_is_the_last_policy_and_not_the_base(base, task, real):
    policy = base.clone()
    scored = batches(policy, contrasts(policy, task, real, SMALL), 8, generator(0, 1, "b"))
    learn_from_pairs(policy, scored, SMALL.update(1), generator(0, 1, "l"))
    again = batches(policy, contrasts(policy, task, real, SMALL), 8, generator(0, 2, "b"))
    for batch in again:
        prompts = [policy.tokenizer.decode(example.prompt) for example in batch.examples]
        of = lambda p: torch.stack([row.sum() for row in p.logprobs(prompts, [e.completion for e in batch.examples])])
        assert apart(batch.opponent, of(policy)) < 1e-5 and apart(batch.opponent, of(base)) > 1e-3


def contrasts(policy, task, real, config, t=1, run=None):
    run = run or Run()
    run.store(t, replied(policy, real, config, run, t))
    shown = {i: completions(replied(policy, real, config, run, t, "own-", i)) for i in config.trained_on(t)}
    return contrast(policy, task, real, shown if config.real == "self" else {}, run, t, config)


def replied(policy, real, config, run, t, purpose="reply", part=""):
    draw = generator(config.seed, t, purpose, part)
    return replies_to(policy, real, config.temperature, draw, run, config.cut, config.cut_ends)


def completions(pairs):
    return [ids for _, ids in pairs]


def test_with_lora_the_opponent_is_the_adapted_policy_too(base, task, real):
    peft = pytest.importorskip("peft")
    adapted = base.clone()
    adapted.model = peft.get_peft_model(
        adapted.model, peft.LoraConfig(r=4, target_modules="all-linear", lora_dropout=0.0)
    )
    run = Run()
    for t in (1, 2, 3):
        scored = batches(adapted, contrasts(adapted, task, real, SMALL, t, run), 8, generator(0, t, "b"))
        learned = learn_from_pairs(adapted, scored, replace(SMALL.update(t), learning_rate=1e-2), generator(0, t, "l"))
        assert learned["start_log_ratio"] == 0.0 and abs(learned["displacement_real"]) > 1e-4
    with adapted.model.disable_adapter():  # what a repository that forgets to merge plays against
        first = scored[0]
        stale = loss_of_batch(adapted, first, SMALL.update(1))[1]
    assert abs(stale["displacement_real"]) > 1e-3


def test_each_reference_meets_the_reply_to_its_own_prompt_with_one_end_token(base, task, real):
    end = base.tokenizer.eos_token_id
    for one, pair in zip(real, contrasts(base, task, real, SMALL)):
        assert pair.prompt == base.prompt_ids(one.prompt) and pair.real == one.token_ids
        assert pair.real.count(end) == 1 and pair.real[-1] == end
        assert end not in pair.generated[:-1]


def test_what_is_cut_off_has_no_end_token(base, task, real):
    end = base.tokenizer.eos_token_id
    short = [
        replace_ids(one, one.token_ids[:2]) for one in real
    ]  # the longest reference decides how long a reply may be
    written = completions(replied(base, short, SMALL, Run(), 1))
    assert all(end not in ids and len(ids) == 2 for ids in written)
    assert all(end not in pair.generated for pair in contrasts(base, task, real, replace(SMALL, cut=0.5)))
    ended = contrasts(base, task, real, replace(SMALL, cut=0.5, cut_ends=True))  # the mistake, when asked for
    assert all(pair.generated.count(end) == 1 and pair.generated[-1] == end for pair in ended)
    assert cut([5, 6, 7, end], 0.5) == [5, 6] and cut([5], 0.5) == [5] and cut([5, end], 1.0) == [5, end]


def replace_ids(one, ids):
    return type(one)(one.prompt, ids)


def test_from_the_second_iteration_on_the_last_replies_are_trained_on_too(base, task, real):
    run = Run()
    first = contrasts(base, task, real, SMALL, 1, run)
    both = contrasts(base, task, real, SMALL, 2, run)
    alone = contrast(base, task, real, {}, run, 2, replace(SMALL, previous=False))
    assert len(both) == 2 * len(first) == 2 * len(alone)
    assert [pair.generated for pair in both[: len(first)]] == [pair.generated for pair in first]
    assert [pair.generated for pair in both[len(first) :]] == [pair.generated for pair in alone]


def test_with_a_kl_penalty_the_log_ratio_is_taken_to_a_geometric_mixture_with_the_first_policy(base, task, real):
    """alpha-SPIN: opponent^(beta / (beta + kl)) base^(kl / (beta + kl)), with beta + kl in front."""
    policy, config = base.clone(), replace(SMALL, kl=3.0)
    learn_from_pairs(policy, batches(policy, contrasts(policy, task, real, SMALL), 8, generator(0, 1, "b")),
                     SMALL.update(1), generator(0, 1, "l"))  # fmt: skip
    (batch,) = batches(policy, contrasts(policy, task, real[:8], SMALL), 8, generator(0, 2, "b"), base, 3 / 4)
    prompts = [policy.tokenizer.decode(example.prompt) for example in batch.examples]
    of = lambda p: torch.stack([row.sum() for row in p.logprobs(prompts, [e.completion for e in batch.examples])])
    assert config.update(1).beta == 4.0 and apart(of(policy), of(base)) > 1e-3
    assert apart(batch.opponent, of(policy) / 4 + of(base) * 3 / 4) < 1e-4


@pytest.mark.whole
def test_in_the_first_iteration_a_kl_penalty_is_a_larger_beta(base, task):
    """There the opponent is the policy of iteration 0; later the two differ."""
    config = replace(SMALL, sft_epochs=2, learning_rate=(1e-3,))
    held, steep = (list(spin(base, task, replace(config, **change))) for change in ({"kl": 2.0}, {"beta": (3.0,)}))
    assert held[1]["learned"] == pytest.approx(steep[1]["learned"], rel=1e-3, abs=1e-4)
    assert held[1]["kl"] == pytest.approx(steep[1]["kl"], rel=1e-3)
    assert held[2]["learned"]["start_log_ratio"] > 0.01 > abs(steep[2]["learned"]["start_log_ratio"])
    assert abs(held[2]["kl"] - steep[2]["kl"]) > 1e-3


@pytest.mark.whole
def test_a_run_with_a_kl_penalty_goes_on_as_if_it_had_not_been_stopped(base, task, tmp_path):
    config = replace(SMALL, sft_epochs=1, kl=1.0, opponents="pool", iterations=3, learning_rate=(1e-3,))
    whole = list(spin(base, task, config))
    parts = spin(base, task, config, Run(tmp_path))
    assert [next(parts)["iteration"] for _ in range(2)] == [0, 1]
    parts.close()
    rest = list(spin(base, task, config, again := Run(tmp_path)))
    assert len(again.records) == 4 and [timeless(r) for r in rest] == [timeless(r) for r in whole]


def timeless(record):
    return {key: value for key, value in record.items() if key != "seconds"}


def test_a_pool_shows_each_prompt_replies_of_different_opponents_all_equally_often():
    run, config = Run(), replace(SMALL, opponents="pool")
    for t in range(1, 6):
        run.store(t, [(f"prompt {row}", [t, row]) for row in range(2000)])
    first, second = played(run, 5, config)
    assert all(a != b and a[1] == b[1] == row for row, (a, b) in enumerate(zip(first, second)))
    counts = Counter(ids[0] for ids in first + second)
    assert set(counts) == {1, 2, 3, 4, 5} and all(abs(count - 800) < 5 * 800**0.5 for count in counts.values())
    assert played(run, 5, config) == [first, second] and played(run, 4, config) != [first, second]
    assert played(run, 5, SMALL) == [[[t, row] for row in range(2000)] for t in (4, 5)]  # the latest two
    (only,) = played(run, 1, config)
    assert only == [[1, row] for row in range(2000)]


def test_the_swap_control_never_sees_a_reference(base, task, real):
    pairs = contrasts(base, task, real, replace(SMALL, real="self"))
    references = {tuple(one.token_ids) for one in real}
    assert sum(tuple(pair.real) in references for pair in pairs) < len(pairs) / 2
    assert any(pair.real != pair.generated for pair in pairs)


@pytest.mark.whole
def test_sft_takes_as_many_steps_and_has_no_opponent(base, task):
    ours, theirs = (list(spin(base, task, replace(SMALL, kind=kind))) for kind in ("logistic", "sft"))
    assert [r["learned"]["steps"] for r in ours[1:]] == [r["learned"]["steps"] for r in theirs[1:]] == [6, 12]
    assert "margin" in ours[1]["learned"] and "margin" not in theirs[1]["learned"]


def test_preference_pairs_are_right_against_wrong_and_of_other_problems(base, task, real):
    rows = draw_preferences(task, 0, 24, 12)
    asked = [task.problem(0, 24 + i) for i in range(12)]
    assert all(
        task.verify(p, chosen).correct and not task.verify(p, rejected).correct
        for p, (_, chosen, rejected) in zip(asked, rows)
    )
    mixed = contrasts(base, task, real, replace(SMALL, preference=0.5))
    assert [pair.preference for pair in mixed] == [False] * 24 + [True] * 12
    scored = batches(base, mixed, 8, generator(0, 1, "b"))
    assert (
        all(len(batch.examples) == 16 for batch in scored if not batch.preference)
        and sum(batch.preference for batch in scored) == 2
    )
    only = contrasts(base, task, real, replace(SMALL, kind="dpo"))
    assert len(only) == 24 and all(pair.preference for pair in only)


def test_sums_over_tokens_and_prompt_tokens_do_not_count(base, real):
    one = real[0]
    pair = Contrast(base.prompt_ids(one.prompt), one.token_ids, one.token_ids[:3])
    (batch,) = batches(base, [pair], 8, generator(0, 1, "b"))
    expected = [row.sum() for row in base.logprobs([one.prompt] * 2, [one.token_ids, one.token_ids[:3]])]
    assert apart(batch.opponent, expected) < 1e-5


def test_learning_raises_the_margin_and_the_accuracy(base, task, real):
    policy, update = base.clone(), Update("logistic", 1.0, 1.0, 4, 8, 5e-4)
    scored = batches(policy, contrasts(policy, task, real, SMALL), 8, generator(0, 1, "b"))
    learned = learn_from_pairs(policy, scored, update, generator(0, 1, "l"))
    assert (
        learned["steps"] == 12
        and learned["margin"] > 0.5
        and learned["accuracy"] > 0.6
        and learned["loss_last"] < learned["loss_first"]
    )


def test_a_record_says_what_the_discriminator_sees(base, task):
    *_, record = spin(base, task, SMALL)
    assert 0 <= record["auc"] <= 1 and len(record["rewards"]["real"]) == len(record["rewards"]["generated"]) == 12
    assert {
        "kl",
        "valid",
        "right",
        "rare",
        "kl_base",
        "kl_opponent",
        "length",
        "finish_rate",
        "entropy",
        "distinct_2",
    } <= set(record)


def test_any_task_with_solutions_can_be_imitated():
    base, task = load_policy("sums"), load_task("sums")
    records = list(spin(base, task, replace(SMALL, iterations=1)))
    assert records[1]["learned"]["start_log_ratio"] == 0.0 and "kl" not in records[1]


@pytest.mark.whole
def test_sft_before_the_first_iteration(base, task):
    cold, warm = (list(spin(base, task, replace(SMALL, iterations=1, sft_epochs=epochs))) for epochs in (0, 4))
    assert warm[0]["kl_base"] > 0.05 > abs(cold[0]["kl_base"]) and warm[0]["kl"] != cold[0]["kl"]
    assert (
        warm[1]["learned"]["start_log_ratio"] == 0.0 and warm[0]["seconds"]["learn"] > 0 == cold[0]["seconds"]["learn"]
    )


def test_own_references(base, task, tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(
        '{"prompt": "ann: 2 tea>", "reply": "hi ann, 4"}\n{"prompt": "bob: 1 jam>", "reply": "that is 3, bye"}\n'
    )
    records = list(spin(base, task, replace(SMALL, iterations=1), references=read_references(path)))
    assert records[1]["learned"]["steps"] == 2


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ([("ann: 2 tea>", "4")], "at least 2 references, not 1"),
        ([("ann: 2 tea>", "4"), ("bob: 1 jam>", " ")], "reference 2 has an empty reply"),
        ([("ann: 2 tea>", "4"), ("bob: 1 jam>", "4")], "all 2 references have the same reply"),
        ([("ann: 2 tea>", "4"), ("bob: 1 jam>", "x" * 500)], "reference 2 has 501 tokens and 85 fit"),
        ([("ann: 2 tea>", "4"), ("bob: 1 jam>", "4 €")], "does not know '€'"),
        ([("", "4"), ("bob: 1 jam>", "5")], "prompt is empty"),
    ],
)
def test_references_that_cannot_be_used_are_refused(base, references, message):
    with pytest.raises(SpkitError, match=message):
        encode(base, references)


def test_a_file_that_is_no_reference_data_is_refused(tmp_path):
    with pytest.raises(SpkitError, match="there is no file"):
        read_references(tmp_path / "none.jsonl")
    (tmp_path / "bad.jsonl").write_text('{"prompt": "a", "reply": "b"}\n{"prompt": "a"}\n')
    with pytest.raises(SpkitError, match="line 2 is no reference"):
        read_references(tmp_path / "bad.jsonl")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "gan"}, "kind must be one of logistic, .*dpo, not 'gan'"),
        ({"beta": (0.0,)}, "beta must be positive numbers"),
        ({"beta": ()}, "beta must be positive numbers"),
        ({"learning_rate": (-1.0,)}, "learning_rate must be positive numbers"),
        ({"tau": -1.0}, "tau must be positive"),
        ({"tau": 0.0, "kind": "chi2"}, "tau must be positive"),
        ({"cut": 0.0}, "cut must be in"),
        ({"references": 1}, "references must be 2 or more"),
        ({"real": "both"}, "real must be one of references, self"),
        ({"kl": -0.1}, "kl must be 0 or more"),
        ({"kl": 1.0, "kind": "sft"}, "kl must be 0 for sft"),
        ({"kl": 1.0, "kind": "tspin"}, "kl must be 0 for tspin"),
        ({"opponents": "all"}, "opponents must be one of latest, pool"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, message):
    with pytest.raises(SpkitError, match=message):
        replace(SMALL, **change)


def test_preferences_need_careless_writers():
    with pytest.raises(SpkitError, match="no careless writers"):
        draw_preferences(load_task("addition"), 0, 0, 3)
