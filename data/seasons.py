"""How demand moves with the day, and the oddities that are worth finding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from data.assortment import CARRIERS, Campaign, Product, Store

DAYS = 3 * 365 + 1
"""Days of trading, the as-of date included."""

GROWTH = 1.05
"""What a store that has always been there takes in a year beside the year before; the web and the app come on top."""

MONTHS = (0.92, 0.90, 0.95, 0.95, 0.98, 0.92, 0.88, 0.85, 0.98, 1.05, 1.25, 1.62)

WEEKDAYS = {
    "store": (0.80, 0.84, 0.90, 1.00, 1.20, 1.75, 0.62),
    "online": (1.18, 1.05, 1.00, 0.95, 0.88, 0.78, 1.28),
    "app": (1.10, 1.12, 1.12, 1.10, 1.15, 0.85, 0.50),
}

TASTES = {
    "Cold brew": (0.3, 0.3, 0.5, 0.9, 1.6, 2.4, 2.8, 2.5, 1.2, 0.6, 0.3, 0.3),
    "Herbal tea": (1.5, 1.4, 1.1, 0.9, 0.8, 0.7, 0.7, 0.7, 0.9, 1.2, 1.4, 1.4),
    "Black tea": (1.3, 1.2, 1.1, 1.0, 0.9, 0.7, 0.7, 0.7, 1.0, 1.2, 1.3, 1.3),
    "Grinders": (0.9, 0.8, 0.8, 0.8, 0.9, 0.8, 0.8, 0.8, 0.9, 1.0, 1.7, 1.9),
    "Brewers": (0.9, 0.9, 0.9, 0.9, 1.0, 0.9, 0.8, 0.8, 0.9, 1.0, 1.4, 1.7),
    "Gift boxes": (0.3, 0.7, 0.4, 0.6, 0.9, 0.4, 0.3, 0.3, 0.4, 0.7, 2.6, 4.5),
}
"""A category's share of the basket by month, where it is not the same all year."""

APP_AGE = 760
"""Days before the as-of date the app came out."""


def months_before(day: date, months: int) -> date:
    """Return the first day of the month that lies so many months before the day's own."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


def years_before(as_of: date, years: float) -> date:
    return as_of - timedelta(days=round(years * 365.25))


@dataclass(frozen=True)
class Calendar:
    """Every date that hangs on the as-of date."""

    as_of: date

    @property
    def days(self) -> Iterator[date]:
        """Every trading day, oldest first."""
        return (self.as_of - timedelta(days=age) for age in range(DAYS - 1, -1, -1))

    @cached_property
    def price_rise(self) -> date:
        """Coffee costs more from this day."""
        return months_before(self.as_of, 10)

    @cached_property
    def takeoff(self) -> date:
        """A tea becomes the fashion."""
        return months_before(self.as_of, 5)

    @cached_property
    def faulty_month(self) -> tuple[date, date]:
        """First day of the month in which a supplier's glaze was bad, and of the month after."""
        return months_before(self.as_of, 8), months_before(self.as_of, 7)

    @cached_property
    def refit(self) -> tuple[date, date]:
        """First day on which one store is closed, and the day it opens again."""
        begin = months_before(self.as_of, 20) + timedelta(days=8)
        return begin, begin + timedelta(days=17)

    def demand(self, day: date, channel: str) -> float:
        """Return how many orders an average store takes on the day through the channel."""
        age = (self.as_of - day).days
        level: float = 1.14 * GROWTH ** (-age / 365)
        match channel:
            case "store":
                share = 0.86
            case "online":
                share = 0.42 + 0.22 * (1 - age / DAYS)
            case _:
                share = max(0.0, 0.34 * (1 - age / APP_AGE))
        return level * share * MONTHS[day.month - 1] * WEEKDAYS[channel][day.weekday()]

    def opened(self, store: Store) -> date:
        return years_before(self.as_of, store.years)

    def draw(self, store: Store, day: date) -> float:
        """Return the store's share of demand on the day: 0 while closed, growing in its first three months."""
        open_for = (day - self.opened(store)).days
        if open_for < 0 or (store.name == "Harbour Lane" and self.refit[0] <= day < self.refit[1]):
            return 0.0
        return store.draw * min(1.0, 0.4 + open_for / 150)

    def taste(self, product: Product, day: date) -> float:
        """Return how much the product is wanted on the day, beside the others; 0 when it is not on sale."""
        age = (self.as_of - day).days
        if (product.age is not None and age > product.age) or (product.gone is not None and age <= product.gone):
            return 0.0
        wanted = product.popularity * TASTES.get(product.category, (1.0,) * 12)[day.month - 1]
        if product.name == "Advent Calendar":
            wanted *= 5.0 if day.month == 11 else 0.0
        if product.name == "Ceremonial Matcha" and day >= self.takeoff:
            wanted *= 7.0
        return wanted

    def price(self, product: Product, coffee: bool, day: date) -> int:
        """Return the list price in cents on the day."""
        if coffee and day < self.price_rise:
            return round(product.cents / 1.09 / 5) * 5
        return product.cents

    def is_faulty(self, product: Product, day: date) -> bool:
        """Whether the product, bought on the day, came out of the supplier's bad month."""
        begin, end = self.faulty_month
        return product.supplier == "Delft Kiln" and begin <= day < end

    def runs(self, campaign: Campaign) -> tuple[date, date]:
        """Return the campaign's first and last day."""
        past = (campaign.month, campaign.day) <= (self.as_of.month, self.as_of.day)
        year = self.as_of.year - campaign.years_ago - (0 if past else 1)
        begin = date(year, campaign.month, campaign.day)
        return begin, begin + timedelta(days=campaign.days - 1)

    def transit(self, carrier: str, shipped: date) -> int:
        """Return the days the carrier usually takes for a parcel shipped on the day."""
        usual = CARRIERS[carrier].days
        return usual + 6 if carrier == "Swift Parcel" and shipped.month == 12 else usual
