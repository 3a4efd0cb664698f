"""pass@k of sampled problems: the counts are those of the samples, and a policy never crosses itself."""

from spkit.measures.pass_at_k import pass_at_k
from spkit.policy import load_policy
from spkit.run.streams import generator
from spkit.stages.measure_passes import measure_passes, right_counts, sweep_passes
from spkit.tasks import load_task, test_set

N = 8


def test_passes_are_those_of_the_samples():
    base, task = load_policy("expressions"), load_task("expressions")
    problems = test_set(task, 4)
    right, whole = right_counts(base, task, problems, N, 1.0, generator(0, 0, "passes"))
    longest = base.tokens_for(task.max_completion_chars(5))
    draw = generator(0, 0, "passes")
    rows = base.sample([one.prompt for one in problems], N, max_new_tokens=longest, generator=draw)
    assert all(rows.finished)
    verdicts = [[task.verify(one, rows.texts[i * N + j]) for j in range(N)] for i, one in enumerate(problems)]
    assert right == [sum(one.correct for one in row) for row in verdicts]
    assert whole == [sum(one.correct and one.step_errors == 0 for one in row) for row in verdicts]
    assert sum(right) > sum(whole) > 0 and all(a >= b for a, b in zip(right, whole))
    same = measure_passes(base, base, task, problems, N, 0)
    assert same["crossing"]["k"] == 1 and same["crossing"]["above_k"] is None and not same["crossing"]["excludes_zero"]
    assert same["base"]["4"]["mean"] == same["trained"]["4"]["mean"]
    assert abs(same["base"]["4"]["mean"] - pass_at_k(right, N, 4)) < 1e-12
    assert abs(same["steps_right"]["base"]["4"]["mean"] - pass_at_k(whole, N, 4)) < 1e-12
    swept = sweep_passes(base, task, problems, N, [0.4, 1.0], 0)
    assert swept["at"]["100"] == same["base"] and swept["steps_right"]["at"]["100"] == same["steps_right"]["base"]
    assert swept["at"]["40"]["1"]["mean"] > swept["at"]["100"]["1"]["mean"], "this base is right more often, sharper"
