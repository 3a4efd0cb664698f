"""Figures about thoughts hold what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from spkit.run import thought_plots


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def texts(axis):
    return [one.get_text() for one in axis.texts]


def test_the_mask_tells_text_from_blocks_and_names_the_parts():
    mask = np.tri(4)
    axis = thought_plots.mask_picture(mask, list("ab<<"), {"text": 2, "marks": 2}, "title").axes[0]
    shown = axis.images[0].get_array()
    assert shown.tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 2, 0], [1, 1, 2, 2]]
    assert texts(axis) == ["text", "marks"]
    assert [label.get_text() for label in axis.get_yticklabels()] == list("ab<<")


def test_thoughts_at_a_place_are_the_likely_ones_with_their_rewards():
    thoughts = [("131", 0.1, -0.04), ("hmm", 0.7, -2.3), ("+*-", 0.15, -2.2)]
    axis = thought_plots.thoughts_at_a_place({"base": thoughts}, "131", "title", most=2).axes[0]
    assert [bar.get_width() for bar in axis.patches] == pytest.approx([70, 15])
    assert [label.get_text() for label in axis.get_yticklabels()] == ["hmm", "+*-"]
    assert texts(axis) == ["reward -2.30", "reward -2.20"]


def test_the_right_thought_has_a_colour_of_its_own():
    axis = thought_plots.thoughts_at_a_place({"": [("131", 0.6, 0.0), ("hmm", 0.4, 0.0)]}, "131", "title").axes[0]
    assert axis.patches[0].get_facecolor() != axis.patches[1].get_facecolor()


def test_a_text_has_a_thought_after_each_character_but_the_last():
    axis = thought_plots.thoughts_along_a_text("1+1=2", ["a", "b", "c", "d"], [0.1, -0.1, 0, 0.6], "title").axes[0]
    assert [bar.get_height() for bar in axis.patches] == [0.1, -0.1, 0, 0.6]
    assert texts(axis) == ["a", "b", "c", "d"]
    assert [label.get_text() for label in axis.get_xticklabels()] == list("1+1=2")


def test_bars_by_kind_have_a_group_a_kind_and_floors_in_the_first_panel():
    panels = {
        "NLL": {"before": {"x": 2.0, "y": 1.0}, "after": {"x": 0.5, "y": 1.0}},
        "weight": {"after": {"x": 1, "y": 0}},
    }
    figure = thought_plots.bars_by_kind(panels, ["x", "y"], "title", {"x": 0.0, "y": 0.9})
    left, right = figure.axes
    assert [[bar.get_height() for bar in bars] for bars in left.containers] == [[2.0, 1.0], [0.5, 1.0]]
    floors = [line.get_segments()[0][0][1] for line in left.collections]
    assert floors == [0.0, 0.9] and not right.collections


def test_bars_of_runs_are_percentages_beside_chance():
    axis = thought_plots.bars_of_runs({"a": {"x": 0.5, "y": 0.1}, "b": {"x": 1, "y": 0}}, "title", "share", 0.1).axes[0]
    assert [[bar.get_width() for bar in bars] for bars in axis.containers] == [[50, 100], [10, 0]]
    assert axis.lines[0].get_xdata()[0] == 10
