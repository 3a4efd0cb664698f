"""Kinds of token, and the entropy a policy has at each: by kind, by role, by right or wrong, and at forking tokens."""

from collections.abc import Sequence
from math import ceil, fsum
from typing import Any, Literal, get_args

from ..policy import Policy
from ..run.errors import SpkitError
from .tokens import token_entropy

TokenKind = Literal["digit", "operator", "bracket", "end", "other"]
TOKEN_KINDS: tuple[TokenKind, ...] = get_args(TokenKind)
OPERATORS = frozenset("+-*/%^=<>&|")
BRACKETS = frozenset("()[]{}")


def token_kind(text: str) -> TokenKind:
    """The kind of a token that ends nothing, by its text, spaces aside; whatever mixes kinds is `other`.

    `=` and `>` are operators, names, commas and words are `other`.
    """
    shown = set(text.strip())
    if shown and all(character.isdecimal() for character in shown):
        return "digit"
    if shown and shown <= OPERATORS:
        return "operator"
    return "bracket" if shown and shown <= BRACKETS else "other"


def kinds_of(policy: Policy, completions: Sequence[Sequence[int]]) -> list[list[TokenKind]]:
    """The kind of every token of completions (token ids). What stops a completion is its `end`."""
    known: dict[int, TokenKind] = dict.fromkeys(policy.stop_ids, "end")
    for index in {index for ids in completions for index in ids} - set(known):
        known[index] = token_kind(policy.tokenizer.decode([index]))
    return [[known[index] for index in ids] for ids in completions]


def entropy_by_kind(
    policy: Policy,
    prompts: Sequence[str],
    completions: Sequence[list[int]],
    correct: Sequence[bool] | None = None,
    roles: Sequence[str] | None = None,
    share: float = 0.2,
) -> dict[str, Any]:
    """Next-token entropy (nats, exact, at temperature 1) of completions (token ids), split in every way.

    `tokens`, `entropy` (their mean) and `by_kind`: of each kind of the token that was written there its `tokens`,
    `token_share`, mean `entropy` and `entropy_share` of all entropy. The same under `by_correct.right` and `.wrong`,
    where `correct` says which completions are right, and under `by_role.NAME`, where `roles` names a role a row. A
    group without tokens is left out. `forking`: see `forking_tokens`. Raises SpkitError if there is no completion
    token, a row has no verdict or role, or `share` is not between 0 and 1.
    """
    _some([index for ids in completions for index in ids])
    rows = [row.tolist() for row in token_entropy(policy, prompts, completions)]
    kinds = kinds_of(policy, completions)
    result = {**_split(rows, kinds), "forking": forking_tokens(rows, kinds, share)}
    if correct is not None:
        result["by_correct"] = _groups(rows, kinds, ["right" if one else "wrong" for one in correct])
    if roles is not None:
        result["by_role"] = _groups(rows, kinds, roles)
    return result


def forking_tokens(
    entropies: Sequence[Sequence[float]], kinds: Sequence[Sequence[TokenKind]], share: float = 0.2
) -> dict[str, Any]:
    """Of the `share` of all tokens with the largest entropy: what part of all entropy is theirs, and their kinds.

    After Wang et al. 2025 (arXiv:2506.01939), who call the 20 % of highest entropy forking tokens and train on them
    alone. What differs: nothing is trained here; the tokens are characters or digits of a small world, so that a fork
    is a value still to be computed, seldom a word that leads on; entropy is that at temperature 1; and exactly
    ceil(share x tokens) are taken, the first of equal ones.

    `tokens`, `share` (as taken), `least_entropy` among them, `entropy_share`, mean `entropy` of them and
    `other_entropy` of the rest, and for every kind `kind_share` (of the forking tokens) and `rate` (share of the kind's
    tokens that fork). `completions_with_none` is the share of completions without one. Lists are one row a completion.
    """
    if not 0 < share < 1:
        raise SpkitError(f"the share of forking tokens is {share}: choose one between 0 and 1")
    flat = [(value, row, kind) for row, (own, of) in enumerate(zip(entropies, kinds)) for value, kind in zip(own, of)]
    _some(flat)
    flat.sort(key=lambda one: -one[0])
    count = ceil(share * len(flat))
    forks, rest = flat[:count], flat[count:]
    total, ours = fsum(value for value, *_ in flat), fsum(value for value, *_ in forks)
    counts = {kind: sum(one[2] == kind for one in flat) for kind in TOKEN_KINDS}
    forked = {kind: sum(one[2] == kind for one in forks) for kind in TOKEN_KINDS}
    return {
        "tokens": count,
        "share": count / len(flat),
        "least_entropy": forks[-1][0],
        "entropy_share": ours / total if total else 0.0,
        "entropy": ours / count,
        "other_entropy": (total - ours) / len(rest) if rest else 0.0,
        "kind_share": {kind: forked[kind] / count for kind in TOKEN_KINDS if counts[kind]},
        "rate": {kind: forked[kind] / counts[kind] for kind in TOKEN_KINDS if counts[kind]},
        "completions_with_none": 1 - len({row for _, row, _ in forks}) / len(entropies),
    }


def _split(rows: Sequence[Sequence[float]], kinds: Sequence[Sequence[TokenKind]]) -> dict[str, Any]:
    """Tokens and mean entropy of rows, and by kind."""
    values = [value for row in rows for value in row]
    total, by_kind = fsum(values), {}
    for kind in TOKEN_KINDS:
        own = [value for row, of in zip(rows, kinds, strict=True) for value, one in zip(row, of) if one == kind]
        if own:
            by_kind[kind] = {
                "tokens": len(own),
                "token_share": len(own) / len(values),
                "entropy": fsum(own) / len(own),
                "entropy_share": fsum(own) / total if total else 0.0,
            }
    return {"tokens": len(values), "entropy": total / len(values), "by_kind": by_kind}


def _groups(rows: Sequence, kinds: Sequence, names: Sequence[str]) -> dict[str, Any]:
    """`_split` of the rows of each name."""
    if len(names) != len(rows):
        raise SpkitError(f"there are {len(rows)} completions and {len(names)} verdicts or roles: pass one a completion")
    chosen = {name: [r for r, own in enumerate(names) if own == name and len(rows[r])] for name in sorted(set(names))}
    return {name: _split([rows[r] for r in of], [kinds[r] for r in of]) for name, of in chosen.items() if of}


def _some(values: Sequence) -> None:
    if not values:
        raise SpkitError("there is no completion token to look at: pass at least one completion that is not empty")
