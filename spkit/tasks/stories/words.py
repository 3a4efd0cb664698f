"""The words of the stories: who has things, what things, and how they come and go.

In a sentence `@` stands for who has the things, `%` for somebody else, and `#` for how many things come or go.
"""

from ..word_problems.story import PEOPLE, Person

CAST = (
    PEOPLE
    + tuple(Person(name, "she", "her") for name in "Alice Emma Lily Mia Rosa Zoe Anna Lucy Olga Yuki".split())
    + tuple(Person(name, "he", "his") for name in "Max Jack Finn Luis Otto Peter Hans Amir Theo Bruno".split())
)
THINGS = (
    "apple pear plum lemon peach orange fig melon banana carrot egg cookie muffin pie pretzel roll scone waffle tart "
    "marble sticker stamp shell bead button coin card pebble badge pen pencil notebook book mug cup candle puzzle "
    "kite ball balloon toy doll block lamp basket box cap hat plate belt frame brush whistle ribbon flower"
).split()
COMINGS = (
    "@ buys #",
    "@ finds #",
    "@ gets #",
    "@ wins #",
    "@ collects #",
    "@ receives #",
    "@ picks up #",
    "@ is given #",
    "@ gathers #",
    "@ earns #",
    "@ brings home #",
    "@ takes # from a shelf",
    "@ gets # from %",
    "@ borrows # from %",
    "@ is handed # by %",
    "@ accepts # from %",
    "@ buys # from %",
    "% gives @ #",
    "% gives # to @",
    "% hands # to @",
    "% sends @ #",
    "% brings @ #",
    "% lends # to @",
)
LEAVINGS = (
    "@ sells #",
    "@ loses #",
    "@ gives away #",
    "@ throws away #",
    "@ hands out #",
    "@ donates #",
    "@ uses up #",
    "@ trades away #",
    "@ parts with #",
    "@ leaves # on the bus",
    "@ gives # to %",
    "@ hands # to %",
    "@ lends # to %",
    "@ sends # to %",
    "@ returns # to %",
    "@ mails # to %",
    "@ passes # to %",
    "@ gives % #",
    "@ sells % #",
    "% takes # from @",
    "% buys # from @",
    "% borrows # from @",
)
STORY_OPENINGS = ("@ has #", "@ has #", "@ starts with #", "At first, @ has #", "@ owns #")
BEFORE = ("Before that, @ had #", "@ had # before that")
CONNECTIONS = ("", "", "Then ", "Then ", "Later, ", "After that, ", "Next, ")
QUESTIONS = ("now", "now", "in the end", "at the end")
ASIDES = (  # $ is a number that does not count
    "% has $ #",
    "% buys $ #",
    "Each # costs $ dollars",
    "@ is $ years old",
    "It is day $ of the month",
    "It is $ o'clock",
)


def plural(thing: str) -> str:
    """The plural of one of THINGS."""
    return thing + ("es" if thing.endswith(("ch", "sh", "x")) else "s")


def counted(number: int, thing: str, between: str = "") -> str:
    """`1 apple`, `9 apples`, and with words between `9 more apples`."""
    return f"{number} {between}{thing if number == 1 else plural(thing)}"
