"""Scores of labels that are linear in the weighted features of a text.

A count weighs 1 + ln count times its inverse document frequency (Salton and Buckley 1988,
https://doi.org/10.1016/0306-4573(88)90021-0); the words of a text and the parts of its words each have length 1.
"""

from dataclasses import dataclass

import numpy as np

from predictor.sparse import Floats, Places
from predictor.text import BUCKETS, Counts


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The features a model knows, in ascending order, and their inverse document frequencies."""

    features: Places  # (V,)
    rarity: Floats  # (V,)

    def look_up(self, counts: Counts) -> "Entries":
        """Weigh the counted features that are known."""
        entries, columns = find(self.features, counts.features)
        texts = counts.texts[entries]
        values = (1.0 + np.log(counts.counts[entries])) * self.rarity[columns]
        # The words and the parts of a text are scaled apart: twice as many sums as texts.
        halves = 2 * texts + (self.features[columns] >= BUCKETS)
        lengths = np.sqrt(np.bincount(halves, values * values))
        return Entries(entries, texts, columns, (values / lengths[halves]).astype(np.float32))


@dataclass(frozen=True, slots=True)
class Entries:
    """A sparse matrix of weighted features: one row a text, one column a known feature."""

    counts: Places  # (F,) which of the counted features each is
    texts: Places  # (F,), ascending
    columns: Places  # (F,)
    values: Floats  # (F,)


@dataclass(frozen=True, slots=True)
class Linear:
    """A vocabulary and what each of its features says for each of K labels."""

    vocabulary: Vocabulary
    weights: Floats  # (V, K)
    bias: Floats  # (K,)

    def scores(self, entries: Entries, texts: int) -> Floats:
        """Of so many texts: (texts, K)."""
        out = np.zeros((texts, len(self.bias)), np.float32)
        if texts == 1:
            out[0] = entries.values @ self.weights[entries.columns]
        elif len(entries.texts):
            starts = np.flatnonzero(np.diff(entries.texts, prepend=-1))
            terms = entries.values[:, None] * self.weights[entries.columns]
            out[entries.texts[starts]] = np.add.reduceat(terms, starts)
        return out + self.bias

    def pull(self, entries: Entries, chosen: Places) -> Floats:
        """How far each entry pulls its text towards the label chosen for it (texts,), against the mean: (F,)."""
        weights = self.weights[entries.columns]
        towards = weights[np.arange(len(weights)), chosen[entries.texts]]
        pull: Floats = entries.values * (towards - weights.mean(axis=1))
        return pull


def empty(labels: int) -> Linear:
    """One that knows no feature and prefers no label."""
    none = Vocabulary(np.zeros(0, np.intp), np.zeros(0, np.float32))
    return Linear(none, np.zeros((0, labels), np.float32), np.zeros(labels, np.float32))


def measure(counts: Counts, texts: int, fewest: int, capacity: int) -> Vocabulary:
    """The features in at least `fewest` of the texts, the `capacity` most frequent ones at most."""
    features, frequency = np.unique(counts.features, return_counts=True)
    kept = np.flatnonzero(frequency >= fewest)
    if len(kept) > capacity:
        kept = np.sort(kept[np.argsort(-frequency[kept], kind="stable")[:capacity]])
    rarity = 1.0 + np.log((1.0 + texts) / (1.0 + frequency[kept]))
    return Vocabulary(features[kept], rarity.astype(np.float32))


def find(known: Places, wanted: Places) -> tuple[Places, Places]:
    """Where in wanted (F,) the known ones (V,), in ascending order, stand; and which they are."""
    if not len(known):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    hits = np.flatnonzero(known[at] == wanted)
    return hits, at[hits]
