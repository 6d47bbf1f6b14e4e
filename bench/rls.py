"""python -m bench rls: what it costs that requests are held to their organisation by PostgreSQL (orgs.walls).

Two webs serve one store, one behind the wall and one not. They are asked in turn, each request of one after the same
request of the other, so that whatever else the machine does falls on both alike.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

from bench import cluster, machine, results, sizes
from bench.ours.stage import Stage

WARM_UP = 100
WALLS = {"with": "required", "without": "off"}
LIST = "/api/v1/jobs/?limit=50"


def main() -> None:
    with cluster.running() as server:
        stage = Stage(server)
        # not before Django is set up
        from bench.ours import web

        stage.fresh()
        report = {
            **machine.facts(),
            "about": "milliseconds of a call over REST, medians; two webs on one store, asked in turn",
            "sizes": {"pairs": sizes.RLS_PAIRS, "jobs_listed": 50},
        }
        with serving(stage) as addresses:
            calls = calls_of(addresses, web.access_token())
            report["figures"] = {name: compared(pair) for name, pair in calls.items()}
        results.write("rls", report)
        for name, figures in report["figures"].items():
            print(f"{name}: {figures}")


@contextmanager
def serving(stage: Stage) -> Iterator[dict[str, str]]:
    """The addresses of both webs."""
    from bench.ours import web

    with ExitStack() as stack:
        yield {
            name: stack.enter_context(web.serving(stage, SMARTQUEUE_ROW_SECURITY=word)) for name, word in WALLS.items()
        }


Call = Callable[[], None]


def calls_of(addresses: dict[str, str], token: str) -> dict[str, dict[str, Call]]:
    """By kind of call, then by wall."""
    from bench.ours.stream import body

    kinds = {"submit": ("POST", "/api/v1/jobs/", body), "list": ("GET", LIST, lambda: None)}
    connections = {name: HTTPConnection(urlsplit(address).netloc, timeout=30) for name, address in addresses.items()}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(connection: HTTPConnection, method: str, path: str, sent: Callable[[], bytes | None]) -> Call:
        def once() -> None:
            connection.request(method, path, body=sent(), headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status not in {200, 201}:
                raise AssertionError(f"{method} {path}: {answer.status} {text[:500]!r}")

        return once

    return {
        kind: {name: call(connection, *how) for name, connection in connections.items()} for kind, how in kinds.items()
    }


def compared(pair: dict[str, Call]) -> dict[str, float]:
    """Medians, and by how much of a hundred the wall is dearer: of the medians, and of the middle half's means."""
    for each in pair.values():
        for _ in range(WARM_UP):
            each()
    taken: dict[str, list[float]] = {name: [] for name in pair}
    for _ in range(sizes.RLS_PAIRS):
        for name in random.sample(list(pair), len(pair)):
            begun = time.perf_counter()
            pair[name]()
            taken[name].append((time.perf_counter() - begun) * 1_000)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    means = {name: statistics.fmean(middle_half(times)) for name, times in taken.items()}
    return {
        **{f"{name}_ms": round(value, 3) for name, value in medians.items()},
        "percent_dearer": percent(medians),
        "percent_dearer_of_the_middle_half": percent(means),
    }


def middle_half(times: list[float]) -> list[float]:
    quarter = len(times) // 4
    return sorted(times)[quarter : len(times) - quarter] or times


def percent(values: dict[str, float]) -> float:
    return round((values["with"] / values["without"] - 1) * 100, 1)
