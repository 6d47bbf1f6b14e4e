"""Where a worker looks for jobs, by what it hears."""

from collections.abc import Iterator
from typing import Any

import pytest

from jobs.processes.lookout import Lookout
from tests.eventually import eventually
from tests.factories import WORKER, make_job, make_org

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def looking() -> Iterator[Any]:
    """Makes lookouts that listen."""
    made: list[Lookout] = []

    def make(*queues: str) -> Lookout:
        lookout = Lookout(queues=queues, types=["python"], worker_id=WORKER, hurry=lambda word: None)
        lookout.queues_to_ask()
        lookout.asking.clear()
        made.append(lookout)
        return lookout

    yield make
    for lookout in made:
        lookout.listener.close()


def heard_of(lookout: Lookout) -> list[str]:
    lookout.receive()
    return lookout.asking


@pytest.mark.parametrize(
    ("serves", "hears_of"),
    [(["a"], ["a"]), (["b", "a"], ["a", "b"]), (["*"], ["a", "b", "c"])],
    ids=["one", "two", "all"],
)
def test_it_asks_the_queues_it_serves_when_it_hears_of_new_work(
    looking: Any, serves: list[str], hears_of: list[str]
) -> None:
    lookout = looking(*serves)
    org = make_org()

    for queue in ("c", "b", "a"):
        make_job(org, queue=queue)

    eventually(lambda: sorted(heard_of(lookout)) == hears_of)
