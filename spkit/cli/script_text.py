"""The text of the scripts that `spkit export --as script` writes: one frame, and what differs between trainers."""

import math
from pprint import pformat
from typing import Any

FRAME = '''"""{about}

Run it: python train.py [STEPS]
It needs trl {version}, datasets{needs}. Beside it: model, where training starts, and rows, what it reads.
"""

import sys
from pathlib import Path

from datasets import load_from_disk
{imports}
HERE = Path(__file__).parent
SETTINGS = {settings}
{before}

def main() -> None:
    steps = {{"max_steps": int(sys.argv[1])}} if len(sys.argv) > 1 else {{}}
    trainer = {kind}Trainer(
        AutoModelForCausalLM.from_pretrained(HERE / "model"),
        args={kind}Config(str(HERE / "trained"), **SETTINGS | steps),
        train_dataset=load_from_disk(str(HERE / "rows")),
        processing_class=AutoTokenizer.from_pretrained(HERE / "model"),
{more}    )
    trainer.train()
    trainer.save_model()


if __name__ == "__main__":
    main()
'''
SCORES = {
    "gold": "float(verdict.correct)",
    "steps": "float(verdict.correct and verdict.step_errors == 0)",
    "all_steps": "float(verdict.reward == 1)",
    "graded": "verdict.reward",
}
VERIFIER = '''TASK = load_task({task!r})


def reward(completions, completion_ids, problem, **_) -> list[float]:
    """What the task's own check says; a completion that was cut off is never right."""
    return [score(*one) for one in zip(completions, completion_ids, problem)]


def score(completion, ids, place: int) -> float:
    if ids[-1] not in {stops}:
        return 0.0
    problem = TASK.problem({seed}, place)
    text = completion if isinstance(completion, str) else completion[0]["content"]
    verdict = TASK.for_problem(problem).verify(problem, text)
    return {score}

'''


def script_text(
    kind: str, about: str, settings: dict[str, Any], version: str, lora: dict[str, Any] | None, verifier: str = ""
) -> str:
    """A whole script for a trainer, `SFT`, `DPO` or `GRPO`; `verifier` is the text of its reward, for the last."""
    packages = {"peft": "LoraConfig"} if lora else {}
    packages |= {"transformers": "AutoModelForCausalLM, AutoTokenizer", "trl": f"{kind}Config, {kind}Trainer"}
    imports = "".join(f"from {package} import {names}\n" for package, names in packages.items())
    more = "        reward_funcs=reward,\n" if verifier else ""
    if lora:
        sizes = f'r={lora["rank"]}, lora_alpha={lora["alpha"]}, target_modules="all-linear"'
        more += f'        peft_config=LoraConfig({sizes}, task_type="CAUSAL_LM"),\n'
    return FRAME.format(
        about=about,
        version=version,
        needs=(", peft" if lora else "") + (" and selfplay-kit, whose verifier it asks" if verifier else ""),
        imports=imports + ("\nfrom spkit.tasks import load_task\n" if verifier else ""),
        settings=settings_text(settings),
        before=verifier,
        kind=kind,
        more=more,
    )


def settings_text(settings: dict[str, Any]) -> str:
    """The settings as Python; an infinite one as `float("inf")`."""
    rows = {name: f'float("{value}")' if _infinite(value) else pformat(value) for name, value in settings.items()}
    return "{\n" + "".join(f'    "{name}": {value},\n' for name, value in rows.items()) + "}"


def _infinite(value: Any) -> bool:
    return isinstance(value, float) and math.isinf(value)
