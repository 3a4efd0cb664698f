"""Records as lines of text."""

from typing import Any


class IterationTable:
    """One line an iteration, printed as it comes."""

    def __init__(self, unit: str) -> None:
        self.unit, self.begun = unit, False

    def print(self, record: dict[str, Any]) -> dict[str, Any]:
        """Print the record (after the header, the first time) and hand it back."""
        lengths = record["accuracy_by_difficulty"]
        if not self.begun:
            heads = "".join(f"{n:>6}" for n in lengths)
            print(f"iteration  accuracy {heads} {self.unit}   kept  hinted  wrong steps  seconds")
            self.begun = True
        shares = "".join(f"{100 * share:>5.0f}%" for share in lengths.values())
        wrong = record.get("wrong_steps_rate")
        numbers = f"{record.get('kept', '-'):>6}  {record.get('rationalized', '-'):>6}  {'-' if wrong is None else f'{100 * wrong:.1f}%':>11}"
        seconds = sum(record["seconds"].values())
        print(f"{record['iteration']:>9}  {100 * record['accuracy']:>7.1f}% {shares} {'':{len(self.unit)}}{numbers}  {seconds:>7.1f}", flush=True)
        return record
