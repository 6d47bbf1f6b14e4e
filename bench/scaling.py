"""How throughput and waits grow with hosts and cells: simulated from measured costs, and checked by a measure.

What a job costs each side is read from bench/results/smartqueue.json; no figure of a large deployment was measured.
"""

import heapq
import json
import os
import random
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from bench import results
from bench.percentiles import percentiles

ABOUT = (
    "jobs submitted over REST one by one at random moments, each through a core of the web and then one of the server"
)
# A host of the web; the server's cores are the parameter of the table.
HOST_CORES, SEED, JOBS = 2, 1, 40_000
HOSTS, DATABASE_CORES, CELLS, PROCESSES = (1, 2, 4, 8, 16), (2, 8, 32), (1, 2, 4, 8, 16), (1, 2, 4)
# Of what a bound would carry: beyond it waits grow without an end.
LOAD = 0.8
ORGANISATIONS = 1_000
ASSUMED = [
    "costs are those of the measured machine, whatever the host; each is spread exponentially around its mean",
    "the server's cores share its work without waiting for each other: no lock, no limit of the disk or the log",
    "what a worker asks about a job follows its submit at once, on the same core of the server",
    "no network between hosts; a job's own work is on the worker's hosts and not counted",
    f"{ORGANISATIONS:,} organisations, the n-th with 1/n of the first one's jobs; what is random has seed {SEED}",
]


class Costs(NamedTuple):
    """Processor seconds of one job."""

    web: float
    submit: float
    drain: float
    worker: float

    @property
    def server(self) -> float:
        return self.submit + self.drain


def costs(report: dict[str, Any]) -> Costs:
    """From the measures `calls` and `profile`."""
    found = re.search(r"web ([\d.]+), server ([\d.]+)", report["calls"]["figures"]["over REST"])
    assert found
    profile = report["profile"]["figures"]
    worker = profile["worker_processor_us_per_job"]
    return Costs(
        web=float(found[1]) / 1e3,
        submit=float(found[2]) / 1e3,
        # while a worker waits for the server, the server works for it
        drain=(profile["wall_us_per_job"] - worker) / 1e6,
        worker=worker / 1e6,
    )


def waits(rate: float, web_cores: int, database_cores: int, cost: Costs, jobs: int = JOBS) -> list[float]:
    """Seconds from each submit to its answer, the first tenth left out; `rate` in jobs a second."""
    chance = random.Random(SEED)
    at, submits = 0.0, list[tuple[float, float]]()
    web = [0.0] * web_cores
    for _ in range(jobs):
        at += chance.expovariate(rate)
        submits.append((served(web, at, chance.expovariate(1 / cost.web)), at))
    answers, server = [], [0.0] * database_cores
    for ready, begun in sorted(submits):
        # what its worker asks comes after the answer: put to the same core in one piece, which keeps the order of
        # arrivals that served() needs
        drain = chance.expovariate(1 / cost.drain)
        ended = served(server, ready, chance.expovariate(1 / cost.submit) + drain)
        answers.append((begun, ended - drain - begun))
    return [seconds for _, seconds in sorted(answers)[jobs // 10 :]]


def served(cores: list[float], at: float, seconds: float) -> float:
    """When the core that is free first has done it; `cores` is a heap of when each is free. Calls by arrival."""
    ended = max(at, heapq.heappop(cores)) + seconds
    heapq.heappush(cores, ended)
    return ended


def bound(hosts: int, database_cores: int, cost: Costs) -> float:
    """Jobs a second at which the web's or the server's cores have no rest."""
    return min(hosts * HOST_CORES / cost.web, database_cores / cost.server)


def of_hosts(cost: Costs) -> list[dict[str, Any]]:
    rows = []
    for cores in DATABASE_CORES:
        for hosts in HOSTS:
            most = bound(hosts, cores, cost)
            found = percentiles([1e3 * one for one in waits(LOAD * most, hosts * HOST_CORES, cores, cost)])
            rows.append(
                {
                    "database_cores": cores,
                    "web_hosts": hosts,
                    "bound_jobs_per_second": round(most),
                    "bound_by": "web" if most < cores / cost.server else "server",
                    "submit_ms": {name: round(value, 1) for name, value in found.items()},
                }
            )
    return rows


def of_rest(measured: dict[str, Any], cost: Costs) -> dict[str, Any]:
    """The measure `rest` beside the simulation of the same rate, its two processes a core each."""
    rate, figures = measured["sizes"]["REST_RATE"], measured["figures"]
    found = percentiles([1e3 * one for one in waits(rate, 2, measured["cores"], cost)])
    return {
        "rate": rate,
        "measured_at": measured["measured_at"],
        "measured_ms": {name: round(figures[f"{name}_ms"], 1) for name in found},
        "simulated_ms": {name: round(value, 1) for name, value in found.items()},
    }


def of_cells(numbers: Sequence[int] = CELLS, organisations: int = ORGANISATIONS) -> list[dict[str, Any]]:
    """How many times one cell's throughput so many have, until the fullest of them is full."""
    shares = [1 / place for place in range(1, organisations + 1)]
    rows = []
    for cells in numbers:
        chance, loads = random.Random(SEED), [0.0] * cells
        for share in shares:
            loads[chance.randrange(cells)] += share
        at_random = sum(shares) / max(loads)
        by_size = [0.0] * cells
        for share in shares:
            heapq.heapreplace(by_size, by_size[0] + share)
        rows.append(
            {
                "cells": cells,
                "times_at_random": round(at_random, 2),
                "times_by_size": round(sum(shares) / max(by_size), 2),
            }
        )
    return rows


def of_drains(cost: Costs, cores: int, processes: Sequence[int] = PROCESSES) -> dict[str, float]:
    """Jobs a second of so many worker processes that share the cores with the server."""
    one = cost.worker + cost.drain
    return {str(number): round(min(number, cores) / one, 1) for number in processes}


def simulated() -> dict[str, Any]:
    known = results.read("smartqueue")
    assert known
    cost = costs(known)
    return {
        "about": ABOUT,
        "assumed": ASSUMED,
        "load": LOAD,
        "from": {"file": "smartqueue.json", "measured_at": known["profile"]["measured_at"]},
        "cost_us": {name: round(value * 1e6, 2) for name, value in cost._asdict().items()},
        "rest": of_rest(known["rest"], cost),
        "hosts": of_hosts(cost),
        "cells": of_cells(),
        "drains_simulated": of_drains(cost, known["profile"]["cores"]),
    }


def recorded() -> dict[str, Any]:
    """Drains of one and two processes, as measured for the comparison with the peers."""
    report = results.read("peers")
    assert report
    ours = report["peers"]["smartqueue"]
    return {"measured_at": report["measured_at"], "1": ours["drain_1"], "2": ours["drain_2"]}


def main(words: Sequence[str]) -> None:
    """Simulate; with `drains` also measure what one, two and four processes drain on this machine."""
    known = results.read("scaling") or {}
    measured = drains() if words else known.get("drains_measured")
    report = {**simulated(), "drains_recorded": recorded()}
    results.write("scaling", {**report, **({"drains_measured": measured} if measured else {})})
    print(json.dumps(measured, indent=2))


def drains() -> dict[str, Any]:
    from bench import cluster, machine, sizes

    with cluster.running() as server:
        facts = machine.facts()
        # not before there is a server for Django
        from bench.ours.stage import Stage

        stage = Stage(server)
        found: dict[str, Any] = {}
        for number in PROCESSES:
            stage.fresh()
            found[str(number)] = round(stage.drain(sizes.SCALING_JOBS, number, str(sizes.SLOTS)).drained, 1)
    return {**facts, "load_average": round(os.getloadavg()[0], 1), "jobs": sizes.SCALING_JOBS, **found}


def of_scaling(report: dict[str, Any]) -> str:
    """The tables of docs/scaling.md."""
    from bench.tables import table

    cost, rest = report["cost_us"], report["rest"]
    hosts = [
        [
            str(row["database_cores"]),
            str(row["web_hosts"]),
            f"{row['bound_jobs_per_second']:,} ({row['bound_by']})",
            slashed(row["submit_ms"]),
        ]
        for row in report["hosts"]
    ]
    drains = [
        [
            number,
            f"{expected:,.0f}",
            *(shown(report.get(name), number) for name in ("drains_recorded", "drains_measured")),
        ]
        for number, expected in report["drains_simulated"].items()
    ]
    parts = [
        f"Simulated, not measured: {report['about']}. Costs of a job in microseconds of a core, from"
        f" {report['from']['file']} ({report['from']['measured_at'][:10]}): web {cost['web']:,.0f}, server"
        f" {cost['submit']:,.0f} for its submit and {cost['drain']:.1f} for its claim and end. Assumed:",
        "\n".join(f"- {one}" for one in report["assumed"]),
        f"Jobs a second at the bound, and milliseconds to the answer (p50 / p95 / p99) at {report['load']:.0%} of it;"
        f" a host of the web has {HOST_CORES} cores.",
        table(["server's cores", "hosts of the web", "bound (by)", "submit, ms"], hosts),
        "How many times one cell's throughput, until the fullest is full: organisations put in at random, and largest"
        " first into the emptiest.",
        table(["cells", "at random", "by size"], [[str(value) for value in row.values()] for row in report["cells"]]),
        f"Checked: submits at {rest['rate']} a second to one host; in truth web, server and clients share two cores.",
        table(
            ["", "p50 / p95 / p99, ms"],
            [[name, slashed(rest[f"{name}_ms"])] for name in ("simulated", "measured")],
        ),
        "Checked: jobs a second drained by so many worker processes on two cores that they share with the server. That"
        " of one process is where its cost comes from, and proves nothing.",
        table(["processes", "simulated", *checked(report)], [row[: 2 + len(checked(report))] for row in drains]),
    ]
    return "\n\n".join(parts)


def checked(report: dict[str, Any]) -> list[str]:
    """Heads of the columns of what was measured."""
    heads = [f"measured {report['drains_recorded']['measured_at'][:10]}"]
    if here := report.get("drains_measured"):
        heads.append(
            f"measured {here['measured_at'][:10]}, load average {here['load_average']},"
            f" {here['bare_commits_per_second']:,} bare commits a second"
        )
    return heads


def slashed(found: dict[str, float]) -> str:
    return " / ".join(f"{value:.1f}" for value in found.values())


def shown(measured: dict[str, Any] | None, number: str) -> str:
    return f"{measured[number]:,.0f}" if measured and number in measured else "-"
