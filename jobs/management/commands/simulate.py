"""manage.py simulate: a trace of jobs through one queue at simulated time, or a slice of it through real workers."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.simulation import live
from jobs.simulation.report import POLICIES, TENANTS, USUAL_LOAD, simulate, usual_workers
from jobs.simulation.tables import live_table, table, tenants_table
from jobs.simulation.trace import Trace, TraceError, read


class Command(BaseCommand):
    help = (
        "Play a trace (a CSV, packed by gzip or not, with the columns submit_s, runtime_s, tenant, kind and perhaps size "
        "and requested_s, sorted by submit_s) through one queue, with the code that predicts and ranks jobs here, and say "
        "how long its jobs would have waited, beside first come, first served and an oracle. See docs/simulate.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("trace", metavar="TRACE.csv.gz", type=Path)
        parser.add_argument(
            "--workers", type=int, help="jobs that run at once; chosen for a load of 0.9 when not given"
        )
        parser.add_argument("--policy", choices=POLICIES, default="learned")
        parser.add_argument("--load", type=float, help="move arrivals closer or apart, so that this load is offered")
        parser.add_argument("--tenants", choices=TENANTS, default="one", help="each an organisation, or all of one")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--json", action="store_true", help="one object and nothing else")
        parser.add_argument("--details", action="store_true", help="each tenant too")
        parser.add_argument("--live", action="store_true", help="a slice through real workers, beside the simulation")
        parser.add_argument("--slice", type=int, default=2_000, metavar="JOBS", help="of the trace, for --live")
        parser.add_argument("--median-run", type=float, default=0.2, metavar="SECONDS", help="to scale --live by")

    def handle(self, *, trace: Path, workers: int | None, load: float | None, **options: Any) -> None:
        if workers is not None and not 1 <= workers <= 1_000_000:
            raise CommandError("--workers: from 1 on")
        if load is not None and not 0 < load < float("inf"):
            raise CommandError("--load: above 0")
        try:
            if options["live"]:
                self.play(read(trace), workers, load, options)
            else:
                self.simulate(*prepared(read(trace), workers, load), options)
        except TraceError as error:
            raise CommandError(str(error)) from error

    def simulate(self, trace: Trace, workers: int, options: dict[str, Any]) -> None:
        report = simulate(
            trace,
            workers=workers,
            policy=options["policy"],
            tenants=options["tenants"],
            seed=options["seed"],
        )
        if options["json"]:
            self.stdout.write(json.dumps(report.figures()))
            return
        self.stdout.write(table(report))
        if options["details"]:
            self.stdout.write(tenants_table(report))

    def play(self, trace: Trace, workers: int | None, load: float | None, options: dict[str, Any]) -> None:
        agreement = live.replay(
            trace,
            jobs=options["slice"],
            workers=workers or live.WORKERS,
            load=load or USUAL_LOAD,
            median_run_s=options["median_run"],
            policy=options["policy"],
        )
        self.stdout.write(json.dumps(agreement.figures()) if options["json"] else live_table(agreement))
        if not agreement.agrees:
            raise CommandError("the live run and the simulation differ by more than a tenth")


def prepared(trace: Trace, workers: int | None, load: float | None) -> tuple[Trace, int]:
    """The trace at the load asked for, and the workers. With neither given, 0.9 with as many workers as that needs."""
    if len(trace.rows) < 2:
        raise TraceError("a trace of one job has nothing to order")
    chosen = workers or usual_workers(trace)
    if load is not None or workers is None:
        trace = trace.at_load(load or USUAL_LOAD, chosen)
    return trace, chosen
