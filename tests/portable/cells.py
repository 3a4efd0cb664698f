"""Runs a notebook's cells in this process: compares those that nbval compares, and measures the margin of every assert.

    python -m tests.portable.cells NAME ... [--strict] [--shaken SEED]    prints a line of JSON for each notebook

A NAME is one of the table in test_notebooks.py, which says whether all of its cells are compared or those that are
marked. `--strict` runs the compared cells and, of the others, those whose names they need: seconds instead of minutes
where a model is trained.
"""

import argparse
import ast
import contextlib
import difflib
import io
import json
import operator
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from tests.portable.rounding import shake, shaken_source

ROOT = Path(__file__).parents[2]
MARK = "# NBVAL_CHECK_OUTPUT"
HOLDS = "__holds__"  # the name under which rewritten asserts call Margins.compare
ORDER = {ast.Lt: "<", ast.LtE: "[", ast.Gt: ">", ast.GtE: "]"}
SIGNS = {"<": operator.lt, "[": operator.le, ">": operator.gt, "]": operator.ge}


@dataclass(frozen=True)
class Cell:
    number: int  # among the notebook's cells, as in its file
    source: str
    shown: str  # the text it printed when the notebook was committed
    compared: bool

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)


def read_cells(path: Path, everything: bool) -> list[Cell]:
    """The code cells; `everything`: nbval compares them all, and not only the marked ones."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = []
    for number, cell in enumerate(cells):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and source.strip():
            found.append(Cell(number, source, shown(cell["outputs"]), everything or MARK in source.splitlines()))
    return found


def shown(outputs: list[dict]) -> str:
    return "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")


def stores(tree: ast.AST) -> set[str]:
    """The names stored anywhere in a statement, functions and comprehensions included."""
    nodes = list(ast.walk(tree))
    bound = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)} | {
        n.arg for n in nodes if isinstance(n, ast.arg)
    }
    bound |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return bound | {
        (a.asname or a.name).split(".")[0] for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names
    }


def binds(statement: ast.stmt) -> set[str]:
    """Of the names it stores, those that other cells see: not a function's own, nor a comprehension's."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    return set().union(*map(stores, statement.targets)) if isinstance(statement, ast.Assign) else stores(statement)


def loads(tree: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """What a cell binds, and what it reads of others."""
    bound, read = set(), set()
    for statement in tree.body:
        own = (
            set() if isinstance(statement, ast.Assign | ast.AugAssign) else stores(statement)
        )  # x = x + 1 reads another cell's x
        inner = set().union(*(stores(n) for n in ast.walk(statement) if isinstance(n, ast.comprehension | ast.Lambda)))
        read |= loads(statement) - own - inner - bound
        bound |= binds(statement)
    return bound, read


def needed(cells: list[Cell]) -> list[Cell]:
    """The compared cells and those that bind a name they read, in order."""
    kept, wanted = [], set()
    for cell in reversed(cells):
        bound, read = names(cell.tree)
        if cell.compared or bound & wanted:
            kept.append(cell)
            wanted = (wanted - bound) | read
    return kept[::-1]


@dataclass
class Margins:
    """The two sides of every comparison made by an assert or a `check`, where they came nearest to each other."""

    least: dict[tuple[int, str], tuple[float, float]] = field(default_factory=dict)
    cell: int = 0

    def holds(self, source: str, signs: str, *values: Any) -> Any:
        """left < right < ..., as Python has it, and keeps the margins; of signs, [ is <= and ] is >=."""
        result: Any = True
        for sign, left, right in zip(signs, values, values[1:]):
            self.keep(source, left, right)
            result = result and SIGNS[sign](left, right)
        return result

    def keep(self, source: str, left: Any, right: Any) -> None:
        try:
            left, right = np.broadcast_arrays(np.asarray(left, dtype=float), np.asarray(right, dtype=float))
        except (TypeError, ValueError, RuntimeError):
            return  # not numbers, or of shapes that do not fit
        gaps = np.abs(left - right)
        if gaps.size and not np.isnan(gaps).all():
            at = int(np.nanargmin(gaps))
            pair = float(left.flat[at]), float(right.flat[at])
            old = self.least.get((self.cell, source))
            if old is None or abs(pair[0] - pair[1]) < abs(old[0] - old[1]):
                self.least[self.cell, source] = pair


class Measured(ast.NodeTransformer):
    """Hands the comparisons inside asserts and `check` calls to Margins."""

    inside = False

    def within(self, node: ast.AST) -> ast.AST:
        before, self.inside = self.inside, True
        self.generic_visit(node)
        self.inside = before
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return self.within(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if getattr(node.func, "attr", "") == "check":
            return self.within(node)
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        source = ast.unparse(node)
        self.generic_visit(node)
        if not self.inside or not all(type(op) in ORDER for op in node.ops):
            return node
        signs = "".join(ORDER[type(op)] for op in node.ops)
        call = ast.Call(
            ast.Name(HOLDS, ast.Load()), [ast.Constant(source), ast.Constant(signs), node.left, *node.comparators], []
        )
        return ast.copy_location(call, node)


@dataclass(frozen=True)
class Report:
    """What came of a notebook: the cells that showed something else or failed, and the margins of its asserts."""

    notebook: str
    changed: list[tuple[int, str]]
    margins: list[tuple[int, str, float, float]]
    ran: int
    seconds: float


def run(notebook: str, cells: list[Cell], shaken: bool) -> Report:
    """Runs them in order, in one namespace, going on after a failure as nbval does."""
    start, margins, changed = time.process_time(), Margins(), []
    names = {"__name__": "__main__", HOLDS: margins.holds}
    for cell in cells:
        margins.cell, said = cell.number, io.StringIO()
        tree = ast.fix_missing_locations(Measured().visit(cell.tree))
        try:
            with contextlib.redirect_stdout(said):
                exec(compile(shaken_source(tree) if shaken else tree, f"cell {cell.number}", "exec"), names)
        except Exception as error:
            changed.append((cell.number, f"{type(error).__name__}: {error}"))
        else:
            if cell.compared and said.getvalue() != cell.shown:
                changed.append((cell.number, difference(cell.shown, said.getvalue())))
    plt.close("all")
    found = [(cell, source, *pair) for (cell, source), pair in margins.least.items()]
    return Report(notebook, changed, found, len(cells), time.process_time() - start)


def difference(committed: str, fresh: str) -> str:
    """The lines that differ."""
    lines = difflib.unified_diff(committed.splitlines(), fresh.splitlines(), "committed", "here", lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith("@@"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="+", metavar="NAME")
    parser.add_argument("--strict", action="store_true", help="only the compared cells and what they need")
    parser.add_argument("--shaken", type=int, metavar="SEED", help="with other roundings")
    asked = parser.parse_args()
    if asked.shaken is not None:
        shake(asked.shaken)
    from tests.notebooks.test_notebooks import (
        COMPARED,
        NOTEBOOKS,
        STRICT,
    )  # it imports spkit, which must be shaken by now

    failed = False
    for name in asked.notebooks:
        cells = read_cells(NOTEBOOKS / name, COMPARED[name] == STRICT)
        os.chdir((NOTEBOOKS / name).parent)
        report = run(name, needed(cells) if asked.strict else cells, asked.shaken is not None)
        print(json.dumps(asdict(report)), flush=True)
        failed |= bool(report.changed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
