"""A run folder of spkit as evidence: its records, and the rollouts beside them where a loop keeps all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..run.description import load_run
from ..run.errors import SpkitError
from .audit import Audit
from .batches import from_rows, has_polars
from .reading import careful_rows, plain_text
from .reading.tallies import Tally
from .steps import Checked, Evidence, Step
from .totals import Totals

ROLLOUTS = 20_000  # rollouts in memory at once
ROLE_NAMES = {"solver": "solver", "solve": "solver", "proposer": "proposer", "propose": "proposer"}
INSTEAD = {"spin": ("auc", "learned.margin"), "sft": ("learned.loss",)}  # by method, beside accuracy on the test set
CHECKED = (
    "gold",
    "noisy",
    "majority",
    "grounded",
    "vote_share",
)  # rewards that stand for a right answer, and for nothing else


def read_run(folder: Path, audit: Audit | None = None) -> Evidence:
    """Evidence of a run. Raises SpkitError if the folder is no run, has no finished iteration, or
    its loop samples no groups.

    Where the rollouts are kept they say more than the records, which then add entropy, test accuracy
    and distance to the base.
    """
    description, records = load_run(folder)
    if len(records) < 2:
        raise SpkitError(f"{folder} has no finished iteration after the base: let it run on, then diagnose it")
    config = description.get("config", {})
    steps, warnings = tuple(step_of(record, config) for record in records[1:]), list[str]()
    rollouts = _rollouts(folder, audit, warnings)
    if rollouts is not None:
        known = {step.step: step for step in steps}
        merged = tuple(_merged(step, known[step.step]) for step in rollouts.steps if step.step in known)
        # a share of votes is no verdict
        checked = Checked() if verifier_of(config).get("reward") == "vote_share" else rollouts.checked
        notes = rollouts.notes
        if checks_steps(config):
            checked = Checked(
                Counter({(accepted, right): count for (accepted, right), count in checked.counts.items() if not right})
            )
            notes += (
                "right answers with a wrong step are refused on purpose: what the verifier refuses was not judged",
            )
        return replace(rollouts, steps=merged, checked=checked, reward_gap=gap_of(records, config), notes=notes)
    if audit is not None:
        raise SpkitError(f"{folder} keeps no rollouts to find the audited samples in: give the log that they come from")
    if all(step.useful is None for step in steps):
        text = f"the records of {description['method']} say nothing of groups of samples, by which a role is judged"
        raise SpkitError(
            f"{folder}: {text}: diagnose reads loops with rewards (rlvr, absolute-zero) and completion logs; "
            f"this run says {said_instead(description['method'], records)}, and spkit show draws the rest"
        )
    notes = ("records of the run; lengths in tokens",)
    gap, proposing = gap_of(records, config), any(step.proposals for step in steps)
    return Evidence(
        str(folder),
        steps,
        reward_gap=gap,
        self_play=proposing,
        length_unit="tokens",
        notes=notes,
        warnings=tuple(warnings),
    )


def said_instead(method: str, records: Sequence[Mapping[str, Any]]) -> str:
    """Of a run without rewarded groups, the numbers that tell whether it moves, from the first record that has each to
    the last.
    """
    found = []
    for name in (*INSTEAD.get(method, ()), "accuracy"):
        outer, _, inner = name.partition(".")
        values = [(record.get(outer) or {}).get(inner) if inner else record.get(outer) for record in records]
        numbers = [value for value in values if isinstance(value, (int, float))]
        if numbers:
            found.append(f"{name} {numbers[0]:.2f}" + (f" -> {numbers[-1]:.2f}" if len(numbers) > 1 else ""))
    return ", ".join(found) + (" (how to read them: notebook 03, section 10)" if method == "spin" else "")


def step_of(record: Mapping[str, Any], config: Mapping[str, Any]) -> Step:
    """A record of RLVR or Absolute Zero. The shares of groups that agree are what reward and useful groups
    leave room for, at least.

    A useful group of k samples has at most k - 1 right ones, so all-right groups are at least r - u (k - 1) / k of all,
    for solve rate r and share u of useful groups; and all-wrong ones the rest.
    """
    rate, useful, k = _first(record, "solve_rate", "reward"), record.get("useful_groups"), config.get("k", 2)
    right = wrong = None
    if rate is not None and useful is not None:
        right = max(0.0, rate - useful * (k - 1) / k)
        wrong = max(0.0, 1 - rate - useful * (k - 1) / k)
    return Step(
        record["iteration"],
        _groups(record, config),
        useful,
        right,
        wrong,
        rate,
        record.get("sampled_accuracy"),
        entropy=_first(record, "solver_entropy", "entropy"),
        length=record.get("solver_length"),
        kl=record.get("kl_to_base"),
        held_out=_first(record, "test_sampled_accuracy", "accuracy"),
        proposals=_groups(record, config) if "valid" in record else 0,
        valid=record.get("valid"),
        duplicates=record.get("duplicates"),
        depth=record.get("proposed_depth"),
        proposal_length=record.get("proposer_length"),
        proposal_entropy=record.get("proposer_entropy"),
    )


def gap_of(records: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> float | None:
    """Mean reward minus the accuracy of the same samples, where the reward is meant to be that accuracy; None
    if it is not, or unknown.

    A check of every step refuses right answers on purpose, so that only what it accepts beyond them counts.
    """
    if _first(verifier_of(config), "reward", "solver_reward") not in CHECKED:
        return None
    pairs = [(_first(record, "solve_rate", "reward"), record.get("sampled_accuracy")) for record in records[1:]]
    known = [reward - accuracy for reward, accuracy in pairs if reward is not None and accuracy is not None]
    gap = sum(known) / len(known) if known else None
    return max(0.0, gap) if gap is not None and checks_steps(config) else gap


def checks_steps(config: Mapping[str, Any]) -> bool:
    """Whether an answer is rewarded only if every step to it is right (Absolute Zero's check `steps`, which a vote
    does not ask).
    """
    verifier = verifier_of(config)
    return verifier.get("check") == "steps" and verifier.get("reward") != "vote_share"


def verifier_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of a run's verifier: a part of their own in Absolute Zero, where `proposer` has a reward too; of
    RLVR, and of Absolute Zero in folders from before, among all others.
    """
    part = config.get("verifier")
    return part if isinstance(part, Mapping) else config


def _rollouts(folder: Path, audit: Audit | None, warnings: list[str]) -> Evidence | None:
    """What samples.jsonl says, if it holds rollouts (rows with a step and a role) and not only a few samples to look
    at.
    """
    path, totals, tally, waiting, count = folder / "samples.jsonl", Totals(audit), Tally(), [], 0
    if not path.is_file():
        return None
    for place, raw in careful_rows(path, tally):
        if "step" not in raw or "role" not in raw:
            continue
        if not has_polars():
            warnings.append(
                "samples.jsonl was not read, since polars is not installed: pip install 'selfplay-kit[logs]'"
            )
            return None
        waiting.append(_rollout(place, raw))
        count += waiting[-1]["role"] == "solver"
        if len(waiting) >= ROLLOUTS:
            totals.add(from_rows(waiting, ("reward",)))
            waiting = []
    if not count:
        return None
    totals.add(from_rows(waiting, ("reward",)))
    warnings += tally.lines()
    notes = ("rollouts in samples.jsonl and records of the run",)
    return totals.evidence(str(folder), notes, warnings, "spkit", {})


def _rollout(place: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """A rollout as a row of a batch. Raises SpkitError if it has no reward, or a role that there is not."""
    role = ROLE_NAMES.get(raw["role"])
    reward, fault = raw.get("reward"), raw.get("fault")
    if role is None or not isinstance(raw["step"], int) or (role == "solver" and not isinstance(reward, (int, float))):
        raise SpkitError(f"{place} is no rollout of a run of spkit: it was changed, so diagnose the run without it")
    number = lambda name: None if raw.get(name) is None else float(raw[name])
    return {
        "step": raw["step"],
        "prompt": plain_text(raw.get("prompt", raw.get("prompt_id"))),
        "completion": plain_text(raw.get("completion")),
        "reward": None if reward is None else float(reward),
        "reward:reward": None if reward is None else float(reward),
        "role": role,
        "gold": None if raw.get("gold") is None else plain_text(raw["gold"]),
        "correct": None if raw.get("correct") is None else bool(raw["correct"]),
        "entropy": number("entropy"),
        "depth": number("depth"),
        "valid": fault is None if raw.get("valid") is None and "fault" in raw else raw.get("valid"),
        "fault": None if fault is None else str(fault),
    }


def _merged(rollouts: Step, record: Step) -> Step:
    """The rollouts of a step, with what its record knows better: rewards of a wrong answer may differ by
    more than right and wrong.
    """
    names = (
        "entropy",
        "kl",
        "held_out",
        "proposal_entropy",
        "valid",
        "duplicates",
        "depth",
        "useful",
        "solve_rate",
        "accuracy",
    )
    known = {name: value for name in names if (value := getattr(record, name)) is not None}
    wrong = (
        None
        if record.useful is None or rollouts.all_right is None
        else max(0.0, 1 - record.useful - rollouts.all_right)
    )
    return replace(rollouts, **known, all_wrong=wrong)


def _groups(record: Mapping[str, Any], config: Mapping[str, Any]) -> int:
    """Problems of an iteration: as recorded, or of Absolute Zero as many of each kind as asked for."""
    return record["problems"] if "problems" in record else config.get("tasks", 0) * len(config.get("kinds", ()))


def _first(values: Mapping[str, Any], *names: str) -> Any:
    return next((values[name] for name in names if values.get(name) is not None), None)
