"""What is remembered of past runs: the database folds as predictor.memory says, whoever and however many they are."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from math import log
from random import Random
from typing import Any, NamedTuple

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from jobs import estimates
from jobs.memories import as_rows, gaps, recall
from jobs.models import Attempt, Job, Lease, RunDelta, RuntimeMemory
from jobs.queue.finish import Ended, finish
from jobs.queue.upkeep import Prune, fold_runs
from jobs.states import Outcome
from orgs.models import Membership, Org
from orgs.roles import Role
from predictor.examples import Memories
from predictor.memory import DECAYS, LEVELS, Memory, weight
from tests.conftest import World
from tests.factories import api, claim_all, finish_one, make_history, make_job

pytestmark = pytest.mark.django_db


class Took(NamedTuple):
    """A run of a user, type and name, and how long after the run before it it ended."""

    person: str
    type: str
    name: str
    runtime_ms: float
    failed: bool
    after_seconds: float


words = st.sampled_from(["", "a", "b"])
runs = st.builds(
    Took,
    words,
    words,
    words,
    st.one_of(st.floats(-5, 5), st.floats(0, 1e12), st.floats(1, 1e5)),
    st.booleans(),
    st.one_of(st.just(0.0), st.floats(0.001, 1e6), st.floats(-10, 10)),
)


def fold(org: Org, batch: Sequence[Took], ended: Sequence[float]) -> None:
    """As ends leave runs: those of one user, type and name in one row."""
    kinds: dict[tuple[str, str, str], RunDelta] = {}
    for run, end in zip(batch, ended, strict=True):
        of_kind = RunDelta(org_id=org.pk, person=run.person, type=run.type, name=run.name)
        of_kind.runtimes_ms, of_kind.failed, of_kind.ended = [], [], []
        known = kinds.setdefault(run[:3], of_kind)
        known.runtimes_ms.append(run.runtime_ms)
        known.failed.append(run.failed)
        known.ended.append(end)
    for row in kinds.values():
        row.save()
    fold_runs()


def remember(memories: Memories, batch: Sequence[Took], ended: Sequence[float]) -> None:
    """The same by the definition: in the order of their ends, of one moment kind by kind."""
    first = {kind: place for place, kind in reversed(list(enumerate(run[:3] for run in batch)))}
    order = sorted(range(len(batch)), key=lambda place: (ended[place], first[batch[place][:3]], place))
    for place in order:
        person, type, name, ms, failed, _ = batch[place]
        memories.add(person, type, name, runtime_ms=ms, ended=ended[place], failed=failed)


def known(org: Org) -> dict[tuple[str, str], Memory]:
    rows = RuntimeMemory.objects.filter(org_id=org.pk).values_list("level", "key")
    return {(LEVELS[level], key): memory for (level, key), memory in recall(org, list(rows)).items()}


def assert_alike(found: Memory, expected: Memory) -> None:
    assert (found.runs, found.failures, len(found.recent)) == (
        expected.runs,
        expected.failures,
        len(expected.recent),
    )
    for name in ("means", "squares", "failed", "last_ended"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9, abs=1e-9), name
    for ours, theirs in zip(found.recent, expected.recent, strict=True):
        assert (ours.runtime_ms, ours.failed) == (theirs.runtime_ms, theirs.failed)
        assert ours.gap_seconds == pytest.approx(theirs.gap_seconds, abs=1e-5)


@given(st.lists(st.lists(runs, min_size=1, max_size=40), min_size=1, max_size=4))
@settings(max_examples=60)
def test_folds_of_any_batches_are_what_remembering_each_run_is(batches: list[list[Took]]) -> None:
    org, memories, now = Org(pk=1), Memories(), 1.7e9
    RuntimeMemory.objects.all().delete()
    for batch in batches:
        ended = [now := now + run.after_seconds for run in batch]
        fold(org, batch, ended)
        remember(memories, batch, ended)

    found = known(org)

    assert found.keys() == memories.known.keys()
    for key, memory in memories.known.items():
        assert_alike(found[key], memory)
    assert not RunDelta.objects.exists()


def test_thousands_of_short_runs_after_a_long_one_are_no_number_too_small(world: World) -> None:
    make_history(world.org, [3.6e6], failed=True)
    for _ in range(6):
        make_history(world.org, [0.2] * 700)

    (memory,) = recall(world.org, [(LEVELS.index("org"), "")]).values()

    assert memory.runs == 4_201
    assert memory.means == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert memory.failed == pytest.approx(0.0, abs=1e-9)


def test_rows_hold_what_memories_are(world: World) -> None:
    memories, random = Memories(), Random(1)
    for number in range(40):
        ms, ended, failed = random.uniform(1, 1e5), 1.7e9 + 60 * number, number % 3 == 0
        memories.add("7", "http", "x", runtime_ms=ms, ended=ended, failed=failed)

    RuntimeMemory.objects.bulk_create(as_rows(world.org, memories))

    found = known(world.org)
    for key, memory in memories.known.items():
        assert_alike(found[key], memory)


def test_the_first_run_there_was_has_no_gap() -> None:
    assert gaps([5.0, 7.0, 6.0, 9.0], 4) == [0.0, 2.0, 0.0, 2.0]
    assert gaps([5.0, 7.0, 6.0, 9.0], 3) == [2.0, 0.0, 2.0]
    assert gaps([], 0) == []


def test_ends_of_attempts_are_remembered_by_user_kind_type_and_organisation(world: World) -> None:
    random, people = Random(2), [world.operator, world.owner, None]
    for batch in (1, 7, 30):
        for _ in range(batch):
            make_job(world.org, user=random.choice(people), name=random.choice("xy"), max_attempts=1)
        ends = [Ended(one, random.choice([Outcome.DONE, Outcome.ERROR, Outcome.TIMEOUT])) for one in claim_all()]
        finish(ends, worker_name="tester-1")
        fold_runs()

    assert_remembered(world.org)


def assert_remembered(org: Org) -> None:
    """What is remembered of an organisation is what its attempts say."""
    creators = dict(Job.objects.for_org(org).values_list("pk", "created_by_id"))
    ended: dict[float, list[Attempt]] = defaultdict(list)
    for attempt in Attempt.objects.filter(org_id=org.pk, outcome__in=["done", "error", "timeout"]):
        ended[attempt.ended_at.timestamp()].append(attempt)
    memories = Memories()
    for moment, attempts in sorted(ended.items()):
        for one in attempts:
            memories.add(
                str(creators[one.job_id] or ""), one.type, one.name,
                runtime_ms=one.runtime_ms, ended=moment, failed=one.outcome != "done",
            )  # fmt: skip
    found = known(org)
    assert found.keys() == memories.known.keys()
    if all(len(attempts) == 1 for attempts in ended.values()):
        for key, memory in memories.known.items():
            assert_alike(found[key], memory)


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.RELEASED, Outcome.CRASHED])
def test_what_did_not_come_to_its_own_end_is_not_remembered(world: World, outcome: Outcome) -> None:
    make_job(world.org)
    (claimed,) = claim_all()

    finish_one(claimed, outcome)

    assert not RunDelta.objects.exists()


def test_a_fold_takes_its_batch_oldest_first_and_says_whether_there_is_more(world: World) -> None:
    for number in range(3):
        RunDelta.objects.create(
            org_id=world.org.pk, type="t", name="n", runtimes_ms=[1e3 * 10**number], failed=[False], ended=[number]
        )

    assert [fold_runs(batch=2), fold_runs(batch=2)] == [True, False]

    (memory,) = recall(world.org, [(1, "t\x1fn")]).values()
    assert [run.runtime_ms for run in memory.recent] == [1e3, 1e4, 1e5]


def test_one_organisations_runs_move_no_prediction_of_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same user, type and name, who belongs to both."""
    Membership.objects.create(org=world.rival, user=world.operator, role=Role.OPERATOR)
    ours, theirs = api(world.operator, world.org), api(world.operator, world.rival)
    monkeypatch.setattr(estimates.timezone, "now", lambda: datetime(2026, 1, 1, tzinfo=UTC))
    body = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, "name": "nightly"}
    run_all(ours, [body] * 5, lambda: 1_000)
    before, random = ours.post("/api/v1/predict/", body).json(), Random(3)

    run_all(theirs, [body] * 500, lambda: random.lognormvariate(9, 4))

    assert before["source"] == "history"
    assert ours.post("/api/v1/predict/", body).json() == before
    assert theirs.post("/api/v1/predict/", body).json() != before


def run_all(client: APIClient, bodies: list[dict[str, Any]], take_ms: Callable[[], float]) -> None:
    """Submit jobs and have them end; each took as long as `take_ms` says."""
    assert client.post("/api/v1/jobs/bulk/", {"jobs": bodies}).status_code == 200
    ends = [Ended(one, Outcome.DONE) for one in claim_all(slots=len(bodies))]
    for lease in Lease.objects.all():
        lease.leased_at -= timedelta(milliseconds=min(take_ms(), 1e9))
        lease.save()
    assert len(finish(ends, worker_name="tester-1")) == len(bodies)
    fold_runs()


def test_an_upgrade_fills_kinds_types_and_organisations_from_the_history_before(world: World) -> None:
    memories, random = Memories(), Random(4)
    runs = [("http", "x", random.uniform(1, 1e5), number % 4 == 0) for number in range(16)]
    runs += [("http", "y", random.uniform(1, 1e5), False) for _ in range(5)]
    ended = [1.7e9 + 10.0 * number for number in range(len(runs))]
    for (type, name, ms, failed), end in zip(runs, ended, strict=True):
        memories.add("", type, name, runtime_ms=ms, ended=end, failed=failed)
    with connection.cursor() as cursor:
        for name in ("x", "y"):
            of_kind = [(run, end) for run, end in zip(runs, ended, strict=True) if run[1] == name]
            values = (
                [run[2] for run, _ in of_kind], [0.0] + [10.0] * (len(of_kind) - 1), [run[3] for run, _ in of_kind],
                len(of_kind), sum(run[3] for run, _ in of_kind), datetime.fromtimestamp(of_kind[-1][1], UTC),
            )  # fmt: skip
            cursor.execute(HISTORY, (world.org.pk, name, *values))
        cursor.execute(import_module("jobs.migrations.0017_runtime_memory").FILL)

    found = known(world.org)

    filled = {key: memory for key, memory in memories.known.items() if key[0] in ("kind", "type", "org")}
    assert found.keys() == filled.keys()
    for key, memory in filled.items():
        assert_alike(found[key], memory)


HISTORY = """
    INSERT INTO jobs_runtimehistory
        (org_id, type, name, runtimes_ms, gaps_seconds, failed, runs, failures, last_ended_at)
    VALUES (%s, 'http', %s, %s, %s, %s, %s, %s, %s)
"""


def test_a_history_of_more_runs_than_were_kept_weighs_as_all_of_them(world: World) -> None:
    """Sixteen runs alike stand for a thousand: what the means stand for is what each took."""
    with connection.cursor() as cursor:
        values = ([500.0] * 16, [10.0] * 16, [True] * 16, 1_000, 1_000, datetime(2026, 1, 1, tzinfo=UTC))
        cursor.execute(HISTORY, (world.org.pk, "x", *values))
        cursor.execute(import_module("jobs.migrations.0017_runtime_memory").FILL)

    for memory in known(world.org).values():
        assert (memory.runs, memory.failures) == (1_000, 1_000)
        for mean, decay in zip(memory.means, DECAYS, strict=True):
            assert mean / weight(decay, memory.runs) == pytest.approx(log(500.0))
        assert memory.failed == pytest.approx(1.0)


def test_what_has_not_run_for_a_year_is_forgotten(world: World) -> None:
    make_history(world.org, [100.0], name="old")
    make_history(world.org, [100.0], name="new")
    kept = RuntimeMemory.objects.exclude(key__endswith="old").count()
    RuntimeMemory.objects.update(last_ended=time.time() - 364 * 86_400)
    RuntimeMemory.objects.filter(key__endswith="old").update(last_ended=time.time() - 366 * 86_400)
    prune = Prune()

    while prune():
        pass

    left = RuntimeMemory.objects.values_list("key", flat=True)
    assert len(left) == kept
    assert not [key for key in left if key.endswith("old")]
