"""The formats of logs, each known by its columns, and what its file cannot say.

spkit           prompt or prompt_id, completion, reward, step; optional role, gold, correct, entropy, depth, valid,
                fault
TRL             step, prompt, completion, a column a reward function, what functions gave to `log_extra`, advantage
                (GRPO and RLOO, `log_completions=True`)
verl            input, output, score, step, in most versions gts, and every key of `reward_extra_info`, such as acc
                (`trainer.rollout_data_dir`)
verifiers       example_id, prompt, completion, reward, answer, is_truncated, metrics (`results.jsonl`; prime-rl
                writes the same under step folders)
traces          task, nodes, calls, rewards with weights (verifiers v1 and prime-rl)
open-instruct   step, prompt_tokens, response_tokens, reward, advantage, finish_reason, ground_truth
NeMo-RL         content, rewards, input_lengths, ..., idx (`train_data_step{N}.jsonl`)
ART             messages with `trainable` ones, reward, group_index; trajectories in older files
lm-eval         doc_id, doc, target, arguments, resps, filtered_resps, metrics and a column each
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import nested
from .columns import ColumnMap

TRL_NOTES = (
    "TRL's files hold one generation batch for every `logging_steps` steps, and an evaluation at a logged step takes "
    "the place of its training rows",
)
WEIGHTS_NOTE = "the weights of the reward functions are not in the log: each counts 1, or --reward NAME:WEIGHT"


@dataclass(frozen=True)
class Form:
    """A format: the columns that make it known, what they mean, and how one of its rows becomes plain ones.

    The rewards of `columns` are the format's own; empty: they are chosen. `rows_of(row, decode)` gives rows with the
    names of a batch's columns; `decode` makes a text of token ids.
    """

    name: str
    needs: tuple[str, ...]
    columns: ColumnMap = field(default_factory=ColumnMap)
    golds: tuple[str, ...] = ()  # where the right answer may stand, the surest first
    not_rewards: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    known_by: Callable[[Mapping[str, Any]], bool] = lambda row: True
    rows_of: Callable[[Mapping[str, Any], Any], Iterable[dict[str, Any]]] | None = None


def _has(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda row: any(name in row for name in names)


def _lists(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda row: all(not isinstance(row[name], (str, int, float)) for name in names)


SPKIT, TRL, VERL = "spkit", "TRL", "verl"
LOG_FORMS = (
    Form(
        "traces of verifiers",
        ("task", "nodes", "rewards"),
        notes=("the roles of a trace come from the names of its agents",),
        rows_of=nested.trace_rows,
    ),
    Form("lm-evaluation-harness", ("doc_id", "target", "filtered_resps"), rows_of=nested.evaluation_rows),
    Form(
        "open-instruct",
        ("prompt_tokens", "response_tokens", "reward"),
        known_by=_lists("prompt_tokens", "response_tokens"),
        rows_of=nested.token_rows,
    ),
    Form("ART", ("trajectories",), known_by=_lists("trajectories"), rows_of=nested.trajectory_rows),
    Form("ART", ("messages", "reward"), known_by=_has("group_index", "additional_histories"), rows_of=nested.art_rows),
    Form(
        "NeMo-RL",
        ("content", "rewards"),
        known_by=_has("input_lengths", "token_ids", "idx"),
        notes=("NeMo-RL's files do not hold the right answers",),
        rows_of=nested.content_rows,
    ),
    Form(
        "verifiers",
        ("example_id", "prompt", "completion", "reward"),
        ColumnMap(prompt="prompt", completion="completion", rewards=(("reward", 1.0),)),
        golds=("answer",),
        notes=("verifiers' files hold the sum of the reward functions; what each said is in `metrics`, unweighted",),
    ),
    Form(
        VERL,
        ("input", "output", "score"),
        ColumnMap(prompt="input", completion="output", correct="acc", rewards=(("score", 1.0),)),
        golds=("gts", "ground_truth"),
        known_by=lambda row: not {"prompt", "completion"} & row.keys(),
    ),
    Form(
        TRL,
        ("step", "prompt", "completion", "advantage"),
        ColumnMap(prompt="prompt", completion="completion"),
        golds=("solution", "ground_truth", "gold", "target", "answer", "label", "gold_parsed"),
        not_rewards=("image", "images"),
        notes=TRL_NOTES,
    ),
    Form(
        SPKIT,
        ("completion", "reward"),
        ColumnMap(completion="completion", correct="correct", rewards=(("reward", 1.0),)),
        golds=("gold", "ground_truth", "solution", "target", "answer"),
        known_by=_has("prompt", "prompt_id"),
    ),
    Form(
        TRL,
        ("step", "prompt", "completion"),
        ColumnMap(prompt="prompt", completion="completion"),
        golds=("solution", "ground_truth", "gold", "target", "answer", "label", "gold_parsed"),
        known_by=lambda row: any(name.endswith(("_reward", "_reward_func", "_func")) for name in row),
        notes=TRL_NOTES,
    ),
)


def form_of_row(row: Mapping[str, Any]) -> Form | None:
    """Whose row this is; None if it is nobody's."""
    return next((form for form in LOG_FORMS if row.keys() >= set(form.needs) and form.known_by(row)), None)


def nearest(columns: Sequence[str]) -> tuple[Form, tuple[str, ...]] | None:
    """The format of which the fewest columns are missing, one at most, and what is missing; None if none is near."""
    missing = [(form, tuple(name for name in form.needs if name not in columns)) for form in LOG_FORMS]
    near = [(form, lost) for form, lost in missing if len(lost) == 1 and len(form.needs) > 2]
    return near[0] if near else None
