"""The one reader of answers in free text, for the tasks that ask in words and for `spkit diagnose`.

    places       where a completion gives its answer: #### 18, <answer>18</answer>, \\boxed{18}, The answer is 18.
    numbers      the exact number that an answer consists of, in its many spellings; in running text, the last one
    expressions  answers that have to be calculated, such as 6 \\times 12, by math-verify if that is installed
    choices      the one choice of a list that an answer names

The rule of all of them: what is ambiguous, unfinished or unknown is no answer (None). An unread answer costs a
reward, a misread one teaches something false. Values are `fractions.Fraction` and compared exactly. Every reader
takes linear time and raises on no text. tests/answers/spellings.tsv lists what is read as what, and what is not read.
"""

from .choices import choice_in
from .expressions import expression_in
from .numbers import as_text, last_number, number_and_unit, number_in, spelled
from .places import EXPLICIT, MAX_READ, final_text, marked_text, marks, said, tagged

__all__ = [
    "EXPLICIT",
    "MAX_READ",
    "as_text",
    "choice_in",
    "expression_in",
    "final_text",
    "last_number",
    "marked_text",
    "marks",
    "number_and_unit",
    "number_in",
    "said",
    "spelled",
    "tagged",
]
