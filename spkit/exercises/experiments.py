"""Checks for the exercise of notebook 02 in which the reader plans an experiment and says what it showed."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..loops.rest_em import RestEmConfig
from .checking import Answer, Mistake, compare

CONCLUSIONS = ("higher", "lower", "no difference")


def check_plan(
    control: RestEmConfig, variant: RestEmConfig, seeds: Sequence[int], prediction: str, because: str
) -> None:
    """Whether the experiment can answer its question: one setting changed, equal sizes, two seeds or more, a
    prediction with a reason.
    """
    if prediction not in CONCLUSIONS:
        raise Mistake(
            f"plan: the prediction is one of {', '.join(CONCLUSIONS)}, not {prediction!r}. Write it down "
            "before you run anything."
        )
    if len(because.split()) < 5:
        raise Mistake(
            "plan: say in a sentence why you expect that; a guess without a reason teaches nothing when it fails."
        )
    if len(set(seeds)) < 2:
        raise Mistake("plan: one seed cannot tell a difference from luck; give two different ones or more.")
    differing = {name for name, value in _flat(control).items() if _flat(variant)[name] != value} - {"seed"}
    if not differing:
        raise Mistake("plan: the variant is the control; change one setting.")
    for what, size in (("samples are drawn", _drawn), ("rows are trained on", _trained)):
        if size(control) != size(variant):
            raise Mistake(
                f"plan: the control is not of equal size: {size(control)} {what} in it and {size(variant)} "
                "in the variant. "
                "Change another size against it (k against problems, iterations against steps)."
            )
    measured = {"test_per_difficulty", "extrapolate", "measure_train", "test_samples"} & differing
    if measured:
        raise Mistake(
            f"plan: {', '.join(sorted(measured))} changes what is measured, not the loop; let both be measured alike."
        )
    differing -= {"filter.flip_rate"} if "filter.verifier" in differing else set()
    choices = differing - {"k", "problems", "iterations", "sft.steps", "sft.batch_size"}
    if len(choices) > 1 or (choices and choices != differing):
        raise Mistake(
            f"plan: more than one setting differs ({', '.join(sorted(differing))}); what caused a "
            "difference could not be said."
        )
    print("plan: ready to run.")


def _flat(config: RestEmConfig) -> dict[str, Any]:
    """Settings by name, `filter.cap` for one inside another."""
    flat = {}
    for name, value in asdict(config).items():
        flat |= {f"{name}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _drawn(config: RestEmConfig) -> int:
    return config.problems * config.k * config.iterations


def _trained(config: RestEmConfig) -> int:
    return config.sft.steps * config.sft.batch_size * config.iterations


def _conclude_sign(low: float, high: float, noise: float) -> str:
    """From the lowest and the highest of what is looked at."""
    return "higher" if low > noise else "lower" if high < -noise else "no difference"


def _conclude_by(look: Callable[[np.ndarray, np.ndarray], Sequence[float]], quiet: bool = False) -> Answer:
    def wrong(variant, control, noise):
        seen = look(np.array(variant), np.array(control))
        return _conclude_sign(min(seen), max(seen), 0 if quiet else noise)

    return wrong


CONCLUDE_MISTAKES = {
    "this looks at the mean alone; seeds that disagree say that nothing was shown.": _conclude_by(
        lambda v, c: [(v - c).mean()]
    ),
    "this compares the best seed of each; the best of several is chosen by luck.": _conclude_by(
        lambda v, c: [v.max() - c.max()]
    ),
    "this does not ask whether the differences are larger than the noise of the test set.": _conclude_by(
        lambda v, c: v - c, quiet=True
    ),
    (
        "this compares every run with every other; runs of a seed share their problems: subtract seed by seed."
    ): _conclude_by(lambda v, c: (v[:, None] - c).ravel()),
    "one seed is not enough: every seed must show it.": lambda v, c, noise: _conclude_by(
        lambda v, c: [max(v - c, key=abs)]
    )(v, c, noise),
    "the sign is flipped: it is the variant minus its control.": _conclude_by(lambda v, c: c - v),
}


def _conclude_numbered(function: Answer) -> Answer:
    def number(*case):
        said = function(*case)
        if said not in CONCLUSIONS:
            raise Mistake(f"conclude: say one of {', '.join(CONCLUSIONS)}, not {said!r}.")
        return {"higher": 1, "lower": -1, "no difference": 0}[said]

    return number


def check_conclude(answer: Answer) -> None:
    """`answer(variant, control, noise)`: one of CONCLUSIONS, from final accuracies, entry i of both from seed i.
    Cautious.
    """
    cases = [
        ([0.60, 0.70], [0.50, 0.62], 0.05),
        ([0.60, 0.80], [0.62, 0.60], 0.05),
        ([0.53, 0.54], [0.50, 0.50], 0.05),
        ([0.40, 0.55, 0.30], [0.50, 0.63, 0.41], 0.05),
        ([0.40, 0.62, 0.30], [0.50, 0.63, 0.41], 0.05),
        ([0.70, 0.50], [0.60, 0.60], 0.05),
    ]

    compare(
        "conclude",
        _conclude_numbered(answer),
        _conclude_numbered(_conclude_by(lambda v, c: v - c)),
        {text: _conclude_numbered(wrong) for text, wrong in CONCLUDE_MISTAKES.items()},
        cases,
    )
