"""Runs whose last record has a portrait too (`spkit.stages.portrait`), and the base's own portrait beside them."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from ..bases.recipes import RECIPES, example_text
from ..loops.rest_em import RestEmConfig
from ..measures.pass_curves import pass_curve
from ..measures.precision_null import NullConfig, precision_null
from ..measures.updates import Weights, weights_of
from ..policy import Policy
from ..policy.rollouts import Pair
from ..policy.training import learning_rate_factor
from ..run.errors import SpkitError
from ..run.files import write_atomic
from ..run.folder import Run
from ..run.json_files import dumps, read_object
from ..run.streams import generator
from ..stages.measure_passes import right_counts
from ..stages.portrait import PortraitConfig, portrait
from ..tasks import Task, test_set
from .sweeps import sweep

UNREAD = 1_000_000  # the first text of a base's stream that is looked at here: far beyond the last one it has read


@dataclass(frozen=True)
class Portrayed:
    """A loop that ends with a portrait: its last record has the key `portrait`, kept in the run's folder, so that a run
    that was killed before it is portrayed when it is started again.

    `texts` is the number of pretraining texts that the loss is measured on.
    """

    loop: Callable[..., Iterator[dict[str, Any]]]
    settings: PortraitConfig = field(default_factory=PortraitConfig)
    texts: int = 600

    def __call__(self, base: Policy, task: Task, config: Any, run: Run) -> Iterator[dict[str, Any]]:
        """The loop's records. Raises SpkitError for a run without a folder, which keeps no policy to portray."""
        if run.folder is None:
            raise SpkitError("a run without a folder keeps no policy to portray: give it a folder")
        held: list[dict[str, Any]] = []
        for record in self.loop(base, task, config, run):
            yield from held
            held = [record]
        for record in held:
            yield record | {"portrait": self._portrait(base, task, config, run, record)}

    def _portrait(self, base: Policy, task: Task, config: Any, run: Run, last: dict[str, Any]) -> dict[str, Any]:
        settings = replace(self.settings, seed=config.seed)
        path, about = run.folder / f"portrait-{last['iteration']:04d}.json", asdict(settings) | {"texts": self.texts}
        about = {key: list(value) if isinstance(value, tuple) else value for key, value in about.items()}
        if path.exists():
            kept = read_object(path, "delete it, and start the same command again")
            if kept.get("settings") == about:
                return kept["portrait"]
        base = run.pinned(base)
        texts, null = pretraining_texts(base, task, self.texts), null_weights(base, config, last)
        made = portrait(base, run.last_policy(base), task, settings, texts, null)
        write_atomic(path, dumps({"settings": about, "portrait": made}) + "\n")
        return made


def pretraining_texts(base: Policy, task: Task, count: int) -> dict[str, list[Pair]]:
    """(prompt, completion ids) of texts like those the base of `task` was pretrained on, none of which it has read:
    `all`, and by the first word of the prompt `own`, those of the task itself, and `others`.

    The base of expressions has read careless solutions of its own task: what they lose is not forgotten but corrected.
    """
    recipe, own = RECIPES[task.base or task.name], test_set(task, 1)[0].prompt.partition(" ")[0]
    rows = [example_text(recipe, task, 0, UNREAD + index) for index in range(count)]
    pairs = [(prompt, base.completion_ids(text)) for prompt, text in rows]
    groups = {"own": [], "others": []}
    for pair in pairs:
        groups["own" if pair[0].partition(" ")[0] == own else "others"].append(pair)
    return {"all": pairs, **{name: some for name, some in groups.items() if some}}


def null_weights(base: Policy, config: Any, last: dict[str, Any]) -> Weights | None:
    """The weights after as many AdamW steps at the run's learning rates, from the base, with nothing to learn; None
    without a step. ReST^EM starts from the base in every iteration, so that its steps are those of the last.
    """
    steps, factor, rate = last["optimizer_steps"], lambda step: 1.0, getattr(config, "learning_rate", None)
    if isinstance(config, RestEmConfig):
        steps, rate = config.sft.steps, config.sft.learning_rate
        factor = partial(_scheduled, config.sft)
    elif rate is None:
        rate = config.learn.learning_rate
    if not steps:
        return None
    null = NullConfig(steps, rate)
    return precision_null(weights_of(base), null, generator(config.seed, 0, "null"), factor=factor)


def _scheduled(sft: Any, step: int) -> float:
    return learning_rate_factor(step, sft)


@dataclass(frozen=True)
class BaseConfig:
    """The base at each temperature on the problems that pass@k is measured on."""

    seed: int = 0
    temperatures: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
    difficulties: tuple[int, ...] = PortraitConfig.pass_difficulties
    problems: int = PortraitConfig.pass_problems
    samples: int = PortraitConfig.pass_samples
    learning_rate: float = 0.0  # it learns nothing

    @property
    def iterations(self) -> int:
        """A record for each temperature."""
        return len(self.temperatures)


def base_at_temperatures(
    base: Policy, task: Task, config: BaseConfig, run: Run | None = None
) -> Iterator[dict[str, Any]]:
    """The base's pass@k, one record for each temperature: `passes`, see `pass_curve`, and in it `steps_right`, the same
    of samples with every step right.
    """
    tests = test_set(task, config.problems, config.difficulties)

    def look(base: Policy, t: int) -> dict[str, Any]:
        draw, temperature = generator(config.seed, 0, "passes"), config.temperatures[t - 1]
        counts = right_counts(base, task, tests, config.samples, temperature, draw)
        right, whole = (pass_curve(some, config.samples, config.seed) for some in counts)
        return {"temperature": temperature, "passes": right | {"steps_right": whole}}

    yield from sweep("base_at_temperatures", base, task, config, run or Run(), look)
