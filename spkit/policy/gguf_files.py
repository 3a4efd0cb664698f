"""A GGUF file as a checkpoint folder of transformers, in float32.

transformers reads the weights, and takes 4-bit ones apart; two things it leaves undone are done here. A model that was
read so cannot be saved until its quantisation is forgotten. And of the rules by which a text is split before its
tokens are looked up, a GGUF file holds no more than a name (`tokenizer.ggml.pre`), which transformers passes over: it
splits as GPT-2 does. SmolLM2 was trained with every digit apart, so that "\\n\\n5" is other tokens. The rules of a name
are those of llama.cpp (src/llama-vocab.cpp); a name that is not known here is refused.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerBase
from transformers import modeling_gguf_pytorch_utils as reading

from ..run.errors import SpkitError
from .checkpoints import no_bars

NO_GGUF = "reading a GGUF file needs the package gguf: pip install 'selfplay-kit[real]'"
NEEDED = ("tokenizer.ggml.model", "tokenizer.ggml.tokens", "tokenizer.ggml.merges")


def gguf_to_folder(file: Path, folder: Path, architecture: str = "llama") -> dict[str, Any]:
    """Write the model and tokenizer of a GGUF file as a checkpoint folder; returns what the file says of itself.

    Raises SpkitError if the package gguf is missing, or the file is damaged, of another architecture, or without a
    tokenizer whose rules are known.
    """
    about = describe_gguf(file, architecture)
    place, options = str(file.parent), {"gguf_file": file.name}
    with no_bars(), _without_bar(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tokenizer = AutoTokenizer.from_pretrained(place, **options)
        read = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, **options)
        model = _plain(read)
        _split_as_trained(tokenizer, about["splitting"])
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return about


def describe_gguf(file: Path, architecture: str = "llama") -> dict[str, Any]:
    """`splitting`, the name of the rules for splitting; `weights`, the commonest type of number; `chat`, whether there
    is a chat template. Raises what `gguf_to_folder` does.
    """
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise SpkitError(NO_GGUF) from error
    try:
        reader = GGUFReader(file)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise SpkitError(f"{file.name} is no GGUF file, or damaged ({error}): take another one") from error
    said = lambda key: reader.fields[key].contents() if key in reader.fields else None
    found = said("general.architecture")
    if found != architecture:
        raise SpkitError(f"{file.name} holds a model of the architecture {found}, not {architecture}: take another one")
    if missing := [key for key in NEEDED if key not in reader.fields]:
        raise SpkitError(f"{file.name} has no tokenizer ({missing[0]} is missing): take another file of the model")
    splitting = said("tokenizer.ggml.pre")
    if splitting not in _rules():
        raise SpkitError(
            f"{file.name} splits texts by the rules {splitting!r}, and known are {', '.join(_rules())}: take the "
            "model from the hub"
        )
    types = [tensor.tensor_type.name for tensor in reader.tensors if len(tensor.shape) > 1]
    return {
        "splitting": splitting,
        "weights": max(sorted(set(types)), key=types.count, default="none"),
        "chat": "tokenizer.chat_template" in reader.fields,
    }


def _rules() -> dict[str, pre_tokenizers.PreTokenizer]:
    gpt2, digits = pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Digits(individual_digits=True)
    return {"smollm": pre_tokenizers.Sequence([digits, gpt2]), "gpt-2": gpt2}


def _split_as_trained(tokenizer: PreTrainedTokenizerBase, splitting: str) -> None:
    tokenizer.backend_tokenizer.pre_tokenizer = _rules()[splitting]


def _plain(read: LlamaForCausalLM) -> LlamaForCausalLM:
    """The same weights in a model that was never quantised; it shares their memory, and can be saved, not run."""
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):
        model = type(read)(config)
    model.load_state_dict(read.state_dict(), assign=True)
    model.tie_weights()
    model.generation_config = read.generation_config
    return model


@contextmanager
def _without_bar() -> Iterator[None]:
    """Keep off the terminal the bar that the reader of transformers draws, whatever is asked of its logging."""
    bar, reading.tqdm = reading.tqdm, lambda items, **_: items
    try:
        yield
    finally:
        reading.tqdm = bar
