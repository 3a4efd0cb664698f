"""Where the files are that come with the package: models, problems, results."""

from pathlib import Path


def data_folder() -> Path:
    """The folder of shipped files: `spkit_data` beside an installed package, `data` in a checkout."""
    root = Path(__file__).resolve().parents[2]
    return root / "spkit_data" if (root / "spkit_data").is_dir() else root / "data"


def found(path: str | Path) -> Path:
    """A path as it is; where there is no such file and it begins with `data`, the shipped one, so that
    `data/...` is there in any folder.
    """
    path = Path(path)
    if path.exists() or path.is_absolute() or path.parts[:1] != ("data",):
        return path
    shipped = data_folder().joinpath(*path.parts[1:])
    return shipped if shipped.exists() else path
