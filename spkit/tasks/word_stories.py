"""The templates of word problems: each tells a story fact by fact, and stops at the question with the number of steps that is wanted.

A template draws people, things, numbers and phrases, and often which event comes next, so that neither the order of the signs nor the
place of a number in the text gives the answer away. Numbers that do not fit (`Misfit`) are drawn again.
"""

from collections.abc import Iterator

from .word_story import FRUIT, GOODS, SMALL, TREATS, Misfit, Teller


def shopping(t: Teller) -> Iterator[str]:
    """Two products, a coupon, change."""
    who, (first, second) = t.person(), t.two(GOODS)
    n, price, m, other_price = t.number(2, 12), t.number(2, 15), t.number(2, 9), t.number(2, 19)
    t.tell(
        f"{who.name} buys {n} {first} at ${price} each.",
        f"In a shop {first} cost ${price} each, and {who.name} takes {n} of them.",
        f"{who.name} picks out {n} {first}. Each one costs ${price}.",
    )
    cost = t.work(f"The {first} cost $@.", n, "*", price)
    yield t.one(f"How many dollars does {who.name} pay?", f"How much does {who.name} spend, in dollars?")
    t.tell(f"{who.He} also buys {m} {second} for ${other_price} apiece.", f"Then {who.he} adds {m} {second} at ${other_price} each.")
    total = t.work("Together that is $@.", cost, "+", t.work(f"The {second} cost $@.", m, "*", other_price))
    yield t.one(f"How many dollars does {who.name} pay in all?", "What is the total bill, in dollars?")
    if t.maybe():
        off = t.number(3, 30)
        t.tell(f"A coupon takes ${off} off the bill.", f"{who.He} has a voucher worth ${off}.")
        total = t.work(f"That leaves $@ for {who.name} to pay.", total, "-", off)
        yield f"How many dollars does {who.name} have to pay?"
    note = t.number(total // 10 * 10 + 10, total // 10 * 10 + 60, 10)
    t.tell(f"{who.He} hands over ${note}.", f"{who.He} pays with ${note} in cash.")
    t.work(f"{who.name} gets $@ back.", note, "-", total)
    yield t.one("How many dollars of change is that?", f"How much money does {who.name} get back, in dollars?")


def change(t: Teller) -> Iterator[str]:
    """What is left of a sum of money, and what it buys."""
    who, (first, second) = t.person(), t.two(GOODS)
    n, price, money, cheap = t.number(2, 9), t.number(3, 14), t.number(40, 200, 5), t.number(2, 9)
    t.tell(f"{who.name} has ${money}.", f"There are ${money} in {who.name}'s purse.", f"{who.name} goes to the market with ${money}.")
    t.tell(f"{who.He} buys {n} {first} that cost ${price} each.", f"{who.He} pays ${price} for each of {n} {first}.")
    left = t.work(f"That leaves $@ for {who.name}.", money, "-", t.work(f"The {first} cost $@.", n, "*", price))
    yield t.one(f"How many dollars does {who.name} have left?", f"How much money does {who.name} still have, in dollars?")
    if t.maybe():
        gift = t.number(5, 40)
        t.tell(f"{who.His} aunt then gives {who.name} ${gift}.", f"On the way home {who.he} finds ${gift}.")
        left = t.work(f"Now {who.name} has $@.", left, "+", gift)
        yield f"How many dollars does {who.name} have now?"
    t.tell(f"With all the money that is left {who.he} buys {second} at ${cheap} each.")
    got = t.work(f"That pays for @ {second}.", left, "/", cheap)
    yield f"How many {second} does {who.name} buy?"
    given = t.number(1, 9)
    t.tell(f"{given} of the {second} turn out to be broken.", f"{who.He} gives {given} of the {second} to a friend.")
    t.work(f"So @ good {second} remain with {who.name}.", got, "-", given)
    yield f"How many good {second} does {who.name} keep?"


def sharing(t: Teller) -> Iterator[str]:
    """Boxes, some eaten, the rest shared equally."""
    who, treats = t.person(), t.rng.choice(TREATS)
    friends = t.number(3, 9)
    boxes, each = t.number(2, 12), t.number(4, 24)
    t.tell(f"{who.name} opens {boxes} boxes with {each} {treats} in each.", f"There are {each} {treats} in a box, and {who.name} has {boxes} boxes.")
    total = t.work(f"{who.name} has @ {treats}.", boxes, "*", each)
    for _ in range(2):
        if t.maybe():
            gone = t.number(2, total // 3)
            t.tell(f"{gone} of the {treats} have gone stale and are thrown away.", f"The family eats {gone} {treats}.", f"A dog steals {gone} {treats}.")
            total = t.work(f"After that there are @ {treats}.", total, "-", gone)
        elif t.maybe():
            more = t.number(5, 40)
            t.tell(f"A neighbour brings {more} more {treats}.", f"Another {more} {treats} come out of the oven.")
            total = t.work(f"With those there are @ {treats}.", total, "+", more)
        if len(t.sums) > 1:
            yield f"How many {treats} are there then?"
    t.tell(f"The {treats} that are left are shared equally among {friends} children.", f"{friends} friends share what is left equally.")
    share = t.work(f"Each one gets @ {treats}.", total, "/", friends)
    yield t.one(f"How many {treats} does each of them get?", f"How many {treats} are in one share?")
    t.tell(f"One of them already had {boxes + each} {treats}.", f"One of them finds {boxes + each} more {treats} at home.")
    t.work(f"Then that one has @ {treats}.", share, "+", boxes + each)
    yield f"How many {treats} does that one have then?"


def wages(t: Teller) -> Iterator[str]:
    """An hourly wage, days, expenses, and a purchase."""
    who, goods = t.person(), t.rng.choice(GOODS)
    rate, hours, days = t.number(6, 25), t.number(2, 9), t.number(2, 6)
    job = t.one("in a bakery", "at the library", "for a gardener", "on a farm", "in a workshop")
    t.tell(f"{who.name} works {job} and earns ${rate} an hour.", f"A job {job} pays {who.name} ${rate} for each hour.")
    t.tell(f"{who.He} works {hours} hours a day.", f"A day there is {hours} hours long.")
    daily = t.work(f"{who.name} earns $@ a day.", rate, "*", hours)
    t.tell(f"This month {who.he} works {days} days.", f"{who.He} does this on {days} days.")
    money = t.work(f"In {days} days that makes $@.", daily, "*", days)
    yield f"How many dollars does {who.name} earn in that time?"
    if t.maybe():
        spent = t.number(10, money // 2)
        t.tell(f"{who.He} spends ${spent} of it on food.", f"Bus tickets cost {who.name} ${spent} in that time.")
        money = t.work(f"After that {who.name} has $@.", money, "-", spent)
        yield "How many dollars of the wages are left after that?"
    if t.maybe():
        had = t.number(15, 150)
        t.tell(f"{who.He} had saved ${had} before.", f"{who.He} puts the money to the ${had} that {who.he} already has.")
        money = t.work("With the savings there are $@.", money, "+", had)
        yield f"How many dollars does {who.name} have together with the savings?"
    price = t.number(4, 30)
    t.tell(f"{who.He} spends all of this money on {goods} at ${price} each for a school.")
    t.work(f"That buys @ {goods}.", money, "/", price)
    yield f"How many {goods} does the school get?"


def comparing(t: Teller) -> Iterator[str]:
    """More than, times as many, fewer than, and the total."""
    a, b, c, d = (t.person() for _ in range(4))
    things = t.rng.choice(SMALL)
    first = t.number(6, 60)
    t.tell(f"{a.name} has {first} {things}.", f"{a.name} collects {things} and has {first} of them.")
    second = _compared(t, a.name, b.name, first, things)
    yield f"How many {things} does {b.name} have?"
    if t.maybe():
        total = t.work(f"{a.name} and {b.name} have @ {things}.", first, "+", second)
        yield f"How many {things} do {a.name} and {b.name} have together?"
        third = t.number(5, 90)
        t.tell(f"{c.name} has {third} {things}.")
        total = t.work(f"With {c.name} that is @ {things}.", total, "+", third)
        yield f"How many {things} do the three of them have?"
        third = _compared(t, c.name, d.name, third, things)
        t.work(f"All four have @ {things}.", total, "+", third)
        yield f"How many {things} do the four of them have in all?"
        return
    third = _compared(t, b.name, c.name, second, things)
    yield f"How many {things} does {c.name} have?"
    total = t.work(f"{b.name} and {c.name} have @ {things}.", second, "+", third)
    yield f"How many {things} do {b.name} and {c.name} have together?"
    total = t.work(f"With {a.name} that is @ {things}.", total, "+", first)
    yield f"How many {things} do {a.name}, {b.name} and {c.name} have in all?"
    t.tell("They put them all together and share them equally.", f"They pour all their {things} into a bowl and split them evenly.")
    t.work(f"Each of the three gets @ {things}.", total, "/", 3)
    yield f"How many {things} does each of the 3 get?"


def _compared(t: Teller, one: str, other: str, count: int, things: str) -> int:
    how, n = t.one("more", "fewer", "times", "half"), t.number(3, 30)
    if how == "half":
        t.tell(f"{other} has half as many {things} as {one}.", f"{other}'s {things} are half as many as {one}'s.")
        return t.work(f"{other} has @ {things}.", count, "/", 2)
    if how == "times":
        n = t.number(2, 5)
        t.tell(f"{other} has {n} times as many as {one}." if n > 2 else f"{other} has twice as many as {one}.")
        return t.work(f"{other} has @ {things}.", count, "*", n)
    t.tell(f"{other} has {n} more {things} than {one}." if how == "more" else f"{other} has {n} fewer {things} than {one}.")
    return t.work(f"{other} has @ {things}.", count, "+" if how == "more" else "-", n)


def baking(t: Teller) -> Iterator[str]:
    """Trays, sold and left over, packed into bags, and what the bags bring."""
    who, treats = t.person(), t.rng.choice(TREATS)
    trays, each = t.number(3, 12), t.number(6, 20)
    t.tell(f"{who.name} bakes {trays} trays of {each} {treats}.", f"For a fair {who.name} makes {trays} trays with {each} {treats} on each tray.")
    left = t.work(f"{who.name} makes @ {treats}.", trays, "*", each)
    sold = t.number(5, left - 4)
    t.tell(f"{who.He} sells {sold} of them in the morning.", f"By noon {sold} {treats} are sold.")
    left = t.work(f"Then @ {treats} are left.", left, "-", sold)
    yield f"How many {treats} are left?"
    if t.maybe():
        burnt = t.number(2, 12)
        t.tell(f"{burnt} of those left over are too dry to sell and feed the ducks.", f"{burnt} of the rest fall on the floor.")
        left = t.work(f"That makes @ {treats} that can be sold.", left, "-", burnt)
        yield f"How many {treats} can still be sold?"
    size, price = t.number(2, 8), t.number(2, 12)
    t.tell(f"The rest go into bags of {size}.", f"{who.He} packs what is left in bags, {size} to a bag.")
    bags = t.work("They fill @ bags.", left, "/", size)
    yield "How many full bags are there?"
    t.tell(f"Every bag sells for ${price}.", f"A bag costs ${price}, and all of them are sold.")
    t.work("The bags bring in $@.", bags, "*", price)
    yield "How many dollars do the bags bring in?"


def ages(t: Teller) -> Iterator[str]:
    """Older, younger, in some years, ago, and the sum."""
    a, b, c, d = (t.person() for _ in range(4))
    young, gap, years = t.number(4, 25), t.number(2, 19), t.number(2, 15)
    t.tell(f"{a.name} is {young} years old.", f"{a.name} has just turned {young}.")
    if t.maybe():
        t.tell(f"{b.name} is {gap} years older than {a.name}.", f"{b.name} was born {gap} years before {a.name}.")
        old = t.work(f"{b.name} is @ years old.", young, "+", gap)
    else:
        times = t.number(3, 4)
        t.tell(f"{b.name} is {times} times as old as {a.name}.", f"{b.name}'s age is {times} times that of {a.name}.")
        old = t.work(f"{b.name} is @ years old.", young, "*", times)
    yield f"How old is {b.name}?"
    if t.maybe():
        t.work(f"In {years} years {b.name} will be @.", old, "+", years)
        yield f"How old will {b.name} be in {years} years?"
        return
    less = t.number(2, 14)
    t.tell(f"{c.name} is {less} years younger than {b.name}.", f"{b.name} is {less} years older than {c.name}.")
    middle = t.work(f"{c.name} is @ years old.", old, "-", less)
    yield f"How old is {c.name}?"
    total = t.work(f"{a.name} and {b.name} are @ years old together.", young, "+", old)
    total = t.work(f"With {c.name} that makes @ years.", total, "+", middle)
    yield "How many years old are the three together?"
    if total < 50 + years:
        raise Misfit
    t.tell(f"{d.name}'s grandfather is exactly as old as the three together.")
    t.work("The grandfather was @ years old then.", total, "-", years)
    yield f"How old was {d.name}'s grandfather {years} years ago?"


def journey(t: Teller) -> Iterator[str]:
    """Speed and time, a second leg, what is left of the way, and the pace for it."""
    who, hours, speed = t.person(), t.number(2, 6), t.number(8, 75)
    way = t.one("drives", "rides", "travels")
    t.tell(f"{who.name} {way} for {hours} hours at {speed} miles an hour.", f"At {speed} miles an hour {who.name} {way} for {hours} hours.")
    gone = t.work(f"{who.name} covers @ miles.", hours, "*", speed)
    yield t.one(f"How many miles does {who.name} cover?", f"How far does {who.name} get, in miles?")
    if t.maybe():
        more, slow = t.number(2, 5), t.number(5, 45)
        t.tell(f"After a rest {who.he} goes on for {more} hours at {slow} miles an hour.", f"For the next {more} hours {who.he} makes {slow} miles an hour.")
        gone = t.work("So far that is @ miles.", gone, "+", t.work("The second part is @ miles.", more, "*", slow))
        yield "How many miles is that in all?"
    rest = t.number(12, 150)
    whole, stops = gone + rest, t.number(2, 6)
    t.tell(f"The whole way is {whole} miles long.", f"The town that {who.he} wants to reach is {whole} miles from the start.")
    left = t.work("There are @ miles left.", whole, "-", gone)
    yield "How many miles are left?"
    t.tell(f"{who.He} wants to do the rest in {stops} hours, the same distance in each.")
    t.work("That makes @ miles for each of those hours.", left, "/", stops)
    yield f"How many miles must {who.name} do in each of those hours?"


def buses(t: Teller) -> Iterator[str]:
    """Classes, adults, seats, and how many vehicles that takes."""
    classes, pupils, seats = t.number(2, 9), t.number(14, 30), t.number(6, 50)
    ride = t.one("buses", "vans", "boats")
    t.tell(f"{classes} classes of {pupils} pupils go on a trip.", f"A school sends {classes} classes on a trip, with {pupils} pupils in each.")
    people = t.work("There are @ pupils.", classes, "*", pupils)
    if t.maybe():
        ill = t.number(2, 15)
        t.tell(f"{ill} pupils are ill and stay at home.", f"On the day {ill} of the pupils cannot come.")
        people = t.work("Of them @ come.", people, "-", ill)
        yield "How many pupils come along?"
    adults = t.number(3, 20)
    t.tell(f"{adults} adults come with them.", f"They are joined by {adults} adults.")
    people = t.work("With the adults @ people travel.", people, "+", adults)
    yield "How many people travel?"
    t.tell(f"They fill {ride} of {seats} seats completely.", f"Each of the {ride} has {seats} seats, and no seat stays empty.")
    count, cost = t.work(f"They need @ {ride}.", people, "/", seats), t.number(30, 95)
    yield f"How many {ride} do they need?"
    t.tell(f"One of the {ride} costs ${cost} for the day.")
    t.work(f"The {ride} cost $@.", count, "*", cost)
    yield f"How many dollars do the {ride} cost?"


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
    t.tell(f"{place} has {total} {things}, and {share}% of them are {kind}.", f"{place} counts {total} {things}. Of these {share}% are {kind}.")
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


def reading(t: Teller) -> Iterator[str]:
    """Pages a day, what is left, and how long it takes."""
    who, days, pages = t.person(), t.number(3, 14), t.number(6, 40)
    t.tell(f"{who.name} reads {pages} pages of a book every day for {days} days.", f"For {days} days {who.name} reads {pages} pages of a book a day.")
    read = t.work(f"{who.name} reads @ pages.", days, "*", pages)
    if t.maybe():
        extra = t.number(5, 45)
        t.tell(f"On a rainy afternoon {who.he} reads {extra} pages more.", f"{who.He} also reads {extra} pages on a train.")
        read = t.work("That makes @ pages.", read, "+", extra)
        yield f"How many pages has {who.name} read?"
    whole, pace = read + t.number(20, 200), t.number(5, 30)
    t.tell(f"The book has {whole} pages.", f"There are {whole} pages in the book.")
    left = t.work("There are @ pages left.", whole, "-", read)
    yield t.one("How many pages are left?", f"How many pages does {who.name} still have to read?")
    t.tell(f"From now on {who.he} reads {pace} pages a day.", f"The rest is read at {pace} pages a day.")
    more = t.work("The rest takes @ days.", left, "/", pace)
    yield "How many more days does the book take?"
    if t.maybe():
        t.work("In all it takes @ days.", more, "+", days)
        yield f"How many days is that, counted with the first {days}?"


def orchard(t: Teller) -> Iterator[str]:
    """Rows of trees, some felled, what they bear, and crates."""
    fruit = t.rng.choice(FRUIT)
    rows, trees, lost, each, crate = t.number(3, 9), t.number(4, 15), t.number(2, 12), t.number(6, 30), t.number(5, 20)
    t.tell(f"An orchard has {rows} rows of {trees} trees.", f"There are {rows} rows in an orchard, with {trees} trees in every row.")
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
    t.tell("Half of the good ones go to market.", f"Half of the good {fruit} are made into jam, the other half are sold.")
    t.work("Half of them is @.", crop, "/", 2)
    yield f"How many {fruit} is that half?"


def recipe(t: Teller) -> Iterator[str]:
    """A recipe for some people cooked for more, what is there already, and what to buy."""
    who, base, times = t.person(), t.number(2, 8), t.number(2, 9)
    thing = t.one("cups of rice", "spoons of sugar", "eggs", "potatoes", "tomatoes")
    amount, have, price = t.number(2, 12), t.number(2, 25), t.number(2, 9)
    guests = base * times
    t.tell(f"A recipe for {base} people takes {amount} {thing}.", f"To cook for {base} people, {who.name} needs {amount} {thing}.")
    t.tell(f"{who.name} cooks it for {guests} people.", f"This time {guests} people are coming to {who.name}.")
    factor = t.work("The recipe has to be made @ times.", guests, "/", base)
    yield "How many times does the recipe have to be made?"
    needed = t.work(f"That takes @ {thing}.", factor, "*", amount)
    yield f"How many {thing} does that take?"
    t.tell(f"There are {have} {thing} in the kitchen.", f"{who.He} already has {have} {thing}.")
    buy = t.work(f"So @ {thing} are missing.", needed, "-", have)
    yield f"How many {thing} are missing?"
    spare = t.number(1, 9)
    if t.maybe():
        t.tell(f"To be safe {who.he} gets {spare} more than needed.")
        buy = t.work(f"{who.name} gets @ of them.", buy, "+", spare)
        yield f"How many {thing} does {who.name} get?"
    t.tell(f"They cost ${price} for each one.")
    t.work("That costs $@.", buy, "*", price)
    yield f"How many dollars does {who.name} pay for them?"


def minutes(t: Teller) -> Iterator[str]:
    """Hours into minutes, pauses, and pieces of work."""
    who, hours, each = t.person(), t.number(2, 9), t.number(2, 15)
    job = t.one("letters", "drawings", "shirts", "phone calls", "chairs")
    t.tell(f"{who.name} has {hours} hours for a job.", f"A shift of {who.name} lasts {hours} hours.")
    time = t.work("That is @ minutes.", hours, "*", 60)
    for pause in ("lunch", "a walk")[: t.number(1, 2)]:
        length = t.number(10, 60, 5)
        t.tell(f"{who.He} takes {length} minutes for {pause}.", f"Of this {length} minutes go to {pause}.")
        time = t.work(f"Without {pause} @ minutes are left.", time, "-", length)
        yield f"How many minutes are left for {job}?"
    t.tell(f"All the minutes left go into {job}, which take {each} minutes each.", f"In the time left {who.he} does {job}, one every {each} minutes.")
    done = t.work(f"{who.name} gets @ {job} done.", time, "/", each)
    yield f"How many {job} does {who.name} get done?"
    helper = t.person()
    if t.maybe():
        t.tell(f"{helper.name} does twice as many.")
        t.work(f"{helper.name} does @ {job}.", done, "*", 2)
        yield f"How many {job} does {helper.name} do?"
    else:
        plus = t.number(3, 30)
        t.tell(f"{helper.name} does {plus} more than {who.name}.")
        t.work(f"{helper.name} does @ {job}.", done, "+", plus)
        yield f"How many {job} does {helper.name} do?"


def trading(t: Teller) -> Iterator[str]:
    """A collection that grows and shrinks, in an order that differs from story to story."""
    who, things = t.person(), t.rng.choice(SMALL)
    count = t.number(20, 150)
    t.tell(f"{who.name} starts the week with {count} {things}.", f"In a jar {who.name} keeps {count} {things}.", f"{who.name} has a box of {count} {things}.")
    for day in ("On Monday", "On Tuesday", "On Thursday", "On Friday", "On Sunday"):
        event, n = t.one("get", "lose", "packs", "half", "third"), t.number(5, 45)
        if event == "get":
            t.tell(f"{day} {who.he} is given {n} more.", f"{day} {who.he} finds {n} of them.")
            count = t.work(f"{day} that makes @ {things}.", count, "+", n)
        elif event == "lose":
            t.tell(f"{day} {who.he} loses {n} of them.", f"{day} {who.he} gives {n} to a cousin.")
            count = t.work(f"{day} that leaves @ {things}.", count, "-", n)
        elif event == "packs":
            packs, size = t.number(2, 6), t.number(4, 12)
            t.tell(f"{day} {who.he} buys {packs} packs of {size}.")
            new = t.work(f"The packs hold @ {things}.", packs, "*", size)
            count = t.work(f"{day} that makes @ {things}.", count, "+", new)
        else:
            part, word = (2, "half") if event == "half" else (3, "a third")
            t.tell(f"{day} {who.he} gives {word} of them away.")
            gone = t.work(f"{who.name} gives @ {things} away.", count, "/", part)
            count = t.work(f"{day} that leaves @ {things}.", count, "-", gone)
        yield t.one(f"How many {things} does {who.name} have then?", f"How many {things} does {who.name} end up with?")


def tank(t: Teller) -> Iterator[str]:
    """A tank that fills and leaks."""
    rate, time, leak = t.number(6, 40), t.number(3, 25), t.number(2, 15)
    what = t.one("A tank", "A pool", "A pond", "A barrel")
    t.tell(f"{what} is filled with {rate} litres of water a minute.", f"A pump brings {rate} litres a minute into an empty basin.")
    net = rate
    if t.maybe():
        t.tell(f"At the same time {leak} litres a minute leak out.", f"A crack lets {leak} litres out every minute.")
        net = t.work("Every minute there are @ litres more.", rate, "-", leak)
        yield "How many litres does the water grow by in a minute?"
    t.tell(f"This goes on for {time} minutes.", f"After {time} minutes the pump is turned off.")
    water = t.work(f"After {time} minutes there are @ litres.", net, "*", time)
    yield "How many litres are there at the end?"
    buckets, size, full = t.number(2, 9), t.number(4, 15), t.number(20, 300, 5)
    t.tell(f"Then {buckets} buckets of {size} litres are taken out.", f"Somebody takes {buckets} buckets out, each of {size} litres.")
    taken = t.work("The buckets take @ litres.", buckets, "*", size)
    water = t.work("That leaves @ litres.", water, "-", taken)
    yield "How many litres are left?"
    t.tell(f"When it is full it holds {water + full} litres.")
    t.work("So @ litres are missing.", water + full, "-", water)
    yield "How many litres are missing until it is full?"


def tickets(t: Teller) -> Iterator[str]:
    """Adults and children, what an evening brings in, and what it costs."""
    show = t.one("A circus", "A theatre", "A museum", "A cinema")
    adults, price, children = t.number(10, 60), t.number(5, 20), t.number(10, 80)
    t.tell(f"{show} sells {adults} tickets for adults at ${price} each.", f"{show} has {adults} adult visitors, who pay ${price} each.")
    first = t.work("The adults pay $@.", adults, "*", price)
    half = price % 2 == 0 and t.maybe()
    if half:
        t.tell(f"{children} children pay half the price.", f"Children pay half, and {children} children come.")
        cheap = t.work("A child pays $@.", price, "/", 2)
    else:
        cheap = t.number(2, price - 1)
        t.tell(f"{children} children pay ${cheap} each.", f"For children a ticket is ${cheap}, and {children} children come.")
    second = t.work("The children pay $@.", children, "*", cheap)
    total = t.work("In all that is $@.", first, "+", second)
    yield "How many dollars do adults and children pay in all?"
    cost = t.number(50, 400, 10)
    t.tell(f"The evening costs ${cost} for staff and light.", f"Of the money ${cost} goes to rent.")
    total = t.work("That leaves $@.", total, "-", cost)
    yield "How many dollars are left?"


def fence(t: Teller) -> Iterator[str]:
    """Around a rectangle, a gate, and posts or prices."""
    length, width, price, gate = t.number(8, 60), t.number(4, 40), t.number(2, 15), t.number(2, 8)
    place = t.one("garden", "field", "yard", "playground")
    t.tell(f"A rectangular {place} is {length} metres long and {width} metres wide.", f"A rectangular {place} measures {length} by {width} metres.")
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
    t.tell(f"A fence goes all the way round, but for a gate of {gate} metres.", f"Somebody fences it in and leaves {gate} metres open.")
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
    machines, rate, hours, faulty, size = t.number(2, 9), t.number(5, 30), t.number(2, 9), t.number(3, 60), t.number(4, 24)
    t.tell(f"Each of {machines} machines makes {rate} {goods} an hour.", f"A factory has {machines} machines, and each makes {rate} {goods} an hour.")
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


def single(t: Teller) -> Iterator[str]:
    """One plain step: taking away, putting together, dividing, how much more, or a part."""
    a, b, things = t.person(), t.person(), t.rng.choice(FRUIT + SMALL)
    big, small = t.number(30, 250), t.number(3, 29)
    kind = t.one("away", "together", "bags", "rows", "difference", "part")
    if kind == "away":
        t.tell(f"{a.name} had {big} {things} and gave {small} of them to {b.name}.", f"Of {big} {things} in a basket {a.name} takes {small}.")
        t.work(f"That leaves @ {things}.", big, "-", small)
        yield f"How many {things} are left?"
    elif kind == "together":
        t.tell(f"{a.name} picked {big} {things} and {b.name} picked {small}.", f"{a.name} put {small} {things} into a bowl that held {big}.")
        t.work(f"Together there are @ {things}.", big, "+", small)
        yield f"How many {things} are there altogether?"
    elif kind in ("bags", "rows"):
        t.tell(f"{a.name} puts {big} {things} into {kind} of {small}.", f"{big} {things} make up {kind} of {small}.")
        t.work(f"That makes @ {kind}.", big, "/", small)
        yield f"How many {kind} are there?"
    elif kind == "part":
        part, word = t.rng.choice(((2, "half"), (3, "a third"), (4, "a quarter")))
        t.tell(f"{a.name} gives {word} of {a.his} {big} {things} to {b.name}.")
        t.work(f"{b.name} gets @ {things}.", big, "/", part)
        yield f"How many {things} does {b.name} get?"
    else:
        t.tell(f"{a.name} found {big} {things}, and {b.name} found {small}.", f"{a.name} counts {big} {things} and {b.name} counts {small}.")
        t.work(f"{a.name} has @ more.", big, "-", small)
        yield f"How many more {things} does {a.name} have than {b.name}?"


STORIES = (
    shopping, change, sharing, wages, comparing, baking, ages, journey, buses, percents,
    reading, orchard, recipe, minutes, trading, tank, tickets, fence, factory, single,
)  # fmt: skip
