"""The sentences that a reference is put together from. `{t}` is the topic, `{w}` and `{v}` are two of its nouns."""

from .topics import Category

OPENINGS: dict[Category, tuple[str, ...]] = {
    "place": (
        "{t} is easy to picture.",
        "{t} has a life of its own.",
        "Few things are as pleasant as {t}.",
        "{t} can surprise anyone who takes the time to look.",
        "There is always something to see in {t}.",
        "I like {t} more than most places.",
    ),
    "thing": (
        "{t} is a simple thing.",
        "{t} can last for many years.",
        "Almost everyone knows {t} when they see one.",
        "It is hard to imagine life without {t}.",
        "There is more to {t} than you might think.",
        "I have always liked {t}.",
    ),
    "person": (
        "{t} should begin slowly.",
        "Being {t} is not easy.",
        "{t} does not need to know everything at once.",
        "I was once {t} too.",
        "Good advice can help {t} a lot.",
        "{t} has much to learn.",
    ),
    "activity": (
        "{t} is not hard once you begin.",
        "{t} takes time.",
        "Most people enjoy {t} after a while.",
        "There is a good way to begin {t}.",
        "{t} can make a dull day better.",
        "I learned a lot from {t}.",
    ),
}
PLAIN = (
    "The {w} can make all the difference.",
    "Many people remember the {w}.",
    "You will find the {w} not far from the {v}.",
    "Nobody forgets the {w}.",
    "Look at the {w} before you look at the {v}.",
    "Without the {w} it would not be the same.",
    "My sister always talks about the {w}.",
    "The {w} and the {v} belong together.",
    "Everyone knows a story about the {w}.",
    "I would keep an eye on the {w}.",
    "The {w} must come first.",
    "You should never ignore the {w}.",
    "It is all about the {w}.",
    "Some people care more about the {v} than the {w}.",
    "After the {w} you should look at the {v}.",
    "Think of the {w} and smile.",
)
OF_CATEGORY: dict[Category, tuple[str, ...]] = {
    "place": (
        "In the morning the {w} can be very quiet.",
        "People walk past the {w} every day.",
        "You can hear the {w} from far away.",
        "At night only the {w} can be seen.",
        "Old people sit near the {w} and talk.",
        "Between the {w} and the {v} there is room to sit.",
    ),
    "thing": (
        "Take good care of the {w}.",
        "A child will touch the {w} at once.",
        "The {w} may need some work after a few years.",
        "My father could mend the {w} with his own hands.",
        "Without care the {w} will wear out.",
        "Most of the beauty lies in the {w}.",
    ),
    "person": (
        "Take care of the {w} before anything else.",
        "Ask for help with the {w}.",
        "Do not worry too much about the {w}.",
        "Give the {w} all the time you have.",
        "Be kind and learn from the {w}.",
        "Prepare the {w} the evening before.",
    ),
    "activity": (
        "Begin with the {w} and take your time.",
        "Do not worry too much about the {w}.",
        "Ask a friend to help you with the {w}.",
        "Care with the {w} will save you trouble.",
        "Prepare the {w} the evening before.",
        "Once you understand the {w} the rest is easy.",
    ),
}
NUMBERED = (
    "I once wrote the number {n} next to the {w}.",
    "The number {n} is painted near the {w}.",
    "Somebody told me {n} stories about the {w}.",
)
ASKING = (
    "Have you ever thought about the {w}?",
    "What would it be without the {w}?",
    "Do you remember the {w}?",
    "Who looks after the {w}?",
    "Would you rather have the {w} or the {v}?",
)
OPEN_PLACES = (
    "Ask [name] about the {w}.",
    "You can learn about the {w} on [date].",
    "Meet [name] near the {w}.",
    "The {w} can remind you of [place].",
    "In [place] they know all about the {w}.",
)
LEADS = ("These are my thoughts on {t}.", "This is what matters about {t}.", "I would say this about {t}.")
TITLES = ("{t}", "About {t}", "A word on {t}", "My view of {t}")
OPENING_PHRASES = (
    "In short",
    "To be honest",
    "As far as I know",
    "Without doubt",
    "To begin with",
    "In my view",
    "On a good day",
    "These days",
    "For most of us",
    "Let me think",
)
CLOSING_PHRASES = (
    "That is all.",
    "I hope this helps.",
    "Thank you for reading.",
    "Now you know.",
    "So it goes.",
    "There is no more to say.",
    "Try it yourself.",
    "The rest is up to you.",
)
FUNCTION_WORDS = frozenset(
    """a an the and or but if so as than that this these those there here of to in on at by for with from about into
    over under between near past without before after up down out off once not no nor is are was were be been
    being am do does did have has had can could will would shall should may might must i you he she it we they
    me him her us them my your his its our their who whom which what when where why how all any both each few
    more most other some such only own same too very just also always never often many much one every everyone
    anyone nobody something because while until during through again then it's don't there's""".split()
)
