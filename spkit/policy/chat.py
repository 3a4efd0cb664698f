"""What the tokenizer's chat template renders, on a date of our choosing.

Templates of Llama 3, SmolLM3 and others print today's date with `strftime_now`, so that a prompt is another one
tomorrow. transformers gives no way to choose the date: a template is handed plain data, no functions. A macro of that
name before the template does it for templates of any shape. The time of day is midnight.
"""

import string
from datetime import date, datetime, time
from typing import Any

from transformers import PreTrainedTokenizerBase

Turn = dict[str, str]

# The line break ends the line of the macro, so that the template begins where a line does; the renderer drops it.
CALENDAR = (
    "{% macro strftime_now(format) %}{% for part in format.split('%%') %}{{ '' if loop.first else '%' }}"
    "{% set made = namespace(text=part) %}"
    "{% for code, value in spkit_calendar.items() %}{% set made.text = made.text.replace(code, value) %}{% endfor %}"
    "{{ made.text }}{% endfor %}{% endmacro %}\n"
)


def rendered(tokenizer: PreTrainedTokenizerBase, turns: list[Turn], day: str = "", **options: Any) -> str:
    """The turns as the template shows them.

    On `day` (2025-12-31) if it is given and the template asks for the date, else today.
    """
    template = tokenizer.get_chat_template()
    if day and "strftime_now" in template:
        options |= {"chat_template": CALENDAR + template, "spkit_calendar": calendar(day)}
    return tokenizer.apply_chat_template(turns, tokenize=False, **options)


def calendar(day: str) -> dict[str, str]:
    """What each of the codes of `strftime` (`%d`, and `%-d` where the system knows it) stands for on a day."""
    midnight = datetime.combine(date.fromisoformat(day), time())
    found = {}
    for code in (f"%{flag}{letter}" for flag in ("-", "#", "") for letter in string.ascii_letters):
        try:
            found[code] = midnight.strftime(code)
        except ValueError:  # a code that this system does not know
            found[code] = code
    return {code: value for code, value in found.items() if "%" not in value}


def turn_end(tokenizer: PreTrainedTokenizerBase) -> tuple[int | None, str]:
    """What the template puts behind what an assistant says: a token made for it, or else a text, which may be empty."""
    turns = [{"role": "user", "content": "."}, {"role": "assistant", "content": "."}]
    after = rendered(tokenizer, turns).rpartition(".")[2]
    ids = tokenizer(after, add_special_tokens=False)["input_ids"]
    token = next((index for index in ids if index in tokenizer.added_tokens_decoder), None)
    return token, "" if token is not None else after.strip()
