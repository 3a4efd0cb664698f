"""What things cost, what work earns, what is left."""

from collections.abc import Iterator

from ..story import GOODS, TREATS, Teller


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
    t.tell(
        f"{who.He} also buys {m} {second} for ${other_price} apiece.",
        f"Then {who.he} adds {m} {second} at ${other_price} each.",
    )
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
    t.tell(
        f"{who.name} has ${money}.",
        f"There are ${money} in {who.name}'s purse.",
        f"{who.name} goes to the market with ${money}.",
    )
    t.tell(f"{who.He} buys {n} {first} that cost ${price} each.", f"{who.He} pays ${price} for each of {n} {first}.")
    left = t.work(f"That leaves $@ for {who.name}.", money, "-", t.work(f"The {first} cost $@.", n, "*", price))
    yield t.one(
        f"How many dollars does {who.name} have left?", f"How much money does {who.name} still have, in dollars?"
    )
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
        t.tell(
            f"{who.He} had saved ${had} before.", f"{who.He} puts the money to the ${had} that {who.he} already has."
        )
        money = t.work("With the savings there are $@.", money, "+", had)
        yield f"How many dollars does {who.name} have together with the savings?"
    price = t.number(4, 30)
    t.tell(f"{who.He} spends all of this money on {goods} at ${price} each for a school.")
    t.work(f"That buys @ {goods}.", money, "/", price)
    yield f"How many {goods} does the school get?"


def baking(t: Teller) -> Iterator[str]:
    """Trays, sold and left over, packed into bags, and what the bags bring."""
    who, treats = t.person(), t.rng.choice(TREATS)
    trays, each = t.number(3, 12), t.number(6, 20)
    t.tell(
        f"{who.name} bakes {trays} trays of {each} {treats}.",
        f"For a fair {who.name} makes {trays} trays with {each} {treats} on each tray.",
    )
    left = t.work(f"{who.name} makes @ {treats}.", trays, "*", each)
    sold = t.number(5, left - 4)
    t.tell(f"{who.He} sells {sold} of them in the morning.", f"By noon {sold} {treats} are sold.")
    left = t.work(f"Then @ {treats} are left.", left, "-", sold)
    yield f"How many {treats} are left?"
    if t.maybe():
        burnt = t.number(2, 12)
        t.tell(
            f"{burnt} of those left over are too dry to sell and feed the ducks.",
            f"{burnt} of the rest fall on the floor.",
        )
        left = t.work(f"That makes @ {treats} that can be sold.", left, "-", burnt)
        yield f"How many {treats} can still be sold?"
    size, price = t.number(2, 8), t.number(2, 12)
    t.tell(f"The rest go into bags of {size}.", f"{who.He} packs what is left in bags, {size} to a bag.")
    bags = t.work("They fill @ bags.", left, "/", size)
    yield "How many full bags are there?"
    t.tell(f"Every bag sells for ${price}.", f"A bag costs ${price}, and all of them are sold.")
    t.work("The bags bring in $@.", bags, "*", price)
    yield "How many dollars do the bags bring in?"


def recipe(t: Teller) -> Iterator[str]:
    """A recipe for some people cooked for more, what is there already, and what to buy."""
    who, base, times = t.person(), t.number(2, 8), t.number(2, 9)
    thing = t.one("cups of rice", "spoons of sugar", "eggs", "potatoes", "tomatoes")
    amount, have, price = t.number(2, 12), t.number(2, 25), t.number(2, 9)
    guests = base * times
    t.tell(
        f"A recipe for {base} people takes {amount} {thing}.",
        f"To cook for {base} people, {who.name} needs {amount} {thing}.",
    )
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


def tickets(t: Teller) -> Iterator[str]:
    """Adults and children, what an evening brings in, and what it costs."""
    show = t.one("A circus", "A theatre", "A museum", "A cinema")
    adults, price, children = t.number(10, 60), t.number(5, 20), t.number(10, 80)
    t.tell(
        f"{show} sells {adults} tickets for adults at ${price} each.",
        f"{show} has {adults} adult visitors, who pay ${price} each.",
    )
    first = t.work("The adults pay $@.", adults, "*", price)
    half = price % 2 == 0 and t.maybe()
    if half:
        t.tell(f"{children} children pay half the price.", f"Children pay half, and {children} children come.")
        cheap = t.work("A child pays $@.", price, "/", 2)
    else:
        cheap = t.number(2, price - 1)
        t.tell(
            f"{children} children pay ${cheap} each.",
            f"For children a ticket is ${cheap}, and {children} children come.",
        )
    second = t.work("The children pay $@.", children, "*", cheap)
    total = t.work("In all that is $@.", first, "+", second)
    yield "How many dollars do adults and children pay in all?"
    cost = t.number(50, 400, 10)
    t.tell(f"The evening costs ${cost} for staff and light.", f"Of the money ${cost} goes to rent.")
    total = t.work("That leaves $@.", total, "-", cost)
    yield "How many dollars are left?"
