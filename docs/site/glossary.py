"""Links to the glossary: on every page the first use of a term, outside headings, code, tables and other links."""

import re

from docutils import nodes

EVERYDAY = {"base", "cap", "clamp", "control", "filter", "gate", "greedy", "group", "interval", "iteration", "null",
            "path", "policy", "prompt", "completion", "reference", "reward", "seed", "step", "strict", "lenient",
            "beta", "swap", "verdict", "thought", "learnable information"}  # fmt: skip
ENTRY = re.compile(r"^#{2,3} (.+?)\n\n(.+?)(?=\n\n|\n*\Z)", re.MULTILINE | re.DOTALL)
LEFT_ALONE = (nodes.reference, nodes.literal, nodes.literal_block, nodes.title, nodes.table, nodes.math, nodes.raw,
              nodes.math_block, nodes.figure, nodes.rubric)  # fmt: skip


def terms_of(text: str) -> dict[str, tuple[str, str]]:
    """Each term of the glossary's page -> its anchor and its first sentence; everyday words are left out."""
    found = {}
    for term, meaning in ENTRY.findall(text):
        if term.lower() not in EVERYDAY:
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*$]", r"\1", meaning)
            found[term] = (nodes.make_id(term), re.split(r"(?<=[.:])\s", plain)[0])
    return found


def pattern(term: str) -> re.Pattern:
    """The term, in the plural too; an abbreviation as it is written, one with `/` by any of its words."""
    words = "|".join(re.escape(word) for word in term.split(" / "))
    exact = any(letter.isupper() for letter in term)
    return re.compile(rf"(?<![\w@-])(?:{words})s?(?![\w@-])", 0 if exact else re.IGNORECASE)


def link_terms(document: nodes.document, terms: dict[str, tuple[str, str]], address: str) -> int:
    """Make the first use of each term on a page a link to `address`#term, with its meaning; returns how many."""
    patterns, linked = {term: pattern(term) for term in terms}, set()
    for text in list(document.findall(nodes.Text)):
        if _left_alone(text):
            continue
        for term in sorted(set(terms) - linked, key=len, reverse=True):
            match = patterns[term].search(text)
            if match and text.parent is not None:
                linked.add(term)
                text = _link(text, match, f"{address}#{terms[term][0]}", terms[term][1])
    return len(linked)


def _left_alone(node: nodes.Node) -> bool:
    inside = False
    while node is not None:
        if isinstance(node, LEFT_ALONE):
            return True
        inside = inside or isinstance(node, nodes.paragraph)
        node = node.parent
    return not inside


def _link(text: nodes.Text, match: re.Match, address: str, meaning: str) -> nodes.Text:
    """Put the link into the text; returns the text before it, where other terms may come."""
    before, after = nodes.Text(text[: match.start()]), nodes.Text(text[match.end() :])
    link = nodes.reference("", match[0], refuri=address, internal=True, reftitle=meaning, classes=["term"])
    text.parent.replace(text, [before, link, after])
    return before
