"""Makes the days' trade: visits and orders, and what follows from an order."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from math import exp
from random import Random

from data.assortment import CAMPAIGNS, CARRIERS, CATEGORIES, COMMENTS, PRODUCTS, STORES, Product
from data.seasons import Calendar

Row = tuple[str | int | None, ...]

DEPARTMENT = dict(CATEGORIES)
CHANNELS = ("store", "online", "app")
OPEN_HOURS = {"store": (8, 19), "online": (6, 23), "app": (7, 18)}
METHODS = {
    "store": (("card", "cash", "gift card"), (72, 22, 6)),
    "online": (("card", "paypal", "gift card"), (55, 40, 5)),
    "app": (("card", "paypal"), (70, 30)),
}
REASONS = ("changed mind", "not as described", "wrong item", "defective")
TIER_DISCOUNT = {"bronze": 0.0, "silver": 0.05, "gold": 0.10}


@dataclass(frozen=True)
class Employee:
    number: int
    name: str
    job_title: str
    store: int
    """Index in STORES."""
    manager: int | None
    hired_on: date


@dataclass(frozen=True)
class Customer:
    number: int
    name: str
    email: str
    city: str
    country: str
    joined_on: date
    tier: str
    appetite: float
    """How often they buy beside the others; 0 for those who never do."""


class Crowd:
    """The customers of one country in the order they joined."""

    def __init__(self, people: list[Customer]) -> None:
        self._people = people
        self._joined = [c.joined_on for c in people]
        self._appetites = list(accumulate(c.appetite for c in people))

    def pick(self, random: Random, day: date) -> Customer | None:
        """Return somebody who had joined by the day, the hungry ones more often."""
        joined = bisect_right(self._joined, day)
        if not joined or not self._appetites[joined - 1]:
            return None
        return self._people[bisect_right(self._appetites, random.random() * self._appetites[joined - 1])]


@dataclass(frozen=True)
class Order:
    number: int
    store: int
    channel: str
    customer: Customer | None
    placed_at: datetime


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def make_trade(
    random: Random, calendar: Calendar, employees: list[Employee], customers: list[Customer]
) -> dict[str, list[Row]]:
    """Return the rows of orders and all that hangs on them, in the order of their tables' columns."""
    return _Trade(random, calendar, employees, customers).make()


class _Trade:
    """Walks through the days and gathers the rows."""

    def __init__(
        self, random: Random, calendar: Calendar, employees: list[Employee], customers: list[Customer]
    ) -> None:
        self._random = random
        self._calendar = calendar
        self._staff = [[e for e in employees if e.store == store] for store in range(len(STORES))]
        countries = dict.fromkeys(store.country for store in STORES)
        self._crowds = {country: Crowd([c for c in customers if c.country == country]) for country in countries}
        self._runs = [(number, *calendar.runs(c), c.pull) for number, c in enumerate(CAMPAIGNS, 1)]
        self._quality = [3.5 + random.random() for _ in PRODUCTS]
        self._orders: list[Row] = []
        self._items: list[Row] = []
        self._payments: list[Row] = []
        self._shipments: list[Row] = []
        self._returns: list[Row] = []
        self._reviews: list[Row] = []
        self._visits: list[Row] = []

    def make(self) -> dict[str, list[Row]]:
        for day in self._calendar.days:
            self._trade_day(day)
        return {
            "orders": self._orders,
            "order_items": self._items,
            "payments": self._payments,
            "shipments": self._shipments,
            "returns": _numbered(self._returns, day=1),
            "reviews": _numbered(self._reviews, day=4),
            "visits": self._visits,
        }

    def _trade_day(self, day: date) -> None:
        placed: list[tuple[datetime, int, str]] = []
        running = self._campaigns(day)
        lift = 1 + sum(pull for _, pull in running) / 2
        for store, about in enumerate(STORES):
            draw = self._calendar.draw(about, day)
            if not draw:
                continue
            for channel in CHANNELS:
                wanted = draw * self._calendar.demand(day, channel) * lift
                placed += [(self._moment(day, channel), store, channel) for _ in range(self._poisson(wanted))]
            expected = 11 * draw * self._calendar.demand(day, "store")
            self._visits.append((store + 1, day.isoformat(), max(1, round(self._random.gauss(expected, expected / 7)))))
        placed.sort()
        shelf = list(accumulate(self._calendar.taste(product, day) for product in PRODUCTS))
        for placed_at, store, channel in placed:
            customer = self._customer(store, channel, day)
            order = Order(len(self._orders) + 1, store, channel, customer, placed_at)
            self._take(order, self._credited(running), shelf)

    def _campaigns(self, day: date) -> list[tuple[int, float]]:
        """Return the numbers of the campaigns that run on the day, each with the share of orders it brings."""
        return [(number, pull) for number, begin, end, pull in self._runs if begin <= day <= end]

    def _credited(self, running: list[tuple[int, float]]) -> int | None:
        return next((number for number, pull in running if self._random.random() < pull), None)

    def _moment(self, day: date, channel: str) -> datetime:
        first, last = OPEN_HOURS[channel]
        seconds = int(self._random.triangular(first * 3600, last * 3600))
        return datetime(day.year, day.month, day.day) + timedelta(seconds=seconds)

    def _poisson(self, mean: float) -> int:
        # Knuth's method: fine for the small means of one store's day.
        limit, count, product = exp(-mean), 0, self._random.random()
        while product > limit:
            count += 1
            product *= self._random.random()
        return count

    def _customer(self, store: int, channel: str, day: date) -> Customer | None:
        """Return who orders; a walk-in without a loyalty card stays unknown."""
        if channel == "store" and self._random.random() < 0.32:
            return None
        return self._crowds[STORES[store].country].pick(self._random, day)

    def _take(self, order: Order, campaign: int | None, shelf: list[float]) -> None:
        """Add the order with its lines, payment, parcel, returns and reviews."""
        day = order.placed_at.date()
        cancelled = self._random.random() < (0.006 if order.channel == "store" else 0.03)
        shipped, delivered = None, day
        if order.channel == "online" and not cancelled:
            shipped, delivered = self._ship(order, day)
        status = "cancelled" if cancelled else self._status(shipped or day, delivered)
        total = 0 if cancelled else self._fill_basket(order, campaign, shelf, delivered)
        self._orders.append(
            (
                order.number,
                order.customer.number if order.customer else None,
                order.store + 1,
                self._served_by(order, day),
                campaign,
                order.channel,
                status,
                str(order.placed_at),
                None if cancelled else money(total),
            )
        )
        if not cancelled:
            methods, shares = METHODS[order.channel]
            method = self._random.choices(methods, shares)[0]
            self._payments.append((len(self._payments) + 1, order.number, method, money(total), str(order.placed_at)))

    def _status(self, shipped: date, delivered: date) -> str:
        as_of = self._calendar.as_of
        return "processing" if shipped > as_of else "shipped" if delivered > as_of else "completed"

    def _served_by(self, order: Order, day: date) -> int | None:
        if order.channel == "online":
            return None
        present = [e.number for e in self._staff[order.store] if e.hired_on <= day and e.job_title != "Stock keeper"]
        return self._random.choice(present)

    def _ship(self, order: Order, day: date) -> tuple[date, date]:
        """Add the parcel, where it has left by the as-of date; return when it leaves and when it arrives."""
        carrier = self._random.choices(list(CARRIERS), [c.share for c in CARRIERS.values()])[0]
        shipped = day + timedelta(days=self._random.choices((0, 1, 2), (35, 50, 15))[0])
        late = self._random.choices((-1, 0, 1, 3), (20, 55, 20, 5))[0]
        delivered = shipped + timedelta(days=max(1, self._calendar.transit(carrier, shipped) + late))
        if shipped <= self._calendar.as_of:
            arrived = delivered.isoformat() if delivered <= self._calendar.as_of else None
            cost = money(CARRIERS[carrier].fee + self._random.choice((0, 50, 100, 200)))
            self._shipments.append(
                (len(self._shipments) + 1, order.number, carrier, shipped.isoformat(), arrived, cost)
            )
        return shipped, delivered

    def _fill_basket(self, order: Order, campaign: int | None, shelf: list[float], delivered: date) -> int:
        """Add the order's lines; return what they cost together, in cents."""
        day = order.placed_at.date()
        count = self._random.choices((1, 2, 3, 4), (44, 31, 17, 8))[0]
        # A product stands once in a basket; the dict keeps the order of picking.
        picked = dict.fromkeys(bisect_right(shelf, self._random.random() * shelf[-1]) for _ in range(count))
        total = 0
        for index in picked:
            product = PRODUCTS[index]
            coffee = DEPARTMENT[product.category] == "Coffee"
            price = self._calendar.price(product, coffee, day)
            quantity = self._quantity(product)
            rate = self._discount_rate(order.customer, campaign)
            discount = round(price * quantity * rate)
            item = len(self._items) + 1
            self._items.append((item, order.number, index + 1, quantity, money(price), money(discount)))
            paid = price * quantity - discount
            total += paid
            self._after_sale(order, item, index, paid, delivered)
        return total

    def _quantity(self, product: Product) -> int:
        if product.cents > 5000:
            return 1
        return self._random.choices((1, 2, 3, 4, 6), (66, 22, 7, 3, 2))[0]

    def _discount_rate(self, customer: Customer | None, campaign: int | None) -> float:
        if campaign is not None:
            return 0.10
        if customer is not None and self._random.random() < 0.6:
            return TIER_DISCOUNT[customer.tier]
        return 0.15 if self._random.random() < 0.03 else 0.0

    def _after_sale(self, order: Order, item: int, index: int, paid: int, delivered: date) -> None:
        """Add the line's return and its review, where they come."""
        product, as_of = PRODUCTS[index], self._calendar.as_of
        faulty = self._calendar.is_faulty(product, order.placed_at.date())
        returned_on = delivered + timedelta(days=self._random.randint(2, 24))
        if self._random.random() < _return_rate(product, order.channel, faulty) and returned_on <= as_of:
            reason = self._reason(order.channel, faulty)
            refund = paid if reason != "changed mind" else round(paid * 0.9)
            self._returns.append((item, returned_on.isoformat(), reason, money(refund)))
        reviewed_on = delivered + timedelta(days=self._random.randint(3, 40))
        if order.customer and self._random.random() < 0.09 and reviewed_on <= as_of:
            mean = self._quality[index] - (1.8 if faulty else 0.0)
            rating = min(5, max(1, round(self._random.gauss(mean, 0.9))))
            comment = self._random.choice(COMMENTS[rating])
            self._reviews.append((index + 1, order.customer.number, rating, comment, reviewed_on.isoformat()))

    def _reason(self, channel: str, faulty: bool) -> str:
        if faulty:
            return "defective"
        if channel == "online" and self._random.random() < 0.3:
            return "damaged in transit"
        return self._random.choices(REASONS, (42, 22, 18, 18))[0]


def _return_rate(product: Product, channel: str, faulty: bool) -> float:
    """Return the share of lines that come back."""
    if faulty:
        return 0.8
    if product.category == "Herbal tea":
        # Opened herbs are not taken back.
        return 0.0
    rate = 0.055 if DEPARTMENT[product.category] == "Gear" else 0.016
    return rate * (1.8 if channel == "online" else 0.8)


def _numbered(rows: list[Row], day: int) -> list[Row]:
    """Return the rows in the order of the day that stands in this column, each with its number in front."""
    ordered = sorted(rows, key=lambda row: str(row[day]))
    return [(number, *row) for number, row in enumerate(ordered, 1)]
