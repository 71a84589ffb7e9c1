"""Tells a question in another language from one in English, by the small words that every question has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from agents.offline.english.words import unaccented

# ruff: noqa: RUF001 (people type curly quotes)
ENGLISH_ONLY = (
    "Without a model only questions in English about this database are understood: "
    "ask one, or set OPENAI_API_KEY so that a model answers."
)

_ENOUGH = 2
"""Small words of another language that one question must hold: one alone may be a name."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|„[^“]*“|`[^`]*`")

_ENGLISH = frozenset(
    """
    and any are both by did does each every find from give had has have how it many much our show than that the their
    there they this those to were what when where which who whose why with without you your
    """.split()
)
"""Small words that only English has; Dutch and German share some."""
_OTHERS = tuple(
    frozenset(words.split())
    for words in (
        # German; "die", "was", "war", "in", "so", "an" and "am" are English words or names too
        """wie viele viel welche welcher welches welchen wer wann warum wo gibt es der die das den dem ein eine einen
        ist sind haben hat hatte wurde wurden nach pro je fur mit ohne aus und oder nicht alle zeige zeig liste nenne
        mir meisten wenigsten bei von im letzten diesem jahr monat was kostet uns""",
        """cuantos cuantas cuanto cuanta cual cuales que quien quienes donde cuando hay el la los las de del un una es
        son tiene tienen fueron por para con sin y muestra muestrame dame lista todos todas mas menos en ultimo este
        ano mes cada nuestros nuestras""",
        """combien quel quels quelle quelles qui ou quand pourquoi y a le la les l des du de un une est sont ont avec
        sans par pour et dans montre montrez affiche donne liste tous toutes plus moins dernier cette annee mois chaque
        il nos""",
        """quanti quante quanto quale quali chi dove quando ci sono il lo la i gli le di del della un una ha hanno con
        senza per e nel nella mostra mostrami elenca tutti tutte piu meno ultimo anno mese ogni nostri""",
        """quantos quantas quanto qual quais quem onde quando ha existem o os as um uma de do da dos das e sao tem com
        sem por para no na mostre liste todos todas mais menos ultimo este ano mes cada nossos""",
        """hoeveel welke welk wie waar wanneer waarom zijn er het de een is hebben heeft met zonder per voor en van in
        toon geef alle meeste minste vorig dit jaar maand elke onze""",
    )
)
"""Small words without accents, a language a line; what is English as well counts for none of them."""
_BOTH = frozenset(
    """
    a alle an as das de den des die do e el en es i in is la le les liste lo los man mes no o on or ou per plus pro
    so son un une was y
    """.split()
)
"""Small words that English has as well, or that stand in names of places and works."""


def is_in_another_language(question: str) -> bool:
    """Return whether a question is in another language, or in other letters, and not one small word is English."""
    words = [unaccented(word.lower()) for word in _WORD.findall(_QUOTED.sub(" ", question))]
    if not words or not _ENGLISH.isdisjoint(words):
        return False
    if sum(map(_is_in_other_letters, words)) * 2 > len(words):
        return True
    return any(_counted(words, small) >= _ENOUGH and not small.isdisjoint(set(words) - _BOTH) for small in _OTHERS)


def _counted(words: Iterable[str], small: frozenset[str]) -> int:
    return len({w for word in words for w in re.split("['’]", word)} & small)


def _is_in_other_letters(word: str) -> bool:
    return not unicodedata.name(word[0], "LATIN").startswith("LATIN")
