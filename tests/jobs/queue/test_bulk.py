"""Acts over many jobs: each kind, in batches, exactly once, stopped and undone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.postgres.search import SearchQuery
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as options
from hypothesis import strategies as st

from jobs.errors import BulkNotFound, BulkOver, CountChanged, InvalidBulk
from jobs.listing import Filters
from jobs.models import (
    Artefact,
    Attempt,
    BulkHold,
    BulkOperation,
    BulkOutcome,
    Delivery,
    Ending,
    Job,
    LogLine,
    PayloadCount,
    Ready,
    SearchEntry,
    Transition,
)
from jobs.queue import bulk_kinds
from jobs.queue.bulk import Asked, count, start, stop
from jobs.queue.bulk_filter import from_json, to_json
from jobs.queue.bulk_run import run_bulk
from jobs.queue.control import keep_held, pause, resume
from jobs.queue.promote import promote
from jobs.queue.upkeep import Prune, fold_counts, fold_payloads
from jobs.states import Status
from orgs.models import AuditEntry, Membership
from orgs.roles import Role
from tests.concurrency import Background, at_once, waiting_for_locks
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import (
    claim_all,
    finish_one,
    make_dead_letter,
    make_done,
    make_job,
    make_webhook,
)
from tests.jobs.queue.acts import scope_of
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db


def begin(world: World, kind: str, role: Role = Role.ORG_ADMIN, **fields: Any) -> BulkOperation:
    asked = Asked(kind, **fields)
    scope = scope_of(world, role)
    return start(asked, scope=scope, counted=count(asked, scope))


def due(operation: BulkOperation) -> None:
    """The time in which it can be undone has passed."""
    BulkOperation.objects.filter(pk=operation.pk).update(next_at=Now() - timedelta(seconds=1))


def run_all() -> int:
    batches = 0
    while True:
        with transaction.atomic():
            if not run_bulk():
                return batches
        batches += 1


def statuses(*jobs: Job) -> list[str]:
    found = dict(Job.objects.with_state().values_list("pk", "state"))
    return [found.get(job.pk, "gone") for job in jobs]


def outcomes(operation: BulkOperation) -> dict[UUID, tuple[str, str]]:
    rows = BulkOutcome.objects.filter(operation_id=operation.pk)
    return {job_id: (outcome, words) for job_id, outcome, words in rows.values_list("job_id", "outcome", "words")}


def counts(operation: BulkOperation) -> tuple[str, int, int, int]:
    operation.refresh_from_db()
    return operation.state, operation.done, operation.skipped, operation.failed


def test_all_that_match_are_cancelled_and_nothing_else(world: World) -> None:
    ours = [make_job(world.org, queue="etl") for _ in range(3)]
    later = make_job(world.org, queue="etl", delay_seconds=60)
    running = make_job(world.org, queue="etl-now")
    claim_all("etl-now")
    other = make_job(world.org, queue="mail")
    rival = make_job(world.rival, queue="etl")

    operation = begin(world, "cancel", filters=Filters(queue="etl"), reason="wrong feed")
    assert operation.matched == 4
    run_all()

    assert statuses(*ours, later) == ["cancelled"] * 4
    assert statuses(running, other, rival) == ["running", "queued", "queued"]
    assert counts(operation) == ("done", 4, 0, 0)
    assert outcomes(operation)[later.pk] == ("done", "cancelled")
    entry = AuditEntry.objects.get(action="job.cancel")
    assert entry.detail["operation"] == str(operation.pk)
    assert entry.detail["reason"] == "wrong feed"
    assert {entry.action for entry in AuditEntry.objects.all()} >= {"bulk.start", "job.cancel", "bulk.end"}
    assert_whole()


def test_jobs_that_come_later_are_not_swept_in(world: World) -> None:
    first = make_job(world.org)
    operation = begin(world, "cancel")
    second = make_job(world.org)

    run_all()

    assert statuses(first, second) == ["cancelled", "queued"]
    assert counts(operation)[1] == 1


def test_what_is_replayed_and_fails_again_at_once_is_not_replayed_again(world: World, settings: Any) -> None:
    settings.BULK_OPERATION_BATCH = 1
    dead = [make_dead_letter(world.org) for _ in range(3)]
    operation = begin(world, "replay")

    while True:
        with transaction.atomic():
            if not run_bulk():
                break
        for claimed in claim_all():
            finish_one(claimed, "error", error_type="ValueError", error="broken", permanent=True)

    assert counts(operation) == ("done", 3, 0, 0)
    assert [Job.objects.get(pk=job.pk).life for job in dead] == [2, 2, 2]
    assert_whole()


def test_deleted_jobs_go_with_all_that_hangs_on_them_and_are_counted_out(world: World) -> None:
    done, dead, waiting = make_done(world.org), make_dead_letter(world.org), make_job(world.org)
    LogLine.objects.create(job_id=dead.pk, attempt=1, sequence=1, stream="log", text="x", at=Now())

    operation = begin(world, "delete")
    run_all()

    assert statuses(done, dead, waiting) == ["gone", "gone", "queued"]
    assert not Attempt.objects.exists()
    assert not LogLine.objects.exists()
    assert not Artefact.objects.exists()
    assert counts(operation) == ("done", 2, 0, 0)
    fold_counts()
    fold_payloads()
    assert PayloadCount.objects.get().payload_bytes == waiting.payload_bytes
    assert_whole()


def test_a_job_whose_end_others_have_yet_to_hear_of_is_not_deleted(world: World) -> None:
    parent = make_job(world.org)
    child = make_job(world.org, after=[parent.pk])
    (claimed,) = claim_all()
    assert finish_one(claimed)
    if Job.objects.get(pk=child.pk).status != Status.SCHEDULED:
        pytest.skip("its end was told at once")
    operation = begin(world, "delete")
    run_all()
    assert statuses(parent) == ["done"]
    assert counts(operation)[2] == 1


def test_urgency_is_changed_of_those_that_wait(world: World) -> None:
    waiting, running = make_job(world.org), make_job(world.org, queue="other")
    claim_all("other")
    operation = begin(world, "urgency", parameters={"urgency": "high"})
    run_all()

    assert Job.objects.get(pk=waiting.pk).urgency == "high"
    assert Job.objects.get(pk=running.pk).urgency == "medium"
    assert outcomes(operation)[running.pk][0] == "skipped"
    assert outcomes(operation)[running.pk][1] == "is running"
    assert AuditEntry.objects.get(action="job.urgency").detail["jobs"] == [str(waiting.pk)]


def test_jobs_are_moved_and_counted_in_their_new_queue(world: World) -> None:
    first, second = make_job(world.org, queue="etl"), make_job(world.org, queue="etl", delay_seconds=60)

    begin(world, "queue", filters=Filters(queue="etl"), parameters={"queue": "night"})
    run_all()

    assert set(Job.objects.values_list("queue", flat=True)) == {"night"}
    assert Ready.objects.get().queue == "night"
    first.refresh_from_db()
    assert first.queued_at
    # as if it were queued there now
    assert Ready.objects.get().rank == pytest.approx(
        first.queued_at.timestamp() + first.share_offset + first.rank_offset, abs=1e-3
    )
    assert_whole()
    assert [claimed.job_id for claimed in claim_all("night")] == [first.pk]
    Job.objects.filter(pk=second.pk).update(run_at=Now() - timedelta(seconds=1))
    promote()
    assert [claimed.job_id for claimed in claim_all("night")] == [second.pk]
    assert_whole()


def test_a_job_moved_into_a_paused_queue_waits_and_one_moved_out_of_it_does_not(world: World) -> None:
    kept, freed = make_job(world.org, queue="day"), make_job(world.org, queue="still")
    pause("still", scope=scope_of(world))
    keep_held()
    begin(world, "queue", ids=[kept.pk], parameters={"queue": "still"})
    begin(world, "queue", ids=[freed.pk], parameters={"queue": "day"})
    run_all()

    assert claim_all("still") == []
    assert [claimed.job_id for claimed in claim_all("day")] == [freed.pk]


# each example is rolled back
@options(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.integers(1, 7), st.integers(1, 4), st.integers(1, 5))
def test_every_job_is_acted_on_once_whatever_the_batches(world: World, jobs: int, batch: int, window: int) -> None:
    with transaction.atomic(), override_settings(BULK_OPERATION_BATCH=batch, BULK_OPERATION_WINDOW=window):
        made = [make_job(world.org, queue="etl" if number % 2 else "mail") for number in range(jobs)]
        operation = begin(world, "cancel", filters=Filters(queue="etl"))
        run_all()
        assert statuses(*made) == ["cancelled" if number % 2 else "queued" for number in range(jobs)]
        assert counts(operation) == ("done", jobs // 2, 0, 0)
        assert len(outcomes(operation)) == jobs // 2
        transaction.set_rollback(True)


def test_a_batch_that_is_not_committed_is_done_anew_and_only_once(world: World, settings: Any) -> None:
    settings.BULK_OPERATION_BATCH = 2
    made = [make_job(world.org) for _ in range(5)]
    operation = begin(world, "cancel")
    with transaction.atomic():
        run_bulk()
    with transaction.atomic():
        # the leader is killed in the middle of the second
        run_bulk()
        transaction.set_rollback(True)
    assert counts(operation) == ("running", 2, 0, 0)

    run_all()

    assert counts(operation) == ("done", 5, 0, 0)
    assert statuses(*made) == ["cancelled"] * 5
    assert len(outcomes(operation)) == BulkOutcome.objects.count() == 5


def test_a_stopped_one_does_no_more(world: World, settings: Any) -> None:
    settings.BULK_OPERATION_BATCH = 2
    for _ in range(5):
        make_job(world.org)
    operation = begin(world, "cancel")
    with transaction.atomic():
        run_bulk()

    assert stop(operation.pk, scope=scope_of(world)).state == "stopped"
    assert run_all() == 0
    assert counts(operation) == ("stopped", 2, 0, 0)
    with pytest.raises(BulkOver):
        stop(operation.pk, scope=scope_of(world))
    with pytest.raises(BulkNotFound):
        stop(uuid4(), scope=scope_of(world))


def test_a_rate_is_kept(world: World) -> None:
    for _ in range(6):
        make_dead_letter(world.org)
    operation = begin(world, "replay", rate=2.0)
    assert run_all() == 1
    assert counts(operation) == ("running", 2, 0, 0)
    assert operation.started_at is not None
    assert operation.next_at - operation.started_at == timedelta(seconds=1)
    assert operation.seconds_left is not None


def test_one_that_breaks_does_not_keep_the_others_from_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [make_job(world.org) for _ in range(3)]
    usual = bulk_kinds.KINDS["cancel"].act

    def brittle(ids: Any, doing: Any) -> Any:
        if made[1].pk in ids:
            raise KeyError("broken")
        return usual(ids, doing)

    monkeypatch.setitem(bulk_kinds.KINDS, "cancel", replace(bulk_kinds.KINDS["cancel"], act=brittle))
    operation = begin(world, "cancel")
    run_all()

    assert counts(operation) == ("done", 2, 0, 1)
    assert statuses(*made) == ["cancelled", "queued", "cancelled"]
    assert outcomes(operation)[made[1].pk][0] == "failed"


def test_only_so_many_outcomes_are_kept_and_all_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BulkOutcome, "KEPT", 2)
    for _ in range(4):
        make_job(world.org)
    operation = begin(world, "cancel")
    run_all()
    assert counts(operation)[1] == 4
    assert len(outcomes(operation)) == 2


# --- Rights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "role", "allowed"),
    [
        ("cancel", Role.OPERATOR, True),
        ("replay", Role.OPERATOR, True),
        ("urgency", Role.OPERATOR, True),
        ("queue", Role.OPERATOR, True),
        ("run_now", Role.OPERATOR, True),
        ("run_now", Role.VIEWER, False),
        ("tag", Role.OPERATOR, True),
        ("untag", Role.OPERATOR, True),
        ("delete", Role.OPERATOR, False),
        ("delete", Role.ORG_ADMIN, True),
        ("cancel", Role.VIEWER, False),
    ],
)
def test_who_may(world: World, kind: str, role: Role, allowed: bool) -> None:
    of_kind = {"urgency": {"urgency": "low"}, "queue": {"queue": "x"}, "tag": {"tag": "x"}, "untag": {"tag": "x"}}
    parameters = of_kind.get(kind, {})
    if allowed:
        assert begin(world, kind, role, parameters=parameters).kind == kind
        return
    with pytest.raises(PermissionDenied):
        begin(world, kind, role, parameters=parameters)


def test_who_has_lost_the_right_meanwhile_does_no_more(world: World) -> None:
    job = make_job(world.org)
    operation = begin(world, "cancel")
    Membership.objects.filter(user=world.owner).update(role=Role.VIEWER)
    run_all()
    assert statuses(job) == ["queued"]
    assert counts(operation)[0] == "stopped"
    assert "may not" in operation.ended_because


def test_a_suspended_organisation_does_no_more(world: World) -> None:
    job = make_job(world.org)
    operation = begin(world, "cancel")
    type(world.org).objects.filter(pk=world.org.pk).update(suspended_at=Now())
    run_all()
    assert statuses(job) == ["queued"]
    assert counts(operation)[0] == "stopped"


def test_what_is_asked_must_make_sense(world: World) -> None:
    for kind, fields in [
        ("explode", {}),
        ("queue", {}),
        ("queue", {"parameters": {"queue": "No Such"}}),
        ("cancel", {"parameters": {"queue": "x"}}),
        ("urgency", {"parameters": {"urgency": "huge"}}),
        ("tag", {"parameters": {"tag": "No Such"}}),
        ("untag", {}),
        ("cancel", {"ids": []}),
        ("replay", {"rate": 0.0}),
    ]:
        with pytest.raises(InvalidBulk):
            begin(world, kind, **fields)


def test_a_count_that_was_not_expected_is_refused(world: World) -> None:
    make_job(world.org)
    asked = Asked("cancel")
    with pytest.raises(CountChanged):
        start(asked, scope=scope_of(world), counted=count(asked, scope_of(world)), expected=2)
    assert not BulkOperation.objects.exists()


def test_a_filter_comes_back_as_it_was() -> None:
    filters = Filters(
        statuses=(Status.QUEUED, Status.FAILED), queue="etl", created_after=timezone.now(), batch=uuid4(), text="a"
    )
    assert from_json(to_json(filters)) == filters
    with pytest.raises(ValueError, match="wings"):
        from_json({"wings": "x"})


# --- Undo -----------------------------------------------------------------------------------------------------------


def test_what_can_be_undone_is_not_done_and_not_claimed_meanwhile(world: World) -> None:
    job, later = make_job(world.org), make_job(world.org, delay_seconds=60)
    make_webhook(world.org)
    rank = Ready.objects.get(job_id=job.pk).rank
    operation = begin(world, "cancel", ids=[job.pk, later.pk], undo_seconds=10)

    assert run_all() == 0
    assert claim_all() == []
    # the leader lets go what is held for nothing
    keep_held()
    Job.objects.filter(pk=later.pk).update(run_at=Now() - timedelta(seconds=1))
    promote()
    assert claim_all() == []
    assert statuses(job, later) == ["queued", "queued"]
    assert not Delivery.objects.exists()

    assert stop(operation.pk, scope=scope_of(world)).state == "undone"
    assert not BulkHold.objects.exists()
    assert Ready.objects.get(job_id=job.pk).rank == rank
    assert {claimed.job_id for claimed in claim_all()} == {job.pk, later.pk}
    assert run_all() == 0
    assert AuditEntry.objects.filter(action="bulk.undo").exists()
    assert_whole()


def test_what_was_not_undone_is_done_when_its_time_has_come(world: World) -> None:
    job = make_job(world.org)
    make_webhook(world.org)
    operation = begin(world, "cancel", ids=[job.pk], undo_seconds=10)
    due(operation)
    run_all()
    assert statuses(job) == ["cancelled"]
    assert Delivery.objects.count() == 1
    assert not BulkHold.objects.exists()
    with pytest.raises(BulkOver):
        stop(operation.pk, scope=scope_of(world))
    assert_whole()


def test_a_running_job_is_told_to_stop_when_the_time_has_come(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    operation = begin(world, "cancel", ids=[job.pk], undo_seconds=10)
    due(operation)
    run_all()
    assert outcomes(operation)[job.pk] == ("done", "asked to stop")
    assert finish_one(claimed, "cancelled")
    assert statuses(job) == ["cancelled"]


def test_one_that_ends_meanwhile_is_left_as_it_ended(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    operation = begin(world, "cancel", ids=[job.pk], undo_seconds=10)
    finish_one(claimed)
    due(operation)
    run_all()
    assert statuses(job) == ["done"]
    assert outcomes(operation)[job.pk] == ("skipped", "is done")


def test_a_job_to_be_deleted_is_hidden_and_shown_again_when_that_is_undone(world: World) -> None:
    job = make_done(world.org)
    operation = begin(world, "delete", ids=[job.pk], undo_seconds=10)
    assert not Job.objects.staying().exists()
    stop(operation.pk, scope=scope_of(world))
    assert Job.objects.staying().get() == job


def test_two_acts_keep_a_job_back_until_both_are_over(world: World) -> None:
    job = make_job(world.org)
    first = begin(world, "cancel", ids=[job.pk], undo_seconds=10)
    second = begin(world, "cancel", ids=[job.pk], undo_seconds=10)
    stop(first.pk, scope=scope_of(world))
    assert claim_all() == []
    stop(second.pk, scope=scope_of(world))
    assert len(claim_all()) == 1


def test_an_undone_job_of_a_paused_queue_stays_held(world: World) -> None:
    job = make_job(world.org)
    operation = begin(world, "cancel", ids=[job.pk], undo_seconds=10)
    pause("default", scope=scope_of(world))
    stop(operation.pk, scope=scope_of(world))
    assert claim_all() == []
    resume("default", scope=scope_of(world))
    assert len(claim_all()) == 1


@pytest.mark.django_db(transaction=True)
def test_undo_and_the_leader_at_once(world: World) -> None:
    """Either it was undone, and the job goes on, or it was done, and the undo is told so."""
    for _ in range(6):
        job = make_job(world.org)
        operation = begin(world, "cancel", ids=[job.pk], undo_seconds=10)
        due(operation)
        undone, _ = at_once(lambda op=operation: stop(op.pk, scope=scope_of(world)), run_all)
        run_all()
        if isinstance(undone, BulkOver):
            assert statuses(job) == ["cancelled"]
        else:
            assert undone.state == "undone"
            assert [claimed.job_id for claimed in claim_all()] == [job.pk]
            claim_all()
        assert not BulkHold.objects.exists()
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_two_undo_it_at_once(world: World) -> None:
    job = make_job(world.org)
    operation = begin(world, "cancel", ids=[job.pk], undo_seconds=10)
    told = at_once(*[lambda: stop(operation.pk, scope=scope_of(world))] * 2)
    assert sorted(type(one).__name__ for one in told) == ["BulkOperation", "BulkOver"]
    assert AuditEntry.objects.filter(action="bulk.undo").count() == 1
    assert len(claim_all()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_claim_and_an_act_that_can_be_undone_at_once(world: World) -> None:
    """A worker has it, or nobody until the act is over."""
    for _ in range(6):
        job = make_job(world.org)
        claimed, operation = at_once(claim_all, lambda job=job: begin(world, "cancel", ids=[job.pk], undo_seconds=10))
        assert isinstance(operation, BulkOperation)
        assert claim_all() == []
        stop(operation.pk, scope=scope_of(world))
        assert len(claimed) + len(claim_all()) == 1
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_a_stop_waits_for_the_batch_that_is_being_done(world: World, settings: Any) -> None:
    settings.BULK_OPERATION_BATCH = 1
    for _ in range(3):
        make_job(world.org)
    operation = begin(world, "cancel")
    with transaction.atomic():
        run_bulk()
        stopping = Background(lambda: stop(operation.pk, scope=scope_of(world)))
        eventually(lambda: waiting_for_locks() > 0)
    assert stopping.result().state == "stopped"
    assert counts(operation) == ("stopped", 1, 0, 0)


def test_those_that_ended_long_ago_go(world: World) -> None:
    make_job(world.org)
    operation = begin(world, "cancel")
    run_all()
    Prune()()
    assert BulkOperation.objects.exists()
    BulkOperation.objects.update(ended_at=F("ended_at") - timedelta(days=31))
    Prune()()
    assert not BulkOperation.objects.exists()
    assert outcomes(operation) == {}


def test_the_leader_finds_what_is_due_by_its_index(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        found = BulkOperation.objects.filter(state__in=("pending", "running"), next_at__lte=Now()).order_by("next_at")
        assert "bulkoperation_due_idx" in found.explain()
    assert not Ending.objects.exists()


# --- Run now --------------------------------------------------------------------------------------------------------


def test_all_that_are_put_off_are_queued_at_once_but_not_those_that_wait_for_others(world: World) -> None:
    late = [make_job(world.org, delay_seconds=3_600 * hours, queue="etl") for hours in (2, 1)]
    waits = make_job(world.org, queue="etl", after=[late[0].pk])
    elsewhere = make_job(world.org, delay_seconds=3_600, queue="mail")
    rival = make_job(world.rival, delay_seconds=3_600, queue="etl")
    queued = make_job(world.org, queue="etl")

    operation = begin(world, "run_now", filters=Filters(queue="etl"), reason="the service is back")
    assert operation.matched == 2
    run_all()

    assert counts(operation) == ("done", 2, 0, 0)
    assert statuses(*late, waits, elsewhere, rival, queued) == [
        "queued", "queued", "scheduled", "scheduled", "scheduled", "queued",
    ]  # fmt: skip
    assert Ready.objects.filter(job_id__in=[job.pk for job in late]).count() == 2
    assert outcomes(operation)[late[0].pk][1].startswith("queued, was due at 20")
    moves = Transition.objects.filter(job_id=late[0].pk).order_by("-pk")
    assert moves[0].reason == "run now: the service is back"
    assert len(AuditEntry.objects.get(action="job.run_now").detail["jobs"]) == 2


# --- Tags -----------------------------------------------------------------------------------------------------------


def test_a_tag_is_given_to_all_that_match_and_they_are_found_by_it(world: World) -> None:
    dead, waits = make_dead_letter(world.org, queue="etl"), make_job(world.org, queue="etl")
    has_it = make_job(world.org, queue="etl", tags=["late"])
    full = make_job(world.org, queue="etl", tags=[f"t{number}" for number in range(10)])
    make_job(world.org, queue="mail")
    rival = make_job(world.rival, queue="etl")

    operation = begin(world, "tag", filters=Filters(queue="etl"), parameters={"tag": "late"})
    assert operation.matched == 3
    run_all()

    tagged = Job.objects.filter(tags__contains=["late"])
    assert set(tagged.values_list("pk", flat=True)) == {waits.pk, dead.pk, has_it.pk}
    assert counts(operation) == ("done", 2, 1, 0)
    assert outcomes(operation)[dead.pk] == ("done", "has late")
    assert statuses(waits, dead, full, rival) == ["queued", "failed", "queued", "queued"]
    entries = SearchEntry.objects.filter(words=SearchQuery(f"{world.org.pk}glate", search_type="raw", config="simple"))
    assert {waits.pk, dead.pk} <= set(entries.values_list("pk", flat=True))
    entry = AuditEntry.objects.get(action="job.tag")
    assert (entry.detail["tag"], set(entry.detail["jobs"])) == ("late", {str(waits.pk), str(dead.pk)})


def test_a_tag_is_taken_off(world: World) -> None:
    job, other = make_job(world.org, tags=["late", "red"]), make_job(world.org, tags=["red"])

    operation = begin(world, "untag", parameters={"tag": "late"})
    run_all()

    assert counts(operation) == ("done", 1, 0, 0)
    assert [Job.objects.get(pk=one.pk).tags for one in (job, other)] == [["red"], ["red"]]
