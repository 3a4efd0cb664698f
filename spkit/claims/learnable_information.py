"""Claims about learnable information: what observers of other sizes find, and what self-play makes (notebook 01)."""

from ..run.settings import changed
from .base import Experiment, claim
from .observers import InformationConfig, SizesConfig, information, sizes
from .readings import at
from .sources import LEARNABLE
from .stored import Rows
from .terms import Number, largest, least

S = Number("S", "S (bits)")
RULE, NOISE = Number("rule", "S (bits) of the rule"), Number("noise", "S (bits) of noise")
RANKS = SizesConfig().ranks
SMALL_RANK, MIDDLE_RANK, LARGE_RANK = RANKS
FIRST, *_, LAST = InformationConfig().at
FROZEN = changed(InformationConfig(), {"loop.proposer.kind": "frozen"})
RANK_COLUMNS = {key: key for key in ("rank", "noise", "rule")}
LOOK_COLUMNS = {"iteration": "played_iteration", "S": "S", "H": "H", "depth": "depth"}

INFORMATION_EXPERIMENTS = {
    "az-information": Experiment(information, InformationConfig(), "expressions", 60),
    "az-information-frozen": Experiment(information, FROZEN, "expressions", 80),
    "observers": Experiment(sizes, SizesConfig(), "expressions", 90),
}

INFORMATION_CLAIMS = (
    claim(
        "az-information",
        "What self-play makes holds more and more that its base could learn",
        f"{LEARNABLE}, sec. 2",
        (at("az-information", S, played_iteration=LAST) - at("az-information", S, played_iteration=FIRST)) / 1000 > 0,
        {"rows": Rows("az-information", LOOK_COLUMNS)},
    ),
    claim(
        "observer-order",
        "A rule to learn holds more than noise, for observers of every size",
        f"{LEARNABLE}, sec. 2",
        least(*(at("observers", RULE, rank=rank) - at("observers", NOISE, rank=rank) for rank in RANKS)) / 1000 > 0,
        {"rows": Rows("observers", RANK_COLUMNS)},
    ),
    claim(
        "observer-hump",
        "As the observer grows, what it finds rises and then falls",
        f"{LEARNABLE}, fig. 5",
        (
            at("observers", RULE, rank=MIDDLE_RANK)
            - largest(at("observers", RULE, rank=SMALL_RANK), at("observers", RULE, rank=LARGE_RANK))
        )
        / 1000
        > 0,
        {"rows": Rows("observers", RANK_COLUMNS)},
    ),
    claim(
        "az-information-frozen",
        "What a frozen proposer makes holds less and less",
        f"{LEARNABLE}, sec. 3",
        (at("az-information-frozen", S, played_iteration=FIRST) - at("az-information-frozen", S, played_iteration=LAST))
        / 1000
        > 0,
        {"rows": Rows("az-information-frozen", LOOK_COLUMNS)},
    ),
    claim(
        "az-information-learned",
        "What a learned proposer makes holds more in the end than a frozen one's",
        f"{LEARNABLE}, sec. 3",
        (at("az-information", S, played_iteration=LAST) - at("az-information-frozen", S, played_iteration=LAST)) / 1000
        > 0,
        {"learned": Rows("az-information", LOOK_COLUMNS), "frozen": Rows("az-information-frozen", LOOK_COLUMNS)},
    ),
)
