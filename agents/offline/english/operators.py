"""The phrases that a question's grammar is made of, and the words that change nothing, as tables."""

from __future__ import annotations


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in text.split("|"))


OPERATORS: dict[str, dict[str, tuple[str, ...]]] = {
    # kind of item: {its value: the phrases that mean it}
    "count": {
        "rows": _phrases(
            """
            how many | number of | the number of | total number of | count of | count | total count of | numbers of |
            amount of | the total number of | quantity of | how often
            """
        ),
    },
    "how much": {
        "sum": _phrases("how much | how much money | how much in total"),
    },
    "aggregate": {
        "avg": _phrases("average | mean | avg | averages | on average"),
        "sum": _phrases("total | sum of | sum | combined | overall total | totals"),
        "max": _phrases("maximum | max"),
        "min": _phrases("minimum | min"),
        "median": _phrases("median"),
    },
    "distinct": {
        "": _phrases("different | distinct | unique"),
    },
    "per": {
        "": _phrases(
            """
            for each | for every | in each | of each | by each | per | each | every | in every | grouped by | group by
            | broken down by | break down by | split by | split up by | at each | from each | with each | on each |
            within each | to each | across all | across each | across | for each of | by every | among each | for the
            different
            """
        ),
    },
    "by": {
        "": _phrases("by | in terms of"),
    },
    "order": {
        "": _phrases(
            """
            ordered by | order by | sorted by | sort by | in order of | ranked by | rank by | sorted in | ordered in |
            arranged by | order them by | sort them by | order the results by | sort the results by | sort results by
            | that are ordered by | and sort by | order results by | sorted | sort | arranged in | rank | listed by |
            listed in | in the order of | ordered alphabetically | order the result by
            """
        ),
    },
    "direction": {
        "desc": _phrases(
            """
            descending | in descending order | in descending order of | from highest to lowest | highest first |
            descending order | in decreasing order | decreasing order of | from most to least | largest first | from
            the oldest to the youngest | from oldest to youngest | newest first | desc | from the highest to the
            lowest | most first | from largest to smallest | in decreasing order of | starting from the top | from
            best to worst | starting from the best | descending order of | from high to low
            """
        ),
        "asc": _phrases(
            """
            ascending | in ascending order | in ascending order of | alphabetically | in alphabetical order | in
            alphabetical order of | from lowest to highest | lowest first | ascending order | in increasing order |
            oldest first | alphabetical order | asc | from the lowest to the highest | from youngest to oldest | from
            the youngest to the oldest | smallest first | from least to most | from smallest to largest | in
            lexicographical order | ascending order of | increasing order of | in increasing order of | in alphabetic
            order | lexicographically | from low to high | in chronological order | chronologically | from earliest to
            latest
            """
        ),
    },
    "compare": {
        ">": _phrases(
            """
            more than | greater than | higher than | larger than | bigger than | above | over | exceeding | exceeds |
            exceed | > | better than | in excess of | beyond
            """
        ),
        ">=": _phrases(
            """
            at least | no less than | no fewer than | not less than | minimum of | a minimum of | >= | greater than or
            equal to | more than or equal to | or more than
            """
        ),
        "<": _phrases("less than | fewer than | lower than | smaller than | below | under | < | worse than"),
        "<=": _phrases(
            """
            at most | no more than | not more than | up to | maximum of | a maximum of | <= | less than or equal to |
            fewer than or equal to
            """
        ),
        "=": _phrases("exactly | equal to | equals | equal | = | precisely"),
        "!=": _phrases("not equal to | other than | <> | != | different from"),
    },
    "or more": {
        ">=": _phrases(
            """
            or more | or higher | or above | or greater | and above | or over | and over | and more | or older
            """
        ),
        "<=": _phrases("or less | or fewer | or lower | or below | or under | and below | or younger"),
    },
    "between": {
        "": _phrases("between | in between | ranging from | in the range of | in the range"),
    },
    "not": {
        "": _phrases(
            """
            not | no | never | without | without any | none | lacking | neither | nor | excluding | exclude | except |
            except for | not any | but not | missing | with no | non | no longer | did not ever | apart from | aside
            from | other than the
            """
        ),
    },
    "both": {
        "": _phrases("both"),
    },
    "and": {
        "": _phrases(
            """
            and | as well as | along with | and also | together with | plus | , | & | and the | along with the
            """
        ),
    },
    "or": {
        "": _phrases("or | either"),
    },
    "but": {
        "": _phrases("but | yet | however"),
    },
    "relative": {
        "": _phrases(
            """
            who | that | which | whose | where | whom | when | with whom | for which | for whom | in which | having |
            with
            """
        ),
    },
    "of": {
        "": _phrases(
            """
            of | for | for all | of all | of every | based on | of all the | for all the | 's | belonging to | about |
            regarding | on | to date | so far | until now | up to now | till now | right now | at the moment
            | at present
            """
        ),
    },
    "in": {
        "": _phrases(
            """
            in | at | within | from | to | into | during | inside | through | under the | out of | as | via | on the |
            named | called
            """
        ),
    },
    "like": {
        "contains": _phrases(
            """
            containing | contains | contain | including | includes | include | with the word | with the words | like |
            with the string | the word | the phrase | the substring | the letters
            """
        ),
        "starts": _phrases(
            """
            starting with | starts with | start with | beginning with | begins with | begin with | starting with the
            letter | starts with the letter | start with the letter | begin with the letter | begins with the letter |
            beginning with the letter
            """
        ),
        "ends": _phrases("ending with | ends with | end with | ending in | ends in | end in"),
    },
    "share": {
        "": _phrases(
            """
            share of | percentage of | percent of | proportion of | fraction of | what share of | what percentage of |
            what percent of | what proportion of | what fraction of | % of | as a share | as a percentage | share of
            total | percentage of total | as a share of the total | as a percentage of the total | share of the total
            | percentage of the total | as share | in percent | share of all | percentage of all
            """
        ),
    },
    "versus": {
        "": _phrases(
            """
            versus | vs | compared to | compared with | compare to | compare with |
            against | in comparison to | in comparison with | relative to
            """
        ),
    },
    "comparison": {
        "": _phrases("compare | break down | a breakdown of | break"),
    },
    "star": {
        "": _phrases(
            """
            all the information | all information | everything | all details | all the details | every detail | full
            details | details | all columns | information | all the info | complete information | all data | all the
            data
            """
        ),
    },
    "trend": {
        "": _phrases(
            """
            trend | develop | developed | change over time | over time | development | evolve | evolved | trending
            | time series | history of
            """
        ),
    },
    "than": {
        "": _phrases("than | than the | than that of"),
    },
    "aged": {
        "": _phrases("years old | year old | years of age"),
    },
    "how": {
        "old": _phrases("how old"),
        "long": _phrases("how long"),
        "tall": _phrases("how tall"),
        "heavy": _phrases("how heavy"),
        "large": _phrases("how big | how large"),
        "expensive": _phrases("how expensive"),
        "far": _phrases("how far"),
    },
    "worth": {
        "": _phrases("worth | valued at | costing | priced at"),
    },
    "exist": {
        "": _phrases(
            """
            is there | are there any | is there any | do we have any | does any | do any | is there a | have any of |
            were there any | did any | has any | was there any | are any | is any
            """
        ),
    },
    "null": {
        "null": _phrases(
            """
            is missing | is unknown | is empty | is null | are missing | are unknown | are empty | are null | unknown
            | null
            """
        ),
        "not null": _phrases("is known | are known | is not missing | is not null | not null"),
    },
}

GRADED = frozenset(
    "recent recently expensive popular populous populated common frequent frequently often costly".split()
)
"""Words that "most" and "least" make superlatives of."""

GRAINS: dict[str, str] = {
    "day": "day", "daily": "day", "week": "week", "weekly": "week", "month": "month", "monthly": "month",
    "quarter": "quarter", "quarterly": "quarter", "year": "year", "yearly": "year", "annual": "year",
    "annually": "year", "weekday": "weekday", "hour": "hour", "hourly": "hour",
    "days": "day", "weeks": "week", "months": "month", "quarters": "quarter", "years": "year", "hours": "hour",
    "weekdays": "weekday",
}  # fmt: skip
LONG_GRAINS: dict[tuple[str, ...], str] = {
    ("month", "of", "the", "year"): "month of year", ("day", "of", "the", "week"): "weekday",
    ("calendar", "month"): "month", ("day", "of", "week"): "weekday", ("hour", "of", "the", "day"): "hour",
    ("hour", "of", "day"): "hour", ("time", "of", "day"): "hour", ("time", "of", "the", "day"): "hour",
    ("days", "of", "the", "week"): "weekday", ("days", "of", "week"): "weekday", ("hours", "of", "the", "day"): "hour",
}  # fmt: skip

NOISE = frozenset(
    """
    a actually again all along already also an answer any anything are as associated available away back be been
    being both's calculate can certain come comes coming compute corresponding could count's current currently d
    data database dataset determine did different's display do does done each's either's entire entries entry ever's
    exist existing exists far fetch find get give given had has have having he hello her here hi his how i identify
    if including's instead is it its just kind's know let let's lets like list listed ll many may me might more's
    most's much my name's need now number's off ok okay one's ones only our out overall own particular per's please
    provide query re really record recorded records related report respective respectively result results retrieve
    return row rows s see shall she should show single so some such table tell than thank thanks that the their them
    then there these they this those time times together too up us value values various ve want was we well were
    what what's whatever whether which whichever who whole whom would yet you your among highly inclusive expected
    altogether ever kindly simply basically hey roughly
    approximately wonder wondering curious ourselves
    """.split()
)
"""Words that change nothing in what is asked."""

ROLES: dict[str, str] = {
    "depart": "start", "departur": "start", "leav": "start", "arriv": "end", "arrival": "end", "land": "end",
}  # fmt: skip
"""Stems of verbs that say on which side of something a place is."""

WEIGHTY = frozenset("available certain single expected far highly".split())
"""Of these words, those that say which rows are meant where they stand before a name: "available rooms"."""

NOUNS = frozenset(
    """
    record records entry entries row rows table list value values result results data report time times count display
    show
    """.split()
)
"""Of these words, those that a table or column may well be called."""

LIGHT_VERBS = frozenset(
    """
    affiliat appear assign associat attend bas be belong book borrow bring brought buy call carry charg com complet
    compris consist contain cover creat deliver did do earn employ engag enrol enroll exist feature find generat get
    giv go got happen hav hir hold host includ involv join keep know lead lend liv live locat mak manag mention
    occur offer operat order origin own participat pay perform plac play present produc provid publish purchas rais
    receiv record register rent reside run schedul sell send serv ship show situat speak spend spok stay stem submit
    supervis tak teach treat undergo use visit win work writ us correspond becom consider support
    study prescrib driv haul transport travel coach handl conduct attract draw account contribut distribut vary differ
    host log gather collect went scor
    """.split()
)
"""Stems of verbs that only tie two things together; the foreign keys say how."""

SORTINGS = frozenset(
    "ascending descending alphabetical alphabetic increasing decreasing lexicographical chronological reverse".split()
)
"""Words after "ordered in" that say how rows are sorted, not when or where something was ordered."""
