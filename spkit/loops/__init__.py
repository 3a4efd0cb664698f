"""Loops: one file a method. `METHODS` is the list, which the command line reads: `spkit run NAME`."""

from importlib import import_module
from typing import Any, NamedTuple

from ..run.errors import SpkitError


class Method(NamedTuple):
    """Where a loop is, "module:function:its settings", imported when it is asked for; its task by default; one line."""

    where: str
    task: str
    about: str


METHODS: dict[str, Method] = {
    "star": Method(
        "spkit.loops.star:star:StarConfig",
        "addition",
        "STaR: sample rationales, keep those with right answers, learn from them, repeat.",
    ),
    "rft": Method(
        "spkit.loops.rft:rft:RftConfig",
        "sums",
        "RFT: one round of samples; fine-tune on every distinct right path.",
    ),
    "rest": Method(
        "spkit.loops.rest:rest:RestConfig",
        "sums",
        "ReST: Grow steps sample, Improve steps fine-tune on samples above a rising threshold and on real data.",
    ),
    "rest-em": Method(
        "spkit.loops.rest_em:rest_em:RestEmConfig",
        "sums",
        "ReST^EM: sample, keep what is right, fine-tune the base on it, repeat.",
    ),
    "collapse": Method(
        "spkit.loops.collapse:collapse:CollapseConfig",
        "sums",
        "Model collapse: each generation is trained on the text of the one before it.",
    ),
    "spin": Method(
        "spkit.loops.spin:spin:SpinConfig",
        "replies",
        "SPIN: learn to tell reference replies from those of the opponent, which is the policy of the last iteration.",
    ),
    "quiet-star": Method(
        "spkit.loops.quiet_star:quiet_star:QuietStarConfig",
        "chains",
        "Quiet-STaR: think after every token of a text, and learn which thoughts make the text likelier.",
    ),
    "sft": Method(
        "spkit.loops.sft:sft_on_gold:GoldConfig",
        "sums",
        "SFT: learn from gold solutions of fixed problems, to compare with loops that write their own.",
    ),
    "rlvr": Method(
        "spkit.loops.rlvr:rlvr:RlvrConfig",
        "sums",
        "RLVR: sample answers to fixed problems, reward them by a checker, policy gradient (GRPO and relatives).",
    ),
    "absolute-zero": Method(
        "spkit.loops.absolute_zero:absolute_zero:AbsoluteZeroConfig",
        "expressions",
        "Absolute Zero: propose problems, solve them, and learn both roles from how often they are solved.",
    ),
    "game-self-play": Method(
        "spkit.loops.game_self_play:game_self_play:GameSelfPlayConfig",
        "game:kuhn",
        "Self-play in a game: one model in both seats, against itself, its past selves or its base; exact NashConv.",
    ),
}


def load_method(name: str) -> tuple[Any, type]:
    """The loop of that name, `loop(base, task, config, run)`, and the class of its settings.

    SpkitError names the ones there are.
    """
    if name not in METHODS:
        raise SpkitError(f"unknown method {name!r}: choose one of {', '.join(METHODS)}")
    module, loop, config = METHODS[name].where.split(":")
    return getattr(import_module(module), loop), getattr(import_module(module), config)
