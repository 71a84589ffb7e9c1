"""What the sample retailer is made of: its stores, shelves, suppliers, campaigns and the names of its people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Store:
    name: str
    city: str
    country: str
    years: float
    """How many years before the as-of date it opened."""
    area: int
    draw: float
    """How much it sells beside the average store."""


@dataclass(frozen=True)
class Product:
    name: str
    category: str
    supplier: str
    cents: int
    """Today's list price."""
    cost: float
    """The supplier's share of the list price."""
    popularity: float
    organic: bool = False
    age: int | None = None
    """Days before the as-of date it was launched; None is long before the first order."""
    gone: int | None = None
    """Days before the as-of date it was discontinued."""


@dataclass(frozen=True)
class Campaign:
    name: str
    medium: str
    month: int
    day: int
    years_ago: int
    """0 for the last time that this day of the year came round."""
    days: int
    budget: int
    pull: float
    """The share of orders it is credited with while it runs."""


@dataclass(frozen=True)
class Carrier:
    share: int
    """How many of a hundred parcels it carries."""
    fee: int
    """The smallest parcel, in cents."""
    days: int
    """From the door to the customer, as a rule."""


STORES = (
    Store("Canal House", "Amsterdam", "Netherlands", 9.4, 140, 1.45),
    Store("Station Hall", "Amsterdam", "Netherlands", 6.2, 65, 1.05),
    Store("Linden Corner", "Berlin", "Germany", 7.7, 120, 1.25),
    Store("Harbour Lane", "Hamburg", "Germany", 5.1, 95, 0.9),
    Store("Market Row", "Vienna", "Austria", 4.3, 110, 1.0),
    Store("Abbey Street", "Dublin", "Ireland", 3.6, 80, 0.75),
    Store("Tram Stop", "Lisbon", "Portugal", 1.15, 90, 0.85),
)

SUPPLIERS = (
    ("Cerrado Growers Union", "Brazil", 35),
    ("Huila Highlands Coop", "Colombia", 32),
    ("Yirgacheffe Farmers", "Ethiopia", 41),
    ("Kirinyaga Estates", "Kenya", 38),
    ("Gayo Mountain Traders", "Indonesia", 44),
    ("Darjeeling Garden House", "India", 30),
    ("Uji Tea Masters", "Japan", 28),
    ("Wuyi Cliff Teas", "China", 33),
    ("Alpine Herb Works", "Austria", 9),
    ("Rooibos Valley", "South Africa", 36),
    ("Nordmann Grinders", "Germany", 12),
    ("Officina Brera", "Italy", 14),
    ("Delft Kiln", "Netherlands", 8),
    ("Paperline Filters", "Germany", 7),
)

CATEGORIES = (
    ("Espresso", "Coffee"),
    ("Filter coffee", "Coffee"),
    ("Decaf", "Coffee"),
    ("Cold brew", "Coffee"),
    ("Black tea", "Tea"),
    ("Green tea", "Tea"),
    ("Oolong", "Tea"),
    ("Herbal tea", "Tea"),
    ("Grinders", "Gear"),
    ("Brewers", "Gear"),
    ("Cups", "Gear"),
    ("Gift boxes", "Gear"),
)

PRODUCTS = (
    Product("House Espresso", "Espresso", "Cerrado Growers Union", 1290, 0.44, 9.0),
    Product("Midnight Espresso", "Espresso", "Gayo Mountain Traders", 1390, 0.45, 6.0),
    Product("Brera Crema Blend", "Espresso", "Cerrado Growers Union", 1490, 0.46, 5.0),
    Product("Organic Espresso", "Espresso", "Huila Highlands Coop", 1590, 0.48, 4.5, organic=True),
    Product("Single Origin Huila", "Espresso", "Huila Highlands Coop", 1690, 0.47, 3.0),
    Product("Ristretto Nero", "Espresso", "Gayo Mountain Traders", 1350, 0.45, 2.2, gone=210),
    Product("Yirgacheffe Washed", "Filter coffee", "Yirgacheffe Farmers", 1650, 0.47, 5.5),
    Product("Sidamo Natural", "Filter coffee", "Yirgacheffe Farmers", 1750, 0.48, 3.5, organic=True),
    Product("Kenya AA", "Filter coffee", "Kirinyaga Estates", 1890, 0.50, 3.8),
    Product("Kenya Peaberry", "Filter coffee", "Kirinyaga Estates", 1990, 0.51, 1.8),
    Product("Breakfast Filter", "Filter coffee", "Cerrado Growers Union", 1190, 0.43, 6.5),
    Product("Colombia Supremo", "Filter coffee", "Huila Highlands Coop", 1490, 0.45, 4.2),
    Product("Sumatra Mandheling", "Filter coffee", "Gayo Mountain Traders", 1590, 0.46, 2.6),
    Product("Gesha Reserve", "Filter coffee", "Huila Highlands Coop", 4450, 0.58, 0.5, age=500),
    Product("Decaf Espresso", "Decaf", "Cerrado Growers Union", 1490, 0.49, 2.8),
    Product("Decaf Filter", "Decaf", "Huila Highlands Coop", 1450, 0.49, 2.0),
    Product("Mountain Water Decaf", "Decaf", "Huila Highlands Coop", 1690, 0.51, 1.1, organic=True),
    Product("Cold Brew Bags", "Cold brew", "Cerrado Growers Union", 1150, 0.42, 3.2),
    Product("Cold Brew Concentrate", "Cold brew", "Cerrado Growers Union", 990, 0.40, 2.8),
    Product("Nitro Cold Brew Can", "Cold brew", "Gayo Mountain Traders", 420, 0.45, 3.6, age=640),
    Product("English Breakfast", "Black tea", "Darjeeling Garden House", 890, 0.36, 5.0),
    Product("Earl Grey", "Black tea", "Darjeeling Garden House", 950, 0.37, 5.2),
    Product("Darjeeling First Flush", "Black tea", "Darjeeling Garden House", 1890, 0.48, 2.0, organic=True),
    Product("Assam Gold", "Black tea", "Darjeeling Garden House", 1090, 0.38, 2.6),
    Product("Smoky Lapsang", "Black tea", "Wuyi Cliff Teas", 1290, 0.41, 1.2),
    Product("Masala Chai", "Black tea", "Darjeeling Garden House", 990, 0.38, 3.4),
    Product("Sencha", "Green tea", "Uji Tea Masters", 1290, 0.42, 3.2),
    Product("Genmaicha", "Green tea", "Uji Tea Masters", 1190, 0.41, 2.0),
    Product("Gyokuro", "Green tea", "Uji Tea Masters", 2990, 0.53, 0.8),
    Product("Ceremonial Matcha", "Green tea", "Uji Tea Masters", 2490, 0.50, 1.3, organic=True),
    Product("Jasmine Pearls", "Green tea", "Wuyi Cliff Teas", 1690, 0.44, 1.9),
    Product("Dragon Well", "Green tea", "Wuyi Cliff Teas", 1790, 0.46, 1.4),
    Product("Milk Oolong", "Oolong", "Wuyi Cliff Teas", 1590, 0.44, 2.1),
    Product("Iron Goddess Oolong", "Oolong", "Wuyi Cliff Teas", 1890, 0.46, 1.6),
    Product("Roasted Oolong", "Oolong", "Wuyi Cliff Teas", 1690, 0.45, 1.2),
    Product("Wuyi Rock Oolong", "Oolong", "Wuyi Cliff Teas", 2690, 0.52, 0.6),
    Product("Peppermint", "Herbal tea", "Alpine Herb Works", 745, 0.34, 3.4, organic=True),
    Product("Chamomile", "Herbal tea", "Alpine Herb Works", 790, 0.34, 2.8, organic=True),
    Product("Alpine Meadow", "Herbal tea", "Alpine Herb Works", 890, 0.36, 2.2),
    Product("Ginger and Lemon", "Herbal tea", "Alpine Herb Works", 850, 0.35, 3.0),
    Product("Rooibos Vanilla", "Herbal tea", "Rooibos Valley", 890, 0.36, 2.7),
    Product("Rooibos Pure", "Herbal tea", "Rooibos Valley", 790, 0.35, 1.6, organic=True),
    Product("Hibiscus Cooler", "Herbal tea", "Alpine Herb Works", 850, 0.35, 1.8, age=880),
    Product("Hand Grinder Uno", "Grinders", "Nordmann Grinders", 5990, 0.55, 1.6),
    Product("Hand Grinder Pro", "Grinders", "Nordmann Grinders", 11900, 0.58, 0.8),
    Product("Electric Grinder E40", "Grinders", "Nordmann Grinders", 14900, 0.60, 0.7),
    Product("Espresso Grinder E90", "Grinders", "Nordmann Grinders", 32900, 0.64, 0.18),
    Product("Moka Pot", "Brewers", "Officina Brera", 3490, 0.52, 1.5),
    Product("French Press", "Brewers", "Officina Brera", 3290, 0.51, 1.4),
    Product("Pour Over Dripper", "Brewers", "Delft Kiln", 2450, 0.46, 1.9),
    Product("Gooseneck Kettle", "Brewers", "Officina Brera", 6990, 0.56, 0.8),
    Product("Cast Iron Teapot", "Brewers", "Uji Tea Masters", 5450, 0.54, 0.6),
    Product("Glass Teapot", "Brewers", "Delft Kiln", 2990, 0.48, 1.0),
    Product("Home Espresso Machine", "Brewers", "Officina Brera", 54900, 0.66, 0.12),
    Product("Paper Filters 100", "Brewers", "Paperline Filters", 490, 0.33, 5.2),
    Product("Cold Drip Tower", "Brewers", "Officina Brera", 18900, 0.59, 0.0, age=24),
    Product("Espresso Cup Set", "Cups", "Delft Kiln", 2790, 0.44, 1.4),
    Product("Cappuccino Cup", "Cups", "Delft Kiln", 1450, 0.42, 1.7),
    Product("Tea Bowl", "Cups", "Delft Kiln", 1690, 0.43, 1.0),
    Product("Travel Mug", "Cups", "Officina Brera", 2490, 0.47, 2.0),
    Product("Blue Delft Mug", "Cups", "Delft Kiln", 1890, 0.43, 1.3),
    Product("Coffee Lover Box", "Gift boxes", "Paperline Filters", 3990, 0.49, 1.1),
    Product("Tea Discovery Box", "Gift boxes", "Paperline Filters", 3490, 0.48, 1.2),
    Product("Advent Calendar", "Gift boxes", "Paperline Filters", 2990, 0.50, 1.0),
    Product("Wedding Gift Set", "Gift boxes", "Delft Kiln", 8950, 0.52, 0.0, age=40),
)

CAMPAIGNS = (
    Campaign("New Year Reset", "email", 1, 3, 2, 21, 120, 0.12),
    Campaign("Mother's Day Tea", "social", 4, 26, 2, 16, 150, 0.13),
    Campaign("Iced Summer", "social", 6, 10, 2, 30, 180, 0.10),
    Campaign("Back to Work", "search", 9, 1, 2, 28, 150, 0.09),
    Campaign("Winter Warmers", "email", 11, 8, 1, 30, 350, 0.13),
    Campaign("Spring Cleaning", "print", 3, 20, 1, 21, 120, 0.09),
    Campaign("Radio Summer", "radio", 7, 5, 1, 42, 3600, 0.025),
    Campaign("Late Summer Break", "social", 8, 20, 1, 24, 200, 0.08),
    Campaign("Gift Season", "search", 11, 24, 0, 30, 950, 0.14),
    Campaign("Grinder Week", "email", 2, 20, 0, 10, 120, 0.14),
    Campaign("Matcha Moment", "social", 7, 10, 0, 28, 450, 0.15),
    Campaign("Autumn Roast", "email", 9, 28, 0, 30, 420, 0.13),
)

FIRST_NAMES = (
    "Anna Bram Clara Daan Elif Femke Gustav Hanna Ines Jonas Katja Lars Maeve Niall Olivia Pieter Rosa "
    "Sanne Tiago Ulla Viktor Wout Yara Zoe Aoife Bruno Carla Dirk Emma Finn Greta Henrik Ida Joao Kira "
    "Lena Mateus Nora Oskar Paula Rafael Sofia Theo Valentina Willem Marta Ruben Sinead Tomas Lotte Amir "
    "Beatriz Conor Eva Felix Helena Isabel Jan Leon Mila"
).split()

LAST_NAMES = (
    "Bakker Visser Smit Mulder Bos Vos Peters Dekker Brouwer Schmidt Weber Wagner Becker Hoffmann Koch "
    "Richter Klein Wolf Schroeder Neumann Gruber Huber Bauer Pichler Steiner Moser Mayer Murphy Kelly "
    "Byrne Ryan Walsh Doyle Nolan Keane Silva Santos Ferreira Pereira Costa Oliveira Martins Sousa "
    "Almeida Novak Yilmaz Rossi Dupont Laurent Nguyen"
).split()

JOB_TITLES = ("Store manager", "Barista", "Sales assistant", "Tea specialist", "Stock keeper")

CARRIERS = {
    "PostNL": Carrier(share=38, fee=395, days=2),
    "DHL": Carrier(share=30, fee=495, days=2),
    "GLS": Carrier(share=20, fee=445, days=3),
    "Swift Parcel": Carrier(share=12, fee=345, days=3),
}

HOME_CITIES = (
    ("Amsterdam", "Netherlands", 24),
    ("Utrecht", "Netherlands", 7),
    ("Rotterdam", "Netherlands", 6),
    ("Berlin", "Germany", 18),
    ("Hamburg", "Germany", 12),
    ("Cologne", "Germany", 4),
    ("Vienna", "Austria", 13),
    ("Graz", "Austria", 2),
    ("Dublin", "Ireland", 11),
    ("Cork", "Ireland", 2),
    ("Lisbon", "Portugal", 6),
    ("Porto", "Portugal", 2),
)

COMMENTS = {
    1: ("Stopped working after a week.", "Stale when it arrived.", "Not what the label promises.", None),
    2: ("Weaker than I expected.", "Overpriced for what it is.", "The lid does not close well.", None),
    3: ("Fine, nothing special.", "Good, though the last batch was better.", "Does its job.", None),
    4: ("Very good, would buy again.", "Lovely aroma.", "Arrived quickly and well packed.", None, None),
    5: (
        "The best I have had at home.",
        "My whole office asks for it.",
        "Bought it twice already.",
        "A perfect gift.",
        None,
        None,
    ),
}
