"""Where a sign becomes a finding."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """The limits, each with why it lies there.

    What they were tried on: tests/diagnose, in a simulated world and on short real runs.
    """

    # of the steps are the start, and the end: long enough to average, short enough to see a change
    window: float = 0.25
    fewest: int = 16  # groups in a window: below, the interval of a share is wider than half of all there is
    nearly_all: float = 0.75  # of the groups alike: three of four samples teach nothing
    surely: float = 0.5  # and the interval above this: more than half, whatever the draw
    useless: float = 0.1  # useful groups: ten problems are sampled for one that teaches
    change: float = 0.1  # of reward beyond accuracy: smaller ones come and go with the problems of a step
    lost: float = 0.25  # of the best solve rate is left: a curriculum does not fall this far, a broken policy does
    copies: float = 0.35  # different completions in a group: at most 3 of 8
    narrowed: float = 0.6  # of the diversity at the start
    spent: float = 0.25  # of the entropy at the start: the reward's part that entropy can still buy is nearly gone
    unsolved: float = 0.25  # groups not all right: with fewer, being sure is being right
    duplicates: float = 0.5  # of the proposals: more old than new
    invalid: float = 0.5  # of the proposals: more refused than asked
    shallower: float = 0.7  # of the depth at the start
    solved: float = 0.8  # solve rate above which shallower problems are an escape and not a help
    twice: float = 0.02  # flips seen on identical samples, which an exact check never does: room for time-outs
    same_answer: float = 0.1  # flips seen on equal final answers: a check of the working makes some of these too
    # verdicts in either direction, from an audit: GRPO's advantage of a rare right answer is then half noise
    wrong_verdicts: float = 0.05
    clusters: int = 20  # of equal samples, before their agreement is judged
    longer: float = 1.3  # times the length at the start
    added: float = 0.2  # more completions with something beside the answer


DEFAULT = Thresholds()
