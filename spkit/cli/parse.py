"""Commands from dataclasses: a field is an option, its comment the help, its `Literal` the choices (tyro)."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from ..run.errors import SpkitError

Flag = tyro.conf.FlagCreatePairsOff[bool]  # `--json`, and no `--no-json`
NUMBERS = {int: "a whole number", float: "a number", int | None: "a whole number or None"}
OPTIONS = ConstructorRegistry()


def parse_options(form: Any, arguments: Sequence[str], prog: str, **settings: Any) -> Any:
    """What the arguments say, as an instance of `form`; `--help` prints and exits.

    Raises SpkitError, one sentence, for arguments that say nothing.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(form, args=list(arguments), prog=prog, registry=OPTIONS, **settings)
    except SystemExit as left:
        if not left.code:
            raise
        raise SpkitError(f"{sentence(said.getvalue())} (see {prog} --help)") from None


def chosen(forms: Mapping[str, type], arguments: Sequence[str], prog: str, about: str) -> Any:
    """What arguments say that begin with the name of a form, as an instance of it; `--help` lists the names.

    Raises SpkitError for another name.
    """
    name = arguments[0] if arguments else "--help"
    if name in forms:
        return parse_options(forms[name], arguments[1:], f"{prog} {name}")
    if not name.startswith("-"):
        raise SpkitError(f"{prog} has no {name!r}: choose one of {', '.join(forms)}")
    names = tuple(Annotated[form, tyro.conf.subcommand(name, prefix_name=False)] for name, form in forms.items())
    one_of_them = Union[names]  # noqa: UP007 - the forms are known only here
    return parse_options(one_of_them, arguments or [name], prog, description=about)


def sentence(refusal: str) -> str:
    """What tyro says first in its box, as one line; the box has lines around it only where stdout is UTF-8."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", refusal)
    inside = re.sub(r"(?m)^│|│$", "", plain)
    parts = [" ".join(part.split()) for part in re.split(r"(?m)^[╭╰].*$|^ *[─-]{3,} *$", inside)]
    said = [part for part in parts if part][0 if "╭" in plain else 1 :]
    return (said or parts)[0].removeprefix("Error parsing ").removesuffix(".")


@OPTIONS.primitive_rule
def number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """A number; what is none is refused in plain words."""
    if info.type not in NUMBERS:
        return None
    kind = float if info.type is float else int
    none = {"None": None} if info.type not in (int, float) else {}
    return one_word(
        (kind, *map(type, none.values())),
        "|".join([kind.__name__.upper(), *none]),
        lambda word: none[word] if word in none else read(kind, word, NUMBERS[info.type]),
    )


@OPTIONS.primitive_rule
def numbers_or_choices(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """Several numbers, or several of some choices, with commas between them: 0.1,0.1,5."""
    if get_origin(info.type) is not tuple or get_args(info.type)[1:] != (...,):
        return None
    kind = get_args(info.type)[0]
    if kind is float:
        wanted = "numbers with commas between them, like 0.1,0.7,0.9"
        return one_word(
            (tuple,), "FLOAT,...", lambda text: tuple(read(float, word, wanted) for word in text.split(","))
        )
    if get_origin(kind) is Literal:
        choices = "{" + ",".join(get_args(kind)) + "},..."
        return one_word((tuple,), choices, lambda text: tuple(word.strip() for word in text.split(",")))
    return None


def one_word(kinds: tuple[type, ...], shown: str, make: Callable[[str], Any]) -> PrimitiveConstructorSpec:
    """An option with one word after it, of which `make` makes a value."""
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=shown,
        instance_from_str=lambda words: make(words[0]),
        is_instance=lambda value: type(value) in kinds or (float in kinds and type(value) is int),
        str_from_instance=lambda value: [",".join(map(str, value)) if type(value) is tuple else str(value)],
    )


def read(kind: Callable[[str], Any], word: str, wanted: str) -> Any:
    """The word as a number. Raises ValueError that says what is wanted."""
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"must be {wanted}, not {word!r}") from None
