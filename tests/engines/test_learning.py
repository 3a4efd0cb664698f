"""Loops whose optimizer steps SFTTrainer and DPOTrainer take: our rows, our records, and losses by other code."""

import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

pytest.importorskip("trl", reason="needs the scale extra: make scale")

from spkit.engines.learn import TrlEngine
from spkit.policy import Policy, SftConfig, load_policy
from spkit.policy.training import Example
from spkit.run.errors import NotFinite
from spkit.run.folder import Run
from spkit.run.streams import generator
from spkit.stages.learn_preference import Contrast, Update, batches, learn_from_pairs
from spkit.stages.references import draw_references
from spkit.tasks import load_task
from tests.command import recorded, run_command

ROOT = Path(__file__).parents[2]
TEST = ["--test-per-difficulty", "2"]
SFT = ["--problems", "8", "--k", "2", "--sft.steps", "3", "--sft.batch-size", "6", *TEST]
SPIN = "spin --iterations 2 --references 12 --batch-size 5 --exact-per-difficulty 1".split() + TEST
RUNS = {
    "star": ["star", "--iterations", "2", "--problems-per-iteration", "16", "--steps", "3", "--batch-size", "5", *TEST],
    "rft": ["rft", *SFT],
    "rest": ["rest", "--iterations", "1", "--real", "4", *SFT],
    "rest-em": ["rest-em", "--iterations", "2", "--validate-every", "2", "--validation-problems", "4", *SFT],
    "spin": SPIN,
    "spin after SFT, held by kl": [*SPIN, "--sft-epochs", "1", "--kl", "0.5"],
    "spin with the hinge": [*SPIN, "--kind", "hinge", "--iterations", "1"],
    "dpo": [*SPIN, "--kind", "dpo", "--preference", "1", "--iterations", "1"],
    "rft with adapters": ["rft", "--lora", *SFT],
    "spin with adapters": [*SPIN, "--lora"],
}
LATER = {"seconds", "max_abs_reward"}


def numbers(row: dict, inside: str = "") -> dict[str, float]:
    """Every number of a record by its path, but for times and what TRL does not log."""
    found: dict[str, float] = {}
    for key, value in row.items():
        if key not in LATER:
            found |= numbers(value, f"{inside}{key}/") if isinstance(value, dict) else {inside + key: value}
    return found


@pytest.mark.parametrize("name", RUNS)
def test_a_run_has_the_records_of_a_run_by_our_code(name, tmp_path, monkeypatch, capsys):
    for engine in ("spkit", "trl"):
        given = ["run", *RUNS[name], "--engine", engine, "--out", str(tmp_path / engine)]
        code, said = run_command(monkeypatch, capsys, *given)
        assert code == 0, said
    own, theirs = (recorded(tmp_path / engine) for engine in ("spkit", "trl"))
    assert len(own) == len(theirs) > 1
    for one, other in zip(own, theirs):
        one, other = numbers(one), numbers(other)
        assert set(one) == set(other)
        for key, value in one.items():
            if isinstance(value, float):
                assert abs(value - other[key]) < (1e-4 if "loss" in key else 0.02), key
    for engine in ("spkit", "trl"):
        code, said = run_command(monkeypatch, capsys, "diagnose", str(tmp_path / engine))
        assert code == 2 and "say nothing of groups of samples" in said, "of these loops by whatever engine"
    code, said = run_command(monkeypatch, capsys, "run", *RUNS[name], "--out", str(tmp_path / "trl"))
    assert code == 2 and "engine = 'trl', not None" in said


def by_trl(policy: Policy) -> Policy:
    return replace(policy, engine=TrlEngine())


def loss_of_tokens(policy: Policy, example: Example) -> torch.Tensor:
    """Negative log-likelihoods (tokens,) of a completion, one row without padding."""
    ids = torch.tensor([example.prompt + example.completion])
    logits = policy.model(ids).logits[0, len(example.prompt) - 1 : -1]
    return cross_entropy(logits, torch.tensor(example.completion), reduction="none")


def pairs_of(policy: Policy, texts: dict[str, str]) -> list[tuple[str, list[int]]]:
    return [(prompt, policy.completion_ids(text)) for prompt, text in texts.items()]


def test_the_first_loss_is_the_mean_over_all_completion_tokens():
    policy = by_trl(load_policy("sums").clone())
    pairs = pairs_of(policy, {"15+13=": "28", "7+8+9=": "15+9=24", "120+5=": "1"})
    rows = [loss_of_tokens(policy, Example(policy.prompt_ids(prompt), ids)) for prompt, ids in pairs]
    learned = policy.fit(pairs, SftConfig(2, 3, 1e-4), generator(0, 1, "learn"))
    assert abs(learned["loss_first"] - torch.cat(rows).mean().item()) < 1e-4
    assert abs(learned["loss_first"] - torch.stack([row.mean() for row in rows]).mean().item()) > 1e-2, "not over rows"


def test_the_loss_of_pairs_is_that_of_the_stock_trainer_which_asks_the_opponent_itself(tmp_path):
    """The stock trainer reads texts, makes its own tokens and its own log-probabilities of the reference."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    opponent = load_policy("replies")
    asked = draw_references(load_task("replies"), 0, 4)
    texts = [(prompt, good, bad) for (prompt, good), (_, bad) in pairwise(asked)]
    policy, right = opponent.clone(), {prompt: good for prompt, good, _ in texts}
    policy.fit(pairs_of(policy, right), SftConfig(3, 3), generator(0, 1, "sft"))
    stock = DPOTrainer(
        policy.clone().model,
        opponent.clone().model,
        DPOConfig(
            str(tmp_path), max_steps=1, per_device_train_batch_size=3, beta=0.7, precompute_ref_log_probs=True,
            use_cpu=True, bf16=False, report_to=[], disable_tqdm=True, logging_steps=1, save_strategy="no",
        ),
        train_dataset=Dataset.from_list([dict(zip(("prompt", "chosen", "rejected"), row)) for row in texts]),
        processing_class=policy.tokenizer,
    )  # fmt: skip
    stock.train()
    encode = policy.completion_ids
    contrasts = [Contrast(policy.prompt_ids(p), encode(good), encode(bad)) for p, good, bad in texts]
    scored = batches(opponent, contrasts, 3, generator(0, 1, "batches"))
    theirs = sorted(zip(stock.train_dataset["ref_chosen_logps"], stock.train_dataset["ref_rejected_logps"]))
    ours = sorted(zip(scored[0].opponent[:3].tolist(), scored[0].opponent[3:].tolist()))
    assert torch.allclose(torch.tensor(theirs), torch.tensor(ours), atol=1e-4)
    learned = learn_from_pairs(by_trl(policy), scored, Update("logistic", 0.7, 1.0, 1, 3, 1e-5), generator(0, 1, "l"))
    found = stock.state.log_history[0]
    assert abs(learned["loss_first"] - found["loss"]) < 1e-4 and abs(found["loss"] - math.log(2)) > 1e-2
    assert abs(learned["margin"] - found["rewards/margins"]) < 1e-4 and learned["start_log_ratio"] > 0.1


def test_a_copy_of_a_trained_policy_computes_with_its_own_weights():
    """TRL binds `forward` to the model that it trains, and a deep copy of that would read the original's weights."""
    policy = by_trl(load_policy("sums").clone())
    pairs = pairs_of(policy, {"15+13=": "28", "7+8=": "15"})
    policy.fit(pairs, SftConfig(1, 2, 1e-3), generator(0, 1, "learn"))
    assert "forward" not in vars(policy.model) and not policy.model.training
    before, copied = policy.logprobs(["15+13="], [pairs[0][1]])[0], policy.clone()
    copied.fit(pairs, SftConfig(3, 2, 1e-3), generator(0, 2, "learn"))
    assert torch.equal(policy.logprobs(["15+13="], [pairs[0][1]])[0], before)
    assert not torch.allclose(copied.logprobs(["15+13="], [pairs[0][1]])[0], before, atol=1e-3)


def test_a_run_that_diverges_is_said():
    policy = by_trl(load_policy("sums").clone())
    with pytest.raises(NotFinite, match="at step 2: take a lower learning rate"):
        policy.fit(pairs_of(policy, {"15+13=": "28"}), SftConfig(3, 1, 1e30), generator(0, 1, "learn"))


@pytest.mark.parametrize("loop", ["star", "rest_em", "spin"])
def test_a_run_killed_while_it_learns_goes_on_as_if_it_was_not(loop, tmp_path):
    from tests.engines.killed_learning import killed_run

    command = [sys.executable, "-m", "tests.engines.killed_learning", str(tmp_path / "killed"), loop, "2", "learn"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    killed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    whole, resumed = (killed_run.records(Run(tmp_path / name), loop) for name in ("whole", "killed"))
    assert [len(recorded(tmp_path / name)) for name in ("whole", "killed")] == [4, 4]
    for one, other in zip(whole, resumed):
        assert numbers(one) == numbers(other)


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["sft"], {}, "the engine trl runs rlvr, star, rft, rest, rest-em, spin, not sft"),
        (["spin", "--kind", "chi2"], {}, "no word for kind=chi2: choose kind among logistic, hinge, dpo"),
        (["spin", "--kind", "hinge", "--preference", "0.1"], {}, "no word for preference=0.1 with kind=hinge"),
        (["star", "--vllm", "server"], {}, "our own code draws the samples: leave --vllm out"),
        (["star", "--dtype", "nf4", "--lora"], {}, "TRL rounds adapters on 4-bit weights to bfloat16"),
        (
            ["star"],
            {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"},
            "star runs in one process, with TRL too",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, environment, said, tmp_path, monkeypatch, capsys):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    given = ["run", *arguments, "--engine", "trl", "--out", str(tmp_path / "run")]
    code, text = run_command(monkeypatch, capsys, *given)
    assert code == 2 and said in text and "Traceback" not in text and not (tmp_path / "run").exists()
