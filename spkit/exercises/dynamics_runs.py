"""Checks for the exercises of notebook 05 about reading the curves of runs, and about choosing a control."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .checking import Answer, Mistake, attempted, compare

DYNAMICS = ("collapse", "format only", "entropy collapse", "learning")
CURVES = ("accuracy", "finished", "pass_at_k", "entropy")
LENGTH, EDGE = 40, 5  # iterations of a run, and of its first and last part
Curves = Mapping[str, np.ndarray]
EndsOf = Callable[[np.ndarray], tuple[float, float]]


def _run(seed: int, last: float | None = None, middle: float | None = None, **ends: tuple[float, float]) -> Curves:
    """Curves from one end to the other, with noise; `middle` is the accuracy half-way, `last` that of one iteration."""
    rng, way = np.random.default_rng(seed), np.minimum(1, np.linspace(0, 1.4, LENGTH))
    curves = {name: ends[name][0] + (ends[name][1] - ends[name][0]) * way for name in CURVES}
    if middle is not None:
        curves["accuracy"] = np.interp(np.linspace(0, 1, LENGTH), [0, 0.4, 0.8, 1], [*_bent(ends, middle)])
    noisy = {name: curve * np.exp(0.02 * rng.normal(size=LENGTH)) for name, curve in curves.items()}
    if last is not None:
        noisy["accuracy"][-1] = last
    return {name: curve if name == "entropy" else curve.clip(0, 1) for name, curve in noisy.items()}


def _bent(ends: Mapping[str, tuple[float, float]], middle: float) -> tuple[float, float, float, float]:
    first, last = ends["accuracy"]
    return first, middle, last, last


_full, _named = (1.0, 1.0), lambda name, *args, **ends: (name, _run(*args, **ends))
RUNS = [
    _named("learning", 0, accuracy=(0.4, 0.8), finished=_full, pass_at_k=(0.88, 0.93), entropy=(0.5, 0.25)),
    _named("learning", 1, accuracy=(0.4, 0.7), finished=_full, pass_at_k=(0.85, 0.87), entropy=(0.5, 0.02)),
    _named("learning", 2, accuracy=(0.3, 0.85), finished=(0.6, 0.98), pass_at_k=(0.8, 0.9), entropy=(0.6, 0.3)),
    _named("learning", 3, 0.2, accuracy=(0.4, 0.75), finished=_full, pass_at_k=(0.9, 0.92), entropy=(0.4, 0.2)),
    _named("format only", 4, accuracy=(0.27, 0.6), finished=(0.45, 1.0), pass_at_k=(0.7, 0.85), entropy=(0.6, 0.4)),
    _named("format only", 5, accuracy=(0.35, 0.68), finished=(0.5, 0.98), pass_at_k=(0.75, 0.85), entropy=(0.6, 0.02)),
    _named("entropy collapse", 6, accuracy=(0.5, 0.64), finished=_full, pass_at_k=(0.95, 0.7), entropy=(0.5, 0.01)),
    _named("entropy collapse", 7, accuracy=(0.4, 0.6), finished=_full, pass_at_k=(0.9, 0.68), entropy=(0.4, 0.015)),
    _named(
        "collapse", 8, None, 0.7, accuracy=(0.5, 0.1), finished=(1.0, 0.75), pass_at_k=(0.95, 0.6), entropy=(0.5, 1.6)
    ),
    _named("collapse", 9, accuracy=(0.6, 0.05), finished=_full, pass_at_k=(0.9, 0.1), entropy=(0.5, 0.005)),
    _named("collapse", 10, accuracy=(0.5, 0.2), finished=_full, pass_at_k=(0.9, 0.88), entropy=(0.5, 0.6)),
]


def _ends(curve: np.ndarray) -> tuple[float, float]:
    return curve[:EDGE].mean(), curve[-EDGE:].mean()


def _reader(
    change: EndsOf = _ends,
    skill: Callable[[Curves], np.ndarray] = lambda run: run["accuracy"] / run["finished"],
    narrow: Callable[[float, float], bool] = lambda entropy, coverage: entropy < 0.1 and coverage < -0.05,
    first: str = "collapse",
    finishing: bool = False,
    best: bool = False,
) -> Callable[[Curves], str]:
    """A reader by rules: what a change is, what skill is, what an entropy collapse is, and which is asked first."""

    def read(run: Curves) -> str:
        before, after = change(run["accuracy"])
        entropy, coverage = (change(run[name]) for name in ("entropy", "pass_at_k"))
        skill_before, skill_after = change(skill(run))
        finished_before, finished_after = change(run["finished"])
        flat = finished_after > finished_before + 0.1 if finishing else skill_after - skill_before < 0.1
        found = {
            "collapse": (run["accuracy"].max() if best else after) < before - 0.1,
            "entropy collapse": narrow(entropy[1] / entropy[0], coverage[1] - coverage[0]),
            "format only": flat and finished_after > finished_before + 0.1,
        }
        order = [first, *(name for name in found if name != first)]
        return next((name for name in order if found[name]), "learning")

    return read


READING_MISTAKES = {
    (
        "this goes by the best accuracy of the run; a policy that rose and then fell has collapsed. Look at the end."
    ): _reader(best=True),
    "this goes by the last iteration alone, which may be an outlier; take the mean of several.": _reader(
        lambda curve: (curve[0], curve[-1])
    ),
    (
        "falling entropy is called an entropy collapse, though pass@k holds: a policy that becomes sure of what is "
        "right has low entropy too. Ask what it no longer finds."
    ): _reader(narrow=lambda entropy, coverage: entropy < 0.1),
    (
        "wherever more completions finish, this says format only; compare the accuracy of those that finish, "
        "accuracy / finished, before and after."
    ): _reader(finishing=True),
    (
        "a rise of accuracy is called learning, though the accuracy of those that finish is the same as before: only "
        "the format was learned."
    ): _reader(skill=lambda run: run["accuracy"]),
    ("an entropy collapse that takes the accuracy along is a collapse; ask first whether accuracy fell."): _reader(
        first="entropy collapse"
    ),
    "an entropy collapse is never seen: accuracy rises there as well; look at entropy and pass@k.": _reader(
        narrow=lambda entropy, coverage: False
    ),
    "wherever pass@k falls, this says entropy collapse.": _reader(
        narrow=lambda entropy, coverage: coverage < -0.05, first="entropy collapse"
    ),
}


def check_read_run(answer: Callable[[Curves], str]) -> None:
    """`answer(curves)`: which of DYNAMICS a run is, from arrays by iteration: `accuracy`, `finished` (share of
    completions that ended by themselves), `pass_at_k` (k = 64) and `entropy` (nats).

    Collapse: accuracy ends below where it began. Format only: more completions finish, those that finish are no more
    often right. Entropy collapse: entropy is almost gone and pass@k is lower, accuracy is not. Learning: accuracy of
    those that finish is higher and pass@k is not lower. A change is more than 0.1 of a share (0.05 of pass@k) between
    the first and the last five iterations.
    """

    def number(reader: Callable[[Curves], str]) -> Answer:
        return lambda *runs: [_number(reader(dict(run))) for run in runs]

    known = {said: number(wrong) for said, wrong in READING_MISTAKES.items()}
    right = lambda *runs: [DYNAMICS.index(name) for name, _ in RUNS]
    compare("read_run", number(answer), right, known, [tuple(run for _, run in RUNS)])


def _number(name: object) -> int:
    if name not in DYNAMICS:
        raise Mistake(f"read_run: the answer is {name!r}; it is one of {', '.join(DYNAMICS)}.")
    return DYNAMICS.index(name)


GAINED = {  # of a run that is trained on samples chosen by reward
    "base": "expressions", "problems": 200, "samples": 8, "temperature": 1.0, "select": "right", "kept": 610,
    "batch": 64, "steps": 40, "learning_rate": 5e-4, "seeds": (0, 1, 2),
}  # fmt: skip
ALIKE = {
    "base": "it starts from another base",
    "problems": "other problems are sampled: not as many tokens, and other ones",
    "samples": "another number of samples is drawn: not as many tokens",
    "temperature": "samples are drawn at another temperature: they are worse or better before anything is selected",
    "kept": "another number of samples is kept, so that each is seen more or less often",
    "batch": "the batch has another size: not as many tokens a step",
    "steps": "the number of optimizer steps differs",
    "learning_rate": "the learning rate differs",
    "seeds": "the seeds differ: take the same ones, so that the runs are pairs",
}
SELECTIONS = {
    "right": "this still selects by reward",
    "wrong": "to keep the wrong ones is to select by reward too, the other way",
    "all": (
        "to keep all is no selection, but another number of samples: it trains on more of them, less often each. Keep "
        "as many"
    ),
    "longest": "length goes with reward: this selects by something that knows of it",
}


def check_control(answer: Callable[[dict[str, Any], list[dict[str, Any]]], dict[str, Any]]) -> None:
    """`answer(run, others)`: the settings of the control that tells whether it was the selection by reward that `run`
    gained from, at as many sampled tokens and optimizer steps.

    `others` are runs that are there already: pick one, or alter one. `select` is `right`, `wrong`, `all`, `longest`,
    `random` (as many samples, drawn without looking) or `shuffled` (as many of each problem, without looking).
    """
    for run, others in _choices():
        _judge_control(attempted("control", answer)(dict(run), [dict(one) for one in others]), run)
    print("control: right.")


def _choices() -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Runs with others beside them; the right control is there once only, and never the first."""
    other = GAINED | {"base": "sums", "problems": 400, "kept": 1_733, "steps": 90, "seeds": (3, 4, 5, 6)}
    third = GAINED | {"kept": 95, "steps": 12, "temperature": 0.7}
    many = lambda run: run | {"select": "random", "kept": run["problems"] * run["samples"]}
    near = lambda run: [
        run | {"select": "all", "kept": run["problems"] * run["samples"]},
        many(run) | {"steps": 3 * run["steps"]},
        run | {"select": "random", "seeds": (0,)},
        run | {"select": "wrong"},
    ]
    there = {**GAINED, "select": "random"}
    return [(GAINED, [*near(GAINED), there]), (other, near(other)), (third, [many(third), *near(third)])]


def _judge_control(control: object, run: Mapping[str, Any]) -> None:
    """Raises Mistake, naming it, for a run that is no control of this one."""
    if not isinstance(control, Mapping):
        raise Mistake(f"control: the answer is {control!r}; return the settings of a run, a dict.")
    if set(control) != set(run):
        odd = sorted(set(control) ^ set(run))
        raise Mistake(f"control: a run has the settings {', '.join(run)}; yours differ in {', '.join(map(str, odd))}.")
    if control["select"] in SELECTIONS:
        raise Mistake(f"control: {SELECTIONS[control['select']]}.")
    if control["select"] not in ("random", "shuffled"):
        raise Mistake(f"control: there is no selection {control['select']!r}.")
    differing = [said for name, said in ALIKE.items() if not _alike(control[name], run[name])]
    if differing:
        raise Mistake(f"control: {'; '.join(differing)}. What caused a difference could not be said.")


def _alike(one: object, other: object) -> bool:
    return sorted(one) == sorted(other) if isinstance(one, Sequence) and isinstance(other, tuple) else one == other
