"""Runs that are shipped as files: which are found, their curves, where they ended, what they took."""

import json

import matplotlib.pyplot as plt
import pytest

from spkit.claims import REAL_EXPERIMENTS
from spkit.claims.saved import (
    cost_lines,
    end_lines,
    format_and_skill,
    headline,
    minutes_an_iteration,
    saved_curves,
    saved_runs,
)
from spkit.policy import data_folder
from spkit.run.errors import SpkitError


def row(iteration, lenient, seconds=60.0, **rest):
    numbers = {"lenient_accuracy": lenient, "accuracy": lenient / 2, "finished": 0.5}
    return {"iteration": iteration, **numbers, "seconds": {"solve": seconds, "learn": 2 * seconds}, **rest}


def write(folder, name, seed, records, **machine):
    machine = {"processor": "abacus", "threads": 1, "peak_memory_gb": 1.5, **machine}
    run = {"method": "rest_em", "task": "stories", "config": {"seed": seed}, "records": records, "transcripts": []}
    (folder / f"{name}-seed{seed}.json").write_text(json.dumps(run | {"machines": [machine]}))


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "em", 10, [row(0, 0.2, 5), row(1, 0.4), row(2, 0.6)], peak_memory_gb=2.5)
    write(tmp_path, "em", 2, [row(0, 0.2, 5), row(1, 0.5, 120), {"iteration": 2, "seconds": {"solve": 0.0}}])
    write(tmp_path, "em-random", 0, [row(0, 0.2), row(1, 0.1)], peak_memory_gb=None)
    return tmp_path


def test_runs_are_found_by_their_whole_name_in_order_of_seeds(folder):
    found = saved_runs(["em", "em-random", "star"], folder)
    assert {name: [run["config"]["seed"] for run in runs] for name, runs in found.items()} == {
        "em": [2, 10],
        "em-random": [0],
    }
    assert saved_runs(["em"], folder / "none") == {}
    (folder / "em-seed3.json").write_text("{}")
    with pytest.raises(SpkitError, match="em-seed3.json is no saved run"):
        saved_runs(["em"], folder)


def test_curves_are_as_long_as_the_shortest_and_leave_out_what_was_not_measured(folder):
    runs = saved_runs(["em"], folder)["em"]
    assert saved_curves(runs, "lenient_accuracy") == [[0.2, 0.5], [0.2, 0.4]]


def test_where_runs_ended_is_the_mean_with_its_seeds_and_what_they_took(folder):
    runs = saved_runs(["em", "em-random"], folder)
    first, second = end_lines({"gold": runs["em"], "random": runs["em-random"]})
    assert first.startswith("gold    2 seeds  right, lenient 20% -> 45% [40%, 50%]   right, strict 10% -> 22%")
    assert second.startswith("random  1 seed   right, lenient 20% -> 10% [10%, 10%]") and end_lines({}) == []
    assert minutes_an_iteration(runs["em"]) == pytest.approx((3 + 3 + 6 + 0) / 4)
    line, other = cost_lines(runs)
    assert "3.0 minutes an iteration (solve 33%, learn 67%); 2.5 GB at most; abacus, threads: 1" in line
    assert "GB" not in other


def test_a_headline_says_where_lenient_accuracy_begins_and_ends(folder):
    runs = saved_runs(["em", "em-random"], folder)
    said = headline("ReST^EM", {"gold": runs["em"], "random samples": runs["em-random"]})
    assert said == "ReST^EM: right (lenient) 20% before, after it 45% with gold, 10% with random samples"


def test_the_figure_has_both_verdicts_on_one_scale_and_says_how_many_seeds(folder):
    runs = saved_runs(["em", "em-random"], folder)
    figure = format_and_skill({"gold": runs["em"], "random": runs["em-random"]}, "title")
    lenient, strict, finished = figure.axes
    assert lenient.get_ylim() == strict.get_ylim() != finished.get_ylim()
    assert lenient.lines[0].get_ydata().tolist() == pytest.approx([20, 45])
    assert figure.get_suptitle() == "title (1 to 2 seeds)"
    assert format_and_skill({"gold": runs["em"]}, "title").get_suptitle() == "title (2 seeds)"
    plt.close("all")


def test_what_is_shipped_is_read_and_belongs_to_an_experiment():
    files = sorted((data_folder() / "results" / "real").glob("*.json"))
    found = saved_runs(REAL_EXPERIMENTS)
    assert sum(map(len, found.values())) == len(files)
