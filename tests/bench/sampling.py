"""Tokens a second of our sampling loop and of Hugging Face `generate`, in one process on the same
model, prompts and threads.

    python tests/bench/sampling.py [--threads 2] [--repeats 5]

64 prompts of 1 to 5 digits, 16 samples each at temperature 1, natural stopping. Both sides see the whole batch of 1,024
rows; what is counted is the tokens up to and including each row's end token, so padding counts for nobody. The two
take turns, and the ratio is taken within each turn: machines are noisy.
"""

import argparse
import statistics
import time

import torch

from spkit.policy import load_policy
from spkit.policy.checkpoints import no_bars
from spkit.tasks import load_task, problems

PROMPTS, SAMPLES, LIMIT = 64, 16, 64


def ours(policy, prompts: list[str], seed: int, samples: int = SAMPLES, limit: int = LIMIT) -> tuple[int, float]:
    """(tokens, seconds)"""
    generator = torch.Generator().manual_seed(seed)
    begun = time.perf_counter()
    rollouts = policy.sample(prompts, samples, temperature=1.0, max_new_tokens=limit, generator=generator)
    return sum(map(len, rollouts.token_ids)), time.perf_counter() - begun


def hugging_face(
    policy, prompts: list[str], seed: int, samples: int = SAMPLES, limit: int = LIMIT, **more
) -> tuple[int, float]:
    """(tokens, seconds); `more` goes to `generate`."""
    torch.manual_seed(seed)
    begun = time.perf_counter()
    inputs = policy.tokenizer(prompts, return_tensors="pt", padding=True, return_token_type_ids=False).to(
        policy.model.device
    )
    more |= {"num_return_sequences": samples, "max_new_tokens": limit, "pad_token_id": policy.tokenizer.pad_token_id}
    output = policy.model.generate(
        **inputs, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, repetition_penalty=1.0, **more
    )
    new = output[:, inputs["input_ids"].shape[1] :]
    ended = (new == policy.tokenizer.eos_token_id).int().cumsum(1)
    tokens = int(((ended == 0) | ((new == policy.tokenizer.eos_token_id) & (ended == 1))).sum())
    return tokens, time.perf_counter() - begun


def main() -> None:
    """Print one line a turn, and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    policy = load_policy("addition")
    prompts = [problem.prompt for problem in problems(load_task("addition"), 0, 0, PROMPTS)]
    ratios = []
    with no_bars():
        for turn in range(-1, arguments.repeats):
            (a, x), (b, y) = hugging_face(policy, prompts, turn + 1), ours(policy, prompts, turn + 1)
            if turn >= 0:  # the first turn warms up
                ratios.append((b / y) / (a / x))
                print(
                    f"generate {a / x:8,.0f} tokens/s ({a} tokens)   spkit {b / y:8,.0f} tokens/s ({b} "
                    f"tokens)   ratio {ratios[-1]:.2f}"
                )
    print(f"median ratio {statistics.median(ratios):.2f} on {arguments.threads} threads")


if __name__ == "__main__":
    main()
