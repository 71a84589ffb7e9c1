"""The English that questions about any database are made of, as tables of words."""

from __future__ import annotations

CONTRACTIONS: dict[str, tuple[str, ...]] = {
    "don't": ("do", "not"), "doesn't": ("does", "not"), "didn't": ("did", "not"), "isn't": ("is", "not"),
    "aren't": ("are", "not"), "wasn't": ("was", "not"), "weren't": ("were", "not"), "haven't": ("have", "not"),
    "hasn't": ("has", "not"), "hadn't": ("had", "not"), "can't": ("can", "not"), "cannot": ("can", "not"),
    "won't": ("will", "not"), "who's": ("who", "is"), "i'm": ("i", "am"), "i'd": ("i", "would"),
    "nonzero": ("not", "zero"),
}  # fmt: skip

IRREGULAR: dict[str, str] = {
    "people": "person", "persons": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse",
    "was": "be", "were": "be", "is": "be", "are": "be", "has": "hav", "had": "hav", "does": "do", "did": "do",
    "sold": "sell", "came": "com", "bought": "buy", "spent": "spend", "paid": "pay", "made": "mak", "wrote": "writ",
    "written": "writ", "won": "win", "held": "hold", "gave": "giv", "born": "birth", "left": "leav", "sent": "send",
    "cities": "city", "countries": "country", "ids": "id", "data": "data", "best": "best", "this": "this",
    "series": "series", "species": "species", "news": "news", "less": "less", "sales": "sale", "sale": "sale",
    "ages": "age", "aged": "age", "old": "old", "gross": "gross", "during": "during", "need": "need",
    "weigh": "weight", "weighs": "weight", "weighed": "weight", "taken": "tak", "took": "tak", "taught": "teach",
    "analyses": "analysis", "criteria": "criterion", "media": "media", "shelves": "shelf", "lives": "liv",
}  # fmt: skip

NUMBER_WORDS: dict[str, float] = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100,
}  # fmt: skip

MAGNITUDES: dict[str, float] = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}

ABBREVIATIONS: dict[str, tuple[str, ...]] = {
    "acct": ("account",), "addr": ("address",), "amt": ("amount",), "avg": ("average",), "ccy": ("currency",),
    "crtd": ("created",), "cust": ("customer",), "custid": ("customer", "id"), "dept": ("department",),
    "desc": ("description",), "dest": ("destination",), "dob": ("birth", "date"), "dt": ("date",), "emp": ("employee",),
    "fname": ("first", "name"), "inv": ("invoice",), "lname": ("last", "name"), "loc": ("location",),
    "mgr": ("manager",), "nbr": ("number",), "num": ("number",), "org": ("organization",), "pct": ("percent",),
    "prod": ("product",), "qty": ("quantity",), "tel": ("phone",), "ts": ("timestamp",), "tx": ("transaction",),
    "txn": ("transaction",), "yr": ("year",), "cnt": ("count",), "abbrev": ("abbreviation",), "stu": ("student",),
}  # fmt: skip

SCHEMA_WORDS = frozenset(
    "account active address age amount author balance birth book branch buyer campaign card category channel city class "
    "client close code commission company contact cost count country county course created currency customer daily date "
    "datetime day department description detail discount district doctor email employee end event exchange expiry first "
    "flag flight game gender grade group high hire history home hour id index industry inventory invoice is item join "
    "keyword language last league level license line list location low manager member merchant method middle model month "
    "monthly name note number open order organization owner patient pay payment percent percentage period person phone player point "
    "position postal price product publisher quantity quarter rank rate rating reason region release rental report result "
    "review room salary sale sales school score season seller service session settlement shares shop sign size source "
    "staff start state status stock store str street student subject supplier symbol table tag tax team ticker ticket "
    "time timestamp title total town transaction type unit up updated url user value vendor version visit volume wallet "
    "week weight work year zip code cap market snapshot billing shipping ad click campaign notification preference".split()
)
"""Words that names are glued from (`joindate`); used only to take such names apart."""

SYNONYMS: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split())
    for group in (
        "customer client buyer shopper purchaser",
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
        "company firm",
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
        "vehicle car automobile",
    )
)

DEMONYMS: dict[str, str] = {
    "african": "africa", "american": "america", "argentinian": "argentina", "asian": "asia", "australian": "australia",
    "austrian": "austria", "belgian": "belgium", "brazilian": "brazil", "british": "united kingdom",
    "canadian": "canada", "chinese": "china", "czech": "czech republic", "danish": "denmark", "dutch": "netherlands",
    "egyptian": "egypt", "english": "england", "european": "europe", "finnish": "finland", "french": "france",
    "german": "germany", "greek": "greece", "hungarian": "hungary", "indian": "india", "irish": "ireland",
    "italian": "italy", "japanese": "japan", "korean": "korea", "mexican": "mexico", "norwegian": "norway",
    "polish": "poland", "portuguese": "portugal", "romanian": "romania", "russian": "russia", "scottish": "scotland",
    "spanish": "spain", "swedish": "sweden", "swiss": "switzerland", "turkish": "turkey", "ukrainian": "ukraine",
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
    # adjective's root: (whether the superlative means the greatest value, what it may be a degree of)
    "old": (True, ("age",)), "young": (False, ("age",)), "cheap": (False, ("price", "cost")),
    "expensive": (True, ("price", "cost")), "costly": (True, ("price", "cost")), "heavy": (True, ("weight",)),
    "light": (False, ("weight",)), "tall": (True, ("height",)), "long": (True, ("length", "duration", "millisecond", "minute", "runtime")),
    "short": (False, ("length", "duration", "height", "millisecond", "minute", "runtime")),
    "big": (True, ("area", "size", "capacity", "population", "amount", "total")), "large": (True, ("area", "size", "capacity", "population", "amount", "total")),
    "small": (False, ("area", "size", "capacity", "population", "amount", "total")), "fast": (True, ("speed",)), "slow": (False, ("speed",)),
    "rich": (True, ("wealth", "income", "salary", "gnp", "gdp")), "populous": (True, ("population",)),
    "populated": (True, ("population",)), "recent": (True, ("date",)), "late": (True, ("date",)), "new": (True, ("date",)),
    "early": (False, ("date",)), "rated": (True, ("rating", "score")), "popular": (True, ()), "paid": (True, ("salary", "pay")),
    "deep": (True, ("depth",)), "worth": (True, ("total", "amount", "value", "price")), "high": (True, ("height", "elevation")), "wide": (True, ("width",)),
}  # fmt: skip

SUPERLATIVES: dict[str, tuple[bool, str]] = {
    # word: (greatest?, the adjective it is of, where it says what is compared)
    "most": (True, ""), "highest": (True, ""), "largest": (True, "large"), "greatest": (True, ""), "biggest": (True, "big"),
    "maximum": (True, ""), "top": (True, ""), "best": (True, ""), "lowest": (False, ""), "least": (False, ""),
    "fewest": (False, ""), "smallest": (False, "small"), "minimum": (False, ""), "worst": (False, ""), "bottom": (False, ""),
    "oldest": (True, "old"), "youngest": (False, "young"), "cheapest": (False, "cheap"), "priciest": (True, "expensive"),
    "heaviest": (True, "heavy"), "lightest": (False, "light"), "tallest": (True, "tall"), "longest": (True, "long"),
    "shortest": (False, "short"), "fastest": (True, "fast"), "slowest": (False, "slow"), "richest": (True, "rich"),
    "latest": (True, "late"), "newest": (True, "new"), "earliest": (False, "early"), "deepest": (True, "deep"),
    "widest": (True, "wide"),
}  # fmt: skip

COMPARATIVES: dict[str, tuple[str, str]] = {
    "more": (">", ""), "greater": (">", ""), "higher": (">", ""), "larger": (">", "large"), "bigger": (">", "big"),
    "less": ("<", ""), "fewer": ("<", ""), "lower": ("<", ""), "smaller": ("<", "small"), "older": (">", "old"),
    "younger": ("<", "young"), "cheaper": ("<", "cheap"), "heavier": (">", "heavy"), "lighter": ("<", "light"),
    "taller": (">", "tall"), "longer": (">", "long"), "shorter": ("<", "short"), "faster": (">", "fast"),
    "slower": ("<", "slow"), "better": (">", ""), "worse": ("<", ""), "richer": (">", "rich"),
}  # fmt: skip

MONEY_EARNED = frozenset(
    "revenu sale turnov earn income proce spend money amount turnover".split()
)
"""Stems that ask for the money that sales brought in."""

SOLD = frozenset({"sell", "buy", "purchas"})
"""Stems of verbs for what sales do to things."""

STAFF = frozenset("employee staff worker personnel salesperson".split())
"""People who earn wages, not sales."""

CURRENCIES = frozenset("euro dollar pound yen eur usd gbp buck franc".split())
"""Units after a number that say nothing more."""

OPERATORS: dict[str, dict[str, tuple[str, ...]]] = {
    # kind of item: {its value: the phrases that mean it}
    "count": {
        "rows": (
            "how many", "number of", "the number of", "total number of", "count of", "count", "total count of", "numbers of",
            "amount of", "the total number of", "quantity of", "how often",
        ),
    },
    "how much": {"sum": ("how much", "how much money", "how much in total")},
    "aggregate": {
        "avg": ("average", "mean", "avg", "averages", "on average"),
        "sum": ("total", "sum of", "sum", "combined", "overall total", "totals"),
        "max": ("maximum", "max"),
        "min": ("minimum", "min"),
    },
    "distinct": {"": ("different", "distinct", "unique")},
    "per": {
        "": (
            "for each", "for every", "in each", "of each", "by each", "per", "each", "every", "in every", "grouped by",
            "group by", "broken down by", "split by", "at each", "from each", "with each", "on each", "within each", "to each",
            "across all", "across each", "across", "for each of", "by every", "among each", "for the different",
        ),
    },
    "by": {"": ("by",)},
    "order": {
        "": (
            "ordered by", "order by", "sorted by", "sort by", "in order of", "ranked by", "rank by", "sorted in", "ordered in",
            "arranged by", "order them by", "sort them by", "order the results by", "sort the results by", "sort results by",
            "that are ordered by", "and sort by", "order results by", "sorted", "sort", "arranged in", "rank",
            "listed by", "listed in", "in the order of", "ordered alphabetically", "order the result by",
        ),
    },
    "direction": {
        "desc": (
            "descending", "in descending order", "in descending order of", "from highest to lowest", "highest first",
            "descending order", "in decreasing order", "decreasing order of", "from most to least", "largest first", "from the oldest to the youngest",
            "from oldest to youngest", "newest first", "desc", "from the highest to the lowest", "most first", "from largest to smallest",
            "in decreasing order of", "starting from the top", "from best to worst", "starting from the best", "descending order of", "from high to low",
        ),
        "asc": (
            "ascending", "in ascending order", "in ascending order of", "alphabetically", "in alphabetical order", "in alphabetical order of",
            "from lowest to highest", "lowest first", "ascending order", "in increasing order", "oldest first", "alphabetical order", "asc",
            "from the lowest to the highest", "from youngest to oldest", "from the youngest to the oldest", "smallest first", "from least to most",
            "from smallest to largest", "in lexicographical order", "ascending order of", "increasing order of", "in increasing order of",
            "in alphabetic order", "lexicographically", "from low to high", "in chronological order", "chronologically", "from earliest to latest",
        ),
    },
    "compare": {
        ">": ("more than", "greater than", "higher than", "larger than", "bigger than", "above", "over", "exceeding", "exceeds", "exceed", ">", "better than", "in excess of", "beyond"),
        ">=": ("at least", "no less than", "no fewer than", "not less than", "minimum of", "a minimum of", ">=", "greater than or equal to", "more than or equal to", "or more than"),
        "<": ("less than", "fewer than", "lower than", "smaller than", "below", "under", "<", "worse than"),
        "<=": ("at most", "no more than", "not more than", "up to", "maximum of", "a maximum of", "<=", "less than or equal to", "fewer than or equal to"),
        "=": ("exactly", "equal to", "equals", "equal", "=", "precisely"),
        "!=": ("not equal to", "other than", "<>", "!=", "different from"),
    },
    "or more": {">=": ("or more", "or higher", "or above", "or greater", "and above", "or over", "and over", "and more", "or older"), "<=": ("or less", "or fewer", "or lower", "or below", "or under", "and below", "or younger")},
    "between": {"": ("between", "in between", "ranging from", "in the range of", "in the range")},
    "not": {"": ("not", "no", "never", "without", "without any", "none", "lacking", "neither", "nor", "excluding", "except", "except for", "not any", "but not", "missing", "with no", "non", "no longer", "did not ever", "apart from", "aside from", "other than the")},
    "both": {"": ("both",)},
    "and": {"": ("and", "as well as", "along with", "and also", "together with", "plus", ",", "&", "and the", "along with the")},
    "or": {"": ("or", "either")},
    "but": {"": ("but", "yet", "however")},
    "relative": {"": ("who", "that", "which", "whose", "where", "whom", "when", "with whom", "for which", "for whom", "in which", "having", "with")},
    "of": {"": ("of", "for", "for all", "of all", "of every", "based on", "of all the", "for all the", "'s", "belonging to", "about", "regarding", "on")},
    "in": {"": ("in", "at", "within", "from", "to", "into", "during", "inside", "through", "under the", "out of", "as", "via", "on the", "named", "called")},
    "like": {
        "contains": ("containing", "contains", "contain", "including", "includes", "include", "with the word", "with the words", "like", "with the string", "the word", "the phrase", "the substring", "the letters"),
        "starts": ("starting with", "starts with", "start with", "beginning with", "begins with", "begin with", "starting with the letter", "starts with the letter", "start with the letter", "begin with the letter", "begins with the letter", "beginning with the letter"),
        "ends": ("ending with", "ends with", "end with", "ending in", "ends in", "end in"),
    },
    "share": {"": ("share of", "percentage of", "percent of", "proportion of", "fraction of", "what share of", "what percentage of", "what percent of", "what proportion of", "what fraction of", "% of", "as a share", "as a percentage", "share of total", "percentage of total", "as a share of the total", "as a percentage of the total", "share of the total", "percentage of the total", "as share", "in percent", "share of all", "percentage of all")},
    "versus": {"": ("versus", "vs", "compared to", "compared with", "against", "in comparison to", "in comparison with", "relative to")},
    "comparison": {"": ("compare",)},
    "star": {"": ("all the information", "all information", "everything", "all details", "all the details", "every detail", "full details", "details", "all columns", "information", "all the info", "complete information", "all data", "all the data")},
    "trend": {"": ("trend", "over time", "development", "evolve", "evolved", "trending", "time series", "history of")},
    "than": {"": ("than", "than the", "than that of")},
    "worth": {"": ("worth", "valued at", "costing", "priced at")},
    "exist": {"": ("is there", "are there any", "is there any", "do we have any", "does any", "do any", "is there a", "have any of", "were there any", "did any", "has any", "was there any", "are any", "is any")},
    "null": {"null": ("is missing", "is unknown", "is empty", "is null", "are missing", "are unknown", "are empty", "are null", "unknown", "null"), "not null": ("is known", "are known", "is not missing", "is not null", "not null")},
}  # fmt: skip

GRAINS: dict[str, str] = {
    "day": "day", "daily": "day", "week": "week", "weekly": "week", "month": "month", "monthly": "month", "quarter": "quarter",
    "quarterly": "quarter", "year": "year", "yearly": "year", "annual": "year", "annually": "year", "weekday": "weekday",
    "hour": "hour", "hourly": "hour",
}  # fmt: skip
LONG_GRAINS: dict[tuple[str, ...], str] = {
    ("month", "of", "the", "year"): "month of year", ("day", "of", "the", "week"): "weekday", ("calendar", "month"): "month",
    ("day", "of", "week"): "weekday", ("hour", "of", "the", "day"): "hour", ("hour", "of", "day"): "hour",
}  # fmt: skip

NOISE = frozenset(
    """a an the is are was were be been being do does did done have has had having i me we us our my you your please show list give find
    return display tell get what what's which who whom how can could would should will shall may might there here it its they them their he she
    his her this that these those all any some just only also too so then so far than such as ones one's each's respective respectively corresponding
    available overall exist exists existing see want know like need let's lets provide report calculate compute determine identify retrieve
    fetch count's results result answer query currently current ever's entire whole let us if whether up out off s d ll re ve record records
    recorded entry entries row rows table database data dataset well back away anything yet already actually really own per's along together corresponding name's
    associated related given whichever whatever instead now again different's listed value values particular certain various single more's
    including's kind's much many most's ok okay hi hello thanks thank number's both's either's come comes coming ' times time""".split()
)
"""Words that change nothing in what is asked."""

NOUNS = frozenset(
    "record records entry entries row rows table list value values result results data report time times count display show".split()
)
"""Of these words, those that a table or column may well be called."""

LIGHT_VERBS = frozenset(
    """mak plac receiv got get giv bring brought belong locat liv work serv hav own use hold contain includ offer tak happen occur host
    involv appear exist sell buy purchas order do did run play go be associat bas situat rais keep do affiliat speak spok creat produc carry
    cover attend visit employ perform participat engag mention live find assign register ship deliver perform record generat own compris
    consist show present publish writ know call origin send stem reside stay treat teach hir win earn spend pay charg feature host provid
    supervis manag lead teach operat complet undergo submit lend borrow rent schedul book enrol enroll join work com""".split()
)
"""Stems of verbs that only tie two things together; the foreign keys say how."""
