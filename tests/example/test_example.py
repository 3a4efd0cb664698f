"""What CONTRIBUTING.md says, followed: a task and a loop in a file each, a line each in the tables, and they run."""

import pytest

from spkit.cli.main import main
from spkit.loops import METHODS, Method, load_method
from spkit.policy import load_policy
from spkit.run.description import load_run
from spkit.run.errors import SpkitError
from spkit.tasks import TASKS, load_task, test_set
from tests.example.doubles import Doubles


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The two lines that CONTRIBUTING.md asks for."""
    monkeypatch.setitem(TASKS, "doubles", Doubles)
    where = "tests.example.imitate_once:imitate_once:ImitateOnceConfig"
    monkeypatch.setitem(METHODS, "imitate-once", Method(where, "doubles", "SFT on one greedy answer each."))


def spkit(monkeypatch, *arguments: object) -> None:
    """`spkit arguments` in this process, where the example is registered."""
    monkeypatch.setattr("sys.argv", ["spkit", *map(str, arguments)])
    with pytest.raises(SystemExit) as done:
        main()
    assert not done.value.code


def test_a_new_task_runs_under_the_loops_there_are(monkeypatch, tmp_path):
    spkit(monkeypatch, "run", "rft", "--task", "doubles", "--out", tmp_path / "run", "--problems", 4, "--k", 1,
          "--filter.verifier", "gold", "--sft.steps", 1, "--test-per-difficulty", 2)  # fmt: skip
    about, records = load_run(tmp_path / "run")
    assert about["task"] == "doubles" and [record["iteration"] for record in records] == [0, 1]
    assert set(records[1]["accuracy_by_difficulty"]) == {"2", "3"}


def test_a_new_loop_is_a_command(monkeypatch, tmp_path, capsys):
    spkit(monkeypatch, "run", "imitate-once", "--out", tmp_path / "run")
    about, records = load_run(tmp_path / "run")
    assert about["method"] == "imitate_once" and 0 < records[1]["kept"] <= 8 and records[1]["seconds"]["solve"] > 0
    assert "iteration" in capsys.readouterr().out


def test_the_example_is_a_task_as_others_are():
    task = load_task("doubles")
    assert {problem.prompt for problem in test_set(task, 20)}.isdisjoint(
        task.problem(0, index).prompt for index in range(500)
    )
    assert task.verify(task.problem(0, 0), task.problem(0, 0).answer).correct
    assert load_policy(task.base).prompt_ids(task.problem(0, 0).prompt)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_the_table_is_there(name):
    loop, settings = load_method(name)
    assert callable(loop) and settings().iterations >= 1 and load_task(METHODS[name].task)


def test_an_unknown_method_is_one_sentence():
    with pytest.raises(SpkitError, match="unknown method 'stra': choose one of star, rft"):
        load_method("stra")
