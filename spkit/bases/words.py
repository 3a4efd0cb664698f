"""How the small models that read words are made: `spkit pretrain words` on a CPU, `spkit pretrain words-gpu` on one
GPU.

One model reads texts of every task that needs no download: word problems and Python programs, mostly of one or two
steps, and what the tiny bases read (`pretrain`). It has the shape of a hub model (`small`), so that loading in 4 bits,
LoRA and the notebooks' gpu profile run with it where no hub can be reached. It is shown the tasks' prompts as they are,
has read nothing else, and is weak on purpose: what it can do is in its card.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from ..policy.devices import device_named
from ..policy.policy import Policy
from ..policy.training import SftConfig
from ..run.errors import SpkitError
from ..run.streams import generator
from ..tasks import Task, item_rng, load_task
from .quiet import RECIPES_OF_QUIET, make_quiet
from .recipes import RECIPES, Recipe, example_text, free_folder, measured, save_made
from .recipes import make_tiny_base as pretrain_tiny
from .small import bpe_tokenizer, small_qwen2
from .two_skills import RECIPES_OF_TWO_SKILLS, make_two_skills

WORDY = {
    "word_problems": Recipe(
        task="word_problems",
        about="word problems",
        plain={1: 0.50, 2: 0.40, 3: 0.08, 4: 0.01, 5: 0.01},
        hinted={1: 0.30, 2: 0.40, 3: 0.20, 4: 0.06, 5: 0.04},
        hinted_share=0.15,
    ),
    "python_programs": Recipe(
        task="python_programs",
        about="outputs of Python programs",
        plain={1: 0.60, 2: 0.35, 3: 0.05},
        hinted={1: 0.50, 2: 0.40, 3: 0.10},
        hinted_share=0.15,
    ),
    "python_programs-abduction": Recipe(
        task="python_programs-abduction",
        about="inputs of Python programs",
        plain={1: 0.65, 2: 0.35},
        hinted={1: 0.60, 2: 0.40},
        hinted_share=0.15,
    ),
    "python_programs-induction": Recipe(
        task="python_programs-induction",
        about="Python programs from inputs and outputs",
        plain={1: 0.80, 2: 0.20},
        hinted={1: 0.80, 2: 0.20},
        hinted_share=0.15,
    ),
}
PARTS = WORDY | {name: RECIPES[name] for name in ("addition", "sums", "replies", "expressions")}
SHARES = {
    "word_problems": 0.45,
    "python_programs": 0.05,
    "python_programs-abduction": 0.03,
    "python_programs-induction": 0.02,
    "addition": 0.10,
    "sums": 0.10,
    "replies": 0.07,
    "expressions": 0.18,
}
WORDS_ALONE = {
    "word_problems": 0.8,
    "python_programs": 0.1,
    "python_programs-abduction": 0.05,
    "python_programs-induction": 0.05,
}
CARD_TESTS = 40  # problems of each task and difficulty in the card


@dataclass(frozen=True)
class Mixture:
    """A model and what it reads: `shares` of its texts by the recipes of PARTS, every text `passes` times.

    `layers` and `width` are the model's, `vocabulary` counts the tokenizer's tokens, `context` the
    tokens of the longest text.
    """

    device: Literal["cpu", "cuda"]
    width: int
    layers: int
    vocabulary: int
    sft: SftConfig
    passes: int = 1
    context: int = 1024
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))

    @property
    def texts(self) -> int:
        """How many different texts are read."""
        return self.sft.steps * self.sft.batch_size // self.passes


# The size for a GPU is an estimate, not measured: 24 M parameters take 0.15 GFLOP a token; at 150,000 tokens/s, where
# starting the kernels takes most of the time, 28 M tokens are 3 minutes. Making the texts on one core takes 2 to 3, the
# card's measurements 1 to 2.
MIXTURES = {
    "words": Mixture(
        "cpu",
        width=128,
        layers=3,
        vocabulary=1024,
        sft=SftConfig(steps=5500, batch_size=16, learning_rate=2e-3),
        shares=WORDS_ALONE,
    ),
    "words-gpu": Mixture(
        "cuda",
        width=512,
        layers=8,
        vocabulary=4096,
        sft=SftConfig(steps=2000, batch_size=256, learning_rate=1e-3, weight_decay=0.01),
        passes=3,
    ),
}


def updates(name: str) -> int:
    """Optimizer updates that make the base `name`; 1 if there is no such recipe."""
    if name in RECIPES_OF_QUIET:
        return RECIPES_OF_QUIET[name].steps
    if name in RECIPES_OF_TWO_SKILLS:
        return RECIPES_OF_TWO_SKILLS[name].sft.steps
    if name in RECIPES:
        return RECIPES[name].stop or RECIPES[name].sft.steps
    return MIXTURES[name].sft.steps if name in MIXTURES else 1


def read_by(mixture: Mixture) -> dict[str, Task]:
    """The task of each part of a mixture."""
    return {part: load_task(PARTS[part].task) for part in mixture.shares}


def mixed_reading(mixture: Mixture, tasks: Mapping[str, Task], seed: int, index: int) -> tuple[str, str, str]:
    """(part, prompt, completion) number `index`: a function of the mixture, the seed and the index.

    `tasks` is `read_by(mixture)`.
    """
    part = item_rng("mixture", seed, index).choices(list(mixture.shares), list(mixture.shares.values()))[0]
    return part, *example_text(PARTS[part], tasks[part], seed, index)


def make_base(
    name: str,
    folder: str | Path,
    seed: int = 0,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    device: str | None = None,
    half: bool = False,
) -> dict[str, Any]:
    """Make the base `name`, a tiny one or one of MIXTURES, in `folder`, with a card; returns what the
    card says as plain data.

    `half` is for the bases of RECIPES, see `make_tiny_base`. `device` stands in for the mixture's own. On CUDA it
    computes in bfloat16 and learns in float32, and a second run differs in the last digits. The weights of a mixture
    are saved in bfloat16, and measured as saved. Raises SpkitError for an unknown name, a folder that exists and is no
    checkpoint, a device that is not there, a tiny base with a device, and `half` for a base of one precision.
    """
    tiny = RECIPES | RECIPES_OF_QUIET | RECIPES_OF_TWO_SKILLS
    if name in tiny and device:
        raise SpkitError(f"{name} is a tiny model, made on the CPU, where it is faster: leave --device out")
    if half and name in (*RECIPES_OF_QUIET, *RECIPES_OF_TWO_SKILLS, *MIXTURES):
        raise SpkitError(f"{name} has one precision: leave --half out, or choose one of {', '.join(RECIPES)}")
    if name in RECIPES:
        return pretrain_tiny(name, folder, seed, on_step, half)
    if name in tiny:
        return (make_quiet if name in RECIPES_OF_QUIET else make_two_skills)(name, folder, seed, on_step)
    if name not in MIXTURES:
        raise SpkitError(f"there is no recipe {name!r}: choose one of {', '.join(tiny | MIXTURES)}")
    mixture, begun, folder = MIXTURES[name], time.perf_counter(), free_folder(folder)
    if not device and mixture.device == "cuda" and not torch.cuda.is_available():
        raise SpkitError(
            f"{name} is made on a CUDA device, and torch finds none: make `words`, which is small enough for the CPU"
        )
    where, tasks = device_named(device or mixture.device), read_by(mixture)
    texts = [mixed_reading(mixture, tasks, seed, index) for index in range(mixture.texts)]
    policy = _untrained(mixture, texts, seed, where)
    pairs = [(prompt, policy.completion_ids(completion)) for _, prompt, completion in texts]
    with half_precision(where):
        learned = policy.fit(pairs, mixture.sft, generator(seed, 0, "pretrain"), on_step)
    policy.model.bfloat16().float()
    card = {
        "name": name,
        "seed": seed,
        "device": where.type,
        "parameters": sum(parameter.numel() for parameter in policy.model.parameters()),
        "recipe": {
            **asdict(mixture),
            "texts": mixture.texts,
            "parts": {part: asdict(PARTS[part]) for part in mixture.shares},
        },
        **learned,
        "tasks": {
            task.name: measured(policy, task, bool(PARTS[part].hinted_share), CARD_TESTS)
            for part, task in tasks.items()
        },
        "minutes": round((time.perf_counter() - begun) / 60, 1),
    }
    policy.model.bfloat16()
    save_made(policy, folder, card, card_text(card))
    return card


def half_precision(device: torch.device) -> torch.autocast:
    """A context in which matrix products on CUDA are in bfloat16, the weights and everything else in float32;
    on a CPU nothing changes.

    Without autocast's cache, which lives as long as the context: training inside would go on with the
    weights of its first update.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda", cache_enabled=False)


def _untrained(mixture: Mixture, texts: list[tuple[str, str, str]], seed: int, device: torch.device) -> Policy:
    """The model at the start, with a tokenizer learned from the texts with words."""
    wordy = (prompt + completion for part, prompt, completion in texts if part in WORDY)
    tokenizer = bpe_tokenizer(wordy, mixture.vocabulary, mixture.context)
    spread = 0.7 / mixture.width**0.5
    model = small_qwen2(tokenizer, mixture.context, seed, width=mixture.width, layers=mixture.layers, spread=spread)
    return Policy(model.to(device), tokenizer)


def card_text(card: dict[str, Any]) -> str:
    """The model card as Markdown."""
    recipe, sft = card["recipe"], card["recipe"]["sft"]
    passes = "once" if recipe["passes"] == 1 else f"{recipe['passes']} times"
    return "\n".join(
        [
            f"# {card['name']}",
            "",
            (
                f"A Qwen2ForCausalLM of {card['parameters']:,} parameters in bfloat16, with a byte-level BPE "
                f"tokenizer of {recipe['vocabulary']:,} tokens. It stands"
            ),
            (
                "in for a model of the hub where none can be reached: it knows the prompts of these tasks, can "
                "do the easy ones, and has read nothing else."
            ),
            "",
            (
                f"Made by `spkit pretrain {card['name']} --seed {card['seed']}`: {recipe['texts']:,} texts, "
                f"read {passes} in {card['steps']:,} updates of {sft['batch_size']},"
            ),
            (
                f"{card['tokens']:,} completion tokens, peak learning rate {sft['learning_rate']:g}, "
                f"{card['minutes']} minutes on the machine that made it ({card['device']})."
            ),
            "",
            (
                "| texts | share of all, in % | in % by difficulty | with the answer as a hint, in % | of "
                "these by difficulty |"
            ),
            "|---|---|---|---|---|",
            *(_part_row(part, recipe["parts"][part], share) for part, share in recipe["shares"].items()),
            "",
            f"Accuracy in % by difficulty, on {CARD_TESTS} test problems of each that it has not read:",
            "",
            "| task | greedy | sampled at temperature 1 | greedy, with the answer as a hint |",
            "|---|---|---|---|",
            *(_accuracy_row(task, results) for task, results in card["tasks"].items()),
            "",
            "All texts are generated; nobody's data is in here. Licence: Apache-2.0.",
            "",
        ]
    )


def _part_row(part: str, recipe: dict[str, Any], share: float) -> str:
    plain = _percents(recipe["plain"]) or f"as in the base {part}"
    return f"| {part} | {100 * share:g} | {plain} | {100 * recipe['hinted_share']:g} | {_percents(recipe['hinted'])} |"


def _accuracy_row(task: str, results: dict[str, Any]) -> str:
    cells = [
        _percents(results[how]["accuracy_by_difficulty"]) if how in results else ""
        for how in ("greedy", "sampled", "hinted")
    ]
    return f"| {task} | {' | '.join(cells)} |"


def _percents(shares: Mapping[Any, float]) -> str:
    return ", ".join(f"{key}: {100 * share:.3g}" for key, share in shares.items())
