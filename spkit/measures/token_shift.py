"""Where two policies disagree: how far the next-token distribution moved at every position of completions."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import torch
from torch import Tensor

from ..maths.distances import exact_kl, rank_of_top, total_variation
from ..policy import Policy
from ..run.errors import SpkitError
from .token_kinds import TOKEN_KINDS, kinds_of
from .token_pairs import pair_values

PERCENTS = (1, 5, 10, 25, 50)
TENTHS = 10  # of a completion, by relative position


def token_shift(
    base: Policy,
    trained: Policy,
    prompts: Sequence[str],
    completions: Sequence[list[int]],
    threshold: float = 0.1,
) -> dict[str, Any]:
    """How far `trained` is from `base` at every position of completions (token ids), exact over the vocabulary.

    A position has moved if the total variation between the two distributions is above `threshold` (see
    `maths.distances`). `moved_share` is the share of such positions, `moved_share_above.P` that at P percent,
    `top_changed_share` the share where the most likely token is another one. `kl_to_base` is KL(trained || base) and
    `kl_from_base` the reverse: nats a token, means over all positions; `kl_in_top.P` is the share of all
    KL(trained || base) in the P percent of positions where it is largest. `rank`: of the trained policy's top token
    under the base, 1 being the base's own: see `rank_shares`; `rank_where_moved` the same of the positions that moved,
    without it if none has. `by_tenth.1` to `.10` (by relative position in the completion) and `by_kind.KIND` (of the
    token that was written) hold `tokens`, `moved_share`, `kl_to_base` and `top_changed_share`. `kl_by_position` is a
    list of the mean KL(trained || base) at the first token, the second, ..., and `rows_by_position` over how many
    completions.

    Raises SpkitError if the policies do not read the same tokens or there is no completion token.
    """
    if not any(completions):
        raise SpkitError("there is no completion token to look at: pass at least one completion that is not empty")
    measures = (exact_kl, lambda ours, theirs: exact_kl(theirs, ours), total_variation, rank_of_top)
    rows = pair_values(trained, base, prompts, completions, *measures)
    kl, reverse, moved_by, rank = (torch.cat(own).double() for own in rows)
    tenths = [TENTHS * place // len(ids) + 1 for ids in completions for place in range(len(ids))]
    kinds = [kind for row in kinds_of(base, completions) for kind in row]
    table = lambda chosen: _summary(kl[chosen], moved_by[chosen] > threshold, rank[chosen])
    groups = lambda keys, names: {str(name): table(_where(keys, name)) for name in names if name in set(keys)}
    moved = moved_by > threshold
    return {
        **_summary(kl, moved, rank),
        "threshold": threshold,
        "moved_share_above": {str(p): _mean(moved_by > p / 100) for p in PERCENTS},
        "total_variation": _mean(moved_by),
        "kl_from_base": _mean(reverse),
        "kl_in_top": {str(p): share_in_top(kl, p / 100) for p in PERCENTS},
        "rank": rank_shares(rank),
        **({"rank_where_moved": rank_shares(rank[moved])} if moved.any() else {}),
        "by_tenth": groups(tenths, range(1, TENTHS + 1)),
        "by_kind": groups(kinds, TOKEN_KINDS),
        **_by_position(rows[0]),
    }


def rank_shares(ranks: Tensor) -> dict[str, Any]:
    """`mean`, `median`, and `first`, `second`, `third`, `later`: the shares of ranks (positions,) 1, 2, 3 and above."""
    named = {"first": ranks == 1, "second": ranks == 2, "third": ranks == 3, "later": ranks > 3}
    shares = {name: _mean(flags) for name, flags in named.items()}
    return {"mean": _mean(ranks), "median": ranks.double().quantile(0.5).item(), **shares}


def share_in_top(values: Tensor, share: float) -> float:
    """What part of the sum of values (positions,), none negative, is in the ceil(share x positions) largest."""
    total = values.sum()
    return (values.topk(ceil(share * len(values))).values.sum() / total).item() if total > 0 else 0.0


def _summary(kl: Tensor, moved: Tensor, rank: Tensor) -> dict[str, Any]:
    shares = {"moved_share": _mean(moved), "kl_to_base": _mean(kl), "top_changed_share": _mean(rank > 1)}
    return {"tokens": len(kl), **shares}


def _by_position(rows: Sequence[Tensor]) -> dict[str, Any]:
    longest = max(map(len, rows))
    columns = [torch.stack([row[place] for row in rows if len(row) > place]) for place in range(longest)]
    return {"kl_by_position": [_mean(column) for column in columns], "rows_by_position": list(map(len, columns))}


def _where(keys: Sequence, name: object) -> Tensor:
    return torch.tensor([key == name for key in keys])


def _mean(values: Tensor) -> float:
    return values.double().mean().item()
