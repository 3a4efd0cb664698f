"""Every setting of every loop is an option, with its default, its choices and a help text."""

import re
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from spkit.cli import runs
from spkit.cli.commands import COMMANDS
from spkit.cli.parse import chosen, sentence
from spkit.cli.runs import load_base, rows_of_a_pass, run_command
from spkit.loops import METHODS, load_method
from spkit.maths.preference import LOSSES
from spkit.run.errors import SpkitError
from spkit.run.settings import changed
from spkit.tasks import load_task

ROOT = Path(__file__).parents[2]
AT_LEAST_TWO = {"k": 5, "references": 7, "pool": 3000}  # settings whose other values must be valid


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """A terminal on which no list of choices is broken, and which has no room for two columns of options."""
    monkeypatch.setenv("COLUMNS", "120")


def leaves(config: Any, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Type and value of every setting by its dotted name."""
    found = {}
    for field in fields(config):
        value = getattr(config, field.name)
        if is_dataclass(value):
            found |= leaves(value, f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = (get_type_hints(type(config))[field.name], value)
    return found


def literals(hint: Any) -> tuple[str, ...]:
    """The choices of a Literal, or of a union of some."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return sum(map(literals, get_args(hint)), ()) if get_origin(hint) in (Union, UnionType) else ()


def another(name: str, hint: Any, value: Any) -> Any:
    """A valid value of a setting that is not its default."""
    if choices := literals(hint):
        return next(choice for choice in choices if choice != value)
    if name == "kinds":
        return ("deduction", "abduction")
    if name == "thresholds":
        return (0.25, 0.5)
    if isinstance(value, tuple):
        return (0.5, 0.25)
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return 0.75 if value != 0.75 else 0.5
    if isinstance(value, str):
        return value + "?"
    return AT_LEAST_TWO.get(name, (value or 0) + 3)


def words(name: str, value: Any) -> list[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        head, dot, last = option.rpartition(".")
        return [f"--{option}" if value else f"--{head}{dot}no-{last}"]
    return [f"--{option}", ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]


@pytest.mark.parametrize("loop", METHODS)
def test_every_setting_can_be_changed_and_is_the_loops_own_if_it_is_not(loop):
    default = load_method(loop)[1]()
    assert run_command([loop]).config == default
    for name, (hint, value) in leaves(default).items():
        wanted = another(name, hint, value)
        assert wanted != value
        assert run_command([loop, *words(name, wanted)]).config == changed(default, {name: wanted}), name


@pytest.mark.parametrize("loop", METHODS)
def test_all_settings_together(loop):
    default, arguments, changes = load_method(loop)[1](), [loop], {}
    for name, (hint, value) in leaves(default).items():
        changes[name] = another(name, hint, value)
        arguments += words(name, changes[name])
    asked = run_command([*arguments, "--task", "t", "--model", "m", "--out", "o", "--json"])
    assert asked.config == changed(default, changes)
    assert (asked.task, asked.model, asked.out, asked.json) == ("t", "m", Path("o"), True)


def options_of(command: str, capsys) -> dict[str, tuple[str, str]]:
    """The options in the help of a command: what they take, and what is said of them."""
    with pytest.raises(SystemExit) as left:
        run_command([command, "--help"]) if command in METHODS else chosen(COMMANDS, [command, "--help"], "spkit", "")
    assert left.value.code == 0
    found, name = {}, ""
    for line in (line.strip("│ ") for line in capsys.readouterr().out.splitlines()):
        if option := re.match(r"(?:-h, )?(--\w[\w.-]*)(, --\w[\w.-]*)?( \S+)?(\s{2,}(.*))?$", line):
            name = option[1]
            found[name] = ((option[3] or "").strip(), option[5] or "")
        elif name and not found[name][1].endswith(")"):
            found[name] = (found[name][0], f"{found[name][1]} {line}".strip())
    return found


@pytest.mark.parametrize("loop", METHODS)
def test_every_setting_is_an_option_that_offers_its_choices(loop, capsys):
    options = options_of(loop, capsys)
    settings = leaves(load_method(loop)[1]())
    shared = "help preset task model lora dtype device out engine vllm track json".split()
    beside = {"--" + name for name in shared} | ({"--references-file"} if loop == "spin" else set())
    assert set(options) - beside == {"--" + name.replace("_", "-") for name in settings}
    for name, (hint, _) in settings.items():
        if choices := literals(hint):
            assert options["--" + name.replace("_", "-")][0] == "{" + ",".join(choices) + "}"


def test_there_are_many_settings():
    assert sum(len(leaves(load_method(loop)[1]())) for loop in METHODS) > 130


@pytest.mark.parametrize("command", [*METHODS, *COMMANDS])
def test_every_option_says_what_it_is(command, capsys):
    options = options_of(command, capsys)
    assert "--help" in options
    for name, (_, text) in options.items():
        assert len(re.sub(r"\((default|required|repeatable).*", "", text).strip()) > 3, f"{name} has no help text"


def test_a_setting_of_a_part_keeps_the_others_of_the_part():
    assert run_command(["rest-em", "--filter.verifier", "steps"]).config.filter.cap == 4
    assert run_command(["rest-em", "--filter.cap", "None"]).config.filter.cap is None
    assert run_command(["rft", "--sft.steps", "3"]).config.sft == replace(load_method("rft")[1]().sft, steps=3)
    assert run_command(["rlvr", "--clip-high", "inf"]).config.clip_high == float("inf")


def test_spin_has_a_file_of_references_and_every_loss():
    assert run_command(["spin", "--references-file", "mine.jsonl"]).references_file == Path("mine.jsonl")
    for kind in (*LOSSES, "sft", "dpo"):
        assert run_command(["spin", "--kind", kind]).config.kind == kind
    with pytest.raises(SpkitError, match="Unrecognized options: --references-file"):
        run_command(["star", "--references-file", "mine.jsonl"])


@pytest.mark.parametrize("loop", METHODS)
def test_how_many_rows_are_in_memory_is_known_of_every_loop(loop):
    """`memory_line` of the gpu profile asks for it; two loops have it in `learn`, the others in `sft` or beside."""
    asked = {"rlvr": "--rows-at-once"} | dict.fromkeys(("absolute-zero", "game-self-play"), "--learn.rows-at-once")
    default = "--sft.batch-size" if loop in ("rft", "rest", "rest-em", "collapse") else "--batch-size"
    assert rows_of_a_pass(run_command([loop, asked.get(loop, default), "5"]).config) == 5


def test_a_loops_own_help_and_the_lists_need_no_torch():
    code = (
        "import sys; from spkit.cli.main import main\n"
        "sys.argv = ['spkit', *{arguments}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules or 'transformers' in sys.modules or 'matplotlib' in sys.modules)"
    )
    for arguments in (["--help"], ["run", "--help"], ["show", "--help"], ["presets"], ["rum"]):
        done = subprocess.run(
            [sys.executable, "-c", code.format(arguments=arguments)], capture_output=True, text=True, cwd=ROOT
        )
        assert done.stdout.splitlines()[-1] == "False", (arguments, done.stderr)


def test_the_sentence_of_a_refusal_is_whole_at_any_width(monkeypatch):
    for columns in ("40", "80", "300"):
        monkeypatch.setenv("COLUMNS", columns)
        with pytest.raises(SpkitError) as refused:
            run_command(["absolute-zero", "--proposer.reward", "2-r"])
        said = str(refused.value).replace(" ", "")
        assert "('1-r','1-2|r-1/2|','min(r,1-r)-dup','0<r<1','variance','hardness','constant')" in said
        assert "\n" not in str(refused.value) and "│" not in str(refused.value)
    assert sentence("something else") == "something else"
    lined = "\x1b[31m╭─ Title ─╮\x1b[0m\n│ no such │\n│ thing.  │\n│ ─────── │\n│ see it  │\n╰─────────╯\n"
    bare = " Title   \n ------- \n no such \n thing.  \n ------- \n see it  \n\n"
    assert sentence(lined) == sentence(bare) == "no such thing"


def test_the_task_of_a_loop_is_the_courses(monkeypatch):
    asked = []
    monkeypatch.setattr(runs, "run_loop", lambda loop, run: asked.append((run.name, run.task)))
    for loop in METHODS:
        run_command([loop]).run()
    assert asked == [(name, task) for name, (_, task, _) in METHODS.items()]
    assert dict(asked)["star"] == "addition" and dict(asked)["spin"] == "replies"


def test_a_game_can_be_played_through_adapters(capsys):
    base, said = load_base(load_task("game:kuhn"), run_command(["game-self-play", "--lora"]))
    trained = [name for name, one in base.clone().model.named_parameters() if one.requires_grad]
    assert trained and all("lora" in name for name in trained) and "with LoRA" in said
    assert "memory" not in capsys.readouterr().err
