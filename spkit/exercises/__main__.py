"""`python -m spkit.exercises generate [NOTEBOOKS]`: make the student notebooks from the solutions
(NOTEBOOKS: ./notebooks).
"""

import sys
from pathlib import Path

from spkit.exercises.student import write_students
from spkit.run.errors import SpkitError


def main(arguments: list[str]) -> int:
    """Exit code 0, or 2 with one sentence on stderr."""
    if not 1 <= len(arguments) <= 2 or arguments[0] != "generate":
        print("Usage: python -m spkit.exercises generate [NOTEBOOKS]", file=sys.stderr)
        return 2
    try:
        for path in write_students(Path(arguments[1] if len(arguments) == 2 else "notebooks")):
            print(f"wrote {path}")
    except SpkitError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
