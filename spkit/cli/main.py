"""The command line: `spkit --help`."""

import sys

from ..run.errors import SpkitError
from .commands import COMMANDS, RunALoop
from .output import say
from .parse import chosen
from .runs import run_command

ABOUT = "Self-play for language models, to run and to take apart."


def main() -> None:
    """Entry point, which exits: bad input is one sentence and exit code 2."""
    try:
        command(sys.argv[1:]).run()
        sys.exit(0)
    except SpkitError as error:
        say(f"spkit: {error}", error=True, style="red")
        sys.exit(2)


def command(arguments: list[str]) -> object:
    """The command that the arguments ask for, with its options. Raises SpkitError if there is no such."""
    if arguments[:1] == ["run"]:
        return run_command(arguments[1:])
    return chosen({"run": RunALoop, **COMMANDS}, arguments, "spkit", ABOUT)
