"""People who share, compare, travel, read and work."""

from collections.abc import Iterator

from ..story import FRUIT, SMALL, TREATS, Misfit, Teller


def sharing(t: Teller) -> Iterator[str]:
    """Boxes, some eaten, the rest shared equally."""
    who, treats = t.person(), t.rng.choice(TREATS)
    friends = t.number(3, 9)
    boxes, each = t.number(2, 12), t.number(4, 24)
    t.tell(
        f"{who.name} opens {boxes} boxes with {each} {treats} in each.",
        f"There are {each} {treats} in a box, and {who.name} has {boxes} boxes.",
    )
    total = t.work(f"{who.name} has @ {treats}.", boxes, "*", each)
    for _ in range(2):
        if t.maybe():
            gone = t.number(2, total // 3)
            t.tell(
                f"{gone} of the {treats} have gone stale and are thrown away.",
                f"The family eats {gone} {treats}.",
                f"A dog steals {gone} {treats}.",
            )
            total = t.work(f"After that there are @ {treats}.", total, "-", gone)
        elif t.maybe():
            more = t.number(5, 40)
            t.tell(f"A neighbour brings {more} more {treats}.", f"Another {more} {treats} come out of the oven.")
            total = t.work(f"With those there are @ {treats}.", total, "+", more)
        if len(t.sums) > 1:
            yield f"How many {treats} are there then?"
    t.tell(
        f"The {treats} that are left are shared equally among {friends} children.",
        f"{friends} friends share what is left equally.",
    )
    share = t.work(f"Each one gets @ {treats}.", total, "/", friends)
    yield t.one(f"How many {treats} does each of them get?", f"How many {treats} are in one share?")
    t.tell(
        f"One of them already had {boxes + each} {treats}.", f"One of them finds {boxes + each} more {treats} at home."
    )
    t.work(f"Then that one has @ {treats}.", share, "+", boxes + each)
    yield f"How many {treats} does that one have then?"


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
    t.tell(
        "They put them all together and share them equally.",
        f"They pour all their {things} into a bowl and split them evenly.",
    )
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
    t.tell(
        f"{other} has {n} more {things} than {one}." if how == "more" else f"{other} has {n} fewer {things} than {one}."
    )
    return t.work(f"{other} has @ {things}.", count, "+" if how == "more" else "-", n)


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


def buses(t: Teller) -> Iterator[str]:
    """Classes, adults, seats, and how many vehicles that takes."""
    classes, pupils, seats = t.number(2, 9), t.number(14, 30), t.number(6, 50)
    ride = t.one("buses", "vans", "boats")
    t.tell(
        f"{classes} classes of {pupils} pupils go on a trip.",
        f"A school sends {classes} classes on a trip, with {pupils} pupils in each.",
    )
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
    t.tell(
        f"They fill {ride} of {seats} seats completely.",
        f"Each of the {ride} has {seats} seats, and no seat stays empty.",
    )
    count, cost = t.work(f"They need @ {ride}.", people, "/", seats), t.number(30, 95)
    yield f"How many {ride} do they need?"
    t.tell(f"One of the {ride} costs ${cost} for the day.")
    t.work(f"The {ride} cost $@.", count, "*", cost)
    yield f"How many dollars do the {ride} cost?"


def reading(t: Teller) -> Iterator[str]:
    """Pages a day, what is left, and how long it takes."""
    who, days, pages = t.person(), t.number(3, 14), t.number(6, 40)
    t.tell(
        f"{who.name} reads {pages} pages of a book every day for {days} days.",
        f"For {days} days {who.name} reads {pages} pages of a book a day.",
    )
    read = t.work(f"{who.name} reads @ pages.", days, "*", pages)
    if t.maybe():
        extra = t.number(5, 45)
        t.tell(
            f"On a rainy afternoon {who.he} reads {extra} pages more.", f"{who.He} also reads {extra} pages on a train."
        )
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
    t.tell(
        f"All the minutes left go into {job}, which take {each} minutes each.",
        f"In the time left {who.he} does {job}, one every {each} minutes.",
    )
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
    t.tell(
        f"{who.name} starts the week with {count} {things}.",
        f"In a jar {who.name} keeps {count} {things}.",
        f"{who.name} has a box of {count} {things}.",
    )
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


def single(t: Teller) -> Iterator[str]:
    """One plain step: taking away, putting together, dividing, how much more, or a part."""
    a, b, things = t.person(), t.person(), t.rng.choice(FRUIT + SMALL)
    big, small = t.number(30, 250), t.number(3, 29)
    kind = t.one("away", "together", "bags", "rows", "difference", "part")
    if kind == "away":
        t.tell(
            f"{a.name} had {big} {things} and gave {small} of them to {b.name}.",
            f"Of {big} {things} in a basket {a.name} takes {small}.",
        )
        t.work(f"That leaves @ {things}.", big, "-", small)
        yield f"How many {things} are left?"
    elif kind == "together":
        t.tell(
            f"{a.name} picked {big} {things} and {b.name} picked {small}.",
            f"{a.name} put {small} {things} into a bowl that held {big}.",
        )
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
        t.tell(
            f"{a.name} found {big} {things}, and {b.name} found {small}.",
            f"{a.name} counts {big} {things} and {b.name} counts {small}.",
        )
        t.work(f"{a.name} has @ more.", big, "-", small)
        yield f"How many more {things} does {a.name} have than {b.name}?"
