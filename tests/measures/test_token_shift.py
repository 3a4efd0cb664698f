"""How far two policies are apart at each position: against numbers by hand, on distributions over two tokens."""

import json
import math

import pytest
import torch

from spkit.claims.terms import Number
from spkit.maths.distances import exact_kl, rank_of_top, total_variation
from spkit.measures.token_pairs import pair_values
from spkit.measures.token_shift import rank_shares, share_in_top, token_shift
from spkit.run.errors import SpkitError
from tests.conftest import make_policy
from tests.helpers import apart
from tests.measures.bigrams import bigram_policy

BASE = {"p": {"a": 0.9, "b": 0.1}, "a": {"1": 0.6, "2": 0.4}, "b": {"1": 0.5, "2": 0.5}}
TRAINED = {"p": {"a": 0.2, "b": 0.8}, "a": {"1": 0.55, "2": 0.45}, "b": {"1": 0.5, "2": 0.5}}
ENDS = {"1": {".": 1.0}, "2": {".": 1.0}}
FIRST = 0.2 * math.log(0.2 / 0.9) + 0.8 * math.log(0.8 / 0.1)
SECOND = 0.55 * math.log(0.55 / 0.6) + 0.45 * math.log(0.45 / 0.4)
FIRST_BACK = 0.9 * math.log(0.9 / 0.2) + 0.1 * math.log(0.1 / 0.8)
SECOND_BACK = 0.6 * math.log(0.6 / 0.55) + 0.4 * math.log(0.4 / 0.45)


def pair():
    return (bigram_policy({**table, **ENDS}, "pab12") for table in (BASE, TRAINED))


def test_the_shift_of_two_token_distributions_by_hand():
    base, trained = pair()
    rows = [base.completion_ids(text) for text in ("a1", "b2")]
    found = token_shift(base, trained, ["p", "p"], rows, threshold=0.1)
    assert found["tokens"] == 6 and found["threshold"] == 0.1
    assert found["moved_share"] == pytest.approx(2 / 6), "total variation is 0.7 at first, 0.05 after a, 0 elsewhere"
    above = {"1": 3 / 6, "5": 2 / 6, "10": 2 / 6, "25": 2 / 6, "50": 2 / 6}
    assert {p: share for p, share in found["moved_share_above"].items() if p != "5"} == pytest.approx(
        {p: share for p, share in above.items() if p != "5"}
    )  # at 5 % it is a matter of rounding
    assert found["total_variation"] == pytest.approx((0.7 * 2 + 0.05) / 6, abs=1e-6)
    assert found["kl_to_base"] == pytest.approx((2 * FIRST + SECOND) / 6, abs=1e-5)
    assert found["kl_from_base"] == pytest.approx((2 * FIRST_BACK + SECOND_BACK) / 6, abs=1e-5)
    assert found["top_changed_share"] == pytest.approx(2 / 6)
    assert found["rank"] == pytest.approx(
        {"mean": 8 / 6, "median": 1, "first": 4 / 6, "second": 2 / 6, "third": 0, "later": 0}
    )
    assert found["rank_where_moved"]["second"] == 1
    assert found["kl_by_position"] == pytest.approx([FIRST, SECOND / 2, 0], abs=1e-5)
    assert found["rows_by_position"] == [2, 2, 2]
    assert set(found["by_tenth"]) == {"1", "4", "7"}, "a third of a completion of three tokens is in the fourth tenth"
    assert found["by_tenth"]["1"]["kl_to_base"] == pytest.approx(FIRST, abs=1e-5)
    assert found["by_kind"]["other"] == found["by_tenth"]["1"] and found["by_kind"]["end"]["kl_to_base"] < 1e-6
    assert found["kl_in_top"]["25"] == pytest.approx(2 * FIRST / (2 * FIRST + SECOND), abs=1e-5)
    assert Number("by_tenth.1.moved_share").of(json.loads(json.dumps(found))) == 1


def test_distances_of_hand_set_logits():
    p = torch.tensor([[0.5, 0.5, 0.0], [0.7, 0.2, 0.1]]).log()
    q = torch.tensor([[0.25, 0.5, 0.25], [0.7, 0.2, 0.1]]).log()
    assert exact_kl(p, q).tolist() == pytest.approx([0.5 * math.log(2), 0], abs=1e-7)
    assert exact_kl(q, p)[0] == math.inf, "the policy writes what the reference never does"
    assert total_variation(p, q).tolist() == pytest.approx([0.25, 0], abs=1e-7)
    assert rank_of_top(p, q).tolist() == [2, 1]
    assert rank_of_top(torch.tensor([0.0, 0, 1]), torch.tensor([1.0, 1, 1])) == 1, "equal logits push nothing down"
    many = torch.randn(1000, 30, generator=torch.Generator().manual_seed(0))
    assert (exact_kl(many, many + 1) >= 0).all() and exact_kl(many, many + 1).max() < 1e-5
    assert (exact_kl(many, many.flip(0)) > 2 * total_variation(many, many.flip(0)) ** 2).all(), "Pinsker"


def test_every_position_is_that_of_its_prefix_alone():
    one, other = make_policy(0), make_policy(1)
    prompts, texts = ["1+2=", "123+456=", "98765+43210=", "1+2="], ["3", "3+6+0:09;2+5+0:07", "141975", ""]
    rows = [one.completion_ids(text) for text in texts]
    kl, rank = pair_values(one, other, prompts, rows, exact_kl, rank_of_top)
    for prompt, ids, found, ranks in zip(prompts, rows, kl, rank, strict=True):
        expected, places = [], []
        for i in range(len(ids)):
            read = torch.tensor([one.prompt_ids(prompt) + ids[:i]])
            with torch.no_grad():
                p, q = (policy.model(read).logits[0, -1].double().log_softmax(-1) for policy in (one, other))
            expected.append(float((p.exp() * (p - q)).sum()))
            places.append(q.argsort(descending=True).tolist().index(int(p.argmax())) + 1)
        assert apart(found, expected) < 1e-4 and ranks.tolist() == places


def test_a_policy_is_not_apart_from_itself(policy):
    found = token_shift(policy, policy, ["1+2="], [policy.completion_ids("34")])
    assert found["moved_share"] == found["kl_to_base"] == found["top_changed_share"] == 0
    assert "rank_where_moved" not in found and found["kl_in_top"]["10"] == 0


def test_ranks_and_shares():
    assert rank_shares(torch.tensor([1.0, 1, 2, 3, 9])) == pytest.approx(
        {"mean": 3.2, "median": 2, "first": 0.4, "second": 0.2, "third": 0.2, "later": 0.2}
    )
    assert share_in_top(torch.tensor([1.0, 3, 0, 0]), 0.25) == 0.75
    assert share_in_top(torch.zeros(4), 0.25) == 0


def test_what_cannot_be_compared_is_refused(policy):
    with pytest.raises(SpkitError, match="different tokens"):
        token_shift(policy, bigram_policy({"p": {"a": 1.0}}, "pa"), ["1"], [[5]])
    with pytest.raises(SpkitError, match="no completion token"):
        token_shift(policy, policy, ["1"], [[]])
