"""Alternative text of a notebook's figures: the sentence that the figure has as its title.

Figures here state what they show in their title, which stands in the code of the cell as a string. It is read there,
and nothing is made up: a figure whose title is computed is described by its section and the words that are known.
"""

import ast
import re

SHOWS = ("show", "live")  # calls that end a figure: plt.show(), and live(loop, ...), which draws a run as it goes
NO_FIGURE = ("print", "check", "show")  # calls whose strings are no title
COMPUTED = "…"
FEWEST_WORDS = 4  # of a title; labels of axes are mostly shorter


def alternative_texts(notebook: dict) -> list[str]:
    """One text for each PNG among the outputs of a notebook (nbformat 4, as JSON), in their order."""
    found, section, titles = [], "", []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            headings = re.findall(r"^#+ +(.+?) *$", source, re.MULTILINE)
            section = headings[-1].replace("`", "").replace("$", "") if headings else section
        if cell["cell_type"] != "code":
            continue
        count = sum("image/png" in output.get("data", {}) for output in cell["outputs"])
        titles = titles_of(source) if count else []
        found += [text_of(titles, place, section) for place in range(count)]
    return found


def text_of(titles: list[str], place: int, section: str) -> str:
    """The text of the figure at this place of its cell."""
    if not titles:
        return f"Figure of the section “{section}”"
    title = titles[min(place, len(titles) - 1)]
    where = f" (section “{section}”)" if COMPUTED in title else ""
    return f"Figure: {title.rstrip(' :' + COMPUTED)}{where}"


def titles_of(source: str) -> list[str]:
    """The title of each figure that a cell shows, where the code has one as a string."""
    titles, last = [], None
    for statement in _statements(ast.parse(_python(source)).body):
        last = None if isinstance(statement, ast.Assert) else _title(statement) or last
        if last and _shows(statement):
            titles.append(last)
            last = None
    return titles + ([last] if last else [])


def _python(source: str) -> str:
    """The source without IPython's own commands."""
    return re.sub(r"^[ \t]*[%!].*$", "", source, flags=re.MULTILINE)


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """All statements in order of their lines, those of functions left out."""
    flat = []
    for node in body:
        inner = [] if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else getattr(node, "body", [])
        flat += _statements(inner) if inner else [node]
    return flat


def _shows(statement: ast.stmt) -> bool:
    calls = (node for node in ast.walk(statement) if isinstance(node, ast.Call))
    return any(_name(call) in SHOWS for call in calls)


def _name(call: ast.Call) -> str:
    """The last part of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _title(statement: ast.stmt) -> str | None:
    """The longest string that a call of the statement is given as it is or as `title`, if it has a title's length."""
    given = []
    for call in (node for node in ast.walk(statement) if isinstance(node, ast.Call)):
        if _name(call) in NO_FIGURE:
            continue
        named = [text for keyword in call.keywords if keyword.arg == "title" and (text := _text(keyword.value))]
        if named:
            return named[0]
        given += [text for node in call.args if (text := _text(node)) and len(text.split()) >= FEWEST_WORDS]
    return max(given, key=len, default=None)


def _text(node: ast.expr) -> str | None:
    """The text of a string; what an f-string computes is left out as `COMPUTED`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else COMPUTED for part in node.values)
    return None
