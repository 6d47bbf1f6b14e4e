"""Which words of a text spoke for the label that was chosen for it."""

from collections.abc import Sequence

import numpy as np

from predictor.linear import Entries, Linear
from predictor.sparse import Places
from predictor.text import TYPE_MARK, Counts, Occurrences

WORDS, AGAINST = 5, 3  # told of each text: that spoke for the label, and against it

Pulls = tuple[tuple[str, float], ...]


def telling(
    texts: Sequence[list[str]],
    found: Occurrences,
    counts: Counts,
    models: Sequence[tuple[float, Linear, Entries, Places]],
    ruled: Sequence[list[tuple[int, float]]],
) -> list[Pulls]:
    """The words of each text that pulled it most, the strongest first, with how much; then those that pulled it away.

    models are weights, models, what each looked up, and the column chosen in each for each text, -1 for none; ruled
    are place and weight of the words of each text that the rules heard.
    """
    pull = np.zeros(len(counts.features))
    for weight, model, entries, chosen in models:
        pull[entries.counts] += weight * model.pull(entries, chosen) * (chosen[entries.texts] >= 0)
    # What is counted several times pulls by an equal part in each place.
    of_words = np.bincount(found.words, (pull / counts.counts)[counts.places])
    out, start = [], 0
    for words, heard in zip(texts, ruled, strict=True):
        out.append(_strongest(words, of_words[start : start + len(words)].tolist(), heard))
        start += len(words)
    return out


def _strongest(words: list[str], pulls: list[float], heard: list[tuple[int, float]]) -> Pulls:
    for place, weight in heard:
        pulls[place] += weight
    total: dict[str, float] = {}
    for word, pull in zip(words, pulls, strict=True):
        total[word] = total.get(word, 0.0) + pull
    spoke = sorted([word for word, pull in total.items() if pull > 0.0], key=total.__getitem__, reverse=True)[:WORDS]
    against = sorted([word for word, pull in total.items() if pull < 0.0], key=total.__getitem__)[:AGAINST]
    return tuple((f"type {word[1:]}" if word.startswith(TYPE_MARK) else word, total[word]) for word in spoke + against)
