"""Our policy-gradient losses and advantages against TRL's GRPO trainer: same tiny model, same batch.

Values, and gradients of every weight.
"""

import pytest
import torch

from spkit.maths.advantages import dr_grpo, grpo
from spkit.maths.policy_gradient import PgLoss, pg_loss
from spkit.policy import load_policy
from tests.helpers import apart
from tests.maths.test_preference_trl import IDS, PROMPT, completion_mask, gradients, tiny_model

LENGTH = 7  # the constant of Dr. GRPO
ADVANTAGES = torch.tensor([0.9, -0.4, 1.3, -1.1], dtype=torch.float64)


def token_logprobs(model) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities and entropies (rows, completion tokens), from the plain forward of the model."""
    logits = model(input_ids=IDS, attention_mask=(IDS != 0).long()).logits[:, PROMPT - 1 : -1].log_softmax(-1)
    return logits.gather(2, IDS[:, PROMPT:, None])[..., 0], -(logits.exp() * logits).sum(-1)


def others() -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities under the sampling policy, a little off the trained one so that some ratios are clipped,
    and under the reference.
    """
    with torch.no_grad():
        now = token_logprobs(tiny_model(0).eval())[0]
        return now + 0.4 * torch.randn(now.shape, generator=torch.Generator().manual_seed(0)), token_logprobs(
            tiny_model(1).eval()
        )[0]


def theirs(folder: str, beta: float, **settings) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and gradients by their `compute_loss`, with k3 as GRPO's paper has it: theirs is multiplied by the
    ratio unless told not to.

    `beta` is set late: given to the trainer, it would look for a reference on the hub.
    """
    trl = pytest.importorskip("trl")
    rows = pytest.importorskip("datasets").Dataset.from_list([{"prompt": "1+1="}] * 4)
    config = trl.GRPOConfig(
        folder,
        report_to=[],
        use_cpu=True,
        bf16=False,
        num_generations=2,
        per_device_train_batch_size=4,
        max_completion_length=LENGTH,
        use_bias_correction_kl=False,
        **settings,
    )
    trainer = trl.GRPOTrainer(
        tiny_model(0),
        lambda completions, **_: [0.0] * len(completions),
        config,
        rows,
        processing_class=load_policy("addition").tokenizer,
    )
    trainer.beta = beta
    old, reference = others()
    mask = completion_mask()[:, PROMPT:]
    batch = {
        "prompt_ids": IDS[:, :PROMPT],
        "prompt_mask": torch.ones_like(IDS[:, :PROMPT]),
        "completion_ids": IDS[:, PROMPT:],
        "completion_mask": mask,
        "advantages": ADVANTAGES,
        "old_per_token_logps": old,
        "ref_per_token_logps": reference,
        "num_items_in_batch": mask.sum(),
    }
    model = trainer.model.eval()
    loss = trainer.compute_loss(model, batch)
    return loss.detach(), gradients(model, loss)


def ours(settings: PgLoss) -> tuple[torch.Tensor, torch.Tensor, dict[str, float]]:
    model = tiny_model(0).eval()
    now, entropy = token_logprobs(model)
    old, reference = others()
    loss, numbers = pg_loss(
        now, old, ADVANTAGES, completion_mask()[:, PROMPT:], settings, reference_logprobs=reference, entropy=entropy
    )
    return loss.detach(), gradients(model, loss), numbers


@pytest.mark.peers
@pytest.mark.parametrize(
    ("aggregation", "loss_type"), [("sequence", "grpo"), ("token", "dapo"), ("token", "bnpo"), ("constant", "dr_grpo")]
)
@pytest.mark.parametrize(("high", "kl_coef", "entropy_coef"), [(0.2, 0.0, 0.0), (0.28, 0.3, 0.0), (0.28, 0.0, 0.2)])
def test_value_and_gradient_are_those_of_trl(aggregation, loss_type, high, kl_coef, entropy_coef, tmp_path):
    settings = PgLoss(0.2, high, aggregation, LENGTH, "k3", kl_coef, entropy_coef)
    value, slope, numbers = ours(settings)
    options = {"entropy_coef": entropy_coef} if entropy_coef else {}
    their_value, their_slope = theirs(
        str(tmp_path), kl_coef, loss_type=loss_type, epsilon=0.2, epsilon_high=high, **options
    )
    assert slope.norm() > 0.01 and 0 < numbers["clip_share"] < 1
    assert value.item() == pytest.approx(their_value.item(), rel=1e-5, abs=1e-6)
    assert apart(slope, their_slope) < 1e-5


@pytest.mark.peers
@pytest.mark.parametrize(("advantage", "scale"), [(grpo, "group"), (dr_grpo, "none")])
def test_advantages_are_those_trl_computes(advantage, scale, tmp_path, monkeypatch):
    """Their trainer samples and scores a batch; its rewards are a function of the text, so we can give them again."""
    trl = pytest.importorskip("trl")
    rows = pytest.importorskip("datasets").Dataset.from_list([{"prompt": "1+1="}, {"prompt": "23+4="}] * 2)
    seen = []

    def paid(completions, **_):
        seen.append([len(set(text)) / 7 for text in completions])
        return seen[-1]

    config = trl.GRPOConfig(
        str(tmp_path),
        report_to=[],
        use_cpu=True,
        bf16=False,
        num_generations=4,
        per_device_train_batch_size=8,
        max_completion_length=8,
        scale_rewards=scale,
    )
    base = load_policy("addition")
    trainer = trl.GRPOTrainer(base.model, paid, config, rows, processing_class=base.tokenizer)
    trainer.model.train()
    batch = trainer._generate_and_score_completions([{"prompt": p} for p in ("1+1=", "23+4=") for _ in range(4)])
    rewards = torch.tensor(seen[0]).view(2, 4)
    assert torch.allclose(batch["advantages"].flatten(), advantage(rewards).flatten(), atol=1e-5)
