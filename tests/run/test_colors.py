"""A method keeps its colour, whatever else is in a figure, and the colours can be told apart."""

from itertools import combinations

import matplotlib.colors
import numpy as np
import pytest

from spkit.run.colors import BLACK, GREY, METHOD_COLORS, PALETTE, color_of, looks, sequential

# Machado, Oliveira and Fernandes (2009), "A Physiologically-based Model for Simulation of Color Vision Deficiency":
# severity 1.0, on linear RGB.
SEEN_WITH = {
    "every cone": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(color: str, seen: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* of a colour as it is seen."""
    rgb = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = TO_XYZ @ np.clip(seen @ linear, 0, 1) / (0.9505, 1.0, 1.089)
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


@pytest.mark.parametrize("seen", SEEN_WITH)
def test_the_colours_of_methods_can_be_told_apart(seen):
    colors = sorted({*METHOD_COLORS.values(), *PALETTE})
    nearest = min(
        (float(np.linalg.norm(lab(a, SEEN_WITH[seen]) - lab(b, SEEN_WITH[seen]))), a, b)
        for a, b in combinations(colors, 2)
    )
    assert nearest[0] > 10, nearest  # two shades of a print are told apart from about 2 on


@pytest.mark.parametrize(
    ("labels", "method"),
    [
        (["SFT (control)", "SFT, as many steps", "SFT"], "SFT"),
        (["pass@k, base", "base"], "base"),
        (["random rewards", "random (control)", "as many samples at random", "shuffled rewards"], "random"),
        (["STaR"], "STaR"),
        (["Quiet-STaR"], "Quiet-STaR"),
        (["adaptive throughout", "self-play"], "self-play"),
        (["pass@k, after ReST^EM", "ReST^EM"], "ReST^EM"),
    ],
)
def test_a_method_has_one_colour_however_it_is_labelled(labels, method):
    assert {color_of(label) for label in labels} == {METHOD_COLORS[method]}
    for place in range(3):  # what stands before it in the figure does not matter
        names = [*["something", "other", "third"][:place], labels[0]]
        assert looks(names)[labels[0]]["color"] == METHOD_COLORS[method]


def test_a_name_inside_another_word_is_no_method():
    assert color_of("unfrozen at 150") is None and color_of("database") is None and color_of("randomness") is None
    assert color_of("answers only") is None and color_of("answer alone") == color_of("gold answer")


def test_ordered_settings_are_a_sequence_from_dark_to_light():
    found = looks(["0.1", "0.5", "5"])
    light = [float(np.mean(matplotlib.colors.to_rgb(look["color"]))) for look in found.values()]
    assert light == sorted(light) and np.allclose([look["color"] for look in found.values()], sequential(3))
    assert np.allclose(looks(["600 x 150", "300 x 300"])["300 x 300"]["color"], sequential(2)[1])


def test_settings_that_differ_in_more_than_numbers_are_no_sequence():
    assert all(isinstance(look["color"], str) for look in looks(["1 sample", "16, one path"]).values())
    assert isinstance(looks(["5"])["5"]["color"], str)


def test_what_has_no_colour_of_its_own_takes_none_of_a_method_beside_it():
    found = looks(["SPIN", "swap", "greedy", "base", "random"])
    assert len({look["color"] for look in found.values()}) == 5
    assert found["base"]["color"] == GREY and found["random"]["color"] == BLACK


def test_two_labels_with_one_colour_differ_in_the_line():
    found = looks(["pass@k, base", "maj@k, base", "base, again"])
    assert len({look["color"] for look in found.values()}) == 1
    assert len({look["linestyle"] for look in found.values()}) == 3
