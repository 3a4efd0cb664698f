"""What the papers say of self-training with a filter, and without one, measured on order-free sums.

The runs of a seed share their problems; each differs from `em` or from `gold` in one setting. `em-random` and `unseen`
are controls of equal size: as many samples as the answer check leaves, drawn without looking.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..loops.collapse import CollapseConfig, collapse
from ..loops.rest import RestConfig, rest
from ..loops.rest_em import RestEmConfig, rest_em
from ..loops.rft import RftConfig, rft
from ..measures.accuracy import wrong_steps_rate
from ..policy import Policy
from ..run.folder import Run
from ..run.streams import generator
from ..stages.solve import solve
from ..stages.verify import Filter
from ..tasks import Task, test_set
from .base import Claim, Experiment, Records

EM = RestEmConfig()
BLIND = replace(EM, validation_problems=0)  # no validation either, as it would need the gold answers
FLIPS = 0.2


@dataclass(frozen=True)
class TemperatureConfig:
    """`samples` of every test problem at each temperature."""

    seed: int = 0
    temperatures: tuple[float, ...] = (0.4, 0.7, 1.0, 1.3)
    samples: int = 16
    test_per_difficulty: int = 50


def temperatures(base: Policy, task: Task, config: TemperatureConfig, run: Run) -> Iterator[dict[str, Any]]:
    """One record: the base's sampled accuracy and wrong-step rate at each temperature."""
    tests, rows = test_set(task, config.test_per_difficulty), []
    for temperature in config.temperatures:
        draw = generator(config.seed, 0, "temperature-", temperature)
        verdicts = solve(base, task, tests, config.samples, temperature=temperature, generator=draw).verdicts
        right = sum(verdict.correct for verdict in verdicts) / len(verdicts)
        rows.append({"temperature": temperature, "accuracy": right, "wrong_steps_rate": wrong_steps_rate(verdicts)})
    yield {"rows": rows}


def sums(loop: Any, config: Any, seconds: int) -> Experiment:
    """An experiment on order-free sums."""
    return Experiment(loop, config, "sums", seconds)


EXPERIMENTS = {
    "em": sums(rest_em, replace(EM, test_samples=16, extrapolate=True), 50),
    "em-random": sums(rest_em, replace(EM, filter=Filter("random", cap=4)), 28),
    "em-last": sums(rest_em, replace(EM, restart="last", extrapolate=True), 30),
    "em-once": sums(rest_em, replace(EM, iterations=1, k=EM.k * EM.iterations), 12),
    "em-all": sums(rest_em, replace(EM, filter=Filter(unique=False)), 25),
    "em-few": sums(rest_em, replace(BLIND, problems=50, k=16, measure_train=True), 25),
    "em-many": sums(rest_em, replace(BLIND, problems=800, k=1, measure_train=True, temperature=0.7), 25),
    "gold": sums(rest_em, BLIND, 25),
    "steps": sums(rest_em, replace(BLIND, filter=Filter("steps", cap=4)), 25),
    "noisy": sums(rest_em, replace(BLIND, filter=Filter("noisy", flip_rate=FLIPS, cap=4)), 25),
    "majority": sums(rest_em, replace(BLIND, filter=Filter("majority", cap=4)), 25),
    "none": sums(rest_em, replace(BLIND, filter=Filter("none", cap=4)), 25),
    "unseen": sums(rest_em, replace(BLIND, filter=Filter("random", cap=4)), 25),
    "rft": sums(rft, RftConfig(), 10),
    "rft-one-path": sums(rft, replace(RftConfig(), filter=Filter("steps", cap=1)), 10),
    "rft-one-sample": sums(rft, replace(RftConfig(), k=1), 6),
    "rft-tiny": sums(rft, RftConfig(problems=20, k=4, sft=replace(RftConfig().sft, steps=2)), 2),
    "rest-graded": sums(rest, RestConfig(), 30),
    "rest-correct": sums(rest, RestConfig(reward="correct"), 30),
    "replace": sums(collapse, CollapseConfig(), 45),
    "mix": sums(collapse, CollapseConfig(regime="mix"), 45),
    "accumulate": sums(collapse, CollapseConfig(regime="accumulate"), 45),
    "filtered": sums(collapse, CollapseConfig(filter=Filter("gold", unique=False)), 45),
    "temperatures": sums(temperatures, TemperatureConfig(), 5),
}


def last(runs: Mapping[str, Records], name: str, key: str) -> Any:
    """A number of the last record of a run."""
    return runs[name][-1][key]


def change(runs: Mapping[str, Records], name: str, key: str) -> float:
    """Last record minus first."""
    return runs[name][-1][key] - runs[name][0][key]


def curves(runs: Mapping[str, Records], *keys: str) -> dict[str, Any]:
    """The numbers of every record of every run, to be stored beside the effect."""
    return {
        name: {key: [rounded(record.get(key)) for record in records] for key in keys} for name, records in runs.items()
    }


def rounded(value: Any) -> Any:
    """Four decimals, inside dictionaries too."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def difference(id: str, statement: str, source: str, more: str, less: str, key: str = "accuracy") -> Claim:
    """The claim that one run ends higher than another in `key`."""
    criterion = f"final {key.replace('_', ' ')}, {more} minus {less} > 0"
    measure = lambda runs: {"effect": last(runs, more, key) - last(runs, less, key), **curves(runs, key)}  # noqa: E731
    return Claim(id, statement, source, criterion, 0.0, (more, less), measure)


def generalization_gap(runs: Mapping[str, Records]) -> dict[str, Any]:
    """Final train minus test accuracy with 50 problems, minus the same with 800 problems and as many samples in all."""
    gaps = {name: records[-1]["train_accuracy"] - records[-1]["accuracy"] for name, records in runs.items()}
    return {"effect": gaps["em-few"] - gaps["em-many"], "gaps": gaps, **curves(runs, "accuracy", "train_accuracy")}


def pass_gain(runs: Mapping[str, Records]) -> dict[str, Any]:
    """Rise of pass@1 minus rise of pass@16."""
    first, final = (runs["em"][i]["pass_at_k"] for i in (0, -1))
    gains = {k: final[k] - first[k] for k in first}
    return {"effect": gains["1"] - gains["16"], "gains": gains, **curves(runs, "pass_at_k")}


def short_share(records: Records) -> float:
    """Share of sums of 2 and 3 terms in what the first iteration trained on."""
    return sum(records[1]["kept_by_difficulty"].get(n, 0.0) for n in ("2", "3"))


def long_accuracy(records: Records) -> float:
    """Final accuracy on 5 and 6 terms."""
    return sum(records[-1]["accuracy_by_difficulty"][n] for n in ("5", "6")) / 2


def of_both(id: str, statement: str, source: str, criterion: str, number: Any, more: str, less: str) -> Claim:
    """The claim that `number` of one run is above that of another."""
    return Claim(id, statement, source, criterion, 0.0, (more, less), lambda runs: {
        "effect": number(runs[more]) - number(runs[less]), more: number(runs[more]), less: number(runs[less]),
    })  # fmt: skip


def falls(id: str, statement: str, source: str, run: str, key: str) -> Claim:
    """The claim that a number ends lower than it was in the base."""
    criterion = f"{key.replace('_', ' ')}, base minus last > 0"
    return Claim(
        id,
        statement,
        source,
        criterion,
        0.0,
        (run,),
        lambda runs: {"effect": -change(runs, run, key), **curves(runs, key)},
    )


def hot_minus_cool(runs: Mapping[str, Records]) -> dict[str, Any]:
    """Wrong-step rate of the right answers at temperature 1.3 minus that at 0.4."""
    rows = runs["temperatures"][0]["rows"]
    return {"effect": rows[-1]["wrong_steps_rate"] - rows[0]["wrong_steps_rate"], "rows": rows}


def vote_gain(runs: Mapping[str, Records]) -> dict[str, Any]:
    """Majority of 16 samples minus greedy, after the last iteration."""
    final = runs["em"][-1]
    return {"effect": final["maj_at_k"]["16"] - final["accuracy"], **curves(runs, "accuracy", "maj_at_k")}


def share_of_gain(runs: Mapping[str, Records]) -> dict[str, Any]:
    """Gain in accuracy from 20 problems and 2 updates, as a share of that from 400 problems and 100 updates, minus a
    half.
    """
    share = change(runs, "rft-tiny", "accuracy") / change(runs, "rft", "accuracy")
    return {
        "effect": share - 0.5,
        "kept": {name: records[-1]["kept"] for name, records in runs.items()},
        **curves(runs, "accuracy"),
    }


def drift(runs: Mapping[str, Records]) -> dict[str, Any]:
    """How much perplexity on real text rises under `replace`; the curves of all regimes beside it."""
    return {
        "effect": change(runs, "replace", "perplexity"),
        **curves(runs, "accuracy", "perplexity", "entropy", "tail_mass"),
    }


EM_PAPER, COLLAPSE, ACCUMULATE = "ReST^EM", "Shumailov et al. 2024", "Gerstgrasser et al. 2024"

CLAIMS = (
    difference("em-selection", "ReST^EM: selecting by the answer beats as many samples drawn at random", "our control", "em", "em-random"),
    difference("verify-random", "The same without a validation set that stops training in time", "our control", "gold", "unseen"),
    difference("em-iterations", "ReST^EM: three iterations beat one with as many samples", f"{EM_PAPER}, sec. 5", "em", "em-once"),
    difference(
        "em-restart", (
            "ReST^EM: restarting from the base keeps a format that training does not touch better than going "
            "on from the last policy"
        ),
        f"{EM_PAPER}, fig. 7", "em", "em-last", "hinted_accuracy",
    ),
    Claim(
        "em-gap", "ReST^EM: with few problems the policy learns them by heart", f"{EM_PAPER}, fig. 4", "train-test gap, 50 minus 800 problems > 0", 0.0,
        ("em-few", "em-many"), generalization_gap,
    ),
    Claim("em-pass", "ReST^EM raises pass@1 more than pass@16", f"{EM_PAPER}, sec. 5", "gain of pass@1 minus gain of pass@16 > 0", 0.0, ("em",), pass_gain),
    falls("em-paths", "ReST^EM: fewer distinct right paths among 16 samples of a problem", "B-STaR", "em", "distinct_correct"),
    falls("em-entropy", "ReST^EM: the policy's token entropy falls", "B-STaR", "em", "entropy"),
    of_both(
        "em-cap-share", "Without cap and de-duplication short sums fill the training set", EM_PAPER, "share of 2 and 3 terms, without minus with > 0",
        short_share, "em-all", "em",
    ),
    of_both(
        "em-cap-long", "Cap and de-duplication improve long sums", EM_PAPER, "accuracy on 5 and 6 terms, with minus without > 0",
        long_accuracy, "em", "em-all",
    ),
    difference("rft-paths", "RFT: all distinct paths of a problem beat one of them", "RFT, sec. 3.3", "rft", "rft-one-path"),
    difference("rft-samples", "RFT: 16 samples of a problem beat one", "RFT, fig. 3", "rft", "rft-one-sample"),
    Claim(
        "rft-tiny", (
            "20 problems and 2 updates give more than half of what 400 problems and 100 updates give: most "
            "of the gain is elicited, not learned"
        ),
        "our control", "share of the gain, minus a half > 0", 0.0, ("rft-tiny", "rft"), share_of_gain,
    ),
    difference("rest-graded", "ReST: a graded reward with rising thresholds beats a 0/1 reward", "our control", "rest-graded", "rest-correct"),
    Claim(
        "steps-temperature", "Hotter samples reach right answers through wrong steps more often", "STaR, sec. 5", "wrong-step rate, T = 1.3 minus 0.4 > 0",
        0.0, ("temperatures",), hot_minus_cool,
    ),
    difference("verify-steps", "A check of every step beats a check of the answer", "our control", "steps", "gold"),
    difference("verify-noisy", "A checker that is wrong one time in five costs accuracy", "our control", "gold", "noisy"),
    difference("verify-majority", "Majority-vote labels beat no filter", "Huang et al. 2022", "majority", "none"),
    difference("verify-gold", "Gold answers beat majority-vote labels", "our control", "gold", "majority"),
    falls("verify-none", "Without a filter, self-training loses accuracy", "our control", "none", "accuracy"),
    Claim("vote", "After ReST^EM a vote of 16 samples still beats greedy decoding", "Wang et al. 2022", "maj@16 minus greedy > 0", 0.0, ("em",), vote_gain),
    Claim(
        "collapse-regimes", "Own text instead of real text, generation after generation: perplexity on real text rises", COLLAPSE,
        "perplexity, last minus base > 0", 0.0, ("replace", "mix", "accumulate", "filtered"), drift,
    ),
    falls("collapse-replace", "Own text instead of real text: accuracy falls", COLLAPSE, "replace", "accuracy"),
    difference("collapse-mix", "10 % real text keeps perplexity lower", COLLAPSE, "replace", "mix", "perplexity"),
    difference("collapse-mix-accuracy", "10 % real text keeps accuracy higher", COLLAPSE, "mix", "replace"),
    falls("collapse-accumulate-accuracy", "Real text kept and own text added: accuracy falls all the same", "our control", "accumulate", "accuracy"),
    difference("collapse-accumulate", "Real text kept and own text added keeps perplexity lower", ACCUMULATE, "replace", "accumulate", "perplexity"),
    falls("collapse-tail", "Own text instead of real text: rare orders vanish", COLLAPSE, "replace", "tail_mass"),
    difference("collapse-filter", "A filter by the answer keeps accuracy up without real text", "our control", "filtered", "replace"),
    falls("collapse-filter-tail", "The same filter removes rare orders, though they are right", "our control", "filtered", "tail_mass"),
    falls("collapse-filter-entropy", "The same filter does not keep diversity: entropy falls", "B-STaR", "filtered", "entropy"),
)  # fmt: skip
