"""Completions that end with a text (the blank line after a solved example), whatever tokens write it.

One tokenizer writes a blank line as one token, another as two; a third joins it to the full stop before it;
a fourth spells it in bytes. So the end is looked for in the decoded text. What a completion holds is the
same in every sampling path:

    token_ids, token_logprobs   up to and including the token that completes the stop text
    texts                       what stands before the stop text, even within that token
    finished                    whether the decoded tokens hold the stop text, or the last one is an end token

A row that repeats itself is cut as one that meets `max_new_tokens` is: it holds the tokens up to there, and is not
finished.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

REPLACED = "\ufffd"  # how bytes that are no character yet are decoded
SLACK = 8  # tokens before the stop text that are decoded with it, so that nothing at its edge is lost


@dataclass(frozen=True)
class Repetition:
    """Cuts rows that go round in circles: one whose last `length` tokens stand `times` times in it, side by side or
    apart, without overlap. (So a ruler of ten equal tokens is none.) Such a row has not finished.
    """

    length: int = 8
    times: int = 3

    def counts(self) -> "Repetitions":
        """What is counted of the rows of one batch, none of them with a token yet."""
        return Repetitions(self)


class Repetitions:
    """How often each row has every sequence of `length` tokens, token by token."""

    def __init__(self, rule: Repetition) -> None:
        self.rule = rule
        self._rows: dict[int, tuple[list[int], dict[tuple[int, ...], tuple[int, int]]]] = {}

    def cut(self, row: int, token: int) -> bool:
        """Whether the row, with this token, has repeated itself too often."""
        ids, seen = self._rows.setdefault(row, ([], {}))
        ids.append(token)
        length, end = self.rule.length, len(ids)
        if end < length:
            return False
        key = tuple(ids[-length:])
        count, last = seen.get(key, (0, 0))
        if end - length >= last:  # it begins where the one that was counted last has ended
            count, last = count + 1, end
            seen[key] = (count, last)
        return count >= self.rule.times

    def ended(self, chosen: Tensor, rows: Tensor, writing: Tensor) -> Tensor:
        """Which lines (lines,) their last token, `chosen` (lines,), cuts.

        Line i writes row `rows[i]`, if `writing[i]`.
        """
        lines = zip(rows.tolist(), chosen.tolist(), writing.tolist())
        return torch.tensor([goes_on and self.cut(row, token) for row, token, goes_on in lines], device=writing.device)


class StopText:
    """Looks for a stop text in completions, token by token.

    It decodes a row only where its last token may complete the text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, text: str) -> None:
        self.tokenizer, self.text = tokenizer, text
        self._reach = len(text.encode()) + SLACK
        self._pieces: dict[int, str] = {}

    def ended(self, tokens: Tensor, rows: Tensor, writing: Tensor) -> Tensor:
        """Which lines (lines,) their last token ends.

        `tokens` (rows, written so far); line i writes row `rows[i]`, if `writing[i]`.
        """
        last = zip(tokens[rows, -1].tolist(), writing.tolist())
        lines = [line for line, (token, goes_on) in enumerate(last) if goes_on and self._may_end(token)]
        done = [line for line, ids in zip(lines, tokens[rows[lines]].tolist()) if self.ends(ids)] if lines else []
        result = torch.zeros_like(writing)
        result[done] = True
        return result

    def ends(self, ids: Sequence[int]) -> bool:
        """Whether the decoded tokens hold the stop text, if they did not without the last token."""
        tail = ids[-self._reach :]
        text = self.tokenizer.decode(tail)
        if self.text not in text and REPLACED not in text and all(map(self._piece, tail)):
            return False
        return self.text in self.tokenizer.decode(ids)

    def _may_end(self, token: int) -> bool:
        piece, end = self._piece(token), self.text[-1]
        return end in piece or (not end.isascii() and REPLACED in piece)

    def _piece(self, token: int) -> str:
        """The token's text, twice, as some decoders drop the first space.

        Empty for an index that the tokenizer does not know.
        """
        if token not in self._pieces:
            self._pieces[token] = self.tokenizer.decode([token, token])
        return self._pieces[token]


def ids_up_to(tokenizer: PreTrainedTokenizerBase, text: str, stop: str, following: str) -> list[int]:
    """Token ids of `text + stop` as they are where `following` comes next, which may decide how `stop` is split.

    They decode to exactly that: where a token would reach into `following`, they are those without it.
    """
    alone, joined = (tokenizer(text + stop + after, add_special_tokens=False)["input_ids"] for after in ("", following))
    whole = tokenizer.decode(alone)
    for count in range(len(joined), 0, -1):
        found = tokenizer.decode(joined[:count])
        if found == whole:
            return joined[:count]
        if not found.startswith(whole):
            break
    return alone
