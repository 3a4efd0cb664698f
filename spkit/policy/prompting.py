"""How a task's prompt is shown to a model: as it is, after solved examples, or as a chat.

A model that we pretrained knows its task's format, and the prompt is shown as it is (`plain`). A base model of the hub
is shown a few solved problems first, a blank line after each (`few_shot`); the blank line then ends a completion, as
the end token does (`stopping`). A model with a chat template gets an instruction, the solved problems as earlier turns,
and the prompt as the last one (`chat`).

The prompting belongs to the policy: what is sampled, scored and trained is shown in one form. (SPIN's
official repository draws replies under one template and scores them under another, so that they are not
the scored policy's own.)
"""

import json
import zlib
from dataclasses import dataclass, replace
from typing import Any, Literal

from transformers import PreTrainedTokenizerBase

from ..run.errors import SpkitError
from ..run.streams import DEMONSTRATIONS
from ..tasks.base import Task
from .chat import rendered, turn_end
from .stopping import ids_up_to

BREAK = "\n\n"
_EXAMPLES = (4, 2)  # solved examples by default, without and with the answer in the prompt
PROMPTINGS = ("plain", "few_shot", "chat")


@dataclass(frozen=True)
class Prompting:
    """The form of a prompt. `demonstrations` are (prompt, completion) pairs, `instruction` is said once, before them.

    `roles` holds other promptings of the same kind, each with a mark: a prompt is shown by the first whose mark it
    contains. So a proposer is shown proposals, and a solver solutions. `date` (2025-12-31) is what a chat template
    prints as today's; without it, it prints the day's own.
    """

    kind: Literal["plain", "few_shot", "chat"] = "plain"
    demonstrations: tuple[tuple[str, str], ...] = ()
    instruction: str = ""
    roles: tuple[tuple[str, "Prompting"], ...] = ()
    date: str = ""

    def __post_init__(self) -> None:
        if self.kind not in PROMPTINGS:
            raise SpkitError(f"unknown prompting {self.kind!r}: choose one of {', '.join(PROMPTINGS)}")
        if any(role.kind != self.kind for _, role in self.roles):
            raise SpkitError("all roles are shown their prompts in one form: a completion ends in one way")
        if self.kind == "plain" and (self.demonstrations or self.instruction):
            raise SpkitError(
                "plain prompting shows the prompt alone: choose few_shot or chat to show demonstrations or "
                "an instruction"
            )

    def show(self, tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
        """Token ids of the prompt in its form."""
        return tokenizer(self.render(tokenizer, prompt), add_special_tokens=self.kind != "chat")["input_ids"]

    def render(self, tokenizer: PreTrainedTokenizerBase, prompt: str) -> str:
        """The prompt in its form, as text."""
        for mark, role in self.roles:
            if mark in prompt:
                return replace(role, date=self.date).render(tokenizer, prompt)
        if self.kind == "chat":
            return rendered(tokenizer, self.turns(prompt), self.date, add_generation_prompt=True)
        before = [self.instruction] if self.instruction else []
        return BREAK.join([*before, *(asked + answer for asked, answer in self.demonstrations), prompt])

    def turns(self, prompt: str) -> list[dict[str, str]]:
        """The turns of a chat that end in the prompt, by the role that it belongs to."""
        for mark, role in self.roles:
            if mark in prompt:
                return role.turns(prompt)
        turns = [
            {"role": role, "content": text}
            for pair in self.demonstrations
            for role, text in zip(("user", "assistant"), pair)
        ]
        turns.append({"role": "user", "content": prompt})
        turns[0]["content"] = (
            f"{self.instruction}\n\n{turns[0]['content']}" if self.instruction else turns[0]["content"]
        )
        return turns

    def dated(self, tokenizer: PreTrainedTokenizerBase) -> bool:
        """Whether the prompt is another one on another day."""
        days = ("1999-12-31", "2006-05-04")  # that differ in year, month, day and weekday
        return self.kind == "chat" and len({replace(self, date=day).render(tokenizer, "?") for day in days}) > 1

    def identity(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
        """Plain data that differs where prompts do: the kind, checksums of what makes a prompt and of a rendered one,
        and the date if it is printed.
        """
        if self.kind == "plain":
            return {"kind": self.kind}
        marks = [mark for mark, _ in self.roles]
        return {
            "kind": self.kind,
            **({"template": _checksum(tokenizer.get_chat_template())} if self.kind == "chat" else {}),
            "examples": _checksum(as_data(replace(self, date=""))),
            **({"date": self.date} if self.date else {}),
            "rendered": _checksum([self.render(tokenizer, prompt) for prompt in (*marks, "?")]),
        }

    def stop_ids(self, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
        """Tokens that end a completion: the end token; in a chat, the template's own at the end of a turn, too, which a
        base model's end token is not.
        """
        return frozenset({tokenizer.eos_token_id, self._end(tokenizer)[0]} - {None})

    def stop_text(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """The text that ends a completion, empty if only tokens do: a blank line after solved examples; in a chat, what
        the template puts at the end of a turn if it has no token for it.
        """
        return self._end(tokenizer)[1]

    def end_ids(self, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        """What a completion that is written for the model ends with, where no token joins it to the text before it."""
        return self.completion_ids(tokenizer, "")

    def completion_ids(self, tokenizer: PreTrainedTokenizerBase, text: str, finished: bool = True) -> list[int]:
        """Token ids of a completion and of its end, split as they are within the prompt's examples.

        Without an end if it was cut off.
        """
        token, stop = self._end(tokenizer) if finished else (None, "")
        if stop:
            return ids_up_to(tokenizer, text, stop, self._next())
        return tokenizer(text, add_special_tokens=False)["input_ids"] + ([token] if finished else [])

    def _end(self, tokenizer: PreTrainedTokenizerBase) -> tuple[int | None, str]:
        """The token that ends a completion, or else the text."""
        if self.kind == "few_shot":
            return None, BREAK
        token, stop = turn_end(tokenizer) if self.kind == "chat" else (None, "")
        return (tokenizer.eos_token_id, "") if token is None and not stop else (token, stop)

    def _next(self) -> str:
        """The character that comes after the end of a solved example: the first of the next one."""
        shown = [prompt for one in (self, *(role for _, role in self.roles)) for prompt, _ in one.demonstrations]
        return next((prompt[0] for prompt in shown if prompt), "") if self.kind == "few_shot" else ""

    def text(self, tokenizer: PreTrainedTokenizerBase, ids: list[int], finished: bool, stop: str | None = None) -> str:
        """A completion's text, without what ended it. `stop` is `stop_text` where the caller has it already."""
        text, stop = tokenizer.decode(ids), self.stop_text(tokenizer) if stop is None else stop
        if finished and stop and stop in text:
            return text.partition(stop)[0]
        return tokenizer.decode(ids[:-1]) if finished else text


def prompting_for(
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    kind: Literal["auto", "plain", "few_shot", "chat"] = "auto",
    shown: int | None = None,
    hinted: int | None = None,
) -> Prompting:
    """The prompting of a task, `auto` being a chat where the tokenizer has a template, else few-shot.

    `shown` demonstrations (4) are problems with the task's own solutions, difficulties in turn from the easiest;
    `hinted` more (2) have the answer in the prompt, as rationalization shows it (STaR, arXiv:2203.14465), so that the
    model has seen what a hint looks like. By default a chat about a `zero_shot` task has neither. A task that
    has `demonstrations()` is shown by those, and its `roles(stream, shown)` become roles; its `instruction`, if it has
    one, comes first. Raises SpkitError if a chat is asked of a tokenizer without a template.
    """
    chosen = ("chat" if tokenizer.chat_template else "few_shot") if kind == "auto" else kind
    if chosen == "chat" and not tokenizer.chat_template:
        raise SpkitError("this model has no chat template: choose few_shot prompting")
    if chosen == "plain":
        return Prompting()
    default = (0, 0) if chosen == "chat" and task.zero_shot else _EXAMPLES
    shown, hinted = (usual if given is None else given for given, usual in zip((shown, hinted), default))
    problems = list(task.demonstrations()) or [task.problem(DEMONSTRATIONS, index) for index in range(shown + hinted)]
    problems = problems[: shown + hinted]
    prompts = [problem.prompt for problem in problems[:shown]] + [task.hint(problem) for problem in problems[shown:]]
    pairs = tuple((prompt, task.solution(problem)) for prompt, problem in zip(prompts, problems))
    others = task.roles(DEMONSTRATIONS, shown)
    roles = tuple((mark, Prompting(chosen, tuple(examples), instruction)) for mark, examples, instruction in others)
    return Prompting(chosen, pairs, task.instruction, roles)


def as_data(prompting: Prompting) -> dict[str, Any]:
    """Plain data that `from_data` reads."""
    roles = tuple((mark, as_data(role)) for mark, role in prompting.roles)
    data = {
        "kind": prompting.kind,
        "demonstrations": prompting.demonstrations,
        "instruction": prompting.instruction,
        "roles": roles,
    }
    return data | ({"date": prompting.date} if prompting.date else {})


def from_data(data: dict[str, Any]) -> Prompting:
    """The prompting that `as_data` wrote."""
    pairs = tuple((prompt, answer) for prompt, answer in data["demonstrations"])
    roles = tuple((mark, from_data(role)) for mark, role in data.get("roles", ()))
    return Prompting(data["kind"], pairs, data["instruction"], roles, data.get("date", ""))


def _checksum(data: Any) -> str:
    return f"{zlib.crc32(json.dumps(data).encode()):08x}"
