"""What the requests are about, and the words that go with it."""

from dataclasses import dataclass
from typing import Literal

Category = Literal["place", "thing", "person", "activity"]


@dataclass(frozen=True)
class Topic:
    """What is written about: a noun phrase in the singular, and nouns that fit after `the`, singular or plural."""

    phrase: str
    category: Category
    nouns: tuple[str, ...]


_PLACES = """
a river: water bank boat bridge fish stones
a kitchen: table oven bread pot window soup
a small town: square church market road school shop
a forest: trees path birds leaves shade moss
a harbour: ships nets sailors wind ropes gulls
a desert: sand sun wells camels tents stars
a library: books shelves desk lamp readers silence
a railway station: trains clock platform tickets crowd benches
a farm: barn field cows tractor hens gate
a mountain village: roofs snow goats stream valley smoke
a garden: flowers soil bees fence roses rain
a beach: waves shells sand children towels tide
a market: stalls fruit prices baskets voices coins
a museum: paintings halls guards stairs visitors statues
a lake: ducks reeds water canoe island mist
a bakery: bread flour oven cakes counter smell
a park: grass bench dogs fountain swings paths
a castle: walls tower king gate stairs dungeon
a hospital: nurses beds doctors corridors flowers visitors
an old attic: boxes dust letters roof spiders trunk
"""
_THINGS = """
a bicycle: wheels chain bell saddle brakes lamp
a clock: hands numbers face tick springs hour
a winter coat: buttons pockets wool collar sleeves lining
a letter: stamp ink paper words envelope address
a pencil: point wood eraser paper lines drawing
a boat: sail oars deck anchor wind ropes
a lamp: light shade switch bulb cord glow
a piano: keys pedals music songs bench sound
a bridge: arches river cars stones railing view
an apple: skin seeds core tree juice taste
a cup of tea: leaves kettle milk sugar steam spoon
a mirror: glass frame face light wall crack
an umbrella: rain handle wind cloth ribs puddles
a map: roads rivers names colours legend border
a candle: flame wax wick smoke table shadow
a pair of shoes: laces soles leather heels mud polish
a violin: strings bow notes wood case tune
a garden chair: legs cushion sun paint grass shade
a tent: poles ropes pegs canvas ground night
a ladder: rungs wall roof paint balance height
"""
_PEOPLE = """
a new teacher: class lesson pupils board books patience
a young nurse: patients ward shift rest team notes
a first year student: lectures notes books friends exams library
a gardener: tools soil seeds weather hedge pruning
a new neighbour: street keys bins garden names post
a tired parent: baby sleep help kitchen routine walk
a bus driver: route mirror brakes passengers timetable doors
a young cook: knife salt recipe stove plates timing
a traveller: ticket bag map passport train hotel
a beginner at chess: king pawns board openings clock rook
a shy singer: voice stage song breath audience microphone
a farmer: field seeds rain harvest cows machine
a shop owner: window stock customers prices till smile
a runner: shoes pace water hill breath finish
"""
_ACTIVITIES = """
baking bread: flour yeast dough oven crust salt
learning to swim: water breath arms legs pool teacher
painting a room: brush wall ladder colour tape roller
riding a bicycle: wheels brakes road helmet balance bell
writing a letter: paper ink words stamp greeting news
growing tomatoes: seeds pots sun water leaves soil
moving to a new house: boxes van keys rooms street friends
keeping a dog: lead food walks vet basket ball
making soup: pot onions broth salt spoon beans
climbing a hill: boots view wind path map rest
learning a language: words grammar sounds songs mistakes lessons
saving money: bank budget coins rent list goal
planning a party: guests music cake balloons games invitations
cleaning a kitchen: sink cloth floor soap shelves bin
sleeping well: bed pillow dark noise window routine
reading aloud: voice pages listeners story pace book
"""


def _listed(category: Category, lines: str) -> list[Topic]:
    rows = (line.partition(": ") for line in lines.strip().splitlines())
    return [Topic(phrase, category, tuple(nouns.split())) for phrase, _, nouns in rows]


TOPICS: tuple[Topic, ...] = (
    *_listed("place", _PLACES),
    *_listed("thing", _THINGS),
    *_listed("person", _PEOPLE),
    *_listed("activity", _ACTIVITIES),
)
_ABOUT = ("Tell me briefly about {}.", "Write a short text about {}.", "How would you describe {} in brief?")
REQUESTS: dict[Category, tuple[str, ...]] = {
    "place": (*_ABOUT, "Briefly describe {}.", "In brief, what is {} like?"),
    "thing": (*_ABOUT, "Briefly describe {}.", "In brief, what is {} like?"),
    "person": (
        "Give brief advice to {}.",
        "What would you tell {}, in brief?",
        "Write a short note to {}.",
        "Give {} a short piece of advice.",
    ),
    "activity": (*_ABOUT, "Give brief advice on {}.", "What should one know about {}, in brief?"),
}
