"""Makes the sample database's rows from a seed and a day."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product as pairs
from random import Random

from data.assortment import (
    CAMPAIGNS,
    CATEGORIES,
    FIRST_NAMES,
    HOME_CITIES,
    JOB_TITLES,
    LAST_NAMES,
    PRODUCTS,
    STORES,
    SUPPLIERS,
)
from data.seasons import Calendar, years_before
from data.trade import Customer, Employee, Row, make_trade, money

CUSTOMERS = 1_900


def make_rows(seed: int, as_of: date) -> dict[str, list[Row]]:
    """Return every table's rows, parents before children, each row in the order of its table's columns.

    Generated columns are left out. Dates are ISO text, money is text with two decimals, truth is 0 or 1: what
    SQLite stores and what PostgreSQL's COPY reads.
    """
    calendar = Calendar(as_of)
    employees = _employees(Random(f"{seed}/employees"), calendar)
    customers = _customers(Random(f"{seed}/customers"), calendar)
    rows: dict[str, list[Row]] = {
        "stores": [
            (number, s.name, s.city, s.country, calendar.opened(s).isoformat(), s.area)
            for number, s in enumerate(STORES, 1)
        ],
        "employees": [
            (e.number, e.name, e.job_title, e.store + 1, e.manager, e.hired_on.isoformat()) for e in employees
        ],
        "customers": [
            (c.number, c.name, c.email, c.city, c.country, c.joined_on.isoformat(), c.tier) for c in customers
        ],
        "suppliers": [(number, *supplier) for number, supplier in enumerate(SUPPLIERS, 1)],
        "categories": [(number, *category) for number, category in enumerate(CATEGORIES, 1)],
        "products": _products(calendar),
        "campaigns": _campaigns(calendar),
    }
    return rows | make_trade(Random(f"{seed}/trade"), calendar, employees, customers)


def _employees(random: Random, calendar: Calendar) -> list[Employee]:
    """Each store's manager, hired with the store, and four or five people more."""
    employees: list[Employee] = []
    names = iter(_names(random, 60))
    for store, about in enumerate(STORES):
        opened = calendar.opened(about)
        manager = len(employees) + 1
        employees.append(Employee(manager, next(names), JOB_TITLES[0], store, None, opened - timedelta(days=30)))
        for _ in range(5 if about.draw > 1 else 4):
            hired = opened + (calendar.as_of - opened) * (random.random() * 0.9)
            # Somebody has to stand in the shop on its first day.
            first = not any(e.store == store and e.manager for e in employees)
            title = JOB_TITLES[1] if first else random.choice(JOB_TITLES[1:])
            employees.append(
                Employee(len(employees) + 1, next(names), title, store, manager, opened if first else hired)
            )
    return employees


def _customers(random: Random, calendar: Calendar) -> list[Customer]:
    """The customers in the order they joined; about one in nine never buys."""
    opening = {s.country: calendar.opened(s) for s in reversed(STORES)}
    earliest = years_before(calendar.as_of, 4)
    cities = random.choices(HOME_CITIES, [share for _, _, share in HOME_CITIES], k=CUSTOMERS)
    joined = []
    for city, country, _ in cities:
        begin = max(earliest, opening[country])
        joined.append((begin + (calendar.as_of - begin) * random.random() ** 0.8, city, country))
    joined.sort(key=lambda j: j[0])
    customers = []
    for number, (name, (day, city, country)) in enumerate(zip(_names(random, CUSTOMERS), joined, strict=True), 1):
        appetite = 0.0 if random.random() < 0.11 else min(14.0, random.paretovariate(1.6))
        tier = "gold" if appetite > 4.2 else "silver" if appetite > 1.9 else "bronze"
        email = f"{name.lower().replace(' ', '.')}@example.{random.choice(('com', 'net', 'org'))}"
        customers.append(Customer(number, name, email, city, country, day, tier, appetite))
    return customers


def _names(random: Random, count: int) -> list[str]:
    """Return so many different full names."""
    return [f"{first} {last}" for first, last in random.sample(list(pairs(FIRST_NAMES, LAST_NAMES)), count)]


def _products(calendar: Calendar) -> list[Row]:
    categories = {name: number for number, (name, _) in enumerate(CATEGORIES, 1)}
    suppliers = {name: number for number, (name, *_) in enumerate(SUPPLIERS, 1)}
    rows: list[Row] = []
    for number, p in enumerate(PRODUCTS, 1):
        age = p.age if p.age is not None else 1_300 + 41 * (number % 17)
        rows.append(
            (
                number,
                p.name,
                categories[p.category],
                suppliers[p.supplier],
                money(p.cents),
                money(round(p.cents * p.cost)),
                int(p.organic),
                (calendar.as_of - timedelta(days=age)).isoformat(),
                None if p.gone is None else (calendar.as_of - timedelta(days=p.gone)).isoformat(),
            )
        )
    return rows


def _campaigns(calendar: Calendar) -> list[Row]:
    rows: list[Row] = []
    for number, campaign in enumerate(CAMPAIGNS, 1):
        begin, end = calendar.runs(campaign)
        rows.append(
            (number, campaign.name, campaign.medium, begin.isoformat(), end.isoformat(), money(campaign.budget * 100))
        )
    return rows
