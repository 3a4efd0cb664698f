"""Reference data: the replies that self-play fine-tuning imitates, checked before anything is trained on them."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..policy import Policy
from ..run.errors import SpkitError
from ..run.json_files import rows_of
from ..tasks import Problem, Task, problems

Reference = tuple[str, str]  # prompt, reply


@dataclass(frozen=True)
class Referenced:
    """One prompt and its reference reply as token ids, the end token included."""

    prompt: str
    token_ids: list[int]


def draw_references(task: Task, seed: int, count: int) -> list[Reference]:
    """(prompt, reply) of the first `count` training problems of a seed: a draw from p_data where the task has one,
    else a careful solution.
    """
    return [
        (problem.prompt, task.reference(problem, index)) for index, problem in enumerate(problems(task, seed, 0, count))
    ]


def draw_preferences(task: Task, seed: int, start: int, count: int) -> list[tuple[str, str, str]]:
    """(prompt, chosen, rejected) of problems that the references do not ask: a right reply, and one of a careless
    writer.

    Raises SpkitError for a task that has no careless writers.
    """
    asked = problems(task, seed, start, count)
    return [_preference(task, problem, index) for index, problem in enumerate(asked, start)]


def _preference(task: Task, problem: Problem, index: int) -> tuple[str, str, str]:
    rejected = task.careless(problem, index)
    return problem.prompt, task.solution(problem, index), rejected


def read_references(path: str | Path) -> list[Reference]:
    """Reference data from a file of one {"prompt": ..., "reply": ...} a line.

    Raises SpkitError naming the line that is none.
    """
    path = Path(path)
    if not path.is_file():
        raise SpkitError(f"there is no file {path}: give one of a JSON object with prompt and reply a line")
    advice = 'write {"prompt": "...", "reply": "..."}'
    rows = list(rows_of(path, advice))
    for place, row in rows:
        if not (isinstance(row.get("prompt"), str) and isinstance(row.get("reply"), str)):
            raise SpkitError(f"{place} is no reference, its prompt and reply must be texts: {advice}")
    return [(row["prompt"], row["reply"]) for _, row in rows]


def encode(policy: Policy, references: Sequence[Reference]) -> list[Referenced]:
    """Token ids of the references, each with exactly one end token.

    Raises SpkitError for fewer than two references, an empty reply, one that does not fit the model's context behind
    its prompt, one with strange characters, or a set whose replies are all the same: there is nothing to tell apart.
    """
    if len(references) < 2:
        raise SpkitError(f"self-play needs at least 2 references, not {len(references)}")
    if len({reply for _, reply in references}) == 1:
        raise SpkitError(
            f"all {len(references)} references have the same reply: a policy that repeats it is done, and "
            "nothing can be learned"
        )
    return [_encoded(policy, number, prompt, reply) for number, (prompt, reply) in enumerate(references, 1)]


def _encoded(policy: Policy, number: int, prompt: str, reply: str) -> Referenced:
    if not reply.strip():
        raise SpkitError(f"reference {number} has an empty reply (to {prompt[:60]!r}): remove it")
    ids, room = policy.completion_ids(reply), policy.context - len(policy.prompt_ids(prompt))
    if len(ids) > room:
        raise SpkitError(
            f"reference {number} has {len(ids)} tokens and {room} fit behind its prompt {prompt[:60]!r}: "
            "shorten or remove it"
        )
    return Referenced(prompt, ids)


def references_fingerprint(references: Sequence[Reference]) -> str:
    """Eight hexadecimal digits that change when a reference does."""
    return f"{zlib.crc32(json.dumps(list(references)).encode()):08x}"
