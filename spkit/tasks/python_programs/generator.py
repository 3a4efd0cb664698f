"""Small Python functions at random: typed, total and bounded by construction.

A program works out one variable after another, `a`, `b`, `c`, ..., and returns the last. Every variable comes from
the one before it (the first from the input x), sometimes together with an earlier one, by a step drawn from STEPS:
arithmetic, slices, comprehensions, loops, conditions, counting in a dict, nested loops. Types are int, list (of
int), str and dict (counts).

No step can raise or run for long on values of its type: divisors and widths are constants, indexing is by slices, `max`
has a default, loops go over a value or a range of less than ten. No step depends on the order of a set, and none
changes a value that it was given.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Type = Literal["int", "list", "str", "dict"]
INPUT_TYPES: tuple[Type, ...] = ("int", "list", "str")
MAX_VARIABLES = 8
VARIABLE_NAMES = "abcdefgh"[:MAX_VARIABLES]
STRING_LETTERS = "abcde"

# Text by (what it takes, what it gives): {t} is the variable it makes, {v} the value it takes, {w} an earlier int (a
# number if there is none), {k} 1 to 4, {m} 2 to 5, {n} 3 to 9, {s} and {r} letters. The first line assigns {t}.
STEPS: dict[tuple[Type, Type], tuple[str, ...]] = {
    ("int", "int"): (
        "{t} = {v} * {m} + {k}",
        "{t} = {v} // {m} - {k}",
        "{t} = {v} % {n} + {w}",
        "{t} = abs({v} - {n})",
        "{t} = max({v}, {w}) - min({v}, {n})",
        "{t} = {v}\nif {v} % 2 == 0:\n    {t} = {v} // 2\nelse:\n    {t} = 3 * {v} + 1",
        "{t} = {v} - {n}\nif {v} > {n}:\n    {t} += {w}",
        "{t} = 0\nfor i in range({v} % {n}):\n    {t} += i * {m}",
        "{t} = 1\nfor i in range({v} % 4):\n    {t} = {t} * {m} + i",
        "{t} = sum([int(ch) for ch in str(abs({v}))])",
    ),
    ("int", "list"): (
        "{t} = [i * {m} for i in range({v} % {n})]",
        "{t} = [{v}, {v} + {k}, {v} * {m}]",
        "{t} = [int(ch) for ch in str(abs({v}))]",
        "{t} = []\nfor i in range({v} % {n}):\n    if i % {m} != 0:\n        {t}.append(i + {w})",
    ),
    ("int", "str"): (
        "{t} = str({v})",
        "{t} = '{s}{r}' * ({v} % {n})",
        "{t} = ''.join(['{s}' if i % {m} == 0 else '{r}' for i in range({v} % {n})])",
    ),
    ("list", "list"): (
        "{t} = {v}[{k}:]",
        "{t} = {v}[::-1]",
        "{t} = {v}[:{n}] + [{w}]",
        "{t} = sorted({v})",
        "{t} = [n * {m} for n in {v}]",
        "{t} = [n + {w} for n in {v}]",
        "{t} = [n for n in {v} if n % {m} != 0]",
        "{t} = [n - i for i, n in enumerate({v})]",
        "{t} = [n if n > {n} else -n for n in {v}]",
        "{t} = []\nfor n in {v}:\n    if n not in {t}:\n        {t}.append(n)",
        "{t} = []\nfor n in {v}:\n    {t}.append(n + sum({t}[-1:]))",
        "{t} = [p - q for p, q in zip({v}, {v}[1:])]",
    ),
    ("list", "int"): (
        "{t} = sum({v}) - {w}",
        "{t} = len({v}) * {m}",
        "{t} = max({v}, default={k}) - min({v}, default={w})",
        "{t} = 0\nfor n in {v}:\n    if n > {n}:\n        {t} += n",
        "{t} = 0\nfor i, n in enumerate({v}):\n    {t} += n * (i % {m})",
        "{t} = 0\nfor i in range(len({v})):\n    for j in range(i):\n        if {v}[j] > {v}[i]:\n            {t} += 1",
    ),
    ("list", "str"): (
        "{t} = '{s}'.join([str(n) for n in {v}])",
        "{t} = ''.join(['{s}' if n % {m} == 0 else '{r}' for n in {v}])",
        "{t} = ''\nfor n in {v}:\n    {t} = 'abcdefghij'[n % 10] + {t}",
    ),
    ("list", "dict"): (
        "{t} = {{}}\nfor n in {v}:\n    {t}[n] = {t}.get(n, 0) + 1",
        "{t} = {{}}\nfor n in {v}:\n    {t}[n % {m}] = {t}.get(n % {m}, {k}) + n",
    ),
    ("str", "str"): (
        "{t} = {v}[::-1]",
        "{t} = {v}[{k}:] + {v}[:{k}]",
        "{t} = {v}.replace('{s}', '{r}')",
        "{t} = {v}.upper() + {v}[:{k}]",
        "{t} = ''.join(sorted({v}))",
        "{t} = ''.join([ch for ch in {v} if ch != '{s}'])",
        "{t} = {v}[::{m}] + str({w})",
        "{t} = ''\nfor ch in {v}:\n    {t} = ch + {t} if ch > '{s}' else {t} + ch",
    ),
    ("str", "int"): (
        "{t} = len({v}) + {w}",
        "{t} = {v}.count('{s}') * {m} - {k}",
        "{t} = {v}.find('{s}') + {w}",
        "{t} = 0\nfor i, ch in enumerate({v}):\n    if ch == '{s}':\n        {t} += i + {k}",
        "{t} = sum([ord(ch) for ch in {v}]) % {n}",
    ),
    ("str", "list"): (
        "{t} = [ord(ch) - 97 for ch in {v}]",
        "{t} = [i for i, ch in enumerate({v}) if ch == '{s}']",
        "{t} = [len(part) for part in {v}.split('{s}')]",
    ),
    ("str", "dict"): ("{t} = {{}}\nfor ch in {v}:\n    {t}[ch] = {t}.get(ch, 0) + {k}",),
    ("dict", "int"): (
        "{t} = sum({v}.values()) + {w}",
        "{t} = max({v}.values(), default=0) * {m}",
        "{t} = len({v}) + {k}",
    ),
    ("dict", "list"): ("{t} = sorted({v}.values())", "{t} = [{v}[key] for key in {v} if {v}[key] > {k}]"),
    ("dict", "str"): ("{t} = ''.join([str(key) for key in {v} if {v}[key] != {k}])",),
}
_DEF = re.compile(r"^def f\(", re.MULTILINE)
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)", re.ASCII)


@dataclass(frozen=True)
class Program:
    """A function f of one argument: its `body` without the return, the `names` it works out in
    turn, and the type it takes.
    """

    takes: Type
    body: str
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """The source, without a line break at the end; the type of x is in it."""
        return f"def f(x: {self.takes}):\n{self.body}\n    return {self.names[-1]}"

    @property
    def traced(self) -> str:
        """A program whose f takes a list of inputs and gives all outputs, and the values of all
        names at the first of them.
        """
        inner = f"def g(x):\n{self.body}\n    return [{', '.join(self.names)}]"
        return f"{inner}\ndef f(x):\n    return [[g(v)[-1] for v in x], g(x[0])]"


def random_program(rng: random.Random, variables: int) -> Program:
    """A program of that many variables."""
    takes = rng.choice(INPUT_TYPES)
    types: dict[str, Type] = {"x": takes}
    lines = []
    for name in VARIABLE_NAMES[:variables]:
        last = list(types)[-1]
        gives, template = rng.choice(
            [(after, text) for (before, after), texts in STEPS.items() if before == types[last] for text in texts]
        )
        earlier = [other for other, kind in types.items() if kind == "int" and other != last]
        number = rng.choice(earlier) if earlier and rng.random() < 0.7 else str(rng.randint(1, 9))
        first, second = rng.sample(STRING_LETTERS, 2)
        constants = {"k": rng.randint(1, 4), "m": rng.randint(2, 5), "n": rng.randint(3, 9), "s": first, "r": second}
        lines += template.format(t=name, v=last, w=number, **constants).split("\n")
        types[name] = gives
    return Program(takes, "\n".join(f"    {line}" for line in lines), tuple(types)[1:])


def random_input(rng: random.Random, takes: Type) -> Any:
    """An input of that type: an int from -20 to 60, a list of 3 to 6 ints from -5 to 20, a str of 4
    to 7 letters from a to e.
    """
    if takes == "int":
        return rng.randint(-20, 60)
    if takes == "list":
        return [rng.randint(-5, 20) for _ in range(rng.randint(3, 6))]
    return "".join(rng.choices(STRING_LETTERS, k=rng.randint(4, 7)))


def distinct_inputs(rng: random.Random, takes: Type, count: int) -> list[Any]:
    """`count` different inputs."""
    found: list[Any] = []
    while len(found) < count:
        value = random_input(rng, takes)
        if value not in found:
            found.append(value)
    return found


def variables_of(program: str) -> int:
    """How many names the body of f assigns at its outermost level, at least 1: the difficulty, of
    programs written by others too.
    """
    match = _DEF.search(program)
    lines = program[match.start() :].split("\n")[1:] if match else []
    body = _body(lines)
    indent = len(body[0]) - len(body[0].lstrip()) if body else 0
    heads = [_ASSIGNED.match(line, indent) for line in body if len(line) - len(line.lstrip()) == indent]
    return max(1, len({head[1] for head in heads if head}))


def _body(lines: Sequence[str]) -> list[str]:
    """The indented lines up to the first that is not."""
    body = []
    for line in lines:
        if line.strip() and not line[0].isspace():
            break
        body += [line] * bool(line.strip())
    return body
