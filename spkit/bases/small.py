"""Small language models in the shape of the hub's: Qwen2 architecture and a byte-level BPE tokenizer
(`spkit pretrain words`).

They stand in for a hub model where no hub can be reached: what loads, quantises, adapts and samples Qwen2.5-1.5B
does the same with them.
"""

from collections.abc import Iterable

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

BPE_PAD, BPE_EOS = "<|pad|>", "<|endoftext|>"


def bpe_tokenizer(texts: Iterable[str], size: int, context: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of `size` tokens learned from `texts`: it knows every character, and each
    digit is a token, as in Qwen2.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[BPE_PAD, BPE_EOS], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=BPE_PAD,
        eos_token=BPE_EOS,
        padding_side="left",
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def small_qwen2(
    tokenizer: PreTrainedTokenizerFast, context: int, seed: int, *, width: int, layers: int, spread: float = 0.02
) -> Qwen2ForCausalLM:
    """A randomly initialised model for `tokenizer`: a function of its arguments, the global random state left as it
    was.

    `spread` is the standard deviation of the weights. Heads of 64 (32 where `width` is under 256), a quarter as many
    for keys and values, tied embeddings.
    """
    heads = width // (64 if width >= 256 else 32)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=round(8 * width / 3 / 64) * 64,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 4),
        max_position_embeddings=context,
        initializer_range=spread,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen2ForCausalLM(config)
