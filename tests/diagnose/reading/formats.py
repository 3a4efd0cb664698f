"""A small log of every format, as its writer writes it: four prompts, four samples each, two steps."""

import csv
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STEPS, PROMPTS, SAMPLES = (1, 2), 4, 4
ROWS, GROUPS = len(STEPS) * PROMPTS * SAMPLES, len(STEPS) * PROMPTS


class Letters:
    """A tokenizer of characters."""

    def decode(self, ids: list[int]) -> str:
        return "".join(map(chr, ids))

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]


def samples() -> Iterator[dict[str, Any]]:
    """step, prompt, completion, gold, right of each row."""
    for step in STEPS:
        for index in range(PROMPTS):
            for sample in range(SAMPLES):
                answer = index + step + (sample % 2)
                yield {
                    "step": step,
                    "prompt": f"{index}+{step}=",
                    "completion": f"so {sample}: #### {answer}",
                    "gold": str(index + step),
                    "right": float(sample % 2 == 0),
                }


def lines(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Add."}, {"role": "user", "content": text}]


def say(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def spkit(folder: Path) -> Path:
    rows = [
        {"reward": row["right"], **{k: row[k] for k in ("step", "prompt", "completion", "gold")}} for row in samples()
    ]
    return lines(folder / "rollouts.jsonl", rows)


def trl_rows() -> list[dict[str, Any]]:
    return [
        {
            "step": row["step"],
            "prompt": row["prompt"],
            "completion": row["completion"],
            "think_format_reward": 0.5,
            "accuracy_reward": row["right"],
            "solution": f"$\\boxed{{{row['gold']}}}$",
            "gold_parsed": f"[{row['gold']}, '{row['gold']}']",
            "answer_parsed": "[unparseable]",
            "completion_length": 225 + len(row["completion"]),
            "difficulty": 3,
            "advantage": row["right"] - 0.5,
        }
        for row in samples()
    ]


def trl(folder: Path) -> Path:
    return lines(folder / "completions.jsonl", trl_rows())


def trl_parquet(folder: Path) -> Path:
    import pyarrow
    from pyarrow import parquet

    (folder / "completions").mkdir()
    for step in STEPS:
        table = pyarrow.Table.from_pylist([row for row in trl_rows() if row["step"] == step])
        parquet.write_table(table, folder / "completions" / f"completions_{step:05d}.parquet")
    return folder


def verl(folder: Path) -> Path:
    for step in STEPS:
        rows = [
            {
                "input": f"user\n{row['prompt']}\nassistant\n",
                "output": row["completion"],
                "gts": row["gold"],
                "score": 2 * row["right"] - 1,
                "step": step,
                "acc": str(bool(row["right"])),
                "pred": "7",
                "reward_time": 300.5,
            }
            for row in samples()
            if row["step"] == step
        ]
        lines(folder / f"{step}.jsonl", rows)
    return folder


def verifiers_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "example_id": int(row["gold"]),
        "prompt": ask(row["prompt"]),
        "completion": say(row["completion"]),
        "answer": row["gold"],
        "reward": row["right"],
        "error": None,
        "timing": {"total_ms": 3.5},
        "is_completed": True,
        "is_truncated": not row["right"],
        "stop_condition": "max_turns_reached",
        "metrics": {"correct_answer": row["right"], "num_turns": 1.0},
        "token_usage": {"input_tokens": 9.0, "output_tokens": 12.0, "final_output_tokens": 11.0},
        "correct_answer": row["right"],
        "num_turns": 1.0,
    }


def verifiers(folder: Path) -> Path:
    return lines(folder / "results.jsonl", [verifiers_row(row) for row in samples()])


def prime_rl(folder: Path) -> Path:
    for step in STEPS:
        rows = [verifiers_row(row) for row in samples() if row["step"] == step]
        lines(folder / "rollouts" / f"step_{step}" / "train_rollouts.jsonl", rows)
        lines(folder / "rollouts" / f"step_{step}" / "eval_rollouts.jsonl", rows[:3])
    return folder


def trace(row: dict[str, Any]) -> dict[str, Any]:
    messages = [*ask(row["prompt"]), *say(row["completion"])]
    return {
        "version": 1,
        "id": "a",
        "task": {"type": "Sum", "data": {"prompt": row["prompt"], "answer": row["gold"]}},
        "agent": {"name": "solver", "config": {}},
        "nodes": [
            {"parent": index - 1 if index else None, "message": message, "sampled": index == 2, "token_ids": [1]}
            for index, message in enumerate(messages)
        ],
        "calls": [{"node": 2, "finish_reason": "stop", "usage": {"prompt_tokens": 5, "completion_tokens": 7}}],
        "rewards": {"exact": {"score": row["right"], "weight": 1.0}, "short": {"score": 1.0, "weight": 0.5}},
        "metrics": {"turns": 1.0},
        "info": {"prime_rl": {}},
        "is_completed": True,
        "stop_condition": "agent_completed",
    }


def traces(folder: Path) -> Path:
    for step in STEPS:
        lines(folder / f"step_{step}" / "train" / "traces.jsonl", [trace(r) for r in samples() if r["step"] == step])
    return folder


def open_instruct(folder: Path) -> Path:
    made = [
        {
            "step": row["step"],
            "sample_idx": index % 16,
            "prompt_idx": index % 16 // SAMPLES,
            "prompt_tokens": Letters().encode(row["prompt"]),
            "response_tokens": Letters().encode(row["completion"]),
            "reward": 10 * row["right"],
            "advantage": 0.5,
            "finish_reason": "stop" if row["right"] else "length",
            "dataset": "gsm8k",
            "ground_truth": [row["gold"]],
            "request_info": {"num_calls": 0},
            "logprobs": [-0.5],
        }
        for index, row in enumerate(samples())
    ]
    lines(folder / "run_metadata.jsonl", [{"run_name": "run", "model_name": "m"}])
    lines(folder / "run_rollouts_000000.jsonl", made)
    return folder


def nemo_rl(folder: Path) -> Path:
    for step in STEPS:
        rows = [
            {
                "content": [[f"<user>{row['prompt']}", row["completion"], "Environment: correct"]],
                "rewards": [row["right"]],
                "input_lengths": [30],
                "token_loss_mask": [[0, 0, 1, 1, 1, 0]],
                "advantages": [[0.0, 0.0, 0.25, 0.25, 0.25, 0.0]],
                "generation_logprobs": [[0.0, 0.0, -1.5, -1.5, -1.5, 0.0]],
                "idx": index,
            }
            for index, row in enumerate(row for row in samples() if row["step"] == step)
        ]
        lines(folder / "exp_001" / f"train_data_step{step}.jsonl", rows)
    return folder


def art(folder: Path) -> Path:
    import pyarrow
    from pyarrow import parquet

    text, message = pyarrow.string(), {"tool_calls": None, "tool_call_id": None, "trainable": False}
    fields = [("role", text), ("content", text), ("tool_calls", text), ("tool_call_id", text)]
    kind = pyarrow.struct([*fields, ("trainable", pyarrow.bool_())])
    schema = pyarrow.schema(
        [
            ("group_index", pyarrow.int64()),
            ("reward", pyarrow.float64()),
            ("metrics", text),
            ("metadata", text),
            ("messages", pyarrow.list_(kind)),
        ]
    )
    for split in ("train", "val"):
        (folder / "trajectories" / split).mkdir(parents=True)
        for step in STEPS:
            rows = [
                {
                    "group_index": index // SAMPLES,
                    "reward": row["right"],
                    "metrics": json.dumps({"turns": 1}),
                    "metadata": json.dumps({"answer": row["gold"]}),
                    "messages": [{**message, **part} for part in ask(row["prompt"])]
                    + [{**message, **say(row["completion"])[0], "trainable": True}],
                }
                for index, row in enumerate(row for row in samples() if row["step"] == step)
            ]
            table = pyarrow.Table.from_pylist(rows, schema=schema)
            parquet.write_table(table, folder / "trajectories" / split / f"{step:04d}.parquet", compression="zstd")
    return folder


def art_lines(folder: Path) -> Path:
    for step in STEPS:
        groups = []
        for index in range(PROMPTS):
            rows = [row for row in samples() if row["step"] == step and row["prompt"] == f"{index}+{step}="]
            groups.append(
                {
                    "trajectories": [
                        {
                            "reward": row["right"],
                            "metrics": {},
                            "metadata": {"answer": row["gold"]},
                            "messages_and_choices": [
                                *ask(row["prompt"]),
                                {"index": 0, "finish_reason": "stop", "message": say(row["completion"])[0]},
                            ],
                            "logs": [],
                        }
                        for row in rows
                    ]
                }
            )
        lines(folder / "trajectories" / "train" / f"{step:04d}.jsonl", groups)
    return folder


def lm_eval(folder: Path) -> Path:
    made = []
    for index in range(GROUPS):
        texts = list(samples())[index * SAMPLES : (index + 1) * SAMPLES]
        for name in ("strict-match", "flexible-extract"):
            made.append(
                {
                    "doc_id": index,
                    "doc": {"question": texts[0]["prompt"]},
                    "target": texts[0]["gold"],
                    "arguments": {"gen_args_0": {"arg_0": texts[0]["prompt"], "arg_1": {"until": ["\n\n"]}}},
                    "resps": [[row["completion"] for row in texts]],
                    "filtered_resps": ["7"],
                    "filter": name,
                    "metrics": ["exact_match"],
                    "doc_hash": "d",
                    "exact_match": 1.0,
                }
            )
    return lines(folder / "samples_gsm8k_2026-01-01T00-00-00.jsonl", made)


def wandb(folder: Path) -> Path:
    names = list(trl_rows()[0])
    for step in STEPS:  # a table that grows is written whole each time
        data = [[row[name] for name in names] for row in trl_rows() if row["step"] <= step]
        path = folder / "media" / "table" / f"completions_{step}_0a1b2c.table.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"columns": names, "data": data, "ncols": len(names), "nrows": len(data)}))
    return folder


def trackio(folder: Path) -> Path:
    path = folder / "project.db"
    base = sqlite3.connect(path)
    base.execute(
        "CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)"
    )
    for run in ("old", "new"):
        for step in STEPS:
            value = [row for row in trl_rows() if row["step"] == step]
            logged = {"loss": 0.5, "completions": {"_type": "trackio.table", "_value": value}}
            base.execute(
                "INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES ('t', ?, ?, ?)",
                (run, step, json.dumps(logged)),
            )
    base.commit()
    base.close()
    return path


def csv_file(folder: Path) -> Path:
    path = folder / "log.csv"
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, ["step", "prompt", "completion", "reward", "gold"])
        writer.writeheader()
        for row in samples():
            writer.writerow({"reward": row["right"], **{k: row[k] for k in ("step", "prompt", "completion", "gold")}})
    return path


# writer: (what makes its log, the name of the format, the rewards chosen, whether the right answers are known)
TABLE: dict[str, tuple[Callable[[Path], Path], str, dict[str, float], bool]] = {
    "spkit": (spkit, "spkit", {"reward": 1.0}, True),
    "TRL JSON lines": (trl, "TRL", {"think_format_reward": 1.0, "accuracy_reward": 1.0}, True),
    "TRL parquet": (trl_parquet, "TRL", {"think_format_reward": 1.0, "accuracy_reward": 1.0}, True),
    "verl": (verl, "verl", {"score": 1.0}, True),
    "verifiers": (verifiers, "verifiers", {"reward": 1.0}, True),
    "prime-rl": (prime_rl, "verifiers", {"reward": 1.0}, True),
    "traces": (traces, "traces of verifiers", {"exact": 1.0, "short": 0.5}, True),
    "open-instruct": (open_instruct, "open-instruct", {"reward": 1.0}, True),
    "NeMo-RL": (nemo_rl, "NeMo-RL", {"rewards": 1.0}, False),
    "ART parquet": (art, "ART", {"reward": 1.0}, True),
    "ART JSON lines": (art_lines, "ART", {"reward": 1.0}, True),
    "lm-evaluation-harness": (lm_eval, "lm-evaluation-harness", {"exact_match": 1.0}, True),
    "W&B": (wandb, "TRL", {"think_format_reward": 1.0, "accuracy_reward": 1.0}, True),
    "trackio": (trackio, "TRL", {"think_format_reward": 1.0, "accuracy_reward": 1.0}, True),
    "CSV": (csv_file, "spkit", {"reward": 1.0}, True),
}
ONE_STEP = ("verifiers", "lm-evaluation-harness")  # their files do not say the step
