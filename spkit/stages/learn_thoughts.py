"""Stages 2 to 4 of Quiet-STaR: a step thinks at places of some texts, sees how likely the texts are after the thoughts,
and learns from both.
"""

from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from ..maths.thoughts import mixed_nll, thought_advantages, thought_loss, thought_rewards
from ..policy import Policy
from ..policy.steps import clipped_step
from ..policy.thinking import Talk, Thinker, talk, think
from ..policy.training import token_logprobs
from ..run.errors import SpkitError
from ..run.folder import Run
from .learn_pg import optimizer_state, resumed

WARMUP = 10  # steps
OWN = "thinker."


@dataclass(frozen=True)
class ThoughtUpdate:
    """How a step learns; see `QuietStarConfig`."""

    batch_size: int = 8
    share: float = 1.0
    siblings: int = 2
    ahead: int = 3
    thoughts: str = "own"
    learn: str = "all"
    positive: bool = False
    policy_weight: float = 1.0
    text_weight: float = 0.5
    learning_rate: float = 3e-4
    mark_rate: float = 3e-3
    head_rate: float = 1e-3


def new_thinker(policy: Policy, start: str, close: str, tokens: int, seed: int) -> Thinker:
    """The policy's model with marks that begin as these tokens. Raises SpkitError if one of them is not one token."""
    ids = [policy.tokenizer(mark, add_special_tokens=False)["input_ids"] for mark in (start, close)]
    if wrong := [mark for mark, own in zip((start, close), ids) if len(own) != 1]:
        raise SpkitError(f"{wrong[0]!r} is not one token of this model: choose --start and --close that are")
    return Thinker(policy.model, (ids[0][0], ids[1][0]), tokens, seed)


def new_adamw(thinker: Thinker, update: ThoughtUpdate) -> torch.optim.Optimizer:
    """AdamW without weight decay; the model, marks and pauses, and the head have each a learning rate."""
    parts = {"head_rate": list(thinker.head.parameters())}
    if update.learn == "all":
        parts["learning_rate"] = [one for one in thinker.model.parameters() if one.requires_grad]
        parts["mark_rate"] = [thinker.marks, thinker.pauses]
    groups = [
        {"params": own, "lr": getattr(update, name), "peak": getattr(update, name)} for name, own in parts.items()
    ]
    return torch.optim.AdamW(groups, weight_decay=0.0)


def thinker_state(thinker: Thinker, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What a run needs besides the policy's weights to go on."""
    own = {OWN + name: value.detach().cpu().clone() for name, value in thinker.own().items()}
    return own | optimizer_state(optimizer)


def restored(thinker: Thinker, update: ThoughtUpdate, run: Run) -> torch.optim.Optimizer:
    """The optimizer, and the marks and head in place, as the run's last iteration left them; new in a new run."""
    optimizer = new_adamw(thinker, update)
    if len(run.records) < 2:
        return optimizer
    state = run.state_of(len(run.records) - 1)
    thinker.load_own({name.removeprefix(OWN): value for name, value in state.items() if name.startswith(OWN)})
    return resumed(optimizer, {name: value for name, value in state.items() if not name.startswith(OWN)})


def learn_from_thoughts(
    thinker: Thinker,
    base: Thinker,
    texts: Tensor,
    update: ThoughtUpdate,
    optimizer: torch.optim.Optimizer,
    draw: torch.Generator,
    run: Run,
    before: int = 0,
) -> dict[str, float]:
    """A step on every `batch_size` of the texts (texts, length), after `before` steps of earlier iterations. Returns
    means over the steps.

    Raises NotFinite if training diverges, with the weights of the last good step.
    """
    told = []
    batches = texts.to(thinker.marks.device).split(update.batch_size)
    with run.stage("learn", len(batches), "steps") as tick:
        for step, ids in enumerate(batches, before + 1):
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * min(1.0, step / WARMUP)
            optimizer.zero_grad(set_to_none=True)
            with run.part("solve"):
                places = chosen_places(ids.shape[1], update.share, draw)
                thoughts = written_thoughts(thinker, base, ids, places, update, draw)
            run.spend(sampled_tokens=0 if thoughts is None else thoughts.numel(), optimizer_steps=1)
            loss, numbers = step_loss(thinker, ids, places, thoughts, update)
            loss.backward()
            clipped_step(optimizer, [loss], 1.0, step)
            told.append({"loss": loss.item(), **numbers})
            tick(1)
    return {name: fmean(one[name] for one in told) for name in told[0]}


def step_loss(
    thinker: Thinker, ids: Tensor, places: Tensor, thoughts: Tensor | None, update: ThoughtUpdate
) -> tuple[Tensor, dict[str, float]]:
    """The loss of one step on texts `ids` with these thoughts, and numbers about it."""
    if update.thoughts == "none":
        logits = thinker.model(input_ids=ids, use_cache=False).logits[:, :-1].float()
        return -token_logprobs(logits, ids[:, 1:]).mean(), {}
    # 2 solve: the text after each thought.  3 verify: how much likelier it is than after the other thoughts there
    said = talk(thinker, ids, places, thoughts, update.ahead, update.siblings)
    advantages = thought_advantages(thought_rewards(said.mixed, said.there), update.positive)
    # 4 learn
    loss = update.text_weight * -said.next.mean() + (1 - update.text_weight) * mixed_nll(said.mixed, said.there)
    if update.policy_weight and update.thoughts in ("own", "shuffled"):
        loss = loss + update.policy_weight * thought_loss(advantages, said.thoughts)
    return loss, _numbers(said, advantages)


def _numbers(said: Talk, advantages: Tensor) -> dict[str, float]:
    """Of a step: `advantage`, its mean size in nats; `useful`, the share of thoughts that have one; `mean_weight`."""
    return {
        "advantage": advantages.abs().mean().item(),
        "useful": (advantages.abs() > 1e-6).float().mean().item(),
        "mean_weight": said.weight.mean().item(),
    }


def chosen_places(length: int, share: float, draw: torch.Generator) -> Tensor:
    """Places of a text, in order, but for the last token, after which nothing comes: a `share` of them at random."""
    return torch.randperm(length - 1, generator=draw)[: max(1, round(share * (length - 1)))].sort().values


def written_thoughts(
    thinker: Thinker, base: Thinker, ids: Tensor, places: Tensor, update: ThoughtUpdate, draw: torch.Generator
) -> Tensor | None:
    """The thoughts of a step, (texts, siblings, places, tokens); None where pauses stand in for them, or nothing."""
    if update.thoughts in ("pause", "none"):
        return None
    thoughts = think(base if update.thoughts == "base" else thinker, ids, places, update.siblings, draw)
    return elsewhere(thoughts, draw) if update.thoughts == "shuffled" else thoughts


def elsewhere(thoughts: Tensor, draw: torch.Generator) -> Tensor:
    """The same thoughts, shuffled between the places of all texts."""
    flat = thoughts.flatten(0, 2)
    return flat[torch.randperm(len(flat), generator=draw)].view_as(thoughts)
