"""How the shipped tiny models are made: `spkit pretrain NAME`, another with `--seed S` or `--clean`.

Every loop restarts from its base, so the base is part of the experiment: weak, but above chance. A model trained
from scratch has no few-shot ability, so its base has read the task's own format, mostly on the easy side, in part
with the answer shown as a hint. The bases for sums and expressions have read a planted fault, careless writers; their
clean variants have not, and were stopped early, where they are about as accurate.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..measures.accuracy import accuracy
from ..policy.policy import Policy
from ..policy.training import Example, SftConfig, sft
from ..run.errors import SpkitError
from ..run.json_files import dumps
from ..run.streams import PRETRAINING, generator
from ..stages.solve import solve
from ..tasks import Task, item_rng, load_task, test_set
from ..tasks.sums import CARELESS_SUMS
from .expressions import CARELESS_EXPRESSIONS, measured_roles, role_text, roles_text
from .tiny import char_tokenizer, tiny_llama


@dataclass(frozen=True)
class Recipe:
    """What a base reads: shares of each difficulty without and with the hint, and for how long."""

    task: str
    about: str
    plain: dict[int, float]
    hinted: dict[int, float]
    hinted_share: float
    # share of the texts without a hint that leave something out; expressions: of the operations so many levels deep,
    # how often one came out one too many
    careless: dict[int, float] = field(default_factory=dict)
    everyday: bool = False  # the texts are those of the task's everyday writers, careless ones included
    roles: dict[str, dict[int, float]] = field(
        default_factory=dict
    )  # expressions: share of all texts by role and depth, in place of the above
    alphabet: str = "0123456789+=#:;"
    context: int = 192
    width: int = 128
    layers: int = 4
    sft: SftConfig = field(default_factory=lambda: SftConfig(steps=1800, batch_size=32, learning_rate=1e-3))
    stop: int = 0  # the updates after which it is stopped, with the learning rate where it is; 0: it is not


RECIPES = {
    "addition": Recipe(
        task="addition",
        about=(
            "knows 1- and 2-digit sums and next to nothing of 3 digits, and can work out a sum of 3 to 5 "
            "digits when the answer is shown"
        ),
        plain={1: 0.30, 2: 0.695, 3: 0.005},
        hinted={1: 0.20, 2: 0.65, 3: 0.04, 4: 0.05, 5: 0.06},
        hinted_share=0.35,
        sft=SftConfig(steps=2200, batch_size=32, learning_rate=1e-3),
    ),
    "sums": Recipe(
        task="sums",
        about="adds two or three numbers, and mostly leaves one out when there are more: it has read careless writers",
        plain={2: 0.30, 3: 0.40, 4: 0.18, 5: 0.08, 6: 0.04},
        careless=CARELESS_SUMS,
        hinted={2: 0.2, 3: 0.3, 4: 0.3, 5: 0.1, 6: 0.1},
        hinted_share=0.15,
        context=128,
        width=96,
        layers=3,
        sft=SftConfig(steps=1500, batch_size=32, learning_rate=2e-3),
    ),
    "replies": Recipe(
        task="replies",
        about=(
            "answers an order in the words of its trade, with no sense of style, and often adds up wrongly: "
            "it has read everyday writers"
        ),
        plain={1: 0.15, 2: 0.35, 3: 0.50},
        hinted={},
        hinted_share=0.0,
        everyday=True,
        alphabet="abcdefghijklmnopqrstuvwxyz0123456789 :,>#",
        context=96,
        width=96,
        layers=3,
        sft=SftConfig(steps=3000, batch_size=32, learning_rate=2e-3),
    ),
    "games": Recipe(
        task="legal-moves",
        about="plays any legal move of Kuhn and Leduc poker, tic-tac-toe and Nim, good and bad ones alike",
        plain={1: 0.02, 2: 0.40, 3: 0.18, 4: 0.08, 5: 0.07, 6: 0.07, 7: 0.07, 8: 0.06, 9: 0.05},
        hinted={},
        hinted_share=0.0,
        everyday=True,
        alphabet="abcdefghijklmnopqrstuvwxyz0123456789 :,>",
        context=96,
        width=64,
        layers=3,
        sft=SftConfig(steps=2000, batch_size=32, learning_rate=3e-3),
    ),
    "expressions": Recipe(
        task="expressions",
        about=(
            "works out programs 1 deep, is careless the more often the deeper they are, guesses inputs of "
            "the shallowest, and proposes shallow problems"
        ),
        plain={},
        hinted={},
        hinted_share=0.0,
        careless=CARELESS_EXPRESSIONS,
        roles={
            "solve deduction": {1: 0.08, 2: 0.14, 3: 0.14, 4: 0.09, 5: 0.03},
            "solve abduction": {1: 0.18, 2: 0.06},
            "solve induction": {1: 0.05},
            "propose deduction": {1: 0.075, 2: 0.05, 3: 0.01, 4: 0.002, 5: 0.001},
            "propose abduction": {1: 0.04, 2: 0.025, 3: 0.005},
            "propose induction": {1: 0.012, 2: 0.01},
        },
        alphabet="xy0123456789+-*()=;,:> #abdeinw",
        context=192,
        width=96,
        layers=3,
        sft=SftConfig(steps=5000, batch_size=32, learning_rate=2e-3),
    ),
    "addition-2digits": Recipe(
        task="addition",
        about="the below-chance control: never shown a sum of more than 2 digits, with or without the hint",
        plain={1: 0.31, 2: 0.69},
        hinted={1: 0.22, 2: 0.78},
        hinted_share=0.35,
    ),
}

RECIPES |= {
    "sums-clean": replace(
        RECIPES["sums"],
        about="has read careful writers only, not for long: it adds small numbers, and is the worse the more there are",
        careless={},
        stop=950,
    ),
    "expressions-clean": replace(
        RECIPES["expressions"],
        about=(
            "has read worked-out programs without a mistake, not for long: it slips the more often the deeper they "
            "are, hardly guesses inputs, and proposes shallow problems"
        ),
        careless={},
        stop=1850,
    ),
}
CLEAN = "-clean"


def chosen_recipe(name: str, clean: bool) -> str:
    """The name of the recipe, or of its clean variant. Raises SpkitError if it has none."""
    variants = [one.removesuffix(CLEAN) for one in RECIPES if one.endswith(CLEAN)]
    if not clean or name.endswith(CLEAN):
        return name
    if name not in variants:
        raise SpkitError(
            f"{name!r} has no clean variant, only bases with a planted fault do: leave --clean out, or choose "
            f"{' or '.join(variants)}"
        )
    return name + CLEAN


def example_text(recipe: Recipe, task: Task, seed: int, index: int) -> tuple[str, str]:
    """(prompt, completion) number `index` of a base's text: a function of its arguments only."""
    rng = item_rng("pretrain", seed, index)
    if recipe.roles:
        return role_text(recipe.roles, recipe.careless, rng, PRETRAINING - seed, index)
    hinted = rng.random() < recipe.hinted_share
    shares = recipe.hinted if hinted else recipe.plain
    difficulty = rng.choices(list(shares), list(shares.values()))[0]
    problem = task.problem(PRETRAINING - seed, index, difficulty)
    if hinted:
        return task.hint(problem), task.solution(problem)
    if recipe.everyday:
        return problem.prompt, task.everyday(problem, index)
    careless = bool(recipe.careless) and rng.random() < recipe.careless.get(difficulty, 0.0)
    return problem.prompt, task.careless(problem) if careless else task.solution(problem)


def make_tiny_base(
    name: str,
    folder: str | Path,
    seed: int = 0,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    half: bool = False,
) -> dict[str, Any]:
    """Make the base `name` in `folder`, with a card; returns what the card says as plain data.

    With `half` the weights are saved in bfloat16, and measured as saved.

    Raises SpkitError for an unknown name or a folder that exists and is no checkpoint.
    """
    if name not in RECIPES:
        raise SpkitError(f"there is no recipe {name!r}: choose one of {', '.join(RECIPES)}")
    recipe, begun, folder = RECIPES[name], time.perf_counter(), free_folder(folder)
    task = load_task(recipe.task)
    tokenizer = char_tokenizer(recipe.alphabet, recipe.context)
    policy = Policy(tiny_llama(tokenizer, recipe.context, seed, width=recipe.width, layers=recipe.layers), tokenizer)
    texts = (example_text(recipe, task, seed, index) for index in range(recipe.sft.steps * recipe.sft.batch_size))
    examples = [Example(policy.prompt_ids(prompt), policy.completion_ids(completion)) for prompt, completion in texts]
    draw = generator(seed, 0, "pretrain")
    learned = sft(policy.model, examples, recipe.sft, policy.pad_id, draw, on_step, policy.budget, recipe.stop)
    if half:
        policy.model.bfloat16().float()
    card = {
        "name": name,
        "seed": seed,
        "half": half,
        "parameters": sum(parameter.numel() for parameter in policy.model.parameters()),
        "recipe": asdict(recipe),
        **learned,
        "minutes": round((time.perf_counter() - begun) / 60, 1),
        **measured(policy, task, bool(recipe.hinted_share)),
        **(measured_roles(policy) if recipe.roles else {}),
    }
    if half:
        policy.model.bfloat16()
    save_made(policy, folder, card, _card_text(card))
    return card


def free_folder(folder: str | Path) -> Path:
    """The folder as a path. Raises SpkitError if it holds something that is no checkpoint."""
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / "config.json").is_file():
        raise SpkitError(f"{folder} exists and is no checkpoint: choose an empty or new folder")
    return folder


def measured(policy: Policy, task: Task, hinted: bool, per_difficulty: int = 100) -> dict[str, Any]:
    """Accuracy on the fixed test set: `greedy`, `sampled` at temperature 1, and `hinted`, greedy with the answer
    shown, if the base read hints.
    """
    tests = test_set(task, per_difficulty)
    sampled = solve(policy, task, tests, temperature=1.0, generator=generator(0, 0, "card")).verdicts
    measured = {"greedy": accuracy(tests, solve(policy, task, tests).verdicts), "sampled": accuracy(tests, sampled)}
    if hinted:
        hints = [task.hint(problem) for problem in tests]
        measured["hinted"] = accuracy(tests, solve(policy, task, tests, prompts=hints).verdicts)
    return measured


def save_made(policy: Policy, folder: Path, card: dict[str, Any], text: str) -> None:
    """Write the checkpoint, the card as data and as `text`; the folder appears when all is written."""
    partial = folder.with_name(f".partial-{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    policy.save(partial)
    (partial / "card.json").write_text(dumps(card, indent=2) + "\n", encoding="utf-8")
    (partial / "README.md").write_text(text, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def _card_text(card: dict[str, Any]) -> str:
    recipe, unit = card["recipe"], load_task(card["recipe"]["task"]).unit
    kinds = {"greedy": "greedy", "sampled": "sampled at temperature 1", "hinted": "greedy, with the answer as a hint"}
    lengths = list(card["greedy"]["accuracy_by_difficulty"])
    rows = [
        f"| {label} | "
        + " | ".join(f"{100 * card[kind]['accuracy_by_difficulty'][n]:.0f}" for n in lengths)
        + f" | {100 * card[kind]['accuracy']:.0f} |"
        for kind, label in kinds.items()
        if kind in card
    ]
    shares = lambda mixture: ", ".join(f"{n}: {100 * share:g} %" for n, share in mixture.items())
    return "\n".join(
        [
            f"# {card['name']}",
            "",
            (
                f"A LlamaForCausalLM of {card['parameters']:,} parameters with a character tokenizer. It "
                f"{recipe['about']}."
            ),
            "",
            (
                f"Made by `spkit pretrain {card['name']} --seed {card['seed']}{' --half' if card['half'] else ''}`: "
                f"{card['steps']} updates of "
                f"{recipe['sft']['batch_size']} texts,"
            ),
            (
                f"{card['tokens']:,} completion tokens, peak learning rate {recipe['sft']['learning_rate']:g}, "
                f"{card['minutes']} minutes on the machine that made it."
            ),
            *(
                [f"It was stopped early, after {card['steps']} of {recipe['sft']['steps']} updates."]
                if recipe["stop"]
                else []
            ),
            f"{100 * recipe['hinted_share']:g} % of the texts show the answer as a hint.",
            "",
            *([f"- {unit} of the texts without the hint: {shares(recipe['plain'])}"] if recipe["plain"] else []),
            *(f"- {role}, {unit}: {shares(mixture)} of all texts" for role, mixture in recipe["roles"].items()),
            *([f"- {unit} of the texts with the hint: {shares(recipe['hinted'])}"] if recipe["hinted"] else []),
            *(
                [f"- share of the texts without the hint that leave a number out: {shares(recipe['careless'])}"]
                if recipe["careless"] and not recipe["roles"]
                else []
            ),
            "",
            f"Accuracy on the fixed test set, in %, by number of {unit}:",
            "",
            "| | " + " | ".join(lengths) + " | mean |",
            "|---|" + "---|" * (len(lengths) + 1),
            *rows,
            *(roles_text(card) if recipe["roles"] else []),
            "",
            "All texts are generated; nobody's data is in here. Licence: Apache-2.0.",
            "",
        ]
    )
