"""Numbers written down in many ways, by code that shares nothing with the reader."""

import random
from fractions import Fraction

SPACES = ("\u2009", "\u00a0", "\u202f", "\\,")
WRAPPERS = (
    "{}", "**{}**", "*{}*", "`{}`", "__{}__", "${}$", "$${}$$", "\\({}\\)", "\\[{}\\]", "\\text{{{}}}",
    "\\mathbf{{{}}}", '"{}"', "= {}", "x = {}",
)  # fmt: skip
PLACES = (
    "#### {}", "So it is 3.\n#### {}", "#### {}\nQuestion: what of 7?", "<answer>{}</answer>",
    "<think>7 or 9</think>\n<answer> {} </answer>",
    "\\boxed{{{}}}", "Thus $\\boxed{{{}}}$.", "First \\boxed{{7}}, no: \\boxed{{{}}}", "The answer is {}.",
    "**Final Answer:** {}",
    "**Final Answer: {}**", "Answer: {}", "7 and 9.\nThe final answer is: {}", "**Final Answer**: {}",
)  # fmt: skip
UNITS = ("", "", " mugs", "%", " dollars", " km/h", "cm", "\\%", " \\text{ mugs}")


def grouped(digits: str, sign: str) -> str:
    """Whole digits in groups of three from the right."""
    head = len(digits) % 3 or 3
    return sign.join([digits[:head], *(digits[i : i + 3] for i in range(head, len(digits), 3))])


def whole(number: int, rng: random.Random) -> str:
    """A number of at least 0 with or without groups."""
    return grouped(str(number), rng.choice(("", "", ",", "{,}", ",\\!", "'", "’", *SPACES)))


def unsigned(value: Fraction, rng: random.Random) -> str:
    """A value of at least 0 as a whole number, decimal, fraction or mixed number."""
    above, below = value.numerator, value.denominator
    if below == 1:
        return whole(above, rng) + rng.choice(("", "", ".0", ".00"))
    forms = [f"{above}/{below}", f"{above} / {below}"]
    for name in ("frac", "dfrac", "tfrac"):
        forms.append(f"\\{name}{{{above}}}{{{below}}}")
    if above < 10 and below < 10:
        forms += [f"\\frac{above}{below}", f"\\frac{{{above}}}{below}"]
    units, rest = divmod(above, below)
    if units:
        forms += [f"{units} {rest}/{below}", f"{units}\\frac{{{rest}}}{{{below}}}", f"{units} and {rest}/{below}"]
    places = next((n for n in range(1, 8) if 10**n % below == 0), 0)
    if places:
        decimals = str(above * 10**places // below).rjust(places + 1, "0")
        forms += [f"{grouped(decimals[:-places], rng.choice(('', ',')))}.{decimals[-places:]}"] * 4
    return rng.choice(forms)


def a_value(rng: random.Random) -> Fraction:
    """Whole numbers of any size up to ten digits, decimals and fractions, of either sign."""
    kind = rng.random()
    size = rng.randrange(10 ** rng.randint(1, 10))
    value = (
        Fraction(size)
        if kind < 0.5
        else Fraction(size, 10 ** rng.randint(1, 4))
        if kind < 0.8
        else Fraction(size % 99 + 1, rng.randint(2, 12))
    )
    return -value if rng.random() < 0.25 else value


def rendered(value: Fraction, rng: random.Random, place: bool = True) -> str:
    """A whole completion that gives the value, or without `place` the answer alone."""
    text = unsigned(abs(value), rng)
    money = rng.choice(("", "", "", "$", "\\$", "US$", "€", "£ ", "USD "))
    sign = rng.choice(("-", "\u2212")) if value < 0 else rng.choice(("", "", "", "+"))
    unit = "" if money else rng.choice(UNITS)
    wrapper = rng.choice(WRAPPERS)
    if wrapper.startswith(("\\text", "\\mathbf")) and "{" in unit + text:
        wrapper = "{}"
    text = wrapper.format(f"{sign}{money}{text}{unit}")
    return rng.choice(PLACES).format(text) if place else text
