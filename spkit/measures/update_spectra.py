"""What an update does to one weight matrix: its rank and spectrum, and whether it keeps to the directions and entries
that matter most before.

After "The Path Not Taken: RLVR Provably Learns Off the Principals" (Zhu et al., arXiv:2511.08567, sections 4.1 and
4.2): rotation of the principal subspaces, normalized spectral shift, overlap of the mask of changed weights with the
principal and the low-magnitude mask; the rank as in the public script of Mukherjee et al. (arXiv:2505.11711,
`update_rank.py`).

Departures: the overlap of the update itself with the principal subspaces is ours, and the shares that the paper calls
k and alpha are settings here (`principal` and `mask`), with what chance would give beside them. All is computed in
float64 from weights in float32, so a difference is exact. What is stored is rounded: a LoRA of rank 8 that changes
weights by little more than float32 keeps reads as an update of higher rank, and rounding to bfloat16 alone makes a
sparse update of nearly full rank of it.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

FLOAT32_EPS = torch.finfo(torch.float32).eps


@dataclass(frozen=True)
class Sides:
    """A number for the left (output) and for the right (input) side of a matrix, as a `torch.nn.Linear` has them."""

    left: float
    right: float


@dataclass(frozen=True)
class MatrixUpdate:
    """One matrix (rows, columns) before and after; None stands for what an update of nothing does not have.

    `singular_values` of the update in descending order, `before` and `after` those of the weights, all (smaller side,).
    `rank` is numerical (singular values above larger side x eps of float32 x the largest), also after both were
    rounded to bfloat16; `effective_rank` is the exponential of the entropy of the singular values' shares (Roy and
    Vetterli 2007), `stable_rank` the squared Frobenius norm over the squared largest singular value. `overlap` is the
    share of the update's squared norm within the principal subspace, `both` on both sides at once, and `chance` what
    an update with independent entries has on average. `rotation` is the largest principal angle (degrees) between the
    principal subspaces before and after. `in_principal` and `in_low` are the shares of the weights changed in bfloat16
    that belong to the principal and the low-magnitude mask; chance is the mask's share of all weights.
    """

    singular_values: Tensor
    before: Tensor
    after: Tensor
    rank: int
    rank_bfloat16: int
    effective_rank: float | None
    stable_rank: float | None
    overlap: Sides | None
    both: float | None
    chance: Sides
    rotation: Sides
    in_principal: float | None
    in_low: float | None

    @property
    def full(self) -> int:
        """The largest rank such a matrix can have."""
        return len(self.singular_values)

    @property
    def spectral_drift(self) -> float:
        """Normalized spectral shift: norm of the singular values' change over their norm before (0 of 0 is 0)."""
        size = float(self.before.norm())
        return float((self.after - self.before).norm()) / size if size else 0.0

    def energy(self, share: float) -> float | None:
        """Share of the update's squared norm in its own first directions, `share` of all and at least one."""
        squares = self.singular_values.square()
        total = float(squares.sum())
        return float(squares[: directions(share, self.full)].sum()) / total if total else None


def directions(share: float, of: int) -> int:
    """How many of `of` a share of them is, at least one."""
    return max(1, round(share * of))


def matrix_update(before: Tensor, after: Tensor, principal: float = 0.1, mask: float = 0.3) -> MatrixUpdate:
    """What changed between two matrices of one shape (rows, columns), finite, of any floating type.

    `principal` is the share of the singular directions that count as principal, `mask` the share of the entries in the
    principal mask (the largest of the weights rebuilt from these directions) and in the low-magnitude mask.
    """
    before, after = before.detach().cpu(), after.detach().cpu()  # not every device has float64, or a decomposition
    rounded = [weights.bfloat16().double() for weights in (before, after)]
    before, after = before.double(), after.double()
    update, k = after - before, directions(principal, min(before.shape))
    left, values, right = torch.linalg.svd(before, full_matrices=False)
    left_after, values_after, right_after = torch.linalg.svd(after, full_matrices=False)
    left, right = left[:, :k], right[:k].T
    found = torch.linalg.svdvals(update)
    changed = rounded[0] != rounded[1]
    rebuilt = (left * values[:k]) @ right.T
    moved = float(update.square().sum()) > 0
    return MatrixUpdate(
        singular_values=found,
        before=values,
        after=values_after,
        rank=_rank(found, max(update.shape)),
        rank_bfloat16=_rank(torch.linalg.svdvals(rounded[1] - rounded[0]), max(update.shape)),
        effective_rank=_effective_rank(found) if moved else None,
        stable_rank=float(found.square().sum() / found[0].square()) if moved else None,
        overlap=Sides(_within(left.T @ update, update), _within(update @ right, update)) if moved else None,
        both=_within(left.T @ update @ right, update) if moved else None,
        chance=Sides(k / update.shape[0], k / update.shape[1]),
        rotation=Sides(_angle(left, left_after[:, :k]), _angle(right, right_after[:k].T)),
        in_principal=_share_in(changed, -rebuilt.abs(), mask),
        in_low=_share_in(changed, before.abs(), mask),
    )


def _rank(values: Tensor, longest: int) -> int:
    return int((values > longest * FLOAT32_EPS * values[0]).sum())


def _effective_rank(values: Tensor) -> float:
    shares = values / values.sum()
    return math.exp(-float(torch.special.xlogy(shares, shares).sum()))


def _within(part: Tensor, whole: Tensor) -> float:
    return float(part.square().sum() / whole.square().sum())


def _angle(some: Tensor, others: Tensor) -> float:
    """Largest principal angle in degrees between the spans of orthonormal columns, by its sine."""
    sine = torch.linalg.matrix_norm(others - some @ (some.T @ others), 2)
    return math.degrees(math.asin(min(1.0, float(sine))))


def _share_in(changed: Tensor, order: Tensor, share: float) -> float | None:
    """Of the entries that changed, those among the first `share` of all in ascending `order`."""
    first = order.flatten().argsort(stable=True)[: directions(share, order.numel())]
    total = int(changed.sum())
    return int(changed.flatten()[first].sum()) / total if total else None
