"""Expressions: work out a program, find its input, or find the program. The language is in `language`.

- deduction: `ded (x+y)*(y-3) 4,7>` gives a program and its input; the completion writes the value of every operation
  after it and ends with the output, `(4+7=1)*(7-3=4)=4`;
- abduction: `abd (x+y)*(y-3) 4>` gives a program and an output; any input with that output is right. The completion
  checks the input it has in mind, and ends with it: `(4+7=1)*(7-3=4)=4;4,7`;
- induction: `ind 4,7:4 1,2:7 0,0:0 9,9:8 5,1:8>` gives five inputs with their outputs; the completion is a program, and
  it is right if it has the right output at five more inputs, which are hidden.

These are the three kinds of task of Absolute Zero (arXiv:2505.03335, section 3). The difficulty is the depth of the
program. How a proposer asks for such problems is in `proposals`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ...run.errors import SpkitError
from ..base import INDUCTION_PAIRS, KINDS, UNKNOWN, Entry, Kind, Proposable, Split, Verdict, item_rng, test_set
from .language import (
    BASE,
    MAX_DEPTH,
    MAX_PROGRAM,
    PROBES,
    SIGNS,
    depth,
    evaluate,
    fingerprint,
    longest_trace,
    parse,
    random_program,
    signs_of,
    split_of_tree,
    trace,
    tree_text,
)
from .problem import CHECKS, MAX_TRACE_CHARS, ExpressionProblem, problem_about
from .proposals import SEED, WORDS, Triplet, proposal, proposer_examples, proposer_prompt, read_inputs

SIGN_WORDS = {"+": "plus", "-": "minus", "*": "times"}
_ENDS = {"deduction": ("=", r"[0-9]"), "abduction": (";", r"[0-9],[0-9]"), "induction": ("\n", r"[^ ]+")}


@dataclass(frozen=True)
class Expressions(Proposable):
    """Problems of one kind, of programs 1 to 5 operations deep by default; `verify` takes those of any kind.

    Programs have the `signs` alone, one drawn as often as it is listed. A proposal that has others, or is deeper than
    `deepest`, counts as held out: it is neither solved nor learned from.
    """

    kind: Kind = "deduction"
    difficulties: tuple[int, ...] = (1, 2, 3, 4, 5)
    extrapolation: tuple[int, ...] = (6,)
    unit: str = "depth"
    base: str = "expressions"
    signs: str = SIGNS
    deepest: int = MAX_DEPTH
    hardest: ClassVar[int] = MAX_DEPTH
    longest_proposal: ClassVar[int] = max(MAX_PROGRAM + len(" 4,7"), 4 * INDUCTION_PAIRS - 1)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SpkitError(f"there is no kind {self.kind!r} of expressions: choose one of {', '.join(KINDS)}")

    @property
    def name(self) -> str:
        """`expressions` for deduction, `expressions-abduction` and `expressions-induction`; those of some signs alone
        name them, `expressions-plus-minus`.
        """
        chosen = [SIGN_WORDS[sign] for sign in dict.fromkeys(self.signs)] if self.signs != SIGNS else []
        return "-".join(["expressions", *chosen, *([] if self.kind == "deduction" else [self.kind])])

    def problem(
        self, seed: int, index: int, difficulty: int | None = None, split: Split = "train"
    ) -> ExpressionProblem:
        """A program that is `difficulty` deep, of the asked split, whose value is not the same
        everywhere, at random inputs.
        """
        said = f"expressions are 1 to {MAX_DEPTH} deep"
        levels = self.difficulty_at(index, difficulty, range(1, MAX_DEPTH + 1), said)
        rng = item_rng("expressions", split, seed, index, levels)
        while True:
            tree = random_program(rng, levels, self.signs)
            if split_of_tree(tree) == split and len(set(fingerprint(tree))) > 1:
                break
        numbers = rng.sample(range(BASE * BASE), INDUCTION_PAIRS if self.kind == "induction" else 1)
        return problem_about(self.kind, tree_text(tree), [divmod(number, BASE) for number in numbers])

    def hint(self, problem: ExpressionProblem) -> str:
        """The prompt with the answer after `#`."""
        return f"{problem.prompt[:-1]}#{problem.answer}>"

    def solution(self, problem: ExpressionProblem) -> str:
        """A completion with every step right.

        For abduction and induction, that of the input or program the problem was made from.
        """
        if problem.kind == "induction":
            return problem.answer
        steps = trace(parse(problem.program), problem.inputs[0])
        return f"{steps};{problem.answer}" if problem.kind == "abduction" else steps

    def direct(self, problem: ExpressionProblem) -> str:
        """The bare answer."""
        return problem.answer

    def roles(self, stream: int, shown: int) -> list[tuple[str, list[tuple[str, str]], str]]:
        """Examples of every role and kind; the solver of this kind has its own.

        Proposals come first, whose mark holds that of the solver. Depths are 1 and 2 in turn, and each proposal names
        the ones before it.
        """
        drawn = {k: [self.of_kind[k].problem(stream, index, 1 + index % 2) for index in range(shown)] for k in KINDS}
        return proposer_examples(drawn) + [
            (f"{WORDS[kind]} ", [(p.prompt, self.solution(p)) for p in drawn[kind]], "") for kind in KINDS
        ]

    def check(self, problem: ExpressionProblem, completion: str) -> Verdict:
        """Check a completion of a valid problem of any kind.

        Deduction compares the text after the last `=` with the output; abduction runs the program on the input after
        the last `;`; induction runs the program that was written on the hidden inputs. `step_errors` counts what is
        wrong in the rationale, see `step_errors`; for induction, the shown pairs that the program misses.
        """
        if len(completion) > MAX_TRACE_CHARS:
            return Verdict(False, 0.0, None, 1)
        return CHECKS[problem.kind](problem, completion)

    def path(self, problem: ExpressionProblem, completion: str) -> str:
        """The completion itself: there is one way to work a program out."""
        return completion[:MAX_TRACE_CHARS]

    def max_completion_chars(self, difficulty: int) -> int:
        """A bound for every program of that depth, those a proposer makes included; abduction adds `;4,7`."""
        if self.kind == "induction":
            return MAX_PROGRAM
        return longest_trace(difficulty) + 4 * (self.kind == "abduction")

    def seed_entry(self, kind: Kind) -> Entry:
        """The identity, at its first input, or for induction at the probes."""
        return SEED.program, PROBES if kind == "induction" else (SEED.at,)

    def entry_of(self, problem: ExpressionProblem) -> Entry:
        """The program with its inputs."""
        return problem.program, problem.inputs

    def from_entry(self, kind: Kind, entry: Entry) -> ExpressionProblem:
        """The problem of that kind about a program and its inputs."""
        return problem_about(kind, *entry)

    def triplet(self, entry: Entry) -> Triplet:
        """Program, input and output."""
        return Triplet(entry[0], entry[1][0], evaluate(parse(entry[0]), entry[1][0]))

    def proposer_prompt(self, kind: Kind, references: Sequence[Triplet] = (), program: str | None = None) -> str:
        """`new ded>` and what is there already; for induction the program."""
        return proposer_prompt(kind, references=references, program=program)

    def parse(self, kind: Kind, text: str, program: str | None = None) -> tuple[ExpressionProblem | None, str | None]:
        """The problem that a proposal comes to, and its fault if it has one."""
        if kind == "induction":
            inputs = read_inputs(text)
            return (problem_about(kind, program, inputs), None) if inputs else (None, "input")
        made = proposal(text)
        if not made.valid:
            return None, made.fault
        tree = parse(made.triplet.program)
        outside = depth(tree) > self.deepest or not signs_of(tree) <= set(self.signs)
        return problem_about(kind, made.triplet.program, [made.triplet.at]), "held out" if outside else made.fault

    def transfers(self, per_difficulty: int) -> dict[str, list[ExpressionProblem]]:
        """Test problems of three kinds beside its own: programs with a sign that training does not have
        (`operators`), deeper ones (`harder`), and the same signs in `abduction`, the one other kind that the base
        solves: 1 deep nearly always, 2 deep about as often as chance, one in ten.
        """
        wider = test_set(replace(self, signs=SIGNS), 8 * per_difficulty)
        other = [one for one in wider if not signs_of(parse(one.program)) <= set(self.signs)]
        by_depth = [[one for one in other if one.difficulty == levels] for levels in self.difficulties]
        return super().transfers(per_difficulty) | {
            "operators": [one for some in by_depth for one in some[:per_difficulty]],
            "abduction": test_set(self.of_kind["abduction"], per_difficulty, (1, 2)),
        }

    def invalid(self, kind: Kind, text: str) -> ExpressionProblem:
        """An invalid proposal as a problem; unknown tokens are left out, which no prompt may hold."""
        return ExpressionProblem(f"{WORDS[kind]} {text.replace(UNKNOWN, '')}>", "", MAX_DEPTH, kind, "", ())

    def offered(self, kind: Kind, completion: str) -> list[str]:
        """`4=4;1,2 3,4` offers two inputs, `=0123456789` every output."""
        mark, shape = _ENDS[kind]
        head, sign, end = completion.rpartition(mark)
        return [head + sign + answer for answer in re.findall(shape, end)]
