"""The audit trail over the API: its list, a job's part of it, and the whole as a file."""

import csv
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from jobs import audit_list
from jobs.listing import LIST_SECONDS
from jobs.queue.batches import cancel_batch, enqueue_batch
from jobs.queue.control import replay_many
from jobs.queue.enqueue import NewJob
from orgs import audit
from orgs.models import AuditEntry, Org, User
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import api, make_dead_letter, make_job
from tests.jobs.api.test_documented import fits
from tests.jobs.queue.plans import ran

pytestmark = pytest.mark.django_db

AUDIT = "/api/v1/audit/"
SUM = {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}


def act(world: World, action: str = "test.act", **fields: Any) -> AuditEntry:
    given = {"org": world.org, "actor": world.owner, "actor_name": "owner", "action": action, **fields}
    at = given.pop("at", None)
    entry = AuditEntry(**given)
    entry.at = at or datetime.now(UTC)
    # with its time as it is given
    AuditEntry._meta.get_field("at").auto_now_add = False  # type: ignore[union-attr]
    try:
        entry.save()
    finally:
        AuditEntry._meta.get_field("at").auto_now_add = True  # type: ignore[union-attr]
    return entry


def listed(user: User, query: str = "") -> list[Any]:
    response = api(user).get(AUDIT + query)
    assert response.status_code == 200, response.content
    items: list[Any] = response.json()["items"]
    return items


def test_an_entry_says_who_what_and_what_changed(world: World) -> None:
    api(world.owner).patch(
        "/api/v1/orgs/acme/", {"name": "Acme Ltd"}, REMOTE_ADDR="2001:db8::7", headers={"X-Correlation-ID": "abc-1"}
    )

    (entry,) = fits("list_audit", api(world.owner).get(AUDIT))["items"]

    assert entry | {"id": 0, "at": ""} == {
        "id": 0,
        "at": "",
        "actor": "owner",
        "key": "",
        "action": "org.rename",
        "target": "acme",
        "detail": {"old": "Acme", "new": "Acme Ltd"},
        "address": "2001:db8::7",
        "correlation_id": "abc-1",
    }


def test_each_organisation_sees_its_own(world: World) -> None:
    act(world)
    audit.record("test.act", org=world.rival, actor=world.outsider, target="theirs")
    audit.record("auth.login_failed", target="nobody's")

    assert [entry["target"] for entry in listed(world.outsider)] == ["theirs"]
    assert [entry["target"] for entry in listed(world.owner)] == [""]


DAY = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [3, 2, 1, 0]),
        ("?actor=operator", [1]),
        ("?action=job.cancel", [2]),
        ("?target=t1", [1]),
        ("?correlation_id=c3", [3]),
        ("?after=2026-03-01T01:00:00Z", [3, 2, 1]),
        ("?before=2026-03-01T01:00:00Z", [0]),
        ("?after=2026-03-01T01:00:00Z&before=2026-03-01T02:00:00Z", [1]),
        ("?actor=operator&action=job.cancel", []),
    ],
)
def test_it_can_be_narrowed(world: World, query: str, found: list[int]) -> None:
    for number in range(4):
        act(
            world,
            "job.cancel" if number == 2 else "test.act",
            actor_name="operator" if number == 1 else "owner",
            target=f"t{number}",
            correlation_id=f"c{number}",
            at=DAY + timedelta(hours=number),
        )

    assert [int(entry["target"][1:]) for entry in listed(world.owner, query)] == found


@pytest.mark.parametrize(
    "query",
    [
        "?after=yesterday",
        "?job=1",
        "?nonsense=1",
        "?actor=",
        "?limit=0",
        "?limit=201",
        "?cursor=x",
        "?action=a&action=b",
    ],
)
def test_what_cannot_be_asked_is_refused(world: World, query: str) -> None:
    response = api(world.owner).get(AUDIT + query)

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")


def test_pages_hold_each_entry_once_also_those_of_one_moment(world: World) -> None:
    made = [act(world, at=DAY).pk for _ in range(7)]
    seen: list[int] = []
    path = f"{AUDIT}?limit=3"
    while path:
        page = api(world.owner).get(path).json()
        seen += [entry["id"] for entry in page["items"]]
        path = page["next_cursor"] and f"{AUDIT}?limit=3&cursor={page['next_cursor']}"

    assert seen == made[::-1]


def test_a_cursor_that_was_made_up_is_refused(world: World) -> None:
    act(world)
    # [1], ["x", 1], ["9999-12-31", 1], [null, null]
    for cursor in ("WzFd", "WyJ4IiwxXQ", "WyI5OTk5LTEyLTMxIiwxXQ", "W251bGwsbnVsbF0"):
        assert api(world.owner).get(f"{AUDIT}?cursor={cursor}").status_code == 400


def test_what_is_not_shown_of_payloads_is_not_shown_here(world: World) -> None:
    act(world, detail={"old": {"payload": {"api_key": "hunter2"}}})

    assert "hunter2" not in str(listed(world.owner))
    assert "hunter2" not in "".join(exported(world, "csv"))


# --- about a job ----------------------------------------------------------------------------------------------------


def scope_of(world: World) -> Scope:
    return Scope(world.owner, world.org, Role.ORG_ADMIN)


def test_a_job_has_its_own_acts_alone_among_many_and_with_its_batch(world: World) -> None:
    sent = {"jobs": [{"type": "python", "payload": SUM}] * 3}
    api(world.operator).post("/api/v1/jobs/bulk/", sent)
    alone = api(world.operator).post("/api/v1/jobs/", sent["jobs"][0]).json()["id"]
    api(world.operator).post(f"/api/v1/jobs/{alone}/cancellation/", {"reason": "no"})
    dead = [make_dead_letter(world.org), make_dead_letter(world.org)]
    replay_many([job.pk for job in dead], scope=scope_of(world))
    batch = enqueue_batch([NewJob("python", SUM)] * 2, org=world.org, user=world.operator)
    cancel_batch(batch.batch_id, scope=scope_of(world))
    (bulk,) = AuditEntry.objects.filter(target="3 jobs")

    def acts(job_id: Any) -> list[str]:
        answer = fits("list_job_audit", api(world.owner).get(f"/api/v1/jobs/{job_id}/audit/"))
        return [entry["action"] for entry in answer["items"]]

    assert acts(alone) == ["job.cancel", "job.submit"]
    assert acts(bulk.detail["jobs"][1]) == ["job.submit"]
    assert acts(dead[0].pk) == ["job.replay"]
    assert acts(batch.job_ids[1]) == ["batch.cancel", "job.submit"]
    assert [entry["action"] for entry in listed(world.owner, f"?job={alone}&action=job.cancel")] == ["job.cancel"]


def test_of_another_organisations_job_nothing_is_told(world: World) -> None:
    job = make_job(world.org)

    assert api(world.outsider).get(f"/api/v1/jobs/{job.pk}/audit/").status_code == 404
    assert api(world.outsider).get(f"{AUDIT}?job={job.pk}").json()["items"] == []


# --- as a file ------------------------------------------------------------------------------------------------------


def exported(world: World, form: str, query: str = "") -> list[str]:
    response = api(world.owner).get(f"{AUDIT}export/?form={form}{query}")
    assert response.status_code == 200
    assert response.streaming
    pieces: Iterable[bytes] = response.streaming_content  # type: ignore[assignment]
    return [piece.decode() for piece in pieces]


HOSTILE = "=cmd|' /C calc'!A0"


def test_as_csv_no_cell_is_a_formula(world: World) -> None:
    act(world, target=HOSTILE, actor_name='@a"\r\nb', detail={"old": "a,b"}, address="10.0.0.1", at=DAY)

    text = "".join(exported(world, "csv"))

    header, row, own = csv.reader(io.StringIO(text, newline=""))
    assert header == list(audit_list.COLUMNS)
    assert text.count("\r\n") >= 3
    told = dict(zip(header, row, strict=True))
    assert told["target"] == f"'{HOSTILE}"
    assert told["actor"] == "'@a\"\r\nb"
    assert json.loads(told["detail"]) == {"old": "a,b"}
    assert told["at"] == "2026-03-01T00:00:00.000000Z"
    assert own[4] == "audit.export"


def test_as_json_lines_all_is_as_it_was(world: World) -> None:
    act(world, target=HOSTILE, detail={"old": [1, None]}, at=DAY)

    first, own = [json.loads(line) for line in "".join(exported(world, "jsonl")).splitlines()]

    assert (first["target"], first["detail"], first["address"]) == (HOSTILE, {"old": [1, None]}, None)
    assert own["action"] == "audit.export"


def test_an_export_is_narrowed_and_in_the_trail_with_its_filter(world: World) -> None:
    act(world, at=DAY)
    act(world, "job.cancel", at=DAY)

    lines = "".join(exported(world, "jsonl", "&action=job.cancel&after=2026-01-01T00:00:00Z")).splitlines()

    assert [json.loads(line)["action"] for line in lines] == ["job.cancel"]
    entry = AuditEntry.objects.get(action="audit.export")
    assert (entry.actor, entry.target) == (world.owner, "jsonl")
    assert entry.detail == {"filter": {"action": "job.cancel", "after": "2026-01-01T00:00:00.000000Z"}}


def test_a_great_one_comes_in_pieces_each_entry_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_list, "EXPORT_ROWS", 3)
    made = [act(world, at=DAY + timedelta(hours=number // 4)).pk for number in range(10)]

    pieces = exported(world, "jsonl")

    assert [json.loads(line)["id"] for line in "".join(pieces).splitlines()][:-1] == made
    assert max(piece.count("\n") for piece in pieces) == 3


@pytest.mark.parametrize("query", ["", "?form=xml", "?form=csv&job=1", "?form=csv&limit=3"])
def test_an_export_that_cannot_be_made_is_refused_and_not_in_the_trail(world: World, query: str) -> None:
    response = api(world.owner).get(f"{AUDIT}export/{query}")

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert not AuditEntry.objects.exists()


# --- with a great many ----------------------------------------------------------------------------------------------

MANY = """
    INSERT INTO orgs_auditentry (org_id, actor_id, actor_name, action, target, detail, correlation_id, at)
    SELECT CASE WHEN number %% 10 = 0 THEN %(rival)s ELSE %(org)s END, 1, 'user' || number %% 50,
           'act.' || number %% 20, 'target' || number,
           CASE WHEN number %% 100 > 0 THEN '{}' ELSE jsonb_build_object('jobs', jsonb_build_array(gen_random_uuid()))
           END,
           'c' || number, now() - make_interval(secs => 100000 - number)
    FROM generate_series(1, 100000) AS number
"""


@pytest.mark.parametrize(
    ("filters", "most"),
    [
        ({}, 51),
        ({"actor": "user7"}, 51),
        ({"action": "act.7"}, 51),
        ({"target": "target77777"}, 1),
        ({"correlation_id": "c77777"}, 1),
        ({"actor": "nobody"}, 0),
        ({"after": datetime(2020, 1, 1, tzinfo=UTC), "before": datetime(2020, 2, 1, tzinfo=UTC)}, 0),
        ({"job": "01900000-0000-7000-8000-000000000000"}, 1),
    ],
    ids=str,
)
def test_a_page_reads_no_more_than_it_shows(world: World, filters: dict[str, Any], most: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MANY, {"org": world.org.pk, "rival": world.rival.pk})
        cursor.execute("ANALYZE orgs_auditentry")
    rows = audit_list.audit_of(scope_of(world), audit_list.AuditFilters(**filters)).order_by("-at", "-id")[:51]
    text, params = rows.query.sql_with_params()

    nodes = ran(text, params)  # type: ignore[arg-type]

    for node in nodes:
        assert node["Node Type"] != "Seq Scan" or node["Relation Name"] != "orgs_auditentry"
        if "Scan" in node["Node Type"] and node.get("Relation Name") == "orgs_auditentry":
            # one more is read to see that a group of equal times has ended
            assert node["Actual Rows"] + node.get("Rows Removed by Filter", 0) <= most + 1


def test_a_list_that_takes_too_long_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LIST_SECONDS
    monkeypatch.setattr("jobs.listing.LIST_SECONDS", 0.001)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(MANY, {"org": world.org.pk, "rival": world.rival.pk})
    rows = AuditEntry.objects.extra(where=["pg_sleep(1) IS NOT NULL"])
    monkeypatch.setattr("jobs.api.audit.audit_of", lambda *_: rows.filter(org=Org.objects.get(pk=world.org.pk)))

    response = api(world.owner).get(AUDIT)

    assert response.status_code == 400
    assert "narrow it" in response.content.decode()
