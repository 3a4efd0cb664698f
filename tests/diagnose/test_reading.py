"""Logs of every format say the same of the same run.

A bad log is one sentence; a large one does not fill the memory.
"""

import builtins
import gzip
import json
import random
import sys
import tracemalloc

import pytest

from spkit.cli.main import main
from spkit.diagnose import diagnose, read_audit, read_log, read_run
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
    return [
        (step.step, step.groups, step.useful, step.all_right, step.distinct) for step in evidence.steps
    ], evidence.texts


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
    assert (
        "trl rows; reward = format_reward + accuracy_reward" in trl.notes and "verl rows; reward = score" in verl.notes
    )
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


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__
    monkeypatch.setattr(
        builtins,
        "__import__",
        lambda name, *rest: (_ for _ in ()).throw(ImportError) if name == "pyarrow" else real(name, *rest),
    )
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(SpkitError, match=r"pip install 'selfplay-kit\[logs\]'"):
        read_log(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "has no rows with a reward"),
        ([{"step": 1}], "line 1 has no prompt among its columns \\(step\\)"),
        ([{"prompt": "a", "completion": "b", "step": 1}], "line 1 has no reward among its columns"),
        ([{"prompt": "a", "completion": "b", "reward": 1.0}], "line 1 has no step among its columns"),
        ([{"input": "a", "output": "b", "step": 1}], "line 1 has no score among its columns"),
        (
            [{"step": 1, "prompt": "a", "completion": "b", "advantage": 0.0}],
            "line 1 has no column of numbers to take the reward from",
        ),
        ([ROW, {**ROW, "reward": float("nan")}], "line 2 has reward = None: every reward must be a finite number"),
        ([ROW, {**ROW, "reward": None}], "line 2 has reward = None"),
        ([{**ROW, "step": "one"}], "line 1 has step = 'one': it must be a whole number"),
        ([{**ROW, "role": "judge"}], "line 1 has the role 'judge': it must be solver or proposer"),
        ([{**ROW, "correct": "yes"}], "line 1 has correct = 'yes': it must be true or false"),
        (
            [ROW, {"input": "a", "output": "b", "score": 1.0, "step": 1}],
            "line 2 is a row of verl's and the rows before it are spkit's",
        ),
        ([ROW, {**ROW, "advantage": 0.5}], "line 2 is a row of trl's and the rows before it are spkit's"),
        ([ROW, {**ROW, "prompt": "c"}], "no problem has two samples in one step"),
        ([ROW, ROW, [1, 2]], "line 3 is no JSON object but '\\[1, 2\\]'"),
    ],
)
def test_a_bad_log_is_one_sentence(tmp_path, lines, message):
    with pytest.raises(SpkitError, match=message):
        read_log(write(tmp_path / "a.jsonl", lines))


def test_what_is_no_log_at_all(tmp_path):
    for path, message in ((tmp_path / "nowhere", "there is no file or folder"), (tmp_path, "neither a run of spkit")):
        with pytest.raises(SpkitError, match=message):
            read_log(path)
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\x00")
    for name, message in (("a.csv", "is no log: its name must end in"), ("b.jsonl", "is no text in UTF-8")):
        with pytest.raises(SpkitError, match=message):
            read_log(tmp_path / name)


def test_a_cut_end_is_a_warning_and_damage_before_it_an_error(tmp_path):
    made = list(rows(NOISY, 0))
    whole = "".join(json.dumps(row) + "\n" for row in made)
    (tmp_path / "a.jsonl").write_text(whole[:-30])
    cut = read_log(tmp_path / "a.jsonl")
    assert cut.warnings == (f"a.jsonl line {len(made)}, the last one, is cut off and was left out",)
    (tmp_path / "b.json").write_text(json.dumps(made)[:-30])
    assert read_log(tmp_path / "b.json").warnings == (
        f"b.json is cut off after row {len(made) - 1}; what is before was read",
    )
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(whole.encode())[:-2000])
    assert "ends too early" in read_log(tmp_path / "c.jsonl.gz").warnings[0]
    (tmp_path / "d.jsonl").write_text(whole[:5000] + "\n" + whole[5000:])
    with pytest.raises(SpkitError, match="d.jsonl line 42 is no JSON .*: delete the line"):
        read_log(tmp_path / "d.jsonl")


def test_rows_that_no_reward_function_of_trl_judged_are_left_out(tmp_path):
    made = as_trl(rows(NOISY, 0))
    for row in made[:3]:
        row.update(format_reward=float("nan"), accuracy_reward=None)
    log = read_log(write(tmp_path / "a.jsonl", made))
    said = ("3 numbers are NaN or infinite and were read as missing", "3 rows have no reward at all and were left out")
    assert log.warnings == said
    chosen = read_log(write(tmp_path / "b.jsonl", made[8:]), rewards=("accuracy_reward",))
    assert "trl rows; reward = accuracy_reward" in chosen.notes
    with pytest.raises(SpkitError, match="no column 'acc' to take the reward from"):
        read_log(tmp_path / "b.jsonl", rewards=("acc",))


def test_rewards_that_are_all_equal_and_steps_out_of_order_are_said(tmp_path):
    same = [{**ROW, "prompt": str(index // 4)} for index in range(80)]
    log = read_log(write(tmp_path / "a.jsonl", same))
    assert "every reward is 1: read as right" in log.warnings[0] and diagnose(log).verdict == "saturation"
    mixed = [{**ROW, "step": step, "reward": float(index % 2)} for step in range(9) for index in range(4)]
    assert (
        "steps 0, 1, 2, 3, 4, ... are too large or out of order"
        in read_log(write(tmp_path / "b.jsonl", mixed + mixed)).warnings[0]
    )
    with pytest.raises(SpkitError, match="its steps are out of order: sort the rows by step"):
        read_log(write(tmp_path / "c.jsonl", sorted(mixed, key=lambda row: row["reward"])[::2] * 2))


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


def test_memory_does_not_grow_with_the_log(tmp_path):
    def peak(steps):
        path, text = tmp_path / f"{steps}.jsonl", "word " * 400
        with open(path, "w") as file:
            for step in range(steps):
                for index in range(64):
                    row = {
                        "step": step,
                        "prompt": f"{step}.{index // 8}",
                        "completion": f"{text}{index}",
                        "reward": float(index % 3 == 0),
                    }
                    file.write(json.dumps(row) + "\n")
        tracemalloc.start()
        evidence = read_log(path)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(evidence.steps) == steps
        return highest, path.stat().st_size

    (small, _), (large, size) = peak(10), peak(100)
    assert large < 1.5 * small + 500_000 and large < size / 4


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
    log.write_text(log.read_text()[:-5])
    code, _, errors = call(log)
    assert code == 0 and errors.startswith("warning: a.jsonl line")
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


@pytest.mark.parametrize("gold", ["", " ", "####", "\\boxed{}", "<answer></answer>"])
def test_a_gold_answer_that_is_none_is_refused_by_its_line(tmp_path, gold):
    made = [
        {**ROW, "completion": "<answer></answer>", "gold": "18"},
        {**ROW, "completion": "<answer></answer>", "gold": gold},
    ]
    with pytest.raises(SpkitError, match="line 2 has the gold answer .* which is none"):
        read_log(write(tmp_path / "a.jsonl", made))


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
