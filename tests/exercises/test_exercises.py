"""The exercises' checks: right answers pass, usual mistakes are named, and the student notebook hides the solutions."""

import json
from collections import Counter
from dataclasses import replace
from itertools import product
from math import comb

import numpy as np
import pytest
import torch

from spkit.exercises import (
    Mistake,
    check_accuracy,
    check_debias,
    check_learnability,
    check_nash_conv,
    check_noisy_reward,
    compare,
    compare_lists,
)
from spkit.exercises.__main__ import main
from spkit.exercises.experiments import check_conclude, check_plan
from spkit.exercises.self_training import check_kept_sizes, check_pass_at_k, check_select, check_star_pairs
from spkit.exercises.spin import check_displaced, check_spin_loss, check_training_ids
from spkit.exercises.spin_tables import (
    check_best_response,
    check_bounded_reward,
    check_chi_square_loss,
    check_fate,
    check_sft_gradient,
    check_spin_gradient,
)
from spkit.exercises.student import student_notebook, without_solutions, write_students
from spkit.exercises.verifiers import check_precision, check_tolerable, check_vote_is_right
from spkit.loops.rest_em import RestEmConfig
from spkit.policy import SftConfig
from spkit.run.errors import SpkitError
from spkit.tasks import Addition, Problem

RIGHT = {
    check_nash_conv: lambda a, x, y: max(a @ y) - min(x @ a),
    check_learnability: lambda r: np.mean([np.sum((g - g.mean()) ** 2) / (len(g) - 1) for g in r]),
    check_debias: lambda v, f: v / (1 - 2 * f) - f / (1 - 2 * f),
    check_noisy_reward: lambda r, f, g: (g / (g - 1) * (r - r**2) - f + f**2) / (1 - 4 * f + 4 * f**2),
    check_star_pairs: lambda attempts: star_by_options(attempts),
    check_pass_at_k: lambda correct, n, k: np.mean(
        [1 - np.prod([1 - k / i for i in range(n - c + 1, n + 1)]) if n - c >= k else 1.0 for c in correct]
    ),
    check_select: lambda samples, cap: select_by_options(samples, cap),
    check_kept_sizes: lambda r, thresholds: [sum(x > t and x > sum(r) / len(r) for x in r) for t in thresholds],
    check_vote_is_right: lambda chances, k: vote_by_outcomes(chances, k),
    check_precision: lambda p, f: 1 / (1 + (1 - p) / p * f / (1 - f)),
    check_tolerable: lambda p, t: 1 / (1 + p**-1 * (1 - p) * t / (1 - t)),
    check_conclude: lambda v, c, noise: conclude_by_options(v, c, noise),
    check_spin_loss: lambda *batch: spin_by_rows(*batch),
    check_training_ids: lambda *reply: ids_by_options(*reply),
    check_displaced: lambda *logs: displaced_by_rows(*logs),
    check_best_response: lambda p, q, lam: response_by_options(p, q, lam),
    check_fate: lambda p, q, lam: fate_by_iteration(p, q, lam),
    check_chi_square_loss: lambda r, g, tau: np.mean(r**2 - 2 * tau * r + g**2 + 2 * tau * g) + 2 * tau**2,
    check_bounded_reward: lambda p, q, tau: tau * np.tanh(np.log(p / q) / 2),
    check_sft_gradient: lambda p, q: -sum(chance * (one - q) for chance, one in zip(p, np.eye(len(p)))),
    check_spin_gradient: lambda p, q, n, lam: spin_gradient_by_pairs(p, q, n, lam),
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
    (check_noisy_reward, lambda r, f, g: (r > 0) * (1 - r), "pass its gate"),
    (
        check_noisy_reward,
        lambda r, f, g: (r * (1 - r) - f * (1 - f)) / (1 - 2 * f) ** 2,
        "correct that before subtracting",
    ),
    (check_noisy_reward, lambda r, f, g: 1 - 2 * abs(r - 1 / 2), "R-Zero"),
    (check_star_pairs, lambda a: star_by_options(a, prompt=lambda x: x.hint), "hint is left in the prompts"),
    (check_star_pairs, lambda a: star_by_options(a, stop=False), "rationalizes the successes too"),
    (check_star_pairs, lambda a: star_by_options(a, read_hinted=lambda *_: True), "keeps every hinted completion"),
    (
        check_star_pairs,
        lambda a: [(x.prompt, x.completion) for x in a if not ends_right(x.completion, x.answer)] + star_by_options(a),
        "failures' own",
    ),
    (
        check_star_pairs,
        lambda a: [
            (x.prompt, x.completion) for x in a if ends_right(x.completion, x.answer) or ends_right(x.hinted, x.answer)
        ],
        "that failed",
    ),
    (check_star_pairs, lambda a: star_by_options(a, read_hinted=lambda *_: False), "without rationalization"),
    (check_star_pairs, lambda a: star_by_options(a, own=False), "rationalized ones alone"),
    (
        check_star_pairs,
        lambda a: star_by_options(a, read=lambda text, gold: text.count(gold) > 0),
        "anywhere in the text",
    ),
    (
        check_star_pairs,
        lambda a: star_by_options(a, read=lambda text, gold: text[-len(gold) :] == gold),
        "only ends in the right digits",
    ),
    (check_star_pairs, lambda a: star_without_wrong_steps(a), "checks the steps too"),
    (check_star_pairs, lambda a: a, "9 too many, such as Attempt"),
    (check_pass_at_k, lambda correct, n, k: np.mean(1 - (1 - np.array(correct) / n) ** k), "with replacement"),
    (check_pass_at_k, lambda correct, n, k: sum(correct) / n / len(correct), "pass@1 whatever k"),
    (check_pass_at_k, lambda correct, n, k: np.mean(np.array(correct) >= 1), "pass@n"),
    (check_pass_at_k, lambda correct, n, k: np.mean(np.minimum(1, np.array(correct) * k / n)), "right on average"),
    (
        check_pass_at_k,
        lambda correct, n, k: np.mean([comb(c, k) / comb(n, k) for c in correct]),
        "all k samples are right",
    ),
    (
        check_pass_at_k,
        lambda correct, n, k: np.mean([comb(n - c, k) / comb(n, k) for c in correct]),
        "no sample is right",
    ),
    (
        check_pass_at_k,
        lambda correct, n, k: pass_pooled(sum(correct), n * len(correct), k),
        "average over problems last",
    ),
    (check_select, lambda s, cap: select_by_options(s, cap, stages="vcd"), "caps first"),
    (check_select, lambda s, cap: select_by_options(s, cap, path=lambda x: x.text), "by their text"),
    (
        check_select,
        lambda s, cap: select_by_options(s, cap, group=lambda x: "", stages="vd", then_cap=True),
        "another problem has as well",
    ),
    (check_select, lambda s, cap: select_by_options(s, cap, stages="vd")[:cap], "caps the whole data set"),
    (check_select, lambda s, cap: select_by_options(s, cap, path=lambda x: ""), "one sample a problem"),
    (check_select, lambda s, cap: select_by_options(s, cap, stages="vd"), "has no cap"),
    (check_select, lambda s, cap: select_by_options(s, cap, stages="vc"), "keeps copies"),
    (check_select, lambda s, cap: select_by_options(s, cap, stages="dc"), "keeps wrong answers"),
    (check_select, lambda s, cap: select_by_options(s, cap, stages="dcv"), "filters last"),
    (check_kept_sizes, lambda r, taus: [int((r >= max(t, r.mean())).sum()) for t in taus], "equal to the threshold"),
    (check_kept_sizes, lambda r, taus: [int((r > t).sum()) for t in taus], "as they are"),
    (
        check_kept_sizes,
        lambda r, taus: [int((r > min(t, r.mean())).sum()) for t in taus],
        "lower of threshold and mean",
    ),
    (check_kept_sizes, lambda r, taus: [int((r > r.mean()).sum()) for t in taus], "whatever the threshold"),
    (check_kept_sizes, lambda r, taus: sizes_with_a_moving_mean(list(r), taus), "step before kept"),
    (check_kept_sizes, lambda r, taus: [int((r > np.quantile(r, t)).sum()) for t in taus], "RAFT"),
    (check_kept_sizes, lambda r, taus: [len(r) - int((r > max(t, r.mean())).sum()) for t in taus], "left out"),
    (check_kept_sizes, lambda r, taus: [np.mean(r > max(t, r.mean())) for t in taus], "these are shares"),
    (check_vote_is_right, lambda chances, k: vote_by_outcomes(chances, k, unreadable_votes=True), "has no vote"),
    (check_vote_is_right, lambda chances, k: vote_by_outcomes(chances, k, share=lambda level: 1), "every tie as won"),
    (
        check_vote_is_right,
        lambda chances, k: vote_by_outcomes(chances, k, share=lambda level: level == 1),
        "every tie as lost",
    ),
    (
        check_vote_is_right,
        lambda chances, k: sum(
            comb(k, j) * chances[0] ** j * (1 - chances[0]) ** (k - j) for j in range(k // 2 + 1, k + 1)
        ),
        "more than half",
    ),
    (check_vote_is_right, lambda chances, k: np.argmax(chances) == 0, "limit of many samples"),
    (check_vote_is_right, lambda chances, k: chances[0], "one sample is right"),
    (check_vote_is_right, lambda chances, k: 1 - (1 - chances[0]) ** k, "pass@k"),
    (
        check_vote_is_right,
        lambda chances, k: vote_by_outcomes(np.array(chances) / sum(chances), k),
        "not sampled again",
    ),
    (check_precision, lambda p, f: 1 - f, "how often a verdict is true"),
    (check_precision, lambda p, f: p * (1 - f), "divide by the share"),
    (check_precision, lambda p, f: p + f - 2 * p * f, "share of the samples that is kept"),
    (check_precision, lambda p, f: 1, "forgets the false positives"),
    (check_precision, lambda p, f: p * (1 - f) / (p * (1 - f) + f), "they are 1 - p of all"),
    (check_precision, lambda p, f: p * (1 - f) / (1 - p * f), "keeps all wrong samples"),
    (check_precision, lambda p, f: p / (p + (1 - p) * f), "turned away"),
    (check_precision, lambda p, f: f * (1 - p) / (p + f - 2 * p * f), "share of wrong samples"),
    (check_precision, lambda p, f: p, "flips are blind"),
    (check_tolerable, lambda p, t: 1 - t, "as if half"),
    (check_tolerable, lambda p, t: t * (1 - p) / (p * (1 - t) + t * (1 - p)), "changed places"),
    (check_tolerable, lambda p, t: p / (1 - p) * (1 - t) / t, "odds"),
    (check_tolerable, lambda p, t: (1 - t) * p, "no flip rate yet"),
    (check_conclude, lambda v, c, noise: conclude_by_options([np.mean(v)], [np.mean(c)], noise), "mean alone"),
    (check_conclude, lambda v, c, noise: conclude_by_options([max(v)], [max(c)], noise), "best seed"),
    (check_conclude, lambda v, c, noise: conclude_by_options(v, c, 0), "larger than the noise"),
    (
        check_conclude,
        lambda v, c, noise: conclude_by_options([x for x in v for _ in c], [y for _ in v for y in c], noise),
        "seed by seed",
    ),
    (
        check_conclude,
        lambda v, c, noise: conclude_by_options(*zip(max(zip(v, c), key=lambda pair: abs(pair[0] - pair[1]))), noise),
        "one seed is not enough",
    ),
    (check_conclude, lambda v, c, noise: conclude_by_options(c, v, noise), "variant minus its control"),
    (check_conclude, lambda v, c, noise: "better", "say one of higher, lower, no difference, not 'better'"),
    (
        check_spin_loss,
        lambda pr, pg, o, og, mr, mg, beta: spin_by_rows(pg, pr, og, o, mg, mr, beta),
        "real with generated",
    ),
    (
        check_spin_loss,
        lambda pr, pg, o, og, mr, mg, beta: spin_by_rows(o, og, pr, pg, mr, mg, beta),
        "policy with opponent",
    ),
    (
        check_spin_loss,
        lambda *batch: spin_by_rows(*batch, reply=lambda x, mask: x[mask > 0].mean()),
        "mean over a completion's tokens",
    ),
    (check_spin_loss, lambda pr, pg, o, og, *rest: spin_by_rows(pr, pg, 0 * o, 0 * og, *rest), "opponent is missing"),
    (check_spin_loss, lambda *batch: spin_by_rows(*batch, reply=lambda x, mask: x.sum()), "padding are counted"),
    (check_spin_loss, lambda *batch: spin_by_rows(*batch, reply=lambda x, mask: x.mean()), "mean over all positions"),
    (
        check_spin_loss,
        lambda pr, pg, o, og, mr, mg, beta: spin_by_rows(pr, pg, o, og, mr, mr, beta),
        "have other lengths",
    ),
    (check_spin_loss, lambda *batch: spin_by_rows(*batch[:-1], 1.0), "beta is forgotten"),
    (check_spin_loss, lambda *batch: batch[-1] * spin_by_rows(*batch[:-1], 1.0), "beta multiplies the loss"),
    (check_spin_loss, lambda *batch: spin_by_rows(*batch[:-1], 1 / batch[-1]), "divides the margin"),
    (check_spin_loss, lambda *batch: -spin_by_rows(*batch), "sign is missing"),
    (
        check_spin_loss,
        lambda *batch: spin_by_rows(*batch, pair=lambda margin: 1 / (1 + np.exp(margin))),
        "logarithm is missing",
    ),
    (check_spin_loss, lambda *batch: len(batch[0]) * spin_by_rows(*batch), "sum over rows"),
    (
        check_spin_loss,
        lambda *batch: np.logaddexp(0, -float(spin_by_rows(*batch, pair=lambda margin: margin))),
        "averages the margins first",
    ),
    (check_spin_loss, lambda pr, pg, o, og, *rest: spin_by_rows(pr, og, o, og, *rest), "generated reply is missing"),
    (
        check_training_ids,
        lambda *reply: ids_by_options(*reply, end=lambda left, done: True),
        "truncated completion gets an end",
    ),
    (check_training_ids, lambda *reply: ids_by_options(*reply, clean=False), "appends without looking: where"),
    (
        check_training_ids,
        lambda *reply: ids_by_options(*reply, clean=False, end=lambda left, done: True),
        "appends always and without",
    ),
    (check_training_ids, lambda *reply: ids_by_options(*reply, end=lambda left, done: False), "no end token at all"),
    (
        check_training_ids,
        lambda *reply: ids_by_options(*reply, clean=False, end=lambda left, done: False),
        "as the sampler left them",
    ),
    (
        check_training_ids,
        lambda *reply: ids_by_options(*reply, clean=False, end=lambda left, done: done and not left),
        "padding is kept",
    ),
    (check_training_ids, lambda *reply: ids_by_options(*reply, end=lambda left, done: left), "flag knows better"),
    (
        check_training_ids,
        lambda prompt, text, done, eos: ids_by_options(prompt, text if done else text[:-1], done, eos),
        "last token of truncated",
    ),
    (
        check_training_ids,
        lambda prompt, text, done, eos: ids_by_options(prompt, text, not done, eos),
        "wrong way round",
    ),
    (
        check_training_ids,
        lambda *reply: ids_by_options(*reply, masked=lambda token, eos: int(token != eos)),
        "leaves the end token out",
    ),
    (
        check_training_ids,
        lambda *reply: [ids_by_options(*reply)[0], [1] * len(ids_by_options(*reply)[0])],
        "mask counts the prompt",
    ),
    (check_training_ids, lambda *reply: ids_until_the_first_end(*reply), "closes every turn"),
    (check_training_ids, lambda *reply: ids_by_options(*reply)[0], r"shape \(6,\), and \(2, 6\)"),
    (check_displaced, lambda *logs: displaced_by_rows(*logs, where=lambda r, g: r - g > 0), "margin only"),
    (
        check_displaced,
        lambda *logs: displaced_by_rows(*logs, where=lambda r, g: g < 0 < r - g),
        "looks at the generated reply;",
    ),
    (check_displaced, lambda *logs: displaced_by_rows(*logs, where=lambda r, g: g < 0), "generated reply alone"),
    (check_displaced, lambda *logs: displaced_by_rows(*logs, where=lambda r, g: r < 0), "real reply alone"),
    (check_displaced, lambda *logs: displaced_by_rows(*logs, where=lambda r, g: r > max(g, 0)), "as they should be"),
    (
        check_displaced,
        lambda *logs: displaced_by_rows(*logs, where=lambda r, g: r < min(g, 0)),
        "margin fell and the real",
    ),
    (check_displaced, lambda pr, pg, o, og: (pr - pg > 0) & (pr < o), "compares the two replies"),
    (check_displaced, lambda pr, pg, o, og: (pr - o > pg - og) & (pr < pg), "less likely one of the two"),
    (
        check_displaced,
        lambda pr, pg, o, og: [pr.sum() < o.sum() and (pr - o).sum() > (pg - og).sum()] * len(pr),
        "judges by the means",
    ),
    (check_best_response, lambda p, q, lam: response_by_options(p, q, 1 / lam), "exponent is lambda"),
    (check_best_response, lambda p, q, lam: response_by_options(p, q, -lam), "inverted"),
    (check_best_response, lambda p, q, lam: q ** (1 - 1 / lam) * p ** (1 / lam), "not normalised"),
    (check_best_response, lambda p, q, lam: response_by_options(p, q, lam, start=1), "q is missing"),
    (check_best_response, lambda p, q, lam: response_by_options(p, q, lam, start=p), "p stands in front"),
    (check_best_response, lambda p, q, lam: response_by_options(p, q, 1), "lambda = 1 alone"),
    (check_best_response, lambda p, q, lam: p ** (1 / lam) / sum(p ** (1 / lam)), "power is of q as well"),
    (check_best_response, lambda p, q, lam: (1 - 1 / lam) * q + p / lam, "mixes probabilities"),
    (check_best_response, lambda p, q, lam: q * np.exp(p / q / lam) / sum(q * np.exp(p / q / lam)), "not the ratio"),
    (
        check_best_response,
        lambda p, q, lam: q * (lam + np.log(p / q)) / sum(q * (lam + np.log(p / q))),
        "exponential series",
    ),
    (check_fate, lambda p, q, lam: "converges", "folklore"),
    (check_fate, lambda p, q, lam: "diverges" if lam < 1 else "converges", "below 1 it overshoots"),
    (check_fate, lambda p, q, lam: fate_by_iteration(p, q, lam / 2), "lambda = 1 is no cycle"),
    (check_fate, lambda p, q, lam: "diverges" if lam > 1 else "converges", "not at 1, and it is flipped"),
    (check_fate, lambda p, q, lam: "2-cycle" if lam < 1 else "converges", "stays the same"),
    (
        check_fate,
        lambda p, q, lam: ["diverges", "2-cycle", "converges"][(lam >= 0.5) + (lam >= 1)],
        "their distance to the data shrinks",
    ),
    (check_fate, lambda p, q, lam: fate_by_iteration(p, q, 1 / (4 * lam)), "this is flipped"),
    (check_fate, lambda p, q, lam: "converges" if lam >= 0.5 else "diverges", "does not shrink"),
    (check_fate, lambda p, q, lam: "converges" if lam > 0.5 else "diverges", "does not grow"),
    (check_fate, lambda p, q, lam: "converges" if lam > 0.5 else "2-cycle", "no cycle"),
    (
        check_fate,
        lambda p, q, lam: "converges" if sum(p * np.log(response_by_options(p, q, lam) / q)) > 0 else "diverges",
        "judges by the first iteration",
    ),
    (check_fate, lambda p, q, lam: "cycles", "say one of converges, 2-cycle, diverges, not 'cycles'"),
    (check_chi_square_loss, lambda r, g, tau: square_by_rows(r - g, tau), "of the difference of the two"),
    (check_chi_square_loss, lambda r, g, tau: square_by_rows(r - g, 2 * tau), "targets' distance"),
    (check_chi_square_loss, lambda r, g, tau: square_by_rows(r, tau) + square_by_rows(g, tau), "a sign is missing"),
    (check_chi_square_loss, lambda r, g, tau: square_by_rows(r, -tau) + square_by_rows(g, tau), "changed places"),
    (check_chi_square_loss, lambda r, g, tau: square_by_rows(r, 0) + square_by_rows(g, 0), "tau is forgotten"),
    (check_chi_square_loss, lambda r, g, tau: square_by_rows(r, tau) + square_by_rows(g, 0), "is -tau, not 0"),
    (check_chi_square_loss, lambda r, g, tau: square_by_rows(np.concatenate([r, -g]), tau), "mean of both terms"),
    (
        check_chi_square_loss,
        lambda r, g, tau: len(r) * (square_by_rows(r, tau) + square_by_rows(g, -tau)),
        "sum over rows",
    ),
    (
        check_chi_square_loss,
        lambda r, g, tau: (sum(r) / len(r) - tau) ** 2 + (sum(g) / len(g) + tau) ** 2,
        "averages the rewards",
    ),
    (check_chi_square_loss, lambda r, g, tau: sum(abs(r - tau) + abs(g + tau)) / len(r), "squares are missing"),
    (check_bounded_reward, lambda p, q, tau: tau * abs(p - q) / (p + q), "the sign is missing"),
    (check_bounded_reward, lambda p, q, tau: tau * np.tanh(np.log(q / p) / 2), "sign is flipped"),
    (check_bounded_reward, lambda p, q, tau: np.maximum(np.minimum(np.log(p) - np.log(q), tau), -tau), "logit clipped"),
    (check_bounded_reward, lambda p, q, tau: np.log(p) - np.log(q), "logistic loss's reward"),
    (check_bounded_reward, lambda p, q, tau: tau * (np.log(p) - np.log(q)), "scaled, and still"),
    (check_bounded_reward, lambda p, q, tau: tau / (1 + q / p), "reward is centred"),
    (check_bounded_reward, lambda p, q, tau: 2 / (1 + q / p) - 1, "tau is forgotten"),
    (check_bounded_reward, lambda p, q, tau: (2 / (1 + q / p) - 1) / tau, "divides by tau"),
    (check_bounded_reward, lambda p, q, tau: tau * (p - q) / ((p + q) / 2), "divides by the mixture"),
    (check_bounded_reward, lambda p, q, tau: tau * (p / q - 1), "divides by q alone"),
    (check_bounded_reward, lambda p, q, tau: tau * (p - q), "denominator is missing"),
    (check_bounded_reward, lambda p, q, tau: tau * (p**2 - q**2) / (p**2 + q**2), "half the logit"),
    (check_sft_gradient, lambda p, q: p - q, "points uphill"),
    (check_sft_gradient, lambda p, q: -1 * p, "softmax's normaliser"),
    (check_sft_gradient, lambda p, q: -p / q, "with respect to the probabilities"),
    (check_sft_gradient, lambda p, q: sum(q) * q**2 - p * q, "weights by q once more"),
    (check_sft_gradient, lambda p, q: p * np.log(1 / q), "terms of the loss"),
    (
        check_spin_gradient,
        lambda p, q, n, lam: spin_gradient_by_pairs(p, q, n, lam, slope=-1),
        "factor 1/2 is forgotten: at",
    ),
    (check_spin_gradient, lambda p, q, n, lam: spin_gradient_by_pairs(p, q, n, 1), "lambda is forgotten"),
    (check_spin_gradient, lambda p, q, n, lam: spin_gradient_by_pairs(p, q, n, 1 / lam), "divides by lambda"),
    (check_spin_gradient, lambda p, q, n, lam: spin_gradient_by_pairs(p, q, n, lam, slope=1 / 2), "points uphill"),
    (check_spin_gradient, lambda p, q, n, lam: spin_gradient_by_pairs(p, q, q, lam), "not under greedy replies"),
    (
        check_spin_gradient,
        lambda p, q, n, lam: spin_gradient_by_pairs(p, q, q, lam, slope=-1),
        "negatives were not looked at",
    ),
    (check_spin_gradient, lambda p, q, n, lam: spin_gradient_by_pairs(p, q, q, 2), "SFT's own gradient"),
    (
        check_spin_gradient,
        lambda p, q, n, lam: spin_gradient_by_pairs(p, q, n, lam, real=lambda y, q: y - q, generated=lambda y, q: y),
        "in one of the two terms only",
    ),
    (
        check_spin_gradient,
        lambda p, q, n, lam: spin_gradient_by_pairs(p, q, n, lam, generated=lambda y, q: y - q, real=lambda y, q: y),
        "in the real term only",
    ),
    (
        check_spin_gradient,
        lambda p, q, n, lam: spin_gradient_by_pairs(p, q, n, lam, generated=lambda y, q: q - y),
        "gradients are added",
    ),
    (check_spin_gradient, lambda p, q, n, lam: spin_gradient_by_pairs(p, q, n, lam, slope=-1 / 4), "sigmoid's slope"),
]


def ends_right(text, gold):
    return text.split(";")[-1] == gold


def star_by_options(attempts, *, read=ends_right, read_hinted=None, prompt=lambda a: a.prompt, stop=True, own=True):
    pairs = []
    for a in attempts:
        solved = read(a.completion, a.answer)
        pairs += [(a.prompt, a.completion)] * (solved and own)
        pairs += [(prompt(a), a.hinted)] * ((read_hinted or read)(a.hinted, a.answer) and not (solved and stop))
    return pairs


def star_without_wrong_steps(attempts):
    def flawless(a, text):
        return Addition().verify(Problem(a.prompt, a.answer, a.prompt.index("+")), text).reward == 1

    kept = [(a.prompt, a.completion) for a in attempts if flawless(a, a.completion)]
    return kept + [
        (a.prompt, a.hinted) for a in attempts if not ends_right(a.completion, a.answer) and flawless(a, a.hinted)
    ]


def pass_pooled(right, drawn, k):
    return 1 - comb(drawn - right, k) / comb(drawn, k)


def select_by_options(
    samples, cap, *, stages="vdc", path=lambda x: x.path, group=lambda x: x.problem.prompt, then_cap=False
):
    """Verify, drop copies, cap: one letter each, in the order given."""
    for stage in stages:
        seen, kept = Counter(), []
        for x in samples:
            place = (group(x), path(x)) if stage == "d" else group(x)
            seen[place] += 1
            if x.verdict.correct if stage == "v" else seen[place] <= (1 if stage == "d" else cap):
                kept.append(x)
        samples = kept
    return select_by_options(samples, cap, stages="c") if then_cap else samples


def sizes_with_a_moving_mean(rewards, thresholds):
    sizes = []
    for threshold in thresholds:
        rewards = [x for x in rewards if x > max(threshold, sum(rewards) / len(rewards))]
        sizes.append(len(rewards))
    return sizes


def vote_by_outcomes(chances, k, *, unreadable_votes=False, share=lambda level: 1 / level):
    everything = [*chances, 1 - sum(chances)]
    total = 0.0
    for drawn in product(range(len(everything)), repeat=k):
        votes = Counter(x for x in drawn if unreadable_votes or x < len(chances))
        most = max(votes.values(), default=0)
        if most and votes[0] == most:
            total += np.prod([everything[x] for x in drawn]) * share(sum(count == most for count in votes.values()))
    return total


def conclude_by_options(variant, control, noise):
    signs = {int(v - c > noise) - int(c - v > noise) for v, c in zip(variant, control)}
    return {1: "higher", -1: "lower"}.get(signs.pop(), "no difference") if len(signs) == 1 else "no difference"


def spin_by_rows(*batch, reply=lambda x, mask: x[mask > 0].sum(), pair=lambda margin: np.logaddexp(0, -margin)):
    """Pair by pair, in NumPy."""
    *tensors, beta = batch
    losses = []
    for pr, pg, opponent_real, opponent_generated, mr, mg in zip(*(x.numpy() for x in tensors)):
        margin = reply(pr, mr) - reply(opponent_real, mr) - reply(pg, mg) + reply(opponent_generated, mg)
        losses.append(pair(beta * margin))
    return torch.tensor(np.mean(losses))


def ids_by_options(
    prompt, completion, finished, eos, *, clean=True, end=lambda left, done: done, masked=lambda token, eos: 1
):
    """`end` gets whether the sampler left an end token, and the flag."""
    tail = []
    for token in completion:
        if token == eos and clean:
            break
        tail.append(token)
    tail += [eos] * bool(end(eos in completion, finished))
    return [*prompt, *tail], [0] * len(prompt) + [masked(token, eos) for token in tail]


def ids_until_the_first_end(*reply):
    ids, mask = ids_by_options(*reply)
    kept = [i for i in range(len(ids)) if reply[-1] not in ids[:i]]
    return [ids[i] for i in kept], [mask[i] for i in kept]


def displaced_by_rows(*logs, where=lambda r, g: g < r < 0):
    return [
        where(pr - opponent_real, pg - opponent_generated) for pr, pg, opponent_real, opponent_generated in zip(*logs)
    ]


def response_by_options(p, q, lam, *, start=None):
    log = np.log(q if start is None else start) + (np.log(p) - np.log(q)) / lam
    return np.exp(log - np.logaddexp.reduce(log))


def fate_by_iteration(p, q, lam):
    """The size of the centred log-ratio to the data, after two iterations."""
    log_p, log_policy, sizes = np.log(p), np.log(q), []
    for _ in range(3):
        sizes.append(np.ptp(log_policy - log_p))
        log_policy = log_policy + (log_p - log_policy) / lam
    if np.isclose(sizes[2], sizes[0]):
        return "2-cycle"
    return "converges" if sizes[2] < sizes[0] else "diverges"


def square_by_rows(rewards, target):
    return np.mean([(reward - target) ** 2 for reward in rewards])


def spin_gradient_by_pairs(
    p, q, negatives, lam, *, slope=-1 / 2, real=lambda y, q: y - q, generated=lambda y, q: y - q
):
    """Sum over all pairs; `real` and `generated` give the gradients of log p_theta(y), y one-hot."""
    outcomes = np.eye(len(p))
    pairs = product(zip(p, outcomes), zip(negatives, outcomes))
    return sum(a * b * slope * lam * (real(y, q) - generated(other, q)) for (a, y), (b, other) in pairs)


CONTROL = RestEmConfig(iterations=1, problems=100, k=8)
REASON = "because the labels of long sums are mostly wrong"


@pytest.mark.parametrize(
    "variant",
    [
        replace(CONTROL, temperature=0.3),
        replace(CONTROL, filter=replace(CONTROL.filter, verifier="noisy", flip_rate=0.1)),
        replace(CONTROL, k=16, problems=50),
        replace(CONTROL, iterations=2, problems=50, sft=replace(CONTROL.sft, steps=CONTROL.sft.steps // 2)),
        replace(CONTROL, seed=7, restart="last"),
    ],
)
def test_fair_experiments_may_run(variant, capsys):
    check_plan(CONTROL, variant, (0, 1), "lower", REASON)
    assert capsys.readouterr().out == "plan: ready to run.\n"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prediction": "worse"}, "not 'worse'"),
        ({"because": "it is better"}, "say in a sentence why"),
        ({"seeds": (3,)}, "one seed"),
        ({"seeds": (3, 3)}, "one seed"),
        ({"variant": CONTROL}, "the variant is the control"),
        ({"variant": replace(CONTROL, seed=5)}, "the variant is the control"),
        ({"variant": replace(CONTROL, k=16)}, "800 samples are drawn in it and 1600"),
        (
            {"variant": replace(CONTROL, sft=SftConfig(steps=50, batch_size=32, learning_rate=3e-4))},
            "3200 rows are trained on in it and 1600",
        ),
        (
            {"variant": replace(CONTROL, temperature=0.3, restart="last")},
            "more than one setting differs .restart, temperature",
        ),
        ({"variant": replace(CONTROL, temperature=0.3, k=16, problems=50)}, "more than one setting differs"),
        (
            {"variant": replace(CONTROL, temperature=0.3, test_per_difficulty=200)},
            "test_per_difficulty changes what is measured",
        ),
    ],
)
def test_unfair_experiments_are_refused(changes, message):
    plan = {
        "variant": replace(CONTROL, temperature=0.3),
        "seeds": (0, 1),
        "prediction": "higher",
        "because": REASON,
    } | changes
    with pytest.raises(Mistake, match=message):
        check_plan(CONTROL, **plan)


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
                            after[carry, u] = (
                                after.get((carry, u), 0.0) + chance * table[a, b, follow(c, s), digit, u] / 100
                            )
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


def test_an_answer_may_change_its_arguments():
    def in_place(p, q, lam):
        q *= (p / q) ** (1 / lam)
        q /= q.sum()
        return q

    def longer(prompt, completion, finished, eos):
        mask = ids_by_options(prompt, completion, finished, eos)[1]
        prompt += ids_by_options([], completion, finished, eos)[0]
        return prompt, mask

    check_best_response(in_place)
    check_training_ids(longer)


def test_other_mistakes_get_numbers_or_shapes():
    with pytest.raises(Mistake, match="got 0.0000 where .* none of the usual"):
        check_nash_conv(lambda a, x, y: 0.0)
    with pytest.raises(Mistake, match=r"shape \(40,\), and \(\) is asked for"):
        check_learnability(lambda r: r.var(1, ddof=1))


def test_other_mistakes_in_lists_are_counted():
    double = lambda answer: compare_lists(
        "double", answer, lambda x: [x, x], {"once.": lambda x: [x]}, [(1,), (2,)], key=str
    )
    double(lambda x: (y for y in (x, x)))
    for wrong, message in (
        (lambda x: [x], "once"),
        (lambda x: [x, x, 7], "of 2 asked for, 1 too many, such as 7; this is none"),
        (lambda x: [x, 7], "1 too many, such as 7 and 1 missing, such as 1;"),
        (lambda x: None, "the function returns nothing; end it with `return`"),
        (lambda x: 3, "the answer is 3; return a list"),
    ):
        with pytest.raises(Mistake, match=message):
            double(wrong)
    with pytest.raises(SpkitError, match="cannot tell"):
        compare_lists("double", lambda x: [x, x], lambda x: [x, x], {"once.": lambda x: [x, x]}, [(1,)], key=str)


def test_an_unwritten_answer_says_so():
    def unwritten(payoff, row, column):
        raise NotImplementedError

    with pytest.raises(Mistake, match="there is no answer yet"):
        check_nash_conv(unwritten)


def test_cases_that_cannot_tell_a_mistake_are_refused():
    with pytest.raises(SpkitError, match="cannot tell"):
        compare("double", lambda x: 2 * x, lambda x: 2 * x, {"squared.": lambda x: x**2}, [(0,), (2,)])


def test_solutions_are_replaced_and_the_rest_is_kept():
    source = "def f(x):\n    ### BEGIN SOLUTION\n    y = x + 1\n    return y\n    ### END SOLUTION\n\nprint(1)"
    expected = "def f(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()\n\nprint(1)"
    assert without_solutions(source, "here") == expected


@pytest.mark.parametrize(
    "source",
    [
        "### BEGIN SOLUTION\nx = 1",
        "x = 1\n### END SOLUTION",
        "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION",
    ],
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
    assert (
        made["cells"][0] == cell | {"outputs": [], "execution_count": None}
        and made["cells"][1] == text
        and made["metadata"] == {"a": 1}
    )


def test_generate_writes_beside_the_solutions_and_explains_what_is_missing(tmp_path, capsys):
    with pytest.raises(SpkitError, match="no notebook in"):
        write_students(tmp_path)
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "x.ipynb").write_text(
        json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    assert main(["generate", str(tmp_path)]) == 0 and (tmp_path / "exercises" / "x.ipynb").exists()
    (tmp_path / "solutions" / "x.ipynb").write_text("not json")
    assert main(["generate", str(tmp_path)]) == 2 and "cannot be read as a notebook" in capsys.readouterr().err
    assert main(["burn"]) == 2 and "Usage" in capsys.readouterr().err
