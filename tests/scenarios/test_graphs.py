"""A graph of a hundred jobs that fail, crash and are lost with their worker: all that wait for them come to an end."""

import random
import signal

from jobs.models import Attempt, Dependency, Job
from tests.factories import make_org
from tests.jobs.queue.graphs import OVER, Node, any_graph, assert_policy, doomed, store_graph
from tests.jobs.queue.whole import assert_whole
from tests.processes import Fleet, patiently
from tests.proofs import figure, times

JOBS = 100


def fields_of(draw: random.Random) -> dict[str, object]:
    """Most succeed, after a moment; some fail for good, or crash."""
    kind = draw.random()
    if kind < 0.08:
        return {"payload": {"task": "tests.fail_with", "kwargs": {"message": "drawn"}}, "max_attempts": 1}
    if kind < 0.12:
        return {"payload": {"task": "child_tasks.die", "kwargs": {"how": "kill"}}, "max_attempts": 1}
    if kind < 0.5:
        return {"payload": {"task": "demo.wait", "kwargs": {"seconds": 0.2}}, "max_attempts": 5}
    return {"max_attempts": 5}


def drawn(seed: int) -> list[Node]:
    draw = random.Random(seed)
    nodes = any_graph(draw, JOBS)
    for node in nodes:
        node.fields = fields_of(draw)
    return nodes


def ended() -> int:
    return Job.objects.filter(status__in=OVER).count()


def test_a_graph_comes_to_its_end_though_workers_die_in_the_middle(fleet: Fleet) -> None:
    fleet.scheduler()
    fleet.watchdog()
    rounds = times(1, 10)
    for seed in range(rounds):
        workers = fleet.workers(2, "--concurrency", "3")
        nodes = drawn(seed)
        before = ended()
        ids = store_graph(nodes, make_org())
        for number, worker in enumerate(workers):
            patiently(lambda: ended() >= before + 15 * (number + 1))  # noqa: B023 called in this round
            worker.send(signal.SIGKILL)
        (last,) = fleet.workers(1, "--concurrency", "3")

        patiently(lambda: ended() == before + JOBS)  # noqa: B023 called in this round

        found = dict(Job.objects.filter(pk__in=ids).values_list("pk", "status"))
        for job_id, node in zip(ids, nodes, strict=True):
            node.status = found[job_id]
        assert_policy(nodes)
        ran = set(Attempt.objects.filter(job_id__in=ids).values_list("job_id", flat=True))
        assert not ran & {ids[number] for number in doomed(nodes)}
        last.send(signal.SIGTERM)
        assert last.ended() == 0
    patiently(lambda: not Dependency.objects.exists())
    figure(
        "F35 graphs with workers killed",
        graphs=rounds,
        workers_killed=2 * rounds,
        attempts_lost=Attempt.objects.filter(outcome="lost").count(),
        left_waiting=rounds * JOBS - ended(),
    )
    assert_whole()
