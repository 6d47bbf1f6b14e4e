"""The runtime models in use: each organisation's active one, kept in the memory of this process."""

from functools import cache, lru_cache

from jobs.in_use import Active, Loaded
from jobs.models import ModelVersion
from orgs.models import Org
from predictor.runtime import RuntimeModel, untrained
from predictor.weights import load

# Of how many organisations a process keeps the model in memory, each up to a megabyte: those that submitted last.
MODELS_KEPT = 200

LoadedModel = Loaded[RuntimeModel]
_active = Active[RuntimeModel](ModelVersion.objects.for_org, lambda weights: load(weights), lambda: MODELS_KEPT)
current_model = _active.current
read_model = _active.read


@lru_cache(maxsize=MODELS_KEPT)
def first_guesses(org: Org) -> LoadedModel:
    """What is said without training, from memories alone. An organisation's own: it may rest."""
    return LoadedModel(None, unlearned())


@cache
def unlearned() -> RuntimeModel:
    return untrained()


def forget_models() -> None:
    """Read every model again at its next use (after training in this process, and in tests)."""
    first_guesses.cache_clear()
    _active.forget()
