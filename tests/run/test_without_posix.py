"""The default path needs nothing that only POSIX has: what Windows lacks is taken away, and a loop runs.

This stands in for a Windows machine, which none of us had: it finds names that are not there, and not how they behave.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# other packages, of which each knows its Windows, are imported before
BEFORE = """
import filelock, jinja2, matplotlib.pyplot, numpy, peft, rich.progress, subprocess, tempfile, torch, tyro
from transformers import AutoModelForCausalLM, LlamaForCausalLM, PreTrainedModel, Qwen2ForCausalLM
"""
WITHOUT = """
import builtins, io, os, pathlib, signal, sys

for module in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty"):
    sys.modules[module] = None
for name in ("fork", "killpg", "setsid", "getuid", "getpgid", "sysconf", "sched_getaffinity", "uname"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGALRM", "SIGXCPU", "SIGKILL", "SIGHUP", "setitimer", "alarm", "pthread_sigmask"):
    if hasattr(signal, name):
        delattr(signal, name)
opened = io.open

def without_proc(file, *rest, **named):
    if str(file).startswith(("/proc", "/dev/")):
        raise FileNotFoundError(2, "No such file or directory", str(file))
    return opened(file, *rest, **named)

builtins.open = io.open = without_proc
"""


def in_that_world(code: str, folder: Path, before: str = BEFORE) -> subprocess.CompletedProcess:
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", before + WITHOUT + code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_names_are_really_gone(tmp_path):
    done = in_that_world("import resource", tmp_path, before="")
    assert done.returncode == 1 and "ModuleNotFoundError" in done.stderr
    if sys.version_info < (3, 11):
        return  # pathlib keeps an `open` of its own there, which is not replaced
    done = in_that_world("import pathlib; pathlib.Path('/proc/self/status').read_text()", tmp_path, before="")
    assert done.returncode == 1 and "FileNotFoundError" in done.stderr


def test_every_module_but_the_posix_sandbox_can_be_imported(tmp_path):
    code = """
import importlib, pkgutil, spkit
posix = {"spkit.sandbox.process", "spkit.sandbox.runner", "spkit.exercises.__main__"}
for module in pkgutil.walk_packages(spkit.__path__, "spkit."):
    if module.name not in posix:
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if not (module.name.startswith("spkit.engines.") and error.name in ("datasets", "trl")):  # the extra scale
                raise
"""
    done = in_that_world(code, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.whole
def test_a_loop_runs_is_shown_and_continues(tmp_path):
    run = "run star --problems-per-iteration 8 --steps 2 --test-per-difficulty 2 --out runs/one --json"
    code = f"""
import spkit.cli.main as cli
for line in ("{run} --iterations 1", "{run} --iterations 2", "show runs/one", "notebooks course", "env --json"):
    cli.command(line.split()).run()
"""
    done = in_that_world(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "one" / "dynamics.png").is_file()
    assert len((tmp_path / "runs" / "one" / "metrics.jsonl").read_text().splitlines()) == 3
