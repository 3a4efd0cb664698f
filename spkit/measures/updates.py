"""What training changed in the weights: how many, where, by how much, and in which directions.

The share of parameters that changed is that of "Reinforcement Learning Finetunes Small Subnetworks in Large Language
Models" (Mukherjee et al., arXiv:2505.11711), whose public script `check_sparsity.py` counts a parameter as unchanged
where `torch.isclose(after - before, 0, atol=1e-5)`, which is |difference| <= 1e-5, on checkpoints loaded in bfloat16.
Their sparsity is 1 minus our `changed.bfloat16`; that of arXiv:2511.08567 (definition 2.2: no bit of the bfloat16
differs) is 1 minus our `sweep.bfloat16.0`. "Towards Understanding Self-play" (arXiv:2510.27072) takes the former.

Departures: the same is measured on float32, where nothing that the optimizer did is lost; differences are taken in
float32 and not in bfloat16; layers and kinds count parameters, where the script averages matrices. A small number of
changed parameters can be what rounding does to small steps: see `spkit.measures.precision_null` for the control.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from ..policy import Policy
from ..run.errors import NotFinite, SpkitError
from .update_spectra import MatrixUpdate, matrix_update

TOLERANCE = 1e-5  # of the public script
SWEEP = (0.0, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
MATRIX_KINDS = {  # by what is in a parameter's name, the first that fits
    "norm": r"norm|(^|\.)ln_",
    "embedding": r"embed|(^|\.)w[tp]e\.",
    "output": r"lm_head",
    "attention": r"qkv_proj|c_attn|query_key_value",  # q, k and v in one matrix
    "q": r"q_proj",
    "k": r"k_proj",
    "v": r"v_proj",
    "o": r"o_proj|out_proj|attn\.c_proj",
    "mlp": r"mlp|(gate|up|down)_proj",
}
Weights = Mapping[str, Tensor]


def weights_of(policy: Policy) -> dict[str, Tensor]:
    """A copy of every parameter on the CPU, by its name in the model, tied ones once; an adapter (LoRA) is added to the
    weights it is of, so the base and its clones have the same names.
    """
    model = policy.merged().model if hasattr(policy, "merged") else policy.model  # peft may not be there
    return {name: parameter.detach().cpu().clone() for name, parameter in model.named_parameters()}


def changed_share(before: Weights, after: Weights, tolerance: float = TOLERANCE, precision: str = "float32") -> float:
    """Share (0 to 1) of all parameters with |after - before| > tolerance, both rounded to `precision` first.

    `precision` is `float32` or `bfloat16`. Raises what `checked` raises.
    """
    if precision not in PRECISIONS or not tolerance >= 0:
        raise SpkitError(f"give a tolerance of 0 or more and a precision of {' or '.join(PRECISIONS)}")
    checked(before, after)
    counts = [_over(before[name], after[name], PRECISIONS[precision], [tolerance])[0] for name in before]
    return sum(counts) / sum(tensor.numel() for tensor in before.values())


def update_summary(
    before: Weights, after: Weights, tolerance: float = TOLERANCE, principal: float = 0.1, mask: float = 0.3
) -> dict[str, Any]:
    """All numbers of an update, as plain data that JSON holds: see `_summarized` for the keys, of all parameters and
    again under `by_kind.KIND` and `by_layer.NUMBER` (`by_layer.none` for what is in no layer).

    `sweep.float32` and `sweep.bfloat16` have the share changed for each tolerance (`0`, `1e-12`, ... `1e-04`);
    `tolerance`, `principal` and `mask` are repeated: the tolerance of `changed`, and what `matrix_update` takes.
    Raises SpkitError for a share that is none, and what `checked` raises.
    """
    if not (tolerance >= 0 and 0 < principal <= 1 and 0 < mask <= 1):
        raise SpkitError("give a tolerance of 0 or more, and shares `principal` and `mask` above 0 and at most 1")
    checked(before, after)
    parts = [_part(name, before[name], after[name], tolerance, principal, mask) for name in before]
    return {
        "tolerance": tolerance,
        "principal": principal,
        "mask": mask,
        **_summarized(parts),
        "sweep": {
            precision: {_key(limit): _share(parts, precision, place) for place, limit in enumerate(SWEEP, start=1)}
            for precision in PRECISIONS
        },
        "by_kind": {kind: _summarized(own) for kind, own in _grouped(parts, "kind").items()},
        "by_layer": {layer: _summarized(own) for layer, own in _grouped(parts, "layer").items()},
    }


def checked(before: Weights, after: Weights) -> None:
    """Raise SpkitError if two sets of weights are not of the same model, or not floating-point numbers (as 4-bit ones
    are not); NotFinite if one of them holds NaN or infinity.
    """
    if not before or before.keys() != after.keys():
        lost = sorted(before.keys() ^ after.keys())
        found = f"{lost[0]!r} is in one of them alone" if lost else "there are none"
        raise SpkitError(f"the two sets of weights are not those of one model, {found}: give the weights of its clones")
    for name, tensor in before.items():
        if tensor.shape != after[name].shape:
            shapes = f"{tuple(tensor.shape)} before and {tuple(after[name].shape)} after"
            raise SpkitError(f"{name!r} has the shape {shapes}: give two sets of weights of one model")
    for weights in (before, after):
        check_weights(weights)


def check_weights(weights: Weights) -> None:
    """Raise SpkitError if these are not floating-point numbers, and NotFinite if one is NaN or infinite."""
    for name, tensor in weights.items():
        if not tensor.is_floating_point():
            raise SpkitError(f"{name!r} is stored as {tensor.dtype}: load the model without quantisation to compare it")
        if not tensor.isfinite().all():
            raise NotFinite(f"{name!r} holds NaN or infinity, so training has diverged: take weights from before that")


def kind_of(name: str) -> str:
    """Which kind of matrix a parameter is by its name: one of MATRIX_KINDS, or `other`."""
    return next((kind for kind, pattern in MATRIX_KINDS.items() if re.search(pattern, name)), "other")


def layer_of(name: str) -> str:
    """The number of the layer that a parameter is in, `none` outside of them."""
    found = re.search(r"(?:^|\.)(?:layers?|h|blocks)\.(\d+)\.", name)
    return found[1] if found else "none"


@dataclass(frozen=True)
class _Part:
    """One parameter: how many entries changed (at the tolerance asked for, then those of SWEEP), squared norms."""

    kind: str
    layer: str
    size: int
    over: dict[str, list[int]]
    before: float
    after: float
    update: float
    matrix: MatrixUpdate | None


def _part(name: str, before: Tensor, after: Tensor, tolerance: float, principal: float, mask: float) -> _Part:
    before, after = before.cpu().float(), after.cpu().float()
    squared = [
        float(part.square().sum()) for part in (before.double(), after.double(), after.double() - before.double())
    ]
    over = {word: _over(before, after, dtype, [tolerance, *SWEEP]) for word, dtype in PRECISIONS.items()}
    matrix = matrix_update(before, after, principal, mask) if before.dim() == 2 else None
    return _Part(kind_of(name), layer_of(name), before.numel(), over, *squared, matrix)


def _over(before: Tensor, after: Tensor, dtype: torch.dtype, tolerances: Sequence[float]) -> list[int]:
    """How many entries differ by more than each of the tolerances, once both are rounded."""
    away = (after.to(dtype).float() - before.to(dtype).float()).abs()
    return [int((away > tolerance).sum()) for tolerance in tolerances]


def _key(tolerance: float) -> str:
    return f"{tolerance:.0e}" if tolerance else "0"


def _grouped(parts: Sequence[_Part], by: str) -> dict[str, list[_Part]]:
    names = dict.fromkeys(getattr(part, by) for part in parts)
    return {name: [part for part in parts if getattr(part, by) == name] for name in names}


def _share(parts: Sequence[_Part], precision: str, place: int) -> float:
    return sum(part.over[precision][place] for part in parts) / sum(part.size for part in parts)


def _summarized(parts: Sequence[_Part]) -> dict[str, Any]:
    """`parameters`; `changed.float32` and `.bfloat16`, shares; `update_norm`, the norm of the update over that before;
    `norm_drift`, the norm after over that before, minus 1; and where there are matrices, means over them (None where
    none was changed): `_of_matrices`.
    """
    before, after, update = (
        sum(getattr(part, name) for part in parts) ** 0.5 for name in ("before", "after", "update")
    )
    matrices = [part.matrix for part in parts if part.matrix]
    return {
        "parameters": sum(part.size for part in parts),
        "changed": {precision: _share(parts, precision, 0) for precision in PRECISIONS},
        "update_norm": update / before if before else None,
        "norm_drift": after / before - 1 if before else None,
        **(_of_matrices(matrices) if matrices else {}),
    }


def _of_matrices(matrices: Sequence[MatrixUpdate]) -> dict[str, Any]:
    """Means over `matrices`: `rank_share.float32` and `.bfloat16`, `effective_rank_share` and `stable_rank_share`
    (1 is full rank); `energy.first`, `.tenth`, `.half`, the share of the update's squared norm in its own first
    directions; `overlap.left`, `.right`, `.both` beside `chance`; `rotation.left` and `.right` in degrees;
    `spectral_drift`; `in_mask.principal` and `.low`.
    """
    sides = lambda of: {side: mean_of(getattr(of(m), side, None) for m in matrices) for side in ("left", "right")}
    return {
        "matrices": len(matrices),
        "rank_share": {
            "float32": mean_of(m.rank / m.full for m in matrices),
            "bfloat16": mean_of(m.rank_bfloat16 / m.full for m in matrices),
        },
        "effective_rank_share": mean_of(m.effective_rank and m.effective_rank / m.full for m in matrices),
        "stable_rank_share": mean_of(m.stable_rank and m.stable_rank / m.full for m in matrices),
        "energy": {
            word: mean_of(m.energy(share) for m in matrices)
            for word, share in (("first", 0.0), ("tenth", 0.1), ("half", 0.5))
        },
        "overlap": {**sides(lambda m: m.overlap), "both": mean_of(m.both for m in matrices)},
        "chance": {
            **sides(lambda m: m.chance),
            "both": mean_of(m.chance.left * m.chance.right for m in matrices),
        },
        "rotation": sides(lambda m: m.rotation),
        "spectral_drift": mean_of(m.spectral_drift for m in matrices),
        "in_mask": {
            "principal": mean_of(m.in_principal for m in matrices),
            "low": mean_of(m.in_low for m in matrices),
        },
    }


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of those that are there, None if none is."""
    there = [value for value in values if value is not None]
    return fmean(there) if there else None
