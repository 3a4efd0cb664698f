"""What a policy samples."""

from dataclasses import dataclass

from torch import Tensor

Pair = tuple[str, list[int]]  # prompt, token ids of the completion


@dataclass(frozen=True)
class Rollouts:
    """Completions, row `i * n + j` being sample j of prompt i.

    `token_ids[r]` holds the completion's tokens, what ended it included if the row `finished` (an end token, or the
    tokens up to the one that completes a stop text); `token_logprobs[r]` their log-probabilities under the policy at
    temperature 1 (nats), `logprobs` (rows,) their sums; `texts[r]` excludes the end.
    """

    prompts: list[str]
    token_ids: list[list[int]]
    texts: list[str]
    token_logprobs: list[Tensor]
    logprobs: Tensor
    finished: list[bool]

    @property
    def tokens(self) -> int:
        """How many tokens were decoded, ends included."""
        return sum(map(len, self.token_ids))

    def __len__(self) -> int:
        return len(self.texts)
