"""What is exported is loaded with plain datasets and transformers, and is the same."""

import pytest

from spkit.policy import load_policy, shipped_models
from spkit.run.files import read_jsonl
from tests.command import run_command as said

RUN = "run rft --task sums --problems 4 --k 2 --sft.steps 1 --test-per-difficulty 1 --out".split()
SPIN = (
    "run spin --iterations 1 --references 4 --epochs 1 --test-per-difficulty 1 --exact-per-difficulty 1 --out".split()
)


@pytest.mark.parametrize("lora", [[], ["--lora"]])
def test_a_model_says_the_same_loaded_by_transformers(tmp_path, monkeypatch, capsys, lora):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run, to = tmp_path / "run", tmp_path / "model"
    assert said(monkeypatch, capsys, *RUN, str(run), *lora)[0] == 0
    assert said(monkeypatch, capsys, "export", str(run), "--to", str(to), "--as", "model")[0] == 0
    policy = load_policy(run / "checkpoints" / "iteration-0001")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(to), AutoTokenizer.from_pretrained(to)
    ids = tokenizer("15+13=")["input_ids"]
    assert ids == policy.prompt_ids("15+13=")
    with torch.no_grad():
        theirs, own = (one(torch.tensor([ids])).logits for one in (model, policy.model))
    assert torch.allclose(theirs, own, atol=1e-4)
    assert "licence of that base" in (to / "README.md").read_text()
    code, text = said(monkeypatch, capsys, "export", str(run), "--to", str(to), "--as", "model")
    assert code == 2 and "is there already: choose another --to" in text


def test_an_adapter_says_the_same_loaded_by_peft(tmp_path, monkeypatch, capsys):
    peft, run, to = pytest.importorskip("peft"), tmp_path / "run", tmp_path / "adapter"
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert said(monkeypatch, capsys, *RUN, str(run), "--lora", "--sft.learning-rate", "0.01")[0] == 0
    code, text = said(monkeypatch, capsys, "export", str(run), "--to", str(to), "--as", "adapter")
    assert code == 0 and "BASE being sums" in text
    base = AutoModelForCausalLM.from_pretrained(shipped_models()["sums"])
    ids = torch.tensor([AutoTokenizer.from_pretrained(to)("15+13=")["input_ids"]])
    with torch.no_grad():
        before = base(ids).logits
        theirs = peft.PeftModel.from_pretrained(base, to)(ids).logits
        own = load_policy(run / "checkpoints" / "iteration-0001").model(ids).logits
    assert torch.allclose(theirs, own, atol=1e-4) and not torch.allclose(theirs, before, atol=1e-2)
    written = (to / "adapter_config.json").read_text() + (to / "README.md").read_text()
    assert "LoRA adapter" in written and "made from sums" in written and str(shipped_models()["sums"]) not in written


def test_a_run_without_adapters_has_none_to_export(tmp_path, monkeypatch, capsys):
    run, to = tmp_path / "run", tmp_path / "adapter"
    assert said(monkeypatch, capsys, *RUN, str(run))[0] == 0
    code, text = said(monkeypatch, capsys, "export", str(run), "--to", str(to), "--as", "adapter")
    assert code == 2 and "trained all weights" in text and not to.exists()


def test_a_dataset_has_the_samples_of_the_run(tmp_path, monkeypatch, capsys):
    datasets = pytest.importorskip("datasets")
    run, to = tmp_path / "run", tmp_path / "rows"
    assert said(monkeypatch, capsys, *RUN, str(run))[0] == 0
    assert said(monkeypatch, capsys, "export", str(run), "--to", str(to))[0] == 0
    rows, kept = list(datasets.load_from_disk(str(to))), read_jsonl(run / "samples.jsonl")
    assert [set(row) for row in rows] == [{"prompt", "completion", "reward", "step", "role"}] * len(kept)
    assert [(r["prompt"], r["completion"], r["reward"]) for r in rows] == [
        (k["prompt"], k["completion"], float(k["correct"])) for k in kept
    ]
    code, text = said(monkeypatch, capsys, "export", str(run), "--to", str(tmp_path / "x"), "--as", "pairs")
    assert code == 2 and "pairs are of runs of spin" in text and not (tmp_path / "x").exists()


def test_the_pairs_of_spin_are_references_and_replies(tmp_path, monkeypatch, capsys):
    datasets = pytest.importorskip("datasets")
    from spkit.stages.references import draw_references
    from spkit.tasks import load_task

    run, to = tmp_path / "run", tmp_path / "pairs"
    assert said(monkeypatch, capsys, *SPIN, str(run))[0] == 0
    assert said(monkeypatch, capsys, "export", str(run), "--to", str(to), "--as", "pairs")[0] == 0
    rows = list(datasets.load_from_disk(str(to)))
    assert {row["step"] for row in rows} == {0, 1} and len(rows) == 8
    assert [(row["prompt"], row["chosen"]) for row in rows[:4]] == draw_references(load_task("replies"), 0, 4)
    policy = load_policy("replies")
    stored = read_jsonl(run / "data" / "iteration-0000.jsonl", ("prompt", "token_ids"))
    assert policy.completion_ids(rows[0]["rejected"], finished=False) == stored[0]["token_ids"][:-1]
