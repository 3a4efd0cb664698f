"""Formats whose rows hold more than a completion: a conversation as a graph, several samples, token ids.

Each function takes one row as it was logged and gives plain ones, with the names of a batch's columns and
`reward:NAME`. None of them raises on what a row holds; what cannot be read is null.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...tasks.answers import number_in, spelled
from ..texts import final_answer, gold_answer, shortened
from .values import plain_text

Decode = Callable[[Sequence[int]], str]
CUT_SHORT = ("max_turns", "max_input_tokens", "max_output_tokens", "max_total_tokens", "compaction_failed", "length")
GOLD_KEYS = ("answer", "ground_truth", "solution", "gold", "target")
JUDGED = "answer"  # the reward of a text whose final answer is the target
SEVERAL = (
    "the harness writes one metric for all responses of a sample, so that each was judged by its final answer against "
    "the target, and the metric was not read"
)
ROLES = {"solver": "solver", "solve": "solver", "proposer": "proposer", "propose": "proposer"}


def trace_rows(row: Mapping[str, Any], decode: Decode | None) -> Iterator[dict[str, Any]]:
    """A trace of verifiers: the messages from the root to the last node; the completion begins with the first one that
    a model call made.
    """
    path = _path(_listed(row.get("nodes")))
    first = next((index for index, node in enumerate(path) if node.get("sampled")), len(path))
    data = _mapped(_mapped(row.get("task")).get("data"))
    calls = [call for call in map(_mapped, _listed(row.get("calls"))) if not call.get("error")]
    usages = [_mapped(call.get("usage")).get("completion_tokens") for call in calls]
    reason = row.get("stop_condition") if row.get("stop_condition") in CUT_SHORT else None
    reason = reason or (calls[-1].get("finish_reason") if calls else None)
    parts = {name: _part(value) for name, value in _mapped(row.get("rewards")).items()}
    known = [score * weight for score, weight in parts.values() if score is not None]
    yield {
        "step": row.get("step"),
        "prompt": [node.get("message") for node in path[:first]],
        "completion": [node.get("message") for node in path[first:]],
        "gold": next((data[key] for key in GOLD_KEYS if data.get(key) is not None), None),
        "role": ROLES.get(str(_mapped(row.get("agent")).get("name")), "solver"),
        "tokens": sum(usages) if usages and all(isinstance(count, int) for count in usages) else None,
        "finish": "length" if reason in CUT_SHORT else ("stop" if reason else None),
        "entropy": _mean([node.get("entropies") for node in path]),
        "advantage": _mean([node.get("advantages") for node in path], but_zero=True),
        "reward": sum(known) if known else None,
        **{f"reward:{name}": score for name, (score, _) in parts.items()},
        "weights": {name: weight for name, (_, weight) in parts.items()},
    }


def _path(nodes: Sequence[Any]) -> list[Mapping[str, Any]]:
    """From the root to the last node."""
    nodes, found, seen = [_mapped(node) for node in nodes], [], set()
    index = len(nodes) - 1 if nodes else None
    while isinstance(index, int) and 0 <= index < len(nodes) and index not in seen:
        seen.add(index)
        found.append(nodes[index])
        index = nodes[index].get("parent")
    return found[::-1]


def _part(value: Any) -> tuple[float | None, float]:
    """(score, weight) of a reward of a trace, which is an object, a number, or null."""
    if isinstance(value, Mapping):
        score, weight = value.get("score", value.get("value")), value.get("weight", 1.0)
        return (float(score) if _is_number(score) else None), (float(weight) if _is_number(weight) else 1.0)
    return (float(value) if _is_number(value) else None), 1.0


def evaluation_rows(row: Mapping[str, Any], decode: Decode | None) -> Iterator[dict[str, Any]]:
    """A sample of the lm-evaluation-harness: a row for every generated text. The first metric is the reward of a text
    that stands alone; several are judged one by one, since the harness writes one metric for all of them.
    """
    texts = list(_texts(row.get("resps") or row.get("filtered_resps")))
    name, scores = _metric(row) if len(texts) < 2 else (JUDGED, _judged(texts, row.get("target")))
    prompt = _first_text(row.get("arguments"))
    for text, score in zip(texts or [None], scores):
        yield {
            "prompt": prompt if prompt is not None else row.get("doc"),
            "completion": text,
            "gold": row.get("target"),
            "reward": score,
            "correct": score if len(texts) == 1 else None,
            "filter": row.get("filter"),
            f"reward:{name}": score,
            "note": SEVERAL if len(texts) > 1 else None,
        }


def _metric(row: Mapping[str, Any]) -> tuple[str, list[float | None]]:
    """Name and value of the first metric of a sample."""
    names = [name for name in _listed(row.get("metrics")) if _is_number(row.get(name))]
    names = names or [name for name in ("exact_match", "acc", "acc_norm") if _is_number(row.get(name))]
    return (names[0], [float(row[names[0]])]) if names else ("reward", [None])


def _judged(texts: Sequence[str], target: Any) -> list[float | None]:
    """Whether the final answer of each text is the target, or one of several; None where that cannot be told."""
    targets = _listed(target) or [target]
    golds = [gold for one in targets if one is not None and (gold := gold_answer(plain_text(one)))]
    return [_is_right(shortened(text), golds) for text in texts]


def _is_right(text: str, golds: Sequence[str]) -> float | None:
    """A text without an answer is wrong where a number is asked for; where a word is, it may only be worded otherwise,
    and so may one of which all that can be read is a number.
    """
    answer = final_answer(text)
    if not golds or answer in golds or spelled(text) in golds:
        return 1.0 if golds else None
    if all(number_in(gold) is None for gold in golds) and (answer is None or number_in(answer) is not None):
        return None
    return 0.0


def _first_text(value: Any) -> str | None:
    """The first text inside lists and objects."""
    if isinstance(value, str):
        return value
    parts = value.values() if isinstance(value, Mapping) else _listed(value)
    return next((text for part in parts if (text := _first_text(part)) is not None), None)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in _listed(value):
        yield from _texts(part)


def token_rows(row: Mapping[str, Any], decode: Decode | None) -> Iterator[dict[str, Any]]:
    """A rollout of open-instruct: token ids, made a text of by the tokenizer."""
    prompt, response = _listed(row.get("prompt_tokens")), _listed(row.get("response_tokens"))
    yield {
        "step": row.get("step"),
        "prompt": decode(prompt),
        "completion": decode(response),
        "gold": row.get("ground_truth"),
        "reward": row.get("reward"),
        "reward:reward": row.get("reward"),
        "advantage": row.get("advantage"),
        "tokens": len(response),
        "finish": row.get("finish_reason"),
    }


def art_rows(row: Mapping[str, Any], decode: Decode | None) -> Iterator[dict[str, Any]]:
    """A trajectory of ART: the completion begins with the first message that is trained on."""
    messages = [_unwrapped(message) for message in _listed(row.get("messages"))]
    marked = [index for index, message in enumerate(messages) if message.get("trainable")]
    spoken = [index for index, message in enumerate(messages) if message.get("role") == "assistant"]
    first = (marked or spoken or [len(messages)])[0]
    ends = [message.get("finish_reason") for message in messages if message.get("finish_reason")]
    yield {
        "step": row.get("step"),
        "prompt": messages[:first],
        "completion": messages[first:],
        "gold": next((data[k] for k in GOLD_KEYS if (data := _object(row.get("metadata"))).get(k) is not None), None),
        "reward": row.get("reward"),
        "reward:reward": row.get("reward"),
        "finish": ends[-1] if ends else None,
    }


def trajectory_rows(row: Mapping[str, Any], decode: Decode | None) -> Iterator[dict[str, Any]]:
    """A group of trajectories, as older versions of ART wrote it."""
    for one in map(_mapped, _listed(row.get("trajectories"))):
        yield from art_rows({**one, "messages": one.get("messages_and_choices"), "step": row.get("step")}, decode)


def _unwrapped(message: Any) -> dict[str, Any]:
    """A message; a choice of a model, which holds one, is marked as trained on."""
    message = _mapped(message)
    inner = message.get("message")
    if not isinstance(inner, Mapping):
        return dict(message)
    return {**inner, "trainable": True, "finish_reason": message.get("finish_reason")}


def content_rows(row: Mapping[str, Any], decode: Decode | None) -> Iterator[dict[str, Any]]:
    """A row of NeMo-RL: every value in a list of one; content is the texts of the messages, the first one the prompt,
    what the environment said last left out. One text alone is split by its tokens, if a tokenizer is given.
    """
    one = {name: _alone(value) for name, value in row.items()}
    ids, mask = _listed(one.get("token_ids")), _listed(one.get("token_loss_mask"))
    content = one.get("content")
    texts = [plain_text(part) for part in ([content] if isinstance(content, str) else _listed(content))]
    made = [index for index, trained in enumerate(mask) if trained]
    if len(texts) > 2 and texts[-1].startswith("Environment:"):
        texts = texts[:-1]
    if len(texts) < 2 and made and ids and decode is not None:
        texts = [decode(ids[: made[0]]), decode(ids[made[0] : made[-1] + 1])]
    yield {
        "step": one.get("step"),
        "prompt": texts[0] if len(texts) > 1 else None,
        "completion": "\n".join(texts[1:]) if len(texts) > 1 else None,
        "reward": one.get("rewards"),
        "reward:rewards": one.get("rewards"),
        "advantage": _mean([one.get("advantages")], but_zero=True),
        "tokens": len(made) if made else None,
    }


def _alone(value: Any) -> Any:
    return value[0] if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1 else value


def _mean(parts: Sequence[Any], but_zero: bool = False) -> float | None:
    """Of numbers, or of lists of them; `but_zero` leaves out the zeros, which stand for what has no number."""
    numbers = [float(x) for part in parts for x in ([part] if _is_number(part) else _listed(part)) if _is_number(x)]
    if but_zero and any(numbers):
        numbers = [number for number in numbers if number]
    return sum(numbers) / len(numbers) if numbers else None


def _object(value: Any) -> Mapping[str, Any]:
    """An object, or one as JSON text."""
    try:
        return _mapped(json.loads(value)) if isinstance(value, str) else _mapped(value)
    except (ValueError, RecursionError):
        return {}


def _mapped(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else ()


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
