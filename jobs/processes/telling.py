"""What each kind of process tells of itself at a scrape."""

import time
from collections.abc import Iterable

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from jobs.metrics.families import PREFIX, counter, gauge, histograms
from jobs.processes.loop import Loop
from jobs.processes.scheduler import Scheduler
from jobs.processes.watchdog import Watchdog
from jobs.processes.worker import Worker


class ProcessCollector(Collector):
    """Read by another thread than those that count: each number by itself is right, two need not be of one moment."""

    def __init__(self, process: Loop) -> None:
        self.process = process

    def collect(self) -> Iterable[Metric]:
        measures = self.process.measures
        yield info(type(self.process).__name__.lower())
        took = "How long each round of the process's loop took."
        steps = measures.steps
        yield histograms("process_step_duration_seconds", took, [], [([], steps.buckets(), steps.seconds)])
        yield counter("process_step_failures", "Rounds of the loop that broke off.", measures.failed_steps)
        match self.process:
            case Worker():
                yield from of_worker(self.process)
            case Scheduler():
                yield from of_scheduler(self.process)
            case Watchdog():
                yield counter("process_rescued", "Leases that this watchdog took back.", measures.rescued)
                dead = "Processes that this watchdog declared dead."
                yield counter("process_declared_dead", dead, measures.declared_dead)


def info(kind: str) -> Metric:
    family = GaugeMetricFamily(PREFIX + "process_info", "What it is; always 1.", labels=["kind", "version"])
    family.add_metric([kind, settings.VERSION], 1)
    return family


def of_worker(worker: Worker) -> Iterable[Metric]:
    measures = worker.measures
    yield gauge("process_slots", "Attempts that this worker can run at once.", worker.slots)
    yield gauge("process_slots_busy", "Attempts in its hands.", len(worker.attempts))
    yield gauge("process_slots_stuck", "Slots whose handler does not return from an ended attempt.", worker.stuck)
    yield counter("process_claimed", "Attempts that it took.", measures.claimed)
    yield counter("process_ended", "Attempts whose end it wrote.", measures.ended)
    yield counter("process_renewed", "Leases that it renewed, each time.", measures.renewed)
    yield counter("process_fenced", "Attempts whose end was refused: it had lost the lease.", measures.fenced)


def of_scheduler(scheduler: Scheduler) -> Iterable[Metric]:
    measures = scheduler.measures
    leads = scheduler.leadership.epoch is not None
    yield gauge("process_leading", "Whether this scheduler leads: 1 or 0.", leads)
    late = "How long the chore that is most overdue should have begun; 0 of who does not lead."
    yield gauge("process_chore_lateness_seconds", late, lateness(scheduler) if leads else 0)
    chores = SummaryMetricFamily(PREFIX + "process_chore_duration_seconds", "Chores of the leader.", labels=["chore"])
    for name, tally in list(measures.chores.items()):
        chores.add_metric([name], count_value=tally.times, sum_value=tally.seconds)
    yield chores
    yield counter("process_chore_failures", "Chores that broke off.", measures.failed_chores)


def lateness(scheduler: Scheduler) -> float:
    """Of those that have begun in this process; one that has not is begun with the first step of the lead."""
    now = time.monotonic()
    begun = [
        (tally.began_at, chore.every_seconds)
        for chore in scheduler.chores
        if (tally := scheduler.measures.chores.get(chore.name)) is not None
    ]
    return max([0.0, *(now - began_at - every for began_at, every in begun)])
