"""What is counted column by column is what is counted row by row, however the log is cut into batches."""

import math
import random
from collections import Counter
from dataclasses import asdict, fields

import polars as pl
import pytest

from spkit.diagnose import answer_columns, step_table, totals
from spkit.diagnose.answer_columns import quick_answers
from spkit.diagnose.batches import from_rows
from spkit.diagnose.spreads import BINS, STEP_COLUMNS
from spkit.diagnose.steps import Step
from spkit.diagnose.texts import final_answer, has_extra
from spkit.diagnose.totals import Totals
from tests.diagnose.faults import FAULTS, healthy_world
from tests.diagnose.row_loop import RowTotals, as_row
from tests.diagnose.world import World, rows
from tests.helpers import whole

COUNTED = (  # by the oracle too
    "step groups useful all_right all_wrong solve_rate accuracy distinct distinct_2 entropy length extra proposals "
    "valid duplicates depth proposal_length proposal_entropy"
).split()
ROW = {"step": 1, "prompt": "a", "completion": "b", "reward": 1.0, "reward:r": 1.0}


def read(made, size=1000, cutter=None, **options):
    """Evidence of rows, in batches of that size or of sizes drawn by `cutter`."""
    counted, start = Totals(**options), 0
    names = tuple(dict.fromkeys(name[7:] for row in made for name in row if name.startswith("reward:")))
    while start < len(made):
        end = start + (cutter.randint(1, size) if cutter else size)
        counted.add(from_rows(made[start:end], names))
        start = end
    return counted.evidence("made")


def random_rows(seed):
    """Rows of all kinds: texts with and without answers, graded and binary rewards, gaps, groups of one."""
    draw, made = random.Random(seed), []
    graded, parts = (
        draw.random() < 0.3,
        ["####", "18", " 7", "<answer>", "</answer>", "\\boxed{", "}", "so", "\n", "3.5"],
    )
    for step in range(draw.randint(1, 12)):
        for prompt in range(draw.randint(1, 9)):
            gold, truth = draw.choice([None, "18", "7", "#### 7"]), draw.random() < 0.3
            for _ in range(draw.randint(1, 9)):
                text = " ".join(draw.choice(parts) for _ in range(draw.randint(0, 5)))
                reward = round(draw.random(), 2) if graded else float(draw.random() < 0.4)
                row = {"step": step, "prompt": str(prompt), "completion": text, "reward": reward, "reward:r": reward}
                row |= {"gold": gold} if gold else {}
                row |= {"correct": draw.random() < 0.5} if truth else {}
                row |= {"entropy": draw.random()} if draw.random() < 0.5 else {}
                made.append(row)
            if draw.random() < 0.3:
                text = f"Problem {draw.randint(0, 5)} "
                proposal = {"role": "proposer", "completion": text, "prompt": "", "step": step, "reward": None}
                made.append({**proposal, "valid": draw.random() < 0.8, "depth": draw.random()})
    return made


def same(one, other):
    return (one is None and other is None) or (one is not None and other is not None and math.isclose(
        one, other, rel_tol=1e-9, abs_tol=1e-9
    ))  # fmt: skip


def check(made, evidence):
    oracle = RowTotals()
    for row in made:
        oracle.add(as_row(row))
    expected = oracle.evidence("made", [], [])
    assert len(expected.steps) == len(evidence.steps)
    for one, other in zip(expected.steps, evidence.steps):
        wrong = [name for name in COUNTED if not same(getattr(one, name), getattr(other, name))]
        assert not wrong, (one.step, {name: (getattr(one, name), getattr(other, name)) for name in wrong})
    assert expected.checked == evidence.checked and expected.binary == evidence.binary
    assert same(expected.length_pays, evidence.length_pays) and expected.self_play == evidence.self_play
    if expected.binary:
        for one, other in ((expected.texts, evidence.texts), (expected.answers, evidence.answers)):
            assert one.clusters == other.clusters and same(one.weighted, other.weighted)
            assert one.squares == pytest.approx(other.squares)


@pytest.mark.parametrize("seed", [*range(10), *whole(*range(10, 30))])
def test_random_logs_are_counted_as_row_by_row(seed):
    made = random_rows(seed)
    if any(count > 1 for count in Counter((r["step"], r["prompt"]) for r in made if "valid" not in r).values()):
        check(made, read(made, 40, random.Random(seed)))


@pytest.mark.parametrize("fault", FAULTS)
def test_simulated_runs_are_counted_as_row_by_row(fault):
    world = FAULTS[fault][-1]
    if not (world.style or world.form):  # of several reward functions the oracle knows the sum
        made = [{k: v for k, v in row.items() if k != "tokens"} for row in rows(world, 1)]  # lengths in characters
        check(made, read(made, 700, random.Random(1)))


def test_steps_that_come_mixed_are_told_apart():
    made = rows(World(steps=3, proposer=False), 0)
    mixed = random.Random(0).sample(made, len(made))
    plain, shuffled = read(made), read(mixed, 50)
    for one, other in zip(plain.steps, shuffled.steps):
        assert all(same(getattr(one, name), getattr(other, name)) for name in COUNTED if name != "distinct_2")
    assert not shuffled.warnings


def test_a_step_that_comes_again_is_said_and_counted_once():
    made = rows(World(steps=8, proposer=False), 0)
    again = read(made + made, 200)
    assert [step.step for step in again.steps] == list(range(8)), "one step a number"
    assert any("out of order" in warning for warning in again.warnings)
    assert again.steps[0].groups == 2 * read(made).steps[0].groups


def test_a_step_too_large_is_read_in_parts(monkeypatch):
    monkeypatch.setattr(totals, "OPEN_ROWS", 300)
    made = rows(World(steps=2, problems=64, proposer=False), 0)
    whole = read(made, 100)
    assert "steps 0, 1 are too large" in whole.warnings[0] and sum(step.rows for step in whole.steps) == len(made)


def test_long_texts_split_no_step_that_would_fit(monkeypatch):
    monkeypatch.setattr(totals, "OPEN_BYTES", 200_000)
    text = "x" * 5_000
    made = [{**ROW, "step": i // 20, "prompt": str(i // 5), "completion": f"{text}{i}"} for i in range(800)]
    made = [{**row, "reward": index % 2.0} for index, row in enumerate(made)]
    whole = read(made, 400)
    assert not whole.warnings and [step.groups for step in whole.steps] == [4] * 40
    longer = read([{**row, "completion": 3 * row["completion"]} for row in made], 7)
    assert "too large" in longer.warnings[0] and sum(step.rows for step in longer.steps) == 800


def test_many_steps_are_counted_in_twos_and_threes(monkeypatch):
    made = rows(World(steps=20), 0)
    every = read(made)
    monkeypatch.setattr(step_table, "MOST_STEPS", 8)
    few = read(made, 300)
    assert [step.step for step in few.steps] == [2, 5, 8, 11, 14, 17, 19]
    assert "20 steps: every 3 of them are counted as one" in few.notes
    for name in ("groups", "rows", "proposals"):
        assert sum(getattr(step, name) for step in few.steps) == sum(getattr(step, name) for step in every.steps)
    means = [sum(step.solve_rate for step in every.steps[i : i + 3]) / 3 for i in range(0, 18, 3)]
    assert [step.solve_rate for step in few.steps[:6]] == pytest.approx(means)


def test_the_rows_of_a_few_steps_are_held_and_no_more():
    counted, most = Totals(), 0
    made = rows(World(steps=30, proposer=False), 0)
    for start in range(0, len(made), 100):
        counted.add(from_rows(made[start : start + 100], ("answer_reward",)))
        most = max(most, counted.open.height)
    assert most <= (totals.OPEN_STEPS + 1) * 128


TEXT = (
    "####|#### |#|<answer>|</answer>|<ANSWER>|\\boxed{|}|{|\\fbox{| |\n|;|18|-5|0|007|3.5|Paris|B|the answer is "
    "|Answer: |so it is |x = |:|.|½|²|é|\\frac{1}{2}|$|%|1,234|\\text{b}|\\(|(A)|k| million|–|well|\t|\r|\\|-|+|= |1|٣"
).split("|")


@pytest.mark.parametrize("seed", range(5))
def test_quick_answers_are_those_of_the_reader(seed):
    draw = random.Random(seed)
    texts = ["".join(draw.choice(TEXT) for _ in range(draw.randint(0, 8))) for _ in range(8000)]
    golds = [draw.choice([None, "18", "5", "-5", "Paris", "B", "0", "x", "1/2", "7"]) for _ in texts]
    found = quick_answers(pl.DataFrame({"text": texts, "gold": golds}, schema={"text": pl.String, "gold": pl.String}))
    known = [(text, gold, *row[1:]) for text, gold, row in zip(texts, golds, found.iter_rows()) if row[0]]
    assert len(known) > 500
    wrong = [row for row in known if row[2:] != (final_answer(row[0]), has_extra(row[0], row[1]))]
    assert not wrong


def test_common_ways_to_answer_are_quick():
    texts = [
        "We add. #### 18",
        "so\n#### -5\n",
        "<answer>18</answer>",
        "x <answer> Paris </answer>",
        "\\boxed{18}",
        "It is 18.",
    ]
    found = quick_answers(pl.DataFrame({"text": texts, "gold": ["7"] * len(texts)}))
    assert found["known"].all() and found["answer"].to_list() == ["18", "-5", "18", "Paris", "18", "18"]


def test_answers_of_large_steps_are_read_in_whole_groups_the_same_ones_every_time(monkeypatch):
    monkeypatch.setattr(answer_columns, "SLOW_READS", ((1 << 62, 40),))
    made = rows(World(steps=6, proposer=False, sums=True, gold=True), 0)
    first, second = read(made, 1000), read(made, 77)
    assert first.steps == second.steps and any("answers were read in" in note for note in first.notes)
    monkeypatch.undo()
    every = read(made, 1000)
    apart = [one.accuracy - other.accuracy for one, other in zip(first.steps, every.steps)]
    assert abs(sum(apart)) / len(apart) < 0.12 and any(apart), "30 of 96 groups"
    assert [step.solve_rate for step in first.steps] == [step.solve_rate for step in every.steps]


def test_new_numbers_of_a_step_by_hand():
    made = []
    for prompt, rewards in (("a", (0.0, 1.0, 1.0, 1.0)), ("b", (0.0, 0.0, 0.0, 1.0))):
        for index, reward in enumerate(rewards):
            text = f"#### {18 if reward else index}" if index else "I do not know"
            row = {"step": 3, "prompt": prompt, "completion": text, "gold": "18", "reward:accuracy": reward}
            row |= {"reward:style": 0.5 * (index % 2), "reward": reward + 0.5 * (index % 2)}
            row |= {"tokens": 10 + index, "finish": "length" if index == 0 else "stop", "advantage": reward - 0.5}
            made.append(row | {"chat": False})
    evidence = read(made)
    (step,) = evidence.steps
    assert (step.rows, step.tokens, step.length, evidence.length_unit) == (8, 11.5, 11.5, "tokens")
    assert (step.truncated, step.truncated_right, step.parsed, step.parsed_right) == (0.25, 0.0, 0.75, 1.0)
    assert (step.golden, step.refused, step.accepted, step.solve_rate, step.accuracy) == (0.5, 0.0, 0.0, 0.5, 0.5)
    assert step.rewards == {"accuracy": 0.5, "style": 0.25} and (step.length_p10, step.length_p90) == (10.0, 13.0)
    rewards = [row["reward"] for row in made]
    mean = sum(rewards) / 8
    total = sum((reward - mean) ** 2 for reward in rewards)
    groups = [sum(rewards[:4]) / 4, sum(rewards[4:]) / 4]
    between = sum(4 * (group - mean) ** 2 for group in groups)
    assert step.reward_std == pytest.approx(math.sqrt(total / 8)) and step.between == pytest.approx(between / total)
    assert sum(step.reward_shares.values()) == pytest.approx(1.0) and step.reward_varies == {"accuracy": 1, "style": 1}
    assert (step.vote, step.vote_share) == (0.5, 0.5), "three of four say 18; of b, 1, 2 and 18 are said once each"
    assert (step.plain, step.prefilled, step.double_bos, step.merged, step.against) == (1.0, 0.0, 0.0, 0.0, 0.0)


def test_points_on_no_usual_scale_are_no_verdict_on_gold_answers():
    """Right answers earn 5, and now and then 100 more for something else: 5 is not refused."""
    made = [{**ROW, "prompt": str(i // 4), "completion": f"#### {18 + i % 2}", "gold": "18"} for i in range(400)]
    points = [5.0 * (i % 2 == 0) + (i % 97 == 0) * 100.0 + (i % 7) / 10 for i in range(400)]
    step = read([{**row, "reward": value, "reward:r": value} for row, value in zip(made, points)]).steps[0]
    assert step.refused is None and step.accuracy == 0.5
    plain = read([{**row, "reward": 10.0 * (i % 2), "reward:r": 10.0 * (i % 2)} for i, row in enumerate(made)]).steps[0]
    assert (plain.refused, plain.accepted) == (1.0, 1.0), "two values are a verdict on any scale"


def test_advantages_that_fall_with_rewards_are_seen():
    made = [{**ROW, "prompt": str(i // 4), "reward": float(i % 2), "advantage": -float(i % 2)} for i in range(40)]
    assert read(made).steps[0].against == 1.0
    assert read([{**row, "advantage": row["reward"]} for row in made]).steps[0].against == 0.0
    assert read([{**row, "advantage": 0.0} for row in made]).steps[0].against is None, "masked, or no advantage at all"


@pytest.mark.parametrize("steps", [1, 7, 30, 31, 200, 2500])
def test_histograms_hold_every_completion_once(steps):
    draw = random.Random(steps)
    made = []
    for step in range(steps):
        for index in range(4):
            text = "x" * draw.randint(0, 3 * step + 5)
            made.append({**ROW, "step": step, "prompt": str(index // 2), "completion": text, "reward": draw.random()})
    lengths, rewards = read(made).histograms
    for histogram, values in ((lengths, [len(r["completion"]) for r in made]), (rewards, [r["reward"] for r in made])):
        assert sum(map(sum, histogram.counts)) == len(made)
        assert len(histogram.counts) == len(histogram.edges) - 1 <= BINS and len(histogram.steps) <= STEP_COLUMNS
        assert all(len(row) == len(histogram.steps) for row in histogram.counts)
        assert list(histogram.edges) == sorted(histogram.edges) and list(histogram.steps) == sorted(histogram.steps)
        assert histogram.edges[0] <= min(values) + 0.006 and histogram.edges[-1] >= max(values) - 0.006
        edges, total = histogram.edges, sum(map(sum, histogram.counts[: len(histogram.counts) // 2]))
        exact = sum(value < edges[len(histogram.counts) // 2] for value in values)
        assert abs(total - exact) <= 0.02 * len(made) + 4
    per_column = [sum(column) for column in zip(*lengths.counts)]
    assert max(per_column[:-1], default=0) == min(per_column[:-1], default=0), "columns of as many steps each"


def test_examples_are_the_best_and_the_worst_of_the_last_steps():
    made = rows(World(steps=10, proposer=False, graded=0.4), 0)
    examples = read(made, 300).examples
    assert len(examples) == 5 and {one.step for one in examples} == {9} and len({one.prompt for one in examples}) == 5
    for one in examples:
        group = [row for row in made if row["step"] == 9 and row["prompt"] == one.prompt]
        assert one.best_reward == max(row["reward"] for row in group)
        assert one.worst_reward == min(row["reward"] for row in group)
        assert one.best in [row["completion"] for row in group if row["reward"] == one.best_reward]
    long = [{**ROW, "completion": "x" * 9000, "reward": float(i % 2)} for i in range(4)]
    assert all(len(one.best) <= 2000 for one in read(long).examples)


def test_a_verdict_among_several_rewards_is_known_by_its_name():
    world = World(proposer=False, style=3.0, form=0.5)
    evidence = read(rows(world, 0))
    assert any("right is what answer_reward says" in note for note in evidence.notes)
    alone = read(rows(World(proposer=False), 0))
    assert evidence.steps[0].solve_rate == pytest.approx(evidence.steps[0].rewards["answer_reward"])
    assert abs(evidence.steps[0].solve_rate - alone.steps[0].solve_rate) < 0.2


def test_hostile_texts_do_not_stop_it():
    texts = ["", "\0", "#" * 300_000, "{" * 100_000, "9" * 100_000, "\\boxed{" * 3000, "<answer>" * 9000, "é" * 50_000]
    texts += ["٣" * 50, "a\u2028b", "<think>" * 4000, "\U0001f600" * 5000, "1/" * 5000, None]
    made = [{**ROW, "prompt": str(i % 3), "completion": text, "gold": text} for i, text in enumerate(texts * 3)]
    assert read(made).steps[0].rows == len(made)


def test_evidence_of_a_healthy_run_has_all_that_its_log_says():
    step = read(rows(healthy_world(3), 3)).steps[0]
    assert {item.name for item in fields(Step)} == set(asdict(step))


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_groups_that_agree_are_what_the_verdict_says_and_not_the_sum(right):
    """A reward for the form, which all earn, makes nothing right."""
    parts = {"reward:accuracy": right, "reward:format": 1.0, "reward": right + 1.0}
    step = read([{**ROW, **parts, "prompt": str(i // 4)} for i in range(40)]).steps[0]
    assert (step.groups, step.useful, step.all_right, step.all_wrong) == (10, 0.0, right, 1 - right)
    assert step.solve_rate == right
