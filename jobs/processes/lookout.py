"""Where a worker looks for jobs: the queues that may hold some, from which rank on, and what notifications say."""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.conf import settings

from jobs.processes.floors import Floors
from jobs.processes.limited import LimitedQueues
from jobs.processes.listener import Listener
from jobs.processes.turns import Turns
from jobs.queue import sql
from jobs.queue.claim import busy_queues, waiting
from jobs.queue.notify import NEW_WORK, command_channel, place

ALL_QUEUES = "*"


class Lookout:
    """Belongs to the worker's loop, but for seat(), which its ticker calls. `hurry` is told which chore to do now."""

    def __init__(
        self, *, queues: Sequence[str], types: Sequence[str], worker_id: UUID, hurry: Callable[[str], None]
    ) -> None:
        self.queues = queues
        self.everything = ALL_QUEUES in queues
        self.types = types
        self.worker_id = worker_id
        self.hurry = hurry
        self.listener = Listener()
        self.floors = Floors()
        self.limited = LimitedQueues(types)
        self.turns = Turns()
        # Queues that may hold work for us; each time another is asked first.
        self.asking: list[str] = []
        self.serve_from = 0

    def queues_to_ask(self) -> list[str]:
        """The queues to ask now, having made sure to hear of new work in them; `*` is every queue there is."""
        self.hear()
        if not self.asking:
            self.asking = busy_queues() if self.everything else list(self.queues)
        self.limited.look(self.asking)
        self.serve_from += 1
        first = self.serve_from % max(len(self.asking), 1)
        return self.asking[first:] + self.asking[:first]

    def hear(self) -> None:
        """Make sure to hear of new work and of commands."""
        if self.listener.listen([NEW_WORK, command_channel(self.worker_id)]):
            # a command may have been sent while nobody listened
            self.hurry("renew")
            self.hurry("beat")

    def receive(self) -> float:
        """Take the notifications there are: where new work is, and commands. Returns the seconds to leave all that is
        new to other workers, whose turn it is."""
        left_to_others: list[float] = []
        for channel, word in self.listener.received():
            if channel == command_channel(self.worker_id):
                self.hurry(word)
                continue
            name, lowest, highest, jobs, limited = place(word)
            if not (self.everything or name in self.queues):
                continue
            self.floors.lower(name, lowest, highest)
            if limited:
                self.limited.add([name])
            if name not in self.asking:
                self.asking.append(name)
            left_to_others.append(self.turns.seconds(word, jobs))
        return min(left_to_others, default=0.0)

    def exhausted(self, name: str) -> None:
        """A queue had less than it was asked for."""
        self.asking.remove(name)

    def hidden(self) -> bool:
        """Whether another worker's claim hides work from ours: it locks more rows than it takes."""
        queues = busy_queues() if self.everything else self.queues
        return waiting(queues=queues, types=self.types)

    def seat(self) -> None:
        """Find out who else hears what we hear."""
        found = sql.rows("peers", queues=list(self.queues), dead_seconds=settings.WORKER_DEAD_SECONDS)
        self.turns.seat(self.worker_id, [worker_id for (worker_id,) in found])
