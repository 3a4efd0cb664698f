"""How a proposer asks for problems of expressions: its prompts, and what becomes of its text.

For deduction and abduction it is asked `new ded>` and writes a program with an input, `(x+y)*(y-3) 4,7`. The prompt may
name a depth, `new ded 3>`, and may show triplets that are there already, to be different from, `new ded 3;x 4,7:4;x+y
1,2:3>`. For induction it is given a program, `new ind x+y>`, and writes ten inputs, `4,7 1,2 ...`. Outputs always come
from the evaluator, never from the model.

Absolute Zero (arXiv:2505.03335, section 3.3) stores every valid proposal: one that runs, is safe, and gives the same
output twice. Every program of this language runs, is safe and is deterministic, so that what can be wrong is the text,
the depth, and being there already.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...run.errors import SpkitError
from ..base import INDUCTION_PAIRS, Kind
from .language import MAX_DEPTH, MAX_PROGRAM, Input, depth, evaluate, parse, split_of_tree
from .problem import ExpressionProblem, input_text, read_input

Fault = Literal["text", "program", "input", "depth", "held out", "duplicate"]
WORDS: dict[Kind, str] = {"deduction": "ded", "abduction": "abd", "induction": "ind"}


@dataclass(frozen=True)
class Triplet:
    """A program, an input and the output it gives: a problem of deduction, or of abduction."""

    program: str
    at: Input
    output: int

    def __str__(self) -> str:
        """`x+y 1,2:3`, as a prompt shows it."""
        return f"{self.program} {input_text(self.at)}:{self.output}"


SEED = Triplet("x", (4, 7), 4)  # the identity, the one triplet that self-play starts from


@dataclass(frozen=True)
class Proposal:
    """What a proposer's text came to. `fault` is why it is not taken, None if it is.

    There is a `triplet` if and only if the text is a valid proposal; a valid one is still not taken when it is a
    `duplicate`, or when its function is `held out` for the test split. Neither is a slip of syntax, and a loop may
    reward them differently.
    """

    triplet: Triplet | None
    fault: Fault | None

    @property
    def valid(self) -> bool:
        """Whether it is a program of the language with an input, of a depth that was allowed."""
        return self.triplet is not None


def proposer_prompt(
    kind: Kind, *, levels: int | None = None, references: Sequence[Triplet] = (), program: str | None = None
) -> str:
    """The prompt that asks for a new problem; for induction it gives the `program` and takes
    neither depth nor references.

    Raises SpkitError for a kind that does not exist, or a combination that has no prompt.
    """
    if kind not in WORDS:
        raise SpkitError(f"there is no kind {kind!r} of expressions: choose one of {', '.join(WORDS)}")
    if (kind == "induction") != (program is not None) or (program is not None and (references or levels is not None)):
        raise SpkitError(
            "for induction a proposer is given a program and nothing else; for deduction and abduction, no program"
        )
    if levels is not None and not 0 <= levels <= MAX_DEPTH:
        raise SpkitError(f"programs are 0 to {MAX_DEPTH} deep, not {levels}: ask for a depth in that range")
    wanted = program if program is not None else levels
    head = f"new {WORDS[kind]}" if wanted is None else f"new {WORDS[kind]} {wanted}"
    return ";".join([head, *map(str, references)]) + ">"


def read_proposal(text: str) -> tuple[str, str] | None:
    """Program and input as a proposer wrote them, neither of them checked.

    None if the text is not two parts with a space between.
    """
    parts = text.split(" ") if len(text) <= MAX_PROGRAM + len(" 4,7") else []
    return (parts[0], parts[1]) if len(parts) == 2 else None


def proposal(
    text: str, *, seen: Collection[tuple[str, Input]] = (), depths: Collection[int] = range(MAX_DEPTH + 1)
) -> Proposal:
    """Check the text of a proposal and work out its output, however malformed the text is.

    `seen` holds (program, input) of what is there already: pass a set. `depths` are those allowed.
    """
    parts = read_proposal(text)
    if parts is None:
        return Proposal(None, "text")
    try:
        tree = parse(parts[0])
    except SpkitError:
        return Proposal(None, "program")
    at = read_input(parts[1])
    if at is None:
        return Proposal(None, "input")
    if depth(tree) not in depths:
        return Proposal(None, "depth")
    triplet = Triplet(parts[0], at, evaluate(tree, at))
    fault = "held out" if split_of_tree(tree) == "test" else "duplicate" if (triplet.program, at) in seen else None
    return Proposal(triplet, fault)


def proposal_text(triplet: Triplet) -> str:
    """What a proposer writes to propose a triplet."""
    return f"{triplet.program} {input_text(triplet.at)}"


def read_inputs(text: str) -> tuple[Input, ...] | None:
    """The PAIRS inputs that a proposer of induction wrote.

    None if they are not that many, not well formed, or not all different.
    """
    if len(text) != 4 * INDUCTION_PAIRS - 1:
        return None
    inputs = tuple(map(read_input, text.split(" ")))
    return inputs if None not in inputs and len(set(inputs)) == INDUCTION_PAIRS else None


def inputs_text(inputs: Sequence[Input]) -> str:
    """What a proposer of induction writes: `4,7 1,2 0,0`."""
    return " ".join(map(input_text, inputs))


def proposer_examples(
    drawn: Mapping[Kind, Sequence[ExpressionProblem]],
) -> list[tuple[str, list[tuple[str, str]], str]]:
    """(mark, (prompt, completion) pairs, instruction) of the proposer of each kind: how the drawn problems were
    proposed.

    Each proposal of deduction and abduction names the ones before it.
    """
    result = []
    for kind in ("deduction", "abduction"):
        triplets = [Triplet(p.program, p.inputs[0], evaluate(parse(p.program), p.inputs[0])) for p in drawn[kind]]
        pairs = [
            (proposer_prompt(kind, references=triplets[:i]), proposal_text(triplet))
            for i, triplet in enumerate(triplets)
        ]
        result.append((f"new {WORDS[kind]}", pairs, ""))
    given = [(proposer_prompt("induction", program=p.program), inputs_text(p.inputs)) for p in drawn["induction"]]
    return [*result, ("new ind", given, "")]
