"""Ways, orchards, tanks, fences, factories, and shares of what a place holds."""

from collections.abc import Iterator

from ..story import FRUIT, GOODS, Teller


def journey(t: Teller) -> Iterator[str]:
    """Speed and time, a second leg, what is left of the way, and the pace for it."""
    who, hours, speed = t.person(), t.number(2, 6), t.number(8, 75)
    way = t.one("drives", "rides", "travels")
    t.tell(
        f"{who.name} {way} for {hours} hours at {speed} miles an hour.",
        f"At {speed} miles an hour {who.name} {way} for {hours} hours.",
    )
    gone = t.work(f"{who.name} covers @ miles.", hours, "*", speed)
    yield t.one(f"How many miles does {who.name} cover?", f"How far does {who.name} get, in miles?")
    if t.maybe():
        more, slow = t.number(2, 5), t.number(5, 45)
        t.tell(
            f"After a rest {who.he} goes on for {more} hours at {slow} miles an hour.",
            f"For the next {more} hours {who.he} makes {slow} miles an hour.",
        )
        gone = t.work("So far that is @ miles.", gone, "+", t.work("The second part is @ miles.", more, "*", slow))
        yield "How many miles is that in all?"
    rest = t.number(12, 150)
    whole, stops = gone + rest, t.number(2, 6)
    t.tell(
        f"The whole way is {whole} miles long.",
        f"The town that {who.he} wants to reach is {whole} miles from the start.",
    )
    left = t.work("There are @ miles left.", whole, "-", gone)
    yield "How many miles are left?"
    t.tell(f"{who.He} wants to do the rest in {stops} hours, the same distance in each.")
    t.work("That makes @ miles for each of those hours.", left, "/", stops)
    yield f"How many miles must {who.name} do in each of those hours?"


def percents(t: Teller) -> Iterator[str]:
    """A percentage of a round number, the rest, and a part of the rest."""
    total, share = t.number(60, 800, 20), t.number(5, 95, 5)
    place, things, kind, others = t.rng.choice(
        (
            ("A library", "books", "novels", "not novels"),
            ("A park", "trees", "oaks", "not oaks"),
            ("A school", "pupils", "swimmers", "not swimmers"),
            ("A farm", "animals", "sheep", "not sheep"),
            ("A garage", "cars", "red cars", "not red"),
        )
    )
    t.tell(
        f"{place} has {total} {things}, and {share}% of them are {kind}.",
        f"{place} counts {total} {things}. Of these {share}% are {kind}.",
    )
    part = t.work(f"There are @ {kind}.", total, "*", share, "/", 100)
    if t.maybe():
        yield f"How many {kind} are there?"
    rest = t.work(f"The other @ {things} are {others}.", total, "-", part)
    yield f"How many of the {things} are {others}?"
    second = t.number(10, 90, 10)
    t.tell(f"{second}% of those that are {others} are new.")
    new = t.work("Of these @ are new.", rest, "*", second, "/", 100)
    yield f"How many of those that are {others} are new?"
    bought = t.number(5, 80)
    t.tell(f"Then {bought} more new ones arrive, none of them {kind}.")
    new = t.work(f"After that @ new ones are {others}.", new, "+", bought)
    yield f"How many new ones that are {others} are there then?"
    t.work(f"With the {kind} that makes @.", new, "+", part)
    yield f"How many are either {kind}, or new and {others}?"


def orchard(t: Teller) -> Iterator[str]:
    """Rows of trees, some felled, what they bear, and crates."""
    fruit = t.rng.choice(FRUIT)
    rows, trees, lost, each, crate = t.number(3, 9), t.number(4, 15), t.number(2, 12), t.number(6, 30), t.number(5, 20)
    t.tell(
        f"An orchard has {rows} rows of {trees} trees.",
        f"There are {rows} rows in an orchard, with {trees} trees in every row.",
    )
    count = t.work("There are @ trees.", rows, "*", trees)
    if t.maybe():
        t.tell(f"A storm breaks {lost} of the trees.", f"{lost} trees bear nothing this year.")
        count = t.work("So @ trees bear fruit.", count, "-", lost)
    else:
        t.tell(f"Behind the house stand {lost} more trees of the same kind.")
        count = t.work("With those there are @ trees.", count, "+", lost)
    yield "How many trees bear fruit?"
    t.tell(f"Every tree that bears gives {each} {fruit}.", f"Each of these trees gives {each} {fruit}.")
    crop = t.work(f"They give @ {fruit}.", count, "*", each)
    yield f"How many {fruit} do they give?"
    if t.maybe():
        t.tell(f"They are packed in crates of {crate}.", f"{crate} {fruit} go into a crate.")
        crates, price = t.work("They fill @ crates.", crop, "/", crate), t.number(3, 18)
        yield "How many crates do they fill?"
        t.tell(f"A crate is sold for ${price}.")
        t.work("The crates bring in $@.", crates, "*", price)
        yield "How many dollars do the crates bring in?"
        return
    rotten = t.number(10, 90)
    t.tell(f"{rotten} of the {fruit} are rotten.")
    crop = t.work(f"That leaves @ good {fruit}.", crop, "-", rotten)
    yield f"How many good {fruit} are there?"
    t.tell(
        "Half of the good ones go to market.", f"Half of the good {fruit} are made into jam, the other half are sold."
    )
    t.work("Half of them is @.", crop, "/", 2)
    yield f"How many {fruit} is that half?"


def tank(t: Teller) -> Iterator[str]:
    """A tank that fills and leaks."""
    rate, time, leak = t.number(6, 40), t.number(3, 25), t.number(2, 15)
    what = t.one("A tank", "A pool", "A pond", "A barrel")
    t.tell(
        f"{what} is filled with {rate} litres of water a minute.",
        f"A pump brings {rate} litres a minute into an empty basin.",
    )
    net = rate
    if t.maybe():
        t.tell(f"At the same time {leak} litres a minute leak out.", f"A crack lets {leak} litres out every minute.")
        net = t.work("Every minute there are @ litres more.", rate, "-", leak)
        yield "How many litres does the water grow by in a minute?"
    t.tell(f"This goes on for {time} minutes.", f"After {time} minutes the pump is turned off.")
    water = t.work(f"After {time} minutes there are @ litres.", net, "*", time)
    yield "How many litres are there at the end?"
    buckets, size, full = t.number(2, 9), t.number(4, 15), t.number(20, 300, 5)
    t.tell(
        f"Then {buckets} buckets of {size} litres are taken out.",
        f"Somebody takes {buckets} buckets out, each of {size} litres.",
    )
    taken = t.work("The buckets take @ litres.", buckets, "*", size)
    water = t.work("That leaves @ litres.", water, "-", taken)
    yield "How many litres are left?"
    t.tell(f"When it is full it holds {water + full} litres.")
    t.work("So @ litres are missing.", water + full, "-", water)
    yield "How many litres are missing until it is full?"


def fence(t: Teller) -> Iterator[str]:
    """Around a rectangle, a gate, and posts or prices."""
    length, width, price, gate = t.number(8, 60), t.number(4, 40), t.number(2, 15), t.number(2, 8)
    place = t.one("garden", "field", "yard", "playground")
    t.tell(
        f"A rectangular {place} is {length} metres long and {width} metres wide.",
        f"A rectangular {place} measures {length} by {width} metres.",
    )
    if t.maybe():
        area = t.work("Its area is @ square metres.", length, "*", width)
        shed = t.number(5, 60)
        t.tell(f"A shed takes up {shed} square metres of it.", f"Stones cover {shed} square metres of it.")
        area = t.work("That leaves @ square metres.", area, "-", shed)
        yield "How many square metres are left?"
        t.tell(f"The rest is sown with grass, and every square metre takes {gate} spoons of seed.")
        seed = t.work("The grass takes @ spoons of seed.", area, "*", gate)
        yield "How many spoons of seed does that take?"
        t.tell(f"A bag holds {price * 5} spoons, and all bags are used up.")
        t.work("That is @ bags.", seed, "/", price * 5)
        yield "How many bags of seed is that?"
        return
    side = t.work("One long and one short side are @ metres.", length, "+", width)
    around = t.work("All the way round it is @ metres.", side, "*", 2)
    yield f"How many metres is it all the way round the {place}?"
    t.tell(
        f"A fence goes all the way round, but for a gate of {gate} metres.",
        f"Somebody fences it in and leaves {gate} metres open.",
    )
    wire = t.work("The fence is @ metres long.", around, "-", gate)
    yield "How many metres of fence is that?"
    t.tell(f"A metre of fence costs ${price}.")
    cost = t.work("The fence costs $@.", wire, "*", price)
    yield "How many dollars does the fence cost?"
    gate_cost = t.number(20, 150)
    t.tell(f"The gate costs another ${gate_cost}.")
    t.work("With the gate it is $@.", cost, "+", gate_cost)
    yield "How many dollars do fence and gate cost?"


def factory(t: Teller) -> Iterator[str]:
    """Machines, hours, faulty pieces, boxes."""
    goods = t.rng.choice(GOODS)
    machines, rate, hours, faulty, size = (
        t.number(2, 9),
        t.number(5, 30),
        t.number(2, 9),
        t.number(3, 60),
        t.number(4, 24),
    )
    t.tell(
        f"Each of {machines} machines makes {rate} {goods} an hour.",
        f"A factory has {machines} machines, and each makes {rate} {goods} an hour.",
    )
    hourly = t.work(f"Together they make @ {goods} an hour.", machines, "*", rate)
    t.tell(f"They run for {hours} hours.", f"Today they run {hours} hours.")
    made = t.work(f"In {hours} hours they make @ {goods}.", hourly, "*", hours)
    yield f"How many {goods} are made?"
    if t.maybe():
        t.tell(f"{faulty} of the {goods} are faulty.", f"The control sorts out {faulty} bad ones.")
        made = t.work("Of these @ are good.", made, "-", faulty)
        yield f"How many good {goods} are made?"
    stock = t.number(10, 120)
    t.tell(f"{stock} good ones were in stock from yesterday.")
    made = t.work(f"With the stock there are @ {goods}.", made, "+", stock)
    yield f"How many good {goods} are there with the stock?"
    t.tell(f"All of them are packed in boxes of {size}.")
    t.work("That fills @ boxes.", made, "/", size)
    yield "How many boxes do they fill?"
