"""What `spkit notebooks` does: the course out of an installed package, into a folder of the reader's own."""

import shutil
from pathlib import Path

from ..run.errors import SpkitError
from ..run.shipped import data_folder

COURSE = ("notebooks", "docs", "README.md", "RESULTS.md", "data/results/demo.png")


def course_folder() -> Path:
    """Where the notebooks are that come with the package: in a wheel beside the data, in a checkout at the top."""
    beside = data_folder() / "course"
    return beside if beside.is_dir() else data_folder().parent


def copy_course(folder: Path) -> list[Path]:
    """Copy the notebooks, and the pages that they link to, into a new or empty folder; return the notebooks' paths.

    It is filled beside and renamed, so that a copy that was stopped leaves nothing. Raises SpkitError if the folder
    has something in it, which is never overwritten, or cannot be written to.
    """
    source, beside = course_folder(), folder.absolute().with_name(f".{folder.absolute().name}.part")
    if not (source / "notebooks").is_dir():
        raise SpkitError("this installation came without the notebooks: install the wheel of selfplay-kit again")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SpkitError(f"{folder} is there already and is left as it is: give the name of a new folder")
        shutil.rmtree(beside, ignore_errors=True)
        for part in COURSE:
            _copy(source / part, beside / part)
        beside.replace(folder)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise SpkitError(
            f"could not write the notebooks to {folder} ({error.strerror or error}): choose a folder you can write to"
        ) from error
    return sorted((folder / "notebooks").rglob("*.ipynb"))


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return
    for inside in source.iterdir():
        if not inside.name.startswith((".", "__")):
            _copy(inside, target / inside.name)
