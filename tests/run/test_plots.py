"""Figures hold what the records say, in a style that leaves the reader's own settings alone."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from spkit.run import plots


def records(*accuracies):
    return [{"iteration": i, "accuracy_by_difficulty": {"1": a, "2": b}} for i, (a, b) in enumerate(accuracies)]


def test_compare_runs_draws_one_labelled_line_a_length_and_the_spread(tmp_path):
    settings = dict(mpl.rcParams)
    runs = [records((1.0, 0.0), (1.0, 0.4)), records((1.0, 0.2), (0.9, 0.8), (0.9, 0.9))]
    figure = plots.compare_runs({"with": runs, "without": runs[:1]}, "a takeaway")
    left, right = figure.axes
    assert [line.get_label() for line in left.get_lines()] == ["1 digits", "2 digits"]
    assert list(left.get_lines()[1].get_ydata().round(6)) == [10.0, 60.0]
    assert len(left.collections) == 2 and not right.collections, "a band for several seeds, none for one"
    assert "%" in left.get_ylabel() and "iteration" in left.get_xlabel() and figure._suptitle.get_text() == "a takeaway"
    path = plots.save(figure, tmp_path / "figure.png")
    assert path.read_bytes()[:4] == b"\x89PNG" and not plt.get_fignums()
    assert dict(mpl.rcParams) == settings


def test_histograms_are_shares_over_common_bins():
    figure = plots.histograms(
        {"a": {"real": [0.0, 1.0, 2.0], "generated": [-1.0, 0.0]}, "b": {"real": [5.0], "generated": [4.0]}},
        "title",
        "reward",
    )
    for axis in figure.axes:
        assert axis.get_xlabel() == "reward"
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["real", "generated"]
        assert [round(sum(bar.get_height() for bar in bars)) for bars in axis.containers] == [100, 100]
    plt.close(figure)


def test_two_points_are_dots_beside_each_other_with_a_bar_over_the_seeds():
    runs = {"one": [[0.0, 4.0], [0.0, 8.0]], "other": [[0.0, 1.0]]}
    (axis,) = plots.lines_over_iterations({"accuracy (%)": runs}, "title").axes
    one, other = axis.lines
    assert {one.get_linestyle(), other.get_linestyle()} == {"None"} and one.get_ydata().tolist() == [0, 6]
    assert one.get_xdata()[0] < 0 < other.get_xdata()[0]
    (bars,) = axis.collections
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[0, 0], [4, 8]]
    (axis,) = plots.lines_over_iterations({"accuracy (%)": {"one": [[0, 1, 2]]}}, "title").axes
    assert axis.lines[0].get_linestyle() == "-" and axis.lines[0].get_xdata().tolist() == [0, 1, 2]


def test_compared_panels_share_their_y_axis_and_others_do_not():
    panels = {"greedy (%)": {"a": [[0, 1, 2]]}, "sampled (%)": {"a": [[50, 90, 99]]}}
    for compared in (True, False):
        left, right = plots.lines_over_iterations(panels, "title", compared=compared).axes
        assert (left.get_ylim() == right.get_ylim()) == compared


def test_points_stand_where_x_says_with_a_tick_each_and_a_short_curve_has_the_first():
    (axis,) = plots.lines_over_iterations(
        {"a": {"b": [[1, 2, 3]], "c": [[1, 2, 3, 4]]}}, "title", x=(0, 20, 40, 60)
    ).axes
    assert [line.get_xdata().tolist() for line in axis.lines] == [[0, 20, 40], [0, 20, 40, 60]]
    assert axis.get_xticks().tolist() == [0, 20, 40, 60]


def test_differences_are_paired_by_seed():
    values = {"with": [10.0, 20.0, 60.0], "without": [9.0, 25.0, 40.0], "short": [12.0]}
    figure = plots.differences(
        {"after 1": values, "after 2": {"with": [1.0], "without": [3.0]}}, "with", "title", "points"
    )
    left, right = figure.axes
    zero, dots, mean, *short = left.lines
    assert zero.get_xdata() == [0, 0] and dots.get_xdata().tolist() == [-1, 5, -20]
    assert mean.get_xdata() == pytest.approx([-16 / 3]) and [line.get_xdata()[0] for line in short] == [2, 2]
    assert [label.get_text() for label in left.get_yticklabels()] == ["without", "short"]
    assert right.lines[1].get_xdata().tolist() == [2] and left.get_xlim() == right.get_xlim()
