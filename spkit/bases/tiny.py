"""The tiny models of the course: an ordinary LlamaForCausalLM of about 1 M parameters, and a character tokenizer.

Both are what transformers, peft, bitsandbytes and TRL expect, so that nothing here is special to this package.
"""

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ..tasks.base import UNKNOWN

PAD, CHARACTER_EOS = "<pad>", "<eos>"


def char_tokenizer(alphabet: str, context: int) -> PreTrainedTokenizerFast:
    """One token a character of `alphabet`.

    Any other character becomes `<unk>`. No token is added to a text on its own.
    """
    vocabulary = {token: index for index, token in enumerate([PAD, CHARACTER_EOS, UNKNOWN, *alphabet])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=CHARACTER_EOS,
        unk_token=UNKNOWN,
        padding_side="left",
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def tiny_llama(
    tokenizer: PreTrainedTokenizerFast,
    context: int,
    seed: int,
    *,
    width: int = 128,
    layers: int = 4,
    spread: float = 0.02,
) -> LlamaForCausalLM:
    """A randomly initialised model for `tokenizer`: a function of its arguments, the global random state left as it
    was. `spread` is the standard deviation of the weights.
    """
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=round(8 * width / 3 / 8) * 8,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=max(1, width // 64),
        max_position_embeddings=context,
        initializer_range=spread,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)
