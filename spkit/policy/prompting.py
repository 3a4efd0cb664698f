"""How a task's prompt is shown to a model: as it is, after solved examples, or as a chat.

A model that we pretrained knows its task's format, and the prompt is shown as it is (`plain`). A base model of the hub is shown a few solved
problems first, a blank line after each (`few_shot`); the blank line then ends a completion, as the end token does. A model with a chat
template gets an instruction, the solved problems as earlier turns, and the prompt as the last one (`chat`).

The prompting belongs to the policy: what is sampled, scored and trained is shown in one form. (SPIN's official repository draws replies under
one template and scores them under another, so that they are not the scored policy's own.)
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from transformers import PreTrainedTokenizerBase

from ..errors import SpkitError
from ..tasks.base import Task

DEMONSTRATION_STREAM = 1_000_033  # demonstrations come from this stream of the train split; give no loop this seed
BREAK = "\n\n"
KINDS = ("plain", "few_shot", "chat")


@dataclass(frozen=True)
class Prompting:
    """The form of a prompt. `demonstrations` are (prompt, completion) pairs, `instruction` is said once, before them.

    `roles` holds other promptings of the same kind, each with a mark: a prompt is shown by the first whose mark it contains. So a proposer is shown
    proposals, and a solver solutions.
    """

    kind: Literal["plain", "few_shot", "chat"] = "plain"
    demonstrations: tuple[tuple[str, str], ...] = ()
    instruction: str = ""
    roles: tuple[tuple[str, "Prompting"], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SpkitError(f"unknown prompting {self.kind!r}: choose one of {', '.join(KINDS)}")
        if any(role.kind != self.kind for _, role in self.roles):
            raise SpkitError("all roles are shown their prompts in one form: a completion ends in one way")
        if self.kind == "plain" and (self.demonstrations or self.instruction):
            raise SpkitError("plain prompting shows the prompt alone: choose few_shot or chat to show demonstrations or an instruction")

    def show(self, tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
        """Token ids of the prompt in its form."""
        for mark, role in self.roles:
            if mark in prompt:
                return role.show(tokenizer, prompt)
        if self.kind == "chat":
            return self._chat(tokenizer, prompt)
        before = [self.instruction] if self.instruction else []
        parts = [*before, *(asked + answer for asked, answer in self.demonstrations), prompt]
        return tokenizer(BREAK.join(parts), add_special_tokens=True)["input_ids"]

    def _chat(self, tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
        turns = [{"role": role, "content": text} for pair in self.demonstrations for role, text in zip(("user", "assistant"), pair)]
        turns.append({"role": "user", "content": prompt})
        turns[0]["content"] = f"{self.instruction}\n\n{turns[0]['content']}" if self.instruction else turns[0]["content"]
        text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    def stop_ids(self, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
        """Tokens that end a completion: the end token; in a chat, the template's own at the end of a turn, too, which a base model's end token
        is not; after solved examples every token with a blank line in it.
        """
        ends = {tokenizer.eos_token_id, *self.end_ids(tokenizer)} if self.kind == "chat" else {tokenizer.eos_token_id}
        if self.kind == "few_shot":
            ends |= {index for index, text in enumerate(_texts(tokenizer)) if BREAK in text}
        return frozenset(ends)

    def end_ids(self, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        """What a completion that is written for the model ends with; `stop_ids` holds its last token."""
        if self.kind == "plain":
            return [tokenizer.eos_token_id]
        if self.kind == "chat":
            return [_turn_end(tokenizer)]
        ids = tokenizer(BREAK, add_special_tokens=False)["input_ids"]
        return ids if len(ids) == 1 else [tokenizer.eos_token_id]

    def text(self, tokenizer: PreTrainedTokenizerBase, ids: list[int], finished: bool) -> str:
        """A completion's text, without what ended it."""
        kept = not finished or (self.kind == "few_shot" and BREAK in tokenizer.decode(ids[-1:]))
        text = tokenizer.decode(ids if kept else ids[:-1])
        return text.split(BREAK)[0] if self.kind == "few_shot" and finished else text


def prompting_for(
    task: Task, tokenizer: PreTrainedTokenizerBase, kind: Literal["auto", "plain", "few_shot", "chat"] = "auto", shown: int = 4, hinted: int = 2
) -> Prompting:
    """The prompting of a task, `auto` being a chat where the tokenizer has a template, else few-shot.

    `shown` demonstrations are problems with the task's own solutions, difficulties in turn from the easiest; `hinted` more have the answer in
    the prompt, as rationalization shows it (STaR, arXiv:2203.14465), so that the model has seen what a hint looks like. A task that has
    `demonstrations()` is shown by those, and its `roles(stream, shown)` become roles; its `instruction`, if it has one, comes first. Raises
    SpkitError if a chat is asked of a tokenizer without a template.
    """
    chosen = ("chat" if tokenizer.chat_template else "few_shot") if kind == "auto" else kind
    if chosen == "chat" and not tokenizer.chat_template:
        raise SpkitError("this model has no chat template: choose few_shot prompting")
    if chosen == "plain":
        return Prompting()
    if hasattr(task, "demonstrations"):
        problems = task.demonstrations()[: shown + hinted]
    else:
        problems = [task.problem(DEMONSTRATION_STREAM, index) for index in range(shown + hinted)]
    prompts = [problem.prompt for problem in problems[:shown]] + [task.hint(problem) for problem in problems[shown:]]
    pairs = tuple((prompt, task.solution(problem)) for prompt, problem in zip(prompts, problems))
    others = task.roles(DEMONSTRATION_STREAM, shown) if hasattr(task, "roles") else []
    roles = tuple((mark, Prompting(chosen, tuple(examples), instruction)) for mark, examples, instruction in others)
    return Prompting(chosen, pairs, getattr(task, "instruction", ""), roles)


def as_data(prompting: Prompting) -> dict[str, Any]:
    """Plain data that `from_data` reads."""
    return asdict(prompting)


def from_data(data: dict[str, Any]) -> Prompting:
    """The prompting that `as_data` wrote."""
    pairs = tuple((prompt, answer) for prompt, answer in data["demonstrations"])
    roles = tuple((mark, from_data(role)) for mark, role in data.get("roles", ()))
    return Prompting(data["kind"], pairs, data["instruction"], roles)


def _turn_end(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that the chat template puts behind what an assistant says; the end token if it puts none of its own there."""
    turns = [{"role": "user", "content": "."}, {"role": "assistant", "content": "."}]
    after = tokenizer.apply_chat_template(turns, tokenize=False).rpartition(".")[2]
    ids = tokenizer(after, add_special_tokens=False)["input_ids"]
    return ids[0] if ids and ids[0] in tokenizer.added_tokens_decoder else tokenizer.eos_token_id


def _texts(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    return tokenizer.batch_decode([[index] for index in range(len(tokenizer))])
