"""How many weights changed, and where: against updates whose share, size and place are known."""

import json
import math

import pytest
import torch
from transformers import AutoModelForCausalLM

from spkit.claims.terms import Number
from spkit.measures.updates import MATRIX_KINDS, SWEEP, changed_share, kind_of, layer_of, update_summary, weights_of
from spkit.policy import data_folder, load_policy
from spkit.policy.lora import LoraSettings
from spkit.run.errors import NotFinite, SpkitError

NAMES = {
    "model.embed_tokens.weight": (6, 4),
    "model.layers.0.self_attn.q_proj.weight": (4, 4),
    "model.layers.0.mlp.down_proj.weight": (4, 10),
    "model.layers.1.self_attn.q_proj.weight": (4, 4),
    "model.norm.weight": (4,),
}
TOTAL = 24 + 16 + 40 + 16 + 4


@pytest.fixture
def before():
    draw = torch.Generator().manual_seed(0)
    return {name: 1 + 0.5 * torch.rand(shape, generator=draw) for name, shape in NAMES.items()}  # all in [1, 2)


def moved(before, by, **counts):
    """The first `count` entries of the parameters whose name has this in it are larger by `by`."""
    after = {name: tensor.clone() for name, tensor in before.items()}
    for word, count in counts.items():
        for name in after:
            if word in name:
                after[name].view(-1)[:count] += by
    return after


def test_the_share_is_of_all_parameters_and_not_a_mean_over_matrices(before):
    after = moved(before, 0.25, q_proj=8, norm=1)
    assert changed_share(before, after) == changed_share(before, after, 0.0, "bfloat16") == 17 / TOTAL
    found = update_summary(before, after)
    assert found["parameters"] == TOTAL and found["changed"] == {"float32": 17 / TOTAL, "bfloat16": 17 / TOTAL}
    kinds, layers = found["by_kind"], found["by_layer"]
    assert {kind: own["changed"]["float32"] for kind, own in kinds.items()} == {
        "embedding": 0,
        "q": 0.5,
        "mlp": 0,
        "norm": 0.25,
    }
    assert {layer: own["changed"]["bfloat16"] for layer, own in layers.items()} == {
        "none": 1 / 28,
        "0": 8 / 56,
        "1": 0.5,
    }
    assert kinds["q"]["parameters"] == 32 and kinds["q"]["matrices"] == 2 and "matrices" not in kinds["norm"]


def test_the_norms_are_those_of_all_entries(before):
    found = update_summary(before, moved(before, 0.25, q_proj=8))
    size = math.sqrt(sum(float(tensor.double().square().sum()) for tensor in before.values()))
    assert found["update_norm"] == pytest.approx(math.sqrt(16 * 0.25**2) / size)
    doubled = update_summary(before, {name: 2 * tensor for name, tensor in before.items()})
    assert doubled["norm_drift"] == pytest.approx(1) and doubled["update_norm"] == pytest.approx(1)
    assert doubled["spectral_drift"] == pytest.approx(1) and doubled["rotation"]["left"] == pytest.approx(0, abs=1e-5)
    assert doubled["by_layer"]["0"]["norm_drift"] == pytest.approx(1)


@pytest.mark.parametrize("by", [3e-13, 3e-9, 3e-5, 3e-4])
def test_the_sweep_counts_what_is_above_each_tolerance(by):
    before = {"lm_head.weight": torch.zeros(3, 4)}
    found = update_summary(before, moved(before, by, lm_head=5))
    keys = ["0", "1e-12", "1e-10", "1e-08", "1e-07", "1e-06", "1e-05", "1e-04"]
    for precision in ("float32", "bfloat16"):
        assert found["sweep"][precision] == {key: 5 / 12 if by > limit else 0 for key, limit in zip(keys, SWEEP)}


@pytest.mark.parametrize("tolerance", [0.0, 1e-6, 1e-5, 1e-4])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_parameter_is_unchanged_as_in_the_public_script(tolerance, dtype):
    draw = torch.Generator().manual_seed(1)
    before = {"a": 0.02 * torch.randn(2000, generator=draw)}
    after = {"a": before["a"] + 2e-5 * torch.randn(2000, generator=draw)}
    after["a"][:50] = before["a"][:50]
    delta = after["a"].to(getattr(torch, dtype)) - before["a"].to(getattr(torch, dtype))
    unchanged = torch.isclose(delta, torch.zeros_like(delta), atol=tolerance).float().mean().item()
    assert changed_share(before, after, tolerance, dtype) == pytest.approx(1 - unchanged, abs=1e-6)


@pytest.mark.parametrize("power", [-12, -6, -1, 0, 3])
@pytest.mark.parametrize("sign", [1, -1])
def test_bfloat16_keeps_a_change_above_half_a_unit_in_the_last_place_and_no_smaller_one(power, sign):
    """Between 2^p and 2^(p+1) neighbours are 2^(p-7) apart; at the tie the even one is taken, 1.0 and not 1.0078."""
    half = 2.0 ** (power - 8)
    before = {"w": sign * torch.full((10,), 2.0**power)}
    share = lambda change: changed_share(before, {"w": before["w"] + sign * change}, 0.0, "bfloat16")
    assert share(0.999 * half) == share(half) == 0
    assert share(1.001 * half) == 1
    assert changed_share(before, {"w": before["w"] + sign * 0.999 * half}, 0.0) == 1


def test_both_weights_are_rounded_and_not_their_difference():
    """A small step over a tie between two bfloat16 numbers is a whole unit; the same step elsewhere is nothing."""
    tie = 1 + 2.0**-8
    before = {"w": torch.tensor([tie - 2.0**-16, 1.0])}
    after = {"w": before["w"] + 2.0**-15}
    assert changed_share(before, after, 1e-3, "bfloat16") == 0.5 and changed_share(before, after, 1e-3) == 0


def test_a_summary_is_json_and_its_numbers_are_read_by_name(before):
    found = json.loads(json.dumps(update_summary(before, moved(before, 0.25, q_proj=8))))
    read = lambda path: Number(path).of({"updates": found})
    assert read("updates.changed.bfloat16") == read("updates.sweep.float32.1e-12") == 16 / TOTAL
    assert read("updates.by_layer.1.overlap.left") is not None and read("updates.by_kind.q.rank_share.float32") > 0
    assert read("updates.in_mask.low") is not None and found["tolerance"] == 1e-5


def test_nothing_changed_is_zero_where_that_means_something_and_none_elsewhere(before):
    found = update_summary(before, before)
    assert found["changed"] == {"float32": 0, "bfloat16": 0} and found["update_norm"] == found["norm_drift"] == 0
    assert found["rank_share"] == {"float32": 0, "bfloat16": 0} and found["spectral_drift"] == 0
    assert found["overlap"] == {"left": None, "right": None, "both": None} and found["effective_rank_share"] is None
    json.dumps(found, allow_nan=False)


def test_kinds_and_layers_follow_the_names_of_several_architectures():
    llama = "model.layers.11.self_attn.{}_proj.weight"
    assert [kind_of(llama.format(letter)) for letter in "qkvo"] == list("qkvo")
    assert {kind_of(f"model.layers.0.mlp.{way}_proj.weight") for way in ("gate", "up", "down")} == {"mlp"}
    assert kind_of("model.layers.0.post_attention_layernorm.weight") == kind_of("model.norm.weight") == "norm"
    assert kind_of("model.layers.0.self_attn.q_norm.weight") == kind_of("transformer.h.3.ln_1.weight") == "norm"
    assert kind_of("transformer.wte.weight") == kind_of("model.embed_tokens.weight") == "embedding"
    assert kind_of("lm_head.weight") == "output" and kind_of("something.weight") == "other"
    assert kind_of("transformer.h.0.attn.c_attn.weight") == "attention"
    assert (
        kind_of("transformer.h.0.attn.c_proj.weight") == "o" and kind_of("transformer.h.0.mlp.c_proj.weight") == "mlp"
    )
    assert layer_of(llama.format("q")) == "11" and layer_of("transformer.h.3.ln_1.weight") == "3"
    assert layer_of("lm_head.weight") == layer_of("model.norm.weight") == "none"


def test_a_shipped_model_has_every_parameter_once_and_of_a_known_kind():
    policy = load_policy("expressions")
    weights = weights_of(policy)
    assert "lm_head.weight" not in weights and "lm_head.weight" in policy.model.state_dict()  # tied
    assert sum(tensor.numel() for tensor in weights.values()) == policy.model.num_parameters()
    assert {kind_of(name) for name in weights} == MATRIX_KINDS.keys() - {"output", "attention"}
    first = policy.model.model.embed_tokens.weight
    with torch.no_grad():
        first += 1
    assert not torch.equal(first, weights["model.embed_tokens.weight"])


def test_an_adapter_is_read_as_the_weights_it_adds_to():
    base = load_policy("expressions", lora=LoraSettings(rank=2, alpha=4))
    policy = base.clone()
    before = weights_of(base)
    plain = AutoModelForCausalLM.from_pretrained(data_folder() / "models" / "expressions").state_dict()
    assert all(torch.equal(tensor, plain[name]) for name, tensor in before.items())
    assert changed_share(before, weights_of(policy), 0.0) == 0  # a fresh adapter is the base
    parts = dict(policy.model.named_parameters())
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in parts.values():
            part += 0.1 * torch.randn(part.shape, generator=draw)
    after = weights_of(policy)
    found = update_summary(before, after)["by_kind"]
    assert found["q"]["changed"]["float32"] > 0.95 and found["embedding"]["changed"] == {"float32": 0, "bfloat16": 0}
    assert found["q"]["rank_share"]["float32"] == pytest.approx(2 / 96) and found["q"]["rank_share"]["bfloat16"] > 0.5
    name = "model.layers.0.self_attn.v_proj.weight"
    a, b = (next(part for key, part in parts.items() if f"0.self_attn.v_proj.lora_{one}" in key) for one in "AB")
    assert torch.allclose(after[name] - before[name], 2 * b.detach() @ a.detach(), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda after: after.pop("model.norm.weight"), SpkitError, "'model.norm.weight' is in one of them alone"),
        (lambda after: after.update(extra=torch.ones(2)), SpkitError, "'extra' is in one of them alone"),
        (lambda after: after.update({"model.norm.weight": torch.ones(5)}), SpkitError, r"\(4,\) before and \(5,\) aft"),
        (lambda after: after["model.norm.weight"].fill_(math.nan), NotFinite, "'model.norm.weight' holds NaN"),
        (lambda after: after["model.norm.weight"].fill_(math.inf), NotFinite, "training has diverged"),
        (
            lambda after: after.update({"model.norm.weight": torch.ones(4, dtype=torch.uint8)}),
            SpkitError,
            "without quantisation",
        ),
    ],
)
@pytest.mark.parametrize("measure", [update_summary, changed_share])
@pytest.mark.parametrize("turned", [False, True])
def test_weights_that_cannot_be_compared_are_refused_in_a_sentence(before, change, error, message, measure, turned):
    after = moved(before, 0.1, q_proj=3)
    change(after)
    pair = (after, before) if turned else (before, after)
    if turned and "before and" in message:
        message = r"\(5,\) before and \(4,\) after"
    with pytest.raises(error, match=message) as caught:
        measure(*pair)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("settings", [{"tolerance": -1}, {"principal": 0}, {"principal": 1.5}, {"mask": math.nan}])
def test_settings_that_mean_nothing_are_refused(before, settings):
    with pytest.raises(SpkitError, match="give a tolerance of 0 or more"):
        update_summary(before, before, **settings)
    with pytest.raises(SpkitError, match="precision of float32 or bfloat16"):
        changed_share(before, before, 0.0, "float16")
    with pytest.raises(SpkitError, match="there are none"):
        changed_share({}, {})
