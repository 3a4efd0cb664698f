"""Entropy by kind of token, role and verdict, and at forking tokens: against numbers by hand."""

import math

import pytest

from spkit.measures.token_kinds import entropy_by_kind, forking_tokens, token_kind
from spkit.measures.tokens import mean_over_tokens, token_entropy
from spkit.run.errors import SpkitError
from tests.measures.bigrams import bigram_policy

TABLE = {
    ">": {"(": 1.0},
    "(": {"1": 0.5, "2": 0.5},
    "1": {"+": 0.9, ")": 0.1},
    "2": {"+": 0.25, ")": 0.75},
    "+": {"1": 0.5, "2": 0.5},
    ")": {".": 1.0},
}


def entropy(*chances):
    return -sum(p * math.log(p) for p in chances)


HALF, TENTH, QUARTER = entropy(0.5, 0.5), entropy(0.9, 0.1), entropy(0.25, 0.75)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("7", "digit"), (" 42", "digit"), ("+", "operator"), ("->", "operator"), ("(", "bracket"), ("))", "bracket"),
     ("a", "other"), ("x1", "other"), (" ", "other"), ("", "other"), (",", "other"), ("+(", "other"), ("²", "other")],
)  # fmt: skip
def test_the_kind_of_a_token(text, kind):
    assert token_kind(text) == kind


def split():
    policy = bigram_policy(TABLE, ">()12+")
    rows = [policy.completion_ids(text) for text in ("(1+2)", "(2)", "(1")]
    rows[2] = rows[2][:-1]  # cut off
    roles = ["solver", "solver", "proposer"]
    return policy, rows, entropy_by_kind(policy, [">"] * 3, rows, [True, False, False], roles)


def test_entropy_by_kind_by_hand():
    policy, rows, found = split()
    total = 4 * HALF + TENTH + 2 * QUARTER
    assert found["tokens"] == 6 + 4 + 2 and found["entropy"] == pytest.approx(total / 12, abs=1e-5)
    assert found["entropy"] == pytest.approx(mean_over_tokens(token_entropy(policy, [">"] * 3, rows)), abs=1e-9)
    kinds = found["by_kind"]
    assert {kind: own["tokens"] for kind, own in kinds.items()} == {"digit": 4, "operator": 1, "bracket": 5, "end": 2}
    assert kinds["digit"]["entropy"] == pytest.approx(HALF, abs=1e-5)
    assert kinds["operator"]["entropy"] == pytest.approx(TENTH, abs=1e-5)
    assert kinds["bracket"]["entropy"] == pytest.approx(2 * QUARTER / 5, abs=1e-5)
    assert kinds["bracket"]["entropy_share"] == pytest.approx(2 * QUARTER / total, abs=1e-5)
    assert sum(own["token_share"] for own in kinds.values()) == pytest.approx(1)
    assert sum(own["entropy_share"] for own in kinds.values()) == pytest.approx(1)


def test_groups_are_those_of_their_completions():
    _, _, found = split()
    assert found["by_correct"]["right"]["entropy"] == pytest.approx((2 * HALF + TENTH + QUARTER) / 6, abs=1e-5)
    assert found["by_correct"]["wrong"]["entropy"] == pytest.approx((2 * HALF + QUARTER) / 6, abs=1e-5)
    assert found["by_role"]["solver"]["tokens"] == 10 and found["by_role"]["proposer"]["tokens"] == 2
    assert found["by_role"]["proposer"]["by_kind"]["digit"]["entropy"] == pytest.approx(HALF, abs=1e-5)
    assert "end" not in found["by_role"]["proposer"]["by_kind"], "it was cut off"


def test_forking_tokens_by_hand():
    entropies, kinds = [[0.0, 3.0, 0.5], [], [2.0, 1.0]], [["end", "digit", "other"], [], ["digit", "operator"]]
    found = forking_tokens(entropies, kinds, 0.4)
    assert found["tokens"] == 2 and found["share"] == 0.4 and found["least_entropy"] == 2
    assert found["entropy_share"] == pytest.approx(5 / 6.5)
    assert found["entropy"] == 2.5 and found["other_entropy"] == pytest.approx(0.5)
    assert found["kind_share"] == {"digit": 1, "operator": 0, "end": 0, "other": 0}
    assert found["rate"]["digit"] == 1 and found["completions_with_none"] == pytest.approx(1 / 3)
    assert forking_tokens([[1.0] * 10], [["digit"] * 10], 0.2)["entropy_share"] == pytest.approx(0.2), "all alike"
    assert forking_tokens([[0.0] * 3], [["digit"] * 3])["entropy_share"] == 0
    assert split()[2]["forking"]["kind_share"] == {"digit": 1, "operator": 0, "bracket": 0, "end": 0}


def test_what_has_no_answer_is_refused():
    policy, rows, _ = split()
    with pytest.raises(SpkitError, match="3 completions and 2"):
        entropy_by_kind(policy, [">"] * 3, rows, [True, False])
    with pytest.raises(SpkitError, match="no completion token"):
        entropy_by_kind(policy, [">"], [[]])
    for share in (0, 1, -1, math.nan):
        with pytest.raises(SpkitError, match="between 0 and 1"):
            forking_tokens([[1.0]], [["digit"]], share)
