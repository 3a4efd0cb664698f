"""A proposer, a solver and a verifier without a language model: what every fault looks like is
known, because it is put in.

A task has a depth; the solver of skill s gets it right with probability 1 / (1 + exp(1.5 (depth - s))). It writes one
of `ways` texts for each answer, right or one of four wrong ones. The verifier flips a verdict with probability
`flip`. Everything may drift: a setting given as a pair goes linearly from the first value to the second over the steps.
"""

import math
import random
from dataclasses import dataclass, replace
from itertools import pairwise

from spkit.diagnose.batches import from_rows
from spkit.diagnose.judge import Diagnosis, diagnose
from spkit.diagnose.totals import Totals

Setting = float | tuple[float, float]
NOUNS = "the sum of pears and plums that a boy has left when he gives some to his aunt in town".split()


@dataclass(frozen=True)
class World:
    steps: int = 24
    problems: int = 16
    k: int = 8
    skill: Setting = (3.0, 4.0)
    depth: Setting = (3.0, 4.0)
    spread: float = 1.0  # standard deviation of the depth
    ways: Setting = 12  # at least 1
    flip: Setting = 0.0
    fooled: Setting = 0.0  # chance that a wrong answer of the kind the verifier likes is accepted, always the same ones
    padding: Setting = 0  # words added to a completion
    padded_pays: Setting = 0.0  # chance that the reward is given for the padding
    duplicates: Setting = 0.05
    invalid: Setting = 0.05
    proposer: bool = True
    truth: bool = False  # rows carry `correct`
    gold: bool = False  # rows carry the gold answer
    graded: float = 0.0  # how far a reward may lie from 0 or 1
    words: Setting = 0.0  # of a rationale before the answer; they differ by a quarter
    cap: Setting = 0.0  # words after which a completion is cut off and wrong; 0: none
    ends: str = ""  # how a cut is logged: "", "tokens" or "finish"
    letters: int = 0  # characters after which a completion is cut off and wrong
    sums: bool = False  # completions are sums of signs and digits, as the shipped models write them
    label: bool = False  # completions are one of five words
    runs: Setting = 0.0  # chance that somebody else's turn follows the answer
    unformed: Setting = 0.0  # chance that the answer is said in another form, which earns nothing
    silent: Setting = 0.0  # chance that no answer is said
    reopens: Setting = 0.0  # chance that the completion begins with a think tag
    symbols: Setting = 0.0  # chance that the completion is one symbol over and over
    entropy: Setting | None = None  # nats a token, as logged
    advantages: bool = False  # rows carry an advantage
    shuffled: Setting = 0.0  # share of the groups whose advantages are those of other samples
    shaky: float = 0.0  # how far a reward of the same text may lie apart
    style: float = 0.0  # scale of a second reward function that has nothing to do with the answer
    form: float = 0.0  # scale of a reward for the form, which nearly all earn
    fate: Setting = 0.0  # share of the groups whose samples are all right or all wrong
    doubled: float = 0.0  # share of the problems that were drawn twice
    agreed: Setting = 0.0  # share of the wrong answers that are the same one
    chat: bool | None = None  # whether the prompts were logged as messages
    before: str = ""  # what stands before each prompt
    after: str = ""  # and behind it


def rows(world: World, seed: int) -> list[dict]:
    """The completions of a run, in spkit's own format, and the columns of a batch beside it."""
    draw, result, written = random.Random(f"{world}/{seed}"), [], ["a first problem"]
    for step in range(world.steps):
        now = _at(world, step / max(1, world.steps - 1))
        prompt = ""
        for index in range(world.problems):
            depth = max(0.5, draw.gauss(now.depth, world.spread))
            if not prompt or draw.random() >= world.doubled:
                prompt = f"{world.before}problem {step}.{index}{world.after}"
            result += _proposals(world, now, draw, step, prompt, depth, written)
            result += _group(world, now, draw, step, prompt, depth)
    return result


def _proposals(
    world: World, now: World, draw: random.Random, step: int, prompt: str, depth: float, written: list[str]
) -> list[dict]:
    """The valid proposal of a problem, and the invalid ones before it."""
    if not world.proposer:
        return []
    made = []
    while True:
        valid = draw.random() >= now.invalid
        text = draw.choice(written) if draw.random() < now.duplicates else f"{prompt}, draft {len(made)}"
        written.append(text)
        made.append(
            {
                "step": step,
                "role": "proposer",
                "prompt": "write a problem",
                "completion": text,
                "reward": 0.5,
                "valid": valid,
                "depth": depth,
            }
        )
        if valid:
            return made


def _group(world: World, now: World, draw: random.Random, step: int, prompt: str, depth: float) -> list[dict]:
    chance, made = 1 / (1 + math.exp(1.5 * (depth - now.skill))), []
    favourite = {right: draw.random() for right in (True, False)}
    fate = draw.random() < chance if draw.random() < now.fate else None
    for _ in range(world.k):
        # a solver that has collapsed has made up its mind about the problem
        decided = favourite[True] < chance if now.ways < 2 else draw.random() < chance
        decided = decided if fate is None else fate
        wrong = 1 if now.ways < 2 or draw.random() < now.agreed else draw.randint(1, 4)
        made.append(_sample(world, now, draw, 10 if decided else 10 + wrong))
        made[-1] |= {"step": step, "role": "solver", "prompt": prompt}
    _judge(world, now, draw, made)
    return made


def _sample(world: World, now: World, draw: random.Random, answer: int) -> dict:
    """A completion with that answer, and what is logged of it."""
    way = draw.randrange(max(1, round(now.ways)))
    count = max(0, round(draw.gauss(now.words, now.words / 4)))
    rationale = [draw.choice(NOUNS) for _ in range(count)]
    for index in range(9, count, 10):
        rationale[index] += "."
    form, kind = f"<answer>{answer}</answer>", draw.random()
    formed = kind >= now.unformed
    silent = not formed or now.silent > 0
    if not formed:
        form = f"so it is {answer}."
    elif draw.random() < now.silent:
        form = "and so on."
    said = [f"way {'abcdefghijkl'[way]}:", *rationale, *["well"] * round(now.padding), form]
    if world.sums:
        start = [draw.randint(1, 15) for _ in range(3)]
        said = [";".join(f"{a}+{b}:{a + b}" for a, b in pairwise(start)) + f";{answer}"]
        formed, silent = True, False
    if world.label:
        said, formed = [("neutral", "nothing", "angry", "happy", "sorrow")[answer - 10]], True
    cut = bool(now.cap) and sum(len(part.split()) for part in said) > now.cap
    text = " ".join(" ".join(said).split()[: round(now.cap)] if cut else said)
    if world.letters and len(text) > world.letters:
        text, cut = text[: world.letters], True
    if draw.random() < now.reopens:
        text = f"<think>\n{text}"
    if draw.random() < now.symbols:
        text, cut, silent = "!" * 80, False, True
    elif draw.random() < now.runs:
        text += f"\nUser: and what is {draw.randint(2, 99)} plus {draw.randint(2, 99)}?"
    spoken = "10" in text or world.label
    row = {"completion": text, "right": answer == 10 and not cut and spoken}
    row["formed"] = "<answer>" in text or world.sums or world.label
    row["liked"] = answer in (11, 12) and not cut and not silent
    if world.ends:
        row["tokens"] = len(text.split())
    if world.ends == "finish":
        row["finish"] = "length" if cut else "stop"
    if now.entropy is not None:
        row["entropy"] = now.entropy * draw.uniform(0.9, 1.1)
    return row


def _judge(world: World, now: World, draw: random.Random, made: list[dict]) -> None:
    """Rewards, advantages and what is known of the truth, onto a group's rows."""
    for row in made:
        right, formed, liked = (row.pop(name) for name in ("right", "formed", "liked"))
        accepted = (right and formed) or (liked and draw.random() < now.fooled) or draw.random() < now.padded_pays
        accepted ^= draw.random() < now.flip
        grade = random.Random(row["completion"])  # what is not right or wrong is a matter of the text
        parts = {"answer_reward": abs(float(accepted) - world.graded * grade.random()) + world.shaky * draw.random()}
        if world.style:
            parts["style_reward"] = world.style * grade.random()
        if world.form:
            parts["format_reward"] = world.form * (grade.random() < 0.9)
        row["reward"] = sum(parts.values())
        row |= {f"reward:{name}": value for name, value in parts.items()}
        if world.truth:
            row["correct"] = right
        if world.gold:
            row["gold"] = "10"
        if world.chat is not None:
            row["chat"] = world.chat
    if world.advantages:
        mean = sum(row["reward"] for row in made) / len(made)
        gains = [row["reward"] - mean for row in made]
        if draw.random() < now.shuffled:
            draw.shuffle(gains)
        for row, gain in zip(made, gains):
            row["advantage"] = gain


def _at(world: World, share: float) -> World:
    """The world's settings at that share of the run."""
    drifting = {name: value for name, value in vars(world).items() if isinstance(value, tuple)}
    return replace(world, **{name: a + (b - a) * share for name, (a, b) in drifting.items()})


def diagnosis_of(made: list[dict], totals: Totals | None = None) -> Diagnosis:
    """What is said of such rows."""
    totals = totals or Totals()
    names = tuple(dict.fromkeys(name[7:] for row in made for name in row if name.startswith("reward:"))) or ("reward",)
    full = [row if "reward:" in "".join(row) else {**row, f"reward:{names[0]}": row["reward"]} for row in made]
    for start, end in pairwise([*range(0, len(full), 20_000), len(full)]):
        totals.add(from_rows(full[start:end], names))
    return diagnose(totals.evidence("a world"))


def as_trl(made: list[dict]) -> list[dict]:
    """The solver's rows as TRL logs them, with two reward functions and a conversation as prompt."""
    return [
        {
            "step": row["step"],
            "prompt": [{"role": "user", "content": row["prompt"]}],
            "completion": [{"role": "assistant", "content": row["completion"]}],
            "format_reward": 0.0,
            "accuracy_reward": row["reward"],
            "advantage": row["reward"] - 0.5,
        }
        for row in made
        if row["role"] == "solver"
    ]


def as_verl(made: list[dict]) -> list[dict]:
    """The solver's rows as verl dumps them."""
    return [
        {"input": row["prompt"], "output": row["completion"], "gts": "10", "score": row["reward"], "step": row["step"]}
        for row in made
        if row["role"] == "solver"
    ]
