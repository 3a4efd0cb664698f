"""A portrait of a trained policy beside its base, taken once, after the last iteration: what it can do, what it can do
that training did not touch, what it has forgotten, and what changed in its weights and on its tokens.

Each part is a function of its own; `portrait` puts them together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ..measures.accuracy import by_difficulty
from ..measures.token_kinds import entropy_by_kind
from ..measures.token_shift import token_shift
from ..measures.token_swap import token_swap
from ..measures.tokens import mean_over_tokens
from ..measures.updates import Weights, update_summary, weights_of
from ..policy import Policy
from ..policy.rollouts import Pair
from ..run.streams import generator
from ..tasks import Problem, Proposable, Task, test_set
from .measure_passes import measure_passes
from .propose import Proposed, ProposerConfig, propose, seeded
from .solve import Attempts, repeated, solve


@dataclass(frozen=True)
class PortraitConfig:
    """How much is measured."""

    seed: int = 0  # of all samples
    per_difficulty: int = 60  # test problems of each difficulty, in domain and of each transfer
    samples: int = 8  # of each of them, at temperature 1
    pass_difficulties: tuple[int, ...] = (3, 4, 5)  # of the problems that pass@k is measured on
    pass_problems: int = 20  # of each of these difficulties
    pass_samples: int = 256  # of each of these problems: the largest k
    proposals: int = 200  # of a task whose problems can be proposed
    swap_difficulties: tuple[int, ...] = (3, 4)  # of the problems that tokens are swapped on, as many as of the others
    swap_shares: tuple[float, ...] = (0.02, 0.05, 0.1)  # of all positions


def portrait(
    base: Policy,
    trained: Policy,
    task: Task,
    config: PortraitConfig,
    texts: Mapping[str, Sequence[Pair]] | None = None,
    null: Weights | None = None,
) -> dict[str, Any]:
    """What became of `base`, as plain data.

    `in_domain` and `transfers.NAME` (see `Task.transfers`): `solved`; `passes`: `measure_passes`; `forgotten`:
    `text_loss` of `texts`, by name, which the base was pretrained on or could have been; `entropy`: `entropies` of its
    own samples, by role; `proposals`: `proposed` where problems can be proposed; `updates`: `update_summary`, and
    `null` the same of the weights `null` (`precision_null`); `shift`: `token_shift` on its own samples, with
    `kl_to_base`; `swap.PERCENT`: `token_swap`.
    """
    tests = test_set(task, config.per_difficulty)
    in_domain, drawn = solved(trained, task, tests, config, "in domain")
    made = proposals_of(base, trained, task, config) if isinstance(task, Proposable) else []
    transfers = {name: solved(trained, task, some, config, name)[0] for name, some in _transfers(task, config).items()}
    hard = test_set(task, config.pass_problems, config.pass_difficulties)
    before = weights_of(base)
    return {
        "in_domain": in_domain,
        "transfers": transfers,
        "passes": measure_passes(base, trained, task, hard, config.pass_samples, config.seed),
        "forgotten": {name: text_loss(trained, pairs) for name, pairs in (texts or {}).items()},
        "entropy": entropies(trained, drawn, made),
        **({"proposals": proposed(made)} if made else {}),
        "updates": update_summary(before, weights_of(trained)),
        **({"null": update_summary(before, null)} if null is not None else {}),
        "shift": token_shift(base, trained, drawn.rollouts.prompts, drawn.rollouts.token_ids),
        "swap": swaps(base, trained, task, config),
    }


def _transfers(task: Task, config: PortraitConfig) -> dict[str, list[Problem]]:
    return {name: some for name, some in task.transfers(config.per_difficulty).items() if some}


def solved(
    policy: Policy, task: Task, tests: Sequence[Problem], config: PortraitConfig, name: str
) -> tuple[dict[str, Any], Attempts]:
    """`greedy` and `sampled` accuracy (at temperature 1), each by difficulty, with `problems`; and the samples."""
    draw = generator(config.seed, 0, "portrait-", name)
    greedy = solve(policy, task, tests)
    drawn = solve(policy, task, tests, config.samples, temperature=1.0, generator=draw)
    asked = repeated(tests, config.samples)
    found = {
        "problems": len(tests),
        "greedy": by_difficulty(tests, [verdict.correct for verdict in greedy.verdicts]),
        "sampled": by_difficulty(asked, [verdict.correct for verdict in drawn.verdicts]),
    }
    return found, drawn


def text_loss(policy: Policy, pairs: Sequence[Pair]) -> float:
    """Mean negative log-probability of a completion token (nats) over pairs (prompt, completion ids)."""
    return -mean_over_tokens(policy.logprobs([prompt for prompt, _ in pairs], [ids for _, ids in pairs]))


def proposals_of(base: Policy, trained: Policy, task: Proposable, config: PortraitConfig) -> list[Proposed]:
    """What the trained policy proposes, shown problems that the base proposed: the same for every trained policy."""
    settings = ProposerConfig()
    buffers, _ = seeded(base, task, (task.kind,), 48, settings, config.seed)
    draw = generator(config.seed, 0, "portrait-", "proposals")
    return propose(trained, buffers, (task.kind,), config.proposals, settings.references, draw)


def proposed(made: Sequence[Proposed]) -> dict[str, float | None]:
    """Of proposals: share `valid`; of the valid ones mean `depth`, and `distinct`, the share of distinct programs."""
    valid = [one.problem for one in made if one.valid]
    return {
        "valid": len(valid) / len(made),
        "depth": fmean(one.difficulty for one in valid) if valid else None,
        "distinct": len({one.program for one in valid}) / len(valid) if valid else None,
    }


def entropies(policy: Policy, drawn: Attempts, made: Sequence[Proposed]) -> dict[str, Any]:
    """`solver` and, if there are proposals, `proposer`: `entropy_by_kind` of what each role wrote, the solver's also by
    whether it is right.
    """
    right, rows = [verdict.correct for verdict in drawn.verdicts], drawn.rollouts
    found = {"solver": entropy_by_kind(policy, rows.prompts, rows.token_ids, right)}
    if made:
        found["proposer"] = entropy_by_kind(policy, [one.prompt for one in made], [one.token_ids for one in made])
    return found


def swaps(base: Policy, trained: Policy, task: Task, config: PortraitConfig) -> dict[str, Any]:
    """`token_swap` for each of the shares, by percent."""
    tests = test_set(task, config.per_difficulty, config.swap_difficulties)
    return {
        f"{100 * share:g}": token_swap(base, trained, task, tests, share, config.seed) for share in config.swap_shares
    }
