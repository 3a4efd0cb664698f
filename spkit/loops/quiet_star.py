"""Quiet-STaR: a model that thinks before every token (Zelikman, Harik, Shao, Jayasiri, Haber and Goodman 2024,
arXiv:2403.09629, Algorithm 1).

    think:  after every token of a text, a few thoughts, none of which sees the text that follows;
    talk:   predict the next tokens of the text from a mix of the states before and after each thought;
    learn:  the likelihood of the text under the mix, and REINFORCE on the thoughts: those after which the text was
            likelier than after the other thoughts at the same place become likelier themselves.

Nobody says where a thought helps, what it should say, or what an answer is: the text is the verifier.

What differs from the paper, and why:
- The model is small, and of its texts it can predict all but one token in ten (task `chains`, base `quiet`), with
  3 tokens a thought (paper: 12 with both marks) and learning rates to match; Mistral 7B learned from web text at 1e-6.
- Sampling and scoring of thoughts are at the same temperature, 1; the published code samples at 1 and scores at 3.
- Thoughts that were worse than their siblings also become less likely (`positive=False`). With the paper's clamp three
  runs of six learned nothing here, and without it none of six (claim `quiet-clamp`).
- The marks have a learning rate of their own in place of a weight of 100 on their gradient (see `policy.thinking`).

Controls: `thoughts` can be `none` (the text alone, as many steps), `pause` (learned tokens, the same at every place:
Goyal et al. 2023, arXiv:2310.02226), `shuffled` (written at other places of the batch) or `base` (written by the base);
`policy_weight` 0 leaves REINFORCE out; `learn="head"` trains the mixing head alone.

Run it: spkit run quiet-star --seed 0
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ..policy import Policy
from ..run.errors import SpkitError
from ..run.folder import Run
from ..run.settings import at_least, one_of_its_choices
from ..run.streams import generator
from ..stages.learn_thoughts import ThoughtUpdate, learn_from_thoughts, new_thinker, restored, thinker_state
from ..stages.measure_thoughts import measure_thoughts
from ..stages.texts import texts_of
from ..tasks import Task


@dataclass(frozen=True)
class QuietStarConfig:
    """Settings of a run; the value of the paper or its code in brackets where there is one."""

    iterations: int = 10  # rounds after the base, measured after each; a larger number extends a run
    seed: int = 0  # decides the texts and every random draw
    steps: int = 20  # optimizer steps of an iteration
    batch_size: int = 8  # texts of a step [8]
    length: int = 31  # tokens of a text [256]
    share: float = 1.0  # of the places of a text, after which thoughts are written [1]
    tokens: int = 3  # of a thought, without its marks [10]
    siblings: int = 2  # thoughts at each place [2]
    ahead: int = 3  # next tokens of the text that a thought is judged by [4]
    # written by the policy, or a control: none, learned pauses, shuffled between places, or written by the base
    thoughts: Literal["own", "none", "pause", "shuffled", "base"] = "own"
    learn: Literal["all", "head"] = "all"  # what is trained: everything, or the mixing head alone [all]
    positive: bool = False  # learn from thoughts that were better than their siblings alone [yes]
    policy_weight: float = 1.0  # of REINFORCE in the loss
    text_weight: float = 0.5  # of the text's likelihood without thoughts; the rest is that with them [0.5]
    learning_rate: float = 3e-4  # of the model [1e-6]
    mark_rate: float = 3e-3  # learning rate of the marks
    head_rate: float = 1e-3  # learning rate of the mixing head
    start: str = "("  # the token whose embedding the start mark begins as ["---"]
    close: str = ")"  # the same of the end mark ["---"]
    test_texts: int = 150  # texts to measure on

    def __post_init__(self) -> None:
        at_least(self, 1, "steps", "batch_size", "tokens", "siblings", "ahead", "test_texts")
        at_least(self, 0, "iterations", "policy_weight", "learning_rate", "mark_rate", "head_rate")
        one_of_its_choices(self)
        if not 0 < self.share <= 1 or not 0 <= self.text_weight <= 1:
            raise SpkitError("share must be above 0, and share and text_weight at most 1")

    @property
    def update(self) -> ThoughtUpdate:
        """How a step learns."""
        names = ThoughtUpdate.__dataclass_fields__
        return ThoughtUpdate(**{name: getattr(self, name) for name in names})


def quiet_star(base: Policy, task: Task, config: QuietStarConfig, run: Run | None = None) -> Iterator[dict[str, Any]]:
    """Yield one record per iteration, iteration 0 being the base; a run with a folder continues where its records end.

    A record holds what `measure_thoughts` says of test texts, and of the iteration's steps the mean `loss`, `advantage`
    (its size, nats), `useful` (share of thoughts with an advantage) and `mean_weight`. Raises SpkitError for marks that
    are no token, and for a model that cannot be told masks and positions.
    """
    run = run or Run()
    base, last = run.begin("quiet_star", task, base, config)
    policy = last.clone()
    marks = (config.start, config.close, config.tokens, config.seed)
    frozen, thinker = new_thinker(base, *marks), new_thinker(policy, *marks)
    look = lambda one, writer, t: measure_thoughts(one, writer, policy, task, config, run, t)
    yield from run.replay(config, lambda: run.record(0, base, **look(frozen, frozen, 0)))
    optimizer, writer = restored(thinker, config.update, run), frozen if config.thoughts == "base" else thinker

    for t in run.iterations(config):
        # 1 propose: texts, of which every step reads others
        done, texts_of_t = (t - 1) * config.steps, config.steps * config.batch_size
        texts = texts_of(policy, task, config.seed, done * config.batch_size, texts_of_t, config.length)
        # 2 solve: think.  3 verify: the text says which thoughts helped.  4 learn: both likelihoods and REINFORCE
        draw = generator(config.seed, t, "think")
        learned = learn_from_thoughts(thinker, frozen, texts, config.update, optimizer, draw, run, done)
        # 5 measure
        yield run.record(t, policy, state=thinker_state(thinker, optimizer), **learned, **look(thinker, writer, t))
