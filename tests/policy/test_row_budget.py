"""Memory that runs out: the same results from fewer rows at once, a message a size, an error where nothing helps."""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from spkit.maths.policy_gradient import PgLoss
from spkit.policy import Example, Policy, SftConfig
from spkit.policy.row_budget import RowBudget, is_out_of_memory, parts, tell
from spkit.run.errors import SpkitError
from spkit.stages import learn_pg as rl_update
from spkit.stages import learn_preference as spin_update
from spkit.stages.learn_preference import Contrast, Update
from tests.conftest import make_policy
from tests.helpers import apart

PROMPTS = ["1+2=", "123+456=", "98765+43210=", "12+34#46="]


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def short_of_memory(policy: Policy, most: int, late: bool = False) -> Policy:
    """Let a pass over more than `most` rows fail: in `forward`, or only in `backward`, when the
    upper layer has its gradient.
    """

    def refuse(rows: int) -> None:
        if rows > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    def before(module, args, kwargs):
        if not late:
            refuse(len(kwargs["input_ids"]))

    def after(module, gradients, _):
        if late:
            refuse(len(gradients[0]))

    policy.model.register_forward_pre_hook(before, with_kwargs=True)
    policy.model.model.layers[0].register_full_backward_hook(after)
    return policy


@pytest.fixture
def said(monkeypatch, capsys) -> Callable[[], list[str]]:
    """What was told on stderr since the last look."""
    monkeypatch.setattr("spkit.run.progress._compared", lambda: False)
    monkeypatch.setattr("gc.collect", lambda: 0)  # slow among so many objects
    return lambda: capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("kind", ["growing", "static"])
def test_sampling_goes_on_in_halves_with_the_same_texts(kind, said):
    sample = lambda policy, ticks: policy.sample(PROMPTS, 8, max_new_tokens=30, generator=draw(), on_rows=ticks.append)
    whole, ticks = sample(make_policy(), []), []
    policy = short_of_memory(make_policy(), 5)
    policy.sampler = kind
    found = sample(policy, ticks)
    assert found.token_ids == whole.token_ids and apart(found.logprobs, whole.logprobs) < 1e-5
    assert sum(ticks) == len(found), "a row that is tried again is told once"
    lines = said()
    assert [line.split("; ")[1] for line in lines] == [
        f"going on with {n}, the results stay the same" for n in (16, 8, 4)
    ]
    sample(policy.clone(), [])
    assert said() == [] and policy.budget.sampling == 4, "the size is remembered, by a clone too"


def test_rows_that_are_done_are_not_written_again(said):
    """Memory runs out in the middle of the second batch of 16."""
    policy, made, memory = make_policy(), [], {"rows": 16}
    write = policy._sample_batch

    def before(module, args, kwargs):
        memory["rows"] = 3 if made else 16
        if len(kwargs["input_ids"]) > memory["rows"] and kwargs["input_ids"].shape[1] == 1:
            raise torch.OutOfMemoryError

    def noted(batch, *rest):
        write(batch, *rest)
        made.append(list(batch))

    policy.model.register_forward_pre_hook(before, with_kwargs=True)
    policy._sample_batch, policy.budget.sampling, told = noted, 16, []
    found = policy.sample(PROMPTS, 8, max_new_tokens=30, generator=draw(), on_rows=told.append)
    assert found.token_ids == make_policy().sample(PROMPTS, 8, max_new_tokens=30, generator=draw()).token_ids
    assert sum(told) == 32 and policy.budget.sampling == 2
    assert [len(part) for part in made] == [16] + 8 * [2] and sorted(sum(made, [])) == list(range(32))


def test_scores_are_taken_in_halves(said):
    policy = make_policy()
    found = policy.sample(PROMPTS, 4, max_new_tokens=20, generator=draw())
    again = short_of_memory(make_policy(), 3).logprobs(found.prompts, found.token_ids)
    assert apart(policy.logprobs(found.prompts, found.token_ids), again) < 1e-5
    assert [line.split(" rows")[0][-2:].strip() for line in said()] == ["16", "8", "4"]


def uneven(policy: Policy, count: int = 10) -> list[tuple[str, list[int]]]:
    """Completions of 1 to 28 tokens: a mean of means would be far from the mean."""
    return [("12+34=", [3 + (i + j) % 12 for j in range(1 + 3 * i)]) for i in range(count)]


def sft_step(policy: Policy) -> tuple[list[torch.Tensor], dict[str, float]]:
    config = SftConfig(steps=1, batch_size=10, warmup=0.0, clip=1e9)
    numbers = policy.fit(uneven(policy), config, draw())
    return [parameter.grad for parameter in policy.model.parameters()], numbers


def spin_step(policy: Policy, kind: str, preference: bool = False) -> tuple[list[torch.Tensor], dict[str, float]]:
    prompt = policy.prompt_ids("12+34=")
    rows = [
        Contrast(prompt, ids, ids[::-1] + [5], ids[:1] * 3 if kind == "tspin" else None, preference)
        for _, ids in uneven(policy)
    ]
    update = Update(kind=kind, beta=0.5, tau=0.7, epochs=1, batch_size=10, learning_rate=0.0, clip=1e9)
    scored = spin_update.batches(policy, rows, 10, draw())
    scored = [
        batch._replace(opponent=batch.opponent + torch.arange(len(batch.opponent)) / 3) for batch in scored
    ]  # as after a few updates
    numbers = spin_update.learn_from_pairs(policy, scored, update, draw())
    return [parameter.grad for parameter in policy.model.parameters()], numbers


def pg_step(policy: Policy, aggregation: str) -> tuple[list[torch.Tensor], dict[str, float]]:
    prompt = policy.prompt_ids("12+34=")
    rows = [
        (Example(prompt, ids), 1.5 - i % 3, torch.full((len(ids),), -2.0)) for i, (_, ids) in enumerate(uneven(policy))
    ]
    loss = PgLoss(aggregation=aggregation, length=20, kl_coef=0.1, entropy_coef=0.01)
    update = rl_update.PgUpdate(loss, batch_size=10, learning_rate=0.0, clip=1e9, rows_at_once=7)
    batches = rl_update.minibatches(policy, [rl_update.Rollout(*row) for row in rows], update, draw(), make_policy(1))
    numbers = rl_update.learn_from_rewards(policy, rl_update.new_optimizer(policy, update), batches, update, draw())
    return [parameter.grad for parameter in policy.model.parameters()], numbers


STEPS = {
    "sft": sft_step,
    **{
        f"spin {kind}": lambda policy, kind=kind: spin_step(policy, kind)
        for kind in ("logistic", "nce", "tspin", "sft")
    },
    "dpo": lambda policy: spin_step(policy, "dpo", preference=True),
    **{
        f"policy gradient, {name}": lambda policy, name=name: pg_step(policy, name)
        for name in ("sequence", "token", "constant")
    },
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("late", [False, True])
def test_the_gradient_of_the_parts_is_that_of_the_batch(name, late, said):
    """In float64, where a wrong weight cannot pass for rounding.

    Also when memory runs out half-way through `backward`.
    """

    def double() -> Policy:
        policy = make_policy()
        policy.model.double()
        return policy

    whole, numbers = STEPS[name](double())
    policy = short_of_memory(double(), 3 if "spin" not in name and name != "dpo" else 9, late)
    found, again = STEPS[name](policy)
    assert policy.budget.training < 6 and len(said()) >= 1
    assert any(gradient.any() for gradient in whole) and apart(whole, found) < 1e-7
    assert again == pytest.approx(numbers, rel=1e-6, abs=1e-6) and again.keys() == numbers.keys()


@pytest.mark.parametrize("name", STEPS)
def test_the_gradient_of_a_large_model_s_pieces_is_that_of_the_batch(name, monkeypatch):
    """Pieces by tokens, logits of completions alone."""

    def step() -> tuple[list[torch.Tensor], dict[str, float], list[int]]:
        policy, rows = make_policy(), []
        policy.model.double()
        policy.model.register_forward_pre_hook(
            lambda module, args, given: rows.append(given["input_ids"].shape), with_kwargs=True
        )
        return *STEPS[name](policy), [shape.numel() for shape in rows]

    whole, numbers, passes = step()
    monkeypatch.setattr("spkit.policy.training.large", lambda model: True)
    monkeypatch.setattr("spkit.policy.training.PASS_TOKENS", 120)
    found, again, smaller = step()
    assert len(smaller) > len(passes) and max(smaller) <= 120 and apart(whole, found) < 1e-7
    assert again == pytest.approx(numbers, rel=1e-6, abs=1e-6) and again.keys() == numbers.keys()


def test_the_size_is_remembered_for_the_run(said):
    policy = short_of_memory(make_policy(), 3)
    sft_step(policy)
    assert len(said()) == 2
    twin = policy.clone()
    sft_step(twin)
    pg_step(twin, "token")
    assert said() == [] and twin.budget.training == 2


def test_one_row_that_does_not_fit_is_one_sentence(said):
    policy = short_of_memory(make_policy(), 0)
    with pytest.raises(
        SpkitError,
        match="memory ran out while sampling, with a single row: take a smaller model or load it with four_bit",
    ):
        policy.sample(PROMPTS, max_new_tokens=5, generator=draw())
    with pytest.raises(
        SpkitError, match="while training, with a single row: load the model with four_bit=True and LoRA"
    ):
        sft_step(policy)
    with pytest.raises(SpkitError, match="while scoring, with a single row"):
        policy.logprobs(["1+2="], [[3, 1]])


def test_caches_are_given_back_before_another_try(said):
    policy = make_policy()
    policy.sampler = "static"
    policy.sample(PROMPTS, max_new_tokens=5, generator=draw())
    decoder = policy._static
    assert decoder.nbytes > 0
    sft_step(short_of_memory(policy, 3))
    assert decoder.nbytes == 0
    policy.budget.sampling = 3
    plain = Policy(policy.model, policy.tokenizer, budget=policy.budget)
    fixed, grown = (one.sample(PROMPTS, temperature=0.0, max_new_tokens=5).texts for one in (policy, plain))
    assert fixed == grown and decoder.nbytes > 0


def test_what_is_no_lack_of_memory_is_not_tried_again():
    assert is_out_of_memory(torch.OutOfMemoryError("x")) and is_out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    assert is_out_of_memory(caught.value), "what PyTorch raises when a CPU has no memory"
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert not is_out_of_memory(RuntimeError("size mismatch")) and not is_out_of_memory(ValueError("out of memory"))
    with pytest.raises(RuntimeError) as caught:
        try:
            raise torch.OutOfMemoryError
        finally:
            raise RuntimeError(
                "operation failed due to a previous error during capture"
            )  # as the end of a capture that ran out of memory
    assert is_out_of_memory(caught.value)
    calls = []

    def wrong(part):
        calls.append(part)
        raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        RowBudget().run_in_chunks("sampling", range(8), wrong)
    assert len(calls) == 1


def test_parts_and_silence_where_outputs_are_compared(capsys):
    assert [list(part) for part in parts(range(5), 2)] == [[0, 1], [2, 3], [4]]
    assert "PYTEST_CURRENT_TEST" in os.environ
    tell("nothing")
    assert capsys.readouterr().err == ""
    assert replace(RowBudget(training=4)).size("training", 9) == 4 and RowBudget(training=4).size("training", 3) == 3
