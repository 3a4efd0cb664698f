"""How the constraints are said in a prompt. `{a}` and `{b}` are a constraint's numbers, `{x}` its word or phrase."""

from .checks import Constraint

WORDINGS: dict[str, tuple[str, ...]] = {
    "min_words": ("Write at least {a} words.", "Use {a} words or more."),
    "max_words": ("Write at most {b} words.", "Use no more than {b} words."),
    "words_between": ("Write between {a} and {b} words.", "Your answer should have {a} to {b} words."),
    "sentences": ("Write exactly {a} sentences.", "Your answer should have {a} sentences, no more and no fewer."),
    "paragraphs": (
        "Write exactly {a} paragraphs, separated by a blank line.",
        "Put a blank line between paragraphs, of which there should be {a}.",
    ),
    "bullets": (
        'Include a list of exactly {a} bullet points, each on a line that begins with "- ".',
        'Use exactly {a} bullet points that begin with "- ".',
    ),
    "numbered": (
        'Include a numbered list of exactly {a} items, beginning with "1.".',
        "Make a numbered list (1., 2. and so on) with {a} items.",
    ),
    "lower": ("Write everything in lower case.", "Do not use any capital letters."),
    "upper": ("Write everything in capital letters.", "Use capital letters only."),
    "capitals": ("Write at least {words} in ALL CAPITALS.", "Put at least {words} all in capital letters."),
    "keyword": ('Use the word "{x}" {times}.', 'The word "{x}" should appear {times}.'),
    "forbidden": ('Do not use the word "{x}".', 'Avoid the word "{x}".'),
    "no_letter": ('Do not use the letter "{x}".', 'The letter "{x}" should not appear.'),
    "no_commas": ("Do not use any commas.", "Write without commas."),
    "no_digits": ("Do not use any digits.", "Write without any digits (0-9)."),
    "digits": ("Use {digits} (0-9) in all.", "Your answer should contain {digits} (0-9)."),
    "starts": ('Begin your answer with "{x}".', 'The first words should be "{x}".'),
    "ends": ('End your answer with "{x}"', 'The last words should be "{x}"'),
    "quoted": ("Wrap your whole answer in double quotes.", "Put double quotes around the whole answer."),
    "title": (
        "Give it a title in double angle brackets, such as <<my title>>.",
        "Include a title wrapped in double angle brackets, as in <<title>>.",
    ),
    "lines_end": ("End every line with a full stop.", "Every line should end with a full stop."),
    "exclamations": ("Use exactly {marks} in all.",),
    "questions": ("Ask exactly {questions}, with {marks} in all.",),
    "placeholders": (
        "Include at least {places} in square brackets, such as [name].",
        "Use square brackets for at least {places}, such as [place].",
    ),
}


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def worded(constraint: Constraint, wording: int) -> str:
    """The constraint as a sentence, in one of the wordings of its kind."""
    forms = WORDINGS[constraint.kind]
    count = constraint.low
    return forms[wording % len(forms)].format(
        a=count,
        b=constraint.high,
        x=constraint.text,
        times={1: "at least once", 2: "at least twice"}.get(count, f"at least {count} times"),
        words=_counted(count, "word"),
        digits="exactly " + _counted(count, "digit"),
        marks=_counted(count, f"{'question' if constraint.kind == 'questions' else 'exclamation'} mark"),
        questions=_counted(count, "question"),
        places=_counted(count, "placeholder"),
    )
