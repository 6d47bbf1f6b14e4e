"""Texts as sparse counts of hashed words, pairs of words and parts of words.

The hashing trick (Weinberger et al. 2009, https://arxiv.org/abs/0902.2206) needs no dictionary: a feature is a number
below FEATURES. Parts of words bridge endings, compounds and typing errors (Cavnar and Trenkle 1994). The hash of any
stretch of text is the difference of two prefix sums of a polynomial hash (Karp and Rabin 1987,
https://doi.org/10.1147/rd.312.0249), so that a few array operations hash all texts of a call together.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BUCKETS = 1 << 18  # of words and their pairs; as many again of parts of words
FEATURES = 2 * BUCKETS
LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_TYPE = 300, 2000, 40  # characters read of each
PART = 4  # characters of a part of a word, the space before or after the word included
TYPE_MARK = "\x01"  # before the type of a job, so that it is no word of its text

_WORD = re.compile(r"[^\W_]+")
_SPACE = ord(" ")
_AT_ONCE = 1 << 16  # characters hashed together: bounds the memory, and one text is always shorter
_BASE = 0x9E3779B97F4A7C15
_SHIFT = np.uint64(64 - (BUCKETS.bit_length() - 1))

Hashes = NDArray[np.uint64]
Places = NDArray[np.intp]


class Text(NamedTuple):
    """What is known of a job in words."""

    title: str
    description: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Every feature of N texts where it stands, in no order."""

    texts: Places  # (F,) which text
    words: Places  # (F,) which word, counted through all texts
    features: Places  # (F,) below FEATURES


@dataclass(frozen=True, slots=True)
class Counts:
    """Features of N texts, each once a text, ordered by text and feature."""

    texts: Places  # (F,)
    features: Places  # (F,)
    counts: NDArray[np.float32]  # (F,)
    places: Places  # for every occurrence, the row here that counts it


def words_of(text: Text) -> list[str]:
    """The words of a text in small letters, its type last under TYPE_MARK if it has one."""
    read = f"{text.title[:LONGEST_TITLE]} {text.description[:LONGEST_DESCRIPTION]}"
    words = _WORD.findall(read.lower())
    if text.type:
        words.append(TYPE_MARK + "".join(text.type[:LONGEST_TYPE].lower().split()))
    return words


def batches(texts: Sequence[list[str]]) -> Iterator[slice]:
    """Stretches of texts (as words) that may be hashed together."""
    start = length = 0
    for number, words in enumerate(texts):
        size = sum(map(len, words)) + len(words) + 2
        if length + size > _AT_ONCE - 2:
            yield slice(start, number)
            start, length = number, 0
        length += size
    yield slice(start, len(texts))


def occurrences(texts: Sequence[list[str]]) -> Occurrences:
    """Hash texts (as words) that `batches` put together."""
    # Two spaces between texts, so that what is taken for a word never spans them.
    joined = "  ".join(["", *(" ".join(words) for words in texts), ""])
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    letter = codes != _SPACE
    edges = np.flatnonzero(letter[1:] != letter[:-1]) + 1
    starts, ends = edges[0::2], edges[1::2]
    numbers = np.arange(len(starts))
    text_of = np.repeat(np.arange(len(texts)), [len(words) for words in texts])
    pairs = np.flatnonzero(text_of[1:] == text_of[:-1])
    # The two middle letters lie within one word; there is one such pair fewer than the word has letters.
    parts = np.flatnonzero(letter[1:] & letter[:-1]) - 1
    words = np.concatenate([numbers, pairs, np.repeat(numbers, ends - starts - 1)])

    first = np.concatenate([starts, starts[pairs], parts])
    last = np.concatenate([ends, ends[pairs + 1], parts + PART])
    prefix = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(codes * _POWERS[: len(codes)], out=prefix[1:])
    features = (_mix((prefix[last] - prefix[first]) * _INVERSES[first]) >> _SHIFT).astype(np.intp)
    features[len(starts) + len(pairs) :] += BUCKETS
    return Occurrences(text_of[words], words, features)


def count(found: Occurrences) -> Counts:
    """Count the features of each text."""
    keys = found.texts * FEATURES + found.features
    order = np.argsort(keys)
    keys = keys[order]
    new = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    edges = np.append(np.flatnonzero(new), len(keys))
    starts = edges[:-1]
    places = np.empty(len(keys), np.intp)
    places[order] = np.cumsum(new) - 1
    distinct = keys[starts]
    counts = (edges[1:] - starts).astype(np.float32)
    return Counts(distinct // FEATURES, distinct % FEATURES, counts, places)


def _powers(base: int) -> Hashes:
    powers = np.full(_AT_ONCE, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def _mix(hashes: Hashes) -> Hashes:
    """Spread every bit over the upper ones; the constant is of Pelle Evensen's rrmxmx."""
    hashes = hashes ^ (hashes >> np.uint64(32))
    hashes *= np.uint64(0x9FB21C651E98DF25)
    return hashes ^ (hashes >> np.uint64(32))


_POWERS, _INVERSES = _powers(_BASE), _powers(pow(_BASE, -1, 1 << 64))
