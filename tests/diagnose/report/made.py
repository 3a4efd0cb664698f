"""Diagnoses made by hand: healthy, with one fault, with many, long, with nothing in them, and with hostile text."""

import math
from dataclasses import fields, replace

from spkit.diagnose.findings import Finding
from spkit.diagnose.judge import Diagnosis
from spkit.diagnose.steps import Evidence, Example, Histogram, Step

STEPS = 40
HOSTILE = (
    "<script>document.title = 'ran'</script><img src=x onerror=\"document.title='ran'\"><iframe src=//example.com>",
    "]]></pre></svg></style></details><h1>broken out</h1><!-- --><svg onload=alert(1)><style>*{display:none}",
    "\u202eesrever\u202c \u2066isolate \u200b\ufeff zero \x00 nul \x1b[31m \x9b bell \x07 \ud800 half \U000e0041 tag",
    "{{ 7 * 7 }} {% raw %} ${7} javascript:alert(1) ' onmouseover=alert(1) \" onfocus=alert(1) autofocus=",
    "a" * 10_000_000,
    "Z\u0351\u036b\u0343" * 4000 + "\n" * 3000,
)
EVERY_SHARE = [item.name for item in fields(Step) if item.name not in ("step", "groups", "proposals", "rows")]


def rising(start: float, end: float, step: int) -> float:
    """Between the two, with a ripple."""
    return start + (end - start) * step / (STEPS - 1) + 0.02 * math.sin(1.7 * step)


def steps_of_a_run() -> tuple[Step, ...]:
    """Solve rate up, accuracy flat, lengths up."""
    return tuple(
        Step(
            step,
            groups=16,
            rows=128,
            useful=rising(0.55, 0.4, step),
            all_right=rising(0.1, 0.55, step),
            all_wrong=max(0.0, rising(0.35, 0.05, step)),
            solve_rate=rising(0.35, 0.82, step),
            accuracy=rising(0.33, 0.3, step) if step % 9 != 4 else None,
            distinct=rising(0.9, 0.6, step),
            entropy=rising(1.2, 0.5, step),
            length=rising(180, 420, step),
            length_p10=rising(90, 200, step),
            length_p50=rising(170, 400, step),
            length_p90=rising(300, 900, step),
            truncated=rising(0.04, 0.3, step),
            rewards={"accuracy_reward": rising(0.33, 0.3, step), "format_reward": rising(0.4, 0.95, step)},
        )
        for step in range(STEPS)
    )


def histograms() -> tuple[Histogram, ...]:
    """Lengths that grow, rewards of 0, 0.5 and 1."""
    columns = tuple(range(0, STEPS, 2))
    lengths = tuple(
        tuple(round(100 * math.exp(-((40 * (row + 0.5) - 150 - 8 * step) ** 2) / 2e4)) for step in columns)
        for row in range(24)
    )
    rewards = tuple(tuple(count if row in (0, 3, 7) else 0 for _ in columns) for row, count in enumerate(range(8)))
    return (
        Histogram("length", tuple(40.0 * edge for edge in range(25)), lengths, columns),
        Histogram("reward", tuple(edge / 8 for edge in range(9)), rewards, columns),
    )


def evidence(**changes) -> Evidence:
    """What a log of TRL may give."""
    prompts = [f"A farmer has {n} fields of {n + 3} rows each. How many rows are there in all?" for n in range(7, 12)]
    made = Evidence(
        "runs/grpo/completions",
        steps_of_a_run(),
        format="TRL",
        rewards=("accuracy_reward", "format_reward"),
        histograms=histograms(),
        examples=tuple(
            Example(
                39, prompt, f"{n} times {n + 3}\nis {n * n + 3 * n}.\n#### {n * n + 3 * n}", 1.5, "Well, well.", 0.0
            )
            for n, prompt in zip(range(7, 12), prompts)
        ),
        notes=(
            "TRL rows; reward = accuracy_reward + 0.5 format_reward",
            "rewards from 0 to 1.5 are read as 0 at 0 and 1 at 1.5; above 0.75 is right",
            "TRL's file has one generation batch per logging_steps, and no weights of rewards",
        ),
    )
    return replace(made, **changes)


FINDINGS = (
    Finding(
        "reward hacking",
        "verifier",
        "reward from 0.35 to 0.82 while accuracy goes from 0.33 to 0.30 (gap 0.50 [0.41, 0.59]): the verifier "
        "rewards something else than right answers; completions get longer with it",
        {
            "solve_rate": (0.35, 0.82),
            "accuracy": (0.33, 0.3),
            "gap": {"rate": 0.5, "interval": (0.41, 0.59), "of": 512},
        },
        (
            "read twenty of the completions with the highest reward of the last steps",
            "check the final answer exactly, alone in its place, and refuse what has anything beside it",
            "take terms for length or format out of the reward",
        ),
        "notebooks/01, section 6",
        ("solve_rate", "accuracy", "length", "rewards"),
    ),
    Finding(
        "truncated",
        "solver",
        "30% [26%, 34%] of the completions are cut off at 512 tokens, and 2% [1%, 5%] of those are rewarded",
        {"truncated": {"rate": 0.3, "interval": (0.26, 0.34), "of": 2048}, "length": (180.0, 420.0), "cap": 512},
        ("allow longer completions, or ask for shorter ones",),
        "notebooks/06, section 4",
        ("truncated", "length_p90"),
    ),
)


def diagnosis(findings: tuple[Finding, ...] = (), verdict: str = "healthy", **changes) -> Diagnosis:
    """With these findings; the verdict is the first one's name."""
    seen, unknown = evidence(**changes), ("bias of the verifier: no audited sample (--audit)",)
    early, late = (seen.steps[9], seen.steps[30]) if len(seen.steps) == STEPS else (Step(0), Step(0))
    first = findings[0] if findings else None
    name, role = (first.name, first.role) if first else (verdict, None)
    return Diagnosis(name, role, findings, early, late, seen, unknown)


def many_faults() -> Diagnosis:
    """Nine findings, long and empty ones among them."""
    odd = Finding("odd figures", "solver", "x" * 3000, {"deep": {"a": {"b": [1, 2, 3]}}, "n": math.nan, "t": "?"}, ())
    more = [replace(FINDINGS[number % 2], name=f"fault {number}") for number in range(6)]
    notes = tuple(f"what was decided in reading, number {number}, and why it was decided so" for number in range(9))
    return diagnosis((*FINDINGS, odd, *more), notes=notes, warnings=("17 rows have no reward and were left out",))


def nothing() -> Diagnosis:
    """Not a single number."""
    return diagnosis((), "undecided", steps=(Step(0),), histograms=(), examples=(), notes=(), rewards=(), format="")


def long() -> Diagnosis:
    """Thousands of steps with large numbers, and lengths in the millions."""
    steps = tuple(
        replace(one, step=1_000_000 + 1000 * number, length=2e7 + number, length_p90=9e7, kl=1e-7 * number)
        for number, one in enumerate(steps_of_a_run() * 75)
    )
    return diagnosis(FINDINGS, steps=steps)


def not_finite() -> Diagnosis:
    """NaN and infinity wherever a number may be."""
    bad = [math.nan, math.inf, -math.inf, 1e308, -1e308, None]
    steps = tuple(
        Step(
            step, groups=1, **{name: bad[(step + i) % 6] for i, name in enumerate(EVERY_SHARE) if "reward" not in name}
        )
        for step in range(12)
    )
    example = Example(1, "p", "b", math.inf, "w", math.nan)
    found = Finding("odd", "solver", "nan", {"a": math.nan, "b": {"rate": math.inf, "interval": (math.nan, 1)}}, ("x",))
    return diagnosis((found,), steps=steps, examples=(example,), reward_gap=math.nan, length_pays=math.inf)


def hostile() -> Diagnosis:
    """A page that would be broken if any of its texts were taken for more than text."""
    said = HOSTILE[:4]
    examples = tuple(Example(1, text, text, 1.0, HOSTILE[-1 - n], 0.0) for n, text in enumerate(HOSTILE))
    steps = tuple(replace(step, rewards={text: 0.1 * n for n, text in enumerate(said)}) for step in steps_of_a_run())
    findings = tuple(
        Finding(text, "solver", text, {text: text, "a": {text: {"rate": 0.1}}}, (text, text), text, ("rewards", text))
        for text in said
    )
    return diagnosis(
        findings,
        source=HOSTILE[0],
        steps=steps,
        examples=examples,
        format=said[1],
        rewards=said,
        notes=said,
        warnings=said,
    )


MADE = {
    "healthy": diagnosis,
    "one-fault": lambda: diagnosis(FINDINGS[:1]),
    "many-faults": many_faults,
    "nothing": nothing,
    "long": long,
    "not-finite": not_finite,
    "hostile": hostile,
}
