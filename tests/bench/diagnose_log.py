"""How long it takes to read and to diagnose a large log, and how much memory: short rows of TRL's format.

    python -m tests.bench.diagnose_log [MEGABYTES, 1000] [what: read or diagnose] [ending: jsonl, parquet, jsonl.gz]

The log is made in a temporary folder and deleted. 1,000 MB are about 8 million rows; the aim is 90 s and 400 MB on 2
cores for `diagnose`, half of it for `read`. Each line is one JSON object: log, rows, seconds, megabytes.
"""

import gzip
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

GROUP, GROUPS = 8, 64  # samples of a prompt, prompts of a step


def block(step: int) -> str:
    """The rows of one step, by its number alone."""
    draw, lines = random.Random(step), []
    for group in range(GROUPS):
        a, b = draw.randrange(100), draw.randrange(100)
        for _ in range(GROUP):
            right, formed = draw.random() < 0.5, draw.random() < 0.9
            lines.append(
                f'{{"step": {step}, "prompt": "{group}: {a}+{b}=", "completion": "so #### {a + b + (not right)}", '
                f'"accuracy": {right:.1f}, "format": {formed:.1f}, "advantage": {draw.random() - 0.5:.3f}}}\n'
            )
    return "".join(lines)


def make(path: Path, megabytes: int) -> int:
    """Write a log of so many megabytes before it is packed, and say how many rows it has."""
    if path.suffix == ".parquet":
        return make_parquet(path, megabytes)
    written, step = 0, 0
    with (gzip.open if path.suffix == ".gz" else open)(path, "wt") as file:
        while written < megabytes * 1_000_000:
            text = block(step)
            file.write(text)
            written, step = written + len(text), step + 1
    return step * GROUP * GROUPS


def make_parquet(path: Path, megabytes: int) -> int:
    """The same rows as parquet."""
    from pyarrow import Table, parquet

    written, step, writer = 0, 0, None
    while written < megabytes * 1_000_000:
        text = "".join(block(step + index) for index in range(32))
        table = Table.from_pylist([json.loads(line) for line in text.splitlines()])
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
        written, step = written + len(text), step + 32
    writer.close()
    return step * GROUP * GROUPS


def run(path: Path, what: str) -> None:
    """Read the log, or diagnose it."""
    from spkit.diagnose import ColumnMap, Log, diagnose, read_log

    columns = ColumnMap(rewards=(("accuracy", 1.0), ("format", 0.5)))
    if what == "read":
        print(sum(len(batch) for batch in Log(path, columns)), "rows read", file=sys.stderr)
    else:
        print(diagnose(read_log(path, columns=columns)).verdict, file=sys.stderr)


if __name__ == "__main__":
    size, task, ending = ([*sys.argv[1:], *("1000", "read", "jsonl")[len(sys.argv) - 1 :]])[:3]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / f"log.{ending}"
        rows = make(log, int(size))
        begun, used = time.time(), time.process_time()
        run(log, task)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        seconds = {"seconds": round(time.time() - begun, 1), "cpu_seconds": round(time.process_time() - used, 1)}
        bytes_read = round(log.stat().st_size / 1e6)
        print(
            json.dumps(
                {
                    "log": ending,
                    "megabytes": bytes_read,
                    "rows": rows,
                    "task": task,
                    **seconds,
                    "memory_mb": round(peak),
                }
            )
        )
