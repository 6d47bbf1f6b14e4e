"""A classifier of short texts: what it says of a text, how sure it is, and why."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from predictor import calibration, reasons, text, word_rules
from predictor.calibration import Calibration
from predictor.linear import Entries, Linear
from predictor.priors import NAME_WEIGHT, URGENCIES, Base, Names, shared
from predictor.sparse import Floats, Places
from predictor.text import Counts, Occurrences, Text

UNSURE = 0.6  # below this confidence a rule that speaks for the same label is named as what decided
# Rare urgencies matter more than their share: a decision is by probability / share ** BALANCE.
BALANCE = 0.35


@dataclass(frozen=True, slots=True)
class Classification:
    """What a text is about and how urgent it is."""

    category: str
    urgency: str  # one of URGENCIES
    confidence: float  # probability of category
    urgency_confidence: float  # probability of urgency
    source: str  # "model" or "rules": what decided the category
    words: tuple[str, ...]  # that spoke for the category, most telling first
    probabilities: dict[str, float]  # of every category
    # How much each word pulled towards the category, or away from it where negative, in units of its score.
    pulls: reasons.Pulls = ()


@dataclass(frozen=True)
class Classifier:
    """Linear scores of hashed features, with rules, label names and a base model as priors; calibrated."""

    labels: tuple[str, ...]
    own: Linear  # labels, then URGENCIES
    base: Base | None
    base_weight: float
    rules_weight: float
    calibrations: tuple[Calibration, Calibration]  # of categories and of urgencies
    log_shares: Floats  # (labels + 3,): ln of each label's share of what was learned from

    @cached_property
    def version(self) -> str:
        """Changes whenever an answer may: a hash of everything this holds."""
        digest = hashlib.blake2b(repr(self._settings()).encode(), digest_size=8)
        models = (self.own, self.base.linear) if self.base else (self.own,)
        for model in models:
            for array in (model.vocabulary.features, model.vocabulary.rarity, model.weights, model.bias):
                digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(self.log_shares.tobytes())
        return digest.hexdigest()

    @cached_property
    def names(self) -> Names:
        """The features of the labels' names."""
        return Names(self.labels)

    def classify(self, texts: Sequence[Text]) -> list[Classification]:
        """Of each text, in order; a text without words gets what is most frequent, with little confidence."""
        words = [text.words_of(one) for one in texts]
        return [answer for part in text.batches(words) for answer in self._classify(words[part])]

    def prior(self, counts: Counts, texts: int) -> Floats:
        """What the base model and the labels' names say: (texts, labels + 3)."""
        out = np.zeros((texts, len(self.labels) + len(URGENCIES)), np.float32)
        if self.base and self.base_weight:
            out += np.float32(self.base_weight) * self.base.scores(counts, texts, self.labels)
        out[:, : len(self.labels)] += np.float32(NAME_WEIGHT) * self.names.scores(counts, texts)
        return out

    def ruled(self, texts: Sequence[list[str]], hits: Sequence[list[word_rules.Hit]]) -> Floats:
        """What the rules' hits in each text say, by their weight: (texts, labels + 3)."""
        pairs = zip(texts, hits, strict=True)
        found = np.array([word_rules.scores(words, of_text, self.labels) for words, of_text in pairs], np.float32)
        return np.float32(self.rules_weight) * found.reshape(len(texts), len(self.labels) + len(URGENCIES))

    def category_logs(self, scores: Floats) -> Floats:
        """ln probability of each category, from the scores of categories and urgencies: (N, labels)."""
        split = len(self.labels)
        return calibration.log_probabilities(scores[:, :split], self.log_shares[:split], self.calibrations[0])

    def urgency_logs(self, scores: Floats) -> Floats:
        """ln probability of each of URGENCIES, likewise: (N, 3)."""
        split = len(self.labels)
        return calibration.log_probabilities(scores[:, split:], self.log_shares[split:], self.calibrations[1])

    def urgencies(self, scores: Floats) -> Places:
        """Which of URGENCIES is decided on, likewise: (N,)."""
        split = len(self.labels)
        chosen: Places = (scores[:, split:] - np.float32(BALANCE) * self.log_shares[split:]).argmax(axis=1)
        return chosen

    def _classify(self, texts: Sequence[list[str]]) -> list[Classification]:
        found = text.occurrences(texts)
        counts = text.count(found)
        entries = self.own.vocabulary.look_up(counts)
        hits = [word_rules.hits(words) for words in texts]
        model = self.own.scores(entries, len(texts)) + self.prior(counts, len(texts))
        ruled = self.ruled(texts, hits)
        scores = model + ruled
        logs, alone = self.category_logs(scores), self.category_logs(model)
        chosen, urgency = logs.argmax(axis=1), self.urgencies(scores)
        urgency_logs = self.urgency_logs(scores)
        sure = np.exp(alone.max(axis=1)) >= UNSURE
        same = alone.argmax(axis=1) == chosen
        pulls = self._telling(texts, found, counts, entries, chosen, hits)
        answers = []
        for row, probabilities in enumerate(np.exp(logs).tolist()):
            category, spoken = int(chosen[row]), ruled[row, chosen[row]] > 0.0
            by_model = bool(same[row]) and (bool(sure[row]) or not spoken)
            answers.append(
                Classification(
                    self.labels[category],
                    URGENCIES[urgency[row]],
                    probabilities[category],
                    float(np.exp(urgency_logs[row, urgency[row]])),
                    "model" if by_model else "rules",
                    tuple(word for word, pull in pulls[row] if pull > 0.0),
                    dict(zip(self.labels, probabilities, strict=True)),
                    pulls[row],
                )
            )
        return answers

    def _telling(
        self,
        texts: Sequence[list[str]],
        found: Occurrences,
        counts: Counts,
        entries: Entries,
        chosen: Places,
        hits: Sequence[list[word_rules.Hit]],
    ) -> list[reasons.Pulls]:
        """The words of each text that spoke for the label chosen for it, and against."""
        models = [(1.0, self.own, entries, chosen)]
        if self.base and self.base_weight:
            mine, theirs = shared(self.labels, self.base.labels)
            places = np.full(len(self.labels), -1)
            places[mine] = theirs
            base = self.base.linear
            models.append((self.base_weight, base, base.vocabulary.look_up(counts), places[chosen]))
        names = [self.labels[label].casefold() for label in chosen.tolist()]
        heard = [
            [(hit.place, self.rules_weight * hit.weight) for hit in of_text if hit.label == name and not hit.urgency]
            for name, of_text in zip(names, hits, strict=True)
        ]
        return reasons.telling(texts, found, counts, models, heard)

    def _settings(self) -> tuple[object, ...]:
        base = (self.base.labels, self.base.temperatures) if self.base else ()
        return self.labels, base, self.base_weight, self.rules_weight, self.calibrations
