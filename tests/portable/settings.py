"""The instruction sets that this machine can be told to use, as environment variables of a new process."""

import io
import platform
from contextlib import redirect_stdout
from dataclasses import dataclass

import numpy as np

LEVELS = {  # what NumPy turns off, by the names of all its versions; then what the VARIABLES below are set to
    "avx2": (
        ("X86_V4", "AVX512_ICL", "AVX512_SPR", "AVX512F", "AVX512CD", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL"),
        ("Haswell", "avx2", "AVX2", "AVX2"),
    ),
    "sse": (("X86_V3", "AVX", "F16C", "FMA3", "AVX2"), ("Nehalem", "default", "SSE41", "COMPATIBLE")),
}
VARIABLES = ("OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR")


@dataclass(frozen=True)
class Setting:
    name: str
    variables: dict[str, str]
    shaken: int | None = None  # seed of moved roundings


def found_features() -> set[str]:
    """What NumPy can dispatch to and sees on this processor: it warns of any other name."""
    said = io.StringIO()
    with redirect_stdout(said):
        config = np.show_config(mode="dicts")
    return set(config.get("SIMD Extensions", {}).get("found", []))


def threads(count: int) -> dict[str, str]:
    return {name: str(count) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def settings() -> list[Setting]:
    """The machine as it is with one thread (`make test` has two), older instructions, and moved roundings."""
    count, off, lower = 1, [], []
    if platform.machine() in ("x86_64", "AMD64"):
        for level, (names, held) in LEVELS.items():
            known = [name for name in names if name in found_features()]
            off += known
            if known:  # else the machine has no more than this
                count = 3 - count
                limits = dict(zip(VARIABLES, held)) | {"NPY_DISABLE_CPU_FEATURES": ",".join(off)}
                lower.append(Setting(f"{level}, threads: {count}", limits | threads(count)))
    return [
        Setting("as it is, threads: 1", threads(1)),
        *lower,
        Setting("moved roundings, threads: 1", threads(1), shaken=1),
    ]
