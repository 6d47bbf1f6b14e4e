"""What organisations have trained and use: the active version of each, kept in the memory of this process."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db.models import QuerySet

from orgs.models import Org
from predictor.weights import WeightsError

log = logging.getLogger(__name__)

M = TypeVar("M")


@dataclass(slots=True)
class Loaded(Generic[M]):
    """A model in use by the threads of this process, and whether it is left alone for a while."""

    # None where nothing was trained.
    version: int | None
    model: M
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
class Slot(Generic[M]):
    checked: float
    loaded: Loaded[M] | None


class Active(Generic[M]):
    """The active rows of a table of versions (`org`, `version`, `weights`, `active`), of those orgs asked for last."""

    def __init__(
        self, versions: Callable[[Org], "QuerySet[Any]"], load: Callable[[bytes], M], kept: Callable[[], int]
    ) -> None:
        self.versions, self.load, self.kept = versions, load, kept
        self._slots: dict[int, Slot[M]] = {}
        self._lock = threading.Lock()

    def current(self, org: Org) -> Loaded[M] | None:
        """The active one, asked for again every MODEL_RELOAD_SECONDS; None without a usable one."""
        slot = self._slots.get(org.pk)
        if slot is not None and time.monotonic() - slot.checked < settings.MODEL_RELOAD_SECONDS:
            return slot.loaded
        active = self.versions(org).filter(active=True)
        version = active.values_list("version", flat=True).first()
        loaded = slot.loaded if slot is not None else None
        if version is None:
            loaded = None
        elif loaded is None or loaded.version != version:
            loaded = self.read(active.filter(version=version).first())
        with self._lock:
            self._slots[org.pk] = Slot(time.monotonic(), loaded)
            if len(self._slots) > self.kept():
                del self._slots[min(self._slots, key=lambda pk: self._slots[pk].checked)]
        return loaded

    def read(self, row: Any) -> Loaded[M] | None:
        """The model of a row; None for none, and for one that is broken, which is logged."""
        if row is None:
            return None
        try:
            return Loaded(row.version, self.load(bytes(row.weights)))
        except WeightsError:
            log.exception("%s version %s of %s is broken", row._meta.model_name, row.version, row.org_id)
            return None

    def forget(self) -> None:
        """Read every one again at its next use (after training in this process, and in tests)."""
        with self._lock:
            self._slots.clear()
