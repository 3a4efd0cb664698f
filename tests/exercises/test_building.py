"""The exercises that build: the solutions pass, other programs that do the same pass, and each usual mistake, made by
changing a line of the solution, is named.
"""

import numpy as np
import pytest
import torch

from spkit.exercises import absolute_zero_step, cached_sampler, spin_step, star_loop
from spkit.exercises.absolute_zero_step import check_az_step
from spkit.exercises.cached_sampler import check_cached_sampler
from spkit.exercises.checking import Mistake
from spkit.exercises.spin_step import check_spin_step
from spkit.exercises.star_loop import check_star_loop
from spkit.loops.star import star
from spkit.maths.preference import spin_loss
from spkit.policy.sampling import GrowingDecoder, SamplingPlan, generate
from spkit.run.folder import Run

from .solution_cells import solved

CHECKS = {
    "star_loop": (check_star_loop, "02", ()),
    "az_step": (check_az_step, "01", ("cells", "clipped_loss")),
    "spin_step": (check_spin_step, "03", ()),
    "cached_sample": (check_cached_sampler, "05", ()),
}
KNOWN = {
    "star_loop": [star_loop.STAR_LOOP_MISTAKES],
    "az_step": [absolute_zero_step.STEP_ROW_MISTAKES, absolute_zero_step.STEP_UPDATE_MISTAKES],
    "spin_step": [spin_step.SPIN_STEP_MISTAKES],
    "cached_sample": [cached_sampler.CACHED_SAMPLER_MISTAKES],
}
LEARN = 'generator(config.seed, t, "learn")'
LOSS = "clipped_loss(logprobs, logprobs.detach(), torch.tensor(advantages), mask, 0.2, 0.28)"
ADVANTAGES = "trr_pp(rewards, cells, [len(example.completion) for example in examples])"
EARNED = "-1.0 if place is None else 1 - rates[place] if 0 < rates[place] < 1 else 0.0"
PROMPT = "Example(policy.prompt_ids(prompt), ids)"
ATTEMPT = "Example(policy.prompt_ids(attempts.rollouts.prompts[i]), attempts.rollouts.token_ids[i])"
SCORES = "logits[:, :, :-1].log_softmax(-1).gather(-1, ids[:, :, 1:, None])[..., 0]"
MASK = "mask = (place >= prompts[None, :, None]) & (place < lengths[:, :, None])"
RATIOS = "replies(policy) - replies(opponent.detach())"
SPIN = "-logsigmoid(beta * (ratios[0] - ratios[1])).mean()"
CALL = "model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True)"
SHIFT = "positions = (mask.cumsum(1) - 1).clamp(min=0)"
NEXT = "positions = positions[stay, -1:] + 1"
NUMBERS = "torch.rand((len(prompts), max_new_tokens), generator=generator)"
CHANGED = [  # exercise, changes of its solution, what is said
    ("star_loop", [("fine_tune(base,", "fine_tune(policy,")], "trains from the last policy"),
    ("star_loop", [("(one.problem.prompt, one.token_ids) for one in kept + rescued]",
                    "(one.problem.prompt, one.token_ids) for one in kept]\n"
                    "        pairs += [(task.hint(one.problem), one.token_ids) for one in rescued]")], "hint is left"),
    ("star_loop", [("for one in tried if not one.verdict.correct]", "for one in tried]")], "right answers too"),
    ("star_loop", [("[one for one in hinted if one.verdict.correct]", "hinted")], "every hinted completion is kept"),
    ("star_loop", [("for one in kept + rescued]", "for one in tried + rescued]")], "own completions are trained on"),
    ("star_loop", [("for one in tried if not one.verdict.correct]", "for one in []]")], "nothing is rationalized"),
    ("star_loop", [("count, policy =", "draw = generator(config.seed, 1, 'learn')\n    count, policy ="),
                   (LEARN, "draw")], "one generator goes on"),
    ("star_loop", [(LEARN, "generator(config.seed, 1, 'learn')")], "from the seed alone"),
    ("star_loop", [("(t - 1) * count", "0")], "same problems"),
    ("star_loop", [("(t - 1) * count", "t * count")], "skips problems"),
    ("star_loop", [("solve(policy, task, batch)", "solve(base, task, batch)")], "nothing that was learned is used"),
    ("star_loop", [("solve(base, task, failed", "solve(policy, task, failed")], "the last policy reads the hints"),
    ("star_loop", [("for one in tried if one.verdict.correct]", "for one in tried if one.verdict.reward == 1]"),
                   ("for one in tried if not one.verdict.correct]", "for one in tried if one.verdict.reward < 1]"),
                   ("for one in hinted if one.verdict.correct]", "for one in hinted if one.verdict.reward == 1]")],
     "checks the steps too"),
    ("star_loop", [("config.sft(t)", "config.sft(1)")], "do not grow"),
    ("star_loop", [("config.sft(t)", "config.sft(t + 1)")], "one iteration behind"),
    ("star_loop", [("policy, _ = fine_tune", "before = policy\n        policy, _ = fine_tune"),
                   ("measure(policy,", "measure(before,")], "before its update"),
    ("star_loop", [("yield {\"iteration\": 0, **measure(base, task, config.test_per_difficulty, Run())}", "")],
     "base's own record is missing"),
    ("az_step", [("[row[:2] for row in rows]", "[0] * len(rows)")], "one baseline serves all rows"),
    ("az_step", [("[row[:2] for row in rows]", "[row[1] for row in rows]")], "one baseline a role"),
    ("az_step", [("[row[:2] for row in rows]", "[row[0] for row in rows]")], "one baseline a task"),
    ("az_step", [(ADVANTAGES, "np.array([r - rewards[[c == own for c in cells]].mean() "
                              "for r, own in zip(rewards, cells)])")], "does not divide"),
    ("az_step", [(ADVANTAGES, "np.array([(r - rewards[[c == own for c in cells]].mean()) / "
                              "rewards[[c == own for c in cells]].std() for r, own in zip(rewards, cells)])")],
     "has n in its denominator"),
    ("az_step", [(EARNED, EARNED.replace("-1.0", "0.0"))], "an invalid proposal earns 0"),
    ("az_step", [(EARNED, EARNED.replace("-1.0", "1.0"))], "earns 1 for an invalid proposal"),
    ("az_step", [("proposals.append((kind, prompt, text, ids, None))", "continue")], "invalid proposals are left out"),
    ("az_step", [(EARNED, "-1.0 if place is None else 1 - rates[place]")], "where r is 0 the proposer earns 1"),
    ("az_step", [(EARNED, EARNED.replace("else 0.0", "else -0.5"))], "what the published code gives"),
    ("az_step", [(EARNED, EARNED.replace("1 - rates[place] if", "rates[place] if"))], "earns r, the more the easier"),
    ("az_step", [("for kind, prompt, text, ids, place in proposals:",
                  "for n, (kind, prompt, text, ids, place) in enumerate(proposals):\n"
                  "        rate = rates[n] if n < len(rates) else 0.0"),
                 (EARNED, "-1.0 if place is None else 1 - rate if 0 < rate < 1 else 0.0")], "shift the others"),
    ("az_step", [("proposals.append((kind, prompt, text, ids, None))",
                  "proposals.append((kind, prompt, text, ids, None))\n"
                  "                asked.append(task.invalid(kind, text))")], "there is no gate"),
    ("az_step", [("elif fault is None and not", "elif not")], "kept for the test split"),
    ("az_step", [("elif fault is None and not buffers.has(kind, task.entry_of(problem)):", "elif fault is None:")],
     "neither of stored problems nor within the batch"),
    ("az_step", [("not buffers.has(kind, task.entry_of(problem)):",
                  "task.entry_of(problem) not in [task.entry_of(one) for one in asked if one.kind == kind]:")],
     "stored already is not dropped"),
    ("az_step", [("buffers.add(problem)", "pass"), ("rates = attempts", "[buffers.add(one) for one in asked]\n    "
                                                    "rates = attempts")], "proposed twice in one batch"),
    ("az_step", [(" if finished else (None, \"text\")", "")], "was cut off"),
    ("az_step", [("1.0 if verdict.correct else -0.5 if verdict.parsed is not None else -1.0",
                  "float(verdict.correct)")], "earns 1 or 0"),
    ("az_step", [("-0.5 if verdict.parsed is not None else -1.0", "-0.5")], "all have -0.5"),
    ("az_step", [("buffers.add(problem)", "asked_already.add(task.entry_of(problem))"),
                 ("proposals, asked = [], []\n    for kind in (\"deduction\", \"abduction\"):",
                  "proposals, asked = [], []\n    for kind in (\"deduction\", \"abduction\"):\n"
                  "        asked_already = set()"),
                 ("elif fault is None and", "elif fault is None and task.entry_of(problem) not in asked_already and")],
     "are not stored"),
    ("az_step", [("optimizer.step()", "pass")], "have not moved"),
    ("az_step", [(LOSS, "-" + LOSS)], "sign is missing"),
    ("az_step", [("optimizer.zero_grad()", "pass")], "step before is still there"),
    ("az_step", [(LOSS, LOSS + " * mask.sum()")], "the sum over tokens; the mean"),
    ("az_step", [(LOSS, LOSS + " * mask.sum() / len(rows)")], "divided by the rows"),
    ("az_step", [(LOSS, "-(torch.tensor(advantages) * (logprobs * mask).sum(1) / mask.sum(1)).mean()")],
     "mean over rows of means"),
    ("az_step", [(LOSS, LOSS + " * mask.double().mean()")], "padding is in the denominator"),
    ("az_step", [("torch.tensor(advantages), mask", "torch.ones(len(rows)), mask")], "advantages are left out"),
    ("az_step", [("logprobs, mask = completion_logprobs(policy.model, examples,",
                  "good = np.flatnonzero(advantages > 0)\n    logprobs, mask = completion_logprobs(policy.model, "
                  "[examples[i] for i in good],"), ("torch.tensor(advantages),", "torch.tensor(advantages[good]),")],
     "above 0 are learned from"),
    *(("az_step", [("logprobs, mask = completion_logprobs(policy.model, examples,",
                    f"mine = [i for i, row in enumerate(rows) if row[1] == '{role}']\n    logprobs, mask = "
                    "completion_logprobs(policy.model, [examples[i] for i in mine],"),
                   ("torch.tensor(advantages),", "torch.tensor(advantages[mine]),")], f"the {role}'s rows alone")
      for role in ("solver", "proposer")),
    ("az_step", [("advantages = trr_pp", "examples = [Example(e.prompt[:1], e.prompt[1:] + e.completion) "
                                         "for e in examples]\n    advantages = trr_pp")], "the prompt is learned"),
    ("az_step", [("optimizer.step()", "optimizer.step()\n    logprobs, mask = completion_logprobs(policy.model, "
                  "examples, policy.pad_id)\n    loss = clipped_loss(logprobs, logprobs.detach(), "
                  "torch.tensor(advantages), mask, 9.0, 9.0)\n    optimizer.zero_grad()\n    loss.backward()\n"
                  "    optimizer.step()")], "two updates"),
    ("spin_step", [(SCORES, "logits[:, :, 1:].log_softmax(-1).gather(-1, ids[:, :, 1:, None])[..., 0]")], "no shift"),
    ("spin_step", [(SCORES, "torch.cat([0 * logits[:, :, :1, 0], logits[:, :, :-2].log_softmax(-1)"
                            ".gather(-1, ids[:, :, 2:, None])[..., 0]], 2)")], "shifts by two"),
    ("spin_step", [("place >= prompts", "place > prompts")], "first token of each reply is lost"),
    ("spin_step", [("place >= prompts", "place + 1 >= prompts")], "prompt's last token is counted"),
    ("spin_step", [("place < lengths", "place + 1 < lengths")], "end token is lost"),
    ("spin_step", [("torch.arange(1, ids.shape[2])", "torch.arange(2, ids.shape[2] + 1)")], "one place too early"),
    ("spin_step", [(MASK, "mask = place < lengths[:, :, None]")], "prompt is counted; it cancels"),
    ("spin_step", [(MASK, "mask = (place >= prompts[None, :, None]).expand(2, -1, -1)")], "padding is counted"),
    ("spin_step", [("(scores * mask).sum(-1)", "scores.sum(-1)")], "nothing is masked: prompt"),
    ("spin_step", [("(scores * mask).sum(-1)", "scores.mean(-1)")], "mean over all places"),
    ("spin_step", [("(scores * mask).sum(-1)", "(scores * mask).sum(-1) / mask.sum(-1)")], "mean over a reply's"),
    ("spin_step", [("lengths[:, :, None])", "lengths[1:, :, None]).expand(2, -1, -1)")], "generated replies' lengths"),
    ("spin_step", [("opponent.detach()", "opponent")], "opponent is not detached"),
    ("spin_step", [(RATIOS, "replies(policy)")], "opponent is missing"),
    ("spin_step", [(SPIN, SPIN.replace("ratios[0] - ratios[1]", "ratios[1] - ratios[0]"))], "exchanged"),
    ("spin_step", [(SPIN, SPIN.replace("ratios[0] - ratios[1]", "ratios[1] + ratios[0]"))], "ratios are added"),
    ("spin_step", [(SPIN, SPIN.replace("ratios[0] - ratios[1]", "ratios[0]"))], "generated reply is missing"),
    ("spin_step", [(SPIN, SPIN.replace("beta * ", ""))], "beta is forgotten"),
    ("spin_step", [(SPIN, "-beta * logsigmoid(ratios[0] - ratios[1]).mean()")], "beta multiplies the loss"),
    ("spin_step", [(SPIN, SPIN.replace("mean", "sum"))], "sum over rows"),
    ("spin_step", [(SPIN, SPIN[1:])], "this is log sigma"),
    ("spin_step", [("return loss.detach(), gradient", "return loss.detach(), -gradient")], "has the other sign"),
    ("cached_sample", [(SHIFT, "positions = torch.arange(width).expand_as(ids)")], "positions count its padding"),
    ("cached_sample", [(NEXT, "positions = torch.full((len(stay), 1), width + step)")], "a gap opens"),
    ("cached_sample", [(NEXT, "positions = positions[stay, -1:] + (step == 0)")], "at the same position"),
    ("cached_sample", [(NEXT, "positions = torch.full((len(stay), 1), step)")], "begin at 0 again"),
    ("cached_sample", [(NEXT, "positions = positions[stay, -1:] + (step > 0)")], "one too low"),
    ("cached_sample", [("torch.cat([mask[stay], mask.new_ones(len(stay), 1)], 1)", "mask[stay]")], "does not grow"),
    ("cached_sample", [(CALL, CALL.replace("attention_mask=mask, ", ""))], "there is no mask"),
    ("cached_sample", [("[pad] * (width - len(prompt)) + prompt ", "prompt + [pad] * (width - len(prompt)) "),
                       ("[0] * (width - len(prompt)) + [1] * len(prompt)",
                        "[1] * len(prompt) + [0] * (width - len(prompt))")], "padded on the right"),
    ("cached_sample", [("batch_select_indices(stay)", "batch_select_indices(torch.arange(len(stay)))")],
     "the cache of others"),
    ("cached_sample", [("written[row].append(token)", "written[row] += [token] * (end not in written[row])"),
                       ("stay = (chosen != end).nonzero()[:, 0]\n        if not len(stay):",
                        "stay = torch.arange(len(rows))\n        if all(end in row for row in written):")],
     "computed until the last one ends"),
    ("cached_sample", [("stay = (chosen != end).nonzero()[:, 0]\n        if not len(stay):",
                        "stay = torch.arange(len(rows))\n        if all(end in row for row in written):")],
     "goes on behind its end"),
    ("cached_sample", [("if not len(stay):", "if len(stay) < len(prompts):")], "all rows stop"),
    ("cached_sample", [("written[row].append(token)", "written[row] += [token] * (token != end)")],
     "end token is left out"),
    ("cached_sample", [("return written", "return [prompt + row for prompt, row in zip(prompts, written)]")],
     "prompts are returned"),
    ("cached_sample", [("past_key_values=cache, ", ""), ("ids, cache = rows[stay], chosen[stay, None], "
                        "out.past_key_values", "ids = rows[stay], torch.cat([ids[stay], chosen[stay, None]], 1)"),
                       ("cache.batch_select_indices(stay)", "pass"),
                       (NEXT, "positions = torch.cat([positions[stay], positions[stay, -1:] + 1], 1)")],
     "read again at every step"),
    ("cached_sample", [("return written", "return sorted(written, key=lambda row: (end not in row, len(row)))")],
     "in which they ended"),
    ("cached_sample", [("in range(max_new_tokens)", "in range(max_new_tokens - 1)")], "one token too early"),
    ("cached_sample", [("temperature, numbers", "temperature and 1 / temperature, numbers")], "multiplies the logits"),
    ("cached_sample", [("temperature, numbers", "0, numbers")], "greedy at every temperature"),
    ("cached_sample", [("temperature, numbers", "temperature and 1.0, numbers")], "temperature is left out"),
    ("cached_sample", [("numbers[rows, step]", "torch.rand(len(rows), generator=generator)")], "step by step"),
    ("cached_sample", [("numbers[rows, step]", "numbers[:1, step].expand(len(rows))")], "share one number"),
    ("cached_sample", [("return written", "return [row + [end] * (end in row) for row in written]")], "there twice"),
]  # fmt: skip


def checked(name: str, answer: object) -> None:
    CHECKS[name][0](answer)


def changed(name: str, *changes: tuple[str, str]) -> object:
    _, notebook, needs = CHECKS[name]
    return solved(notebook, name, *changes, needs=needs)


@pytest.mark.parametrize("name", CHECKS)
def test_the_solution_passes(name, capsys):
    checked(name, changed(name))
    assert capsys.readouterr().out.startswith(f"{name}: right.\n")


@pytest.mark.parametrize(
    ("name", "changes", "said"), CHANGED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_mistake_in_the_solution_is_named(name, changes, said):
    with pytest.raises(Mistake) as caught:
        checked(name, changed(name, *changes))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", CHECKS)
def test_every_known_mistake_is_made_above(name):
    said = [message for own, _, message in CHANGED if own == name]
    known = [text for mistakes in KNOWN[name] for text in mistakes]
    for text in known:
        assert sum(message in text for message in said) == 1, text
    assert len(said) == len(known)


def stub(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("name", CHECKS)
def test_an_empty_answer_gets_a_sentence_and_no_traceback(name):
    for answer, sentence in ((stub, "there is no answer yet"), (lambda *_: None, "returns nothing")):
        with pytest.raises(Mistake, match=sentence) as caught:
            checked(name, answer)
        assert caught.value._render_traceback_() == [f"Mistake: {caught.value}"]


@pytest.mark.parametrize(
    ("name", "answer", "sentence"),
    [
        ("star_loop", lambda *_: [], "`yield` a record"),
        ("star_loop", lambda *_: iter([0.5]), "a record is a dict"),
        ("star_loop", lambda *_: iter([{"iteration": 0}]), "has no accuracy"),
        ("az_step", lambda *_: [("deduction", "solver")], "a row is"),
        ("az_step", lambda *_: [], "missing"),
        ("spin_step", lambda *_: 0.7, "return the pair"),
        ("spin_step", lambda *_: (0.7, 0.0), "has the shape of the policy's logits"),
        ("cached_sample", lambda *_: [[1]], "return a list of 4 lists"),
        ("cached_sample", lambda model, prompts, *_: [[1]] * len(prompts), "none of the usual mistakes"),
    ],
)
def test_what_is_no_answer_gets_a_sentence(name, answer, sentence):
    with pytest.raises(Mistake, match=sentence):
        checked(name, answer)


class Bare(Run):
    """A run that takes any policy and hands its records out."""

    def begin(self, name, task, base, config):
        return base, base

    def record(self, iteration, policy, samples=(), **values):
        self.records.append({"iteration": iteration, **values})
        return self.records[-1]


def test_the_loop_of_the_course_passes_as_stars():
    check_star_loop(lambda base, task, config: star(base, task, config, Bare()))


def test_the_loss_of_the_package_passes_as_spins():
    def step(policy, opponent, ids, prompts, lengths, beta):
        def reply(logits, side, row):
            span = slice(int(prompts[row]), int(lengths[side, row]))
            before = slice(span.start - 1, span.stop - 1)
            return -torch.nn.functional.cross_entropy(logits[side, row, before], ids[side, row, span], reduction="sum")

        scores = lambda logits: [
            torch.stack([reply(logits, side, row) for row in range(len(prompts))]) for side in (0, 1)
        ]
        with torch.no_grad():
            frozen = scores(opponent)
        loss, _ = spin_loss(*scores(policy), *frozen, beta=beta)
        return loss.item(), torch.autograd.grad(loss, policy)[0].numpy()

    check_spin_step(step)


def test_the_sampler_of_the_package_passes_as_the_readers():
    """It chooses from logits in float32, which decide alike here."""

    class Unwrapped(GrowingDecoder):
        def __init__(self, counted):
            super().__init__(counted.model)
            self.counted = counted

    def sample(counted, prompts, most, end, pad, temperature, draw):
        numbers = torch.rand((len(prompts), most), generator=draw)
        plan = SamplingPlan(temperature, most, frozenset([end]), pad)
        rows = torch.arange(len(prompts))
        tokens, _, lengths = generate(Unwrapped(counted), prompts, rows, numbers, plan)
        return [row[:length] for row, length in zip(tokens.tolist(), lengths.tolist())]

    check_cached_sampler(sample)


def test_a_model_may_be_asked_once_more_for_each_row_but_not_for_its_whole_text():
    case = cached_sampler._sampler_cases()[2]
    model = cached_sampler.CountedModel(cached_sampler._models()[1])
    lengths = [len(row) for row in changed("cached_sample")(model, case[1], case[3], 1, 0, 0.0, torch.Generator())]
    assert cached_sampler._in_vain(model.shapes, lengths) == 0
    assert cached_sampler._in_vain([*model.shapes, (1, 1)], lengths) == 0
    assert cached_sampler._in_vain([*model.shapes, (1, 2)], lengths) == 2
    assert cached_sampler._in_vain([*model.shapes, (99, 1)], lengths) == 1


def test_the_closed_form_of_spin_is_the_difference_quotient():
    """The reference itself, against a change of one logit at a time."""
    batch = spin_step._batch(5, 2, 6, 0.7)
    loss, gradient = spin_step.RIGHT_SPIN.step(*batch)
    rng, small = np.random.default_rng(0), 1e-6
    for index in zip(*(rng.integers(0, size, 40) for size in batch.policy.shape)):
        moved = batch.policy.detach().clone()
        moved[index] += small
        quotient = (spin_step.RIGHT_SPIN.step(moved, *batch[1:])[0] - loss) / small
        assert abs(quotient - gradient[index]) < 1e-6
