"""Figures hold what the records say, in a style that leaves the reader's own settings alone."""

import matplotlib as mpl
import matplotlib.pyplot as plt

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
        assert [round(sum(bar.get_height() for bar in bars)) for bars in axis.containers] == [100, 100]
    plt.close(figure)
