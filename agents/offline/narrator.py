"""Tells the rows in sentences, by rules: only what the rows and their SQL make sure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.offline.analyst import CHAIN
from agents.offline.meaning.naming import Naming
from agents.offline.reading.turns import bare
from agents.offline.telling.clues import Clues, read_clues
from agents.offline.telling.comparing import (
    by_time,
    calendar_key,
    difference,
    is_change,
    is_period,
    percent,
    total,
)
from agents.offline.telling.firsts import firsts_told
from agents.offline.telling.listing import nameless_rows
from agents.offline.telling.nouns import counted_rows
from agents.offline.telling.phrases import (
    TIED,
    begun,
    count_sentence,
    counted,
    listed,
    most_of,
    most_words,
    number_word,
    one,
    row_name,
    row_names,
    rows_at,
    said,
    value_sentence,
    within,
)
from agents.question import Draft, Question, Say
from tools.columns import Shape, direction, is_first_and_last_name, is_pair_unique, read_columns
from tools.sql_runner import Rows
from tools.wording import clean, is_finite, is_running, is_unfinished, name_tokens, say_number

NAMED = 5
"""How many rows a sentence names."""
FIELDS = 8
"""How many columns of a single row a sentence names."""

_YES_NO = re.compile(r"(is|are|was|were|do|does|did|has|have|had|can)\b", re.IGNORECASE)


class OfflineNarrator:
    """A `Narrator` that needs no model; by a schema's `naming` it knows what not to bend as English does."""

    def __init__(self, naming: Naming | None = None) -> None:
        self._foreign = naming if naming is not None and not naming.is_english else None

    async def narrate(self, question: Question, draft: Draft, rows: Rows, say: Say) -> None:
        """Say what the rows answer, a sentence at a time."""
        spoken = False
        for sentence in _Telling.of(question, draft, rows, self._foreign).sentences():
            await say(f" {begun(sentence)}" if spoken else begun(sentence))
            spoken = True


@dataclass(frozen=True)
class _Telling:
    """One answer about to be told."""

    question: Question
    draft: Draft
    rows: Rows
    columns: list[Shape]
    clues: Clues
    foreign: Naming | None
    """The schema's names, where they are not English."""

    @classmethod
    def of(cls, question: Question, draft: Draft, rows: Rows, foreign: Naming | None) -> _Telling:
        clues = read_clues(draft.sql)
        if len(clues.functions) != len(rows.columns):
            clues = Clues()
        return cls(question, draft, rows, read_columns(rows), clues, foreign)

    def sentences(self) -> Iterator[str]:
        count = len(self.rows.values)
        if not count:
            yield from self._nothing()
        elif count == 1:
            yield from self._single_row()
        elif firsts := list(self._firsts()):
            yield from firsts
        elif told := nameless_rows(self.columns, self.clues, self.rows.truncated):
            yield told
        elif self.rows.truncated:
            yield from self._cut_short()
        else:
            yield from self._several()

    def _firsts(self) -> Iterator[str]:
        if (ranked := self.clues.ranked) is not None:
            words = self._words(self.columns[ranked.by])
            yield from firsts_told(self.columns, ranked, self.clues, words, self.rows.truncated, self.foreign)

    def _nothing(self) -> Iterator[str]:
        reading = self.draft.reading.strip().rstrip("?.! ")
        yield f"No rows match: {clean(reading)}." if reading else "No rows match."
        yield from (clean(assumption) for assumption in self.draft.assumptions)

    def _single_row(self) -> Iterator[str]:
        row = self.rows.values[0]
        measures = [c for c in self.columns if c.role == "measure"]
        labels = [c for c in self.columns if c.role != "measure"]
        labels = self._labels() if len(labels) == 2 and len(self._labels()) == 1 else labels
        if len(row) == 1:
            yield self._single_value(self.columns[0], row[0])
        elif compared := self._compared():
            yield from self._two_numbers(*compared)
        elif len(labels) == 1 and len(measures) == 1 and labels[0].role != "empty":
            yield self._one_of_its_kind(labels[0], measures[0])
        else:
            yield self._fields(row)

    def _single_value(self, shape: Shape, value: Any) -> str:
        words = within(shape.words)
        if value is None:
            return f"There is no value for the {words}: nothing that matches holds one."
        if isinstance(value, bool):
            return "Yes." if value else "No."
        text = said(shape, value)
        if self.clues.function(0) in ("count", "distinct") and _YES_NO.match(self.draft.reading):
            return f"Yes: {text}." if value else "No, there are none."
        *before, changed = self.draft.reading.split(CHAIN)
        for question in (changed, self.question.text):
            sentence = count_sentence(question, text) if shape.role == "measure" else None
            if sentence := sentence or value_sentence(question, text):
                return sentence
        if before and not set(bare(changed).lower().strip("?.! ").split()) <= {"the", *words.split()}:
            # The first question's words name what was changed since: "customers live in Porto" of those in Lisbon.
            return f"{clean(bare(changed)).rstrip('?.! ')}: the {words} is {text}."
        if self.clues.function(0) == "distinct" and words.startswith("different "):
            return f"There is 1 {one(words)}." if value == 1 else f"There are {text} {words}."
        return f"The {words} is {text}."

    def _one_of_its_kind(self, label: Shape, measure: Shape) -> str:
        name, value = said(label, label.values[0]), measure.values[0]
        amount = said(measure, value)
        words = self._words(measure)
        if value is None:
            return f"{name} has no value for {words}."
        if self.clues.ordered_by == measure.position and self.clues.partial:
            if most := most_words(self.draft.reading):
                return f"{name} {most}, with {amount}."
            return f"{name} has the {most_of('highest' if self.clues.descending else 'lowest', words)}: {amount}."
        return f"{name}: the {words} is {amount}."

    def _fields(self, row: Sequence[Any]) -> str:
        parts = [f"{within(c.words)} {said(c, v)}" for c, v in zip(self.columns, row, strict=True)]
        more = len(parts) - FIELDS
        shown = parts[:FIELDS] + ([f"{more} more {'column' if more == 1 else 'columns'}"] if more > 0 else [])
        return f"One row matches: {listed(shown)}."

    def _compared(self) -> tuple[Shape, Shape] | None:
        """Return the columns of the newer and the older period, where the answer sets two side by side."""
        sides = [c for c in self.columns if c.role == "measure" and not is_change(c)]
        changes = [c for c in self.columns if c.role == "measure" and is_change(c)]
        if len(sides) != 2 or not (changes or all(is_period(c) for c in sides)):
            return None
        return by_time(sides, changes, self.question.today)

    def _two_numbers(self, newer: Shape, older: Shape) -> Iterator[str]:
        after, before = newer.values[0], older.values[0]
        names = clean(newer.words), within(older.words)
        if not is_finite(after) or not is_finite(before):
            yield f"{names[0]}: {said(newer, after)}; {names[1]}: {said(older, before)}."
            return
        yield f"{names[0]}: {said(newer, after)}; {names[1]}: {said(older, before)}."
        yield f"That is {difference(newer, before, after)}."
        yield from self._running(newer)

    def _compared_groups(self, label: Shape, newer: Shape, older: Shape) -> Iterator[str]:
        moves = [
            (float(after) - float(before), n)
            for n, (after, before) in enumerate(zip(newer.values, older.values, strict=True))
            if is_finite(after) and is_finite(before)
        ]
        yield f"{clean(newer.words)} against {within(older.words).removeprefix('in ')}, for {self._how_many(label)}."
        for (change, n), word in ((max(moves), "rise"), (min(moves), "fall")):
            if (change > 0) == (word == "rise") and change:
                before, after = older.values[n], newer.values[n]
                move = f"from {said(older, before)} to {said(newer, after)}{percent(before, after)}"
                yield f"The largest {word} is {row_name(label, n)}: {move}."
        yield from self._running(newer)

    def _running(self, newer: Shape) -> Iterator[str]:
        """Say that "this quarter" will still grow, where it does."""
        tokens = name_tokens(newer.name)
        if len(tokens) == 2 and tokens[0] in ("this", "current") and is_running(tokens[1], self.question.today):
            yield f"{newer.words} is not over yet."

    def _several(self) -> Iterator[str]:
        measures = [c for c in self.columns if c.role == "measure" and any(map(is_finite, c.values))]
        labels, compared = self._labels(), self._compared()
        if not measures or not 1 <= len(labels) <= 2:
            yield self._things()
        elif len(labels) == 2:
            computed = self._is_computed(measures) and is_pair_unique(*labels)
            yield from self._crossed(labels, self._chief(measures)) if computed else [self._things()]
        elif compared and any(
            is_finite(a) and is_finite(b) for a, b in zip(*(c.values for c in compared), strict=True)
        ):
            yield from self._compared_groups(labels[0], *compared)
        elif labels[0].role == "time" and labels[0].is_unique:
            yield from self._over_time(labels[0], self._chief(measures))
        else:
            yield from self._groups(labels[0], self._chief(measures))

    def _labels(self) -> list[Shape]:
        """Return the columns that say what a row is about; a first and a last name are one."""
        labels = [c for c in self.columns if c.role in ("group", "time", "cycle")]
        labels = labels or [c for c in self.columns if c.role == "id"][:1]
        if len(labels) > 1 and is_first_and_last_name(labels[0].name, labels[1].name):
            names = zip(labels[0].values, labels[1].values, strict=True)
            whole = tuple(" ".join(str(part) for part in pair if part is not None) or None for pair in names)
            return [replace(labels[0], words="Name", values=whole), *labels[2:]]
        if len(labels) > 1 and labels[0].is_unique and labels[0].role == "group":
            return labels[:1]  # The others describe it: a product's category.
        return labels

    def _is_computed(self, measures: list[Shape]) -> bool:
        return self.clues.function(self._chief(measures).position) is not None

    def _chief(self, measures: list[Shape]) -> Shape:
        """Return the measure that the rows are sorted by, or else the first."""
        ordered = next((m for m in measures if m.position == self.clues.ordered_by), None)
        return ordered or next((m for m in measures if direction(m)), measures[0])

    def _groups(self, label: Shape, measure: Shape) -> Iterator[str]:
        known = [(v, n) for n, v in enumerate(measure.values) if is_finite(v)]
        words = self._words(measure)
        values = [v for v, _ in known]
        if len(values) > 1 and min(values) == max(values):
            yield f"{self._how_many(label, capital=True)} have the same {words}: {said(measure, values[0])}."
        elif self._is_ranked(measure):
            yield from self._ranking(label, measure)
        else:
            high, low = (rows_at(measure, end([v for v, _ in known])) for end in (max, min))
            yield f"There are {self._how_many(label)}."
            have = f"{row_names(label, high, capital=True)} {'has' if len(high) == 1 else 'have'}"
            yield (
                f"{have} the {most_of('highest', words)}, {said(measure, measure.values[high[0]])}; "
                f"{row_names(label, low)} the lowest, "
                f"{said(measure, measure.values[low[0]])}."
            )
        yield from self._missing(measure)
        yield from self._together(label, measure)

    def _is_ranked(self, measure: Shape) -> bool:
        if self.clues.ordered_by is not None:
            return self.clues.ordered_by == measure.position and None not in measure.values
        return direction(measure) is not None

    def _ranking(self, label: Shape, measure: Shape) -> Iterator[str]:
        numbers = measure.values
        descending = self.clues.descending if self.clues.ordered_by is not None else numbers[0] >= numbers[-1]
        ties = [n for n, v in enumerate(numbers) if v == numbers[0]]
        words, amount = self._words(measure), said(measure, numbers[0])
        most = most_words(self.draft.reading) if descending or "most" not in self.draft.reading else None
        superlative = most_of("highest" if descending else "lowest", words)
        rest = [n for n in range(len(numbers)) if n >= len(ties)][: max(NAMED - len(ties), 1)]
        followed = listed([f"{row_name(label, n)} ({said(measure, numbers[n])})" for n in rest])
        if len(ties) > 1:
            named = listed(
                [row_name(label, n) for n in ties[:NAMED]]
                + ([f"{len(ties) - NAMED} more"] if len(ties) > NAMED else [])
            )
            yield f"{named} have the {superlative}, {amount} each, followed by {followed}."
        elif most:
            yield f"{row_name(label, 0)} {most} with {amount}, followed by {followed}."
        else:
            yield f"{row_name(label, 0)} has the {superlative} with {amount}, followed by {followed}."
        last = len(numbers) - 1
        if rest[-1] < last and not self.rows.truncated:
            end = f"{row_name(label, last)} with {said(measure, numbers[last])}"
            yield f"The last of the {number_word(len(numbers))} is {end}."

    def _together(self, label: Shape, measure: Shape) -> Iterator[str]:
        """Say the total, and the greatest part of it, where adding up makes sense."""
        numbers = [v for v in measure.values if is_finite(v)]
        if not self.clues.adds_up(measure.position) or self.rows.truncated or len(numbers) < 2:
            return
        whole = total(numbers)
        who = f"the {number_word(len(measure.values))}"
        share = ""
        if not self.clues.partial and min(numbers) >= 0 and whole:
            greatest = measure.values.index(max(numbers))
            part = say_number(float(measure.values[greatest]) / float(whole), "fraction")
            share = f", of which {row_name(label, greatest)} is {part}"
        yield f"Together {who} come to {self._sum(measure, numbers)}{share}."

    def _missing(self, measure: Shape) -> Iterator[str]:
        missing = sum(not is_finite(v) for v in measure.values)
        if missing:
            yield f"For {number_word(missing)} of them there is no {self._words(measure)}."

    def _over_time(self, when: Shape, measure: Shape) -> Iterator[str]:
        points = sorted(
            ((w, v) for w, v in zip(when.values, measure.values, strict=True) if w is not None and is_finite(v)),
            key=lambda p: calendar_key(p[0]),
        )
        if len(points) < 2:
            yield self._things()
            return
        unfinished = is_unfinished(points[-1][0], when.grain, self.question.today)
        whole = points[:-1] if unfinished and len(points) > 2 else points
        (first, before), (last, after) = whole[0], whole[-1]
        words = self._words(measure)
        words = words[:1].upper() + words[1:]
        yield (
            f"{words} went from {said(measure, before)} in {said(when, first)} to {said(measure, after)} in "
            f"{said(when, last)}: {difference(measure, before, after)}."
        )
        if len(whole) > 2:
            yield " ".join(self._ends(when, measure, whole))
        if unfinished:
            yield f"{said(when, points[-1][0])} is not over yet: {said(measure, points[-1][1])} so far."
        yield from self._missing(measure)
        yield from self._summed(when, measure, [v for _, v in points])

    def _ends(self, when: Shape, measure: Shape, points: list[tuple[Any, Any]]) -> Iterator[str]:
        values = [v for _, v in points]
        for word, end in (("The highest was", max(values)), ("the lowest", min(values))):
            at = [said(when, w) for w, v in points if v == end]
            named = listed(at) if len(at) <= TIED else f"{number_word(len(at))} of them"
            yield f"{word} {named} with {said(measure, end)}{',' if word[0] == 'T' else '.'}"

    def _summed(self, when: Shape, measure: Shape, numbers: list[Any]) -> Iterator[str]:
        if self.clues.adds_up(measure.position) and len(numbers) > 2:
            unit = when.grain if when.grain in ("day", "week", "month", "quarter", "year") else "row"
            yield f"The {counted(len(numbers), unit)} come to {self._sum(measure, numbers)} in all."

    def _crossed(self, labels: list[Shape], measure: Shape) -> Iterator[str]:
        known = [(v, n) for n, v in enumerate(measure.values) if is_finite(v)]
        words = self._words(measure)

        def at(rows: list[int]) -> str:
            if len(rows) > 1:
                return f"{number_word(len(rows))} of them"
            return " and ".join(row_name(label, rows[0]) for label in labels)

        high, low = (rows_at(measure, end([v for v, _ in known])) for end in (max, min))
        each = listed([counted_rows(c.distinct, c, self.clues, self.foreign) for c in labels])
        yield f"The rows cover {each}."
        yield (
            f"The {most_of('highest', words)} is {said(measure, measure.values[high[0]])}, for {at(high)}; "
            f"the lowest is {said(measure, measure.values[low[0]])}, for {at(low)}."
        )
        yield from self._missing(measure)
        if self.clues.adds_up(measure.position):
            yield f"All of them come to {self._sum(measure, [v for v, _ in known])}."

    def _words(self, measure: Shape) -> str:
        words = within(measure.words)
        counts = self.clues.function(measure.position) in ("count", "distinct")
        return f"number of {words}" if counts and not re.search(r"\b(count|number|total)\b", words) else words

    def _sum(self, measure: Shape, numbers: Sequence[Any]) -> str:
        return say_number(total(numbers), measure.unit, measure.decimals)

    def _things(self) -> str:
        """Return how many things there are, and the first of them by name."""
        label = self._label()
        count = len(label.values)
        names = [row_name(label, n) for n in range(min(NAMED, count))]
        more = [f"{count - len(names):,} more"] if count > len(names) else []
        return f"There are {self._how_many(label)}: {listed(names + more)}."

    def _label(self) -> Shape:
        """Return the column that names the rows best."""
        labels = self._labels()
        return next((c for c in labels if c.role == "group"), labels[0] if labels else self.columns[0])

    def _cut_short(self) -> Iterator[str]:
        count = len(self.rows.values)
        yield f"There are more rows than fit: these are the first {count:,}."
        measures = [c for c in self.columns if c.role == "measure"]
        labels = self._labels()
        ordered = next((m for m in measures if m.position == self.clues.ordered_by), None)
        if ordered and labels and None not in ordered.values and len(set(ordered.values)) > 1:
            yield from self._ranking(labels[0], ordered)
            return
        label = self._label()
        if not label.is_unique:
            return  # "store, store and store" names no row
        yield f"They begin with {listed([row_name(label, n) for n in range(min(NAMED, count))])}."

    def _how_many(self, label: Shape, capital: bool = False) -> str:
        count = len(label.values)
        rows = counted_rows(count, label, self.clues, self.foreign) if label.is_unique else counted(count, "row")
        return f"{'All ' if capital else ''}{rows}".replace("All 2 ", "Both ")
