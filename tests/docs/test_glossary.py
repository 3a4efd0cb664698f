"""The glossary's terms are in order, are explained once, and come where it says."""

import re

import pytest

from .pages import DOCS, FENCE, LINK, ROOT, anchor, anchors, headings, markdown, plain

PAGE = DOCS / "glossary.md"
ENTRIES = re.findall(r"^### (.+?)\n\n(.+?)(?=\n\n|\n*\Z)", markdown(PAGE), re.MULTILINE | re.DOTALL)
ABSENT = " Not in a notebook yet."  # terms of the field that readers bring
README = ROOT / "README.md"
EVERYDAY = {
    "base",
    "control",
    "group",
    "interval",
    "iteration",
    "path",
    "prompt",
    "reference",
    "reward",
    "seed",
    "step",
}


def pattern(term: str) -> str:
    """The term, in the plural too; one with `/` by any of its words."""
    return "|".join(rf"(?<![\w-]){re.escape(word)}(?:s|es|ed)?(?![\w])" for word in term.split(" / "))


def section(text: str, heading: str) -> str:
    """From a heading to the next one of its rank or a higher one."""
    mark, rest = re.search(rf"^(#+) +{re.escape(heading)} *\n(.*)", text, re.MULTILINE | re.DOTALL).groups()
    return heading + "\n" + re.split(rf"^#{{1,{len(mark)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def test_terms_are_alphabetical_and_come_once():
    terms = [term for term, _ in ENTRIES]
    assert terms == headings(PAGE)[1:] and terms == sorted(set(terms), key=str.lower)
    assert all(1 <= len(re.findall(r"[.:?](?: |$)", plain(text).partition("→")[0])) <= 4 for _, text in ENTRIES)


@pytest.mark.parametrize("term, text", ENTRIES, ids=[term for term, _ in ENTRIES])
def test_a_term_comes_where_the_glossary_says(term, text):
    if text.endswith(ABSENT):
        return
    _, target = LINK.findall(text)[-1]
    name, _, after = target.partition("#")
    page = (DOCS / name).resolve()
    where = markdown(page)
    if after:
        where = section(where, next(h for h in headings(page) if anchor(page, h) == after))
    assert re.search(pattern(term), FENCE.sub("", where), re.IGNORECASE), f"{target} does not say {term!r}"


def test_the_first_use_in_the_readme_links_to_the_glossary():
    """Outside tables, code, headings and pictures; everyday words are left alone."""
    lines = [line for line in FENCE.sub("", markdown(README)).splitlines() if not line.startswith(("|", "#", "!"))]
    text = re.sub(r"`[^`\n]*`|<!--.*?-->|\[[^\]]*\]\((?!docs/glossary)[^)]*\)", " ", "\n".join(lines))
    text = text.replace("verl, verifiers,", "")  # a library of that name
    for term in {term for term, _ in ENTRIES} - EVERYDAY:
        first = re.search(pattern(term), text, re.IGNORECASE)
        if first:
            before = text[: first.start()]
            assert before.endswith("["), f"{term}: ...{before[-30:]}{first[0]}"
            after = re.match(r"[^\]]*\]\(docs/glossary\.md#([^)]+)\)", text[first.start() :])[1]
            assert after in anchors(PAGE), after
