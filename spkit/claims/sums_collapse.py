"""What becomes of a policy that is trained on its own text, generation after generation (notebook 02)."""

from ..loops.collapse import CollapseConfig, collapse
from ..stages.verify import Filter
from .base import claim
from .readings import base, final, gain
from .sources import ACCUMULATE, B_STAR, MODEL_COLLAPSE, OURS
from .stored import curves
from .sums_self_training import ENTROPY, sums
from .terms import Number

TAIL = Number("tail_mass", "mass on rare orders")
PERPLEXITY = Number("perplexity", "perplexity on real text")

COLLAPSE_EXPERIMENTS = {
    "replace": sums(collapse, CollapseConfig(), 45),
    "mix": sums(collapse, CollapseConfig(regime="mix"), 45),
    "accumulate": sums(collapse, CollapseConfig(regime="accumulate"), 45),
    "filtered": sums(collapse, CollapseConfig(filter=Filter("gold", unique=False)), 45),
}

COLLAPSE_CLAIMS = (
    claim(
        "collapse-regimes",
        "Own text instead of real text, generation after generation: perplexity on real text rises",
        MODEL_COLLAPSE,
        gain("replace", PERPLEXITY) > 0,
        curves("accuracy", "perplexity", "entropy", "tail_mass", also=("mix", "accumulate", "filtered")),
    ),
    claim(
        "collapse-replace",
        "Own text instead of real text: accuracy falls",
        MODEL_COLLAPSE,
        base("replace", "accuracy") - final("replace", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "collapse-mix",
        "10 % real text keeps perplexity lower",
        MODEL_COLLAPSE,
        final("replace", PERPLEXITY) - final("mix", PERPLEXITY) > 0,
        curves("perplexity"),
    ),
    claim(
        "collapse-mix-accuracy",
        "10 % real text keeps accuracy higher",
        MODEL_COLLAPSE,
        final("mix", "accuracy") - final("replace", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "collapse-accumulate-accuracy",
        "Real text kept and own text added: accuracy falls all the same",
        OURS,
        base("accumulate", "accuracy") - final("accumulate", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "collapse-accumulate",
        "Real text kept and own text added keeps perplexity lower",
        ACCUMULATE,
        final("replace", PERPLEXITY) - final("accumulate", PERPLEXITY) > 0,
        curves("perplexity"),
    ),
    claim(
        "collapse-tail",
        "Own text instead of real text: rare orders vanish",
        MODEL_COLLAPSE,
        base("replace", TAIL) - final("replace", TAIL) > 0,
        curves("tail_mass"),
    ),
    claim(
        "collapse-filter",
        "A filter by the answer keeps accuracy up without real text",
        OURS,
        final("filtered", "accuracy") - final("replace", "accuracy") > 0,
        curves("accuracy"),
    ),
    claim(
        "collapse-filter-tail",
        "The same filter removes rare orders, though they are correct",
        OURS,
        base("filtered", TAIL) - final("filtered", TAIL) > 0,
        curves("tail_mass"),
    ),
    claim(
        "collapse-filter-entropy",
        "The same filter does not keep diversity: entropy falls",
        B_STAR,
        base("filtered", ENTROPY) - final("filtered", ENTROPY) > 0,
        curves("entropy"),
    ),
)
