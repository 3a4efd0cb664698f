"""Presets against the papers: values and sources are typed here a second time, from notes on the papers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from spkit.claims import REAL_EXPERIMENTS
from spkit.claims.games_real import REAL_PLAY
from spkit.cli.main import main
from spkit.cli.presets import preset, preset_rows
from spkit.cli.runs import run_by_default, run_command
from spkit.loops import METHODS, load_method
from spkit.run.errors import SpkitError
from spkit.run.settings import changed

STAR, RFT, REST, EM = "2203.14465", "2308.01825", "2308.08998", "2312.06585"
COLLAPSE, SPIN, TSPIN = "Nature 631:755", "2401.01335", "2601.08198"
GRPO, DAPO, DR_GRPO, RLOO, RF = "2402.03300", "2503.14476", "2503.20783", "2402.14740", "2501.03262"
AZR, QUIET, SPIRAL, OURS = "2505.03335", "2403.09629", "2506.24119", "our choice"
REAL_EM = REAL_EXPERIMENTS["real-em"].config
PAPERS = {
    ("star", "paper"): {
        "iterations": (16, STAR),  # "After 16 iterations overall accuracy 89.5 %"
        "problems_per_iteration": (10_000, STAR),  # sampled each loop from 50,000 generated
        "rationalize": (True, STAR),
        "rationalizer": ("last", STAR),  # Algorithm 1: M_{n-1} reads the hints
        "restart": ("base", STAR),  # always from the original M
        "select": ("correct", STAR),
        "temperature": (0, STAR),  # greedy
        "schedule": ("linear", STAR),  # arithmetic with rationalization: 300 at the start, +20
        "steps": (300, STAR),
        "increment": (20, STAR),
        "batch_size": (8, STAR),  # 8 x 1024 tokens with packing
        "learning_rate": (1e-6, STAR),
    },
    ("rft", "paper"): {
        "problems": (7473, RFT),
        "k": (100, RFT),
        "temperature": (0.7, RFT),
        "filter.verifier": ("steps", RFT),  # drops paths whose equations do not evaluate
        "filter.unique": (True, RFT),  # by the list of equations
    },
    ("rest", "paper"): {
        "iterations": (2, REST),
        "thresholds": ((0.0, 0.7, 0.8, 0.9, 0.95, 0.99), REST),
        "reward": ("graded", REST),
    },
    ("quiet-star", "paper"): {
        "tokens": (10, QUIET),  # n_ahead = 12, with both marks
        "siblings": (2, QUIET),
        "ahead": (4, QUIET),
        "length": (256, QUIET),
        "batch_size": (8, QUIET),
        "positive": (True, QUIET),
        "text_weight": (0.5, QUIET),
        "learning_rate": (1e-6, QUIET),
    },
    ("game-self-play", "paper"): {
        "iterations": (400, SPIRAL),
        "deals": (128, SPIRAL),
        "opponent": ("latest", SPIRAL),
        "learn.advantage": ("rae", SPIRAL),
        "learn.epochs": (2, SPIRAL),
    },
    ("game-self-play", "smollm2"): {
        "iterations": (8, OURS),
        "deals": (256, OURS),
        "pool_every": (10, OURS),
        "learn.minibatches": (1, OURS),
        "learn.learning_rate": (2e-4, OURS),
        "learn.rows_at_once": (8192, OURS),
        "learn.shared_prompts": (True, OURS),
    },
    ("rest-em", "paper"): {
        "iterations": (3, EM),
        "problems": (7500, EM),
        "k": (32, EM),
        "temperature": (0.7, EM),
        "filter.verifier": ("gold", EM),
        "filter.cap": (10, EM),
        "restart": ("base", EM),
        "accumulate": (False, EM),
    },
    ("rest-em", "smollm2"): {
        "iterations": (3, OURS),
        "problems": (288, OURS),
        "k": (2, OURS),
        "temperature": (0.5, OURS),
        "filter.verifier": ("all_steps", OURS),
        "filter.cap": (4, OURS),
        "restart": ("last", OURS),
        "sft.steps": (20, OURS),
        "sft.batch_size": (8, OURS),
        "sft.learning_rate": (5e-4, OURS),
        "validation_problems": (0, OURS),
    },
    ("collapse", "paper"): {
        "regime": ("replace", COLLAPSE),
        "restart": ("base", COLLAPSE),
        "filter.verifier": ("none", COLLAPSE),
        "filter.unique": (False, COLLAPSE),
    },
    ("collapse", "keep_tenth"): {
        "regime": ("mix", COLLAPSE),
        "real_share": (0.1, COLLAPSE),
        "restart": ("base", COLLAPSE),
        "filter.verifier": ("none", COLLAPSE),
        "filter.unique": (False, COLLAPSE),
    },
    ("spin", "paper"): {
        "iterations": (4, SPIN),  # iterations 0 to 3
        "references": (50_000, SPIN),
        "kind": ("logistic", SPIN),
        "beta": ((0.1, 0.1, 0.1, 5.0), SPIN),
        "learning_rate": ((5e-7, 5e-7, 1e-7, 1e-7), SPIN),
        "epochs": (2, SPIN),
        "batch_size": (64, SPIN),
        "previous": (True, SPIN),  # 100k: previous and current
        "temperature": (1, SPIN),
        "real": ("references", SPIN),
    },
    ("spin", "tspin"): {"kind": ("tspin", TSPIN), "beta": ((1.0,), TSPIN), "tau": (0.1, TSPIN)},
    ("rlvr", "paper"): {
        "pool": (144_000, GRPO),
        "problems": (1024 // 64, GRPO),
        "k": (64, GRPO),
        "advantage": ("grpo", GRPO),
        "aggregation": ("sequence", GRPO),
        "kl": ("k3", GRPO),
        "kl_coef": (0.04, GRPO),
        "epochs": (1, GRPO),
        "batch_size": (1024, GRPO),
        "learning_rate": (1e-6, GRPO),
    },
    ("rlvr", "grpo"): {
        "advantage": ("grpo", GRPO),
        "aggregation": ("sequence", GRPO),
        "clip_low": (0.2, "TRL"),
        "clip_high": (0.2, "TRL"),
        "kl": ("k3", GRPO),
        "kl_coef": (0.04, GRPO),
    },
    ("rlvr", "dapo"): {
        "advantage": ("grpo", DAPO),
        "aggregation": ("token", DAPO),
        "clip_low": (0.2, DAPO),
        "clip_high": (0.28, DAPO),
        "kl_coef": (0, DAPO),
    },
    ("rlvr", "dr_grpo"): {
        "advantage": ("dr_grpo", DR_GRPO),
        "aggregation": ("constant", DR_GRPO),
        "kl_coef": (0, DR_GRPO),
    },
    ("rlvr", "rloo"): {"advantage": ("rloo", RLOO), "aggregation": ("constant", RLOO)},
    ("rlvr", "reinforce_pp"): {"advantage": ("reinforce_pp", RF), "aggregation": ("token", RF)},
    ("absolute-zero", "paper"): {
        "iterations": (500, AZR),
        "kinds": (("deduction", "abduction", "induction"), AZR),
        "tasks": (64, AZR),
        "k": (8, AZR),
        "proposer.kind": ("learned", AZR),
        "proposer.reward": ("1-r", AZR),
        "proposer.extremes": ("paper", AZR),
        "proposer.invalid": (-1, AZR),
        "proposer.references": (6, AZR),
        "proposer.seed_rounds": (4, AZR),
        "verifier.reward": ("grounded", AZR),
        "verifier.check": ("answer", AZR),
        "verifier.gate": ("strict", AZR),
        "verifier.wrong": (-0.5, AZR),
        "verifier.unreadable": (-1, AZR),
        "learn.advantage": ("trr_pp", AZR),
        "learn.whiten": ("tokens", AZR),
        "learn.clip_low": (0.2, AZR),
        "learn.clip_high": (0.28, AZR),
        "learn.kl_coef": (0, AZR),
        "learn.entropy_coef": (0.001, AZR),
        "learn.epochs": (1, AZR),
        "learn.minibatches": (384 // 128, AZR),
        "learn.learning_rate": (1e-6, AZR),
    },
}


def test_the_presets_are_what_the_papers_say():
    shipped: dict = {}
    for row in preset_rows():
        assert row.setting not in shipped.setdefault((row.method, row.preset), {}), "twice"
        shipped[row.method, row.preset][row.setting] = row
    assert {name: set(rows) for name, rows in shipped.items()} == {name: set(rows) for name, rows in PAPERS.items()}
    for name, settings in PAPERS.items():
        for setting, (value, paper) in settings.items():
            row = shipped[name][setting]
            assert preset(*name)[setting] == value and paper in row.source, (name, setting)
            assert len(row.source.split(paper)[1]) > 5, "a source says where in the paper"


@pytest.mark.parametrize(("method", "name"), PAPERS)
def test_a_preset_can_be_built_and_is_what_the_command_takes(method, name):
    wanted = changed(load_method(method)[1](), preset(method, name))
    assert run_command([method, "--preset", name]).config == wanted == run_by_default(method, name).config
    assert wanted != load_method(method)[1]()


def test_the_preset_of_the_real_model_is_what_its_claims_were_measured_with():
    assert run_command(["rest-em", "--preset", "smollm2"]).config == REAL_EM
    assert run_command(["game-self-play", "--preset", "smollm2"]).config == REAL_PLAY


def test_make_real_runs_one_iteration_of_it_in_small():
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    options = makefile.partition("REAL :=")[2].partition("\n\n")[0].replace("\\\n", " ")
    asked = run_command(["rest-em", *options.split()])
    assert asked.config == replace(REAL_EM, iterations=1, test_per_difficulty=16)
    assert (asked.task, asked.model, asked.lora) == ("stories", "smollm2", True)


def test_every_loop_has_its_papers_settings():
    assert {method for method, name in PAPERS if name == "paper"} == set(METHODS) - {"sft"}, "a comparison of ours"


def test_explicit_options_come_before_the_preset_wherever_they_stand():
    for arguments in (["--k", "3", "--preset", "paper"], ["--preset=paper", "--k=3"]):
        config = run_command(["rest-em", *arguments]).config
        assert (config.k, config.problems, config.filter.cap) == (3, 7500, 10)
    assert run_command(["rlvr", "--preset", "dapo", "--clip-high", "0.2"]).config.clip_high == 0.2
    assert run_command(["rlvr"]).config == load_method("rlvr")[1]()
    with pytest.raises(SpkitError, match="preset must be one of paper, tspin, not 'grpo'"):
        run_command(["spin", "--preset", "grpo"])


def test_learning_rates_of_large_models_say_so():
    small = [row for row in preset_rows() if "learning_rate" in row.setting and "our choice" not in row.source]
    assert len(small) == 5 and all("model of 6 to 8 B parameters" in row.note for row in small)


def said(capsys, monkeypatch, *arguments: str) -> str:
    monkeypatch.setattr("sys.argv", ["spkit", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    return capsys.readouterr().out


def test_the_command_shows_them_with_their_sources(capsys, monkeypatch):
    shown = said(capsys, monkeypatch, "presets", "rest-em")
    assert shown.splitlines()[0] == "spkit run rest-em --preset paper" and len(shown.splitlines()) == 22
    assert "--filter.cap" in shown and "arXiv:2312.06585" in shown
    rows = [json.loads(line) for line in said(capsys, monkeypatch, "presets", "--json").splitlines()]
    assert [row["setting"] for row in rows] == [row.setting for row in preset_rows()]
