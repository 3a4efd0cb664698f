"""The exercises' checks: right answers pass, usual mistakes are named, and the student notebook hides the solutions."""

import json

import numpy as np
import pytest

from spkit.errors import SpkitError
from spkit.exercises import Mistake, check_accuracy, check_debias, check_learnability, check_nash_conv, check_payment, compare
from spkit.exercises.__main__ import main
from spkit.exercises.student import generate, student_notebook, without_solutions

RIGHT = {
    check_nash_conv: lambda a, x, y: max(a @ y) - min(x @ a),
    check_learnability: lambda r: np.mean([np.sum((g - g.mean()) ** 2) / (len(g) - 1) for g in r]),
    check_debias: lambda v, f: v / (1 - 2 * f) - f / (1 - 2 * f),
    check_payment: lambda r, f, g: (g / (g - 1) * (r - r**2) - f + f**2) / (1 - 4 * f + 4 * f**2),
}
WRONG = [
    (check_nash_conv, lambda a, x, y: max(a @ y) - x @ a @ y, "row player's gain alone"),
    (check_nash_conv, lambda a, x, y: (max(a @ y) - min(x @ a)) / 2, "exploitability"),
    (check_nash_conv, lambda a, x, y: max(a @ y) - max(x @ a), "minimises"),
    (check_learnability, lambda r: r.mean() * (1 - r.mean()), "pools all problems"),
    (check_learnability, lambda r: (r.mean(1) * (1 - r.mean(1))).mean(), "degree of freedom"),
    (check_learnability, lambda r: np.mean([g.std(ddof=1) for g in r]), "standard deviation"),
    (check_debias, lambda v, f: v - f, "shifts without stretching"),
    (check_debias, lambda v, f: np.minimum(np.maximum((v - f) / (1 - 2 * f), 0), 1), "brings the bias back"),
    (check_payment, lambda r, f, g: (r > 0) * (1 - r), "pass its gate"),
    (check_payment, lambda r, f, g: (r * (1 - r) - f * (1 - f)) / (1 - 2 * f) ** 2, "correct that before subtracting"),
    (check_payment, lambda r, f, g: 1 - 2 * abs(r - 1 / 2), "R-Zero"),
]


def sum_over_states(table, n, *, end=lambda c, s: c == s, keep=lambda c, s: True, follow=lambda c, s: s):
    """The accuracy by brute force over columns, with the reader's usual slips as options."""
    state = {(0, 0): 1.0}
    for _ in range(n):
        after = {}
        for (c, s), chance in state.items():
            for a in range(10):
                for b in range(10):
                    for u in (0, 1):
                        digit, carry = (a + b + c) % 10, (a + b + c) // 10
                        if keep(carry, u):
                            after[carry, u] = after.get((carry, u), 0.0) + chance * table[a, b, follow(c, s), digit, u] / 100
        state = after
    return sum(chance for (c, s), chance in state.items() if end(c, s))


@pytest.mark.parametrize("check", RIGHT)
def test_right_answers_pass(check, capsys):
    check(RIGHT[check])
    assert capsys.readouterr().out.endswith(": right.\n")


def test_the_right_accuracy_passes_and_its_usual_mistakes_are_named():
    check_accuracy(sum_over_states)
    for slips, message in (
        ({"end": lambda c, s: True}, "last carry is part of the answer"),
        ({"keep": lambda c, u: c == u}, "does not see the carries in between"),
        ({"follow": lambda c, s: c}, "carry that was written"),
    ):
        with pytest.raises(Mistake, match=message):
            check_accuracy(lambda table, n, slips=slips: sum_over_states(table, n, **slips))
    with pytest.raises(Mistake, match="not independent copies"):
        check_accuracy(lambda table, n: sum_over_states(table, 1) ** n)


@pytest.mark.parametrize(("check", "wrong", "message"), WRONG)
def test_usual_mistakes_are_named(check, wrong, message):
    with pytest.raises(Mistake, match=message):
        check(wrong)


def test_other_mistakes_get_numbers_or_shapes():
    with pytest.raises(Mistake, match="got 0.0000 where .* none of the usual"):
        check_nash_conv(lambda a, x, y: 0.0)
    with pytest.raises(Mistake, match=r"shape \(40,\), and \(\) is asked for"):
        check_learnability(lambda r: r.var(1, ddof=1))


def test_an_unwritten_answer_says_so():
    def unwritten(payoff, row, column):
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        check_nash_conv(unwritten)


def test_cases_that_cannot_tell_a_mistake_are_refused():
    with pytest.raises(SpkitError, match="cannot tell"):
        compare("double", lambda x: 2 * x, lambda x: 2 * x, {"squared.": lambda x: x**2}, [(0,), (2,)])


def test_solutions_are_replaced_and_the_rest_is_kept():
    source = "def f(x):\n    ### BEGIN SOLUTION\n    y = x + 1\n    return y\n    ### END SOLUTION\n\nprint(1)"
    expected = "def f(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()\n\nprint(1)"
    assert without_solutions(source, "here") == expected


@pytest.mark.parametrize(
    "source", ["### BEGIN SOLUTION\nx = 1", "x = 1\n### END SOLUTION", "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION"]
)
def test_a_mark_without_its_partner_is_refused(source):
    with pytest.raises(SpkitError, match="here: .* has no partner"):
        without_solutions(source, "here")


def test_the_student_notebook_has_no_outputs_and_keeps_the_metadata():
    cell = {
        "cell_type": "code",
        "source": ["x = 1\n", "print(x)"],
        "metadata": {"nbgrader": {"grade": True}},
        "outputs": [1],
        "execution_count": 3,
    }
    text = {"cell_type": "markdown", "source": ["hello"], "metadata": {}}
    made = student_notebook({"cells": [cell, text], "metadata": {"a": 1}}, "nb")
    assert made["cells"][0] == cell | {"outputs": [], "execution_count": None} and made["cells"][1] == text and made["metadata"] == {"a": 1}


def test_generate_writes_beside_the_solutions_and_explains_what_is_missing(tmp_path, capsys):
    with pytest.raises(SpkitError, match="no notebook in"):
        generate(tmp_path)
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "x.ipynb").write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    assert main(["generate", str(tmp_path)]) == 0 and (tmp_path / "exercises" / "x.ipynb").exists()
    (tmp_path / "solutions" / "x.ipynb").write_text("not json")
    assert main(["generate", str(tmp_path)]) == 2 and "cannot be read as a notebook" in capsys.readouterr().err
    assert main(["burn"]) == 2 and "Usage" in capsys.readouterr().err
