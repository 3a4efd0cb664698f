"""How a text is taken apart to be checked: words, sentences, lines, paragraphs. Nothing here knows a language.

A text is read in the composed form of Unicode (NFC). Every function takes time linear in its text.
"""

import unicodedata
from functools import lru_cache

JOINERS = "'’-‐‑"  # between letters they join a word: don't, well-known
ENDS = ".!?…。！？"
CLOSERS = "\"'”’»)]*_"  # may stand between the end of a sentence and the space after it
COMMAS = ",，、،﹐"


def composed(text: str) -> str:
    """The text in NFC, so that an e and its accent are one character."""
    return unicodedata.normalize("NFC", text)


@lru_cache(maxsize=4096)
def is_letter_or_digit(character: str) -> bool:
    """Letters, their marks and numbers of any script."""
    return unicodedata.category(character)[0] in "LMN"


def _runs(text: str, joiners: str) -> list[str]:
    """Runs of letters and digits, in order; a joiner between two of them belongs to the run."""
    found, word = [], ""
    for place, character in enumerate(text):
        inside = is_letter_or_digit(character)
        joins = word and character in joiners and is_letter_or_digit(text[place + 1 : place + 2] or " ")
        if inside or joins:
            word += character
        elif word:
            found.append(word)
            word = ""
    return [*found, word] if word else found


def word_list(text: str) -> list[str]:
    """The words as they are counted: `don't` and `well-known` are one, a run of Chinese without a space is one."""
    return _runs(text, JOINERS)


def word_parts(text: str) -> list[str]:
    """The words in which a given word is looked for, case folded: `River's` has `river`, `rivers` has not."""
    return [part.casefold() for part in _runs(text, "")]


def full_lines(text: str) -> list[str]:
    """The lines that are not blank, without the space around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def has_word(text: str) -> bool:
    """Whether there is a letter or a digit."""
    return any(map(is_letter_or_digit, text))


def sentence_count(text: str) -> int:
    """Sentences: what ends in `.`, `!`, `?` or such before a space, or at the end of a line, and has a word.

    The number in front of an item of a list ends none. `Mr. Smith` counts as an end, `3.5` does not.
    """
    return sum(_sentences_of_line(line) for line in full_lines(text))


def _sentences_of_line(line: str) -> int:
    count, open_words = 0, False
    for mark in "。！？":
        line = line.replace(mark, mark + " ")
    for place, token in enumerate(line.split()):
        if place == 0 and token[:-1].isdecimal() and token[-1] in ".)":
            continue
        open_words = open_words or has_word(token)
        if open_words and token.rstrip(CLOSERS).endswith(tuple(ENDS)):
            count, open_words = count + 1, False
    return count + open_words


def paragraph_count(text: str) -> int:
    """Blocks of lines with a word, a blank line or more between two of them."""
    count, open_words = 0, False
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            count, open_words = count + open_words, False
        else:
            open_words = open_words or has_word(line)
    return count


def starts_with(text: str, phrase: str) -> bool:
    """Whether the text begins with the phrase, whatever the case, and a word does not go on after it."""
    body, start = text.strip().casefold(), phrase.casefold()
    return body.startswith(start) and not has_word(body[len(start) : len(start) + 1])


def ends_with(text: str, phrase: str) -> bool:
    """Whether the text ends with the phrase, whatever the case, and no word runs into it."""
    body, end = text.strip().casefold(), phrase.casefold()
    return body.endswith(end) and not has_word(body[: -len(end)][-1:])
