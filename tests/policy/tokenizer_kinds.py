"""Small tokenizers in the shapes of the hub's, which write a blank line in different ways; made
here, without a network.

`two` and `one` differ in whether two line breaks were merged; `gpt2` has the merge and GPT-2's own way to split text,
by which a blank line is one token at the end of a text and two before more of it; `qwen` splits as Qwen2 and Llama 3
do, so that a blank line joins the full stop before it; `llama2` is a sentencepiece model in Llama-2's shape, which
spells what it does not know, line breaks too, in bytes.
"""

from collections.abc import Callable

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

END = "<|endoftext|>"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def byte_level(pattern: str, merges: list[tuple[str, str]]) -> PreTrainedTokenizerFast:
    """A byte-level BPE with these merges, Ċ standing for a line break."""
    texts = [END, *sorted(pre_tokenizers.ByteLevel.alphabet()), *dict.fromkeys(a + b for a, b in merges)]
    tokenizer = Tokenizer(models.BPE({text: index for index, text in enumerate(texts)}, merges))
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=END, clean_up_tokenization_spaces=False
    )


def llama2() -> PreTrainedTokenizerFast:
    """Characters, a few merges, and bytes for everything else; a space is ▁, and one stands before every text."""
    letters = list("▁0123456789+=.abcdefgh")
    texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters, "46", "▁b"]
    vocabulary = {text: index for index, text in enumerate(texts)}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, [("4", "6"), ("▁", "b")], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    named = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **named)


KINDS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "two": lambda: byte_level(GPT2, [("4", "6")]),
    "one": lambda: byte_level(QWEN, [("Ċ", "Ċ"), ("4", "6")]),
    "gpt2": lambda: byte_level(GPT2, [("Ċ", "Ċ"), ("ĊĊ", "Ċ"), ("4", "6")]),
    "qwen": lambda: byte_level(QWEN, [("Ċ", "Ċ"), (".", "ĊĊ"), (".", "Ċ")]),
    "llama2": llama2,
}
