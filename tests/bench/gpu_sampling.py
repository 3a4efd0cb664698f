"""Tokens a second of our two samplers and of Hugging Face `generate`, in one process on the same
model, prompts and rows.

    python tests/bench/gpu_sampling.py --model Qwen/Qwen2.5-1.5B-Instruct --four-bit --lora 16 --out result.json
    python tests/bench/gpu_sampling.py --shape 1.5b --four-bit          random weights of the true
    shape: nothing is downloaded
    python tests/bench/gpu_sampling.py --shape tiny                     on a CPU, to see that it runs

`static` replays CUDA graphs on a GPU and runs its steps eagerly on a CPU. Random weights hardly ever end a text, so
that all rows go on to `--new-tokens`; with `--model` they end when they end, and what is counted is the tokens up to
and including each row's end token. The sides take turns, and the ratio is taken within each turn: machines are noisy.
The first turn warms up, captures the graphs, and shows each side's peak of memory, which at temperature 0 is also where
the two samplers' texts are compared. `sampling.py` beside this file does the same for the shipped models.
"""

import argparse
import gc
import json
import platform
import random
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from sampling import hugging_face, ours
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, Qwen2Config

from spkit.bases.tiny import char_tokenizer
from spkit.policy import Policy
from spkit.policy.checkpoints import no_bars
from spkit.policy.memory import estimate

# hidden size, feed-forward size, layers, heads, heads of keys and values, vocabulary; the Qwen2.5 models but the first
SHAPES = {
    "tiny": (64, 176, 2, 4, 2, 1000),
    "0.5b": (896, 4864, 24, 14, 2, 151936),
    "1.5b": (1536, 8960, 28, 12, 2, 151936),
    "3b": (2048, 11008, 36, 16, 2, 151936),
}
ALPHABET = "0123456789+=#:;"
Side = Callable[[int], tuple[int, float]]
Turn = dict[str, dict[str, float]]


def in_four_bits(model: PreTrainedModel, dtype: torch.dtype) -> None:
    """Put every linear layer but the head in NF4 with double quantisation, on the device it is on."""
    import bitsandbytes as bnb

    nf4 = {"quant_type": "nf4", "compress_statistics": True}
    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if type(layer) is torch.nn.Linear and layer is not model.get_output_embeddings():
                four = bnb.nn.Linear4bit(
                    layer.in_features, layer.out_features, bias=layer.bias is not None, compute_dtype=dtype, **nf4
                )
                four.weight, four.bias = (
                    bnb.nn.Params4bit(layer.weight.data.cpu(), requires_grad=False, **nf4),
                    layer.bias,
                )
                setattr(module, name, four.to(layer.weight.device))


def policy_of(arguments: argparse.Namespace) -> Policy:
    """The policy that is measured, on its device."""
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device != "cpu" else torch.float32
    context = arguments.prompt_tokens + arguments.new_tokens
    torch.manual_seed(0)
    if arguments.model:
        tokenizer = AutoTokenizer.from_pretrained(arguments.model, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=dtype).to(device)
    else:
        hidden, wide, layers, heads, kv, vocabulary = SHAPES[arguments.shape]
        sizes = {
            "hidden_size": hidden,
            "intermediate_size": wide,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
        }
        sizes |= {"num_key_value_heads": kv, "vocab_size": vocabulary, "max_position_embeddings": max(context, 4096)}
        tokenizer = char_tokenizer(ALPHABET, context)
        ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
        with torch.device(device):
            model = AutoModelForCausalLM.from_config(
                Qwen2Config(**sizes, **ends, tie_word_embeddings=True), dtype=dtype
            )
    if arguments.four_bit:
        in_four_bits(model, dtype)
    if arguments.lora:
        import peft

        model = peft.get_peft_model(
            model, peft.LoraConfig(r=arguments.lora, target_modules="all-linear", init_lora_weights=False)
        )
    return Policy(model, tokenizer)


def prompts_of(policy: Policy, count: int, longest: int) -> list[str]:
    """Sums of from half of `longest` to `longest` tokens."""
    draw, prompts = random.Random(0), []
    for number in range(count):
        length, text = longest - number * (longest // 2) // count, ""
        while len(policy.tokenizer(text)["input_ids"]) < length:
            text += draw.choice(ALPHABET[:11])
        prompts.append(text[:-1] + "=")
    return prompts


def peak(device: torch.device) -> int | None:
    """Bytes allocated at most since the last look on a GPU; None on a CPU."""
    if device.type != "cuda":
        return None
    most = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return most


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", help="a hub id or a checkpoint folder")
    what.add_argument("--shape", choices=SHAPES, help="random weights")
    parser.add_argument("--four-bit", action="store_true")
    parser.add_argument("--lora", type=int, default=0, metavar="RANK")
    parser.add_argument("--device")
    for name, default in (
        ("prompts", 16),
        ("samples", 8),
        ("prompt-tokens", 200),
        ("new-tokens", 256),
        ("repeats", 3),
        ("threads", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument(
        "--peer-cache",
        choices=("dynamic", "static"),
        default="dynamic",
        help="of generate; static is compiled on a GPU",
    )
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    return parser.parse_args()


def take_turns(sides: dict[str, Side], repeats: int, device: torch.device) -> tuple[list[Turn], dict[str, int | None]]:
    """Every side's tokens, seconds and speed in each turn, and its peak of memory in a turn before the first."""
    turns, peaks = [], {}
    for turn in range(-1, repeats):
        peak(device)
        speeds = {}
        for name, side in sides.items():
            tokens, seconds = side(turn + 1)
            speeds[name] = {"tokens": tokens, "seconds": seconds, "speed": tokens / seconds}
            if turn == -1:
                peaks[name] = peak(device)
                print(
                    f"{name}: first turn {seconds:.1f} s"
                    + (f", peak {peaks[name] / 1e9:.2f} GB" if peaks[name] else "")
                )
                gc.collect()
        if turn >= 0:
            turns.append(speeds)
            print("   ".join(f"{name} {one['speed']:8,.0f} tokens/s ({one['tokens']})" for name, one in speeds.items()))
    return turns, peaks


def main() -> None:
    """Print one line a turn, and the median ratios."""
    arguments = parsed()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    policy = policy_of(arguments)
    device, samples, new = policy.model.device, arguments.samples, arguments.new_tokens
    prompts, rows = prompts_of(policy, arguments.prompts, arguments.prompt_tokens), arguments.prompts * samples
    print(f"{rows} rows on {device}: {estimate(policy.model, rows, arguments.prompt_tokens, new, 1)}")
    both = {kind: Policy(policy.model, policy.tokenizer, sampler=kind) for kind in ("growing", "static")}
    sides = {
        "generate": lambda seed: hugging_face(
            policy, prompts, seed, samples, new, cache_implementation=arguments.peer_cache
        )
    }
    sides |= {kind: lambda seed, one=one: ours(one, prompts, seed, samples, new) for kind, one in both.items()}
    with no_bars():
        turns, peaks = take_turns(sides, arguments.repeats, device)
        texts = [
            one.sample(prompts[:4], temperature=0.0, max_new_tokens=min(new, 64)).token_ids for one in both.values()
        ]
    ratios = {
        kind: statistics.median(turn[kind]["speed"] / turn["generate"]["speed"] for turn in turns) for kind in both
    }
    decoder = both["static"].decoder()
    graphs = {"captured": sorted(decoder.replays), "failed": device.type == "cuda" and decoder.graphs is None}
    same = sum(a == b for a, b in zip(*texts))
    print(
        f"median ratio to generate: {', '.join(f'{kind} {ratio:.2f}' for kind, ratio in ratios.items())}; "
        f"same greedy texts {same} of 4"
    )
    print(f"graphs: {len(graphs['captured'])} captured, {'and capture failed' if graphs['failed'] else 'none failed'}")
    if arguments.out:
        asked = {key: value for key, value in vars(arguments).items() if key != "out"}
        name = (
            torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
        )
        versions = {"torch": torch.__version__, "transformers": transformers.__version__}
        result = {
            "asked": asked,
            "device": name,
            "versions": versions,
            "turns": turns,
            "ratios": ratios,
            "peaks": peaks,
            "graphs": graphs,
        }
        arguments.out.write_text(json.dumps({**result, "same_greedy_texts_of_4": same}, indent=1) + "\n")


if __name__ == "__main__":
    main()
