"""What SFT, ReST^EM, RLVR and self-play change in one model at equal compute (notebook 05); the runs are in
`dynamics_runs`, the claims about what training did not touch in `dynamics_transfer`, and those about the proposer's
reward in `reward_table`.

Every criterion was written before its runs were looked at, in the direction that its source says, or that a control
would have it; either verdict is printed. Two were added after one seed of `dyn-az` had been looked at:
`dyn-pass-answer` and `dyn-swap-disagreeing`.
"""

from .base import claim
from .dynamics_runs import (
    ALL_ON_TOKENS,
    ALL_ON_WEIGHTS,
    ALL_PASSES,
    BACK,
    BY_ANSWER,
    CHANGED,
    COMPUTE_CURVES,
    CONCENTRATED,
    CONTROL,
    CONTROL_DISAGREEING,
    DEEPER,
    ENTROPIES,
    EQUAL_STEPS,
    EQUAL_TOKENS,
    NULL,
    OF_RIGHT,
    OF_WRONG,
    ON_TOKENS,
    ON_WEIGHTS,
    PASS_1,
    PASSED,
    PASSES,
    at_temperatures,
    beside_base,
    equal,
    rising,
)
from .dynamics_transfer import TRANSFER_CLAIMS
from .readings import final, gain
from .reward_table import REWARD_CLAIMS
from .sources import (
    ABSOLUTE_ZERO,
    DERIVED,
    OURS,
    PASS_AT_K,
    PATH_NOT_TAKEN,
    SPURIOUS,
    SUBNETWORKS,
    UNDERSTANDING,
)
from .stored import Curve
from .terms import largest

COMPUTE_CLAIMS = (
    claim(
        "dyn-tokens-own",
        "At equal sampled tokens self-play is more accurate than RLVR on given problems",
        f"{ABSOLUTE_ZERO}, table 1",
        equal("dyn-az", EQUAL_TOKENS) - equal("dyn-rlvr", EQUAL_TOKENS) > 0,
        COMPUTE_CURVES,
    ),
    claim(
        "dyn-tokens-em",
        "At equal sampled tokens RLVR is more accurate than ReST^EM",
        OURS,
        equal("dyn-rlvr", EQUAL_TOKENS) - equal("dyn-em", EQUAL_TOKENS) > 0,
        COMPUTE_CURVES,
    ),
    claim(
        "dyn-tokens-gold",
        "As many gold tokens, read, are worth more than sampled ones are to RLVR",
        OURS,
        equal("dyn-sft", EQUAL_TOKENS) - equal("dyn-rlvr", EQUAL_TOKENS) > 0,
        COMPUTE_CURVES,
    ),
    claim(
        "dyn-tokens-frozen",
        "At equal sampled tokens a proposer that learns beats one that is frozen",
        UNDERSTANDING,
        equal("dyn-az", EQUAL_TOKENS) - equal("dyn-az-frozen", EQUAL_TOKENS) > 0,
        COMPUTE_CURVES,
    ),
    claim(
        "dyn-tokens-sooner",
        "Per sampled token self-play rises sooner than RLVR on given problems",
        OURS,
        rising("dyn-az", EQUAL_TOKENS) - rising("dyn-rlvr", EQUAL_TOKENS) > 0,
        COMPUTE_CURVES,
    ),
    claim(
        "dyn-steps-sooner",
        "Per optimizer step SFT on gold solutions rises sooner than RLVR",
        OURS,
        rising("dyn-sft", EQUAL_STEPS) - rising("dyn-rlvr", EQUAL_STEPS) > 0,
        COMPUTE_CURVES,
    ),
    claim(
        "dyn-steps-own",
        "At equal optimizer steps self-play is more accurate than RLVR on given problems",
        f"{ABSOLUTE_ZERO}, table 1",
        equal("dyn-az", EQUAL_STEPS) - equal("dyn-rlvr", EQUAL_STEPS) > 0,
        COMPUTE_CURVES,
    ),
    claim(
        "dyn-steps-gold",
        "At equal optimizer steps SFT on gold solutions is more accurate than RLVR",
        OURS,
        equal("dyn-sft", EQUAL_STEPS) - equal("dyn-rlvr", EQUAL_STEPS) > 0,
        COMPUTE_CURVES,
    ),
    claim(
        "dyn-steps-em",
        "At equal optimizer steps RLVR is more accurate than ReST^EM",
        OURS,
        equal("dyn-rlvr", EQUAL_STEPS) - equal("dyn-em", EQUAL_STEPS) > 0,
        COMPUTE_CURVES,
    ),
    claim(
        "dyn-random",
        "RLVR ends higher than with random rewards, shuffled within the group",
        OURS,
        final("dyn-rlvr", DEEPER) - final("dyn-rlvr-random", DEEPER) > 0,
        COMPUTE_CURVES,
    ),
    claim(
        "dyn-random-gain",
        "RLVR with random rewards, shuffled within the group, lifts accuracy too",
        SPURIOUS,
        gain("dyn-rlvr-random", DEEPER) > 0,
        COMPUTE_CURVES,
    ),
)

PASS_CLAIMS = (
    claim(
        "dyn-pass-rlvr",
        "RLVR gains more in pass@1 than in pass@256",
        PASS_AT_K,
        final("dyn-rlvr", PASSED["1"]) - final("dyn-rlvr", PASSED["256"]) > 0,
        ALL_PASSES,
    ),
    claim(
        "dyn-pass-az",
        "Self-play gains more in pass@1 than in pass@256",
        UNDERSTANDING,
        final("dyn-az", PASSED["1"]) - final("dyn-az", PASSED["256"]) > 0,
        PASSES,
    ),
    claim(
        "dyn-pass-above",
        "At 256 samples the base solves more than what RLVR made of it",
        PASS_AT_K,
        final("dyn-rlvr", PASSED["256"]) < 0,
        PASSES,
    ),
    claim(
        "dyn-pass-kept",
        "Self-play keeps more of the base's pass@256 than RLVR",
        UNDERSTANDING,
        final("dyn-az", PASSED["256"]) - final("dyn-rlvr", PASSED["256"]) > 0,
        PASSES,
    ),
    claim(
        "dyn-pass-gold",
        "SFT on gold solutions lifts pass@256 above the base's",
        f"{PASS_AT_K}, of distillation",
        final("dyn-sft", PASSED["256"]) > 0,
        PASSES,
    ),
    claim(
        "dyn-pass-answer",
        "By the answer alone, which the base also guesses, the base solves more than RLVR with 64 samples",
        PASS_AT_K,
        final("dyn-rlvr", BY_ANSWER) < 0,
        PASSES,
    ),
    claim(
        "dyn-temperature",
        "RLVR's pass@1 is above the base's at its best temperature",
        OURS,
        final("dyn-rlvr", PASS_1) - largest(*at_temperatures) > 0,
        PASSES,
        {"temperatures": {name: Curve("dyn-base", name) for name in ("temperature", "passes")}},
    ),
)

WEIGHT_CLAIMS = (
    claim(
        "dyn-dense",
        "In float32 RLVR changes nine parameters in ten and more",
        PATH_NOT_TAKEN,
        final("dyn-rlvr", CHANGED["float32"]) > 0.9,
        ALL_ON_WEIGHTS,
    ),
    claim(
        "dyn-sparse-gold",
        "In bfloat16 SFT on gold solutions changes a larger share of the parameters than self-play",
        UNDERSTANDING,
        final("dyn-sft", CHANGED["bfloat16"]) - final("dyn-az", CHANGED["bfloat16"]) > 0,
        ON_WEIGHTS,
    ),
    claim(
        "dyn-sparse-rlvr",
        "In bfloat16 self-play changes a larger share of the parameters than RLVR",
        f"{UNDERSTANDING}; {SUBNETWORKS}",
        final("dyn-az", CHANGED["bfloat16"]) - final("dyn-rlvr", CHANGED["bfloat16"]) > 0,
        ON_WEIGHTS,
    ),
    claim(
        "dyn-sparse-null",
        "In bfloat16 RLVR changes a share of the parameters within 5 points of that of as many AdamW steps with "
        "nothing to learn",
        OURS,
        abs(final("dyn-rlvr", CHANGED["bfloat16"]) - final("dyn-rlvr", NULL)) < 0.05,
        ON_WEIGHTS,
    ),
    claim(
        "dyn-sparse-random",
        "In bfloat16 RLVR changes a share of the parameters within 5 points of that with random rewards",
        OURS,
        abs(final("dyn-rlvr", CHANGED["bfloat16"]) - final("dyn-rlvr-random", CHANGED["bfloat16"])) < 0.05,
        ON_WEIGHTS,
    ),
)

TOKEN_CLAIMS = (
    claim(
        "dyn-entropy-solver",
        "Self-play lowers the solver's token entropy on the same problems",
        UNDERSTANDING,
        beside_base("dyn-az", ENTROPIES["solver"]) < 0,
        ALL_ON_TOKENS,
    ),
    claim(
        "dyn-entropy-proposer",
        "Self-play lowers the proposer's token entropy too",
        UNDERSTANDING,
        beside_base("dyn-az", ENTROPIES["proposer"]) < 0,
        ON_TOKENS,
    ),
    claim(
        "dyn-entropy-frozen",
        "Self-play with a frozen proposer leaves the solver's token entropy higher",
        UNDERSTANDING,
        final("dyn-az-frozen", ENTROPIES["solver"]) - final("dyn-az", ENTROPIES["solver"]) > 0,
        ON_TOKENS,
    ),
    claim(
        "dyn-entropy-wrong",
        "Completions that are wrong have the higher token entropy, after self-play",
        OURS,
        final("dyn-az", OF_WRONG) - final("dyn-az", OF_RIGHT) > 0,
        ON_TOKENS,
    ),
    claim(
        "dyn-swap",
        "RLVR's token at the one position in twenty that it changed most brings back half of its gain",
        DERIVED,
        final("dyn-rlvr", BACK) > 0.5,
        ON_TOKENS,
    ),
    claim(
        "dyn-swap-control",
        "RLVR's token where it changed most brings back more than at as many random positions",
        OURS,
        final("dyn-rlvr", CONTROL) > 0,
        ON_TOKENS,
    ),
    claim(
        "dyn-swap-disagreeing",
        "RLVR's token where it changed most brings back more than as many changed tokens at random",
        OURS,
        final("dyn-rlvr", CONTROL_DISAGREEING) > 0,
        ON_TOKENS,
    ),
    claim(
        "dyn-shift",
        "One position in twenty holds half of the KL between RLVR and its base",
        DERIVED,
        final("dyn-rlvr", CONCENTRATED) > 0.5,
        ON_TOKENS,
    ),
)

DYNAMICS_CLAIMS = COMPUTE_CLAIMS + PASS_CLAIMS + WEIGHT_CLAIMS + TOKEN_CLAIMS + TRANSFER_CLAIMS + REWARD_CLAIMS
