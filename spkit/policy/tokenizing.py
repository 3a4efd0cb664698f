"""Which tokenizer a checkpoint is read with.

transformers 5 chooses the class by the kind of model: for Qwen2 it takes vocabulary and merges from `tokenizer.json`
and puts its own rules for splitting beside them, whatever the file says. A model that was trained with other rules
then reads texts cut otherwise, and is worse, with no error. So a checkpoint of ours is read with its file as it is,
and for others it is checked whether the two agree.
"""

from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.utils import cached_file

from ..run.errors import SpkitError
from ..run.progress import tell
from .architecture import text_config

FILE = "tokenizer.json"
SPLITTING_PROBE = (  # what rules for splitting differ in
    "12345 + 67,890.5 = 1e-3",
    "def f(x):\n    if x:\n\n\treturn x[0]\r\n",
    "  two  spaces,   three, and one behind ",
    "I'm sure they'll say it's Ada's, I'D SAY",
    "na\u00efve nai\u0308ve \u6f22\u5b57 \u0440\u0443\u0441 \U0001f600",
    '("a"!=b)&&{c}?...--->_x_y',
    "HTTPServer2go iPhone15",
)


def load_tokenizer(where: str, revision: str | None, ours: bool) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder or on the hub: for a checkpoint of ours what `tokenizer.json` says, for others what
    transformers makes of it.

    Where the two cut a text differently, that is told. Raises what the readers raise.
    """
    exact = ours and (Path(where) / FILE).is_file()
    kind = PreTrainedTokenizerFast if exact else AutoTokenizer
    tokenizer = kind.from_pretrained(where, revision=revision, trust_remote_code=False)
    file = cached_file(where, FILE, revision=revision, _raise_exceptions_for_missing_entries=False)
    found = None if file is None else first_difference(tokenizer, Tokenizer.from_file(file))
    if found is not None:
        tell(
            f"spkit: {where} is read with {type(tokenizer).__name__} of transformers, which cuts {found!r} "
            f"otherwise than its {FILE} does; if the "
            "model was trained with that file, make a Policy of load_policy(...).model and "
            "PreTrainedTokenizerFast.from_pretrained(...)"
        )
    return tokenizer


def first_difference(tokenizer: PreTrainedTokenizerBase, file: Tokenizer) -> str | None:
    """A text that a tokenizer and a `tokenizer.json` give different token ids, or None.

    Tokens that are added at either end do not count.
    """
    file.no_padding()
    file.no_truncation()
    special = [f"a{token.content}\n1" for token in file.get_added_tokens_decoder().values() if token.special]
    ids = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    return next(
        (
            text
            for text in (*SPLITTING_PROBE, *special[:20])
            if ids(text) != file.encode(text, add_special_tokens=False).ids
        ),
        None,
    )


def with_end_token(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, where: str) -> PreTrainedTokenizerBase:
    """The tokenizer, its end token set to the first one that the model's settings name, if it has none. Raises
    SpkitError if they have none either.
    """
    if tokenizer.eos_token_id is None:
        named = (
            getattr(model.generation_config, "eos_token_id", None),
            getattr(text_config(model.config), "eos_token_id", None),
        )
        ids = [index for found in named for index in (found if isinstance(found, list) else [found])]
        known = (index for index in ids if index is not None and 0 <= index < len(tokenizer))
        token = next(map(tokenizer.convert_ids_to_tokens, known), None)
        if token is None:
            raise SpkitError(
                f"{where} has no end token, so no completion would end: name one as eos_token in its "
                "tokenizer_config.json"
            )
        tokenizer.eos_token = token
    return tokenizer
