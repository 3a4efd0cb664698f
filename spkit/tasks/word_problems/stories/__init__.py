"""The templates of word problems: each tells a story fact by fact, and stops at the question with the
number of steps that is wanted.

A template draws people, things, numbers and phrases, and often which event comes next, so that neither the order of the
signs nor the place of a number in the text gives the answer away. Numbers that do not fit (`Misfit`) are drawn again.
"""

from .money import baking, change, recipe, shopping, tickets, wages
from .people import ages, buses, comparing, minutes, reading, sharing, single, trading
from .places import factory, fence, journey, orchard, percents, tank

STORIES = (
    shopping, change, sharing, wages, comparing, baking, ages, journey, buses, percents,
    reading, orchard, recipe, minutes, trading, tank, tickets, fence, factory, single,
)  # fmt: skip
