"""A log of every format, as its writer writes it: of any rows, and unless others are given of a few small ones, four
prompts, four samples each, two steps.
"""

import csv
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any


class Letters:
    """A tokenizer of characters."""

    def decode(self, ids: list[int]) -> str:
        return "".join(map(chr, ids))

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]


@dataclass(frozen=True)
class Rows:
    """What was sampled: step, prompt, completion, gold, right (1 or 0) and cut of each, those of a group together."""

    samples: tuple[dict[str, Any], ...]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    def steps(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Each step and its samples."""
        return ((step, list(found)) for step, found in groupby(self.samples, lambda row: row["step"]))

    def groups(self) -> list[tuple[int, list[dict[str, Any]]]]:
        """Each group, its step beside it."""
        found = groupby(self.samples, lambda row: (row["step"], row["prompt"]))
        return [(step, list(samples)) for (step, _), samples in found]


def few() -> Rows:
    """Four prompts, four samples each, two steps; what is wrong was cut off."""
    return Rows(
        tuple(
            {
                "step": step,
                "prompt": f"{index}+{step}=",
                "completion": f"so {sample}: #### {index + step + (sample % 2)}",
                "gold": str(index + step),
                "right": float(sample % 2 == 0),
                "cut": sample % 2 == 1,
            }
            for step in (1, 2)
            for index in range(4)
            for sample in range(4)
        )
    )


FEW = few()
ROWS, GROUPS = len(FEW), len(FEW.groups())


def lines(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Add."}, {"role": "user", "content": text}]


def say(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def spkit(folder: Path, given: Rows = FEW) -> Path:
    rows = [{"reward": row["right"], **{k: row[k] for k in ("step", "prompt", "completion", "gold")}} for row in given]
    return lines(folder / "rollouts.jsonl", rows)


def trl_rows(given: Rows = FEW) -> list[dict[str, Any]]:
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
        for row in given
    ]


def trl(folder: Path, given: Rows = FEW) -> Path:
    return lines(folder / "completions.jsonl", trl_rows(given))


def trl_parquet(folder: Path, given: Rows = FEW) -> Path:
    import pyarrow
    from pyarrow import parquet

    (folder / "completions").mkdir()
    for step, found in given.steps():
        table = pyarrow.Table.from_pylist(trl_rows(Rows(tuple(found))))
        parquet.write_table(table, folder / "completions" / f"completions_{step:05d}.parquet")
    return folder


def verl(folder: Path, given: Rows = FEW) -> Path:
    for step, found in given.steps():
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
            for row in found
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
        "is_truncated": row["cut"],
        "stop_condition": "max_turns_reached",
        "metrics": {"correct_answer": row["right"], "num_turns": 1.0},
        "token_usage": {"input_tokens": 9.0, "output_tokens": 12.0, "final_output_tokens": 11.0},
        "correct_answer": row["right"],
        "num_turns": 1.0,
    }


def verifiers(folder: Path, given: Rows = FEW) -> Path:
    return lines(folder / "results.jsonl", [verifiers_row(row) for row in given])


def prime_rl(folder: Path, given: Rows = FEW) -> Path:
    for step, found in given.steps():
        rows = [verifiers_row(row) for row in found]
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


def traces(folder: Path, given: Rows = FEW) -> Path:
    for step, found in given.steps():
        lines(folder / f"step_{step}" / "train" / "traces.jsonl", [trace(row) for row in found])
    return folder


def open_instruct(folder: Path, given: Rows = FEW) -> Path:
    made = [
        {
            "step": row["step"],
            "sample_idx": sample,
            "prompt_idx": index,
            "prompt_tokens": Letters().encode(row["prompt"]),
            "response_tokens": Letters().encode(row["completion"]),
            "reward": 10 * row["right"],
            "advantage": row["right"] - 0.5,
            "finish_reason": "length" if row["cut"] else "stop",
            "dataset": "gsm8k",
            "ground_truth": [row["gold"]],
            "request_info": {"num_calls": 0},
            "logprobs": [-0.5],
        }
        for index, (_, group) in enumerate(given.groups())
        for sample, row in enumerate(group)
    ]
    lines(folder / "run_metadata.jsonl", [{"run_name": "run", "model_name": "m"}])
    lines(folder / "run_rollouts_000000.jsonl", made)
    return folder


def nemo_rl(folder: Path, given: Rows = FEW) -> Path:
    for step, found in given.steps():
        rows = [nemo_row(index, row) for index, row in enumerate(found)]
        lines(folder / "exp_001" / f"train_data_step{step}.jsonl", rows)
    return folder


def nemo_row(index: int, row: dict[str, Any]) -> dict[str, Any]:
    mask = [0, 0] + [1] * len(row["completion"]) + [0]
    return {
        "content": [[f"<user>{row['prompt']}", row["completion"], "Environment: correct"]],
        "rewards": [row["right"]],
        "input_lengths": [30],
        "token_loss_mask": [mask],
        "advantages": [[(row["right"] - 0.5) * trained for trained in mask]],
        "generation_logprobs": [[-1.5 * trained for trained in mask]],
        "idx": index,
    }


def art(folder: Path, given: Rows = FEW) -> Path:
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
        for step, groups in groupby(given.groups(), lambda pair: pair[0]):
            rows = [
                {
                    "group_index": index,
                    "reward": row["right"],
                    "metrics": json.dumps({"turns": 1}),
                    "metadata": json.dumps({"answer": row["gold"]}),
                    "messages": [{**message, **part} for part in ask(row["prompt"])]
                    + [{**message, **say(row["completion"])[0], "trainable": True}],
                }
                for index, (_, group) in enumerate(groups)
                for row in group
            ]
            table = pyarrow.Table.from_pylist(rows, schema=schema)
            parquet.write_table(table, folder / "trajectories" / split / f"{step:04d}.parquet", compression="zstd")
    return folder


def art_lines(folder: Path, given: Rows = FEW) -> Path:
    for step, groups in groupby(given.groups(), lambda pair: pair[0]):
        rows = [{"trajectories": [trajectory(row) for row in group]} for _, group in groups]
        lines(folder / "trajectories" / "train" / f"{step:04d}.jsonl", rows)
    return folder


def trajectory(row: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "length" if row["cut"] else "stop", "message": say(row["completion"])[0]}
    return {
        "reward": row["right"],
        "metrics": {},
        "metadata": {"answer": row["gold"]},
        "messages_and_choices": [*ask(row["prompt"]), choice],
        "logs": [],
    }


def lm_eval(folder: Path, given: Rows = FEW) -> Path:
    made = []
    for index, (_, texts) in enumerate(given.groups()):
        for name in ("strict-match", "flexible-extract"):
            made.append(
                {
                    "doc_id": index,
                    "doc": {"question": texts[0]["prompt"]},
                    "target": texts[0]["gold"],
                    "arguments": {"gen_args_0": {"arg_0": texts[0]["prompt"], "arg_1": {"until": ["\n\n"]}}},
                    "resps": [[row["completion"] for row in texts]],
                    "filtered_resps": [texts[0]["completion"]],
                    "filter": name,
                    "metrics": ["exact_match"],
                    "doc_hash": "d",
                    "exact_match": texts[0]["right"],
                }
            )
    return lines(folder / "samples_gsm8k_2026-01-01T00-00-00.jsonl", made)


def wandb(folder: Path, given: Rows = FEW) -> Path:
    rows = trl_rows(given)
    names = list(rows[0])
    for step, _ in given.steps():  # a table that grows is written whole each time
        data = [[row[name] for name in names] for row in rows if row["step"] <= step]
        path = folder / "media" / "table" / f"completions_{step}_0a1b2c.table.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"columns": names, "data": data, "ncols": len(names), "nrows": len(data)}))
    return folder


def trackio(folder: Path, given: Rows = FEW) -> Path:
    path = folder / "project.db"
    base = sqlite3.connect(path)
    base.execute(
        "CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)"
    )
    for run in ("old", "new"):
        for step, _ in given.steps():
            value = [row for row in trl_rows(given) if row["step"] == step]
            logged = {"loss": 0.5, "completions": {"_type": "trackio.table", "_value": value}}
            base.execute(
                "INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES ('t', ?, ?, ?)",
                (run, step, json.dumps(logged)),
            )
    base.commit()
    base.close()
    return path


def csv_file(folder: Path, given: Rows = FEW) -> Path:
    path = folder / "log.csv"
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, ["step", "prompt", "completion", "reward", "gold"])
        writer.writeheader()
        for row in given:
            writer.writerow({"reward": row["right"], **{k: row[k] for k in ("step", "prompt", "completion", "gold")}})
    return path


@dataclass(frozen=True)
class Writer:
    """What makes a log, its files and what is in them, the name of the format, and the rewards that are chosen with
    their weights. `golds`: it holds the right answers; `steps`: the step of each row is in it, or in the names of its
    files.
    """

    make: Callable[..., Path]
    holds: str
    form: str
    rewards: dict[str, float]
    golds: bool = True
    steps: bool = True


OF_TRL = {"think_format_reward": 1.0, "accuracy_reward": 1.0}
TABLE = {
    "spkit": Writer(spkit, "rollouts.jsonl: a row a completion", "spkit", {"reward": 1.0}),
    "TRL JSON lines": Writer(trl, "completions.jsonl: a column a reward function, gold and length", "TRL", OF_TRL),
    "TRL parquet": Writer(trl_parquet, "completions_STEP.parquet: the same", "TRL", OF_TRL),
    "verl": Writer(verl, "STEP.jsonl: `score` of -1 or 1, `acc` as text, more numbers", "verl", {"score": 1.0}),
    "verifiers": Writer(verifiers, "results.jsonl: conversations, no step", "verifiers", {"reward": 1.0}, steps=False),
    "prime-rl": Writer(prime_rl, "step_N/train_rollouts.jsonl, an evaluation beside it", "verifiers", {"reward": 1.0}),
    "traces": Writer(
        traces,
        "step_N/train/traces.jsonl: messages as a graph, weighted rewards",
        "traces of verifiers",
        {"exact": 1.0, "short": 0.5},
    ),
    "open-instruct": Writer(
        open_instruct, "NAME_rollouts_N.jsonl: token ids, a reward of 0 or 10", "open-instruct", {"reward": 1.0}
    ),
    "NeMo-RL": Writer(
        nemo_rl, "train_data_stepN.jsonl: lists of one, no right answers", "NeMo-RL", {"rewards": 1.0}, golds=False
    ),
    "ART parquet": Writer(art, "trajectories/train/STEP.parquet, val beside it", "ART", {"reward": 1.0}),
    "ART JSON lines": Writer(art_lines, "trajectories/train/STEP.jsonl: a row a group", "ART", {"reward": 1.0}),
    "lm-evaluation-harness": Writer(
        lm_eval,
        "samples_TASK.jsonl: a row a group and filter, one metric for all responses, no step",
        "lm-evaluation-harness",
        {"answer": 1.0},
        steps=False,
    ),
    "W&B": Writer(wandb, "media/table/NAME.table.json: TRL's columns, written whole each time", "TRL", OF_TRL),
    "trackio": Writer(trackio, "PROJECT.db: two runs, TRL's columns as a table", "TRL", OF_TRL),
    "CSV": Writer(csv_file, "log.csv: step, prompt, completion, reward, gold", "spkit", {"reward": 1.0}),
}


def tokenizer_of(writer: str) -> Letters | None:
    """What its token ids are read with, if it writes any."""
    return Letters() if writer == "open-instruct" else None
