"""The second wall, from inside: what code that forgets the organisation finds while it answers a request."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import ProgrammingError, connection, transaction
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import Client, override_settings
from django.urls import path
from psycopg.errors import InsufficientPrivilege

from jobs.errors import QueueError
from jobs.models import Job, LogLine, Queue, ScheduleTick, WorkerProcess
from jobs.queue import sql
from orgs import walls
from orgs.models import AuditEntry, Membership, Org
from orgs.pages import org_page, signed_in_page
from orgs.roles import Action
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import api, browser, make_job

pytestmark = pytest.mark.django_db


# --- views that forget, each as a page of ours is written -----------------------------------------------------------


def every_job(request: HttpRequest) -> HttpResponse:
    """No gate, no organisation."""
    return JsonResponse({"orgs": sorted(set(Job.objects.values_list("org__slug", flat=True)))})


@org_page(Action.READ)
def forgetful(request: HttpRequest, scope: Scope) -> HttpResponse:
    """It has a gate, and then forgets to filter: by the ORM, and by a statement of the queue."""
    named = [row.org for row in sql.run("status_totals") if "org" in row]
    jobs = sum(row.jobs for row in sql.run("status_totals"))
    return JsonResponse(
        {
            "orgs": sorted(set(Job.objects.values_list("org__slug", flat=True))),
            "all_orgs": list(Org.objects.values_list("slug", flat=True)),
            "jobs": jobs,
            "named": named,
            "pid": connection.connection.info.backend_pid,
        }
    )


@org_page(Action.READ)
def streamed(request: HttpRequest, scope: Scope) -> StreamingHttpResponse:
    return StreamingHttpResponse(walls.carried(f"{org_id} " for org_id in Job.objects.values_list("org_id", flat=True)))


@org_page(Action.READ)
def raising(request: HttpRequest, scope: Scope) -> HttpResponse:
    with transaction.atomic():
        Job.objects.count()
        raise QueueError("broken off")


@signed_in_page()
def own(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"memberships": Membership.objects.filter(user=request.user.pk).count()})


urlpatterns = [
    path("every-job/", every_job),
    path("forgetful/", forgetful),
    path("streamed/", streamed),
    path("raising/", raising),
    path("own/", own),
]


@pytest.fixture
def two_jobs(world: World) -> World:
    make_job(world.org)
    make_job(world.rival)
    return world


@pytest.fixture
def forgetful_pages() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.mark.usefixtures("forgetful_pages")
def test_a_view_that_names_no_organisation_finds_nothing(two_jobs: World, client: Client) -> None:
    assert client.get("/every-job/").json() == {"orgs": []}
    assert Job.objects.count() == 2


@pytest.mark.usefixtures("forgetful_pages")
def test_a_view_that_forgets_to_filter_finds_its_own(two_jobs: World) -> None:
    found = browser(two_jobs.owner).get("/forgetful/").json()

    assert (found["orgs"], found["all_orgs"], found["jobs"]) == (["acme"], ["acme"], 1)


@pytest.mark.usefixtures("forgetful_pages")
def test_what_is_streamed_afterwards_is_behind_the_wall_too(two_jobs: World) -> None:
    answer = browser(two_jobs.owner).get("/streamed/")

    assert b"".join(answer.streaming_content).split() == [str(two_jobs.org.pk).encode()]
    assert Job.objects.count() == 2


@pytest.mark.usefixtures("forgetful_pages")
def test_pages_of_a_person_see_all_his_organisations(two_jobs: World) -> None:
    Membership.objects.create(org=two_jobs.rival, user=two_jobs.owner, role="viewer")

    assert browser(two_jobs.owner).get("/own/").json() == {"memberships": 2}


@pytest.mark.usefixtures("forgetful_pages")
@pytest.mark.django_db(transaction=True)
def test_two_organisations_on_one_session_see_their_own(two_jobs: World) -> None:
    """As gunicorn's threads keep their session: one after the other, by the same server process."""
    first, second = browser(two_jobs.owner), browser(two_jobs.outsider)
    answers = [who.get("/forgetful/").json() for who in (first, second, first)]

    assert [answer["orgs"] for answer in answers] == [["acme"], ["rival"], ["acme"]]
    assert len({answer["pid"] for answer in answers}) == 1
    assert said() == (connection.settings_dict["USER"], "")
    assert Client().get("/every-job/").json() == {"orgs": []}


@pytest.mark.usefixtures("forgetful_pages")
@pytest.mark.django_db(transaction=True)
def test_nothing_of_a_request_that_broke_off_is_left(two_jobs: World) -> None:
    assert browser(two_jobs.owner).get("/raising/").status_code == 500

    assert said() == (connection.settings_dict["USER"], "")
    assert Job.objects.count() == 2


def said() -> tuple[Any, ...]:
    """The role and the organisation that this thread's session has now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, coalesce(current_setting('app.org', true), '')")
        return tuple(cursor.fetchone())


# --- statements -----------------------------------------------------------------------------------------------------


@pytest.fixture
def behind(two_jobs: World) -> Iterator[World]:
    """As within a request of acme."""
    with walls.raised():
        walls.enter(two_jobs.org.pk)
        yield two_jobs


def test_nothing_is_seen_before_an_organisation_is_entered(two_jobs: World) -> None:
    with walls.raised():
        assert said() == (f"{connection.settings_dict['USER']}_web", "")
        assert (Job.objects.count(), Org.objects.count(), AuditEntry.objects.count()) == (0, 0, 0)
        assert list(Job.objects.raw("SELECT * FROM jobs_job")) == []
        assert list(Job.objects.iterator(chunk_size=1)) == []
    assert Job.objects.count() == 2


WRITES: dict[str, Callable[[World], object]] = {
    "insert": lambda world: Queue.objects.create(org=world.rival, name="theirs"),
    "bulk insert": lambda world: Queue.objects.bulk_create([Queue(org=world.rival, name="theirs")]),
    "moved away": lambda world: Job.objects.update(org_id=world.rival.pk),
    "by a statement of the queue": lambda world: sql.run(
        "count_told", org_id=world.rival.pk, hits=1, misses=0, corrections=0
    ),
    "audited": lambda world: AuditEntry.objects.create(org=world.rival, action="x"),
    "a line of another's job": lambda world: LogLine.objects.create(
        job_id=theirs(world), attempt=1, sequence=1, at="2026-01-01T00:00Z", stream="stdout", text="x"
    ),
}


def theirs(world: World) -> Any:
    with walls.across(walls.Across.METRICS):
        return Job.objects.get(org=world.rival).pk


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_rows_of_another_organisation_are_refused(behind: World, write: Callable[[World], object]) -> None:
    with pytest.raises(ProgrammingError) as refused, transaction.atomic():
        write(behind)

    assert isinstance(refused.value.__cause__, InsufficientPrivilege)
    assert refused.value.__cause__.sqlstate == "42501"


def test_rows_of_another_organisation_are_not_changed(behind: World) -> None:
    assert Job.objects.filter(org=behind.rival).update(title="mine") == 0
    assert Job.objects.filter(org=behind.rival).delete()[0] == 0
    assert Job.objects.update(title="mine") == 1
    with walls.across(walls.Across.METRICS):
        assert sorted(Job.objects.values_list("org__slug", "title")) == [("acme", "mine"), ("rival", "")]


def test_the_trail_is_added_to_and_never_changed(behind: World) -> None:
    for statement in ("UPDATE orgs_auditentry SET action = ''", "DELETE FROM orgs_auditentry"):
        refused = pytest.raises(ProgrammingError, match="permission denied")
        with refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_workers_of_the_deployment_are_seen_and_not_written(behind: World) -> None:
    with walls.across(walls.Across.METRICS):
        for org_id in (None, behind.org.pk, behind.rival.pk):
            WorkerProcess.objects.create(
                id=uuid4(), org_id=org_id, kind="worker", hostname="h", pid=1, started_at=Now(), beat_at=Now()
            )

    assert sorted(WorkerProcess.objects.values_list("org_id", flat=True), key=str) == [behind.org.pk, None]
    with pytest.raises(ProgrammingError), transaction.atomic():
        WorkerProcess.objects.filter(org_id=None).update(hostname="mine")


def test_children_are_their_parents(two_jobs: World) -> None:
    for job in Job.objects.all():
        LogLine.objects.create(
            job_id=job.pk, attempt=1, sequence=1, at="2026-01-01T00:00Z", stream="stdout", text=job.org.slug
        )
    with walls.raised():
        assert (LogLine.objects.count(), ScheduleTick.objects.count()) == (0, 0)
        walls.enter(two_jobs.org.pk)
        assert list(LogLine.objects.values_list("text", flat=True)) == ["acme"]


def test_a_savepoint_that_is_undone_leaves_the_wall_up(behind: World) -> None:
    with transaction.atomic():
        with pytest.raises(ProgrammingError), transaction.atomic():
            Job.objects.raw("SELECT nothing_such FROM jobs_job")[0]
        assert Job.objects.count() == 1
    assert Job.objects.count() == 1


def test_code_across_organisations_says_so_for_as_long_as_it_takes(behind: World) -> None:
    with walls.across(walls.Across.POOL):
        assert Job.objects.count() == 2
        with walls.inside(behind.rival.pk):
            assert Job.objects.count() == 2
    with walls.inside(behind.rival.pk):
        assert list(Job.objects.values_list("org__slug", flat=True)) == ["rival"]
    assert list(Job.objects.values_list("org__slug", flat=True)) == ["acme"]


@pytest.mark.django_db(transaction=True)
def test_statements_by_themselves_and_hot_ones_are_behind_the_wall_too(two_jobs: World) -> None:
    """Outside a transaction, where each statement is one of its own."""
    with walls.raised():
        assert (Job.objects.count(), sql.rows("waiting", queues=["default"], types=["python"])) == (0, [(False,)])
        walls.enter(two_jobs.org.pk)
        assert Job.objects.count() == 1
        assert sql.rows("waiting", queues=["default"], types=["python"]) == [(True,)]
        together = sql.together(*[("waiting", {"queues": ["default"], "types": ["python"]})] * 2)
        assert together == [[(True,)], [(True,)]]
        with walls.across(walls.Across.METRICS):
            assert Job.objects.count() == 2
    assert said() == (connection.settings_dict["USER"], "")


# --- and what is meant to pass, does --------------------------------------------------------------------------------


def test_a_platform_admin_sees_all_and_a_member_does_not(two_jobs: World) -> None:
    slugs = [org["slug"] for org in api(two_jobs.platform_admin).get("/api/v1/platform/orgs/").json()["items"]]

    assert sorted(slugs) == ["acme", "rival"]
    assert api(two_jobs.owner).get("/api/v1/platform/orgs/").status_code == 403


def test_without_the_role_requests_pass_or_are_refused_as_was_chosen(
    two_jobs: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection.connection, "web_role", None)

    assert len(api(two_jobs.owner).get("/api/v1/jobs/").json()["items"]) == 1
    with override_settings(ROW_SECURITY="required"):
        refused = api(two_jobs.owner).get("/api/v1/jobs/")
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:smartqueue:problem:database_not_walled")
