"""Docstrings, which are plain text with `code`, as reStructuredText; the settings of a dataclass as a table.

Plain text is nobody's markup: a star, an underscore or a bar is what it is. Only `code`, *stress*, lists, indented
blocks and the numbers of papers (arXiv:2203.14465) are made into something.
"""

import inspect
import re
import textwrap
import tokenize
from dataclasses import MISSING, Field, fields, is_dataclass
from io import StringIO

ITEM = re.compile(r"(?:[-*]|\d+[.)]) +")
MARKED = re.compile(r"(`[^`]+`|(?<![\w*])\*[^\s*](?:[^*\n]*[^\s*])?\*(?![\w*])|arXiv:\d{4}\.\d{4,5})")


def as_rst(lines: list[str], names: dict[str, str]) -> list[str]:
    """The lines of a docstring in reStructuredText. `names` maps words in backticks to the full names they link to."""
    out: list[str] = []
    for block in _blocks(lines):
        if block[0].startswith(" "):
            out += ["::", "", *textwrap.indent(textwrap.dedent("\n".join(block)), "    ").split("\n"), ""]
        elif ITEM.match(block[0]):
            out += [*_list(block, names), ""]
        else:
            said = " ".join(line.strip() for line in block)
            command = re.fullmatch(r"Run it: (.+)", said)
            out += [f"Run it: {_code(command[1], names)}" if command else _inline(said, names), ""]
    return out


def _blocks(lines: list[str]) -> list[list[str]]:
    """Lines that belong together: an indented block, a list, or a paragraph."""
    blocks: list[list[str]] = []
    kind = None
    for line in textwrap.dedent("\n".join(lines)).split("\n"):
        if not line.strip():
            kind = "pause" if kind in ("indented", "list") else None
            continue
        indented, item = line.startswith(" "), bool(ITEM.match(line))
        before = blocks[-1][0] if blocks else ""
        if item:
            new, joins = "list", kind in ("list", "pause") and bool(ITEM.match(before))
        elif indented and kind == "list":
            new, joins = "list", True
        elif indented:
            new, joins = "indented", kind in ("indented", "pause") and before.startswith(" ")
        else:
            new, joins = "text", kind == "text"
        if joins and kind == "pause" and new == "indented":
            blocks[-1].append("")
        blocks[-1].append(line) if joins else blocks.append([line])
        kind = new
    return blocks


def _list(block: list[str], names: dict[str, str]) -> list[str]:
    """Items, each in one line."""
    items: list[str] = []
    for line in block:
        if ITEM.match(line):
            items.append(ITEM.sub("", line, count=1))
        else:
            items[-1] += " " + line.strip()
    return [f"* {_inline(item, names)}" for item in items]


def _inline(text: str, names: dict[str, str]) -> str:
    """A paragraph's text: `code` as code, with a link where the name is known; all else as it is written."""
    parts = []
    for part in MARKED.split(text):
        if part.startswith("`") and len(part) > 2:
            parts.append(_code(part.strip("`"), names))
        elif part.startswith("arXiv:"):
            parts.append(f"`{part} <https://arxiv.org/abs/{part[6:]}>`__")
        elif part.startswith("*") and part.endswith("*") and len(part) > 2:
            parts.append(f"*{_escaped(part[1:-1])}*")
        else:
            parts.append(_escaped(part))
    joined = "".join(
        f"\\ {part}\\ " if place % 2 else part for place, part in enumerate(parts)
    )  # marks may touch letters
    return joined.strip()


def _code(text: str, names: dict[str, str]) -> str:
    full = names.get(text) or (text if text in names.values() else None)
    if full:
        return f":py:obj:`{text} <{full}>`"
    return f":code:`{_escaped(text.strip())}`"


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_`|<>])", r"\\\1", text)


def known_names(module: object) -> dict[str, str]:
    """The public functions and classes that a module defines, by their short names."""
    return {
        name: f"{one.__module__}.{name}"
        for name, one in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(one) or inspect.isclass(one))
        and one.__module__ == module.__name__
        and one.__doc__
    }


def settings_table(cls: type) -> list[str]:
    """The fields of a dataclass as a table: name, type, default, and the comment beside it in the source."""
    if not is_dataclass(cls) or not (own := [field for field in fields(cls) if not field.name.startswith("_")]):
        return []
    said = comments(inspect.getsource(cls))
    rows = [("field", "type", "default", ""), *((f.name, _type(f), _default(f), said.get(f.name, "")) for f in own)]
    lines = [".. list-table::", "   :header-rows: 1", "   :class: settings", ""]
    for name, kind, default, comment in rows:
        head = name == "field"
        cells = (
            [name, kind, default]
            if head
            else [f":code:`{_escaped(text)}`" if text else "" for text in (name, kind, default)]
        )
        lines += [
            f"   {'*' if place == 0 else ' '} - {cell}" for place, cell in enumerate([*cells, _inline(comment, {})])
        ]
    return [*lines, ""]


def _type(field: Field) -> str:
    return (
        field.type
        if isinstance(field.type, str)
        else getattr(field.type, "__name__", str(field.type))
        if not hasattr(field.type, "__args__")
        else re.sub(r"\b(?:\w+\.)+", "", str(field.type))
    )


def _default(field: Field) -> str:
    if field.default is not MISSING:
        shown = getattr(field.default, "__name__", None) or repr(field.default)
        return shown if len(shown) <= 60 else "…"
    return "" if field.default_factory is MISSING else f"{getattr(field.default_factory, '__name__', 'made')}()"


def comments(source: str) -> dict[str, str]:
    """For each field of a class the comment in its line, or the whole-line ones right above it."""
    found: dict[str, str] = {}
    above: list[str] = []
    name, fresh = None, True
    for token in tokenize.generate_tokens(StringIO(textwrap.dedent(source)).readline):
        if token.type == tokenize.COMMENT:
            words = token.string.lstrip("# ")
            if token.line.strip().startswith("#"):
                above.append(words)
            elif name:
                found[name] = words
        elif token.type == tokenize.NAME and fresh:
            name, fresh = (token.string, False)
            if above and re.match(rf"\s*{name}\s*:", token.line):
                found[name] = " ".join(above)
            above = []
        elif token.type == tokenize.NEWLINE:
            fresh = True
        elif token.type not in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT):
            fresh = False
    return found
