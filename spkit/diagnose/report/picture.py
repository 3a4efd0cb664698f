"""A diagnosis as one picture: three panels over the steps."""

from typing import TYPE_CHECKING

from ..judge import Diagnosis
from .names import quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(diagnosis: Diagnosis) -> "Figure":
    """Three panels over the steps: what the groups taught, whether reward stands for accuracy, and diversity
    beside the proposer's shares.
    """
    import matplotlib.pyplot as plt  # here, for the text needs none of it
    from matplotlib.ticker import MaxNLocator

    from ...run.colors import BLUE, GREEN, GREY, ORANGE, PINK, VERMILION
    from ...run.layout import laid_out
    from ...run.plots import style

    steps = diagnosis.evidence.steps
    panels = (
        ("groups (%)", (("all_right", BLUE), ("useful", GREEN), ("all_wrong", VERMILION))),
        ("reward and accuracy (%)", (("solve_rate", BLUE), ("accuracy", VERMILION), ("held_out", GREY))),
        ("diversity, proposer (%)", (("distinct", PINK), ("valid", GREEN), ("duplicates", ORANGE))),
    )
    with style():
        drawn, axes = plt.subplots(1, len(panels), figsize=(14, 3.7))
        for axis, (label, lines) in zip(axes, panels):
            for (name, color), marker in zip(lines, "os^"):
                points = [(step.step, 100 * value) for step in steps if (value := getattr(step, name)) is not None]
                if points:
                    axis.plot(
                        *zip(*points),
                        color=color,
                        marker=marker,
                        markersize=4 if len(points) < 60 else 0,
                        label=quantity(name).label,
                    )
            axis.set(xlabel="step", ylabel=label, ylim=(-3, 103))
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            if axis.lines:
                axis.legend(loc="best", fontsize=8)
        return laid_out(drawn, f"verdict: {diagnosis.verdict}")
