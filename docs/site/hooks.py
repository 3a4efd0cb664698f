"""What the site adds to Sphinx: docstrings as plain text, texts of figures, links to the glossary."""

import inspect
import json
import sys
from dataclasses import is_dataclass
from functools import cached_property
from pathlib import Path

from docstrings import as_rst, known_names, settings_table
from docutils import nodes
from glossary import link_terms, terms_of
from sphinx.application import Sphinx
from sphinx.util import logging

GLOSSARY = "docs/glossary"
DOCUMENTED = (property, cached_property, classmethod, staticmethod)
log = logging.getLogger(__name__)


def plain_docstring(app, what, name, obj, options, lines) -> None:
    """Make a docstring reStructuredText; add the settings of a dataclass."""
    made = inspect.isclass(obj) and is_dataclass(obj) and (obj.__doc__ or "").startswith(f"{obj.__name__}(")
    module = sys.modules.get(name if what == "module" else getattr(obj, "__module__", None) or "")
    text = [] if made else as_rst(lines, known_names(module) if module else {})
    lines[:] = text + (settings_table(obj) if inspect.isclass(obj) else [])


def short_signature(app, what, name, obj, options, signature, returns):
    """A dataclass has its settings in a table, so none in brackets."""
    return ("", returns) if what == "class" and is_dataclass(obj) else None


def skip_values(app, what, name, obj, skip, options) -> bool | None:
    """Functions, classes and properties are shown, and no values: fields are in the table of their class."""
    return None if inspect.isroutine(obj) or inspect.isclass(obj) or isinstance(obj, DOCUMENTED) else True


def texts_of_figures(app: Sphinx, document: nodes.document) -> None:
    """Give each figure of a notebook its alternative text, in their order."""
    source = Path(app.srcdir) / f"{app.env.docname}.ipynb"
    if not source.exists():
        return
    texts = json.loads(source.read_text(encoding="utf-8"))["metadata"]["figures"]
    outputs = document.findall(lambda n: isinstance(n, nodes.container) and "cell_output" in n.get("classes", []))
    images = [image for output in outputs for image in output.findall(nodes.image)]
    if len(images) != len(texts):
        log.warning("%d figures and %d texts for them", len(images), len(texts), location=app.env.docname)
    for image, text in zip(images, texts):
        image["alt"] = text


def terms(app: Sphinx, document: nodes.document, page: str) -> None:
    """Link the first use of each term of the glossary."""
    if page == GLOSSARY or page.startswith("api/"):
        return
    known = terms_of((Path(app.srcdir) / f"{GLOSSARY}.md").read_text(encoding="utf-8"))
    link_terms(document, known, app.builder.get_relative_uri(page, GLOSSARY))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", plain_docstring)
    app.connect("autodoc-process-signature", short_signature)
    app.connect("autodoc-skip-member", skip_values)
    app.connect("doctree-read", texts_of_figures)
    app.connect("doctree-resolved", terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
