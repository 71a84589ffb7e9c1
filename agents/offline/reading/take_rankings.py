"""Reads what ranks first or last: the most, the highest, the oldest, top 5."""

from __future__ import annotations

from agents.offline.english.vocabulary import ADJECTIVES, GRADES, PEOPLE, SOLD
from agents.offline.english.words import singular
from agents.offline.meaning.items import Item
from agents.offline.meaning.lexicon import EXACT
from agents.offline.meaning.resolving import NotUnderstood, stem_of_adjective
from agents.offline.plan import Col, Measure
from agents.offline.reading.ranked_later import is_ranked_later, take_limit
from agents.offline.reading.ranked_latest import is_dated, show_latest
from agents.offline.reading.reader import Ranking, Reader
from agents.offline.reading.take_days import days_taken
from agents.offline.reading.take_events import event_between
from agents.offline.reading.take_measures import EXTREMES, beats, is_key, rank_by, second_noun, take_functions
from agents.offline.reading.take_money import brought_in, sold_in_file, sold_lines, sold_of, take_money

ONLY_FIRST = "Only the first is shown: say how many you want, like “the top 5”."
_COMMON = frozenset({"most common", "most frequent", "least common"})
_OFTEN = frozenset({"most often", "least often", "most frequently"})
_POPULAR = frozenset({"popular", "common", "frequent", "busy"})
_SIZES = frozenset({"large", "big", "small"})
"""What may be large by anything: by what is said after "by"."""
_COUNTED = frozenset({"most", "fewest", "least", "highest", "largest", "lowest"})
"""Words that, before a table's name, rank by how many of its rows there are."""
_ENDS_OF_SALES = frozenset({"best", "top", "worst", "bottom", "lowest", "least"})
_TOP = 10
"""How many are shown where somebody asks for the top customers without a number."""


def take_superlative(r: Reader) -> None:
    """the most X, the highest X, the 3 oldest X, top 5 X"""
    before = r.peek(-1)
    item = r.take()
    if r.ranking is not None and r.ranking.by is not None:
        raise NotUnderstood(f"I can rank by one thing only: leave out the first or “{item.text}”.")
    if item.text in EXTREMES and r.next_is("and") and r.next_is("superlative", "aggregate", ahead=1):
        take_functions(r, ["max" if item.value[0] else "min"])  # "the highest, lowest and average price"
        return
    descending: bool = item.value[0]
    adjective: str = item.value[1]
    limit, counted = 1, r.asked_limit is not None or r.next_is("number")
    if r.asked_limit is not None:
        limit, r.asked_limit = r.asked_limit, None
    if r.next_is("number"):
        limit = take_limit(r)
    elif before is not None and before.kind == "number" and before.value and not _used_number(before, r):
        limit = int(before.value)
    following = r.peek()
    if item.text == "top" and following is not None and following.kind == "superlative":
        descending, adjective = r.take().value  # "top 3 lowest"
    if r.further and item.text == "top" and limit > 1 and r.peek() is None and r.measures and r.ranking is None:
        r.ranking = Ranking(descending, limit)
        r.ranking.by = r.measures[0]  # "how many users does each account have? Show the top 10"
        return
    r.skip("of")
    if limit == 1 and r.ranking is not None and r.ranking.by is None:
        limit = r.ranking.limit  # "the top 5 domains with the highest number of authors"
    if limit < 1:
        raise NotUnderstood(f"I cannot show {limit} of them.")
    if limit == 1 and not counted and _asks_for_several(r):
        r.assumptions.append(ONLY_FIRST)
    summed = item.text in {"most", "fewest", "least"}
    _ranked(r, Ranking(descending, limit, summed=summed, word=item.text), adjective, item)


def show_several(r: Reader) -> None:
    """Show ten where the best are asked for in the plural, and no number is said."""
    if r.ranking is not None and r.ranking.limit == 1 and ONLY_FIRST in r.assumptions:
        r.ranking.limit = _TOP
        r.assumptions.remove(ONLY_FIRST)


def _asks_for_several(r: Reader) -> bool:
    """Whether the question asks for rows in the plural: "which customers spent the most"."""
    named = next((i for i in r.items if i.kind == "name" and r.resolver.table(i) == r.subject), None)
    last = named.text.lower().split()[-1] if named is not None else ""
    return singular(last) != last


def _used_number(number: Item, r: Reader) -> bool:
    before = r.peek(-3)
    return before is not None and before.kind in {"compare", "comparative", "between"}


def _ranked(r: Reader, ranking: Ranking, adjective: str, word: Item) -> None:
    item = r.peek()
    if item is not None and item.kind in {"count", "aggregate", "rate"}:
        r.ranking = ranking
    elif _ranked_by_verb(r, ranking, adjective, word) or _best_selling(r, ranking, word):
        return
    elif item is not None and item.kind == "name" and (word.text in _COMMON or _is_popular_kind(r, word, item)):
        _most_common(r, ranking, item)
    elif item is None or item.kind not in {"name", "verb", "unknown"}:
        _rank_by_degree(r, ranking, adjective, word)
    else:
        _ranked_by_noun(r, ranking, adjective, word, item)


def _ranked_by_verb(r: Reader, ranking: Ranking, adjective: str, word: Item) -> bool:
    """earned the most, were returned most, loaned most often: the verb says what is added or counted"""
    verb, often = r.peek(-2), word.text in _OFTEN
    if verb is None or verb.kind not in {"verb", "name"}:
        verb = None
    if often or (not adjective and _ends_here(r.peek())):
        counted = r.resolver.table(verb) if verb is not None else None
        if counted is not None and (often or counted != r.subject):
            r.ranking = ranking
            rank_by(r, Measure("count", counted))
            return True
        if often:
            raise r.not_understood(word)
    if adjective or verb is None or r.pending is not None or _ranks_noun(r):
        return False
    if verb.stem in SOLD and _ends_here(r.peek()) and (sold := _most_sold(r)) is not None:
        r.ranking = ranking
        rank_by(r, sold)
        return True
    if not r.resolver.is_money(verb.text):
        return False
    r.items.insert(r.at, verb)
    r.ranking = ranking
    rank_by(r, take_money(r))
    return True


def _most_sold(r: Reader) -> Measure | None:
    """Return how many pieces were sold of what is sold itself, and what everybody and everything else brought in."""
    lines = sold_lines(r)
    if lines is None and (sold := sold_in_file(r)) is not None:
        return sold
    if lines is None or any(i.kind == "per" for i in r.items):
        return None
    itself = any(s.target == r.subject and s.to_one for s in r.joins.steps_from(lines))
    pieces = r.resolver.pieces(r.subject) if itself else None
    if pieces is not None:
        r.assumptions.append(f"What was sold is the sum of {pieces.table}.{pieces.column}.")
        return pieces
    return brought_in(r)


def _best_selling(r: Reader, ranking: Ranking, word: Item) -> bool:
    """best-selling, worst performing"""
    item = r.peek()
    if word.text not in _ENDS_OF_SALES or item is None or item.stem not in {"sell", "perform"}:
        return False
    by = brought_in(r) if item.stem == "perform" else None
    if item.stem == "perform" and by is None:
        return False
    r.take()
    r.ranking, r.best_selling = ranking, by is None
    following = r.peek()
    if following is not None and r.resolver.table(following) == r.subject:
        r.take()
        r.subject_named = True
    show_several(r)
    if by is not None:
        rank_by(r, by)
    return True


def _ranked_by_noun(r: Reader, ranking: Ranking, adjective: str, word: Item, item: Item) -> None:
    table = r.resolver.table(item)
    best = max((m.score for m in item.columns), default=0.0)
    own = (
        table is not None
        and table in (r.subject, r.scope.entity)
        and max((m.score for m in item.tables), default=0.0) >= best
    )
    column = r.resolver.column(item, r.context) if item.columns and not own else None
    if column is not None and _is_flag_of_next(r, column):
        r.take()
        r.compare(column, "=", r.resolver.yes(column) or 1)  # "the cheapest organic product"
        _ranked(r, ranking, adjective, word)
    elif r.resolver.is_money(item.text) and not own and not _exact_number(r, item):
        r.ranking = ranking
        rank_by(r, take_money(r))
    elif column is not None and (table is None or beats(item)):
        _rank_by_column(r, ranking, column, adjective, item, word)
    elif table is not None and not own and word.text in _COUNTED:
        r.take()
        r.ranking = ranking
        rank_by(r, sold_of(r, Measure("count", event_between(r, r.subject, table) or table)))
    elif table is not None and own and ranking.summed and (r.columns or r.groups) and not r.subject_named:
        r.take()
        r.ranking = ranking
        rank_by(r, Measure("count", table))  # "which town has the most branches"
    elif table is not None or item.values:
        _rank_rows(r, ranking, adjective, word, own)
    else:
        raise r.not_understood(item)


def _is_flag_of_next(r: Reader, column: Col) -> bool:
    """Whether a column of yes and no stands before the rows that it is a column of."""
    item, rows = r.peek(), r.peek(1)
    beside = item is not None and rows is not None and rows.kind == "name" and r.touches(item, rows)
    table = r.resolver.table(rows) if rows is not None and beside else None
    return table == column.table and r.resolver.yes(column) is not None


def _rank_rows(r: Reader, ranking: Ranking, adjective: str, word: Item, own: bool) -> None:
    """the oldest customer, top 5 customers: what they are ranked by is the adjective's, or still to come"""
    r.ranking = ranking
    item = r.peek()
    if own and item is not None and item.tables:
        table = r.resolver.table(r.take())
        r.subject_named = r.subject_named or table == r.subject
    if adjective:
        _rank_by_degree(r, ranking, adjective, word)
    elif word.text not in {"top", "best", "bottom", "worst", "most", "highest", "lowest"}:
        raise r.not_understood(word)


def _ends_here(item: Item | None) -> bool:
    return item is None or item.kind in {"period", "in"}


def _ranks_noun(r: Reader) -> bool:
    item = r.peek()
    return item is not None and item.kind == "name" and bool(item.tables or item.columns)


def _most_common(r: Reader, ranking: Ranking, item: Item) -> None:
    """the most common reasons: each value of a column with how often it occurs; one of them where one is asked for"""
    column = r.resolver.column(item, r.context) if item.columns else None
    if column is None:
        raise r.not_understood(item)
    r.take()
    r.columns.append(column)
    r.subject = column.table
    if r.lexicon.is_flat and r.lexicon.column(column).nullable:
        r.compare(column, "not null")  # a comment that nobody wrote is none
    if ranking.limit == 1 and item.text.lower().endswith("s"):
        ranking.limit = 0
        if ONLY_FIRST in r.assumptions:
            r.assumptions.remove(ONLY_FIRST)
    r.ranking = ranking
    ranking.by = Measure("count", column.table)


def _rank_by_column(r: Reader, ranking: Ranking, column: Col, adjective: str, item: Item, word: Item) -> None:
    r.take()
    graded = GRADES & set(r.naming.column(column.table, column.name))
    ranking.averaged = bool(graded) and (item.text.lower() == "rated" or word.text in {"best", "worst"})
    if word.text in {"most", "fewest", "least"} and "year" in r.naming.column(column.table, column.name):
        raise r.not_understood(item)
    comparable = r.resolver.is_numeric(column) or r.lexicon.column(column).kind == "date"
    if r.lexicon.column(column).kind == "number" and not is_key(r, column) and is_dated(adjective):
        show_latest(r, ranking, column, adjective, word)
        return
    if not comparable or is_key(r, column):
        if r.head:  # "top 5 countries by …": what is ranked, not what by
            r.columns.append(column)
            r.ranking = ranking
            if stem_of_adjective(adjective) in {"slow", "fast"} and (days := days_taken(r, column.table)) is not None:
                ranking.descending = stem_of_adjective(adjective) == "slow"
                rank_by(r, days)
            elif adjective:
                raise r.not_understood(item)
            return
        raise NotUnderstood(f"I cannot rank by “{item.text}”: it is not a number.")
    if (
        r.head
        and not r.columns
        and not r.subject_named
        and not r.measures
        and not r.groups
        and ranking.limit == 1
        and not _ranks_rows(r)
    ):
        r.measures.append(Measure("max" if ranking.descending else "min", column.table, column.name))
        second_noun(r, r.measures[-1])
        return
    r.ranking = ranking
    rank_by(r, column)


def _ranks_rows(r: Reader) -> bool:
    """Whether a table's rows follow directly, or a kind of them: "highest rated movie", "best rated driver"."""
    item = r.peek()
    if item is None or item.kind != "name":
        return False
    kind = r.resolver.column(item, r.context) if item.columns and not item.values else None
    return r.resolver.table(item) is not None or (kind is not None and r.lexicon.column(kind).kind == "text")


def _rank_by_degree(r: Reader, ranking: Ranking, adjective: str, word: Item) -> None:
    """oldest, most expensive: by the column that the adjective is a degree of"""
    if r.pending is not None and r.resolver.is_numeric(r.pending):
        by, r.pending = r.pending, None  # "whose number of products is the largest"
        r.ranking = ranking
        rank_by(r, by)
        return
    if not adjective:
        if r.next_is("and") and r.next_is("superlative", ahead=1):
            r.take()
            return
        if r.next_is("grain") and any(i.kind == "by" for i in r.items[r.at :]):
            r.ranking = ranking  # "the best day by revenue": what by is still to come
            return
        raise r.not_understood(word)
    root = stem_of_adjective(adjective)
    if root in _POPULAR:
        _rank_by_popularity(r, ranking, root, word)
        return
    if root in _SIZES and is_ranked_later(r):
        r.ranking = ranking  # "the largest city by population"
        return
    tables = (r.scope.entity, r.subject) if r.scope.entity else (r.subject,)
    column = r.resolver.degree(adjective, [t for t in tables if t], r.verb) or _degree_nearby(r, adjective)
    ages = column is None and root in {"old", "young"} and not PEOPLE & set(r.naming.table(r.subject))
    since = r.resolver.year(r.subject) if ages else None
    column = column or since
    kind = len(r.columns) == 1 and not r.subject_named
    if column is None and kind and root in {"slow", "fast"} and (days := days_taken(r, r.subject)) is not None:
        ranking.descending = root == "slow"
        r.ranking = ranking
        rank_by(r, days)
        return
    if column is None:
        raise NotUnderstood(f"I do not know which column “{word.text}” is about: name it.")
    greatest = ADJECTIVES.get(root, (True, ()))[0]
    if (column == since or r.resolver.counts_back(column)) and root in {"old", "young", "serving"}:
        greatest = not greatest
    ranking.descending = greatest if ranking.descending or not word.text.startswith("least") else not greatest
    r.assumptions.append(f"“{word.text}” goes by {r.naming.tell_column(column.table, column.name)}.")
    r.ranking = ranking
    rank_by(r, column)


def _rank_by_popularity(r: Reader, ranking: Ranking, root: str, word: Item) -> None:
    """most popular, busiest: by how often something happened, where only one thing can be meant"""
    if any(i.kind == "by" for i in r.items[r.at :]):
        r.ranking = ranking  # "most popular by number of visits": what by is still to come
        return
    if root in {"popular", "busy"} and (counted := _only_event(r)) is not None:
        r.assumptions.append(f"“{word.text.capitalize()}” goes by the number of {r.naming.say_table(counted)}.")
        r.ranking = ranking
        rank_by(r, Measure("count", counted))
        return
    if root in {"popular", "common", "frequent"} and _is_kind(r):
        r.ranking = ranking
        rank_by(r, Measure("count", r.columns[0].table))
        return
    raise NotUnderstood(f"“{word.text}” can mean several things: say what should be counted.")


def _is_popular_kind(r: Reader, word: Item, item: Item) -> bool:
    """Whether "most popular" stands before a kind of something: "the most popular channel", not "product"."""
    if stem_of_adjective(word.value[1]) != "popular" or item.tables or not item.columns:
        return False
    column = r.resolver.column(item, r.context)
    return column is not None and _happens(r, column.table) and _tells_kinds(r, column)


def _is_kind(r: Reader) -> bool:
    """Whether a kind of the subject's rows is all that is shown: the most popular is that of most rows."""
    alone = len(r.columns) == 1 and not r.subject_named and not r.measures and r.columns[0].table == r.subject
    return alone and _happens(r, r.subject) and _tells_kinds(r, r.columns[0])


def _happens(r: Reader, table: str) -> bool:
    """Whether rows are what happened, like orders: of things like carriers, another table tells which are popular."""
    return r.resolver.date(table) is not None and r.naming.label(table) == (r.naming.key(table),)


def _tells_kinds(r: Reader, column: Col) -> bool:
    named = column.name in r.naming.label(column.table) or is_key(r, column)
    return r.lexicon.column(column).kind == "text" and not named


def _only_event(r: Reader) -> str | None:
    """Return the one table whose rows happen to the subject's rows: nothing else can be what makes one popular."""
    children = {s.target for s in r.joins.steps_from(r.subject) if not s.to_one and s.target != r.subject}
    dated = [t for t in children if any(c.kind == "date" for c in r.lexicon.table(t).columns)]
    return dated[0] if len(children) == 1 and dated else None


def _degree_nearby(r: Reader, adjective: str) -> Col | None:
    """Return the degree of rows that belong to the subject, where only a value was named: "the cheapest tea"."""
    if r.subject_named or r.scope.entity or r.measures or r.columns:
        return None
    children = [s.target for s in r.joins.steps_from(r.subject) if not s.to_one]
    column = r.resolver.degree(adjective, children, r.verb)
    if column is not None:
        r.subject = column.table
    return column


def _exact_number(r: Reader, item: Item) -> bool:
    return any(m.score >= EXACT and r.lexicon.column(m.col).kind == "number" for m in item.columns)
