"""Logs of every format say the same of the same run.

A bad log is one sentence; a large one does not fill the memory.
"""

import gzip
import json
import random
import subprocess
import sys

import pytest

from spkit.cli.main import main
from spkit.diagnose import diagnose, read_audit, read_log, read_run, read_test
from spkit.diagnose.records import INSTEAD
from spkit.diagnose.texts import has_extra
from spkit.run.errors import SpkitError
from tests.diagnose.world import World, as_trl, as_verl, rows

NOISY = World(flip=0.3, steps=8)
ROW = {"step": 1, "prompt": "a", "completion": "b", "reward": 1.0}


def write(path, made):
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


def numbers(evidence):
    """What a reader of any format must agree on."""
    sums = evidence.texts.clusters, round(evidence.texts.weighted, 6)
    return [(step.step, step.groups, step.useful, step.all_right, step.distinct) for step in evidence.steps], sums


def test_all_formats_of_one_run_are_read_alike(tmp_path):
    made = [row for row in rows(NOISY, 0) if row["role"] == "solver"]
    plain = read_log(write(tmp_path / "a.jsonl", made))
    trl = read_log(write(tmp_path / "b.jsonl", as_trl(made)))
    (tmp_path / "c.json").write_text(json.dumps(as_trl(made), indent=1))
    (tmp_path / "verl").mkdir()
    for step in range(NOISY.steps):  # a file a step, in an order that names do not sort into
        write(tmp_path / "verl" / f"{step + 5}.jsonl", as_verl([row for row in made if row["step"] == step]))
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    verl = read_log(tmp_path / "verl")
    for other in (trl, verl, read_log(tmp_path / "c.json"), read_log(tmp_path / "d.jsonl.gz")):
        assert numbers(other) == numbers(plain) and not other.warnings
    assert trl.format == "TRL" and trl.rewards == ("format_reward", "accuracy_reward") and verl.format == "verl"
    assert verl.steps[0].accuracy is not None, "the gold answers of verl are read"
    shuffled = random.Random(0).sample(made, len(made))
    mixed = read_log(write(tmp_path / "e.jsonl", sorted(shuffled, key=lambda row: row["step"])))
    assert numbers(mixed)[0] == numbers(plain)[0] and mixed.texts.interval() == pytest.approx(plain.texts.interval())


@pytest.mark.peers
def test_parquet_of_trl_is_read_like_json_lines(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    made = as_trl(list(rows(NOISY, 0)))
    plain = read_log(write(tmp_path / "a.jsonl", made))
    (tmp_path / "run" / "completions").mkdir(parents=True)
    for step in range(NOISY.steps):
        table = pyarrow.Table.from_pylist([row for row in made if row["step"] == step])
        parquet.write_table(table, tmp_path / "run" / "completions" / f"completions_{step:05d}.parquet")
    assert numbers(read_log(tmp_path / "run")) == numbers(plain)
    last = tmp_path / "run" / "completions" / f"completions_{NOISY.steps - 1:05d}.parquet"
    last.write_bytes(last.read_bytes()[:-100])
    cut = read_log(tmp_path / "run")
    assert len(cut.steps) == NOISY.steps - 1 and "is cut off and was left out" in cut.warnings[0]
    with pytest.raises(SpkitError, match="damaged or cut off"):
        (tmp_path / "alone.parquet").write_bytes(last.read_bytes())
        read_log(tmp_path / "alone.parquet")


def test_rewards_that_are_all_equal_and_steps_out_of_order_are_said(tmp_path):
    same = [{**ROW, "prompt": str(index // 4)} for index in range(80)]
    log = read_log(write(tmp_path / "a.jsonl", same))
    assert "every reward is 1: read as right" in log.warnings[0] and diagnose(log).verdict == "saturation"
    mixed = [{**ROW, "step": step, "reward": float(index % 2)} for step in range(9) for index in range(4)]
    assert "the steps go back" in read_log(write(tmp_path / "b.jsonl", mixed + mixed)).warnings[0]


def test_audits_are_matched_and_refused(tmp_path):
    made = [row for row in rows(World(fooled=0.6, steps=8, truth=True), 0) if row["role"] == "solver"]
    log = write(tmp_path / "a.jsonl", [{key: value for key, value in row.items() if key != "correct"} for row in made])
    assert diagnose(read_log(log)).verdict == "healthy", (
        "a verifier that is always wrong in the same way agrees with itself"
    )
    audit = write(tmp_path / "audit.jsonl", random.Random(0).sample(made, 150))
    evidence = read_log(log, audit=read_audit(audit))
    assert diagnose(evidence).verdict == "verifier noise" and evidence.audit.counts.total() == 150
    assert evidence.audit.counts[False, True] == 0
    other = write(
        tmp_path / "other.jsonl", [{"prompt": "x", "completion": str(index), "correct": True} for index in range(50)]
    )
    with pytest.raises(SpkitError, match="only 0 of its samples are in the log, and 10 are needed"):
        read_log(log, audit=read_audit(other))
    for lines, message in (
        ([], "has no audited samples"),
        ([{"prompt": "x", "completion": "y"}], "has no correct"),
        ([{**ROW, "correct": "maybe"}], "has correct = 'maybe'"),
    ):
        with pytest.raises(SpkitError, match=message):
            read_audit(write(tmp_path / "bad.jsonl", lines))


@pytest.mark.whole
def test_memory_does_not_grow_with_the_log(tmp_path):
    def peak(steps):
        path, text = tmp_path / f"{steps}.jsonl", "word " * 400
        with open(path, "w") as file:
            for step in range(steps):
                for index in range(64):
                    row = {"step": step, "prompt": f"{step}.{index // 8}", "completion": f"{text}{index}"}
                    file.write(json.dumps({**row, "reward": float(index % 3 == 0)}) + "\n")
        program = "import re, sys; from spkit.diagnose import read_log; e = read_log(sys.argv[1])"
        program += "; print(len(e.steps), *re.findall(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read()))"
        done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
        read, most = map(int, done.stdout.split())
        assert read == steps
        return most / 1024, path.stat().st_size / 2**20

    if not sys.platform.startswith("linux"):
        pytest.skip("the most memory that a process had is read from /proc")
    (small, _), (large, size) = peak(60), peak(600)
    assert large < 400 and large - small < 1.5 * size, "megabytes"


def test_a_gold_answer_that_is_none_is_counted(tmp_path):
    made = [{**ROW, "completion": "#### 18", "gold": "18"}] * 4 + [{**ROW, "prompt": "c", "gold": "####"}] * 3
    log = read_log(write(tmp_path / "a.jsonl", made))
    assert "3 gold answers hold no answer, and were left out" in log.warnings and log.steps[0].accuracy == 1.0


def test_test_prompts_that_are_trained_on_are_found(tmp_path, monkeypatch, capsys):
    question = "How many pears are left of {} when nine are eaten?"
    made = [{**ROW, "prompt": f"Be brief.\n{question.format(i // 4)}", "reward": float(i % 2)} for i in range(400)]
    test = write(tmp_path / "test.jsonl", [{"question": question.format(i).upper()} for i in range(90, 190)])
    evidence = read_log(write(tmp_path / "a.jsonl", made), test=read_test(test))
    assert evidence.leaked == (10, 100)
    (finding,) = [one for one in diagnose(evidence).findings if one.name == "test leak"]
    assert finding.figures["leaked"]["interval"][0] < 0.1 < finding.figures["leaked"]["interval"][1]
    fresh = write(tmp_path / "fresh.jsonl", [{"prompt": question.format(i)} for i in range(100, 200)])
    assert read_log(tmp_path / "a.jsonl", test=read_test(fresh)).leaked == (0, 100)
    for bad, message in (([{"x": 1}], "has no column of prompts among x"), ([], "has no prompts")):
        with pytest.raises(SpkitError, match=message):
            read_test(write(tmp_path / "bad.jsonl", bad))
    with pytest.raises(SpkitError, match="there is no test file"):
        read_test(tmp_path / "nowhere")


def test_the_command_line(tmp_path, monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["spkit", "diagnose", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code, *capsys.readouterr()

    log = write(tmp_path / "a.jsonl", rows(NOISY, 0))
    code, said, errors = call(log, "--plot", tmp_path / "figure.png")
    assert (
        code == 0
        and said.startswith("verdict: verifier noise")
        and (tmp_path / "figure.png").read_bytes()[:4] == b"\x89PNG"
    )
    code, said, _ = call(log, "--json")
    assert code == 0 and json.loads(said)["role"] == "verifier"
    test = write(tmp_path / "test.jsonl", [{"prompt": "problem 3.1"}, {"prompt": "problem 99.1"}])
    code, said, _ = call(log, "--test", test)
    assert code == 0 and "1 of the 2 test prompts are trained on" in said
    code, _, errors = call(log, "--test", tmp_path / "nowhere")
    assert code == 2 and errors.startswith("spkit: there is no test file") and errors.count("\n") == 1
    log.write_text(log.read_text()[:-5])
    code, _, errors = call(log)
    assert code == 0 and errors.startswith("warning: 1 line at the end of a file is cut off")
    code, _, errors = call(tmp_path / "nowhere")
    assert code == 2 and errors.startswith("spkit: there is no file or folder") and errors.count("\n") == 1


def run_folder(path, records, **config):
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"method": "rlvr", "task": "sums", "config": config}))
    write(path / "metrics.jsonl", records)
    return path


def test_run_folders_that_say_too_little(tmp_path):
    base = {"iteration": 0, "accuracy": 0.5}
    for name, records, message in (
        ("base", [base], "no finished iteration after the base"),
        ("star", [base, {"iteration": 1, "accuracy": 0.6, "kept": 10}], "say nothing of groups of samples"),
    ):
        with pytest.raises(SpkitError, match=message):
            read_run(run_folder(tmp_path / name, records))
    with pytest.raises(SpkitError, match="is not a run"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("method", "records", "said"),
    [
        (
            "spin",
            [
                {"iteration": 0, "accuracy": 0.25},
                {"iteration": 1, "accuracy": 0.5, "auc": 0.75, "learned": {"margin": 1.5, "loss_last": 0.4}},
                {"iteration": 2, "accuracy": 0.5, "auc": 0.51, "learned": {"margin": 0.02, "loss_last": 0.6}},
            ],
            "says auc 0.75 -> 0.51, learned.margin 1.50 -> 0.02, accuracy 0.25 -> 0.50 (how to read them: notebook 03",
        ),
        (
            "sft",
            [
                {"iteration": 0, "accuracy": 0.25},
                {"iteration": 1, "learned": {"loss": 0.5}},  # not measured at every iteration
            ],
            "says learned.loss 0.50, accuracy 0.25, and spkit show draws the rest",
        ),
        ("star", [{"iteration": 0, "accuracy": 0.25}, {"iteration": 1, "accuracy": None}], "says accuracy 0.25, and"),
    ],
)  # fmt: skip
def test_a_run_without_rewarded_groups_is_told_what_its_numbers_say(method, records, said, tmp_path):
    folder = run_folder(tmp_path / method, records)
    description = json.loads((folder / "config.json").read_text()) | {"method": method}
    (folder / "config.json").write_text(json.dumps(description))
    with pytest.raises(SpkitError, match=f"the records of {method} say nothing of groups of samples") as refused:
        read_run(folder)
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.whole
def test_the_numbers_that_are_named_are_in_real_records(tmp_path):
    from spkit.run.folder import Run
    from tests.killed_run import records

    for loop, names in INSTEAD.items():
        records(Run(tmp_path / loop), loop)
        with pytest.raises(SpkitError) as refused:
            read_run(tmp_path / loop)
        assert [name for name in (*names, "accuracy") if f"{name} " in str(refused.value)] == [*names, "accuracy"]


def test_shares_of_groups_that_agree_follow_from_reward_and_useful_groups(tmp_path):
    records = [
        {"iteration": 0},
        {"iteration": 1, "reward": 0.9, "useful_groups": 0.2, "problems": 32, "sampled_accuracy": 0.9},
    ]
    (step,) = read_run(run_folder(tmp_path / "r", records, k=8, reward="gold")).steps
    assert step.all_right == pytest.approx(0.9 - 0.2 * 7 / 8) and step.all_wrong == 0.0, (
        "at most 7 of 8 are right in a useful group"
    )


def test_a_run_of_self_play_is_read_from_its_rollouts_and_its_records(tmp_path):
    from spkit.loops.absolute_zero import AbsoluteZeroConfig, absolute_zero
    from spkit.policy import load_policy
    from spkit.run.folder import Run
    from spkit.stages.propose import ProposerConfig
    from spkit.stages.verify_roles import VerifierConfig
    from spkit.tasks import KINDS, load_task

    small = AbsoluteZeroConfig(
        iterations=3,
        kinds=KINDS,
        tasks=8,
        k=4,
        proposer=ProposerConfig(seed_rounds=1),
        verifier=VerifierConfig(check="answer", flip_rate=0.3),
        measure_every=1,
        test_per_difficulty=1,
        test_samples=2,
    )
    records = list(absolute_zero(load_policy("expressions"), load_task("expressions"), small, Run(tmp_path / "r")))
    evidence = read_run(tmp_path / "r")
    diagnosis = diagnose(evidence)
    assert diagnosis.verdict == "verifier noise" and evidence.self_play and len(evidence.steps) == 3
    low, high = diagnosis.findings[0].figures["checked"]["wrong_accepted"]["interval"]
    assert low < 0.3 < high
    for step, record in zip(evidence.steps, records[1:]):
        told = (step.useful, step.solve_rate, step.accuracy, step.valid, step.duplicates, step.depth, step.held_out)
        names = (
            "useful_groups",
            "solve_rate",
            "sampled_accuracy",
            "valid",
            "duplicates",
            "proposed_depth",
            "test_sampled_accuracy",
        )
        assert told == tuple(record[name] for name in names) and step.proposals == 24
    (tmp_path / "r" / "samples.jsonl").unlink()
    without = read_run(tmp_path / "r")
    assert [step.groups for step in without.steps] == [24, 24, 24] and diagnose(without).early.valid == pytest.approx(
        diagnosis.early.valid
    )


def test_a_run_without_polars_is_read_from_its_records(tmp_path, monkeypatch):
    records = [{"iteration": 0}, {"iteration": 1, "reward": 0.5, "useful_groups": 0.5, "problems": 32}]
    folder = run_folder(tmp_path / "r", records, k=8, reward="gold")
    write(folder / "samples.jsonl", [{**ROW, "role": "solver"}] * 4)
    assert read_run(folder).notes[0] == "rollouts in samples.jsonl and records of the run"
    monkeypatch.setattr("spkit.diagnose.records.has_polars", lambda: False)
    evidence = read_run(folder)
    assert "polars is not installed" in evidence.warnings[0] and evidence.steps[0].groups == 32
    (folder / "samples.jsonl").write_text(json.dumps({**ROW, "role": "judge"}) + "\n")
    monkeypatch.undo()
    with pytest.raises(SpkitError, match="samples.jsonl line 1 is no rollout of a run of spkit"):
        read_run(folder)


@pytest.mark.parametrize(
    ("completion", "gold"),
    [
        ("It costs $1,234.00", "1234"),
        ("18.", "18"),
        ("**18**", "18"),
        ("\\boxed{\\frac{1}{2}}", "1/2"),
        ("\\boxed{\\frac{1}{2}}", "0.5"),
        ("\\boxed{\\text{b}}", "b"),
        ("#### 1,234", "1,234"),
        ("<answer>Paris, France</answer>", "Paris, France"),
        ("**Final Answer:** 18", "x\n#### 18"),
    ],
)
def test_accuracy_by_gold_reads_the_spellings_that_the_tasks_read(tmp_path, completion, gold):
    made = [{**ROW, "completion": completion, "gold": gold, "prompt": str(index // 4)} for index in range(8)]
    wrong = [{**row, "step": 2, "completion": "#### 7"} for row in made]
    log = read_log(write(tmp_path / "a.jsonl", made + wrong))
    assert [step.accuracy for step in log.steps] == [1.0, 0.0]


def test_another_spelling_of_the_answer_is_nothing_beside_it():
    plain = (
        "18",
        "#### 18",
        "#### $18.00",
        "**18**",
        "\\boxed{\\text{18}}",
        "\\boxed{18}\n#### 18.0",
        "<answer>18.</answer>",
    )
    beside = ("#### 18 mugs", "\\boxed{18} or \\boxed{19}", "#### 18, as you wished", "so it is 18")
    assert [text for text in plain if has_extra(text, "18")] == [] and [
        text for text in beside if not has_extra(text, "18")
    ] == []
