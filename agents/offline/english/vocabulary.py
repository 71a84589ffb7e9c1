"""The English that questions about any database are made of, as tables of words."""

from __future__ import annotations

CONTRACTIONS: dict[str, tuple[str, ...]] = {
    "don't": ("do", "not"), "doesn't": ("does", "not"), "didn't": ("did", "not"), "isn't": ("is", "not"),
    "aren't": ("are", "not"), "wasn't": ("was", "not"), "weren't": ("were", "not"), "haven't": ("have", "not"),
    "hasn't": ("has", "not"), "hadn't": ("had", "not"), "can't": ("can", "not"), "cannot": ("can", "not"),
    "won't": ("will", "not"), "who's": ("who", "is"), "i'm": ("i", "am"), "i'd": ("i", "would"),
    "nonzero": ("not", "zero"), "whats": ("what", "is"), "whos": ("who", "is"), "hows": ("how", "is"),
    "wheres": ("where", "is"), "dont": ("do", "not"), "doesnt": ("does", "not"), "didnt": ("did", "not"),
    "isnt": ("is", "not"), "arent": ("are", "not"), "wasnt": ("was", "not"), "werent": ("were", "not"),
    "havent": ("have", "not"), "hasnt": ("has", "not"), "ppl": ("people",),
}  # fmt: skip

IRREGULAR: dict[str, str] = {
    "people": "person", "persons": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse",
    "was": "be", "were": "be", "is": "be", "are": "be", "has": "hav", "had": "hav", "does": "do", "did": "do",
    "sold": "sell", "came": "com", "bought": "buy", "spent": "spend", "used": "us", "using": "us", "uses": "us",
    "spoken": "speak", "spoke": "speak", "paid": "pay", "made": "mak", "wrote": "writ", "written": "writ",
    "won": "win", "held": "hold", "gave": "giv", "born": "birth", "left": "leav", "sent": "send", "cities": "city",
    "countries": "country", "ids": "id", "data": "data", "best": "best", "this": "this", "series": "series",
    "species": "species", "news": "news", "less": "less", "sales": "sale", "sale": "sale", "ages": "age",
    "aged": "age", "old": "old", "gross": "gross", "during": "during", "need": "need", "weigh": "weight",
    "weighs": "weight", "weighed": "weight", "taken": "tak", "took": "tak", "taught": "teach", "analyses": "analysis",
    "became": "becom", "calories": "calorie", "goes": "go", "went": "go", "gone": "go", "lent": "lend",
    "criteria": "criterion", "media": "media", "shelves": "shelf", "lives": "liv",
}  # fmt: skip

NUMBER_WORDS: dict[str, float] = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100,
    "once": 1, "twice": 2,
}  # fmt: skip

MAGNITUDES: dict[str, float] = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}

ABBREVIATIONS: dict[str, tuple[str, ...]] = {
    "acct": ("account",), "addr": ("address",), "amt": ("amount",), "avg": ("average",), "ccy": ("currency",),
    "crtd": ("created",), "cust": ("customer",), "custid": ("customer", "id"), "dept": ("department",),
    "desc": ("description",), "dest": ("destination",), "dob": ("birth", "date"), "dt": ("date",),
    "emp": ("employee",), "fname": ("first", "name"), "inv": ("invoice",), "lname": ("last", "name"),
    "loc": ("location",), "mgr": ("manager",), "nbr": ("number",), "num": ("number",), "org": ("organization",),
    "pct": ("percent",), "prod": ("product",), "qty": ("quantity",), "tel": ("phone",), "ts": ("timestamp",),
    "tx": ("transaction",), "txn": ("transaction",), "yr": ("year",), "cnt": ("count",), "abbrev": ("abbreviation",),
    "stu": ("student",),
}  # fmt: skip

SCHEMA_WORDS = frozenset(
    """
    account active ad address age amount author balance billing birth book branch buyer campaign cap card category
    channel city class click client close code commission company contact cost count country county course created
    currency customer daily date datetime day department description detail discount district doctor email employee
    end event exchange expiry first flag flight game gender grade group high hire history home hour id index
    industry inventory invoice is item join keyword language last league level license line list location low
    manager market member merchant method middle model month monthly name note notification number open order
    organization owner patient pay payment percent percentage period person phone player point position postal
    preference price product publisher quantity quarter rank rate rating reason region release rental report result
    review room salary sale sales school score season seller service session settlement shares shipping shop sign
    size snapshot source staff start state status stock store str street student subject supplier symbol table tag
    tax team ticker ticket time timestamp title total town transaction type unit up updated url user value vendor
    version visit volume wallet week weight work year zip
    """.split()
)
"""Words that names are glued from (`joindate`); used only to take such names apart."""

SYNONYMS: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split())
    for group in (
        "customer client buyer shopper purchaser user",
        "employee staff worker personnel",
        "product item article good",
        "store shop outlet",
        "country nation",
        "gender sex",
        "salary pay wage remuneration",
        "price cost",
        "phone telephone",
        "location place",
        "supplier vendor provider",
        "category type kind genre",
        "kind type sort",
        "movie film",
        "song track",
        "teacher instructor lecturer professor",
        "student pupil",
        "doctor physician",
        "quantity unit piece",
        "boss manager supervisor",
        "purchase order",
        "transaction trade",
        "organization organisation institution",
        "review rating",
        "surname last",
        "city town",
        "team club",
        "match game",
        "trip ride",
        "book title",
        "percentage percent pct share",
        "option choice",
        "leader head",
        "person people inhabitant",
        "population inhabitant people resident",
        "stock inventory",
        "area surface",
        "director direct",
        "author writ writer",
        "salesperson representative seller",
        "visit visitor",
        "email mail",
        "postcode zip postal",
        "airplane plane aircraft",
        "lesson class course",
        "address street",
        "begin start",
        "end finish",
        "length duration runtime millisecond",
        "size area",
        "refund return",
        "loan lend borrow",
        "rental rent",
        "registration register signup enrol enroll enrollment enrolment",
        "join signup",
        "complete finish",
        "insurer insurance",
        "company provider agency firm",
        "prescription prescribe",
        "subscription subscribe",
        "reservation reserve",
        "donation donate",
        "inspection inspect",
        "treatment treat",
        "payment pay",
        "shipment ship",
        "adoption adopt",
        "attendance attend",
        "installation install",
        "delivery deliver",
        "vehicle car automobile",
    )
)

DEMONYMS: dict[str, str] = {
    "african": "africa", "american": "america", "argentinian": "argentina", "asian": "asia",
    "australian": "australia", "austrian": "austria", "belgian": "belgium", "brazilian": "brazil",
    "british": "united kingdom", "canadian": "canada", "chinese": "china", "czech": "czech republic",
    "danish": "denmark", "dutch": "netherlands", "egyptian": "egypt", "english": "england", "european": "europe",
    "finnish": "finland", "french": "france", "german": "germany", "greek": "greece", "hungarian": "hungary",
    "indian": "india", "irish": "ireland", "italian": "italy", "japanese": "japan", "korean": "korea",
    "mexican": "mexico", "norwegian": "norway", "polish": "poland", "portuguese": "portugal", "romanian": "romania",
    "russian": "russia", "scottish": "scotland", "spanish": "spain", "swedish": "sweden", "swiss": "switzerland",
    "turkish": "turkey", "ukrainian": "ukraine",
}  # fmt: skip

VALUE_WORDS: dict[str, tuple[str, frozenset[str]]] = {
    "female": ("f", frozenset({"sex", "gender"})), "woman": ("f", frozenset({"sex", "gender"})),
    "male": ("m", frozenset({"sex", "gender"})), "man": ("m", frozenset({"sex", "gender"})),
}  # fmt: skip
"""Words for values that are kept as a letter, by the column that must hold them."""

LABEL_WORDS = ("name", "title", "label", "subject", "caption", "username", "symbol")
"""What the column that stands for a row is called, best first."""

KEY_WORDS = frozenset({"id", "key", "code", "uuid", "guid", "uid", "number", "no"})

ADJECTIVES: dict[str, tuple[bool, tuple[str, ...]]] = {
    # adjective: (whether its superlative means the greatest value, what it may be a degree of)
    "old": (True, ("age", "birth")),
    "young": (False, ("age", "birth")),
    "cheap": (False, ("price", "cost", "fare")),
    "expensive": (True, ("price", "cost", "fare")),
    "costly": (True, ("price", "cost", "fare")),
    "heavy": (True, ("weight",)),
    "light": (False, ("weight",)),
    "tall": (True, ("height",)),
    "long": (True, ("length", "duration", "millisecond", "minute", "runtime", "page", "distance")),
    "short": (False, ("length", "duration", "height", "millisecond", "minute", "runtime", "page", "distance")),
    "big": (True, ("area", "size", "capacity", "population", "amount", "total", "quantity")),
    "large": (True, ("area", "size", "capacity", "population", "amount", "total", "quantity")),
    "small": (False, ("area", "size", "capacity", "population", "amount", "total", "quantity")),
    "fast": (True, ("speed",)),
    "slow": (False, ("speed",)),
    "rich": (True, ("wealth", "income", "salary", "gnp", "gdp")),
    "populous": (True, ("population",)),
    "populated": (True, ("population",)),
    "recent": (True, ("date",)),
    "late": (True, ("date",)),
    "new": (True, ("date",)),
    "early": (False, ("date",)),
    "rated": (True, ("rating", "score")),
    "popular": (True, ()),
    "busy": (True, ()),
    "paid": (True, ("salary", "pay")),
    "deep": (True, ("depth",)),
    "far": (True, ("distance", "mileage")),
    "warm": (True, ("temperature",)),
    "hot": (True, ("temperature",)),
    "cold": (False, ("temperature",)),
    "worth": (True, ("total", "amount", "value", "price")),
    "high": (True, ("height", "elevation")),
    "wide": (True, ("width",)),
    "serving": (True, ("hired", "hire", "employed", "joined", "start", "started")),
}

SUPERLATIVES: dict[str, tuple[bool, str]] = {
    # word: (greatest?, the adjective it is of, where it says what is compared)
    "most": (True, ""), "highest": (True, ""), "largest": (True, "large"), "greatest": (True, ""),
    "biggest": (True, "big"), "maximum": (True, ""), "top": (True, ""), "best": (True, ""), "lowest": (False, ""),
    "least": (False, ""), "fewest": (False, ""), "smallest": (False, "small"), "minimum": (False, ""),
    "worst": (False, ""), "bottom": (False, ""), "oldest": (True, "old"), "youngest": (False, "young"),
    "cheapest": (False, "cheap"), "priciest": (True, "expensive"), "heaviest": (True, "heavy"),
    "lightest": (False, "light"), "tallest": (True, "tall"), "longest": (True, "long"), "shortest": (False, "short"),
    "fastest": (True, "fast"), "slowest": (False, "slow"), "richest": (True, "rich"), "latest": (True, "late"),
    "newest": (True, "new"), "earliest": (False, "early"), "deepest": (True, "deep"), "widest": (True, "wide"),
    "busiest": (True, "busy"), "warmest": (True, "warm"), "hottest": (True, "hot"), "coldest": (False, "cold"),
    "furthest": (True, "far"), "farthest": (True, "far"),
}  # fmt: skip

COMPARATIVES: dict[str, tuple[str, str]] = {
    "more": (">", ""), "greater": (">", ""), "higher": (">", ""), "larger": (">", "large"), "bigger": (">", "big"),
    "less": ("<", ""), "fewer": ("<", ""), "lower": ("<", ""), "smaller": ("<", "small"), "older": (">", "old"),
    "younger": ("<", "young"), "cheaper": ("<", "cheap"), "heavier": (">", "heavy"), "lighter": ("<", "light"),
    "taller": (">", "tall"), "longer": (">", "long"), "shorter": ("<", "short"), "faster": (">", "fast"),
    "slower": ("<", "slow"), "better": (">", ""), "worse": ("<", ""), "warmer": (">", "warm"),
    "hotter": (">", "hot"), "colder": ("<", "cold"), "richer": (">", "rich"),
}  # fmt: skip

MONEY_EARNED = frozenset("revenu sale turnov earn income incom proce spend money amount turnover profit margin".split())
"""Stems that ask for the money that sales brought in."""

PROFITS = frozenset({"profit", "margin"})
"""Stems for what is left of the revenue when what was sold has been paid for."""

NOT_ADDED = frozenset(
    "rating score price age rate percent percentage temperature grade rank year height weight".split()
)
"""Numbers whose sum over several rows says nothing."""

ADDED = frozenset("amount total revenue quantity hour fine fee charge payment income turnover proceed sale".split())
"""Numbers that are added up where they are asked for by month or by kind."""

FLOWS = frozenset(
    """
    calorie calories consumption credit debit deposit distance donation duration energy expense fare mileage minute
    outflow inflow production rainfall spending step tip withdrawal
    """.split()
)
"""Numbers that each row of a flat file adds to: what it holds of them by month is a total, which is then said."""

COSTS = frozenset({"budget", "cost", "expense", "expenditure", "refund", "spend", "spending"})
"""Money that goes out, where the column is called so."""

SPENT = COSTS - {"budget", "refund"}
"""What rows of money that somebody spent are called."""

OF_ONE = frozenset({"unit", "piece", "hourly", "daily", "purchase"})
"""Words of costs that say nothing when they are added up."""

GRADES = frozenset({"rating", "score", "grade", "star"})
"""What several people give one thing."""

BUYERS = frozenset("customer client buyer shopper purchaser".split())
"""People who are ranked by what they spent, where nothing else is said."""

SOLD = frozenset({"sell", "buy", "purchas"})
"""Stems of verbs for what sales do to things."""

STAFF = frozenset("employee staff worker personnel salesperson".split())
"""People who earn wages, not sales."""

PEOPLE = STAFF | frozenset(
    """
    actor artist athlete author client contact customer doctor driver guest instructor manager member nurse owner
    passenger patient person player professor reader seller singer student supplier teacher user visitor writer
    """.split()
)
"""What rows are called that "who" may ask for."""

CURRENCIES = frozenset("euro dollar pound yen eur usd gbp buck franc".split())
"""Units after a number that say nothing more."""
