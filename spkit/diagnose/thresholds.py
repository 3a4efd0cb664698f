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
    cut: float = 0.3  # of the completions are cut off: TRL's and verl's healthy runs stay below a fifth
    never_ends: float = 0.9  # of them, at the start and at the end
    somebody_else: float = 0.25  # go on as somebody else's turn: a quotation or two is none
    prompts: float = 0.75  # with the same mark of a wrong template: it is the template, and not the text
    refused: float = 0.5  # of the completions with the gold answer have no reward: flips at random refuse fewer
    accepted: float = 0.1  # of the others have one: then it is the reward that is wrong, and not the form
    read: int = 20  # completions with the gold answer, before their reward is judged
    unread: float = 0.4  # have no answer that can be read
    readable: float = 0.9  # of the rewarded have one: then answers are read as the verifier reads them
    backwards: float = 0.2  # of the useful groups: advantages that were computed from these rewards are never so
    drowned: float = 0.05  # of the variance within groups: a twentieth of the advantage
    drowns: float = 0.8  # of it, by another
    differs: float = 0.3  # of the groups in which a reward function says something
    apart: float = 0.95  # of the variance lies between groups: what is within is a twentieth
    rising: float = 1.5  # times the entropy at the start
    drift: float = 1.6  # times the length at the start, or one part in it
    exploding: float = 3.0  # times it, while the solve rate falls
    broken: float = 0.3  # of the completions end in one piece over and over
    kl: float = 1.0  # nats a token from the base: another model
    merged: float = 0.2  # of the groups hold a problem that was drawn twice
    leaked: float = 0.01  # of the test prompts: one in a hundred is no chance


DEFAULT = Thresholds()
