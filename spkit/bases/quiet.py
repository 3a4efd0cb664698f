"""The base of Quiet-STaR: `spkit pretrain quiet`.

It has read chains with an aside in brackets before most answers: the running values `(131)`, or a scribble, `(hmm)` or
the signs of the chain. Half of the asides were running values at first, so that it learned to work them out; later one
in seven, so that left to itself it mostly scribbles. A base like that is what Quiet-STaR can teach: it now and then
writes what helps, and nothing has told it where that helps.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ..policy.policy import Policy
from ..policy.training import Example, SftConfig, sft
from ..run.streams import PRETRAINING, generator
from ..stages.solve import solve
from ..tasks import item_rng, test_set
from ..tasks.chains import CHAIN_END, Chains, running_values
from .recipes import free_folder, save_made
from .tiny import char_tokenizer, tiny_llama

QUIET = "quiet"
QUIET_ALPHABET = "0123456789+-*=;()#hm"
SCRIBBLE = "hmm"


@dataclass(frozen=True)
class QuietRecipe:
    """What the base reads, and for how long; the clean one reads no running values at all."""

    aside: float = 0.9  # share of the chains with an aside
    worked: tuple[float, float] = (0.5, 0.15)  # share of the asides that are running values, early and late
    early: float = 0.65  # share of the updates that is early
    steps: int = 3000
    rows: int = 32
    length: int = 41  # characters of a row
    learning_rates: tuple[float, float] = (3e-3, 1e-3)  # peaks, early and late
    width: int = 128
    layers: int = 2
    context: int = 128
    spread: float = 0.08  # standard deviation of the weights at the start: at 0.02 the steps were not learned


RECIPES_OF_QUIET = {QUIET: QuietRecipe(), "quiet-unskilled": QuietRecipe(worked=(0.0, 0.0))}


def with_aside(task: Chains, seed: int, index: int, recipe: QuietRecipe, worked: float) -> str:
    """Chain `index` with its answer and, mostly, an aside before it."""
    rng, problem = item_rng("aside", seed, index), task.problem(PRETRAINING - seed, index)
    chain = problem.prompt[:-1]
    if rng.random() >= recipe.aside:
        held = ""
    elif rng.random() < worked:
        held = f"({running_values(chain)})"
    else:
        held = f"({SCRIBBLE if rng.random() < 0.5 else chain[1::2]})"
    return problem.prompt + held + problem.answer + CHAIN_END


def quiet_row(task: Chains, seed: int, index: int, recipe: QuietRecipe, worked: float) -> str:
    """Row `index` of what the base reads, cut out of chains with asides at any place."""
    chains = [with_aside(task, seed, 8 * index + number, recipe, worked) for number in range(8)]
    start = item_rng("quiet row", seed, index).randrange(16)
    return "".join(chains)[start : start + recipe.length]


def make_quiet(
    name: str, folder: str | Path, seed: int = 0, on_step: Callable[[int, float], None] = lambda step, loss: None
) -> dict[str, Any]:
    """Make the base in `folder`, with a card; returns what the card says as plain data.

    Raises SpkitError for a folder that exists and is no checkpoint.
    """
    recipe, begun, folder, task = RECIPES_OF_QUIET[name], time.perf_counter(), free_folder(folder), Chains()
    tokenizer = char_tokenizer(QUIET_ALPHABET, recipe.context)
    model = tiny_llama(tokenizer, recipe.context, seed, width=recipe.width, layers=recipe.layers, spread=recipe.spread)
    policy, early, learned = Policy(model, tokenizer), round(recipe.early * recipe.steps), {}
    for part, (first, steps) in enumerate(((0, early), (early, recipe.steps - early))):
        rows = range(first * recipe.rows, (first + steps) * recipe.rows)
        texts = [quiet_row(task, seed, index, recipe, recipe.worked[part]) for index in rows]
        ids = [tokenizer(text)["input_ids"] for text in texts]
        examples = [Example(row[:1], row[1:]) for row in ids]
        config = SftConfig(steps, recipe.rows, recipe.learning_rates[part])
        draw = generator(seed, part, "pretrain")
        learned = sft(model, examples, config, policy.pad_id, draw, on_step) | {"steps": recipe.steps}
    parameters = sum(parameter.numel() for parameter in model.parameters())
    minutes = round((time.perf_counter() - begun) / 60, 1)
    card = {"name": name, "seed": seed, "parameters": parameters, "recipe": asdict(recipe), **learned}
    card |= {"minutes": minutes, **asides(policy, task)}
    save_made(policy, folder, card, quiet_card(card))
    return card


def asides(policy: Policy, task: Chains, problems: int = 400) -> dict[str, float]:
    """What the policy writes before the answer of test problems, sampled at temperature 1: `worked`, the share of
    asides of digits, `right`, of those the share that are the running values; `direct`, the accuracy of the likeliest
    digit right after `=`; `greedy_worked`, the share of worked asides when greedy.
    """
    tests = test_set(task, problems)
    digits = policy.tokenizer.convert_tokens_to_ids(list("0123456789"))
    sampled = solve(policy, task, tests, temperature=1.0, generator=generator(0, 0, "card")).rollouts.texts
    greedy = solve(policy, task, tests).rollouts.texts
    written = [(text[1:4], running_values(problem.prompt[:-1])) for text, problem in zip(sampled, tests)]
    worked = [(aside, right) for aside, right in written if aside.isdecimal()]
    with torch.inference_mode():
        ids = torch.tensor([policy.prompt_ids(problem.prompt) for problem in tests])
        likeliest = policy.model(input_ids=ids).logits[:, -1, digits].argmax(-1).tolist()
    return {
        "worked": len(worked) / len(tests),
        "right": sum(aside == right for aside, right in worked) / max(1, len(worked)),
        "direct": sum(str(digit) == problem.answer for digit, problem in zip(likeliest, tests)) / len(tests),
        "greedy_worked": sum(text[1:4].isdecimal() for text in greedy) / len(tests),
    }


def quiet_card(card: dict[str, Any]) -> str:
    """The model card as Markdown."""
    recipe = card["recipe"]
    early, late = recipe["worked"]
    aside = f"{100 * recipe['aside']:g} %"
    share = lambda name: f"{100 * card[name]:.0f} %"
    return "\n".join(
        [
            f"# {card['name']}",
            "",
            f"A LlamaForCausalLM of {card['parameters']:,} parameters with a character tokenizer, for Quiet-STaR. It",
            f"has read chains such as `4+7*3-2=(131)1;`, worked out from left to right. {aside} of them",
            f"had an aside before the answer. Of the asides {100 * early:g} % were the running values in the first",
            f"{100 * recipe['early']:g} % of the updates and {100 * late:g} % later; the others were scribbles.",
            "",
            f"Made by `spkit pretrain {card['name']} --seed {card['seed']}`: {card['steps']:,} updates of",
            f"{recipe['rows']} rows of {recipe['length']} characters, {card['minutes']} minutes on a busy machine.",
            "",
            f"On 400 test chains, sampled at temperature 1, {share('worked')} of its asides are digits, and",
            f"{share('right')} of those are the running values. Greedily, {share('greedy_worked')} are digits. The",
            f"likeliest digit right after `=` is the answer in {share('direct')}; 10 % is chance.",
            "",
            "All texts are generated; nobody's data is in here. Licence: Apache-2.0.",
            "",
        ]
    )
