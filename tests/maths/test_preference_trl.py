"""Our losses against TRL's, through its DPO trainer: same tiny model, same batch.

Values, and gradients of every weight.
"""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from spkit.maths.preference import spin_loss
from spkit.policy import load_policy
from tests.helpers import apart

BETA, PAD = 0.7, 0
IDS = torch.tensor(
    [[5, 6, 7, 8, 9, 2], [5, 6, 11, 12, 2, PAD], [5, 6, 7, 10, 2, PAD], [5, 6, 13, 7, 9, 8]]
)  # two chosen, then two rejected
PROMPT = 2  # tokens


def tiny_model(seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=16, max_position_embeddings=32, initializer_range=0.5, pad_token_id=PAD, **shape)
    ).double()


def completion_mask() -> torch.Tensor:
    mask = (IDS != PAD).long()
    mask[:, :PROMPT] = 0
    return mask


def summed_logprobs(model: LlamaForCausalLM) -> torch.Tensor:
    """Log-probability of each completion, from the plain forward of the model."""
    logits = model(input_ids=IDS, attention_mask=(IDS != PAD).long()).logits[:, :-1]
    return (torch.log_softmax(logits, -1).gather(2, IDS[:, 1:, None])[..., 0] * completion_mask()[:, 1:]).sum(1)


def gradients(model: LlamaForCausalLM, loss: torch.Tensor) -> torch.Tensor:
    model.zero_grad()
    loss.backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters()])


def theirs(loss_type: str, folder: str) -> tuple[torch.Tensor, torch.Tensor]:
    trl = pytest.importorskip("trl")
    rows = pytest.importorskip("datasets").Dataset.from_list([{"prompt": "1+1=", "chosen": "2", "rejected": "3"}])
    model, reference = tiny_model(0), tiny_model(1)
    config = trl.DPOConfig(folder, loss_type=loss_type, beta=BETA, report_to=[], use_cpu=True, bf16=False)
    trainer = trl.DPOTrainer(
        model, reference, config, train_dataset=rows, processing_class=load_policy("addition").tokenizer
    )
    batch = {"input_ids": IDS, "attention_mask": (IDS != PAD).long(), "completion_mask": completion_mask()}
    loss = trainer.compute_loss(model.eval(), batch)
    return loss.detach(), gradients(model, loss)


def ours(kind: str, per_token: bool = False, **options: float) -> tuple[torch.Tensor, torch.Tensor]:
    model = tiny_model(0).eval()
    lengths = completion_mask().sum(1) if per_token else torch.ones(4)
    policy = summed_logprobs(model) / lengths
    with torch.no_grad():
        reference = summed_logprobs(tiny_model(1).eval()) / lengths
    loss, _ = spin_loss(policy[:2], policy[2:], reference[:2], reference[2:], beta=BETA, kind=kind, **options)
    return loss.detach(), gradients(model, loss)


@pytest.mark.peers
@pytest.mark.parametrize(("kind", "loss_type"), [("logistic", "sigmoid"), ("hinge", "hinge"), ("nce", "bco_pair")])
def test_value_and_gradient_are_those_of_trl(kind, loss_type, tmp_path):
    value, slope = ours(kind)
    their_value, their_slope = theirs(loss_type, str(tmp_path))
    assert slope.norm() > 0.1
    assert value.item() == pytest.approx(their_value.item(), rel=1e-6)
    assert apart(slope, their_slope) < 1e-6


@pytest.mark.peers
def test_ipo_is_trl_s_times_beta_squared_on_logprobs_per_token(tmp_path):
    """TRL divides each log-ratio by the completion's length and leaves beta in the target: (ratio - 1 / (2 beta))^2."""
    value, slope = ours("ipo", per_token=True, tau=0.5)
    their_value, their_slope = theirs("ipo", str(tmp_path))
    assert value.item() == pytest.approx(BETA**2 * their_value.item(), rel=1e-6)
    assert apart(slope, BETA**2 * their_slope) < 1e-6
