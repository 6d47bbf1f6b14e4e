"""The models in use: each organisation's active one, kept in the memory of this process."""

import logging
import threading
import time
from dataclasses import dataclass, field
from functools import cache, lru_cache

from django.conf import settings

from jobs.models import ModelVersion
from orgs.models import Org
from predictor.runtime import RuntimeModel, untrained
from predictor.weights import WeightsError, load

log = logging.getLogger(__name__)

# Of how many organisations a process keeps the model in memory, each up to a megabyte: those that submitted last.
MODELS_KEPT = 200


@dataclass(slots=True)
class LoadedModel:
    """A model in use by the threads of this process, and whether it is left alone for a while."""

    # None where nothing was trained.
    version: int | None
    model: RuntimeModel
    rests_until: float = 0.0
    # Calls that were given up on and may still be going on.
    overdue: list[threading.Thread] = field(default_factory=list)

    @property
    def resting(self) -> bool:
        return time.monotonic() < self.rests_until or any(thread.is_alive() for thread in self.overdue)

    def rest(self, overdue: threading.Thread | None = None) -> None:
        self.rests_until = time.monotonic() + settings.MODEL_REST_SECONDS
        self.overdue = [thread for thread in [*self.overdue, overdue] if thread is not None and thread.is_alive()]


@dataclass(slots=True)
class Slot:
    checked: float
    loaded: LoadedModel | None


_slots: dict[int, Slot] = {}
_lock = threading.Lock()


def current_model(org: Org) -> LoadedModel | None:
    """The organisation's active model, asked for again every MODEL_RELOAD_SECONDS; None without a usable one."""
    slot = _slots.get(org.pk)
    if slot is not None and time.monotonic() - slot.checked < settings.MODEL_RELOAD_SECONDS:
        return slot.loaded
    active = ModelVersion.objects.for_org(org).filter(active=True)
    version = active.values_list("version", flat=True).first()
    loaded = slot.loaded if slot is not None else None
    if version is None:
        loaded = None
    elif loaded is None or loaded.version != version:
        loaded = read_model(active.filter(version=version).first())
    with _lock:
        _slots[org.pk] = Slot(time.monotonic(), loaded)
        if len(_slots) > MODELS_KEPT:
            del _slots[min(_slots, key=lambda pk: _slots[pk].checked)]
    return loaded


@lru_cache(maxsize=MODELS_KEPT)
def first_guesses(org: Org) -> LoadedModel:
    """What is said without training, from memories alone. An organisation's own: it may rest."""
    return LoadedModel(None, unlearned())


@cache
def unlearned() -> RuntimeModel:
    return untrained()


def read_model(row: ModelVersion | None) -> LoadedModel | None:
    if row is None:
        return None
    try:
        return LoadedModel(row.version, load(bytes(row.weights)))
    except WeightsError:
        log.exception("model version %s of %s is broken", row.version, row.org_id)
        return None


def forget_models() -> None:
    """Read every model again at its next use (after training in this process, and in tests)."""
    first_guesses.cache_clear()
    with _lock:
        _slots.clear()
