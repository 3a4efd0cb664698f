"""What training did not touch, after SFT, RLVR and self-play: what transfers, and what is forgotten (notebook 05)."""

from .base import claim
from .dynamics_runs import ALL_ELSEWHERE, COMPUTE_CURVES, DEEPER, ELSEWHERE, FORGOTTEN, TRANSFERS, beside_base
from .readings import final
from .sources import ABSOLUTE_ZERO, DERIVED, OURS, RAZOR

_WORDS = {
    "operators": "programs with an operator that training did not have",
    "harder": "programs deeper than in training",
    "abduction": "abduction, which training did not ask",
}
TRANSFER_CLAIMS = (
    *(
        claim(
            f"dyn-{name}-rlvr",
            f"RLVR lifts sampled accuracy on {_WORDS[name]}",
            OURS,
            beside_base("dyn-rlvr", number) > 0,
            ALL_ELSEWHERE if name == "operators" else ELSEWHERE,
        )
        for name, number in TRANSFERS.items()
    ),
    *(
        claim(
            f"dyn-{name}-own",
            f"Self-play lifts sampled accuracy more than RLVR on {_WORDS[name]}",
            f"{ABSOLUTE_ZERO}, table 1",
            final("dyn-az", number) - final("dyn-rlvr", number) > 0,
            ELSEWHERE,
        )
        for name, number in TRANSFERS.items()
    ),
    claim(
        "dyn-forgets-gold",
        "SFT on gold solutions forgets more of the other pretraining text than RLVR",
        RAZOR,
        final("dyn-sft", FORGOTTEN) - final("dyn-rlvr", FORGOTTEN) > 0,
        ELSEWHERE,
    ),
    claim(
        "dyn-forgets-rlvr",
        "RLVR forgets some of the other pretraining text",
        OURS,
        beside_base("dyn-rlvr", FORGOTTEN) > 0,
        ELSEWHERE,
    ),
    claim(
        "dyn-forgets-anchor",
        "With a KL penalty to the base RLVR forgets less of the other pretraining text",
        DERIVED,
        final("dyn-rlvr", FORGOTTEN) - final("dyn-rlvr-kl", FORGOTTEN) > 0,
        ELSEWHERE,
    ),
    claim(
        "dyn-anchor-cost",
        "A KL penalty to the base costs RLVR accuracy",
        OURS,
        final("dyn-rlvr", DEEPER) - final("dyn-rlvr-kl", DEEPER) > 0,
        COMPUTE_CURVES,
    ),
    claim(
        "dyn-forgets-own",
        "Self-play, which also learns to propose, forgets less of the other pretraining text than RLVR",
        OURS,
        final("dyn-rlvr", FORGOTTEN) - final("dyn-az", FORGOTTEN) > 0,
        ELSEWHERE,
    ),
)
