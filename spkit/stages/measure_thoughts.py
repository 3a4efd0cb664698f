"""What thoughts do for the prediction of test texts, by kind of token."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from ..policy import Policy
from ..policy.thinking import Thinker, talk, think
from ..run.folder import Run
from ..run.streams import generator
from ..tasks import Chains, Task
from ..tasks.chains import CHAIN_END, running_values
from .texts import kinds_of_tokens, texts_of

TEXTS_AT_ONCE = 25
HARD = "answer"


class Measured(Protocol):
    """Settings that say what to measure."""

    seed: int
    length: int
    thoughts: str
    test_texts: int


class _Sums:
    """Means by kind of token."""

    def __init__(self) -> None:
        self.values: defaultdict[str, list[float]] = defaultdict(list)

    def add(self, kinds: Sequence[Sequence[str]], values: Tensor) -> None:
        """Values (texts, places) of tokens of these kinds."""
        for row, own in zip(kinds, values.double().tolist()):
            for kind, value in zip(row, own):
                self.values[kind].append(value)
                self.values["all"].append(value)

    def means(self) -> dict[str, float]:
        return {kind: sum(own) / len(own) for kind, own in sorted(self.values.items())}


def measure_thoughts(
    thinker: Thinker, writer: Thinker, policy: Policy, task: Task, config: Measured, run: Run, t: int
) -> dict[str, Any]:
    """What the thinker says of test texts, with the thoughts of the `writer`: itself, but in the control `base`.

    By what the next token is, and for `all`: `nll` (nats) and `right` (share whose likeliest token is the next one)
    without a thought; `nll_sampled` and `right_sampled` after a thought sampled at temperature 1, `nll_greedy` and
    `right_greedy` after a greedy one; `weight`, the share of the state after a thought. Of chains `accuracy`, which is
    `right_greedy` of answers, and `steps_sampled` and `steps_greedy`, the share of thoughts before answers that are the
    running values; of other texts `accuracy` is over all tokens.
    """
    texts = texts_of(policy, task, 0, 0, config.test_texts, config.length, "test")
    kinds = [kinds_of_tokens(policy, task, row.tolist()) for row in texts]
    draw, places = generator(config.seed, t, "profile"), torch.arange(config.length - 1)
    sums: defaultdict[str, _Sums] = defaultdict(_Sums)
    samples: list[dict[str, Any]] = []
    steps: dict[str, list[bool]] = {"sampled": [], "greedy": []}
    with torch.inference_mode(), run.stage("measure", len(texts), "texts") as tick:
        for part in torch.arange(len(texts)).split(TEXTS_AT_ONCE):
            ids, own = texts[part].to(thinker.marks.device), [kinds[i][1:] for i in part.tolist()]
            for how, temperature in (("sampled", 1.0), ("greedy", 0.0)):
                thoughts = None if config.thoughts == "pause" else think(writer, ids, places, 1, draw, temperature)
                said = talk(thinker, ids, places, thoughts, 1)
                sums[f"nll_{how}"].add(own, -said.mixed[:, 0, :, 0])
                sums[f"right_{how}"].add(own, (said.likeliest[:, 0] == ids[:, 1:]).float())
                if thoughts is not None:
                    steps[how] += _right_steps(policy, ids, own, thoughts[:, 0]) if isinstance(task, Chains) else []
                    samples += (
                        _shown(policy, ids, own, thoughts[:, 0], said.weight[:, 0, :, 0], how) if not part[0] else []
                    )
            sums["nll"].add(own, -said.next)
            sums["weight"].add(own, said.weight[:, 0, :, 0])
            sums["right"].add(own, _likeliest(thinker, ids) == ids[:, 1:])
            tick(len(part))
    found = {name: one.means() for name, one in sums.items()}
    shares = {f"steps_{how}": sum(own) / len(own) for how, own in steps.items() if own}
    hard = HARD if HARD in found["nll"] else "all"
    by_difficulty = {str(level): found["right_greedy"][HARD] for level in task.difficulties if isinstance(task, Chains)}
    return {
        "accuracy": found["right_greedy"][hard],
        "accuracy_by_difficulty": by_difficulty,
        **found,
        **shares,
        "samples": samples,
    }


def _likeliest(thinker: Thinker, ids: Tensor) -> Tensor:
    return thinker.model(input_ids=ids, use_cache=False).logits[:, :-1].argmax(-1)


def _right_steps(policy: Policy, ids: Tensor, kinds: Sequence[Sequence[str]], thoughts: Tensor) -> list[bool]:
    """Whether the thought before each answer of a text is its running values."""
    found = []
    for row, own, written in zip(ids.tolist(), kinds, thoughts.tolist()):
        text = "".join(policy.tokenizer.convert_ids_to_tokens(row))
        for place in (index for index, kind in enumerate(own) if kind == HARD):
            chain = text[:place].rpartition(CHAIN_END)[2]
            found.append("".join(policy.tokenizer.convert_ids_to_tokens(written[place])) == running_values(chain))
    return found


def _shown(
    policy: Policy, ids: Tensor, kinds: Sequence[Sequence[str]], thoughts: Tensor, weight: Tensor, how: str
) -> list[dict[str, Any]]:
    """A few texts with their thoughts, as rows of samples.jsonl."""
    decode = lambda some: "".join(policy.tokenizer.convert_ids_to_tokens(some)) if some else ""
    return [
        {
            "how": how,
            "prompt": decode(ids[row].tolist()),
            "completion": [decode(one) for one in thoughts[row].tolist()],
            "kinds": list(kinds[row]),
            "weights": [round(one, 3) for one in weight[row].tolist()],
        }
        for row in range(min(2, len(ids)))
    ]
