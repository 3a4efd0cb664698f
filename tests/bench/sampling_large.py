"""`Policy.sample` and Hugging Face `generate` on a real model on a CPU: time, and the most memory.

    python tests/bench/sampling_large.py stories [--model FOLDER] [--rounds 3] [--without prefix repetition]
    python tests/bench/sampling_large.py word_problems

`stories`: 64 short stories as a chat without examples, 64 new tokens. `word_problems`: 64 problems behind 4 solved
examples and 2 with a hint, about 700 tokens each, 96 new tokens. Temperature 0.8, one sample each, one thread; both
sides are given the same prompts, end tokens and most new tokens, and `generate` all rows in one batch.

The sides take turns, each turn in a process of its own, which loads the model, warms up on two prompts, and then
measures: seconds of the processor (other programs do not count), seconds by the clock, tokens up to the end of each
row, and the process's peak memory. Two ratios: of the time for the whole batch, and of tokens a second; rows that are
cut because they repeat themselves count for less in the second. `--without` turns parts of the engine off, which
shows what each is worth.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from unittest.mock import patch

import torch

from spkit.policy import Policy, load_policy
from spkit.policy.checkpoints import no_bars
from spkit.policy.prompting import prompting_for
from spkit.policy.stopping import Repetition
from spkit.tasks import load_task, problems

CASES = {"stories": (64, 64), "word_problems": (64, 96)}  # rows, new tokens
TEMPERATURE = 0.8
PARTS = {
    "prefix": ("spkit.policy.policy.SHARED_FROM", 10**9),
    "repetition": ("spkit.policy.policy.Repetition", lambda: Repetition(times=10**9)),
    "retiring": ("spkit.policy.shared_prefix.SharedPrefixDecoder.retires", lambda *_: False),
    "onednn": ("spkit.policy.cpu_linear.has_onednn", lambda: False),
    "draws": ("spkit.policy.drawing.LARGE_VOCABULARY", 10**9),
}


def ours(policy: Policy, prompts: list[str], limit: int) -> list[int]:
    """Length of each row, its end included."""
    generator = torch.Generator().manual_seed(0)
    drawn = policy.sample(prompts, temperature=TEMPERATURE, max_new_tokens=limit, generator=generator)
    return [len(ids) for ids in drawn.token_ids]


def hugging_face(policy: Policy, prompts: list[str], limit: int) -> list[int]:
    """Length of each row, its end included."""
    policy.tokenizer.padding_side = "left"
    encoded = policy.tokenizer.pad({"input_ids": [policy.prompt_ids(p) for p in prompts]}, return_tensors="pt")
    torch.manual_seed(0)
    more = {"do_sample": True, "temperature": TEMPERATURE, "top_k": 0, "top_p": 1.0, "pad_token_id": policy.pad_id}
    ends = sorted(policy.stop_ids)
    with no_bars():
        output = policy.model.generate(**encoded, **more, max_new_tokens=limit, eos_token_id=ends)
    new = output[:, encoded["input_ids"].shape[1] :]
    ended = torch.isin(new, torch.tensor(ends)).int()
    return (ended.cumsum(1) - ended == 0).sum(1).tolist()


SIDES: dict[str, Callable[[Policy, list[str], int], list[int]]] = {"spkit": ours, "generate": hugging_face}


@contextmanager
def without(names: list[str]) -> Iterator[None]:
    """The engine without some of its parts."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(patch(*PARTS[name]))
        yield


def measure(side: str, case: str, model: str) -> dict[str, float]:
    """One turn, in this process."""
    torch.set_num_threads(1)
    policy, task, (rows, limit) = load_policy(model), load_task(case), CASES[case]
    policy = policy.prompted(prompting_for(task, policy.tokenizer))
    prompts = [problem.prompt for problem in problems(task, 0, 0, rows)]
    SIDES[side](policy, prompts[:2], 2)
    clock, processor = time.perf_counter(), time.process_time()
    lengths = SIDES[side](policy, prompts, limit)
    return {
        "tokens": sum(lengths),
        "seconds": time.process_time() - processor,
        "clock": time.perf_counter() - clock,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "prompt": max(len(policy.prompt_ids(prompt)) for prompt in prompts),
    }


def turn(side: str, arguments: argparse.Namespace) -> dict[str, float]:
    """One turn, in a process of its own."""
    options = ["--model", arguments.model, "--side", side, "--without", *arguments.without]
    command = [sys.executable, __file__, arguments.case, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{side:8} {found['seconds']:6.1f} s ({found['clock']:.1f} by the clock), {found['tokens']:5} tokens behind "
        f"{found['prompt']}, {found['tokens'] / found['seconds']:6.1f} a second, peak {found['peak'] / 1e9:.2f} GB",
        flush=True,
    )
    return found


def main() -> None:
    """Print one line a turn, and the median ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--model", default="smollm2", help="a name or a folder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without", nargs="*", default=[], choices=PARTS)
    parser.add_argument("--only", choices=SIDES, help="this side alone, for --without")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        with without(arguments.without):
            print(json.dumps(measure(arguments.side, arguments.case, arguments.model)))
        return
    sides = [arguments.only] if arguments.only else list(SIDES)
    found = [{side: turn(side, arguments) for side in sides} for _ in range(arguments.rounds)]
    if not arguments.only:
        batch = median(one["generate"]["seconds"] / one["spkit"]["seconds"] for one in found)
        speed = median(
            one["spkit"]["tokens"] / one["spkit"]["seconds"] * one["generate"]["seconds"] / one["generate"]["tokens"]
            for one in found
        )
        print(f"median ratios: {batch:.1f} for the batch, {speed:.1f} in tokens a second")


if __name__ == "__main__":
    main()
