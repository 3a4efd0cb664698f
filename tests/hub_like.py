"""A small model of the Qwen2 architecture with a BPE tokenizer, briefly trained on short sums and
saved as a hub model is.
"""

from pathlib import Path

from spkit.bases.small import bpe_tokenizer, small_qwen2
from spkit.policy import Policy, SftConfig
from spkit.run.streams import generator
from spkit.tasks import Task

CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<|endoftext|>{% endfor %}{% if "
    "add_generation_prompt %}<assistant>{% endif %}"
)


def sums_text(task: Task, count: int) -> list[tuple[str, str]]:
    """Prompts and solutions, three of two digits to one of one."""
    asked = [task.problem(0, index, 2 - (index % 4 == 3)) for index in range(count)]
    return [(problem.prompt, task.solution(problem)) for problem in asked]


def save_model(folder: Path, task: Task, steps: int) -> Path:
    """Train for `steps` and write `model.safetensors`, `config.json`, the tokenizer; no settings file of ours."""
    rows = sums_text(task, 6000)
    tokenizer = bpe_tokenizer((prompt + text for prompt, text in rows), 300, 256)
    policy = Policy(small_qwen2(tokenizer, 256, 0, width=128, layers=2), tokenizer)
    pairs = [(prompt, policy.completion_ids(text)) for prompt, text in rows]
    policy.fit(pairs, SftConfig(steps, 32, 3e-3), generator(0, 0, "train"))
    policy.model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
