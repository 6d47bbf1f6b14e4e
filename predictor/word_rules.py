"""Rules of whole words: a first opinion of a text before anything was learned.

Words, not stretches of letters: "Download" holds no "down", "feedback" no "db".
"""

from functools import lru_cache
from math import exp
from typing import NamedTuple

from predictor import lexicon
from predictor.priors import URGENCIES
from predictor.text import Text, words_of

STRONG, WEAK = 1.0, 0.5
MOST = 3.0  # that all words together say for one label, in ln odds
REACH = 3  # words a negation reaches forward
NAME = 1.5  # for a text with the whole name of a label


class Hit(NamedTuple):
    """A word, or the first word of a phrase, that speaks for a label."""

    place: int  # of the word in its text
    urgency: bool  # or else a category of the default set
    label: str  # in small letters
    weight: float


def classify(text: Text, labels: tuple[str, ...]) -> tuple[str | None, str | None, float]:
    """Category and urgency the rules would give, None where no word speaks; how sure of the category, 0 to 1."""
    words = words_of(text)
    said = scores(words, hits(words), labels)
    category, urgency = said[: len(labels)], said[len(labels) :]
    best = max(category, default=0.0)
    strength = exp(best) / sum(map(exp, category)) if best else 0.0
    return (
        labels[category.index(best)] if best else None,
        URGENCIES[urgency.index(max(urgency))] if max(urgency) else None,
        strength,
    )


def hits(words: list[str]) -> list[Hit]:
    """What each word of a text speaks for; a phrase is heard instead of the words in it."""
    found: list[Hit] = []
    rehearsed = not lexicon.REHEARSALS.isdisjoint(words)
    end = 0  # of the phrase heard last
    for place in [place for place, word in enumerate(words) if word in _PHRASES]:
        if place < end:
            continue
        size, says = _longest(words, place)
        for urgency, label, weight in says:
            if label == "high" and urgency and (rehearsed or _negated(words, place)):
                label = "low"
            found.append(Hit(place, urgency, label, weight))
        end = place + size
    return found


def scores(words: list[str], found: list[Hit], labels: tuple[str, ...]) -> list[float]:
    """What all hits of a text say for labels and URGENCIES: labels + 3 numbers within 0 and MOST."""
    said: dict[tuple[bool, str], float] = {}
    for hit in found:
        said[hit.urgency, hit.label] = said.get((hit.urgency, hit.label), 0.0) + hit.weight
    text = f" {' '.join(words)} "
    out = [said.get((False, label.casefold()), 0.0) + (NAME if _named(label, text) else 0.0) for label in labels]
    out += [said.get((True, urgency), 0.0) for urgency in URGENCIES]
    return [min(one, MOST) for one in out]


def _longest(words: list[str], place: int) -> tuple[int, tuple[tuple[bool, str, float], ...]]:
    """How many words from place on are a phrase of the lexicon, and what it says; 1 and nothing if none are."""
    for phrase, says in _PHRASES[words[place]]:
        if words[place : place + len(phrase)] == phrase:
            return len(phrase), says
    return 1, ()


def _negated(words: list[str], place: int) -> bool:
    return not lexicon.NEGATIONS.isdisjoint(words[max(0, place - REACH) : place])


@lru_cache(maxsize=4096)
def _spaced(label: str) -> str:
    return f" {' '.join(words_of(Text(label)))} "


def _named(label: str, text: str) -> bool:
    name = _spaced(label)
    return len(name) > 2 and name in text


def _phrases() -> dict[str, list[tuple[list[str], tuple[tuple[bool, str, float], ...]]]]:
    """The lexicon by first word, longer phrases before shorter ones."""
    says: dict[tuple[str, ...], list[tuple[bool, str, float]]] = {}
    for urgency, weight, lists in (
        (False, STRONG, lexicon.CATEGORY_STRONG),
        (False, WEAK, lexicon.CATEGORY_WEAK),
        (True, STRONG, lexicon.URGENCY_STRONG),
        (True, WEAK, lexicon.URGENCY_WEAK),
    ):
        for label, listed in lists.items():
            for phrase in listed.split(","):
                says.setdefault(tuple(phrase.split()), []).append((urgency, label, weight))
    first: dict[str, list[tuple[list[str], tuple[tuple[bool, str, float], ...]]]] = {}
    for words in sorted(says, key=len, reverse=True):
        first.setdefault(words[0], []).append((list(words), tuple(says[words])))
    return first


_PHRASES = _phrases()
