"""The classifiers in use: each organisation's own, where people taught it one; else what every one begins with."""

from collections.abc import Sequence
from functools import lru_cache

from jobs.in_use import Active, Loaded
from jobs.models import ClassifierVersion
from orgs.models import Org
from predictor.classifier import Classifier, default, fit, load

# Of how many organisations a process keeps the classifier in memory, each of a few megabytes.
CLASSIFIERS_KEPT = 50
BEGINNINGS_KEPT = 200

LoadedClassifier = Loaded[Classifier]
_active = Active[Classifier](ClassifierVersion.objects.for_org, lambda weights: load(weights), lambda: CLASSIFIERS_KEPT)


def classifier_of(org: Org, categories: Sequence[str]) -> LoadedClassifier:
    """The organisation's, if it is for these categories: they may have been changed since it was fitted."""
    own = _active.current(org)
    if own is not None and set(own.model.labels) == set(categories):
        return own
    return beginning(tuple(sorted(categories)))


@lru_cache(maxsize=BEGINNINGS_KEPT)
def beginning(categories: tuple[str, ...]) -> LoadedClassifier:
    """What knows the categories by their names alone, and what the shipped one knows."""
    shipped = default()
    if set(shipped.labels) == set(categories):
        return Loaded(0, shipped)
    return Loaded(0, fit([], categories, shipped).classifier)


def forget_classifiers() -> None:
    """Read every one again at its next use (after fitting one in this process, and in tests)."""
    _active.forget()
    beginning.cache_clear()
