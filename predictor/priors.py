"""What speaks for a label before an organisation has labelled anything: the labels' own names, and a base model."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from predictor import calibration, linear
from predictor.calibration import Calibration
from predictor.linear import Linear
from predictor.sparse import Floats, Places
from predictor.text import Counts, Text, count, occurrences, words_of

URGENCIES = ("high", "medium", "low")
NAME_WEIGHT = 5.0  # for a text that holds the whole name of a label
BASE_FLOOR = -3.0  # ln probability below which a base model's doubt counts no more


@dataclass(frozen=True)
class Base:
    """A model of other labels, of which some may be the organisation's too."""

    labels: tuple[str, ...]
    linear: Linear  # categories, then URGENCIES
    temperatures: tuple[float, float]  # of categories and of urgencies

    def scores(self, counts: Counts, texts: int, labels: tuple[str, ...]) -> Floats:
        """What it says for labels and URGENCIES, against knowing nothing: (texts, labels + 3)."""
        raw = self.linear.scores(self.linear.vocabulary.look_up(counts), texts)
        mine, theirs = shared(labels, self.labels)
        split = len(self.labels)
        out = np.zeros((texts, len(labels) + len(URGENCIES)), np.float32)
        out[:, mine] = _against_nothing(raw[:, :split], self.temperatures[0])[:, theirs]
        out[:, len(labels) :] = _against_nothing(raw[:, split:], self.temperatures[1])
        return out


@dataclass(frozen=True)
class Names:
    """The features of the names of labels."""

    labels: tuple[str, ...]

    @cached_property
    def shares(self) -> tuple[Places, Floats]:
        """The features of all names (L,), ascending, and their share of each name (L, labels)."""
        found = count(occurrences([words_of(Text(label)) for label in self.labels]))
        features, at = np.unique(found.features, return_inverse=True)
        sizes = np.bincount(found.texts, minlength=len(self.labels))
        shares = np.zeros((len(features), len(self.labels)), np.float32)
        shares[at, found.texts] = 1.0 / sizes[found.texts]
        return features, shares

    def scores(self, counts: Counts, texts: int) -> Floats:
        """The square of the share of each name that stands in each text: (texts, labels)."""
        features, shares = self.shares
        entries, at = linear.find(features, counts.features)
        out = np.zeros((texts, len(self.labels)), np.float32)
        np.add.at(out, counts.texts[entries], shares[at])
        return out * out


def shared(labels: tuple[str, ...], others: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Places in labels and in others of the labels in both, whatever their case."""
    places = {label.casefold(): place for place, label in enumerate(others)}
    pairs = [(mine, places[label.casefold()]) for mine, label in enumerate(labels) if label.casefold() in places]
    return [mine for mine, _ in pairs], [theirs for _, theirs in pairs]


def _against_nothing(scores: Floats, temperature: float) -> Floats:
    kinds = scores.shape[1]
    logs = calibration.log_probabilities(scores, np.zeros(kinds, np.float32), Calibration(temperature))
    return np.maximum(logs, np.float32(BASE_FLOOR)) + np.float32(np.log(max(1, kinds)))
