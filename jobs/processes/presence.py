"""A process's row in the pool: who it is, and its heartbeat."""

import json
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psutil
from django.conf import settings
from django.db import Error

from jobs.ids import uuid7
from jobs.models import WorkerProcess
from jobs.processes.pulse import Pulse
from jobs.queue import sql

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Presence:
    """One running process; `beat` writes it down."""

    kind: str
    slots: int = 0
    queues: Sequence[str] = ()
    types: Sequence[str] = ()
    id: UUID = field(default_factory=uuid7)
    hostname: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    status: str = WorkerProcess.ONLINE
    jobs_processed: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    # Told with each heartbeat of a command that is not obeyed yet.
    on_asked: Callable[[str], None] | None = None
    _process: psutil.Process = field(default_factory=psutil.Process)
    pulse: Pulse = field(init=False)

    def __post_init__(self) -> None:
        self.pulse = Pulse(settings.PROBE_DIR, self.kind, self.pid)

    @property
    def name(self) -> str:
        return f"{self.hostname}-{self.pid}"

    def beat(self) -> None:
        with self._process.oneshot():
            cpu_percent = self._process.cpu_percent()
            memory_bytes = self._process.memory_info().rss
        (known,) = sql.run(
            "beat",
            id=self.id,
            kind=self.kind,
            hostname=self.hostname[:128],
            pid=self.pid,
            version=settings.VERSION,
            slots=self.slots,
            queues=json.dumps(list(self.queues)),
            types=json.dumps(list(self.types)),
            status=self.status,
            cpu_percent=cpu_percent,
            memory_bytes=memory_bytes,
            jobs_processed=self.jobs_processed,
            labels=json.dumps(dict(self.labels)),
        )
        self.pulse.beat()
        if known.asked and self.on_asked:
            self.on_asked(known.asked)

    def obey(self, asked: str) -> None:
        """Say that it does what it was asked to."""
        sql.run("obey", id=self.id, asked=asked, status=self.status)

    def leave(self) -> None:
        """The last beat: offline from now on."""
        self.status = WorkerProcess.OFFLINE
        try:
            self.beat()
        except Error as error:
            log.warning("could not say goodbye; the heartbeat will run out", extra={"error": str(error).strip()})
        self.pulse.end()
