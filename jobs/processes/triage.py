"""Reads the texts of new jobs: in every scheduler, whoever leads, in a thread and on a connection of its own.

Not as a chore of the leader: those run within a transaction, and an endpoint takes its time.
"""

from django.conf import settings

from jobs.processes.ticker import Chore, Ticker
from jobs.queue.classify import classify_some

CLASSIFY = "classify"


class Triage(Ticker):
    """Batch after batch while there are full ones; else looks every CLASSIFY_SECONDS."""

    def __init__(self) -> None:
        super().__init__([Chore(CLASSIFY, settings.CLASSIFY_SECONDS, self.classify)])
        self.name = "triage"

    def classify(self) -> None:
        if classify_some():
            self.hurry(CLASSIFY)
