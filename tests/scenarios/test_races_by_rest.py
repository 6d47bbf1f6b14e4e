"""Many who ask for the same at once over REST, and those who cancel what is about to start or to end."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from jobs.models import Attempt, Job, Lease, Ready, Transition
from orgs.models import AuditEntry, Org
from tests.factories import make_dead_letter, make_org
from tests.jobs.queue.whole import assert_whole, path_of
from tests.processes import Fleet, patiently
from tests.proofs import figure, times
from tests.scenarios.rest import CROWD, Answer, Crowd, Rest

CANCELLERS = 8


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


@pytest.fixture
def rest(fleet: Fleet, org: Org) -> Rest:
    return Rest(fleet, org)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    with Crowd() as crowd:
        yield crowd


# --- The same key -----------------------------------------------------------------------------------------------


def test_one_key_sent_by_a_hundred_at_once_is_one_job(rest: Rest, crowd: Crowd) -> None:
    keys = times(5, 50)
    body = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
    ids = set()
    for number in range(keys):
        answers = crowd.all(lambda number=number: rest.post("jobs/", body, key=f"key {number}"))

        assert Counter(answer.status for answer in answers) == {201: 1, 200: CROWD - 1}
        (job_id,) = {answer.body["id"] for answer in answers}
        ids.add(job_id)

    figure("F19 the same key at once", clients=CROWD, keys=keys, jobs=Job.objects.count())
    assert {str(pk) for pk in Job.objects.values_list("pk", flat=True)} == ids
    assert len(ids) == keys
    assert Ready.objects.count() == Transition.objects.count() == keys
    assert_whole()


# --- Cancel -----------------------------------------------------------------------------------------------------


class Race(NamedTuple):
    job_id: str
    # Where the job leaves its mark when it starts.
    marks: Path
    answer: Answer


def race(rest: Rest, folder: Path, number: int) -> Race:
    """A job, cancelled before it is claimed, while it is at work, or about when it ends, by turns."""
    draw = random.Random(number)
    marks = folder / str(number)
    task = {"task": "tests.mark_and_wait", "path": str(marks)}
    match number % 4:
        case 0:
            job_id = rest.submit(**task, seconds=0.05)
        case 1:
            job_id = rest.submit(**task, seconds=0.05, delay_seconds=0.1)
            time.sleep(draw.uniform(0, 0.2))
        case 2:
            job_id = rest.submit(**task, seconds=0.3)
            patiently(marks.exists, every_seconds=0.002)
        case _:
            job_id = rest.submit(**task, seconds=0.03)
            patiently(marks.exists, every_seconds=0.002)
            time.sleep(draw.uniform(0, 0.08))
    return Race(job_id, marks, rest.post(f"jobs/{job_id}/cancellation/", {}))


def ended_as_told(one: Race) -> str:
    """Checks that what the answer said is what became of the job; returns both in a word."""
    path, attempts = path_of(one.job_id), list(Attempt.objects.filter(job_id=one.job_id))
    runs = one.marks.read_text().splitlines() if one.marks.exists() else []
    assert len(runs) <= len(attempts) <= 1, (one, path)
    match one.answer.status:
        case 200:
            assert one.answer.body["became"] == "cancelled"
            assert (path[-1], "running" in path, attempts) == ("cancelled", False, []), (one, path)
            return "cancelled before it ran"
        case 202:
            assert one.answer.body["became"] == "cancelling"
            assert path[-2:] in (["running", "cancelled"], ["running", "done"]), (one, path)
            return f"asked to stop, {path[-1]}"
        case 409:
            # None of these fails, and nobody else cancels.
            assert path[-2:] == ["running", "done"], (one, path)
            return "done before"
        case _:
            raise AssertionError(one)


def test_a_cancel_has_one_winner_and_says_which(fleet: Fleet, rest: Rest, tmp_path: Path) -> None:
    fleet.ready([fleet.scheduler()])
    fleet.workers(2, "--concurrency", "4")
    races = times(100, 1000)

    with ThreadPoolExecutor(CANCELLERS) as pool:
        run = list(pool.map(lambda number: race(rest, tmp_path, number), range(races)))
    over = Job.objects.filter(status__in=["done", "cancelled"])
    patiently(lambda: over.count() == races)
    ends = Counter(ended_as_told(one) for one in run)

    figure("F31 cancel races", races=races, **{end.replace(" ", "_").replace(",", ""): n for end, n in ends.items()})
    # Each way was tried, whoever won.
    assert ends["cancelled before it ran"]
    assert ends["asked to stop, cancelled"]
    assert ends["done before"]
    # A legal end stays.
    assert not Ready.objects.exists()
    assert not Lease.objects.exists()
    assert_whole()


# --- Replay -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("worked_on", [False, True], ids=["it waits", "a worker takes it"])
def test_a_dead_letter_sent_back_by_a_hundred_at_once_has_one_new_life(
    fleet: Fleet, org: Org, rest: Rest, crowd: Crowd, tmp_path: Path, worked_on: bool
) -> None:
    go, marks = tmp_path / "go", tmp_path / "marks"
    payload = {"task": "tests.mark_when", "kwargs": {"gate": str(go), "path": str(marks)}}
    letters = [make_dead_letter(org, payload=payload) for _ in range(times(2, 20))]
    if worked_on:
        fleet.workers(1, "--concurrency", str(len(letters)))
    for letter in letters:
        answers = crowd.all(lambda letter=letter: rest.post(f"jobs/{letter.pk}/replay/", {}))

        assert Counter(answer.status for answer in answers) == {200: 1, 409: CROWD - 1}
        assert path_of(letter.pk)[:4] == ["queued", "running", "failed", "queued"]
        assert AuditEntry.objects.filter(action="job.replay", target=str(letter.pk)).count() == 1

    go.touch()
    if not worked_on:
        fleet.workers(1)
    patiently(lambda: Job.objects.filter(status="done").count() == len(letters))
    figure(
        f"F32 sent back at once, {'a worker takes it' if worked_on else 'it waits'}",
        clients=CROWD,
        dead_letters=len(letters),
        new_lives=Attempt.objects.filter(number=2).count(),
    )
    assert {tuple(path_of(letter.pk)) for letter in letters} == {
        ("queued", "running", "failed", "queued", "running", "done")
    }
    assert Counter(line.split()[0] for line in marks.read_text().splitlines()) == {
        str(letter.pk): 1 for letter in letters
    }
    assert_whole()
