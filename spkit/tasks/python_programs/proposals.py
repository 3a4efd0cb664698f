"""How a proposer asks for problems of python_programs: its prompts, and what becomes of its text.

For deduction and abduction it is shown triplets that are there already, a program with an input and its output, and
writes a program that is different, with an input on a line `Input: `. For induction it is given a program, and writes
ten inputs, a line each. Outputs come from the sandbox, never from the model.

A proposal is taken as in Absolute Zero (arXiv:2505.03335, section 3.3.2) if its program runs and returns something, is
safe (no banned word), and gives the same output twice (`sandbox.validated` says what twice can show). Here the output
has to be a literal, too, and not a long one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...run.errors import SpkitError
from ...sandbox.base import Sandbox, banned_word, validated
from ...sandbox.literals import NotLiteral, canonical, literal_text, read_literal
from ..base import INDUCTION_PAIRS, KINDS, Kind
from .problem import LONGEST_PROGRAM, PythonProblem, problem_about, read_program, split_of_proposed

LONGEST_VALUE = 120  # characters of its input, and of its output
LONGEST_PROPOSAL = max(LONGEST_PROGRAM + LONGEST_VALUE, INDUCTION_PAIRS * LONGEST_VALUE) + 200

_INPUT = re.compile(r"^Input:[ \t]*([^\n]*)$", re.MULTILINE)
_WANTED = {"deduction": "output is hard to work out", "abduction": "input is hard to find from the output"}
_RULES = (
    "It is a Python function f of one argument x that returns a value made of numbers, strings, "
    "lists, tuples, dicts or sets. It reads and "
    "prints nothing, and gives the same output for the same input every time."
)


@dataclass(frozen=True)
class PythonTriplet:
    """A program, an input and the output it gives, all as texts."""

    program: str
    given: str
    output: str

    def __str__(self) -> str:
        """As a prompt shows it."""
        return f"{self.program}\nf({self.given}) == {self.output}"


SEED = PythonTriplet(
    "def f(x):\n    return x", "'Hello world'", "'Hello world'"
)  # the identity: Absolute Zero's first triplet


def proposer_prompt(kind: Kind, *, references: Sequence[PythonTriplet] = (), program: str | None = None) -> str:
    """The prompt that asks for a new problem; for induction it gives the `program` and takes no references.

    Raises SpkitError for a kind that does not exist, or a combination that has no prompt.
    """
    if kind not in KINDS:
        raise SpkitError(f"there is no kind {kind!r} of python_programs: choose one of {', '.join(KINDS)}")
    if (kind == "induction") != (program is not None) or (program is not None and references):
        raise SpkitError(
            "for induction a proposer is given a program and nothing else; for deduction and abduction, no program"
        )
    if kind == "induction":
        return (
            f"{program}\nWrite {INDUCTION_PAIRS} different inputs for f, from which one can tell what it "
            f"does: {INDUCTION_PAIRS} "
            "lines `Input: ` with a Python literal each.\n"
        )
    shown = "\n".join(["Programs that are there already:", *map(str, references)]) if references else ""
    head = f"{shown}\nWrite a new program that is different" if references else "Write a program"
    return (
        f"{head}, with an input, whose {_WANTED[kind]}. {_RULES} After the program write one line `Input: "
        "` with a Python literal.\n"
    )


def proposal(sandbox: Sandbox, kind: Kind, text: str) -> tuple[PythonProblem | None, str | None]:
    """The problem of deduction or abduction that a proposer's text comes to, and its fault if it has one,
    however malformed the text is.

    The fault is `text` (no program with an input), `input` (no literal), `nothing` (returns None), `held
    out`, or the status with which the sandbox refused it. A problem that is held out for the test split is
    a valid proposal, and has both.
    """
    matches = list(_INPUT.finditer(text)) if len(text) <= LONGEST_PROPOSAL else []
    program = read_program(text[: matches[-1].start()]) if matches else None
    if program is None or len(program) > LONGEST_PROGRAM:
        return None, "text"
    given = _literal(matches[-1][1])
    if given is None:
        return None, "input"
    result = validated(sandbox, program, given)
    fault = result.status if not result.ok else "nothing" if result.value == "None" else None
    if fault is None and len(result.value) > LONGEST_VALUE:
        fault = "output-too-long"
    if fault is not None:
        return None, fault
    held = split_of_proposed(sandbox, program, given) == "test"
    return problem_about(kind, program, [given], [result.value]), "held out" if held else None


def proposed_inputs(sandbox: Sandbox, program: str, text: str) -> tuple[PythonProblem | None, str | None]:
    """The problem of induction that a proposer's text comes to, for the program it was given.

    And its fault if it has one.
    """
    texts = [_literal(match[1]) for match in _INPUT.finditer(text)] if len(text) <= LONGEST_PROPOSAL else []
    if len(texts) != INDUCTION_PAIRS or None in texts or len({canonical(given) for given in texts}) != INDUCTION_PAIRS:
        return None, "input"
    word = banned_word(program)
    results = sandbox.run(program, texts) if word is None else []
    bad = [result.status for result in results if not result.ok] or ["output-too-long"] * any(
        len(result.value) > LONGEST_VALUE for result in results
    )
    if word is not None or bad:
        return None, bad[0] if bad else "forbidden"
    return problem_about("induction", program, texts, [result.value for result in results]), None


def proposer_examples(
    drawn: Mapping[Kind, Sequence[PythonProblem]],
) -> list[tuple[str, list[tuple[str, str]], str]]:
    """(mark, (prompt, completion) pairs, instruction) of the proposer of each kind: how the drawn problems were
    proposed.
    """
    result = []
    for kind in ("deduction", "abduction"):
        triplets = [PythonTriplet(p.program, p.inputs[0], p.outputs[0]) for p in drawn[kind]]
        pairs = [
            (proposer_prompt(kind, references=triplets[:i]), proposal_text(triplet))
            for i, triplet in enumerate(triplets)
        ]
        result.append((_WANTED[kind], pairs, ""))
    given = [(proposer_prompt("induction", program=p.program), inputs_text(p.inputs)) for p in drawn["induction"]]
    return [*result, (f"Write {INDUCTION_PAIRS} different inputs", given, "")]


def proposal_text(triplet: PythonTriplet) -> str:
    """What a proposer writes to propose a triplet."""
    return f"{triplet.program}\nInput: {triplet.given}"


def inputs_text(inputs: Sequence[str]) -> str:
    """What a proposer of induction writes."""
    return "\n".join(f"Input: {given}" for given in inputs)


def _literal(text: str) -> str | None:
    try:
        found = literal_text(read_literal(text.strip().strip("`")))
    except NotLiteral:
        return None
    return found if len(found) <= LONGEST_VALUE else None
