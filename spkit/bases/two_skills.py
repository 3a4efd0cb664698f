"""The base that can do two things: `spkit pretrain games-addition`.

Half of what it has read are legal moves in games, as in the base `games`, and half are sums worked out column by column
with next to no long ones. So it can play, and it can add, the less the longer the sums are: what playing does to adding
can be measured on it, in both directions.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..measures.game_moves import policy_at_information_sets
from ..policy.policy import Policy
from ..policy.training import SftConfig
from ..run.streams import generator
from ..tasks import item_rng, load_task
from ..tasks.games import load_game
from .recipes import RECIPES, Recipe, example_text, free_folder, measured, save_made
from .tiny import char_tokenizer, tiny_llama

FEW_LONG_SUMS = replace(
    RECIPES["addition"], plain={1: 0.25, 2: 0.715, 3: 0.02, 4: 0.01, 5: 0.005}, hinted={}, hinted_share=0.0
)


@dataclass(frozen=True)
class TwoSkills:
    """What the base reads, the texts of all `parts` alike, and for how long."""

    parts: Mapping[str, Recipe] = field(default_factory=lambda: {"games": RECIPES["games"], "addition": FEW_LONG_SUMS})
    alphabet: str = "abcdefghijklmnopqrstuvwxyz0123456789 :,>+=;"
    context: int = 192
    width: int = 96
    layers: int = 3
    sft: SftConfig = field(default_factory=lambda: SftConfig(steps=4000, batch_size=32, learning_rate=2e-3))


RECIPES_OF_TWO_SKILLS = {"games-addition": TwoSkills()}


def text_of_either(recipe: TwoSkills, seed: int, index: int) -> tuple[str, str]:
    """(prompt, completion) number `index`: a function of its arguments only."""
    part = recipe.parts[item_rng("two skills", seed, index).choice(list(recipe.parts))]
    return example_text(part, load_task(part.task), seed, index)


def make_two_skills(
    name: str, folder: str | Path, seed: int = 0, on_step: Callable[[int, float], None] = lambda step, loss: None
) -> dict[str, Any]:
    """Make the base in `folder`, with a card; returns what the card says as plain data.

    The weights are saved in bfloat16, and measured as saved. Raises SpkitError for a folder that exists and is no
    checkpoint.
    """
    recipe, begun, folder = RECIPES_OF_TWO_SKILLS[name], time.process_time(), free_folder(folder)
    tokenizer = char_tokenizer(recipe.alphabet, recipe.context)
    policy = Policy(tiny_llama(tokenizer, recipe.context, seed, width=recipe.width, layers=recipe.layers), tokenizer)
    pairs = [text_of_either(recipe, seed, index) for index in range(recipe.sft.steps * recipe.sft.batch_size)]
    written = [(prompt, policy.completion_ids(completion)) for prompt, completion in pairs]
    learned = policy.fit(written, recipe.sft, generator(seed, 0, "pretrain"), on_step)
    policy.model.bfloat16().float()
    card = {
        "name": name,
        "seed": seed,
        "parameters": sum(parameter.numel() for parameter in policy.model.parameters()),
        "recipe": asdict(recipe),
        **learned,
        "minutes": round((time.process_time() - begun) / 60, 1),
        "tasks": {part.task: measured(policy, load_task(part.task), False) for part in recipe.parts.values()},
        "kuhn": policy_at_information_sets(policy, load_game("kuhn")).summary(),
    }
    policy.model.bfloat16()
    save_made(policy, folder, card, two_skills_card(card))
    return card


def two_skills_card(card: dict[str, Any]) -> str:
    """The model card as Markdown."""
    sft = card["recipe"]["sft"]
    percent = lambda shares: ", ".join(f"{key}: {100 * share:.3g}" for key, share in shares.items())
    parts = card["recipe"]["parts"].items()
    rows = [
        f"| {task} | "
        + " | ".join(percent(found[how]["accuracy_by_difficulty"]) for how in ("greedy", "sampled"))
        + " |"
        for task, found in card["tasks"].items()
    ]
    return "\n".join(
        [
            f"# {card['name']}",
            "",
            f"A LlamaForCausalLM of {card['parameters']:,} parameters with a character tokenizer. It plays any legal",
            "move of Kuhn and Leduc poker, tic-tac-toe and Nim, good and bad ones alike, and adds numbers of up to",
            "three digits, and hardly longer ones.",
            "",
            f"Made by `spkit pretrain {card['name']} --seed {card['seed']}`: {card['steps']:,} updates of",
            f"{sft['batch_size']} texts, {card['tokens']:,} completion tokens, peak learning rate",
            f"{sft['learning_rate']:g}, {card['minutes']} minutes of one core. Half of the texts are moves, half are",
            "sums:",
            "",
            *(f"- {part}, share by difficulty in %: {percent(one['plain'])}" for part, one in parts),
            "",
            "Accuracy on the fixed test sets in %, by difficulty (legal moves; digits):",
            "",
            "| task | greedy | sampled at temperature 1 |",
            "|---|---|---|",
            *rows,
            "",
            f"NashConv in Kuhn poker: {card['kuhn']['nash_conv']:.2f} antes (uniform play: 0.92), illegal moves:",
            f"{100 * card['kuhn']['illegal']:.1f} %.",
            "",
            "All texts are generated; nobody's data is in here. Licence: Apache-2.0.",
            "",
        ]
    )  # fmt: skip
