"""Exercises: checks that name the mistake they meet, and the student notebooks made from the solutions.

`python -m spkit.exercises generate` writes notebooks/exercises/ from notebooks/solutions/. The checks of notebook 01
are in `spkit.exercises.self_play` and `spkit.exercises.policy_gradient`, those of notebook 02 in
`spkit.exercises.self_training` and `spkit.exercises.experiments`, those of notebook 03 in `spkit.exercises.spin` and
`spkit.exercises.spin_tables`, those of notebook 04 in `spkit.exercises.quiet_star` and `spkit.exercises.thoughts`,
those of notebook 05 in `spkit.exercises.updates`, `spkit.exercises.dynamics` and `spkit.exercises.dynamics_runs`, and
those of notebook 07 in `spkit.exercises.games`: some load torch or more of the package, which those of notebook 00,
here, do without. The exercises in which the reader builds a loop, a step or a sampler are checked in `star_loop`,
`absolute_zero_step`, `spin_step` and `cached_sampler`.
"""

from spkit.exercises.checking import Mistake, compare, compare_lists
from spkit.exercises.toy_games import (
    check_accuracy,
    check_debias,
    check_learnability,
    check_nash_conv,
    check_noisy_reward,
)

__all__ = [
    "Mistake",
    "check_accuracy",
    "check_debias",
    "check_learnability",
    "check_nash_conv",
    "check_noisy_reward",
    "compare",
    "compare_lists",
]
