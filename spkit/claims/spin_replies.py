"""Claims about SPIN on replies whose true distribution is known (notebook 03)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..loops.rest_em import RestEmConfig, rest_em
from ..loops.spin import SpinConfig, spin
from ..policy import Policy
from ..policy.training import completion_logprobs
from ..run.folder import Run
from ..run.streams import generator
from ..stages.contrasts import contrast
from ..stages.learn_preference import Batch, batches, loss_of_batch
from ..stages.references import draw_references, encode
from ..stages.replies import replies_to
from ..tasks import Task
from .base import Claim, Experiment, Records
from .sums_self_training import curves

COLD = SpinConfig(iterations=2)  # from the base
WARM = replace(COLD, sft_epochs=6)  # after SFT on the same references, as in the paper
TENTH = replace(COLD, beta=(0.1,))  # the paper's beta
SCARCE = replace(COLD, references=300, sft_epochs=20)  # SFT has learned what there is to learn
WRONG = 0.2


@dataclass(frozen=True)
class AngleConfig:
    """Gradients of the base on `references` pairs."""

    seed: int = 0
    references: int = 512


def angles(base: Policy, task: Task, config: AngleConfig, run: Run) -> Iterator[dict[str, Any]]:
    """One record: the cosine between the first gradients of SPIN and of SFT, with sampled, greedy and cut-off
    replies of the opponent.
    """
    real = encode(base, draw_references(task, config.seed, config.references))
    cosines = {}
    for name, changes in {"sampled": {}, "greedy": {"temperature": 0.0}, "cut": {"cut": 0.5}}.items():
        settings = replace(COLD, seed=config.seed, references=config.references, **changes)
        memory = Run()
        draw = generator(config.seed, 1, "reply")
        memory.store(1, replies_to(base, real, settings.temperature, draw, run, settings.cut))
        scored = batches(
            base, contrast(base, task, real, {}, memory, 1, settings), 64, generator(config.seed, 1, "batches")
        )
        ours = gradient(base, (loss_of_batch(base, batch, settings.update(1))[0] for batch in scored))
        theirs = gradient(base, (reference_loss(base, batch) for batch in scored))
        cosines[name] = torch.nn.functional.cosine_similarity(ours, theirs, dim=0).item()
    yield {"cosines": cosines}


def reference_loss(policy: Policy, batch: Batch) -> Tensor:
    """SFT's loss of the references of a batch: the negative log-likelihood of a reply, summed over its tokens as in
    SPIN.
    """
    rows = batch.examples[: len(batch.examples) // batch.roles]
    logprobs, mask = completion_logprobs(policy.model, rows, policy.pad_id)
    return -(logprobs * mask).sum() / len(rows)


def gradient(policy: Policy, losses: Iterable[Tensor]) -> Tensor:
    """The gradient of the sum of these losses in all weights, as one vector."""
    policy.model.zero_grad()
    for loss in losses:
        loss.backward()
    return torch.cat([p.grad.flatten() for p in policy.model.parameters() if p.grad is not None])


def replies(loop: Any, config: Any, seconds: int) -> Experiment:
    """An experiment on replies."""
    return Experiment(loop, config, "replies", seconds)


EXPERIMENTS = {
    "spin": replies(spin, replace(WARM, iterations=4), 75),
    "spin-sft": replies(spin, replace(WARM, iterations=4, kind="sft"), 60),
    "spin-chi2": replies(spin, replace(WARM, kind="chi2"), 40),
    "spin-swap": replies(spin, replace(WARM, real="self"), 45),
    "spin-greedy": replies(spin, replace(WARM, temperature=0.0), 40),
    "spin-cut": replies(spin, replace(WARM, cut=0.5), 40),
    "spin-ended": replies(spin, replace(WARM, cut=0.5, cut_ends=True), 40),
    "spin-preference": replies(spin, replace(WARM, preference=0.1), 45),
    "spin-dpo": replies(spin, replace(WARM, kind="dpo", iterations=1), 25),
    "spin-wrong": replies(spin, replace(WARM, wrong=WRONG), 40),
    "spin-half": replies(spin, replace(WARM, references=500, sft_epochs=12, epochs=4), 40),
    "spin-cold": replies(spin, COLD, 30),
    "spin-cold-sft": replies(spin, replace(COLD, kind="sft"), 25),
    "spin-tenth": replies(spin, TENTH, 30),
    "spin-tenth-gentle": replies(spin, replace(TENTH, learning_rate=(3e-5,)), 30),
    "spin-tenth-chi2": replies(spin, replace(TENTH, kind="chi2", tau=0.25), 30),
    "spin-scarce": replies(spin, SCARCE, 30),
    "spin-scarce-sft": replies(spin, replace(SCARCE, kind="sft"), 25),
    "spin-verified": replies(rest_em, RestEmConfig(iterations=1, test_samples=4, test_per_difficulty=30), 20),
    "spin-angles": replies(angles, AngleConfig(), 10),
}


def at(runs: Mapping[str, Records], name: str, key: str, iteration: int = 2) -> float:
    """A number of one iteration of a run."""
    return runs[name][iteration][key]


def fall(runs: Mapping[str, Records], name: str, iteration: int = 2, key: str = "kl") -> float:
    """How much a number of a run has fallen by an iteration."""
    return at(runs, name, key, 0) - at(runs, name, key, iteration)


def claim(
    id: str,
    statement: str,
    source: str,
    criterion: str,
    needs: tuple[str, ...],
    effect: Any,
    *keys: str,
    threshold: float = 0.0,
) -> Claim:
    """A claim that keeps the curves of `keys` beside its effect."""
    return Claim(
        id, statement, source, criterion, threshold, needs, lambda runs: {"effect": effect(runs), **curves(runs, *keys)}
    )


def cosine_gap(runs: Mapping[str, Records]) -> dict[str, Any]:
    """Cosine to the SFT gradient with sampled minus with greedy replies."""
    cosines = runs["spin-angles"][0]["cosines"]
    return {"effect": cosines["sampled"] - cosines["greedy"], "cosines": cosines}


def shortcut(runs: Mapping[str, Records]) -> dict[str, Any]:
    """Training accuracy of the discriminator against replies that are cut off, minus 0.9.

    The distance to the data beside it.
    """
    accuracy = runs["spin-ended"][2]["learned"]["accuracy"]
    return {"effect": accuracy - 0.9, "accuracy": accuracy, **curves(runs, "kl", "length")}


def memorised(runs: Mapping[str, Records]) -> dict[str, Any]:
    """Accuracy on the training pairs minus AUC on new ones, first iteration."""
    record = runs["spin-scarce"][1]
    return {"effect": record["learned"]["accuracy"] - record["auc"], **curves(runs, "kl", "auc")}


PAPER, US = "SPIN", "our control"
CLAIMS = (
    claim("spin-kl", "SPIN after SFT comes closer to the data in its first iteration", f"{PAPER}, sec. 5", "KL, start minus iteration 1 > 0",
          ("spin",), lambda runs: fall(runs, "spin", 1), "kl", "valid", "rare", "auc", "entropy", "right", "rewards"),
    claim("spin-fade", "Its gains shrink: the first iteration gains more than the last", f"{PAPER}, table 3", "KL gained in iteration 1 minus in iteration 4 > 0",
          ("spin",), lambda runs: fall(runs, "spin", 1) - (at(runs, "spin", "kl", 3) - at(runs, "spin", "kl", 4))),
    claim("spin-first", "One iteration of SPIN beats as many steps of SFT, both after SFT", f"{PAPER}, fig. 3", "KL after iteration 1, SFT minus SPIN > 0",
          ("spin", "spin-sft"), lambda runs: at(runs, "spin-sft", "kl", 1) - at(runs, "spin", "kl", 1), "kl", "rare", "valid"),
    claim("spin-last", "Four iterations of SPIN beat as many steps of SFT", f"{PAPER}, table 3", "final KL, SFT minus SPIN > 0",
          ("spin", "spin-sft"), lambda runs: at(runs, "spin-sft", "kl", 4) - at(runs, "spin", "kl", 4)),
    claim("spin-rare", "It covers rare replies better than as many steps of SFT", US, "mass on rare replies after 4 iterations, SPIN minus SFT > 0",
          ("spin", "spin-sft"), lambda runs: at(runs, "spin", "rare", 4) - at(runs, "spin-sft", "rare", 4), "rare"),
    claim("spin-auc", "Its discriminator has an ever harder task", f"{PAPER}, sec. 4", "AUC on new replies, iteration 1 minus iteration 4 > 0",
          ("spin",), lambda runs: at(runs, "spin", "auc", 1) - at(runs, "spin", "auc", 4), "auc"),
    claim("spin-cold", "From the base, without SFT first, SPIN beats as many steps of SFT", US, "KL after 2 iterations, SFT minus SPIN > 0",
          ("spin-cold", "spin-cold-sft"), lambda runs: at(runs, "spin-cold-sft", "kl") - at(runs, "spin-cold", "kl"), "kl", "rare"),
    claim("spin-scarce", "Where SFT has nothing left to learn (300 references), SPIN goes on gaining", f"{PAPER}, fig. 3", "KL, start minus iteration 2 > 0",
          ("spin-scarce", "spin-scarce-sft"), lambda runs: fall(runs, "spin-scarce"), "kl", "rare"),
    Claim("spin-memory", "There the discriminator knows its references by heart: it does worse on new ones", US,
          "accuracy on its pairs minus AUC on new ones > 0", 0.0, ("spin-scarce",), memorised),
    claim("spin-tenth", "At beta 0.1, as in the paper, the same learning rate overshoots", "derived, sec. 5 of notebook 03", "KL after 2 iterations, beta 0.1 minus beta 1 > 0",
          ("spin-tenth", "spin-cold"), lambda runs: at(runs, "spin-tenth", "kl") - at(runs, "spin-cold", "kl"), "kl"),
    claim("spin-gentle", "At beta 0.1 a tenth of the learning rate rescues it", "derived, sec. 5 of notebook 03", "KL after 2 iterations, rate 3e-4 minus 3e-5 > 0",
          ("spin-tenth", "spin-tenth-gentle"), lambda runs: at(runs, "spin-tenth", "kl") - at(runs, "spin-tenth-gentle", "kl"), "kl"),
    claim("spin-bounded", "At beta 0.1 a chi-square loss with the same first gradient does not overshoot so far", "derived, sec. 5 of notebook 03",
          "KL after 2 iterations, logistic minus chi2 > 0", ("spin-tenth", "spin-tenth-chi2"),
          lambda runs: at(runs, "spin-tenth", "kl") - at(runs, "spin-tenth-chi2", "kl"), "kl"),
    claim("spin-chi2", "At beta 1 the chi-square loss beats the logistic one", US, "KL after 2 iterations, logistic minus chi2 > 0",
          ("spin", "spin-chi2"), lambda runs: at(runs, "spin", "kl") - at(runs, "spin-chi2", "kl"), "kl", "rare"),
    claim("spin-displacement", "Likelihood displacement: at beta 0.1 new real replies become less likely while the margin grows", "issue 13 of SPIN's repository",
          "held-out log-likelihood of real replies, lost in iteration 2 (nats) > 0", ("spin-tenth",),
          lambda runs: -runs["spin-tenth"][2]["held_out_displacement"]["real"], "held_out_displacement"),
    claim("spin-swap", "The opponent's own replies in place of the references teach nothing", US, "KL, iteration 2 minus start > 0",
          ("spin-swap", "spin"), lambda runs: -fall(runs, "spin-swap"), "kl"),
    claim("spin-greedy", "Greedy replies of the opponent do worse than sampled ones", "derived, sec. 7 of notebook 03", "KL after 2 iterations, greedy minus sampled > 0",
          ("spin-greedy", "spin"), lambda runs: at(runs, "spin-greedy", "kl") - at(runs, "spin", "kl"), "kl", "entropy"),
    Claim("spin-angle", "With greedy replies the first gradient is further from that of SFT", "derived, sec. 7 of notebook 03",
          "cosine to SFT, sampled minus greedy > 0", 0.0, ("spin-angles",), cosine_gap),
    Claim("spin-shortcut", "Against cut-off replies that got an end token the discriminator wins by that token", "read in SPIN's repository",
          "training accuracy in iteration 2 minus 0.9 > 0", 0.0, ("spin-ended",), shortcut),
    claim("spin-ended", "And the policy learns less than against whole replies", US, "KL after 2 iterations, cut and ended minus whole > 0",
          ("spin-ended", "spin-cut", "spin"), lambda runs: at(runs, "spin-ended", "kl") - at(runs, "spin", "kl"), "kl", "auc"),
    claim("spin-cut", "Cutting without an end token does less harm", US, "KL after 2 iterations, with end token minus without > 0",
          ("spin-ended", "spin-cut"), lambda runs: at(runs, "spin-ended", "kl") - at(runs, "spin-cut", "kl"), "kl"),
    claim("spin-quality", "Quality over quantity: 500 right references beat 1,000 of which 20 % are wrong, at equal steps", "a tutorial's account",
          "share of right totals after 2 iterations, 500 minus 1,000 > 0", ("spin-half", "spin-wrong"),
          lambda runs: at(runs, "spin-half", "right") - at(runs, "spin-wrong", "right"), "right", "kl"),
    claim("spin-ceiling", "A verifier has no such ceiling: ReST^EM beats SPIN on references of which 20 % are wrong", US, "right replies at T = 1, ReST^EM minus SPIN > 0",
          ("spin-verified", "spin-wrong"), lambda runs: runs["spin-verified"][1]["pass_at_k"]["1"] - at(runs, "spin-wrong", "sampled_accuracy"), "sampled_accuracy"),
    claim("spin-preference", "A tenth of preference pairs (right against wrong) helps", f"{PAPER}, table 5", "share of right totals after 2 iterations, with minus without > 0",
          ("spin-preference", "spin"), lambda runs: at(runs, "spin-preference", "right") - at(runs, "spin", "right"), "right", "kl"),
    claim("spin-dpo", "SPIN comes closer to the data than one pass of DPO on as many preference pairs", f"{PAPER}, table 3", "KL after 1 iteration, DPO minus SPIN > 0",
          ("spin-dpo", "spin"), lambda runs: at(runs, "spin-dpo", "kl", 1) - at(runs, "spin", "kl", 1), "kl", "right"),
)  # fmt: skip
